"""Events without faults: what every reader hands on, and what was taken out of it, counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np

from na64mu.events.batch import RawBatch
from na64mu.events.fault_rules import KINDS, MASKED_SHARE
from na64mu.events.faults import Bounds, Fault, find_faults
from na64mu.typing import BoolArray, IntArray

__all__ = ("EXAMPLES", "Example", "FaultCount", "FaultKey", "Screened", "screened", "sentence_of")

#: Occurrences that are named.
EXAMPLES = 3

#: Rule -> what is said of it.
DONE = {
    "refuse": "refused, which lowers the exposure of the run in proportion",
    "mask": "dropped, as rows of a dead channel are",
    "note": "read as it is",
}

#: Kind of fault and column.
FaultKey = tuple[str, str]


@dataclass(frozen=True, order=True)
class Example:
    """One event with a fault: its entry in the file, its numbers, and the value of the column."""

    entry: int
    run: int
    event: int
    value: str = ""

    def __str__(self) -> str:
        return f"run {self.run} event {self.event}" + (f": {self.value}" if self.value else "")


@dataclass(frozen=True)
class FaultCount:
    """How often one fault occurs; can be added.

    Attributes
    ----------
    rows, events : int
        Occurrences, and events in which they are.
    examples : tuple of Example
        The first events, at most EXAMPLES.
    """

    rows: int
    events: int
    examples: tuple[Example, ...] = ()

    def __add__(self, other: FaultCount) -> FaultCount:
        first = tuple(sorted({*self.examples, *other.examples})[:EXAMPLES])
        return FaultCount(self.rows + other.rows, self.events + other.events, first)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(int(content["rows"]), int(content["events"]), tuple(Example(**e) for e in content["examples"]))


@dataclass(frozen=True)
class Screened:
    """Events that may be processed.

    Attributes
    ----------
    batch : RawBatch
        Events without those refused, and their rows without those dropped.
    whole : RawBatch
        All events, without the rows dropped.
    kept : BoolArray
        Which of the events are not refused, shape (n_events of `whole`,).
    faults : dict of (str, str) to FaultCount
        (Kind, column) -> how often.
    refused : dict of (int, int) to int
        (Run, configuration) -> events refused.
    """

    batch: RawBatch
    whole: RawBatch
    kept: BoolArray
    faults: dict[FaultKey, FaultCount] = field(default_factory=dict)
    refused: dict[tuple[int, int], int] = field(default_factory=dict)


def screened(batch: RawBatch, bounds: Bounds, entries: IntArray) -> Screened:
    """Apply the rules of na64mu.events.fault_rules.

    Parameters
    ----------
    batch : RawBatch
        Raw events of one detector.
    bounds : Bounds
        What its rows can hold.
    entries : IntArray
        Entry of every event in its file, shape (n_events,).

    Returns
    -------
    Screened
        The batch itself if nothing is wrong.
    """
    keep = np.ones(len(batch), np.bool_)
    faults = find_faults(batch, bounds)
    if not faults:
        return Screened(batch, batch, keep)
    rows = _without_masked(batch, faults)
    for fault in faults:
        if KINDS[fault.kind].rule == "refuse":
            keep[fault.events] = False
    collections = dict(batch.collections)
    for name, good in rows.items():
        collections[name] = collections[name].with_rows(good)
        before, after = batch.collections[name].counts, collections[name].counts
        lost = np.flatnonzero((before - after > 1) & (before - after > MASKED_SHARE * before))
        if len(lost):
            faults.append(Fault("masked", name, lost, (before - after)[lost], "", name))
            keep[lost] = False
    counts: dict[FaultKey, FaultCount] = {}
    for fault in faults:
        key, count = (fault.kind, fault.branch), _count(fault, batch, entries)
        counts[key] = counts[key] + count if key in counts else count
    clean = replace(batch, collections=collections)
    return Screened(clean if keep.all() else clean.with_events(keep), clean, keep, counts, _pairs(batch, ~keep))


def _without_masked(batch: RawBatch, faults: list[Fault]) -> dict[str, BoolArray]:
    """Collection -> rows that stay, for those that lose some."""
    rows: dict[str, BoolArray] = {}
    for fault in faults:
        if KINDS[fault.kind].rule == "mask":
            total = int(batch.collections[fault.collection].offsets[-1])
            rows.setdefault(fault.collection, np.ones(total, np.bool_))[fault.rows] = False
    return rows


def _count(fault: Fault, batch: RawBatch, entries: IntArray) -> FaultCount:
    events, first = np.unique(fault.events, return_index=True)
    run, number = batch.scalars["run"], batch.scalars["event"]
    examples = tuple(
        Example(int(entries[e]), int(run[e]), int(number[e]), str(fault.values[at]) if len(fault.values) else "")
        for e, at in zip(events[:EXAMPLES].tolist(), first[:EXAMPLES].tolist(), strict=True)
    )
    return FaultCount(len(fault.events), len(events), examples)


def _pairs(batch: RawBatch, mask: BoolArray) -> dict[tuple[int, int], int]:
    """Events of a mask per (run, configuration)."""
    code = batch.scalars["run"][mask].astype(np.int64) * 256 + batch.scalars["config"][mask]
    pairs, n = np.unique(code, return_counts=True)
    return {(int(pair) // 256, int(pair) % 256): int(count) for pair, count in zip(pairs, n, strict=True)}


def sentence_of(kind: str, column: str, count: FaultCount, done: str = "") -> str:
    """One sentence about a fault: what, how often, the first events, and what is done.

    Parameters
    ----------
    kind, column : str
        Key of the fault.
    count : FaultCount
        How often it occurs.
    done : str
        What is done with it; by default that of its rule.

    Returns
    -------
    str
        Without the name of a file.
    """
    of_kind, one = KINDS[kind], count.events == 1
    events, rows = f"{count.events} event{'' if one else 's'}", f"{count.rows} row{'' if count.rows == 1 else 's'}"
    if kind == "empty":
        text = f"{events} with a trigger of the beam counters {'has' if one else 'have'} no digit in any collection"
    elif kind == "masked":
        text = f"{events} {'loses' if one else 'lose'} more than {MASKED_SHARE:.0%} of the rows of {column} to faults"
    else:
        text = f"{column} {of_kind.what} in {f'{rows} of {events}' if of_kind.rule == 'mask' else events}"
    more = "; ..." if count.events > len(count.examples) else ""
    return f"{text} ({'; '.join(map(str, count.examples))}{more}): {done or DONE[of_kind.rule]}"
