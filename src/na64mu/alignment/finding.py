"""Tracks for an alignment: exactly one candidate in each view, with or without field.

The Kalman fit is left out: its code is made for the directions of the planes, which change with every step of an alignment,
and residuals.py fits the tracks anyway.
"""

from __future__ import annotations

import numpy as np

from na64mu.alignment.residuals import TrackHits
from na64mu.alignment.sample import Sample
from na64mu.detector import DetectorLike, load_detector
from na64mu.tracking.finding import find_candidates
from na64mu.tracking.projection import projection, track_model
from na64mu.tracking.views import hits_in_views

__all__ = ("find_tracks",)

MIN_MOMENTUM = 50.0  # GeV/c: softer particles scatter too much to constrain the planes


def find_tracks(sample: Sample, detector: DetectorLike, spread: float) -> TrackHits:
    """Clean tracks: one candidate in each view.

    Parameters
    ----------
    sample : Sample
        The hits.
    detector : Detector, str or Path
        Description with the assumed positions of the modules.
    spread : float
        By how much they may be elsewhere [mm]: opens the windows.

    Returns
    -------
    TrackHits
        Hits of the tracks with the resolutions of the description (no spread), and the start of the fit.
    """
    detector = load_detector(detector)
    spectrometer = sample.planes(detector)
    hits = hits_in_views(sample.hits_of(detector, spread), spectrometer)
    n_planes, first = len(spectrometer.planes), spectrometer.z[:1]
    n_events = (len(hits.offsets) - 1) // n_planes
    state = np.zeros((n_events, 5))
    state[:, 4] = detector.beam.charge / detector.beam.momentum  # remains where there is no field
    good, chosen = np.ones(n_events, dtype=np.bool_), np.full((n_events, n_planes), -1, dtype=np.int64)
    bend = spectrometer.bend_view
    for view in (1, 0) if bend == 1 else (0, 1):  # the bending view first: it measures the momentum
        planes = projection(spectrometer, view)
        candidates = find_candidates(hits, planes, n_planes, np.abs(state[:, 4]))
        good &= candidates.n == 1
        found = np.where(good[:, None], candidates.parameters[:, 0], 0.0)  # other rows are not set
        model = track_model(first, spectrometer, view)[0]
        state[:, view] = found[:, : len(model)] @ model
        state[:, 2 + view] = 1e-3 * found[:, 1]
        if view == bend:
            good &= np.abs(found[:, 2]) < 1.0 / MIN_MOMENTUM
            state[good, 4] = found[good, 2]
        chosen[:, planes.planes] = np.where(good[:, None], candidates.hits[:, 0], -1)
    event = np.flatnonzero(good)
    chosen = chosen[event]
    used, safe = chosen >= 0, np.clip(chosen, 0, None)
    u, sigma = np.where(used, sample.local[safe], 0.0), np.where(used, sample.hits.sigma[safe], 1.0)
    return TrackHits(u, sigma, used, np.where(used, sample.time[safe], np.nan), state[event], event)
