"""Gains of calorimeters, VETO and counters from MIP muons, and channels that are dead or write too much.

A muon that stays in one cell, so that its neighbours hold next to nothing, shows the MIP peak of that cell. The peak over that of the same cell
in simulated muons of the same description is the gain; where the simulation has too few muons, all cells of the bank together are the
reference. Cells that muons do not reach take the gain of the bank. Muons have p_out near p_in: none of them can be in the signal box.

Energies as in the raw tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from na64mu.calibration.mip import fit_mip
from na64mu.detector import Detector
from na64mu.detector.gains import Gain
from na64mu.detector.readout import Bank, banks, energy_sizes
from na64mu.errors import CalibrationError
from na64mu.events.batch import RawBatch
from na64mu.events.schema_v1 import COLLECTIONS
from na64mu.reconstruction.energies import in_window
from na64mu.reconstruction.gains import MEASURED, on_one_scale
from na64mu.reconstruction.pulses.digits import with_digits
from na64mu.selections.working_point import MipRule
from na64mu.typing import AnyArray, BoolArray, FloatArray, IntArray, Summary

__all__ = ("ChannelFault", "Deposits", "faults_of", "gains_of", "needed", "through_going")

ALONE = 0.95  # of the energy in a bank that a cell must hold
HARDEST = 0.75  # p_out over p_in of a muon that lost next to nothing
SIGNIFICANT = 3.0  # errors by which a gain must differ to be corrected
EXPECTED = 30.0  # hits expected of a channel below which nothing is said of it
DEAD, HOT = 0.1, 5.0  # hits over those expected


def through_going(summary: Summary) -> BoolArray:
    """Muons that lost next to nothing, shape (n_events,)."""
    return np.asarray(summary["p_out"] > HARDEST * summary["p_in"], dtype=np.bool_)


@dataclass
class Deposits:
    """Energies of channels in many muons.

    Attributes
    ----------
    energies : dict of str to FloatArray
        Bank -> in-time energy of every channel, shape (n_muons, n_channels); kept chunk by chunk.
    hits : dict of str to FloatArray
        Bank -> muons in which a channel wrote anything, shape (n_channels,).
    n_muons : int
        Number of muons.
    """

    energies: dict[str, list[FloatArray]] = field(default_factory=dict)
    hits: dict[str, FloatArray] = field(default_factory=dict)
    n_muons: int = 0

    def add(self, batch: RawBatch, detector: Detector) -> None:
        """Add muons.

        Parameters
        ----------
        batch : RawBatch
            Their raw events.
        detector : Detector
            The description; gains that it has are taken out.
        """
        digits = on_one_scale(with_digits(batch, detector), detector).collections
        for name, size in energy_sizes(detector).items():
            bank = banks(detector)[name]
            if bank.kind not in digits:
                continue
            rows = digits[bank.kind]
            event, channel, energy = rows.event_index, *_channels(rows.fields, bank)
            sigma_t = max(c.sigma_t for c in detector.counters) if bank.kind == "counter" else getattr(detector, bank.kind).sigma_t
            own = (channel >= 0) & in_window(rows, sigma_t)
            table = np.zeros((len(batch), size))
            np.add.at(table, (event[own], channel[own]), energy[own])
            self.energies.setdefault(name, []).append(table)
            self.hits[name] = self.hits.get(name, np.zeros(size)) + np.count_nonzero(table, axis=0)
        self.n_muons += len(batch)

    def alone(self, name: str, bank: Bank) -> list[FloatArray]:
        """Energies of every channel in muons that left next to nothing beside it."""
        table = np.concatenate(self.energies[name])
        if bank.kind == "counter":
            return [column[column > 0.0] for column in table.T]
        group = np.arange(table.shape[1]) // (2 if bank.kind == "veto" else 1)  # both ends of a panel see the same muon
        sums = np.stack([table[:, group == g].sum(axis=1) for g in range(group[-1] + 1)], axis=1)
        total = sums.sum(axis=1)
        return [table[(sums[:, g] > ALONE * total) & (table[:, c] > 0.0), c] for c, g in enumerate(group)]


def _channels(fields: dict[str, AnyArray], bank: Bank) -> tuple[IntArray, FloatArray]:
    """Channel of every row in a bank, -1 for rows of others, and the energy."""
    address = [np.asarray(fields[f]).astype(np.int64) for f in COLLECTIONS[bank.kind] if f not in MEASURED]
    fixed, free = address[: len(bank.address)], address[len(bank.address) :]
    inside = (
        np.all([a == value for a, value in zip(fixed, bank.address, strict=True)], axis=0) if fixed else np.ones(len(free[0]), dtype=bool)
    )
    channel = np.zeros(len(free[0]), dtype=np.int64)
    for values, n in zip(free, bank.shape, strict=True):
        inside = inside & (values >= 0) & (values < n)
        channel = channel * n + values
    return np.where(inside, channel, -1), np.asarray(fields["energy"], dtype=np.float64)


def _peak(values: FloatArray, name: str, rule: MipRule) -> tuple[float, float] | None:
    """Peak and its relative error; None without enough muons or without a fit."""
    try:
        fit = fit_mip(values, name, fit_low=rule.fit_low, fit_high=rule.fit_high, min_events=rule.min_events)
    except CalibrationError:
        return None
    return fit.mode, fit.errors[0] / fit.mode


def gains_of(found: Deposits, expected: Deposits, detector: Detector, rule: MipRule) -> list[Gain]:
    """Gains of all banks that muons show.

    Parameters
    ----------
    found, expected : Deposits
        Energies of the muons of the files, and of simulated ones.
    detector : Detector
        The description; the gains that it has are multiplied by those that are found.
    rule : MipRule
        Range of the fits, and fewest muons of one.

    Returns
    -------
    list of Gain
        One for every bank with a channel that enough muons cross alone.
    """
    gains = []
    for name, size in energy_sizes(detector).items():
        if name not in found.energies or name not in expected.energies:
            continue
        bank = banks(detector)[name]
        muons, reference = found.alone(name, bank), expected.alone(name, bank)
        pooled = None if bank.kind == "counter" else _peak(np.concatenate(reference), name, rule)
        ratio, error = np.ones(size), np.zeros(size)
        for c in range(size):
            own = _peak(muons[c], name, rule) if len(muons[c]) >= rule.min_events else None
            right = _peak(reference[c], name, rule) if own and len(reference[c]) >= rule.min_events else None
            right = right or pooled
            if own and right:
                ratio[c], error[c] = own[0] / right[0], float(np.hypot(own[1], right[1]))
        if not error.any():
            continue
        gains.append(_gain(name, ratio * bank.gain, ratio * bank.gain * error, sum(len(m) for m in muons)))
    return gains


def _gain(name: str, value: FloatArray, error: FloatArray, n_muons: int) -> Gain:
    """Gain of a bank from those of its channels; channels without an error take that of the bank."""
    measured = error > 0.0
    weight = np.where(measured, 1.0 / np.where(measured, error, 1.0) ** 2, 0.0)
    common = float(np.sum(weight * value) / weight.sum())
    own = np.where(measured, value / common, 1.0)
    return Gain(
        source=f"inferred: MIP peaks of {n_muons} muons over those of simulated ones",
        plane=name,
        gain=_rounded(common),
        gain_error=_rounded(1.0 / np.sqrt(weight.sum())),
        channels=tuple(_rounded(v) for v in own),
        channel_errors=tuple(_rounded(e / common) for e in error),
        n_muons=n_muons,
    )


def needed(gains: list[Gain], detector: Detector) -> list[Gain]:
    """Gains to correct for: a channel that differs from its bank, or a bank from what it was, by less than three errors stays as it is.

    Parameters
    ----------
    gains : list of Gain
        As they were measured.
    detector : Detector
        The description with the gains that it has.

    Returns
    -------
    list of Gain
        Without channels and banks that need none.
    """
    found = []
    for gain in gains:
        own = np.array(gain.channels)
        differs = np.abs(own - 1.0) > SIGNIFICANT * np.array(gain.channel_errors)
        differs &= np.array(gain.channel_errors) > 0.0
        before = float(np.median(banks(detector)[gain.plane].gain))
        if differs.any() or abs(gain.gain - before) > SIGNIFICANT * (gain.gain_error or 0.0):
            channels = tuple(np.where(differs, own, 1.0).tolist()) if differs.any() else ()
            errors = gain.channel_errors if channels else ()
            found.append(gain.model_copy(update={"channels": channels, "channel_errors": errors}))
    return found


@dataclass(frozen=True)
class ChannelFault:
    """A channel that does not write as often as it should: its bank, its number, hits found and expected, and what it is called."""

    plane: str
    channel: int
    found: int
    expected: float
    kind: str  # dead or hot

    @property
    def sentence(self) -> str:
        """What was seen."""
        return f"{self.plane}: channel {self.channel} is {self.kind}: {self.found} hits of muons, {self.expected:.0f} expected"


def faults_of(found: Deposits, expected: Deposits) -> list[ChannelFault]:
    """Channels that are dead, or write far too often.

    Parameters
    ----------
    found, expected : Deposits
        Energies of the muons of the files, and of simulated ones.

    Returns
    -------
    list of ChannelFault
        Bank by bank.
    """
    faults = []
    for name, hits in found.hits.items():
        right = expected.hits.get(name, np.zeros_like(hits)) * found.n_muons / max(expected.n_muons, 1)
        for c, (n, n_right) in enumerate(zip(hits.tolist(), right.tolist(), strict=True)):
            if n_right >= EXPECTED and n < DEAD * n_right:
                faults.append(ChannelFault(name, c, int(n), n_right, "dead"))
            elif n > HOT * max(n_right, EXPECTED):
                faults.append(ChannelFault(name, c, int(n), n_right, "hot"))
    return faults


def _rounded(value: float) -> float:
    """Five significant digits: the error is a per mille at best."""
    return float(f"{value:.5g}")
