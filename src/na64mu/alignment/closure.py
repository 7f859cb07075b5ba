"""Closure of an alignment on simulated events, where the true positions are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from na64mu.alignment.align import AlignedSpectrometer, chunks
from na64mu.alignment.finding import find_tracks
from na64mu.alignment.parameters import FreeParameters, fixed_modules, moved
from na64mu.alignment.sample import Sample
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.tracking.spectrometer import spectrometer
from na64mu.typing import FloatArray, IntArray

__all__ = ("Closure", "closure", "displaced", "momenta")


@dataclass(frozen=True)
class Closure:
    """Remaining misalignment after an alignment; every array has shape (n_parameters,), in mm or rad.

    Attributes
    ----------
    names : list of str
        "mm1 dx" ...
    before, after : FloatArray
        Position minus true position before and after the alignment.
    inside : FloatArray
        Remaining misalignment after the alignment, without the common movements that were held fixed: the part that tracks constrain.
    error : FloatArray
        Standard deviation of `inside`, estimated by the alignment.
    """

    names: list[str]
    before: FloatArray
    after: FloatArray
    inside: FloatArray
    error: FloatArray

    @property
    def pull(self) -> FloatArray:
        """Remaining misalignment divided by its error; NaN where the parameter was held fixed."""
        return self.inside / self.error


def displaced(
    detector: DetectorLike, rng: np.random.Generator, shift: float = 1.0, rotation: float = 5e-3, fixed: Iterable[str] | str = ()
) -> Detector:
    """A description with every module of MS1 and MS2 moved at random.

    Parameters
    ----------
    detector : Detector, str or Path
        The true description.
    rng : Generator
        Random numbers.
    shift, rotation : float
        Largest displacement along x and y [mm] and rotation [rad], evenly distributed.
    fixed : str or iterable of str
        Modules that stay.

    Returns
    -------
    Detector
        The wrong description.
    """
    detector = load_detector(detector)
    fixed = fixed_modules(fixed, detector)
    for number in (1, 2):
        parameters = FreeParameters.of(spectrometer(detector, number), detector, fixed, shift, rotation)
        detector = moved(detector, parameters, rng.uniform(-1.0, 1.0, len(parameters)) * parameters.survey)
    return detector


def _difference(detector: Detector, truth: Detector, parameters: FreeParameters) -> FloatArray:
    rows = []
    for i, component in parameters.free:
        module, true = (d.trackers[parameters.modules[i]] for d in (detector, truth))
        change = (module.centre[0] - true.centre[0], module.centre[1] - true.centre[1], module.rotation - true.rotation)
        rows.append(change[("dx", "dy", "drotation").index(component)])
    return np.array(rows)


def closure(aligned: AlignedSpectrometer, before: Detector, truth: Detector) -> Closure:
    """Compare an alignment with the truth.

    Parameters
    ----------
    aligned : AlignedSpectrometer
        The alignment.
    before, truth : Detector
        The description it started from, and the one the events were simulated with.

    Returns
    -------
    Closure
        Differences, with and without the common movements.
    """
    parameters = aligned.parameters
    after = _difference(aligned.detector, truth, parameters)
    solution = aligned.solution
    inside = after / parameters.survey
    inside = inside - solution.followed @ (solution.held @ inside)
    return Closure(parameters.names, _difference(before, truth, parameters), after, inside * parameters.survey, solution.error)


def momenta(sample: Sample, detector: DetectorLike, spread: float = 0.5) -> tuple[IntArray, FloatArray]:
    """Momenta of clean tracks with the modules where a description has them.

    Parameters
    ----------
    sample : Sample
        Hits, taken with the field on.
    detector : Detector, str or Path
        The description.
    spread : float
        Opens the windows of the search [mm].

    Returns
    -------
    event, momentum : IntArray, FloatArray
        Event and momentum [GeV/c] of every track, shape (n,).
    """
    detector = load_detector(detector)
    tracks = find_tracks(sample, detector, spread)
    curvature = np.concatenate([part.state[:, 4] for _, part in chunks(tracks, sample, detector)])
    return tracks.event, 1.0 / np.abs(curvature)
