"""Sums of the datasets of a result: several runs, or both trigger configurations of one sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

from na64mu.errors import InputError
from na64mu.results.run import RunResult

__all__ = ("joined",)


def joined(result: RunResult, groups: Mapping[str, Sequence[str]]) -> RunResult:
    """Datasets added up.

    Parameters
    ----------
    result : RunResult
    groups : mapping of str to sequence of str
        New name -> datasets that it is made of.

    Returns
    -------
    RunResult
        Result with the new datasets alone; a dataset made with a blinded part is blinded.

    Raises
    ------
    InputError
        If there is no such dataset.
    """
    missing = [name for names in groups.values() for name in names if name not in result.datasets]
    if missing:
        msg = f"no dataset {missing[0]!r} in the output folder: there are {', '.join(result.datasets)}"
        raise InputError(msg)

    def total(of: Mapping[str, Any], names: Sequence[str]) -> Any:
        parts = [of[name] for name in names]
        if isinstance(parts[0], Mapping):  # what only some of them have, such as the box, the sum does not have
            return {key: reduce(add, (part[key] for part in parts)) for key in parts[0] if all(key in part for part in parts)}
        return reduce(add, parts)

    runs = tuple(replace(run, dataset=new) for new, names in groups.items() for run in result.exposure.runs if run.dataset in names)
    return replace(
        result,
        cutflows={new: total(result.cutflows, names) for new, names in groups.items()},
        histograms={new: total(result.histograms, names) for new, names in groups.items()},
        outside={new: total(result.outside, names) for new, names in groups.items()},
        regions={new: total(result.regions, names) for new, names in groups.items()},
        blinded={new: any(result.blinded[name] for name in names) for new, names in groups.items()},
        exposure=replace(result.exposure, runs=runs),
    )
