"""Methods of hits and events: awkward behaviours of the raw tree's collections and of the event itself.

Times ns, charges ADC counts, energies GeV (counters and VETO: MeV). Every method works on a whole collection
(shape (n_events, var)) and reads only the columns it names.
"""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

from na64mu.common.arguments import one_of
from na64mu.common.table import Table
from na64mu.errors import InputError
from na64mu.events.coffea_names import NanoCollection, NanoEvents, base_behavior
from na64mu.events.schema_v1 import SAMPLES, TRIGGER_BITS, WAVEFORMS

__all__ = ("RECORD_NAMES", "behavior", "record_name")

behavior: dict[Any, Any] = dict(base_behavior)

#: Collection -> name of the record that carries its behaviour.
RECORD_NAMES = {
    "counter": "CounterHit",
    "veto": "VetoHit",
    "bms": "BmsHit",
    "mm": "MmHit",
    "gem": "GemHit",
    "straw": "StrawHit",
    "ecal": "EcalCell",
    "vhcal": "VhcalCell",
    "hcal": "HcalCell",
    "pixel": "PixelHit",
} | dict.fromkeys(WAVEFORMS, "Waveform")


def record_name(collection: str) -> str:
    """Name of the record of a collection; an optional one without a behaviour of its own is a plain collection."""
    return RECORD_NAMES.get(collection, "NanoCollection")


#: Counter name -> id in the raw tree.
COUNTER_IDS = {"S0": 0, "S1": 1, "V1": 2, "S4": 3, "S_mu": 4}


@ak.mixin_class(behavior)
class TimedHit(NanoCollection):
    """A hit with a time; an in-time hit has time 0 (a straw: its drift time)."""

    def in_time(self, window: float | tuple[float, float]) -> Any:
        """Hits inside a time window.

        Parameters
        ----------
        window : float or (float, float)
            Half width around 0, or (low, high), both included [ns].

        Returns
        -------
        ak.Array
            The same collection with the hits outside the window removed.
        """
        low, high = window if isinstance(window, tuple) else (-window, window)
        return self[(self.time >= low) & (self.time <= high)]


@ak.mixin_class(behavior)
class ModuleHit(NanoCollection):
    """A hit of a numbered module."""

    def module_is(self, number: int) -> Any:
        """Hits of one module."""
        return self[self.module == number]


@ak.mixin_class(behavior)
class ViewHit(ModuleHit):
    """A hit of a module with an x view (0) and a y view (1)."""

    def view_is(self, number: int) -> Any:
        """Hits of one view: 0 measures x, 1 measures y."""
        return self[self.view == one_of(number, (0, 1), "view", InputError)]


@ak.mixin_class(behavior)
class ChargeHit(ViewHit):
    """A strip or channel with three ADC samples, 25 ns apart."""

    @property
    def charge(self) -> Any:
        """Sum of the three samples [ADC], int64."""
        return ak.values_astype(self.q0, np.int64) + self.q1 + self.q2

    @property
    def is_peaked(self) -> Any:
        """Whether the middle sample is the largest, as it is for an in-time hit."""
        return (self.q1 >= self.q0) & (self.q1 >= self.q2)


@ak.mixin_class(behavior)
class PixelHit(TimedHit, ModuleHit):
    """A pixel of a silicon plane: module, col (x), row (y), charge [ADC] and time [ns]. Optional: empty where the file has none."""


@ak.mixin_class(behavior)
class Cell(TimedHit):
    """A calorimeter cell."""

    def cell_is(self, ix: int, iy: int) -> Any:
        """Rows of one cell, counted from 0 with x and y."""
        return self[(self.ix == ix) & (self.iy == iy)]

    @property
    def total(self) -> Any:
        """Energy summed over the rows [GeV], float64."""
        return ak.sum(ak.values_astype(self.energy, np.float64), axis=-1)


@ak.mixin_class(behavior)
class CounterHit(TimedHit):
    """A hit of a trigger counter; energy in MeV."""

    def of(self, name: str) -> Any:
        """Hits of the counter called S0, S1, V1, S4 or S_mu."""
        return self[self.id == COUNTER_IDS[one_of(name, COUNTER_IDS, "counter", InputError)]]


@ak.mixin_class(behavior)
class VetoHit(TimedHit):
    """A photomultiplier end of a VETO panel; energy in MeV on the scale of the whole panel."""

    @property
    def panel(self) -> Any:
        """Panel 0, 1 or 2."""
        return self.id // 2

    @property
    def end(self) -> Any:
        """End 0 or 1 of the panel."""
        return self.id % 2


