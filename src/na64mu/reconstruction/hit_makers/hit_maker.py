"""What every kind of readout gives the reconstruction: how its digits become hits, and how hits of its stations are counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from na64mu.compiled.kernel import inlined_kernel
from na64mu.detector import Detector
from na64mu.detector.readout import ReadoutPlane, readout_planes
from na64mu.events.batch import Jagged
from na64mu.typing import AnyArray, FloatArray, IntArray

__all__ = ("MODULES", "HitMaker", "PlaneHits", "Windows", "is_in_time", "planes_of", "put", "windows_of")

MODULES = 256  # numbers of modules and stations have 8 bits in the raw tree


class PlaneHits(NamedTuple):
    """Hits of one kind of readout, in time and on channels that are read; in any order within an event.

    Attributes
    ----------
    offsets : IntArray
        Hits of event e: offsets[e] : offsets[e + 1], shape (n_events + 1,).
    plane : IntArray
        Number in `readout_planes(detector)`, shape (n_hits,).
    u, sigma : FloatArray
        Coordinate along the direction of the plane and its standard deviation [mm], shape (n_hits,).
    source : IntArray
        Number of the digit or cluster, see tracking.hits.Hits; shape (n_hits,).
    """

    offsets: IntArray
    plane: IntArray
    u: FloatArray
    sigma: FloatArray
    source: IntArray

    @classmethod
    def empty(cls, n_events: int, most: int) -> PlaneHits:
        """Space for at most so many hits."""
        plane, source = np.empty((2, most), dtype=np.int64)
        u, sigma = np.empty((2, most))
        return cls(np.zeros(n_events + 1, dtype=np.int64), plane, u, sigma, source)

    def first(self, n: int) -> PlaneHits:
        """The first n hits, which are those of all events."""
        return PlaneHits(self.offsets, self.plane[:n], self.u[:n], self.sigma[:n], self.source[:n])


@dataclass(frozen=True)
class HitMaker:
    """A kind of readout.

    Attributes
    ----------
    fields : tuple of str
        Fields of its collection that it reads.
    find : callable
        (collection, detector) -> what is in time and read, of a type of its own: rows, clusters. Time, dead and noisy channels are
        decided here, once, for hits and counts alike.
    hits : callable
        (found, detector) -> PlaneHits.
    count : callable
        (found, detector) -> station -> hits per event, the larger of its views, shape (n_events,).
    """

    fields: tuple[str, ...]
    find: Callable[[Jagged, Detector], Any]
    hits: Callable[[Any, Detector], PlaneHits]
    count: Callable[[Any, Detector], dict[str, IntArray]]


def planes_of(detector: Detector, kind: str) -> list[tuple[int, ReadoutPlane]]:
    """Measuring planes of one kind, with their numbers in `readout_planes(detector)`."""
    return [(i, p) for i, p in enumerate(readout_planes(detector)) if p.kind == kind]


class Windows(NamedTuple):
    """Lowest and highest time in time of every module [ns], NaN where there is none; shape (MODULES,)."""

    low: AnyArray
    high: AnyArray


def windows_of(planes: list[tuple[int, ReadoutPlane]], kind: AnyArray) -> Windows:
    """Lowest and highest time in time of every module, in the type of the times of the raw tree.

    Parameters
    ----------
    planes : list of (int, ReadoutPlane)
        Planes of one kind.
    kind : AnyArray
        An array of that type.

    Returns
    -------
    Windows
        NaN where there is no module, so that nothing is in time there.
    """
    low, high = np.full((2, MODULES), np.nan)
    for _, plane in planes:
        low[plane.number], high[plane.number] = plane.window
    return Windows(low.astype(kind.dtype), high.astype(kind.dtype))


@inlined_kernel
def is_in_time(time: float, windows: Windows, module: int) -> bool:
    """Whether a signal of a module is in time: within its window, the ends excluded; False if there is no such module."""
    return windows.low[module] < time < windows.high[module]


@inlined_kernel
def put(hits, n, plane, u, sigma, source):  # type: ignore[no-untyped-def] # kernel
    """Write hit n; returns the number of hits."""
    hits.plane[n], hits.u[n], hits.sigma[n], hits.source[n] = plane, u, sigma, source
    return n + 1
