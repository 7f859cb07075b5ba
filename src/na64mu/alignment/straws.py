"""Drift relation of straw chambers: a first estimate from the spectrum of drift times, then from time against distance to tracks.

Times ns, distances mm. The relation time = t0 + drift x distance is what the description carries; the measured points
are kept beside it, so that a non-linear relation is visible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.special import erf

from na64mu.alignment.align import AlignedSpectrometer, chunks
from na64mu.alignment.sample import Sample, rounded
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.detector.alignment import DriftRelation
from na64mu.detector.elements import Straw
from na64mu.typing import FloatArray

__all__ = ("MIN_TIMES", "Spectrum", "fit_spectrum", "measure_drift", "with_drift")

MIN_TIMES = 2000  # drift times of a chamber below which its description is kept
BIN = 1.0  # ns
NEAR, FAR = 0.6, 0.3  # mm: distances from wire and wall where the error of the track does not mix the sides of the wire, or of the wall
N_POINTS = 12
MARGIN = 20.0  # ns beyond the first and the last time
LARGEST_CHI2 = 3.0  # per degree of freedom, of a drift relation that is a straight line
LARGEST_SHIFT = 4.0  # ns between the t0 that hits were made with and the one that tracks find: then hits were off by a resolution


@dataclass(frozen=True)
class Spectrum:
    """Edges of a drift-time spectrum.

    Attributes
    ----------
    t0, t0_error : float
        Rising edge: particles at the wire [ns].
    width, width_error : float
        Rising to falling edge: the drift time of the whole radius [ns].
    """

    t0: float
    t0_error: float
    width: float
    width_error: float


def fit_spectrum(times: FloatArray, straw: Straw) -> Spectrum | None:
    """Edges of the spectrum of drift times of one chamber.

    Tubes are lit evenly across their diameter, so that with a straight drift relation all drift times are equally likely: the
    spectrum is a box, its edges smeared by the resolution, on flat noise. For any other relation r(t) it is dN/dt ~ dr/dt.

    Parameters
    ----------
    times : FloatArray
        Times as the digits have them [ns].
    straw : Straw
        The chamber, where to start the fit.

    Returns
    -------
    Spectrum or None
        None with fewer than MIN_TIMES times.
    """
    width = straw.inner_radius * straw.drift_ns_per_mm
    near = times[np.abs(times - np.median(times)) < 2.0 * width]
    if len(near) < MIN_TIMES:
        return None
    # an edge is seen only from both sides: where no time is lower (as where negative ones are written as 0), the empty bins count too
    low, high = np.median(times) - 2.0 * width, np.median(times) + 2.0 * width
    counts, edges = np.histogram(near, bins=np.arange(max(low, near.min() - MARGIN), min(high, near.max() + MARGIN) + BIN, BIN))
    centre = 0.5 * (edges[1:] + edges[:-1])
    level = float(np.percentile(counts[counts > 0], 80))
    lit = centre[counts > 0.5 * level]

    def model(p: FloatArray) -> FloatArray:
        rise, fall = (centre - p[0]) / p[5], (centre - p[0] - p[1]) / p[2]
        return np.asarray(p[4] + 0.5 * p[3] * (erf(rise) - erf(fall)))

    def pull(p: FloatArray) -> FloatArray:
        expected = np.clip(model(p), 0.1, None)
        return (counts - expected) / np.sqrt(np.maximum(expected, 1.0))

    smear = np.sqrt(2.0) * straw.sigma * straw.drift_ns_per_mm
    start = np.array([lit[0], max(float(np.ptp(lit)), 0.3 * width), smear, level, 0.1, smear])
    fit = least_squares(pull, start, x_scale=np.abs(start) + 1.0, bounds=([-np.inf, 0.2 * width, 0.5 * BIN, 0.0, 0.0, 0.5 * BIN], np.inf))
    covariance = np.linalg.pinv(fit.jac.T @ fit.jac)
    error = np.sqrt(np.diag(covariance))
    return Spectrum(float(fit.x[0]), float(error[0]), float(fit.x[1]), float(error[1]))


def with_drift(detector: DetectorLike, times: dict[str, FloatArray]) -> Detector:
    """A description whose chambers have the t0 and the drift velocity of their spectra.

    Parameters
    ----------
    detector : Detector, str or Path
        The description.
    times : dict of str to FloatArray
        Chamber -> drift times as the digits have them [ns].

    Returns
    -------
    Detector
        Chambers with too few times are as they were.
    """
    detector = load_detector(detector)
    changed = {}
    for name, column in times.items():
        straw = detector.trackers[name]
        assert isinstance(straw, Straw)
        spectrum = fit_spectrum(column, straw)
        if spectrum is not None:
            changed[name] = straw.model_copy(update={"t0": spectrum.t0, "drift_ns_per_mm": spectrum.width / straw.inner_radius})
    return detector.replaced(changed)


def _distances(aligned: AlignedSpectrometer, samples: list[Sample]) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Chamber -> times since t0 [ns] of its hits and distance [mm] of the track without the hit from the wire."""
    found: dict[str, list[tuple[FloatArray, FloatArray]]] = {}
    for tracks, sample in zip(aligned.tracks, samples, strict=True):
        planes = sample.planes(aligned.detector).planes
        for rows, part in chunks(tracks, sample, aligned.detector):
            for p, plane in enumerate(planes):
                straw = sample.detector.trackers[plane.station]
                if not isinstance(straw, Straw):
                    continue
                with_hit = part.used[:, p]
                hit = tracks.u[rows][with_hit, p]
                wire, _ = straw.nearest_wire(hit, plane.view, plane.layer)
                first = straw.wire_position(plane.view, plane.layer)[0] - straw.centre[plane.view]
                crossing = hit - part.unbiased[with_hit, p]  # the track in the frame of the module
                distance = np.abs(crossing - first - wire * straw.pitch)
                time = tracks.time[rows][with_hit, p]
                found.setdefault(plane.station, []).append((time, distance))
    return {name: (np.concatenate([t for t, _ in parts]), np.concatenate([d for _, d in parts])) for name, parts in found.items()}


