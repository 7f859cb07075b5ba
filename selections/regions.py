"""Regions of a user's own: a mask of any columns, or limits on them; counted and drawn like those of the Letter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from na64mu.common.toml_model import validate
from na64mu.errors import SelectionError
from na64mu.reconstruction.columns import column
from na64mu.selections.cuts import Region, in_region
from na64mu.selections.registry import named_columns
from na64mu.typing import BoolArray, Summary

__all__ = ("MASKS", "REGIONS", "Mask", "in_own_region", "region", "register_region")


@dataclass(frozen=True)
class Mask:
    """The events of a region.

    Attributes
    ----------
    columns : tuple of str
        Columns that the function reads.
    function : callable
        Summary -> truth values, shape (n_events,).
    """

    columns: tuple[str, ...]
    function: Callable[[Summary], BoolArray]

    def of(self, summary: Summary, name: str) -> BoolArray:
        """Events inside, shape (n_events,); `name` is that of the region, for messages.

        Raises
        ------
        SelectionError
            If the function does not return one truth value for each event.
        """
        mask = np.asarray(self.function({each: column(summary, each) for each in self.columns}))
        n = len(summary["run"])
        if mask.dtype != np.bool_ or mask.shape != (n,):
            msg = f"the region {name!r} returns {mask.dtype} of shape {mask.shape}, one truth value for each of {n} events is wanted"
            raise SelectionError(msg)
        return mask


#: Functions that a region can name as its `mask`; `region` adds one.
MASKS: dict[str, Mask] = {}

#: Regions of a user's own, which every working point that is loaded afterwards counts unless it drops them.
REGIONS: dict[str, Region] = {}

Choosing = TypeVar("Choosing", bound=Callable[..., BoolArray])


def register_region(name: str | Region, *, title: str = "", source: str = "", **limits: Any) -> Region:
    """Count a region of your own in every run whose working point is loaded afterwards, before and outside the signal box.

    Parameters
    ----------
    name : str or Region
        Its name, or all of it. One of your own of the same name is replaced.
    title : str
        What it holds.
    source : str
        Where its limits come from: "inferred: ...", "published: ...", ...
    **limits : float or mapping
        p_out_min, p_out_max, e_cal_min, e_cal_max, total_min, total_max [GeV], or ranges={column: (low, high)}; None for no limit.

    Returns
    -------
    Region
        What was registered.

    Raises
    ------
    SelectionError
        If something of it does not exist; the message names it.
    """
    content = {"name": name, "title": title or name, "source": source, **limits}
    made = name if isinstance(name, Region) else validate(Region, content, f"register_region: {name}", SelectionError)
    if made.mask and made.mask not in MASKS:
        msg = f"register_region: {made.name}: no mask {made.mask!r}: known are {', '.join(MASKS) or 'none'}"
        raise SelectionError(msg)
    REGIONS[made.name] = made
    return made


def region(columns: str | Iterable[str], *, source: str, title: str = "", name: str | None = None) -> Callable[[Choosing], Choosing]:
    """Make a function of your own a region: a decorator.

    Parameters
    ----------
    columns : str or iterable of str
        Columns that the function reads, and is given.
    source : str
        Where its borders come from.
    title : str
        What it holds.
    name : str, optional
        Name of the region; that of the function by default.

    Returns
    -------
    callable
        Takes the function `summary -> truth values of shape (n_events,)`, and returns it.
    """
    read = named_columns(columns, "region")

    def register(function: Choosing) -> Choosing:
        own = name or function.__name__
        MASKS[own] = Mask(read, function)
        register_region(own, title=title, source=source, mask=own)
        return function

    return register


def in_own_region(summary: Summary, where: Region, masks: dict[str, Mask]) -> BoolArray:
    """Events of any region: those of its limits, of its ranges of columns, and of its mask.

    Parameters
    ----------
    summary : Summary
        Columns of shape (n_events,).
    where : Region
    masks : dict of str to Mask
        Name -> function of the masks that it may name.

    Returns
    -------
    BoolArray
        Shape (n_events,).
    """
    if not (where.mask or where.ranges):
        return in_region(summary, where)
    mask = np.ones(len(summary["run"]), dtype=np.bool_)
    if where.has_limits:
        mask &= in_region(summary, where)
    for name, (low, high) in where.ranges.items():
        values = column(summary, name)
        mask &= np.isfinite(values)
        mask &= True if low is None else values >= low
        mask &= True if high is None else values < high
    return mask & masks[where.mask].of(summary, where.name) if where.mask else mask
