"""One event in detail: hits and tracks of both spectrometers and their match, for displays and for close inspection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.common.table import Shown, Table
from na64mu.detector import DetectorLike, load_detector
from na64mu.errors import ArgumentError
from na64mu.events.batch import RawBatch
from na64mu.reconstruction.hits import find_hits, spectrometer_hits
from na64mu.reconstruction.summary import middle_of_ecal
from na64mu.tracking.fitted import FittedTracks
from na64mu.tracking.hits import Hits
from na64mu.tracking.nystrom import cross_map
from na64mu.tracking.spectrometer import Spectrometer, spectrometer
from na64mu.tracking.tracks import Tracks, reconstruct_tracks
from na64mu.tracking.transport import cross_box
from na64mu.tracking.vertex import Junction, join_fits
from na64mu.typing import FloatArray, IntArray

__all__ = ("EventTracks", "Points", "event_junction", "event_tracks", "trajectory")


class Points(NamedTuple):
    """Hits of one view; every array has shape (n_hits,).

    Attributes
    ----------
    z, u : FloatArray
        Position along z and measured coordinate [mm].
    plane : IntArray
        Index of the plane in the spectrometer.
    track : IntArray
        Number of the track that uses the hit, -1 for none.
    """

    z: FloatArray
    u: FloatArray
    plane: IntArray
    track: IntArray


@dataclass(frozen=True, repr=False)
class EventTracks(Shown):
    """Hits and tracks of one event in one spectrometer.

    Attributes
    ----------
    spectrometer : Spectrometer
        MS1 or MS2.
    hits : Hits
        Hits of the spectrometer.
    n : int
        Number of track candidates.
    fits : FittedTracks
        Fitted tracks of the spectrometer, the best one first.
    chosen : IntArray
        Hit of every plane on every track, -1 for none, shape (n_tracks, n_planes).
    """

    spectrometer: Spectrometer
    hits: Hits
    n: int
    fits: FittedTracks
    chosen: IntArray

    def _table(self) -> Table:
        fits = self.fits._table()
        return replace(
            fits, title=f"{self.n} track candidates of one event on {len(self.hits.u)} hits, {len(self.fits)} fitted; at the first plane"
        )

    def points(self, view: int) -> Points:
        """Hits of one view, 0 (x) or 1 (y), and the tracks that they are on."""
        view = one_of(view, (0, 1), "view")
        plane = np.repeat(np.arange(len(self.spectrometer.planes)), np.diff(self.hits.offsets))
        track = np.full(len(plane), -1)
        for t in reversed(range(len(self.chosen))):  # a hit of several tracks belongs to the best of them
            kept = (self.chosen[t] >= 0) & ~self.fits.removed[t]
            track[self.chosen[t][kept]] = t
        own = np.isin(plane, self.spectrometer.view(view))
        return Points(self.spectrometer.z[plane[own]], self.hits.u[own], plane[own], track[own])


def trajectory(parameters: FloatArray, ms: Spectrometer, n_box: int = 10) -> FloatArray:
    """Path of a track through a spectrometer.

    Parameters
    ----------
    parameters : FloatArray
        (x, y, tx, ty, q/p) at the first plane [mm, rad, c/GeV], shape (5,).
    ms : Spectrometer
        MS1 or MS2.
    n_box : int
        Points inside every leg of a field.

    Returns
    -------
    FloatArray
        z, x, y [mm], shape (n, 3).
    """
    state, jacobian = np.array(parameters, dtype=np.float64), np.empty((5, 5))
    points = [(ms.z[0], state[0], state[1])]
    for start, end, bx, by, _, region in ms.legs():
        inside = bx != 0.0 or by != 0.0 or region >= 0
        for low, high in pairwise(np.linspace(start, end, n_box + 1 if inside else 2)):
            if region >= 0:
                cross_map(state, low, high - low, ms.regions[int(region)], jacobian)
            elif inside:
                cross_box(state, high - low, bx, by, jacobian)
            else:
                state[:2] += (high - low) * state[2:4]
            points.append((high, state[0], state[1]))
    return np.array(points)


def _of_event(ms: Spectrometer, hits: Hits, tracks: Tracks) -> EventTracks:
    found = np.flatnonzero(tracks.all.good)
    return EventTracks(ms, hits, int(tracks.n[0]), tracks.all[found], tracks.all_hits[found])


def event_tracks(batch: RawBatch, detector: DetectorLike) -> tuple[EventTracks, EventTracks]:
    """Hits and tracks of one event.

    Parameters
    ----------
    batch : RawBatch
        Exactly one event.
    detector : Detector, str or Path
        The description.

    Returns
    -------
    tuple of EventTracks
        MS1 and MS2.

    Raises
    ------
    ArgumentError
        If the batch does not hold exactly one event.
    """
    detector = load_detector(detector)
    if len(batch) != 1:
        msg = f"event_tracks takes a batch of one event, found {len(batch)}"
        raise ArgumentError(msg)
    found = find_hits(batch, detector)
    ms1, ms2 = spectrometer(detector, 1), spectrometer(detector, 2)
    hits1, hits2 = (spectrometer_hits(found, ms) for ms in (ms1, ms2))
    tracks1 = reconstruct_tracks(hits1, ms1, scattering=detector.scattering)
    tracks2 = reconstruct_tracks(hits2, ms2, middle_of_ecal(tracks1, detector), detector.scattering)
    return _of_event(ms1, hits1, tracks1), _of_event(ms2, hits2, tracks2)


def event_junction(ms1: EventTracks, ms2: EventTracks, detector: DetectorLike) -> Junction | None:
    """Match the best tracks of both spectrometers in the ECAL.

    Parameters
    ----------
    ms1, ms2 : EventTracks
        Tracks of MS1 and MS2.
    detector : Detector, str or Path
        The description.

    Returns
    -------
    Junction or None
        Arrays of one event; None where a spectrometer has no track.
    """
    detector = load_detector(detector)
    if not (len(ms1.fits) and len(ms2.fits)):
        return None
    return join_fits(ms1.fits[:1], ms2.fits[:1], detector)
