"""Tracks of both spectrometers of many events, with the full fit results: residuals, pulls, covariances."""

from __future__ import annotations

from typing import Any, NamedTuple

from na64mu.detector import DetectorLike, load_detector
from na64mu.events.batch import as_batch
from na64mu.reconstruction.hits import find_hits
from na64mu.reconstruction.summary import find_tracks, middle_of_ecal
from na64mu.tracking.tracks import Tracks

__all__ = ("SpectrometerTracks", "spectrometer_tracks")


class SpectrometerTracks(NamedTuple):
    """Tracks before and behind the target.

    Attributes
    ----------
    ms1, ms2 : Tracks
        One entry per event.
    """

    ms1: Tracks
    ms2: Tracks


def spectrometer_tracks(events: Any, detector: DetectorLike) -> SpectrometerTracks:
    """Find and fit the tracks of MS1 and MS2.

    Parameters
    ----------
    events : RawBatch or ak.Array
        Raw events: a batch, or an awkward (NanoEvents) array with the collections of the raw tree.
    detector : Detector, str or Path
        The description of the set-up they were taken with.

    Returns
    -------
    SpectrometerTracks
        The tracks of MS1 and MS2 as the event summary holds them.
    """
    detector = load_detector(detector)
    found = find_hits(as_batch(events), detector)
    ms1 = find_tracks(found, 1)
    return SpectrometerTracks(ms1, find_tracks(found, 2, middle_of_ecal(ms1, detector)))
