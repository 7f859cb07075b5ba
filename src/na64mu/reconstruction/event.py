"""One event in detail: the hits of both spectrometers and the path of their tracks, for displays and for looking closely."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from na64mu.detector import Detector
from na64mu.events.batch import RawBatch
from na64mu.reconstruction.hits import spectrometer_hits
from na64mu.reconstruction.strips import gem_clusters, micromegas_clusters
from na64mu.reconstruction.summary import middle_of_ecal
from na64mu.tracking.hits import Hits
from na64mu.tracking.spectrometer import Spectrometer, spectrometer
from na64mu.tracking.tracks import Tracks, reconstruct_tracks
from na64mu.tracking.transport import cross_box
from na64mu.typing import FloatArray

__all__ = ("EventTracks", "event_tracks", "trajectory")


@dataclass(frozen=True)
class EventTracks:
    """Hits and tracks of one event in one spectrometer.

    Attributes
    ----------
    spectrometer : Spectrometer
        MS1 or MS2.
    hits : Hits
        Its hits.
    tracks : Tracks
        Its tracks (arrays of one event).
    """

    spectrometer: Spectrometer
    hits: Hits
    tracks: Tracks

    def points(self, view: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Hits of one view.

        Parameters
        ----------
        view : int
            0 (x) or 1 (y).

        Returns
        -------
        tuple of FloatArray
            z [mm], coordinate [mm] and 1.0 where the hit is on the best track, else 0.0; each of shape (n_hits,).
        """
        chosen = set(self.tracks.hits[0].tolist())
        rows = [
            (plane.z, self.hits.u[i], float(i in chosen))
            for p, plane in enumerate(self.spectrometer.planes)
            if plane.view == view
            for i in range(self.hits.offsets[p], self.hits.offsets[p + 1])
        ]
        z, u, on_track = np.array(rows).reshape(-1, 3).T
        return z, u, on_track


def trajectory(parameters: FloatArray, ms: Spectrometer, n_box: int = 10) -> FloatArray:
    """Path of a track through a spectrometer.

    Parameters
    ----------
    parameters : FloatArray
        (x, y, tx, ty, q/p) at the first plane [mm, rad, c/GeV], shape (5,).
    ms : Spectrometer
        MS1 or MS2.
    n_box : int
        Points inside every field box.

    Returns
    -------
    FloatArray
        z, x, y [mm], shape (n, 3).
    """
    state, jacobian = np.array(parameters, dtype=np.float64), np.empty((5, 5))
    points = [(ms.z[0], state[0], state[1])]
    for start, end, bx, by, _ in ms.steps():
        edges = np.linspace(start, end, n_box + 1 if bx or by else 2)
        for low, high in pairwise(edges):
            if bx or by:
                cross_box(state, high - low, bx, by, jacobian)
            else:
                state[:2] += (high - low) * state[2:4]
            points.append((high, state[0], state[1]))
    return np.array(points)


def event_tracks(batch: RawBatch, detector: Detector) -> tuple[EventTracks, EventTracks]:
    """Hits and tracks of one event.

    Parameters
    ----------
    batch : RawBatch
        Exactly one event.
    detector : Detector
        The description.

    Returns
    -------
    tuple of EventTracks
        MS1 and MS2.

    Raises
    ------
    ValueError
        If the batch does not hold exactly one event.
    """
    if len(batch) != 1:
        msg = f"event_tracks takes a batch of one event, found {len(batch)}"
        raise ValueError(msg)
    mm, gem = micromegas_clusters(batch.collections["mm"], detector), gem_clusters(batch.collections["gem"], detector)
    ms1, ms2 = spectrometer(detector, 1), spectrometer(detector, 2)
    hits1, hits2 = (spectrometer_hits(batch, mm, gem, detector, ms) for ms in (ms1, ms2))
    tracks1 = reconstruct_tracks(hits1, ms1)
    tracks2 = reconstruct_tracks(hits2, ms2, middle_of_ecal(tracks1, detector))
    return EventTracks(ms1, hits1, tracks1), EventTracks(ms2, hits2, tracks2)
