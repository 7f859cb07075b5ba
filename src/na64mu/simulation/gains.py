"""Gains laid over digits: energies of counters, VETO and calorimeters times a factor, channel by channel.

A gain scales what was read out, thresholds and noise too: a channel that was below its threshold stays away. Digits with an energy can be scaled
exactly; the samples of waveforms have pedestals and a ceiling, so their gain belongs into the conditions that they are simulated with.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from na64mu.detector import Detector
from na64mu.detector.hidden import Gain
from na64mu.detector.readout import Bank, banks
from na64mu.errors import DetectorError, InputError
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.schema_v1 import COLLECTIONS, waveform_of
from na64mu.typing import BoolArray

__all__ = ("with_gains",)


def with_gains(batch: RawBatch, gains: Iterable[Gain], detector: Detector) -> RawBatch:
    """Scale the energies of some channels.

    Parameters
    ----------
    batch : RawBatch
        Events with energies.
    gains : iterable of Gain
    detector : Detector
        Its banks name the channels.

    Returns
    -------
    RawBatch
        The events; nothing is copied that does not change.

    Raises
    ------
    DetectorError
        If a plane or channel is named that the detector does not have, or one without energies.
    InputError
        If the events have waveforms.
    """
    known = banks(detector)
    changed = dict(batch.collections)
    for gain in gains:
        bank = known.get(gain.plane)
        if bank is None or not waveform_of(bank.kind):
            msg = f"a gain names the plane {gain.plane!r}, detector {detector.tag!r} has energies in {', '.join(n for n, b in known.items() if waveform_of(b.kind))}"
            raise DetectorError(msg)
        beyond = [channel for channel in gain.channels if channel >= bank.size]
        if beyond:
            msg = f"a gain names channel {beyond[0]} of {gain.plane}, it has 0 to {bank.size - 1}"
            raise DetectorError(msg)
        if bank.kind not in changed:
            msg = f"the samples have the waveforms of {bank.kind}: a gain of {gain.plane} belongs into the conditions that they are simulated with (counts)"
            raise InputError(msg)
        rows = changed[bank.kind]
        factor = np.where(_of(rows, bank, gain.channels), gain.gain, 1.0)
        energy = (rows["energy"] * factor).astype(rows["energy"].dtype)
        changed[bank.kind] = Jagged(rows.offsets, rows.fields | {"energy": energy})
    return RawBatch(batch.scalars, changed)


def _of(rows: Jagged, bank: Bank, channels: tuple[int, ...]) -> BoolArray:
    """Which rows are of some channels of a bank, of all where none are named."""
    fields = [name for name in COLLECTIONS[bank.kind] if name not in ("energy", "time")]
    address, inside = fields[: len(bank.address)], fields[len(bank.address) :]
    mask = np.ones(int(rows.offsets[-1]), dtype=np.bool_)
    for name, value in zip(address, bank.address, strict=True):
        mask &= rows[name] == value
    for name, size in zip(inside, bank.shape, strict=True):
        mask &= rows[name] < size
    if channels:
        number = np.zeros(len(mask), dtype=np.int64)
        for name, size in zip(inside, bank.shape, strict=True):
            number = number * size + rows[name]
        mask &= np.isin(number, channels)
    return mask
