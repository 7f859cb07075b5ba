"""The alignment of one spectrometer: find tracks, solve the global chi2, move the modules, and iterate with tighter windows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from na64mu.alignment.finding import find_tracks
from na64mu.alignment.gauge import robust_gauge
from na64mu.alignment.knowledge import Knowledge
from na64mu.alignment.parameters import COMPONENTS, FreeParameters, Mode, moved
from na64mu.alignment.reference import MomentumReference, ReferenceSums
from na64mu.alignment.residuals import TrackHits, TrackResiduals, residuals
from na64mu.alignment.sample import Sample
from na64mu.alignment.solver import NormalEquations, Solution, solve
from na64mu.alignment.start import far_modules
from na64mu.alignment.trajectory import scattering
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.errors import CalibrationError
from na64mu.tracking.spectrometer import Plane
from na64mu.typing import FloatArray

__all__ = ("MIN_TRACKS", "AlignedSpectrometer", "align_spectrometer", "chunks")

log = logging.getLogger(__name__)

MIN_TRACKS = 500  # fewer cannot distinguish displaced planes from outliers
START_EVENTS = 8000  # whose hits show modules that are far off
CHUNK = 4000  # tracks held in memory with all their matrices
MIN_FREEDOM = 3  # degrees of freedom of a track in all
CONVERGED = 0.02  # steps below this fraction of the survey (or five errors) are so small that one more would not change them


@dataclass(frozen=True)
class Pass:
    """Settings of a pass: expected displacement of modules [mm], largest pull of a hit, tracks used, solutions between two track searches."""

    spread: float
    max_pull: float
    n_tracks: int
    n_solutions: int


#: Displaced planes lose hits in narrow windows, and a wide window takes in wrong ones: from wide to narrow.
PASSES = (
    Pass(2.0, 5.0, 3000, 3),
    Pass(0.5, 4.0, 4000, 2),
    Pass(0.2, 4.0, 6000, 2),
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
        Planes before the alignment, in order along the beam.
    detector : Detector
        Detector with the modules of this spectrometer moved.
    parameters : FreeParameters
        The free parameters.
    correction : FloatArray
        Total correction of the free parameters [mm or rad], shape (g,).
    solution : Solution
        Solution of the last pass.
    modes : list of Mode
        Common modes.
    equations : NormalEquations
        Normal equations of the last pass.
    tracks : list of TrackHits
        Tracks of the last pass without outliers, one entry per sample.
    knowledge : Knowledge
        What holds the common movements.
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
    knowledge: Knowledge


def chunks(hits: TrackHits, sample: Sample, detector: DetectorLike, spread: float = 0.0) -> Iterator[tuple[slice, TrackResiduals]]:
    """Residuals of many tracks, a piece at a time.

    Parameters
    ----------
    hits : TrackHits
        The tracks.
    sample : Sample
        Sample in which they were found.
    detector : Detector, str or Path
        Description with the positions of the modules.
    spread : float
        Added to the resolutions in quadrature [mm].

    Yields
    ------
    slice
        Range of tracks.
    TrackResiduals
        Residuals of these tracks.
    """
    detector = load_detector(detector)
    spectrometer = sample.planes(detector)
    scatter = scattering(spectrometer)
    for start in range(0, len(hits), CHUNK):
        rows = slice(start, start + CHUNK)
        part = hits[rows]
        yield rows, residuals(replace(part, sigma=np.hypot(part.sigma, spread)), spectrometer, detector, scatter)


def _without_outliers(hits: TrackHits, sample: Sample, detector: Detector, spread: float, max_pull: float) -> TrackHits:
    """Take out the worst hit of every track that has one far from the track of the others."""
    used, state = hits.used.copy(), hits.state.copy()
    for rows, tracks in chunks(hits, sample, detector, spread):
        size = np.abs(tracks.pull)
        used[rows] &= ~((size > max_pull) & (size == size.max(axis=1, keepdims=True)))
        state[rows] = tracks.state
    return replace(hits, used=used, state=state)


@dataclass(frozen=True)
class _Sums:
    """Normal equations of every sample, what the MIP muons add to them, and the tracks."""

    samples: list[tuple[bool, NormalEquations]]
    reference: ReferenceSums
    tracks: list[TrackHits]

    @property
    def of_tracks(self) -> NormalEquations:
        """All tracks together."""
        return NormalEquations.total([own for _, own in self.samples])

    @property
    def with_reference(self) -> NormalEquations:
        """All tracks together with what the MIP muons know."""
        total = self.of_tracks
        return replace(total, matrix=total.matrix + self.reference.matrix, right=total.right + self.reference.right)


def _summed(
    found: list[TrackHits],
    samples: list[Sample],
    detector: Detector,
    spread: float,
    max_pull: float,
    parameters: FreeParameters,
    references: list[MomentumReference | None],
) -> _Sums:
    """Normal equations of all tracks whose hits agree, and these tracks."""
    columns = parameters.columns(samples[0].planes(detector))
    muons = ReferenceSums.empty(len(parameters))
    selected, sums = [], []
    for tracks, sample, reference in zip(found, samples, references, strict=True):
        equations = NormalEquations.empty(len(parameters), len(columns))
        hits = _without_outliers(tracks, sample, detector, spread, max_pull)
        good = (hits.used.sum(axis=1) >= 5 + MIN_FREEDOM) & np.isfinite(hits.state).all(axis=1)
        hits = hits[good]
        good, state = np.ones(len(hits), dtype=np.bool_), hits.state.copy()
        for rows, part in chunks(hits, sample, detector, spread):
            good[rows] = np.all(np.abs(part.pull) <= max_pull, axis=1) & np.isfinite(part.r).all(axis=1)
            state[rows] = part.state
            kept = part[good[rows]]
            equations.add(kept, columns)
            muons.add(kept, hits.event[rows][good[rows]], columns, reference)
        sums.append((sample.field, equations))
        selected.append(replace(hits, state=state)[good])
    return _Sums(sums, muons, selected)


def align_spectrometer(
    samples: list[Sample],
    *,
    fixed: Iterable[str] | str = (),
    survey_shift: float = 1.0,
    survey_rotation: float = 5e-3,
    passes: tuple[Pass, ...] = PASSES,
    references: list[MomentumReference | None] | None = None,
    progress: Callable[[str], object] | None = None,
) -> AlignedSpectrometer:
    """Align the modules of one spectrometer.

    Parameters
    ----------
    samples : list of Sample
        Hits of the same spectrometer, with and without field.
    fixed : str or iterable of str
        Modules that stay where they are.
    survey_shift, survey_rotation : float
        Prior uncertainty of the description [mm, rad]: the modules may be displaced by a few of these.
    passes : tuple of Pass
        Windows, from wide to narrow.
    references : list of MomentumReference, optional
        What is known of the momenta of MIP muons, one entry per sample; it holds the movement along the bend.
    progress : callable, optional
        Called with a line of text after every solution.

    Returns
    -------
    AlignedSpectrometer
        The moved modules, errors, and the modes that the tracks do not constrain.

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
    references = [None] * len(samples) if references is None else references
    kinds = np.array([COMPONENTS.index(component) for _, component in parameters.free])
    correction = far_modules(bent[0].first(START_EVENTS), start, parameters)
    detector = moved(start, parameters, correction)
    if progress is not None and correction.any():
        far = ", ".join(f"{name} {value:+.1f} mm" for name, value in zip(parameters.names, correction, strict=True) if value)
        progress(f"{spectrometer.name.upper()}: pairs of planes show modules that are far off: {far}")
    for i, step in enumerate(passes):
        found = [find_tracks(s.first(2 * step.n_tracks), detector, step.spread)[: step.n_tracks] for s in samples]
        for _ in range(step.n_solutions):
            spread = step.spread if i < len(passes) - 1 else 0.0
            sums = _summed(found, samples, detector, spread, step.max_pull, parameters, references)
            equations = sums.of_tracks
            if equations.n_tracks < MIN_TRACKS:
                msg = (
                    f"{equations.n_tracks} clean tracks in {spectrometer.name.upper()} of {sum(s.n_events for s in samples)} events, "
                    f"at least {MIN_TRACKS} are needed: give more files of beam muons, or a description that is closer to the truth"
                )
                raise CalibrationError(msg)
            solution = solve(sums.with_reference, parameters, modes)
            correction = correction + solution.step
            gauge = robust_gauge(correction / parameters.survey, solution.followed, kinds)
            correction = correction + parameters.survey * (solution.followed @ gauge.amplitude)
            detector = moved(start, parameters, correction)
            error = np.nan_to_num(solution.error)
            if progress is not None:
                largest = float(np.max(np.abs(solution.step) / parameters.survey))
                progress(
                    f"{spectrometer.name.upper()}: pass {i + 1} of {len(passes)}: {equations.n_tracks} tracks, "
                    f"chi2/ndf {equations.chi2 / equations.ndf:.3f}, largest step {largest:.4f} of the survey error"
                )
            if np.all(np.abs(solution.step) <= np.maximum(CONVERGED * parameters.survey, 5.0 * error)):
                break
    common = max((r.common for r in references if r is not None), default=0.0)
    knowledge = Knowledge.of(parameters, sums.samples, sums.reference, gauge.precision, common)
    return AlignedSpectrometer(
        spectrometer.name, spectrometer.planes, detector, parameters, correction, solution, modes, equations, sums.tracks, knowledge
    )
