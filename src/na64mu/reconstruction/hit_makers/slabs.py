"""Slabs of the beam momentum stations: a hit is a row of slabs in time; runs of neighbouring rows are counted once."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.detector.elements import BmsStation
from na64mu.detector.readout import modules_of
from na64mu.events.batch import Jagged
from na64mu.reconstruction.bit_sets import add, n_runs, words
from na64mu.reconstruction.hit_makers.hit_maker import HitMaker, PlaneHits, is_in_time, planes_of, put, windows_of
from na64mu.reconstruction.strips import raw_columns
from na64mu.typing import AnyArray, BoolArray, FloatArray, IntArray

__all__ = ("SLABS", "SlabMap", "in_time_slabs", "slab_map")

KIND = "bms"


class SlabMap(NamedTuple):
    """Slabs of all stations, by the number of the station; a tuple: kernels take it.

    Attributes
    ----------
    plane : IntArray
        Plane of every station, -1 where there is none, shape (n_stations,).
    u : FloatArray
        Coordinate of every slab [mm], NaN where it is not read and beyond the last, shape (n_stations, n_channels).
    sigma : FloatArray
        Resolution of a station [mm], shape (n_stations,).
    row : IntArray
        Row of every slab, -1 beyond the last, shape (n_stations, n_channels).
    """

    plane: IntArray
    u: FloatArray
    sigma: FloatArray
    row: IntArray


class _Found(NamedTuple):
    """Rows of the `bms` collection in the types of the raw tree, and those that are in time and read."""

    offsets: IntArray
    station: AnyArray
    channel: AnyArray
    good: BoolArray


@lru_cache(maxsize=8)
def slab_map(detector: Detector) -> SlabMap:
    """Slabs of all stations of a set-up under its conditions."""
    planes = planes_of(detector, KIND)
    n_stations = 1 + max((p.number for _, p in planes), default=-1)
    shape = n_stations, max((len(p.coordinate) for _, p in planes), default=0)
    found = SlabMap(
        np.full(n_stations, -1, dtype=np.int64), np.full(shape, np.nan), np.zeros(n_stations), np.full(shape, -1, dtype=np.int64)
    )
    for i, p in planes:
        found.plane[p.number], found.sigma[p.number] = i, p.sigma
        found.u[p.number, : len(p.coordinate)] = p.read_coordinate + p.offset
    for station in modules_of(detector, KIND):
        assert isinstance(station, BmsStation)
        found.row[station.number, : len(station.channel_row)] = station.channel_row
    return found


@kernel
def _good_slabs(station, channel, time, windows, slabs, good):  # type: ignore[no-untyped-def] # kernel
    for i in range(len(good)):
        s, c = np.int64(station[i]), np.int64(channel[i])
        good[i] = is_in_time(time[i], windows, s) and c < slabs.u.shape[1] and not math.isnan(slabs.u[s, c])


def in_time_slabs(bms: Jagged, detector: DetectorLike) -> BoolArray:
    """Slabs of the beam momentum stations within TIME_WINDOW of their time resolution; noisy ones are not read.

    Parameters
    ----------
    bms : Jagged
        The `bms` collection.
    detector : Detector, str or Path
        The description.

    Returns
    -------
    BoolArray
        Shape (n_rows,).
    """
    detector = load_detector(detector)
    station, channel, time = raw_columns(bms, "station", "channel", "time")
    good = np.empty(len(time), dtype=np.bool_)
    _good_slabs(station, channel, time, windows_of(planes_of(detector, KIND), time), slab_map(detector), good)
    return good


def _find(bms: Jagged, detector: Detector) -> _Found:
    station, channel = raw_columns(bms, "station", "channel")
    return _Found(bms.offsets, station, channel, in_time_slabs(bms, detector))


@kernel
def _slab_hits(found, slabs, hits):  # type: ignore[no-untyped-def] # kernel
    """Slabs of one row measure the same y and count once; returns the number of hits."""
    n = 0
    for event in range(len(found.offsets) - 1):
        begin = n
        for row in range(found.offsets[event], found.offsets[event + 1]):
            if found.good[row]:
                s = np.int64(found.station[row])
                p, u, known = slabs.plane[s], slabs.u[s, np.int64(found.channel[row])], False
                for i in range(begin, n):
                    known |= hits.plane[i] == p and hits.u[i] == u
                if not known:
                    n = put(hits, n, p, u, slabs.sigma[s], row)
        hits.offsets[event + 1] = n
    return n


def _hits(found: _Found, detector: Detector) -> PlaneHits:
    hits = PlaneHits.empty(len(found.offsets) - 1, len(found.good))
    return hits.first(_slab_hits(found, slab_map(detector), hits))


@kernel
def _count_slabs(found, row, bits, counts):  # type: ignore[no-untyped-def] # kernel
    """Runs of neighbouring rows of slabs per station and event; `bits` is scratch of shape (n_stations, n_words)."""
    for e in range(counts.shape[1]):
        bits[:, :] = np.uint64(0)
        for i in range(found.offsets[e], found.offsets[e + 1]):
            if found.good[i]:
                s = np.int64(found.station[i])
                add(bits[s], row[s, np.int64(found.channel[i])])
        for place in range(len(bits)):
            counts[place, e] = n_runs(bits[place])


def _count(found: _Found, detector: Detector) -> dict[str, IntArray]:
    """Runs of neighbouring rows of slabs in time, per station."""
    row = slab_map(detector).row
    counts = np.empty((len(row), len(found.offsets) - 1), dtype=np.int64)
    bits = np.empty((len(row), words(int(row.max(initial=0)) + 1)), dtype=np.uint64)
    _count_slabs(found, row, bits, counts)
    return {module.name: counts[module.number] for module in modules_of(detector, KIND)}


SLABS = HitMaker(("station", "channel", "time"), _find, _hits, _count)
