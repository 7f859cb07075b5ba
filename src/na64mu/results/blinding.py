"""Blinding when histograms are filled: in data, nothing of the signal box is seen before it is unblinded.

Events of the box reach no histogram, table, column or log. Their number must not be the difference of two others either:

- The number of recorded events, and of those with a trigger, is known from the raw files. So the first rows of the cut-flow count all
  events, and in data those of the box fail the first cut that looks at reconstructed quantities (`blind_at` of the working point), whether
  they pass it or not. No row behind it counts them, in a run on raw trees as in a run on event summaries, which are written without them.
- A spectrum before any cut would lack just the events of the box. In data it lacks every event with p_out of the box, whatever its E_CAL.
- An event summary of data has fewer rows than its raw tree has events. That difference is the number of events in the box before any
  cut, and cannot be hidden; how many of them pass a cut cannot be learnt from it.

Simulation is not blinded.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from na64mu.selections.cuts import Box, in_box
from na64mu.typing import BoolArray, Summary

__all__ = ("is_data", "uncut_events", "visible_events")


def is_data(columns: Iterable[str]) -> bool:
    """Whether events with these columns are data: simulation carries the true process, `mc_process`."""
    return "mc_process" not in set(columns)


def visible_events(summary: Summary, box: Box, *, unblinded: bool = False) -> BoolArray:
    """Events that may be seen.

    Parameters
    ----------
    summary : Summary
        Columns of shape (n_events,).
    box : Box
        The signal box.
    unblinded : bool
        Whether a frozen selection was unblinded by its hash (`na64mu unblind`).

    Returns
    -------
    BoolArray
        Shape (n_events,); in data False for every event of the box, all True in simulation.
    """
    if is_data(summary) and not unblinded:
        return ~in_box(summary, box)
    return np.ones(len(summary["p_out"]), dtype=np.bool_)


def uncut_events(summary: Summary, box: Box, *, unblinded: bool = False) -> BoolArray:
    """Events that may be in a spectrum before any cut.

    Parameters
    ----------
    summary : Summary
        Columns of shape (n_events,).
    box : Box
        The signal box.
    unblinded : bool
        Whether a frozen selection was unblinded.

    Returns
    -------
    BoolArray
        Shape (n_events,); in data False for every event with p_out of the box, all True in simulation.
    """
    if is_data(summary) and not unblinded:
        return ~(summary["p_out"] <= box.p_out_max)
    return np.ones(len(summary["p_out"]), dtype=np.bool_)
