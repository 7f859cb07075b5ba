"""Hits of a spectrometer and counts of stations, from the digits of every kind of readout that the set-up has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.detector.readout import readout_planes
from na64mu.errors import DetectorError
from na64mu.events.batch import RawBatch
from na64mu.events.optional import collection_of
from na64mu.reconstruction.hit_makers import HIT_MAKERS, PlaneHits
from na64mu.tracking.hits import Hits
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import IntArray

__all__ = ("FoundHits", "find_hits", "spectrometer_hits", "station_hits")


@dataclass(frozen=True)
class FoundHits:
    """What was hit in time in the trackers of a batch.

    Attributes
    ----------
    detector : Detector
        The description.
    n_events : int
        Number of events.
    found : dict of str to Any
        Kind of readout -> rows or clusters, as its hit maker finds them.
    """

    detector: Detector
    n_events: int
    found: dict[str, Any]

    @cached_property
    def hits(self) -> dict[str, PlaneHits]:
        """Kind of readout -> hits of its planes."""
        return {kind: HIT_MAKERS[kind].hits(found, self.detector) for kind, found in self.found.items()}


def find_hits(batch: RawBatch, detector: DetectorLike) -> FoundHits:
    """Look at the digits of every kind of tracker that a set-up has.

    Parameters
    ----------
    batch : RawBatch
        Raw events.
    detector : Detector, str or Path
        The description.

    Returns
    -------
    FoundHits
        What is in time and on channels that are read.

    Raises
    ------
    DetectorError
        If the set-up has a kind of tracker without a hit maker.
    """
    detector = load_detector(detector)
    kinds = dict.fromkeys(p.kind for p in readout_planes(detector))
    unknown = [kind for kind in kinds if kind not in HIT_MAKERS]
    if unknown:
        msg = (
            f"detector {detector.tag!r} has trackers of the kind {unknown[0]!r}, which has no hit maker: known are {', '.join(HIT_MAKERS)}"
        )
        raise DetectorError(msg)
    return FoundHits(detector, len(batch), {kind: HIT_MAKERS[kind].find(collection_of(batch, kind), detector) for kind in kinds})


@kernel
def _count(hits, place, starts):  # type: ignore[no-untyped-def] # kernel
    """Add the hits of every event and plane to starts[event * n_planes + plane + 1]."""
    n_planes = (len(starts) - 1) // (len(hits.offsets) - 1)
    for event in range(len(hits.offsets) - 1):
        for i in range(hits.offsets[event], hits.offsets[event + 1]):
            if place[hits.plane[i]] >= 0:
                starts[event * n_planes + place[hits.plane[i]] + 1] += 1


@kernel
def _insert(hits, place, starts, ends, u, sigma, source):  # type: ignore[no-untyped-def] # kernel
    """Write hits behind those that their event and plane have already, in order of the coordinate."""
    n_planes = (len(starts) - 1) // (len(hits.offsets) - 1)
    for event in range(len(hits.offsets) - 1):
        for i in range(hits.offsets[event], hits.offsets[event + 1]):
            p = place[hits.plane[i]]
            if p < 0:
                continue
            begin = starts[event * n_planes + p]
            at = ends[event * n_planes + p]
            ends[event * n_planes + p] += 1
            while at > begin and u[at - 1] > hits.u[i]:
                u[at], sigma[at], source[at] = u[at - 1], sigma[at - 1], source[at - 1]
                at -= 1
            u[at], sigma[at], source[at] = hits.u[i], hits.sigma[i], hits.source[i]


def spectrometer_hits(found: FoundHits, spectrometer: Spectrometer) -> Hits:
    """All in-time hits of one spectrometer.

    Parameters
    ----------
    found : FoundHits
        From `find_hits`.
    spectrometer : Spectrometer
        MS1 or MS2 of the same description.

    Returns
    -------
    Hits
        Sorted by event and plane, in a plane by coordinate: the order of the rows in the file does not matter.
    """
    numbers = {plane.name: i for i, plane in enumerate(spectrometer.planes)}
    planes = readout_planes(found.detector)
    place = np.array([numbers.get(plane.name, -1) for plane in planes], dtype=np.int64)
    mine = [found.hits[kind] for kind in dict.fromkeys(p.kind for i, p in enumerate(planes) if place[i] >= 0)]
    starts = np.zeros(found.n_events * len(numbers) + 1, dtype=np.int64)
    if found.n_events:
        for hits in mine:
            _count(hits, place, starts)
    np.cumsum(starts, out=starts)
    ends = starts[:-1].copy()
    u, sigma = np.empty((2, starts[-1]))
    source = np.empty(starts[-1], dtype=np.int64)
    if found.n_events:
        for hits in mine:
            _insert(hits, place, starts, ends, u, sigma, source)
    return Hits(starts, u, sigma, source)


def station_hits(found: FoundHits) -> dict[str, IntArray]:
    """In-time hits of every tracker station: the larger of its two views.

    Parameters
    ----------
    found : FoundHits
        From `find_hits`.

    Returns
    -------
    dict[str, IntArray]
        Station ("mm5", "st1" ...) -> hits, shape (n_events,).
    """
    counts: dict[str, IntArray] = {}
    for kind, own in found.found.items():
        counts |= HIT_MAKERS[kind].count(own, found.detector)
    return counts
