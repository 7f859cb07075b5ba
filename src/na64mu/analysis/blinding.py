"""Blinding when histograms are filled: in data, nothing of the signal box is seen before it is unblinded.

Events of the box reach no histogram, table, column or log. In the cut-flow they count as failing the last pre-selection cut,
whether they pass it or not, so that their number cannot be read from any difference of rows. Simulation is not blinded.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from na64mu.selections.cuts import Box, in_box
from na64mu.typing import BoolArray, Summary

__all__ = ("is_data", "visible_events")


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
