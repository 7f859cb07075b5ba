"""Pixels of silicon planes: a charge shared over columns and rows, with noise and a threshold, at a time. Lengths mm, times ns, charges ADC."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import general_kernel, inner_kernel
from na64mu.compiled.records import new_record, record_kind, records
from na64mu.compiled.reference import by_reference
from na64mu.detector import Detector
from na64mu.detector.elements.pixels import PixelPlane
from na64mu.detector.readout import banks, sheets
from na64mu.simulation.digitisers.digitiser import Crossings, Digitiser, noisy_channels, padded, to_module, turns
from na64mu.simulation.digitisers.strips import moyal
from na64mu.simulation.parameter_rows import room
from na64mu.simulation.stream import Stream
from na64mu.simulation.truth import HIT, PileUp
from na64mu.typing import AnyArray, FloatArray, IntArray, Record, RecordArray

__all__ = ("PIXELS", "Pixels", "build_pixels")

KIND = "pixel"
REACH = 4.0  # charge is shared out this many widths of its cloud to both sides

#: A plane: its number, edges of column and row 0, their distances and numbers, width of the cloud, mode and width of the charge, noise,
#: threshold, resolution in time, efficiency.
PLANE = record_kind("module x y dx dy columns rows cloud mode width noise threshold sigma_t efficiency", columns="i8", rows="i8")

#: A row of the collection.
ROW = record_kind("module col row charge time", "f4")


class Pixels(NamedTuple):
    """The pixel planes of a set-up.

    Attributes
    ----------
    plane : AnyArray
        Records of the kind PLANE, shape (n_planes,).
    of_sheet : IntArray
        Plane of every sheet of the set-up, -1 for those of other kinds, shape (n_sheets,).
    turn : AnyArray
        How the module of every sheet is turned, see digitiser.turns.
    alive : FloatArray
        1 for a pixel that lives, shape (n_planes, most pixels).
    noisy : AnyArray
        Records of the kind Noisy.
    noise_hits : float
        Mean number of noise hits per plane.
    """

    plane: AnyArray
    of_sheet: IntArray
    turn: AnyArray
    alive: FloatArray
    noisy: AnyArray
    noise_hits: float


def build_pixels(detector: Detector) -> Pixels:
    """The pixel planes of a set-up under its conditions."""
    rows: list[tuple[float, ...]] = []
    of_sheet, alive, firing = [], [], []
    for sheet in sheets(detector):
        of_sheet.append(len(rows) if sheet.kind == KIND else -1)
        if sheet.kind != KIND:
            continue
        p, bank = detector.trackers[sheet.station], banks(detector)[sheet.station]
        assert isinstance(p, PixelPlane)
        edges = (p.centre[v] - 0.5 * p.pixels[v] * p.pitch[v] for v in (0, 1))
        noise = p.noise if bank.noise is None else bank.noise
        threshold = p.threshold if bank.threshold is None else bank.threshold
        response = p.cloud, p.charge_mode, p.charge_width, noise, threshold, p.sigma_t, p.efficiency
        alive.append(bank.alive.astype(np.float64))
        firing.append((len(rows), 0, bank.firing))
        rows.append((p.module, *edges, *p.pitch, *p.pixels, *response))
    return Pixels(
        records(rows, PLANE), np.array(of_sheet, dtype=np.int64), turns(detector), padded(alive, 0.0), noisy_channels(firing), detector.medium.noise_hits
    )  # fmt: skip


@inner_kernel
def _part(low: float, pitch: float, at: float, cloud: float) -> float:
    """Part of a Gaussian cloud at a place between low and low + pitch."""
    scale = 1.0 / (cloud * math.sqrt(2.0))
    return 0.5 * (math.erfc((low - at) * scale) - math.erfc((low + pitch - at) * scale))


@inner_kernel
def _write(p: Pixels, k: int, column: int, row: int, charge: float, time: float, rows: RecordArray, n: int) -> int:
    plane = p.plane[k]
    if charge < plane.threshold or p.alive[k, column * plane.rows + row] == 0.0:
        return n
    out = rows[n]
    out.module, out.col, out.row, out.charge, out.time = plane.module, column, row, charge, time
    return n + 1


@inner_kernel
def _share(p: Pixels, k: int, x: float, y: float, time: float, rows: RecordArray, n: int, rng: Stream) -> int:
    """The pixels of plane k that a particle at (x, y) fires, as records of the kind ROW; returns the number of rows."""
    plane = p.plane[k]
    u, v = (x - plane.x) / plane.dx, (y - plane.y) / plane.dy
    if u < 0.0 or v < 0.0 or u >= plane.columns or v >= plane.rows or rng.random() >= plane.efficiency:
        return n
    charge = max(0.2 * plane.mode, moyal(plane.mode, plane.width, rng))
    at = time + plane.sigma_t * rng.standard_normal()
    reach_u, reach_v = REACH * plane.cloud / plane.dx, REACH * plane.cloud / plane.dy
    for column in range(max(0, math.floor(u - reach_u)), min(plane.columns - 1, math.floor(u + reach_u)) + 1):
        in_column = charge * _part(plane.x + column * plane.dx, plane.dx, x, plane.cloud)
        for row in range(max(0, math.floor(v - reach_v)), min(plane.rows - 1, math.floor(v + reach_v)) + 1):
            own = in_column * _part(plane.y + row * plane.dy, plane.dy, y, plane.cloud)
            n = _write(p, k, column, row, own + plane.noise * rng.standard_normal(), at, rows, n)
    return n


@inner_kernel
def _noise(p: Pixels, rows: RecordArray, n: int, rng: Stream) -> int:
    """Noise of all planes: anywhere, and in their noisy pixels; returns the number of rows."""
    for k in range(len(p.plane)):
        plane = p.plane[k]
        for _ in range(rng.poisson(p.noise_hits)):
            column, row = int(rng.random() * plane.columns), int(rng.random() * plane.rows)
            charge = plane.threshold + 3.0 * plane.noise * rng.standard_exponential()
            n = _write(p, k, column, row, charge, plane.sigma_t * rng.standard_normal(), rows, n)
    for j in range(len(p.noisy)):
        noisy = p.noisy[j]
        plane = p.plane[noisy.plane]
        for _ in range(rng.poisson(noisy.rate)):
            charge = plane.threshold + 3.0 * plane.noise * rng.standard_exponential()
            column, row = noisy.channel // plane.rows, noisy.channel % plane.rows
            n = _write(p, noisy.plane, column, row, charge, plane.sigma_t * rng.standard_normal(), rows, n)
    return n


@inner_kernel
def _particle(
    p: Pixels, hits: RecordArray, first: int, last: int, time: float, local: Record, rows: RecordArray, n: int, rng: Stream
) -> int:
    for h in range(first, last):
        sheet = hits[h].surface
        if sheet < len(p.of_sheet) and p.of_sheet[sheet] >= 0:
            to_module(p.turn, hits[h], local)
            n = _share(p, p.of_sheet[sheet], local.x, local.y, time, rows, n, rng)
    return n


@general_kernel
def _pixel_rows(
    pixels: Pixels, hits: RecordArray, hit_offsets: IntArray, more: PileUp, local: Record, rows: RecordArray, key: np.uint64, rng: Stream
) -> tuple[IntArray, RecordArray]:
    p = by_reference(pixels)
    n_events, n = len(hit_offsets) - 1, 0
    offsets = np.zeros(n_events + 1, dtype=np.int64)
    others = more.truth
    for e in range(n_events):
        rows = room(rows, n)
        rng.restart(key, np.uint64(e))
        n = _particle(p, hits, hit_offsets[e], hit_offsets[e + 1], 0.0, local, rows, n, rng)
        for k in range(more.offsets[e], more.offsets[e + 1]):
            n = _particle(p, others.hits, others.hit_offsets[k], others.hit_offsets[k + 1], more.times[k], local, rows, n, rng)
        n = _noise(p, rows, n, rng)
        offsets[e + 1] = n
    return offsets, rows[:n]


def _rows(pixels: Pixels, crossings: Crossings, key: np.uint64, stream: Stream) -> dict[str, tuple[IntArray, AnyArray]]:
    rows = np.empty(16 * (len(crossings.offsets) - 1), ROW)
    return {KIND: _pixel_rows(pixels, *crossings, new_record(HIT), rows, key, stream)}


PIXELS = Digitiser((KIND,), build_pixels, _rows)
