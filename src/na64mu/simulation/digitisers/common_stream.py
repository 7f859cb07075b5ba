"""Digits of BMS, Micromegas, GEM and straws, event by event: every crossing of every particle, then noise. Lengths mm, times ns.

The four draw from one stream of random numbers for each event, in the order of the crossings, so that a seed makes the sample that it
made before there were further kinds of readout, each of which has a stream of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import general_kernel, inner_kernel
from na64mu.compiled.records import new_record, record_kind
from na64mu.compiled.reference import by_reference
from na64mu.detector import Detector
from na64mu.detector.readout import sheets
from na64mu.simulation.digitisers.digitiser import Crossings, Digitiser, to_module, turns
from na64mu.simulation.digitisers.slabs import ROW as SLAB
from na64mu.simulation.digitisers.slabs import Slabs, build_slabs, noise_slabs, read_slab
from na64mu.simulation.digitisers.strips import ROW as STRIP
from na64mu.simulation.digitisers.strips import Strips, StripViews, build_strips, empty_strips, read_strips, sample_pulse, share_charge
from na64mu.simulation.digitisers.wires import ROW as WIRE
from na64mu.simulation.digitisers.wires import Wires, build_wires, noise_wires, read_wires
from na64mu.simulation.parameter_rows import room
from na64mu.simulation.stream import Stream
from na64mu.simulation.truth import HIT, PileUp
from na64mu.typing import AnyArray, FloatArray, IntArray, Record, RecordArray

__all__ = ("COMMON_STREAM", "Modules", "build_modules")

ROWS_PER_EVENT = 64  # space at the start (twice as much for strips); it grows

KINDS = ("bms", "mm", "gem", "straw")

#: What reads a sheet.
SLABS, STRIPS, WIRES, OTHERS = range(4)
READ_BY = {"bms": SLABS, "mm": STRIPS, "gem": STRIPS, "straw": WIRES}


#: Rows of every collection, so far or before an event.
COUNTS = record_kind("bms mm gem straw", "i8")


class _Rows(NamedTuple):
    """Rows of every collection; those behind COUNTS are free."""

    bms: RecordArray
    mm: RecordArray
    gem: RecordArray
    straw: RecordArray


class Modules(NamedTuple):
    """Modules of the four kinds.

    Attributes
    ----------
    read_by, first : IntArray
        What reads every sheet (SLABS, STRIPS, WIRES; OTHERS if it belongs to another digitiser), and the number of its first station or view there.
    turn : RecordArray
        How the module of every sheet is turned, see digitiser.turns.
    slabs, strips, wires
        The stations and the views.
    """

    read_by: IntArray
    first: IntArray
    turn: RecordArray
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
    hits: RecordArray,
    first: int,
    last: int,
    time: float,
    local: Record,
    samples: FloatArray,
    strips: Strips,
    bms: RecordArray,
    straws: RecordArray,
    n: Record,
    rng: Stream,
) -> None:
    """Trackers for one beam particle; hits first to last - 1 are those of it and of its secondaries."""
    sample_pulse(time, samples)
    for h in range(first, last):
        sheet = hits[h].surface
        if sheet >= len(m.read_by) or m.read_by[sheet] == OTHERS:
            continue
        to_module(m.turn, hits[h], local)
        k, reader = m.first[sheet], m.read_by[sheet]
        if reader == SLABS:
            n.bms = read_slab(m.slabs, k, local.x, local.y, time, bms, n.bms, rng)
        elif reader == STRIPS:
            share_charge(m.strips, k, local.x, local.y, samples, strips, rng)
            share_charge(m.strips, k + 1, local.y, local.x, samples, strips, rng)
        elif k % 2 == 0:  # it measures x
            n.straw = read_wires(m.wires, k, local.x, local.tx, local.y, local.ty, time, straws, n.straw, rng)
        else:
            n.straw = read_wires(m.wires, k, local.y, local.ty, local.x, local.tx, time, straws, n.straw, rng)


@inner_kernel
def _noise(m: Modules, bms: RecordArray, straws: RecordArray, n: Record, rng: Stream) -> None:
    """Noise of the trackers without strips."""
    for i in range(len(m.slabs.station)):
        n.bms = noise_slabs(m.slabs, i, bms, n.bms, rng)
    for k in range(len(m.wires.table)):
        n.straw = noise_wires(m.wires, k, straws, n.straw, rng)


@general_kernel
def _tracker_rows(
    modules: Modules,
    strips: Strips,
    hits: RecordArray,
    hit_offsets: IntArray,
    more: PileUp,
    rows: _Rows,
    n: Record,
    offsets: RecordArray,
    local: Record,
    key: np.uint64,
    rng: Stream,
) -> _Rows:
    """Rows of the four collections; offsets receive the counts before every event, and `local` is scratch of the kind truth.HIT."""
    m, samples, others = by_reference(modules), np.empty(3), more.truth
    bms, mm, gem, straws = rows.bms, rows.mm, rows.gem, rows.straw
    for e in range(len(hit_offsets) - 1):
        bms, mm, gem, straws = room(bms, n.bms), room(mm, n.mm), room(gem, n.gem), room(straws, n.straw)
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
                n.mm = read_strips(m.strips, k, strips, samples, mm, n.mm, rng)
            else:
                n.gem = read_strips(m.strips, k, strips, samples, gem, n.gem, rng)
        offsets[e + 1] = n
    return _Rows(bms[: n.bms], mm[: n.mm], gem[: n.gem], straws[: n.straw])


def _rows(modules: Modules, crossings: Crossings, key: np.uint64, stream: Stream) -> dict[str, tuple[IntArray, AnyArray]]:
    n_events = len(crossings.offsets) - 1
    most, offsets = ROWS_PER_EVENT * n_events, np.zeros(n_events + 1, COUNTS)
    rows = _Rows(np.empty(most, SLAB), np.empty(2 * most, STRIP), np.empty(2 * most, STRIP), np.empty(most, WIRE))
    strips = empty_strips(modules.strips)
    found = _tracker_rows(modules, strips, *crossings, rows, new_record(COUNTS), offsets, new_record(HIT), key, stream)
    return {kind: (offsets[kind], getattr(found, kind)) for kind in KINDS}


COMMON_STREAM = Digitiser(KINDS, build_modules, _rows)
