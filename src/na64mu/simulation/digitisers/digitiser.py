"""What every kind of readout gives the simulation: how crossings of particles become digits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.compiled.records import record_kind, records
from na64mu.detector import Detector
from na64mu.detector.readout import sheets
from na64mu.simulation.stream import Stream
from na64mu.simulation.truth import PileUp
from na64mu.typing import AnyArray, IntArray, Record, RecordArray

__all__ = ("Crossings", "Digitiser", "Noisy", "Turn", "noisy_channels", "padded", "to_module", "turns")


class Crossings(NamedTuple):
    """Where charged particles cross the sheets of the trackers.

    Attributes
    ----------
    hits : RecordArray
        Particles of the triggers at sheets, records of the kind truth.HIT, shape (n_hits,); the number of a counter or the VETO is larger
        than that of every sheet.
    offsets : IntArray
        First crossing of every event, shape (n_events + 1,).
    more : PileUp
        Particles piled up on the events, each with its time.
    """

    hits: RecordArray
    offsets: IntArray
    more: PileUp


@dataclass(frozen=True)
class Digitiser:
    """A kind of readout, or several that share their random numbers.

    Attributes
    ----------
    kinds : tuple of str
        Collections that it fills.
    prepare : callable
        Detector -> what its kernels need of a set-up under its conditions.
    rows : callable
        (prepared, crossings, key, stream) -> collection -> (offsets, rows): first row of every event, shape (n_events + 1,), and records
        with the fields of the collection. The stream is restarted with the key for every event.
    """

    kinds: tuple[str, ...]
    prepare: Callable[[Detector], Any]
    rows: Callable[[Any, Crossings, np.uint64, Stream], dict[str, tuple[IntArray, AnyArray]]]


#: A module turned about its centre: centre [mm], cosine and sine of its rotation.
Turn = record_kind("x y c s")

#: A channel that is noisy and not dead: number of its plane in the table of its kind, its layer, and its mean number of noise hits per event.
Noisy = record_kind("plane layer channel rate", "i8", rate="f8")


def padded(lists: Sequence[AnyArray], fill: float = -1) -> AnyArray:
    """Lists of different lengths as one table, filled up behind their ends."""
    table = np.full((len(lists), max((len(row) for row in lists), default=0)), fill, dtype=lists[0].dtype if lists else np.int64)
    for i, row in enumerate(lists):
        table[i, : len(row)] = row
    return table


def noisy_channels(firing: list[tuple[int, int, list[tuple[int, float]]]]) -> RecordArray:
    """Noisy channels of (plane, layer, `Bank.firing`) as records."""
    return records([(plane, layer, channel, rate) for plane, layer, own in firing for channel, rate in own], Noisy)


def turns(detector: Detector) -> RecordArray:
    """How the module of every sheet is turned, as records of the kind Turn; shape (n_sheets,)."""
    return records([(*s.centre, math.cos(s.rotation), math.sin(s.rotation)) for s in sheets(detector)], Turn)


@kernel
def to_module(turn: RecordArray, hit: Record, local: Record) -> None:
    """A crossing as its module sees it, which may be turned about its centre.

    Parameters
    ----------
    turn : RecordArray
        How the module of every sheet is turned, see `turns`.
    hit : Record
        The crossing, of the kind truth.HIT.
    local : Record
        Receives it in the frame of the module.
    """
    local.surface, local.x, local.y, local.tx, local.ty = hit.surface, hit.x, hit.y, hit.tx, hit.ty
    t = turn[hit.surface]
    if t.s == 0.0:
        return
    local.x = t.x + t.c * (hit.x - t.x) + t.s * (hit.y - t.y)
    local.y = t.y - t.s * (hit.x - t.x) + t.c * (hit.y - t.y)
    local.tx = t.c * hit.tx + t.s * hit.ty
    local.ty = -t.s * hit.tx + t.c * hit.ty
