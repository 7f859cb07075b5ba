"""Allocation of the rows of one more event in a growing array of digits."""

from __future__ import annotations

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.typing import RecordArray

__all__ = ("MOST_ROWS", "room")

#: More rows than one event can have in one collection.
MOST_ROWS = 6000


@general_kernel
def room(rows: RecordArray, used: int) -> RecordArray:
    """The rows, or a larger copy of them if fewer than MOST_ROWS are free behind those used."""
    if used + MOST_ROWS <= len(rows):
        return rows
    grown = np.empty(2 * len(rows) + MOST_ROWS, rows.dtype)
    grown[:used] = rows[:used]
    return grown
