"""Tracks for an alignment: exactly one candidate in each view, with or without field."""

from __future__ import annotations

import numpy as np

from na64mu.alignment.residuals import TrackHits
from na64mu.alignment.sample import Sample
from na64mu.alignment.trajectory import NO_BEND
from na64mu.detector import Detector
from na64mu.tracking.finding import find_candidates
from na64mu.tracking.hits import Hits
from na64mu.tracking.projection import projection
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.tracking.tracks import reconstruct_tracks
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("find_tracks",)

MIN_MOMENTUM = 50.0  # GeV/c: softer particles scatter more than they tell about the planes


def find_tracks(sample: Sample, detector: Detector, spread: float) -> TrackHits:
    """Clean tracks: one candidate in each view.

    Parameters
    ----------
    sample : Sample
        The hits.
    detector : Detector
        Where the modules are thought to be.
    spread : float
        By how much they may be elsewhere [mm]: opens the windows.

    Returns
    -------
    TrackHits
        Their hits with the resolutions of the description (no spread), and where the fit starts.
    """
    spectrometer, hits = sample.planes(detector), sample.hits_of(detector, spread)
    if sample.field:
        tracks = reconstruct_tracks(hits, spectrometer)
        with np.errstate(invalid="ignore"):
            good = (tracks.n == 1) & tracks.best.good & (np.abs(tracks.best.upstream[:, 4]) < 1.0 / MIN_MOMENTUM)
        chosen, state = tracks.hits, tracks.best.upstream
    else:
        good, chosen, state = _straight(hits, spectrometer, detector)
    event = np.flatnonzero(good)
    chosen = chosen[event]
    used, safe = chosen >= 0, np.clip(chosen, 0, None)
    u = np.where(used, sample.local[safe], 0.0)
    sigma = np.where(used, sample.hits.sigma[safe], 1.0)
    time = np.where(used, sample.time[safe], np.nan)
    return TrackHits(u, sigma, used, time, state[event], event)


def _straight(hits: Hits, spectrometer: Spectrometer, detector: Detector) -> tuple[BoolArray, IntArray, FloatArray]:
    """Straight tracks of the beam momentum: which events have exactly one, its hits and parameters at the first plane."""
    assert spectrometer.bend_view == NO_BEND
    n_planes = len(spectrometer.planes)
    n_events = (len(hits.offsets) - 1) // n_planes
    curvature = detector.beam.charge / detector.beam.momentum
    good, chosen = np.ones(n_events, dtype=np.bool_), np.full((n_events, n_planes), -1, dtype=np.int64)
    state = np.zeros((n_events, 5))
    state[:, 4] = curvature
    for view in (0, 1):
        planes = projection(spectrometer, view)
        candidates = find_candidates(hits, planes, n_planes, np.full(n_events, abs(curvature)))
        good &= candidates.n == 1
        chosen[:, planes.planes] = candidates.hits[:, 0]
        u0, slope = candidates.parameters[:, 0, :2].T
        state[:, view], state[:, 2 + view] = u0 + 1e-3 * slope * spectrometer.z[0], 1e-3 * slope
    return good, chosen, state
