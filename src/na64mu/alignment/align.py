"""The alignment of one spectrometer: find tracks, solve the global chi2, move the modules, and again with narrower windows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from na64mu.alignment.finding import find_tracks
from na64mu.alignment.parameters import FreeParameters, Mode, moved
from na64mu.alignment.residuals import TrackHits, TrackResiduals, residuals
from na64mu.alignment.sample import Sample
from na64mu.alignment.solver import NormalEquations, Solution, solve
from na64mu.alignment.trajectory import scattering
from na64mu.detector import Detector
from na64mu.errors import CalibrationError
from na64mu.tracking.spectrometer import Plane
from na64mu.typing import FloatArray

__all__ = ("MIN_TRACKS", "AlignedSpectrometer", "align_spectrometer", "chunks", "selected_tracks")

log = logging.getLogger(__name__)

MIN_TRACKS = 500  # fewer do not tell planes from outliers
CHUNK = 4000  # tracks held in memory with all their matrices
MIN_FREEDOM = 3  # degrees of freedom of a track in all
CONVERGED = 0.2  # a pass ends when no parameter moves by more of its error


@dataclass(frozen=True)
class Pass:
    """One pass: how far modules may still be off [mm], largest pull of a hit, tracks used, solutions between two searches for tracks."""

    spread: float
    max_pull: float
    n_tracks: int
    n_solutions: int


#: Displaced planes lose hits in narrow windows, and a wide window takes in wrong ones: from wide to narrow.
PASSES = (
    Pass(2.0, 5.0, 10_000, 3),
    Pass(0.5, 4.0, 20_000, 2),
    Pass(0.2, 4.0, 20_000, 2),
    Pass(0.1, 4.0, 10_000_000, 3),
)


@dataclass(frozen=True)
class AlignedSpectrometer:
    """Result of one spectrometer.

    Attributes
    ----------
    name : str
        "ms1" or "ms2".
    planes : tuple of Plane
        Its planes, in the order of the beam, where they were before.
    detector : Detector
        With the modules of this spectrometer moved.
    parameters : FreeParameters
        The free parameters.
    correction : FloatArray
        What was added to them in all [mm or rad], shape (g,).
    solution : Solution
        Of the last pass.
    modes : list of Mode
        Common modes.
    equations : NormalEquations
        Of the last pass.
    tracks : list of TrackHits
        Tracks of the last pass without outliers, one entry per sample.
    """

    name: str
    planes: tuple[Plane, ...]
    detector: Detector
    parameters: FreeParameters
    correction: FloatArray
    solution: Solution
    modes: list[Mode]
    equations: NormalEquations
    tracks: list[TrackHits]


def chunks(hits: TrackHits, sample: Sample, detector: Detector, spread: float = 0.0) -> Iterator[tuple[slice, TrackResiduals]]:
    """Residuals of many tracks, a piece at a time.

    Parameters
    ----------
    hits : TrackHits
        The tracks.
    sample : Sample
        Where they were found.
    detector : Detector
        Where the modules are.
    spread : float
        Added to the resolutions in quadrature [mm].

    Yields
    ------
    slice
        Which tracks.
    TrackResiduals
        Their residuals.
    """
    spectrometer = sample.planes(detector)
    scatter = scattering(spectrometer)
    for start in range(0, len(hits), CHUNK):
        rows = slice(start, start + CHUNK)
        part = hits[rows]
        yield rows, residuals(replace(part, sigma=np.hypot(part.sigma, spread)), spectrometer, detector, scatter)


def selected_tracks(hits: TrackHits, sample: Sample, detector: Detector, spread: float, max_pull: float) -> TrackHits:
    """Take out hits far from the track of the others, the worst first, and tracks that have too few left.

    Parameters
    ----------
    hits, sample, detector, spread
        As in `chunks`.
    max_pull : float
        Largest residual in standard deviations.

    Returns
    -------
    TrackHits
        What is left.
    """
    used, state = hits.used.copy(), hits.state.copy()
    for _ in range(2):
        n_out = 0
        for rows, tracks in chunks(replace(hits, used=used, state=state), sample, detector, spread):
            state[rows] = tracks.state
            size = np.abs(tracks.pull)
            worst = (size > max_pull) & (size == size.max(axis=1, keepdims=True))
            used[rows] &= ~worst
            n_out += int(worst.sum())
        if n_out == 0:
            break
    keep = (used.sum(axis=1) >= 5 + MIN_FREEDOM) & np.all(np.isfinite(state), axis=1)
    for rows, tracks in chunks(replace(hits, used=used, state=state), sample, detector, spread):
        state[rows] = tracks.state
        keep[rows] &= np.all(np.abs(tracks.pull) <= max_pull, axis=1) & np.all(np.isfinite(tracks.r), axis=1)
    return replace(hits, used=used, state=state)[keep]


def _summed(
    tracks: list[TrackHits], samples: list[Sample], detector: Detector, spread: float, parameters: FreeParameters
) -> NormalEquations:
    columns = parameters.columns(samples[0].planes(detector))
    equations = NormalEquations.empty(len(parameters), len(columns))
    for hits, sample in zip(tracks, samples, strict=True):
        for _, part in chunks(hits, sample, detector, spread):
            equations.add(part, columns)
    return equations


def align_spectrometer(
    samples: list[Sample],
    *,
    fixed: tuple[str, ...] = (),
    survey_shift: float = 1.0,
    survey_rotation: float = 5e-3,
    passes: tuple[Pass, ...] = PASSES,
    progress: Callable[[str], object] | None = None,
) -> AlignedSpectrometer:
    """Align the modules of one spectrometer.

    Parameters
    ----------
    samples : list of Sample
        Hits of the same spectrometer, with and without field.
    fixed : tuple of str
        Modules that stay where they are.
    survey_shift, survey_rotation : float
        How well the description is believed [mm, rad]: the modules may be off by a few of these.
    passes : tuple of Pass
        Windows, from wide to narrow.
    progress : callable, optional
        Called with a line of text after every solution.

    Returns
    -------
    AlignedSpectrometer
        The moved modules, errors, and what the tracks do not know.

    Raises
    ------
    CalibrationError
        If there are too few tracks.
    """
    start = samples[0].detector
    bent = [s for s in samples if s.field] or samples
    spectrometer = bent[0].planes(start)
    parameters = FreeParameters.of(spectrometer, start, fixed, survey_shift, survey_rotation)
    if not len(parameters):
        msg = f"all modules of {spectrometer.name.upper()} are fixed: nothing is left to align"
        raise CalibrationError(msg)
    modes = parameters.modes(spectrometer, start)
    correction, detector = np.zeros(len(parameters)), start
    for i, step in enumerate(passes):
        found = [find_tracks(s.first(2 * step.n_tracks), detector, step.spread)[: step.n_tracks] for s in samples]
        for _ in range(step.n_solutions):
            spread = step.spread if i < len(passes) - 1 else 0.0
            tracks = [selected_tracks(t, s, detector, spread, step.max_pull) for t, s in zip(found, samples, strict=True)]
            equations = _summed(tracks, samples, detector, spread, parameters)
            if equations.n_tracks < MIN_TRACKS:
                msg = (
                    f"{equations.n_tracks} clean tracks in {spectrometer.name.upper()} of {sum(s.n_events for s in samples)} events, "
                    f"at least {MIN_TRACKS} are needed: give more files of beam muons, or a description that is closer to the truth"
                )
                raise CalibrationError(msg)
            solution = solve(equations, parameters, modes)
            correction = correction + solution.step
            detector = moved(start, parameters, correction)
            with np.errstate(invalid="ignore", divide="ignore"):
                largest = float(np.nanmax(np.abs(solution.step / solution.error)))
            if progress is not None:
                progress(
                    f"{spectrometer.name.upper()}: pass {i + 1} of {len(passes)}: {equations.n_tracks} tracks, "
                    f"chi2/ndf {equations.chi2 / equations.ndf:.3f}, largest step {largest:.2f} of its error"
                )
            if largest < CONVERGED:
                break
    return AlignedSpectrometer(spectrometer.name, spectrometer.planes, detector, parameters, correction, solution, modes, equations, tracks)
