"""Faults of raw events: numbers and addresses that cannot be what they say. `na64mu check` and every reader look with these functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from na64mu.detector import Detector
from na64mu.events.address_kernels import repeated_rows
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.channel_ranges import ChannelLimits, channel_limits
from na64mu.events.fault_rules import ENERGIES, LEAST_CHARGE
from na64mu.events.schema_v1 import TRIGGER_BITS
from na64mu.typing import AnyArray, IntArray

__all__ = ("Bounds", "Fault", "find_faults")

KNOWN_BITS = sum(1 << bit for bit in TRIGGER_BITS.values())
#: Conditions that the counters of the beam must have met.
OF_A_MUON = sum(1 << TRIGGER_BITS[name] for name in ("calibration", "physics"))
#: A row has at most this multiple of the momentum of the beam, and at least this; MeV and GeV are a factor 1000 apart.
MOST, LEAST = 10.0, -0.5
#: Collections in MeV.
IN_MEV = ("counter", "veto")
#: Collections with one row for each channel, and their samples.
STRIPS = {"mm": ("module", "view", "channel"), "gem": ("module", "view", "strip")}
SAMPLES = ("q0", "q1", "q2")
#: Address of a cell or a photomultiplier; two pulses of one differ in time or energy.
CELLS = {"counter": ("id",), "veto": ("id",), "ecal": ("section", "ix", "iy"), "vhcal": ("ix", "iy"), "hcal": ("module", "ix", "iy")}


@dataclass(frozen=True)
class Bounds:
    """What the rows of a detector can hold; travels to the workers.

    Attributes
    ----------
    channels : mapping of str to ChannelLimits
        Collection of either tier -> its addresses.
    momentum : float
        Momentum of the beam [GeV/c].
    complete : bool
        Whether all collections of the raw tree are there: those that a layout declares absent say nothing about an event.
    modules : int
        HCAL modules; 0 if energies of muons are not to be counted.
    """

    channels: Mapping[str, ChannelLimits] = field(default_factory=dict)
    momentum: float = 0.0
    complete: bool = True
    modules: int = 0

    @classmethod
    def of(cls, detector: Detector, *, complete: bool = True) -> Bounds:
        """Bounds of a detector description."""
        return cls(channel_limits(detector), detector.beam.momentum, complete, len(detector.hcal.front))


@dataclass(frozen=True)
class Fault:
    """One kind of fault in one column.

    Attributes
    ----------
    kind : str
        Key of na64mu.events.fault_rules.KINDS.
    branch : str
        The column.
    events : IntArray
        Event in the batch of every occurrence, ascending, shape (n,).
    values : AnyArray
        What the column holds there, shape (n,); shape (0,) if there is nothing to show.
    message : str
        The first value, and what was expected.
    collection : str
        The collection; empty for a scalar.
    rows : IntArray
        Rows of the collection, shape (n,).
    """

    kind: str
    branch: str
    events: IntArray
    values: AnyArray
    message: str
    collection: str = ""
    rows: IntArray = field(default_factory=lambda: np.empty(0, np.int64))


def find_faults(batch: RawBatch, bounds: Bounds) -> list[Fault]:
    """Look for everything that has a rule in na64mu.events.fault_rules.

    Parameters
    ----------
    batch : RawBatch
        Raw events of one detector; columns may be missing.
    bounds : Bounds
        What its rows can hold.

    Returns
    -------
    list of Fault
        One for every kind and column; empty if everything is fine.
    """
    found = list(_of_scalars(batch.scalars))
    for name, collection in batch.collections.items():
        if int(collection.offsets[-1]):
            found += _of_collection(name, collection, bounds)
    return found + list(_empty(batch, bounds))


def _of_scalars(scalars: Mapping[str, AnyArray]) -> Iterator[Fault]:
    def fault(kind: str, name: str, wrong: AnyArray, message: str) -> Iterator[Fault]:
        if wrong.any():
            events = np.flatnonzero(wrong)
            values = scalars[name][events]
            yield Fault(kind, name, events, values, message.format(values[0]))

    if "config" in scalars:
        config = scalars["config"]
        yield from fault("config", "config", (config != 1) & (config != 2), "is {}, it is 1 or 2")
    if "trigger" in scalars:
        trigger = scalars["trigger"]
        yield from fault("trigger", "trigger", trigger == 0, "is {}, an event without any trigger bit is not written")
        bits = ", ".join(map(str, TRIGGER_BITS.values()))
        unknown = (trigger & np.asarray(~KNOWN_BITS & 0xFFFFFFFF, trigger.dtype)) != 0
        yield from fault("trigger-bits", "trigger", unknown, f"is {{:#b}}, only the bits {bits} have a meaning")
    if "mc_weight" in scalars:
        yield from fault("weight", "mc_weight", ~np.isfinite(scalars["mc_weight"]), "is {}, a weight is a finite number")


def _of_collection(name: str, collection: Jagged, bounds: Bounds) -> Iterator[Fault]:
    base = name.removesuffix("wave")
    part = "energy" if base in ENERGIES else "hit"

    def fault(kind: str, column: str, rows: IntArray, message: str) -> Fault:
        values = collection[column][rows]
        events = np.searchsorted(collection.offsets, rows, side="right") - 1
        return Fault(kind, f"{name}_{column}", events, values, message.format(values[0]), name, rows)

    for column, values in collection.fields.items():
        if values.dtype.kind == "f":
            low, high = values.min(), values.max()  # NaN passes through both
            if not (np.isfinite(low) and np.isfinite(high)):
                yield fault(f"{part}-not-finite", column, np.flatnonzero(~np.isfinite(values)), "is {}")
            if column == "energy" and bounds.momentum > 0.0:
                yield from _energies(fault, name, values, bounds.momentum)
        elif column in SAMPLES and name in STRIPS and values.dtype.kind == "i" and values.min() < LEAST_CHARGE:
            message = f"is {{}}, no sample is below {LEAST_CHARGE}"
            yield fault("charge-range", column, np.flatnonzero(values < LEAST_CHARGE), message)
    limits = bounds.channels.get(name)
    if limits is not None and all(f in collection.fields and collection[f].dtype.kind in "iu" for f in limits.fields):
        # a counter that the description does not have is no energy that is missing
        kind = "hit-address" if part == "hit" or base == "counter" else "energy-address"
        for outside in () if limits.holds(collection.fields) else limits.outside(collection.fields):
            yield fault(kind, outside.field, np.sort(outside.rows), _literal(outside.reason))
    if name in STRIPS and all(f in collection.fields for f in STRIPS[name]):
        yield from _repeated(fault, name, collection)
    if name in CELLS and all(f in collection.fields for f in (*CELLS[name], "time", "energy")):
        yield from _twice(fault, name, collection)


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _energies(fault: Any, name: str, values: AnyArray, momentum: float) -> Iterator[Fault]:
    unit, scale = ("MeV", 1000.0) if name in IN_MEV else ("GeV", 1.0)
    low, high = LEAST * momentum * scale, MOST * momentum * scale
    if not (values.min() >= low and values.max() <= high):  # True for NaN
        rows = np.flatnonzero(np.isfinite(values) & ((values < low) | (values > high)))
        if len(rows):
            yield fault("energy-range", "energy", rows, f"is {{}} {unit}, a beam of {momentum:g} GeV/c leaves {low:g} to {high:g} in a row")


def _repeated(fault: Any, name: str, collection: Jagged) -> Iterator[Fault]:
    module, view, channel = STRIPS[name]
    rows = repeated_rows(collection, module, view, channel)
    if len(rows):
        yield fault("repeated", channel, rows, "is {}, this channel has a row in this event already: one row for each channel is written")


def _twice(fault: Any, name: str, collection: Jagged) -> Iterator[Fault]:
    """Rows that were written twice: their energy would be counted twice, too."""
    again = repeated_rows(collection, *CELLS[name])
    if not len(again):
        return
    event = np.searchsorted(collection.offsets, again, side="right") - 1
    rows = np.flatnonzero(np.isin(collection.event_index, event))
    keys = [
        *(collection[field][rows] for field in CELLS[name]),
        collection["time"][rows],
        collection["energy"][rows],
        collection.event_index[rows],
    ]
    order = np.lexsort((rows, *keys))
    same = np.all([key[order[1:]] == key[order[:-1]] for key in keys], axis=0)
    if same.any():
        yield fault(
            "energy-repeated", "energy", np.sort(rows[order[1:][same]]), "is {} in a row that is there twice, with channel, energy and time"
        )


def _empty(batch: RawBatch, bounds: Bounds) -> Iterator[Fault]:
    """Events whose counters fired, and nothing at all was recorded of them."""
    trigger = batch.scalars.get("trigger")
    if trigger is None or not bounds.complete or not batch.collections:
        return
    one_row = np.zeros(len(trigger), np.bool_)
    for collection in batch.collections.values():
        if int(collection.offsets[-1]) and not one_row.all():
            one_row |= collection.offsets[1:] > collection.offsets[:-1]
    if one_row.all():
        return
    events = np.flatnonzero(~one_row & ((trigger & np.asarray(OF_A_MUON, trigger.dtype)) != 0))
    if len(events):
        message = "have no digit in any collection, although a trigger of the beam counters is set"
        yield Fault("empty", "", events, np.empty(0), message)
