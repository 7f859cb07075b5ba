"""Slabs of the beam momentum stations: which one fires, and when. Lengths mm, times ns."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.compiled.records import record_kind, records
from na64mu.detector import Detector
from na64mu.detector.elements import BmsStation
from na64mu.detector.readout import banks, modules_of
from na64mu.simulation.digitisers.digitiser import noisy_channels, padded
from na64mu.simulation.stream import Stream
from na64mu.typing import FloatArray, IntArray, Record, RecordArray

__all__ = ("ROW", "Slabs", "build_slabs", "noise_slabs", "read_slab")

#: A station: its number, y of the first row, distance of rows, centre and half size in x, resolution in time, efficiency, channels.
STATION = record_kind("station first pitch x half sigma_t efficiency n", n="i8")

#: A row of the collection.
ROW = record_kind("station channel time", "f4")


class Slabs(NamedTuple):
    """The stations of a set-up.

    Attributes
    ----------
    station : RecordArray
        Records of the kind STATION, shape (n_stations,).
    in_row, first : IntArray
        Slabs of every row and its first channel, shape (n_stations, most rows); -1 slabs beyond the last row.
    alive : FloatArray
        1 for a slab that lives, else 0, shape (n_stations, most channels).
    noisy : RecordArray
        Records of the kind Noisy.
    noise_hits : float
        Mean number of noise hits per station.
    """

    station: RecordArray
    in_row: IntArray
    first: IntArray
    alive: FloatArray
    noisy: RecordArray
    noise_hits: float


def build_slabs(detector: Detector) -> Slabs:
    """The stations of a set-up under its conditions."""
    rows, in_row, alive, firing = [], [], [], []
    for i, b in enumerate(modules_of(detector, "bms")):
        assert isinstance(b, BmsStation)
        bank = banks(detector)[b.name]
        rows.append((b.station, b.row_y[0], b.row_pitch, b.centre[0], b.half[0], b.sigma_t, b.efficiency, bank.size))
        in_row.append(np.array(b.row_slabs, dtype=np.int64))
        alive.append(bank.alive.astype(np.float64))
        firing.append((i, 0, bank.firing))
    first = padded([np.cumsum(n) - n for n in in_row])
    return Slabs(records(rows, STATION), padded(in_row), first, padded(alive, 0.0), noisy_channels(firing), detector.medium.noise_hits)


@kernel
def read_slab(slabs: Slabs, i: int, x: float, y: float, time: float, rows: RecordArray, n: int, rng: Stream) -> int:
    """The slab of station i at (x, y), as a record of the kind ROW; returns the number of rows."""
    s = slabs.station[i]
    row = math.floor((y - s.first) / s.pitch + 0.5)
    if row < 0 or row >= slabs.in_row.shape[1] or slabs.in_row[i, row] < 0 or abs(x - s.x) >= s.half:
        return n
    channel = slabs.first[i, row] + int((x - s.x + s.half) / (2.0 * s.half) * slabs.in_row[i, row])
    if rng.random() >= s.efficiency * slabs.alive[i, channel]:
        return n
    out = rows[n]
    out.station, out.channel, out.time = s.station, channel, time + s.sigma_t * rng.standard_normal()
    return n + 1


@kernel
def _noise_hit(s: Record, channel: int, rows: RecordArray, n: int, rng: Stream) -> int:
    out = rows[n]
    out.station, out.channel, out.time = s.station, channel, s.sigma_t * rng.standard_normal()
    return n + 1


@kernel
def noise_slabs(slabs: Slabs, i: int, rows: RecordArray, n: int, rng: Stream) -> int:
    """Noise of station i: anywhere, and in its noisy slabs; returns the number of rows."""
    s = slabs.station[i]
    for _ in range(rng.poisson(slabs.noise_hits)):
        channel = int(rng.random() * s.n)
        if slabs.alive[i, channel] > 0.0:
            n = _noise_hit(s, channel, rows, n, rng)
    for j in range(len(slabs.noisy)):
        noisy = slabs.noisy[j]
        if noisy.plane == i:
            for _ in range(rng.poisson(noisy.rate)):
                n = _noise_hit(s, noisy.channel, rows, n, rng)
    return n
