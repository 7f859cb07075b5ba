"""Allocation of the rows of one more event in a growing matrix of digits."""

from __future__ import annotations

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.typing import AnyArray

__all__ = ("MOST_ROWS", "room")

#: More rows than one event can have in one collection.
MOST_ROWS = 6000


@general_kernel
def room(rows: AnyArray, used: int) -> AnyArray:
    """The rows, or a larger copy of them if fewer than MOST_ROWS are free behind those used."""
    if used + MOST_ROWS <= len(rows):
        return rows
    grown = np.empty((2 * len(rows) + MOST_ROWS, rows.shape[1]), rows.dtype)
    grown[:used] = rows[:used]
    return grown
