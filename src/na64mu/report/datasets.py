"""Datasets in a figure: those that count events, and weighted simulation, which is overlaid at an arbitrary scale."""

from __future__ import annotations

import math
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from na64mu.report.numbers import muons

if TYPE_CHECKING:
    from na64mu.results.run import RunResult

__all__ = ("combined", "counting_datasets", "data_and_simulation", "exposure_text", "kind_of_events", "overlaid_datasets", "uncut_text")


def overlaid_datasets(result: RunResult) -> tuple[str, ...]:
    """Datasets of weighted simulation: signal (for a coupling g_ref) and biased processes. None if there is nothing else.

    Their weights do not count events seen, and their muons on target are those of the other datasets again.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.

    Returns
    -------
    tuple of str
        Names in order.
    """
    weighted = {r.dataset for r in result.exposure.runs if r.g_ref > 0 or (r.n_generated > 0 and not math.isclose(r.sum_weights, r.n_mot))}
    names = tuple(name for name in result.datasets if name in weighted)
    return () if len(names) == len(result.datasets) else names


def counting_datasets(result: RunResult) -> tuple[str, ...]:
    """Datasets whose events are counted together: data, or where there are none all simulation that is not overlaid."""
    return data_and_simulation(result)[0] or data_and_simulation(result)[1]


def data_and_simulation(result: RunResult) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Datasets of data, and of simulated events that count: only the bookkeeping of simulation holds generated events.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.

    Returns
    -------
    data, simulation : tuple of str
        Names in order; weighted simulation (signal, biased processes) is in neither.
    """
    overlaid = overlaid_datasets(result)
    generated = {run.dataset for run in result.exposure.runs if run.n_generated}
    counted = [name for name in result.datasets if name not in overlaid]
    return tuple(name for name in counted if name not in generated), tuple(name for name in counted if name in generated)


def combined(result: RunResult, name: str, datasets: tuple[str, ...]) -> Any:
    """Sum of a histogram over some datasets."""
    return reduce(add, (result.histogram(name, dataset) for dataset in datasets))


def kind_of_events(result: RunResult, datasets: tuple[str, ...]) -> str:
    """Whether datasets hold data, simulation or both: only the bookkeeping of simulation holds generated events."""
    kinds = {"simulation" if run.n_generated else "data" for run in result.exposure.runs if run.dataset in datasets}
    return " and ".join(sorted(kinds))


def exposure_text(result: RunResult, datasets: tuple[str, ...]) -> str:
    """Muons on target behind the events of some datasets, as a figure shows it."""
    n_mot = sum(result.exposure.n_mot(dataset) for dataset in datasets)
    if n_mot <= 0:
        return ""
    if n_mot < 1e6:
        return f"{muons(n_mot)} muons on target"
    power = math.floor(math.log10(n_mot))
    return rf"{n_mot / 10**power:.3g} $\times$ 10$^{{{power}}}$ muons on target"


def uncut_text(result: RunResult, datasets: tuple[str, ...]) -> str:
    """Say which events a spectrum before any cut contains: while data are blinded, those that may be seen (`na64mu.selections.blinding`).

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.
    datasets : tuple of str
        Datasets of the spectrum.

    Returns
    -------
    str
        "all events", or which of them.
    """
    if not any(result.blinded[name] for name in datasets):
        return "all events"
    return "all events that may be seen"
