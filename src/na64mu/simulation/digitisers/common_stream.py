"""Digits of BMS, Micromegas, GEM and straws, event by event: every crossing of every particle, then noise. Lengths mm, times ns.

The four draw from one stream of random numbers for each event, in the order of the crossings, so that a seed makes the sample that it
made before there were further kinds of readout, each of which has a stream of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import general_kernel, inner_kernel
from na64mu.compiled.reference import by_reference
from na64mu.detector import Detector
from na64mu.detector.readout import sheets
from na64mu.simulation.digitisers.digitiser import Crossings, Digitiser, register_digitiser, to_module, turns
from na64mu.simulation.digitisers.slabs import Slabs, build_slabs, noise_slabs, read_slab
from na64mu.simulation.digitisers.strips import Strips, StripViews, build_strips, empty_strips, read_strips, sample_pulse, share_charge
from na64mu.simulation.digitisers.wires import Wires, build_wires, noise_wires, read_wires
from na64mu.simulation.parameter_rows import room
from na64mu.simulation.stream import Stream
from na64mu.simulation.truth import PileUp
from na64mu.typing import AnyArray, Float32Array, FloatArray, IntArray

__all__ = ("COMMON_STREAM", "Modules", "build_modules")

ROWS_PER_EVENT = 64  # space at the start (twice as much for strips); it grows

KINDS = ("bms", "mm", "gem", "straw")

#: What reads a sheet.
SLABS, STRIPS, WIRES, OTHERS = range(4)
READ_BY = {"bms": SLABS, "mm": STRIPS, "gem": STRIPS, "straw": WIRES}


class Modules(NamedTuple):
    """Modules of the four kinds.

    Attributes
    ----------
    read_by, first : IntArray
        What reads every sheet (SLABS, STRIPS, WIRES; OTHERS if it belongs to another digitiser), and the number of its first station or view there.
    turn : AnyArray
        How the module of every sheet is turned, see digitiser.turns.
    slabs, strips, wires
        The stations and the views.
    """

    read_by: IntArray
    first: IntArray
    turn: AnyArray
    slabs: Slabs
    strips: StripViews
    wires: Wires


def build_modules(detector: Detector) -> Modules:
    """The modules of a set-up under its conditions."""
    read_by, first, n = [], [], dict.fromkeys((SLABS, STRIPS, WIRES, OTHERS), 0)
    for sheet in sheets(detector):
        reader = READ_BY.get(sheet.kind, OTHERS)
        read_by.append(reader)
        first.append(n[reader])
        n[reader] += 2 if reader == STRIPS else 1
    numbers = np.array([read_by, first], dtype=np.int64).reshape(2, -1)
    return Modules(numbers[0], numbers[1], turns(detector), build_slabs(detector), build_strips(detector), build_wires(detector))


@inner_kernel
def _digitise_particle(
    m: Modules,
    hits: FloatArray,
    first: int,
    last: int,
    time: float,
    local: FloatArray,
    samples: FloatArray,
    strips: Strips,
    bms: Float32Array,
    straws: Float32Array,
    n: IntArray,
    rng: Stream,
) -> None:
    """Trackers for one beam particle; hits first to last - 1 are rows (sheet, x, y, tx, ty) of it and of its secondaries."""
    sample_pulse(time, samples)
    for h in range(first, last):
        sheet = int(hits[h, 0])
        if sheet >= len(m.read_by) or m.read_by[sheet] == OTHERS:
            continue
        to_module(m.turn, hits[h], local)
        k, reader = m.first[sheet], m.read_by[sheet]
        if reader == SLABS:
            n[0] = read_slab(m.slabs, k, local[1], local[2], time, bms, n[0], rng)
        elif reader == STRIPS:
            share_charge(m.strips, k, local[1], local[2], samples, strips, rng)
            share_charge(m.strips, k + 1, local[2], local[1], samples, strips, rng)
        else:
            v = k % 2
            n[3] = read_wires(m.wires, k, local[1 + v], local[3 + v], local[2 - v], local[4 - v], time, straws, n[3], rng)


@inner_kernel
def _noise(m: Modules, bms: Float32Array, straws: Float32Array, n: IntArray, rng: Stream) -> None:
    """Noise of the trackers without strips."""
    for i in range(len(m.slabs.station)):
        n[0] = noise_slabs(m.slabs, i, bms, n[0], rng)
    for k in range(len(m.wires.table)):
        n[3] = noise_wires(m.wires, k, straws, n[3], rng)


@general_kernel
def _tracker_rows(
    modules: Modules,
    strips: Strips,
    hits: FloatArray,
    hit_offsets: IntArray,
    more: PileUp,
    key: np.uint64,
    rng: Stream,
) -> tuple[IntArray, Float32Array, Float32Array, Float32Array, Float32Array]:
    """Offsets, shape (4, n_events + 1), and rows of the four collections."""
    m = by_reference(modules)
    local, samples = np.empty(hits.shape[1]), np.empty(3)
    n_events = len(hit_offsets) - 1
    offsets, n = np.zeros((4, n_events + 1), dtype=np.int64), np.zeros(4, dtype=np.int64)
    most = ROWS_PER_EVENT * n_events
    bms, straws = np.empty((most, 3), np.float32), np.empty((most, 5), np.float32)
    mm, gem = np.empty((2 * most, 6), np.float32), np.empty((2 * most, 6), np.float32)
    others = more.truth
    for e in range(n_events):
        bms, mm, gem, straws = room(bms, n[0]), room(mm, n[1]), room(gem, n[2]), room(straws, n[3])
        rng.restart(key, np.uint64(e))
        first, last = hit_offsets[e], hit_offsets[e + 1]
        _digitise_particle(m, hits, first, last, 0.0, local, samples, strips, bms, straws, n, rng)
        for k in range(more.offsets[e], more.offsets[e + 1]):
            first, last = others.hit_offsets[k], others.hit_offsets[k + 1]
            _digitise_particle(m, others.hits, first, last, more.times[k], local, samples, strips, bms, straws, n, rng)
        _noise(m, bms, straws, n, rng)
        sample_pulse(0.0, samples)
        for k in range(len(m.strips.table)):
            if m.strips.table[k].collection == 0:
                n[1] = read_strips(m.strips, k, strips, samples, mm, n[1], rng)
            else:
                n[2] = read_strips(m.strips, k, strips, samples, gem, n[2], rng)
        offsets[:, e + 1] = n
    return offsets, bms[: n[0]], mm[: n[1]], gem[: n[2]], straws[: n[3]]


def _rows(modules: Modules, crossings: Crossings, key: np.uint64, stream: Stream) -> dict[str, tuple[IntArray, AnyArray]]:
    found = _tracker_rows(modules, empty_strips(modules.strips), *crossings, key, stream)
    return {kind: (found[0][i], found[1 + i]) for i, kind in enumerate(KINDS)}


COMMON_STREAM = register_digitiser(Digitiser(KINDS, build_modules, _rows))
