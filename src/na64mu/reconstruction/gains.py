"""Energies on one scale: what a channel wrote, divided by its gain (na64mu.detector.gains)."""

from __future__ import annotations

import numpy as np

from na64mu.detector import DetectorLike, load_detector
from na64mu.detector.readout import ENERGIES, banks
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.schema_v1 import COLLECTIONS
from na64mu.typing import FloatArray, IntArray

__all__ = ("channel_of", "gain_table", "on_one_scale")

#: Fields of a collection that are no address.
MEASURED = ("energy", "time")


def gain_table(detector: DetectorLike, name: str) -> FloatArray | None:
    """Gains by address.

    Parameters
    ----------
    detector : Detector, str or Path
        The description.
    name : str
        counter, veto, ecal, vhcal or hcal.

    Returns
    -------
    FloatArray or None
        Gain of the channel at every address, 1 where there is none, shape (largest value of each field + 1); None if all are 1.
    """
    own = [bank for bank in banks(load_detector(detector)).values() if bank.kind == name]
    if not any(bank.gains for bank in own):
        return None
    shape = np.max([[*(a + 1 for a in bank.address), *bank.shape] for bank in own], axis=0)
    table = np.ones(shape)
    for bank in own:
        inside: list[int | slice] = [*bank.address, *(slice(0, n) for n in bank.shape)]
        table[tuple(inside)] = bank.gain.reshape(bank.shape)
    return table


def channel_of(digits: Jagged, name: str, shape: tuple[int, ...]) -> tuple[tuple[IntArray, ...], IntArray]:
    """Address of the rows of a collection that lie inside a table.

    Parameters
    ----------
    digits : Jagged
        The collection.
    name : str
        Its name.
    shape : tuple of int
        Shape of the table.

    Returns
    -------
    address : tuple of IntArray
        One index for every dimension of the table, of the rows inside it.
    rows : IntArray
        Their numbers.
    """
    fields = [np.asarray(digits[field]).astype(np.int64) for field in COLLECTIONS[name] if field not in MEASURED]
    inside = np.all([(f >= 0) & (f < n) for f, n in zip(fields, shape, strict=True)], axis=0)
    rows = np.flatnonzero(inside)
    return tuple(f[rows] for f in fields), rows


def on_one_scale(batch: RawBatch, detector: DetectorLike) -> RawBatch:
    """A batch whose energies are divided by the gains of their channels.

    Parameters
    ----------
    batch : RawBatch
        Events with digits, see `with_digits`.
    detector : Detector, str or Path
        The description with its gains.

    Returns
    -------
    RawBatch
        The same batch if every gain is 1.
    """
    detector = load_detector(detector)
    changed = {}
    for name in ENERGIES:
        table = gain_table(detector, name) if name in batch.collections else None
        if table is not None:
            digits = batch.collections[name]
            address, rows = channel_of(digits, name, table.shape)
            energy = np.array(digits["energy"], copy=True)
            energy[rows] = energy[rows] / table[address]
            changed[name] = Jagged(digits.offsets, digits.fields | {"energy": energy})
    return RawBatch(batch.scalars, batch.collections | changed) if changed else batch
