"""Events of a simulation as an experiment would count them: unweighted, for a stated number of muons on target.

The rule. A beam muon has weight 1: of the muons of such samples, as many are drawn without replacement as the exposure has, and those that left
an event are in the data. An event of a weighted sample is expected w s N / n_mot times (w its weight, s the factor of a signal, N the exposure,
n_mot the muons on target of the sample). The number of events is drawn from a Poisson distribution around the sum, and the events by
accept-reject against the largest weight, each at most once; a sample that does not have so many is an error, and so is a weight above a
stated maximum. A calibration trigger counts with the ratio of the prescale of the sample to that of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from na64mu.errors import InputError
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("MuonSample", "draw_beam", "draw_weighted", "expected_of", "muons_of_events")

#: From so many muons on numpy draws no hypergeometric numbers; binomial ones do not differ where so few of them leave an event.
MOST = 1_000_000_000


@dataclass(frozen=True)
class MuonSample:
    """Simulated events of one process and one trigger configuration, of all files that have them.

    Attributes
    ----------
    name : str
        Process, and mass of a boson, for messages.
    config : int
        Trigger configuration.
    n_mot : int
        Muons on target that were simulated.
    prescale : int
        Prescale of its calibration triggers; 0: it has none.
    weight : FloatArray
        mc_weight, shape (n_events,).
    physics : BoolArray
        Whether the physics trigger was met, shape (n_events,).
    """

    name: str
    config: int
    n_mot: int
    prescale: int
    weight: FloatArray
    physics: BoolArray

    @property
    def where(self) -> str:
        """Beginning of a message."""
        return f"sample {self.name} of configuration {self.config}"

    def calibration_share(self, prescale: int) -> float:
        """Part of its calibration triggers that data with a prescale record, for as many muons.

        Raises
        ------
        InputError
            If it has fewer of them than such data.
        """
        if prescale == 0 or self.prescale == 0:
            return 0.0
        if self.prescale > prescale:
            msg = f"{self.where} has one in {self.prescale} calibration triggers, data with one in {prescale} cannot be made of it: simulate it with --prescale {prescale}, or give a higher --prescale"
            raise InputError(msg)
        return self.prescale / prescale


def expected_of(sample: MuonSample, n_mot: int, prescale: int, scale: float = 1.0) -> FloatArray:
    """How often each event of a weighted sample is expected in data.

    Parameters
    ----------
    sample : MuonSample
    n_mot : int
        Muons on target of the data.
    prescale : int
        Prescale of the calibration triggers of the data; 0: none are recorded.
    scale : float
        Factor on the weights: of a signal the square of the ratio of the couplings, times the branching ratio.

    Returns
    -------
    FloatArray
        Shape (n_events,).

    Raises
    ------
    InputError
        If a weight is negative or not finite.
    """
    wrong = ~(np.isfinite(sample.weight) & (sample.weight >= 0.0))
    if wrong.any():
        msg = f"{sample.where}: an event has the weight {sample.weight[wrong][0]:g}, numbers from 0 on are wanted"
        raise InputError(msg)
    share = np.where(sample.physics, 1.0, sample.calibration_share(prescale))
    return np.asarray(sample.weight * share * (scale * n_mot / sample.n_mot), dtype=np.float64)


def draw_weighted(sample: MuonSample, expected: FloatArray, rng: np.random.Generator, max_weight: float | None = None) -> IntArray:
    """Draw the events of a weighted sample that are in the data.

    Parameters
    ----------
    sample : MuonSample
        For its weights and messages.
    expected : FloatArray
        From `expected_of`, shape (n_events,).
    rng : np.random.Generator
    max_weight : float, optional
        Largest weight that the sample may have; by default the largest one that it has.

    Returns
    -------
    IntArray
        Indices of events, in random order.

    Raises
    ------
    InputError
        If a weight is above the maximum, or the sample has too few events.
    """
    largest = float(sample.weight.max(initial=0.0))
    if max_weight is not None and largest > max_weight:
        msg = f"{sample.where}: an event has the weight {largest:g}, above the maximum {max_weight:g}: state a higher one"
        raise InputError(msg)
    n = int(rng.poisson(expected.sum()))
    ceiling = float(expected.max(initial=0.0)) * (1.0 if max_weight is None else max_weight / largest if largest > 0.0 else 1.0)
    order = rng.permutation(len(expected))
    accepted = order[rng.random(len(order)) * ceiling < expected[order]]
    if len(accepted) < n:
        more = int(np.ceil(1.2 * n / max(len(accepted), 1) * sample.n_mot))
        msg = f"{sample.where} has {len(accepted)} unweighted events and {n} are needed: simulate about {more:.2g} muons on target of it, or lower the exposure"
        raise InputError(msg)
    return accepted[:n]


def draw_beam(sample: MuonSample, n_mot: int, prescale: int, rng: np.random.Generator, *, physics: bool = True) -> IntArray:
    """Draw the events of beam muons that are in the data.

    Parameters
    ----------
    sample : MuonSample
        Events of weight 1.
    n_mot : int
        Muons on target of the data that are ordinary beam muons.
    prescale : int
        Prescale of the calibration triggers of the data; 0: none are recorded.
    rng : np.random.Generator
    physics : bool
        Whether its physics triggers are in the data; where not, a weighted sample has them, and the sample may have fewer muons than the data.

    Returns
    -------
    IntArray
        Indices of events, in order.

    Raises
    ------
    InputError
        If it has too few muons on target.
    """
    share = sample.calibration_share(prescale)
    kinds: Sequence[IntArray] = [np.flatnonzero(sample.physics == flag) for flag in (True, False)]
    if n_mot <= sample.n_mot:
        drawn = _drawn([len(own) for own in kinds], n_mot, sample.n_mot, rng)
        counts = [drawn[0] if physics else 0, int(rng.binomial(drawn[1], share))]
    else:
        part = share * n_mot / sample.n_mot
        if physics or part > 1.0:
            msg = f"{sample.where} has {sample.n_mot} muons on target and {n_mot} are needed: simulate more of them, or lower the exposure"
            msg += "" if physics else f"; or a --prescale of {int(np.ceil(sample.prescale * n_mot / sample.n_mot))}"
            raise InputError(msg)
        counts = [0, int(rng.binomial(len(kinds[1]), part))]
    chosen = [rng.choice(own, n, replace=False) for own, n in zip(kinds, counts, strict=True)]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _drawn(events: Sequence[int], n_mot: int, of: int, rng: np.random.Generator) -> list[int]:
    """How many events of every kind are among n_mot muons that are drawn without replacement."""
    silent = of - sum(events)  # muons that left no event
    if silent < 0 or of >= MOST:
        return [int(rng.binomial(n, n_mot / of)) for n in events]
    return [int(n) for n in rng.multivariate_hypergeometric([*events, silent], n_mot)[:-1]]


def muons_of_events(
    physics: BoolArray, n_mot: Sequence[int], prescale: int, rng: np.random.Generator
) -> tuple[BoolArray, IntArray, IntArray]:
    """Give events a run, and a number among the muons on target of the run.

    Physics triggers come at any time. Of the calibration triggers alone a run records one in `prescale` muons, so there are never more
    than its muons on target allow; what is above that over all runs is left out.

    Parameters
    ----------
    physics : BoolArray
        Whether the physics trigger was met, shape (n_events,).
    n_mot : sequence of int
        Muons on target of each run.
    prescale : int
        Prescale of the calibration triggers.
    rng : np.random.Generator

    Returns
    -------
    kept : BoolArray
        Events that find a place, shape (n_events,).
    run : IntArray
        Index of the run of each kept event.
    muon : IntArray
        Number of its muon in the run, from 0 on.
    """
    total = np.asarray(n_mot, dtype=np.int64)
    run, muon = np.zeros(len(physics), dtype=np.int64), np.zeros(len(physics), dtype=np.int64)
    n_physics = int(physics.sum())
    run[physics] = rng.choice(len(total), n_physics, p=total / total.sum())
    muon[physics] = (rng.random(n_physics) * total[run[physics]]).astype(np.int64)
    places = np.maximum(total - np.bincount(run[physics], minlength=len(total)), 0) // max(prescale, 1)
    alone = rng.permutation(np.flatnonzero(~physics))[: int(places.sum())]
    place = np.sort(rng.choice(int(places.sum()), len(alone), replace=False)) if len(alone) else np.zeros(0, dtype=np.int64)
    ends = np.cumsum(places)
    run[alone] = np.searchsorted(ends, place, side="right")
    muon[alone] = (place - (ends - places)[run[alone]] + 1) * max(prescale, 1) - 1
    kept = physics.copy()
    kept[alone] = True
    return kept, run[kept], muon[kept]