def measure_drift(aligned: AlignedSpectrometer, samples: list[Sample]) -> list[DriftRelation]:
    """Drift relation of every straw chamber from tracks that do not use the hit.

    The line is fitted to the mean time in bins of the distance: a track is off by a tenth of a millimetre, which is as
    often to one side as to the other, so that away from wire and wall the mean distance in a bin is right.

    Parameters
    ----------
    aligned : AlignedSpectrometer
        Tracks and positions.
    samples : list of Sample
        Samples that the result was made from.

    Returns
    -------
    list of DriftRelation
        One per chamber with at least MIN_TIMES hits; t0 counts as in the digits.
    """
    relations = []
    for name, (time, distance) in _distances(aligned, samples).items():
        straw = samples[0].detector.trackers[name]
        assert isinstance(straw, Straw)
        if len(time) < MIN_TIMES:
            continue
        edges = np.linspace(NEAR, straw.inner_radius - FAR, N_POINTS + 1)
        where = np.digitize(distance, edges) - 1
        points = [(distance[where == b], time[where == b]) for b in range(N_POINTS)]
        x = np.array([d.mean() for d, _ in points])
        y = np.array([_trimmed_mean(t) for _, t in points])
        error = np.array([t.std() / np.sqrt(len(t)) for _, t in points])
        weight = 1.0 / error**2
        model = np.column_stack([np.ones_like(x), x])
        covariance = np.linalg.inv(model.T @ (weight[:, None] * model))
        t0, drift = covariance @ (model.T @ (weight * y))
        chi2 = float(np.sum(weight * (y - model @ np.array([t0, drift])) ** 2))
        relations.append(
            DriftRelation(
                name=name,
                t0=rounded(t0 + straw.t0),
                t0_error=rounded(np.sqrt(covariance[0, 0])),
                drift_ns_per_mm=rounded(drift),
                drift_error=rounded(np.sqrt(covariance[1, 1])),
                chi2=rounded(chi2),
                ndf=N_POINTS - 2,
                time=tuple(rounded(v + straw.t0) for v in y),
                distance=tuple(rounded(v) for v in x),
                distance_error=tuple(rounded(v) for v in error / drift),
                doubt=_doubt(name, chi2, N_POINTS - 2, float(t0)),
            )
        )
    return relations


def _doubt(name: str, chi2: float, ndf: int, shift: float) -> str:
    """What is wrong with a drift relation, and what to do; empty if nothing is."""
    if abs(shift) > LARGEST_SHIFT:
        return (
            f"{name}: tracks find a t0 that is {shift:+.1f} ns from the one of the spectrum of drift times, with which its hits were made: its resolution "
            "and position are not to be trusted; align again from the file that is written, or look at the spectrum"
        )
    if chi2 > LARGEST_CHI2 * ndf:
        return (
            f"{name}: drift times do not grow evenly with the distance (chi2/ndf {chi2:.0f}/{ndf}): t0 and drift velocity are not to be trusted; look at the "
            "points of the relation in the file"
        )
    return ""


def _trimmed_mean(values: FloatArray) -> float:
    """Mean without what lies more than four standard deviations off: noise that was taken for a hit."""
    for _ in range(3):
        values = values[np.abs(values - values.mean()) < 4.0 * values.std() + 1e-9]
    return float(values.mean())
