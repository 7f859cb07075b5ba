"""The parts of a selection that are a user's own: cuts, variables, masks of regions, categories. They travel to workers, and results name them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from na64mu.common.source_digest import digest_of_sources
from na64mu.reconstruction.variables import user_variables
from na64mu.selections.histograms import CATEGORIES
from na64mu.selections.regions import MASKS
from na64mu.selections.registry import source_digest, user_cuts
from na64mu.selections.working_point import WorkingPoint

__all__ = ("Part", "parts_of", "variable_parts")


@dataclass(frozen=True)
class Part:
    """A part of a user's own.

    Attributes
    ----------
    name : str
        Its name in messages, such as "the cut slow".
    digest : str
        SHA-256 of its source.
    objects : tuple
        Functions and classes that it is made of.
    """

    name: str
    digest: str
    objects: tuple[Any, ...]


def parts_of(point: WorkingPoint) -> dict[str, Part]:
    """The parts of a working point that are a user's own.

    Parameters
    ----------
    point : WorkingPoint

    Returns
    -------
    dict of str to Part
        Name in the provenance -> part: a cut under its name, others as "variable NAME", "region NAME", "category NAME".
    """
    found = {
        name: Part(f"the cut {name}", source_digest(made), (made.function, made.thresholds))
        for name, made in user_cuts(point.cut_names).items()
    }
    found |= variable_parts(point.columns)
    for region in point.regions:
        if region.mask:
            found[f"region {region.name}"] = _part(f"the region {region.name}", MASKS[region.mask].function)
    for name in dict.fromkeys(name for histogram in point.histograms for name in histogram.by):
        if CATEGORIES[name].function.__module__ != CATEGORIES["config"].function.__module__:
            found[f"category {name}"] = _part(f"the category {name}", CATEGORIES[name].function)
    return found


def variable_parts(names: Iterable[str] | None = None) -> dict[str, Part]:
    """The variables of a user's own among some columns, and those that they are made of; all by default."""
    return {f"variable {name}": _part(f"the variable {name}", made.function) for name, made in user_variables(names).items()}


def _part(name: str, function: Any) -> Part:
    return Part(name, digest_of_sources(function), (function,))
