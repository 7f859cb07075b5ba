"""Digits: from crossings and deposits to the rows of the raw tree.

Inputs are the truth of the written events (crossings in mm, counter energies in MeV, calorimeter energies in GeV) and the
particles piled up on them, which come early or late: their digits carry the time, their APV pulses are sampled off peak;
outputs are collections with the fields of na64mu.events.schema_v1, counters and calorimeters as energy and time or as waveforms.

Trackers, energies and waveforms draw from generators of their own: trackers and energies of an event are the same in both tiers.
"""

from __future__ import annotations

import numpy as np

from na64mu.events.batch import Jagged
from na64mu.events.schema_v1 import COLLECTIONS, mandatory_fields
from na64mu.simulation.deposits import energy_rows
from na64mu.simulation.digitisers import Crossings
from na64mu.simulation.readout import Readout
from na64mu.simulation.stream import Stream
from na64mu.simulation.truth import PileUp, Truth, no_pile_up
from na64mu.simulation.waveforms import Electronics, sampled_collections
from na64mu.typing import IntArray, RecordArray

__all__ = ("digitise",)

#: Fields that have another name in the records of kernels: a view (a name that kernels cannot have), and what kernels share.
IN_KERNELS = {"view": "axis", "strip": "channel", "module": "section"}


def _jagged(name: str, offsets: IntArray, rows: RecordArray) -> Jagged:
    named = rows.dtype.names or ()
    names = {field: field if field in named else IN_KERNELS[field] for field in mandatory_fields(name)}
    return Jagged(offsets.copy(), {field: rows[names[field]].astype(kind) for field, kind in mandatory_fields(name).items()})


def _key(rng: np.random.Generator) -> np.uint64:
    return np.uint64(rng.integers(2**64, dtype=np.uint64))


def digitise(
    truth: Truth,
    readout: Readout,
    rng: np.random.Generator,
    more: PileUp | None = None,
    electronics: Electronics | None = None,
) -> dict[str, Jagged]:
    """Digits of every collection for the written events.

    Parameters
    ----------
    truth : Truth
        Crossings and deposits.
    readout : Readout
        The read-out.
    rng : Generator
        Random numbers; others are spawned from it, it is not used itself.
    more : PileUp, optional
        Particles piled up on the events.
    electronics : Electronics, optional
        The sampling ADCs: calorimeters and counters become waveforms; without it energies and times.

    Returns
    -------
    dict[str, Jagged]
        Collection name -> rows with the types of the raw tree.
    """
    more = no_pile_up(truth) if more is None else more
    for_trackers, for_energies, for_samples = rng.spawn(3)
    stream = Stream(0)
    crossings = Crossings(truth.hits, truth.hit_offsets, more)
    collections: dict[str, Jagged] = {}
    for digitiser, prepared in readout.trackers:
        found = digitiser.rows(prepared, crossings, _key(for_trackers), stream)
        collections |= {name: _jagged(name, offsets, rows) for name, (offsets, rows) in found.items()}
    energies = readout.energies if electronics is None else electronics.unsampled(readout.energies)
    signals = energy_rows(energies, truth, more, _key(for_energies), stream)
    if electronics is None:
        collections |= {name: _jagged(name, offsets, rows) for name, (offsets, rows) in signals.items()}
        return {name: collections[name] for name in (*COLLECTIONS, *(name for name in collections if name not in COLLECTIONS))}
    return collections | sampled_collections(electronics, signals, for_samples)
