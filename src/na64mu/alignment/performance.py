"""Resolution, efficiency and noise of every measuring plane, from tracks that do not use it.

Lengths mm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from na64mu.alignment.align import AlignedSpectrometer, chunks
from na64mu.alignment.residuals import TrackHits
from na64mu.alignment.sample import Sample, rounded
from na64mu.detector import Detector
from na64mu.detector.alignment import PlanePerformance
from na64mu.statistics.binomial import clopper_pearson
from na64mu.typing import FloatArray, IntArray

__all__ = ("measure_planes", "resolutions")

WINDOW = 5.0  # a hit belongs to a track within this many standard deviations
EDGE = 3.0  # a track counts for a plane if it passes it this many of its standard deviations inside the edge
ROUNDS = 4  # of the resolutions: each changes the weights of the others
MIN_OTHERS = 0.55  # fraction of the planes of a view that must have hits besides the one that is probed
NO_HIT = 20.0  # standard deviation of a measurement that has no weight beside a hit [mm]


def resolutions(aligned: AlignedSpectrometer, samples: list[Sample], n_tracks: int = 10_000) -> tuple[FloatArray, FloatArray]:
    """Resolution of every plane: the number that makes its residuals as wide as they are.

    The geometric mean of biased and unbiased residual, both over their expected widths, is the pull; a resolution times the
    width of its pulls is a better one, and a few rounds of all planes together end at pulls of 1.

    Parameters
    ----------
    aligned : AlignedSpectrometer
        Tracks and positions.
    samples : list of Sample
        Samples that the result was made from.
    n_tracks : int
        Tracks used of each sample.

    Returns
    -------
    sigma, error : FloatArray
        Resolution and its error [mm], shape (n_planes,); as the description has it where there are no hits.

    References
    ----------
    R. K. Carnegie et al., Nucl. Instrum. Meth. A 538 (2005) 372 (geometric mean of the two residuals).
    """
    planes = samples[0].planes(aligned.detector).planes
    nominal = np.array([p.sigma for p in planes])
    factor = np.ones(len(planes))
    n_hits = np.zeros(len(planes))
    share = np.ones(len(planes))
    for _ in range(ROUNDS):
        squares, n_hits, freedom = (np.zeros(len(planes)) for _ in range(3))
        for tracks, sample in zip(aligned.tracks, samples, strict=True):
            part = tracks[slice(0, n_tracks)]
            part = replace(part, sigma=part.sigma * factor)
            for rows, fitted in chunks(part, sample, aligned.detector):
                usual = fitted.used & (np.abs(fitted.pull) < WINDOW)
                squares += np.sum(np.where(usual, fitted.pull, 0.0) ** 2, axis=0)
                freedom += np.sum(np.where(usual, fitted.freedom * part.sigma[rows] ** 2, 0.0), axis=0)
                n_hits += usual.sum(axis=0)
        pull = np.sqrt(np.divide(squares, n_hits, out=np.ones_like(squares), where=n_hits > 0))
        # the part of a residual's variance that is the hit's own: where it is small the pull changes slowly with the resolution
        share = np.clip(np.divide(freedom, n_hits, out=np.ones_like(freedom), where=n_hits > 0), 0.1, 1.0)
        factor *= np.clip(1.0 + (pull - 1.0) / share, 0.5, 2.0)
    return nominal * factor, nominal * factor / np.sqrt(2.0 * np.maximum(n_hits, 1.0)) / share


@dataclass
class _Counts:
    """Probes, hits found for them, and hits away from tracks of every plane, shape (n_planes,); events."""

    probes: IntArray
    found: IntArray
    away: IntArray
    events: int = 0


def _nearest(sample: Sample, events: IntArray, plane: int, crossing: FloatArray) -> FloatArray:
    """Distance of the nearest hit of a plane to every track [mm], infinite without hits."""
    n_planes = len(sample.planes(sample.detector).planes)
    nearest = np.full(len(events), np.inf)
    first, last = sample.hits.offsets[events * n_planes + plane], sample.hits.offsets[events * n_planes + plane + 1]
    for k in range(int((last - first).max(initial=0))):
        hit = sample.local[np.minimum(first + k, len(sample.local) - 1)]
        nearest = np.where(first + k < last, np.minimum(nearest, np.abs(hit - crossing)), nearest)
    return nearest


def _with_all_planes(tracks: TrackHits, sample: Sample, detector: Detector) -> TrackHits:
    """Tracks with a measurement of hardly any weight where they have no hit: so every plane gets a prediction and its error."""
    filled = tracks.u.copy()
    for rows, fitted in chunks(tracks, sample, detector):
        filled[rows] = np.where(fitted.used, tracks.u[rows], fitted.crossing)
    return replace(tracks, u=filled, sigma=np.where(tracks.used, tracks.sigma, NO_HIT), used=np.ones_like(tracks.used))


def _count(tracks: TrackHits, sample: Sample, detector: Detector, counts: _Counts) -> None:
    """Probe every plane with the tracks that would have been found without it."""
    spectrometer = sample.planes(detector)
    views = np.array([p.view for p in spectrometer.planes])
    per_event = np.diff(sample.hits.offsets).reshape(-1, len(views))
    in_view = np.stack([tracks.used[:, views == v].sum(axis=1) for v in (0, 1)], axis=1)
    filled = _with_all_planes(tracks, sample, detector)
    for rows, fitted in chunks(filled, sample, detector):
        variance = np.clip(1.0 / fitted.freedom - filled.sigma[rows] ** 2, 0.0, None)  # of the track without the hit
        crossing = filled.u[rows] - fitted.unbiased
        for p, plane in enumerate(spectrometer.planes):
            others = in_view[rows, plane.view] - tracks.used[rows, p]
            margin = EDGE * np.sqrt(variance[:, p])
            module = detector.trackers[plane.station]
            inside = module.inside(plane.view, plane.layer, crossing[:, p], fitted.across[:, p], margin)
            probe = inside & (others >= MIN_OTHERS * np.count_nonzero(views == plane.view))
            near = _nearest(sample, tracks.event[rows], p, crossing[:, p]) < WINDOW * np.sqrt(variance[:, p] + plane.sigma**2)
            sides = 2 if plane.two_sided else 1  # a wire makes two hits
            counts.probes[p] += np.count_nonzero(probe)
            counts.found[p] += np.count_nonzero(probe & near)
            counts.away[p] += np.sum(per_event[tracks.event[rows], p] // sides - near)
        counts.events += len(fitted.r)


def measure_planes(aligned: AlignedSpectrometer, samples: list[Sample], n_tracks: int = 10_000) -> list[PlanePerformance]:
    """Resolution, efficiency and noise of every plane of a spectrometer.

    Parameters
    ----------
    aligned : AlignedSpectrometer
        Tracks and positions.
    samples : list of Sample
        Samples that the result was made from.
    n_tracks : int
        Tracks used of each sample.

    Returns
    -------
    list of PlanePerformance
        In the order of the beam; planes that no track probes are left out.
    """
    sigma, error = resolutions(aligned, samples, n_tracks)
    planes = samples[0].planes(aligned.detector).planes
    none = np.zeros(len(planes), dtype=np.int64)
    counts = _Counts(none.copy(), none.copy(), none.copy())
    for tracks, sample in zip(aligned.tracks, samples, strict=True):
        _count(tracks[slice(0, n_tracks)], sample, aligned.detector, counts)
    measured = []
    for p, plane in enumerate(planes):
        n, found, away = int(counts.probes[p]), int(counts.found[p]), int(counts.away[p])
        if n == 0:
            continue
        _, low, high = clopper_pearson(found, n)
        measured.append(
            PlanePerformance(
                name=plane.name,
                resolution=rounded(sigma[p]),
                resolution_error=rounded(error[p]),
                efficiency=rounded(found / n),
                efficiency_low=rounded(low),
                efficiency_high=rounded(high),
                n_probes=n,
                noise=rounded(away / counts.events),
                noise_error=rounded(np.sqrt(max(away, 1)) / counts.events),
            )
        )
    return measured
