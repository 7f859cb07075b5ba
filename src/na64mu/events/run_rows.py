"""Rows of the bookkeeping that make no sense: numbers that no run can have, and numbers that its events contradict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from na64mu.events.schema_v1 import TRIGGER_BITS
from na64mu.typing import AnyArray

__all__ = ("MOST_MUONS", "RunSums", "contradictions", "impossible", "sums_of")

#: Muons on target of one run at most: fifty times the goal of all runs of the experiment until 2033 (2e13, arXiv:2505.14291).
MOST_MUONS = 10**15
#: Rounding of sums of weights.
ROUNDING = 1e-6

OF_A_MUON = np.uint32(sum(1 << TRIGGER_BITS[name] for name in ("calibration", "physics")))


@dataclass(frozen=True)
class RunSums:
    """What events say about the bookkeeping of their run; can be added.

    Attributes
    ----------
    muons : int
        Events with a trigger of the beam counters.
    weights : float
        Sum of their weights; 0 for data.
    events : int
        All of them.
    """

    muons: int
    weights: float
    events: int

    def __add__(self, other: RunSums) -> RunSums:
        return RunSums(self.muons + other.muons, self.weights + other.weights, self.events + other.events)


def sums_of(scalars: Mapping[str, AnyArray]) -> dict[tuple[int, int], RunSums]:
    """Sums of some events per (run, configuration).

    Parameters
    ----------
    scalars : mapping
        run, config, trigger and perhaps mc_weight of the events, shape (n_events,) each.

    Returns
    -------
    dict of (int, int) to RunSums
    """
    code = scalars["run"].astype(np.int64) * 256 + scalars["config"].astype(np.int64)
    pairs, index = np.unique(code, return_inverse=True)
    of_a_muon = (scalars["trigger"].astype(np.uint32) & OF_A_MUON) != 0
    muons, events = np.bincount(index[of_a_muon], minlength=len(pairs)), np.bincount(index, minlength=len(pairs))
    own = scalars.get("mc_weight")
    weights = np.zeros(len(pairs)) if own is None else np.bincount(index, np.where(np.isfinite(own), own, 0.0), len(pairs))
    return {
        (int(pair) // 256, int(pair) % 256): RunSums(int(m), float(w), int(n))
        for pair, m, w, n in zip(pairs, muons, weights, events, strict=True)
    }


def impossible(row: Mapping[str, Any]) -> str:
    """Why a row cannot be that of a run.

    Parameters
    ----------
    row : mapping
        All fields of na64mu.events.schema_v1.RUNS.

    Returns
    -------
    str
        Behind "run R, config C"; empty if it can.
    """
    if row["n_mot"] > MOST_MUONS:
        return f"has n_mot {row['n_mot']:.3g}, no run has more than {MOST_MUONS:.0e} muons on target"
    for name in ("sum_weights", "g_ref"):
        if row[name] < 0.0:
            return f"has {name} {row[name]:g}, it is 0 or more"
    return ""


def contradictions(row: Mapping[str, Any], sums: RunSums, muons: int | None = None) -> Iterator[tuple[str, str]]:
    """What the events of a run say against its row.

    Parameters
    ----------
    row : mapping
        n_mot, n_generated and sum_weights.
    sums : RunSums
        Sums over the events, see `sums_of`.
    muons : int, optional
        Muons that they represent at least; those of `sums` without it.

    Yields
    ------
    field, sentence : str
        The field at fault; the sentence follows "run R, config C".
    """
    least = sums.muons if muons is None else muons
    if row["n_mot"] < least:
        yield "n_mot", f"has n_mot {row['n_mot']:.6g}, its events stand for at least {least} muons"
    if row["n_generated"] <= 0:
        return
    if row["n_generated"] < sums.events:
        yield "n_generated", f"has n_generated {row['n_generated']:.6g}, and {sums.events} events"
    if sums.weights > row["sum_weights"] * (1.0 + ROUNDING):
        yield "sum_weights", f"has sum_weights {row['sum_weights']:.6g} of all generated events, those of its events are {sums.weights:.6g}"
