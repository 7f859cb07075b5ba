"""What every kind of readout gives the simulation: how crossings of particles become digits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.detector import Detector
from na64mu.detector.readout import sheets
from na64mu.simulation.stream import Stream
from na64mu.simulation.truth import PileUp
from na64mu.typing import AnyArray, FloatArray, IntArray

__all__ = (
    "DIGITISERS",
    "Crossings",
    "Digitiser",
    "Noisy",
    "Turn",
    "noisy_channels",
    "padded",
    "records",
    "register_digitiser",
    "to_module",
    "turns",
)


class Crossings(NamedTuple):
    """Where charged particles cross the sheets of the trackers.

    Attributes
    ----------
    hits : FloatArray
        Rows (sheet, x, y, tx, ty) of the particles of the triggers, shape (n_hits, 5); the number of a counter or the VETO is larger
        than that of every sheet.
    offsets : IntArray
        First crossing of every event, shape (n_events + 1,).
    more : PileUp
        Particles piled up on the events, each with its time.
    """

    hits: FloatArray
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
        (prepared, crossings, key, stream) -> collection -> (offsets, rows): first row of every event, shape (n_events + 1,), and rows with
        the fields of the collection in order. The stream is restarted with the key for every event.
    """

    kinds: tuple[str, ...]
    prepare: Callable[[Detector], Any]
    rows: Callable[[Any, Crossings, np.uint64, Stream], dict[str, tuple[IntArray, AnyArray]]]


#: Kind of readout -> its digitiser.
DIGITISERS: dict[str, Digitiser] = {}


def register_digitiser(digitiser: Digitiser) -> Digitiser:
    """Make a digitiser known to the simulation, for every kind of readout that it fills.

    Parameters
    ----------
    digitiser : Digitiser
        How crossings become digits.

    Returns
    -------
    Digitiser
        The same.
    """
    DIGITISERS.update(dict.fromkeys(digitiser.kinds, digitiser))
    return digitiser


#: A module turned about its centre: centre [mm], cosine and sine of its rotation.
Turn = np.dtype([("x", "f8"), ("y", "f8"), ("c", "f8"), ("s", "f8")])

#: A channel that is noisy and not dead: number of its plane in the table of its kind, its layer, and its mean number of noise hits per event.
Noisy = np.dtype([("plane", "i8"), ("layer", "i8"), ("channel", "i8"), ("rate", "f8")])


def records(rows: list[tuple[Any, ...]], kind: np.dtype) -> AnyArray:
    """Rows as an array whose fields have names, in kernels too; shape (n_rows,)."""
    return np.array(rows, dtype=kind).view(np.recarray)


def padded(lists: Sequence[AnyArray], fill: float = -1) -> AnyArray:
    """Lists of different lengths as one table, filled up behind their ends."""
    table = np.full((len(lists), max((len(row) for row in lists), default=0)), fill, dtype=lists[0].dtype if lists else np.int64)
    for i, row in enumerate(lists):
        table[i, : len(row)] = row
    return table


def noisy_channels(firing: list[tuple[int, int, list[tuple[int, float]]]]) -> AnyArray:
    """Noisy channels of (plane, layer, `Bank.firing`) as records."""
    return records([(plane, layer, channel, rate) for plane, layer, own in firing for channel, rate in own], Noisy)


def turns(detector: Detector) -> AnyArray:
    """How the module of every sheet is turned, as records of the kind Turn; shape (n_sheets,)."""
    return records([(*s.centre, math.cos(s.rotation), math.sin(s.rotation)) for s in sheets(detector)], Turn)


@kernel
def to_module(turn: AnyArray, hit: FloatArray, local: FloatArray) -> None:
    """A crossing (sheet, x, y, tx, ty) as its module sees it, which may be turned about its centre.

    Parameters
    ----------
    turn : AnyArray
        How the module of every sheet is turned, see `turns`.
    hit : FloatArray
        The crossing, shape (5,).
    local : FloatArray
        Receives it in the frame of the module, shape (5,).
    """
    for i in range(len(hit)):
        local[i] = hit[i]
    t = turn[int(hit[0])]
    if t.s == 0.0:
        return
    local[1] = t.x + t.c * (hit[1] - t.x) + t.s * (hit[2] - t.y)
    local[2] = t.y - t.s * (hit[1] - t.x) + t.c * (hit[2] - t.y)
    local[3] = t.c * hit[3] + t.s * hit[4]
    local[4] = -t.s * hit[3] + t.c * hit[4]
