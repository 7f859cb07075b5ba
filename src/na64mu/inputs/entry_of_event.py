"""The entry of an event in a file, from its run and its number: what lists of events have, and files are not sorted by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from na64mu.errors import InputError

if TYPE_CHECKING:
    from na64mu.events.layout import Layout

__all__ = ("entry_of_event",)

#: Entries that are looked at together.
STEP = 1_000_000


def entry_of_event(path: str | Path, run: int, event: int, *, layout: Layout | None = None) -> int:
    """Find an event by run and number.

    Parameters
    ----------
    path : str or Path
        A raw tree, or a foreign one with its layout.
    run, event : int
        Number of the run, and of the event in it.
    layout : Layout, optional
        Layout of a foreign tree.

    Returns
    -------
    int
        Its entry, from 0; the first one if several have these numbers.

    Raises
    ------
    InputError
        If there is none; the message says which runs the file has.
    """
    from na64mu.events.reader import count_entries
    from na64mu.events.schema_v1 import TREE
    from na64mu.inputs.raw_file import read_numbers

    runs: dict[int, tuple[int, int]] = {}
    n = count_entries(path, layout=layout)
    for start in range(0, n, STEP):
        columns = read_numbers(str(path), TREE, start, min(start + STEP, n), layout, ("run", "event"))
        found = np.flatnonzero((columns["run"] == run) & (columns["event"] == event))
        if len(found):
            return start + int(found[0])
        for one in np.unique(columns["run"]).tolist():
            own = columns["event"][columns["run"] == one]
            low, high = runs.get(one, (int(own.min()), int(own.max())))
            runs[one] = (min(low, int(own.min())), max(high, int(own.max())))
    listed = ", ".join(f"run {one} with events {low} to {high}" for one, (low, high) in list(runs.items())[:8])
    more = f" and {len(runs) - 8} runs more" if len(runs) > 8 else ""
    msg = f"{path}: there is no event {event} of run {run}; the file has {listed or 'no events'}{more}"
    raise InputError(msg)