@ak.mixin_class(behavior)
class BmsHit(TimedHit):
    """A slab of a beam momentum station."""

    def station_is(self, number: int) -> Any:
        """Hits of one station, 1 to 6."""
        return self[self.station == number]


@ak.mixin_class(behavior)
class MmHit(ChargeHit):
    """A multiplexed Micromegas channel."""


@ak.mixin_class(behavior)
class GemHit(ChargeHit):
    """A GEM strip."""


@ak.mixin_class(behavior)
class StrawHit(ViewHit, TimedHit):
    """A straw wire; its time is the drift time."""


@ak.mixin_class(behavior)
class EcalCell(Cell):
    """An ECAL cell, electron scale."""

    @property
    def preshower(self) -> Any:
        """Rows of the preshower."""
        return self[self.section == 0]

    @property
    def main(self) -> Any:
        """Rows of the main section."""
        return self[self.section == 1]


@ak.mixin_class(behavior)
class VhcalCell(Cell):
    """A VHCAL cell, hadron scale."""


@ak.mixin_class(behavior)
class HcalCell(Cell, ModuleHit):
    """An HCAL cell, hadron scale."""


@ak.mixin_class(behavior)
class Waveform(NanoCollection):
    """A channel of a calorimeter, VETO end or counter with its 32 samples of 12.5 ns [ADC counts]."""

    @property
    def samples(self) -> Any:
        """All samples as one more axis: shape (n_events, var, 32), uint16."""
        return ak.concatenate([self[name][..., np.newaxis] for name in SAMPLES], axis=-1)

    def is_saturated(self, ceiling: int = 4095) -> Any:
        """Whether a sample is at the ceiling of the ADC."""
        return ak.any(self.samples >= ceiling, axis=-1)


@ak.mixin_class(behavior)
class RawEvent(NanoEvents):
    """An event of the raw tree: a recorded trigger."""

    def met(self, condition: str) -> Any:
        """Whether a trigger condition (calibration, physics, random) was met, before any prescale."""
        return (self.trigger >> TRIGGER_BITS[condition]) & 1 == 1

    @property
    def is_calibration(self) -> Any:
        """S0*S1*!V1."""
        return self.met("calibration")

    @property
    def is_physics(self) -> Any:
        """S0*S1*!V1*S4*S_mu."""
        return self.met("physics")

    @property
    def is_simulation(self) -> bool:
        """Whether the events carry the truth of a simulation."""
        return "mc_weight" in ak.fields(self)

    @property
    def has_waveforms(self) -> bool:
        """Whether calorimeters and counters are stored as waveforms."""
        return any(name in WAVEFORMS for name in ak.fields(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """Return the form that Jupyter and IPython show; `repr` remains awkward's, which arrays of events use for their entries."""
        if isinstance(self, ak.Record):
            table = self._table()
            return {"text/plain": table.text(), "text/html": table.html()}
        return super()._repr_mimebundle_(include, exclude)

    def _table(self) -> Table:
        """Return a table of the event: what was hit, and the energies. For events in a file it reads the columns that it shows."""
        bits = int(self["trigger"])
        met = ", ".join(name for name, bit in TRIGGER_BITS.items() if bits >> bit & 1) or "none"
        kind = "simulated event" if self.is_simulation else "event"
        title = f"{kind}: run {self['run']}, spill {self['spill']}, event {self['event']}, configuration {self['config']}, trigger: {met}"
        rows = []
        for name in (n for n in RECORD_NAMES if n in ak.fields(self)):
            hits, unit = self[name], "MeV" if name in ("counter", "veto") else "GeV"
            energy = f"{float(ak.sum(hits['energy'])):.4g} {unit}" if "energy" in hits.fields else ""
            columns = [f for f in hits.fields if f not in SAMPLES]
            if SAMPLES[0] in hits.fields:
                columns.append(f"{SAMPLES[0]} ... {SAMPLES[-1]}")
            rows.append((name, str(len(hits)), energy, ", ".join(columns)))
        truth = ", ".join(f for f in ak.fields(self) if f.startswith("mc_"))
        notes = ("energies are sums over all times", *((f"truth of the simulation: {truth}",) if truth else ()))
        return Table(title, ("collection", "hits", "energy", "columns"), tuple(rows), notes)


behavior["__typestr__", "RawEvent"] = "event"
for _name in set(RECORD_NAMES.values()):
    behavior["__typestr__", _name] = _name
