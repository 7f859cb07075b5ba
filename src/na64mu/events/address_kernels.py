"""Addresses row by row: whether all of them exist, and channels that have two rows in one event, where the raw tree has one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.events.batch import Jagged
from na64mu.typing import AnyArray, IntArray

__all__ = ("all_exist", "repeated_rows")

#: Addresses for which a table is made.
MOST_CODES = 1 << 20


@kernel
def _mark(offsets, code, last_event, repeated):  # type: ignore[no-untyped-def] # kernel
    """Mark rows whose code was there in the same event before; returns their number. `last_event` begins with -1 everywhere."""
    n = 0
    for e in range(len(offsets) - 1):
        for i in range(offsets[e], offsets[e + 1]):
            again = last_event[code[i]] == e
            repeated[i] = again
            n += again
            last_event[code[i]] = e
    return n


@kernel
def _exist(element, channel, sizes):  # type: ignore[no-untyped-def] # kernel
    """Whether every channel is one of its element; an element beyond the last one of `sizes` does not exist."""
    good = True
    for i in range(len(element)):
        good &= element[i] < len(sizes) and channel[i] < sizes[min(element[i], len(sizes) - 1)]
    return good


def all_exist(lead: Sequence[AnyArray], channel: AnyArray, table: IntArray) -> bool:
    """Whether the addresses of all rows exist.

    Parameters
    ----------
    lead : sequence of AnyArray
        Address fields that name an element, shape (n_rows,) each, n_rows > 0.
    channel : AnyArray
        The last field, shape (n_rows,).
    table : IntArray
        Number of channels of each element, one axis for each of `lead`.

    Returns
    -------
    bool
        False if one does not, or where the fields are no small unsigned numbers.
    """
    if any(column.dtype.kind != "u" or column.dtype.itemsize > 2 for column in (*lead, channel)):
        return False
    element = np.zeros(len(channel), np.uint16)
    for column, size in zip(lead, table.shape, strict=True):
        if int(column.max()) >= size:
            return False
        element *= np.uint16(size)
        element += column
    return bool(_exist(element, channel.astype(np.uint16), np.ascontiguousarray(table, np.int64).reshape(-1)))


def repeated_rows(collection: Jagged, *fields: str) -> IntArray:
    """Rows of a channel that has an earlier row in the same event.

    Parameters
    ----------
    collection : Jagged
        Strips or electronics channels.
    *fields : str
        Its address fields.

    Returns
    -------
    IntArray
        Indices of rows, ascending.
    """
    n_rows = int(collection.offsets[-1])
    own = [np.asarray(collection[field]) for field in fields]
    sizes = [int(column.max()) + 1 for column in own]
    small = math.prod(sizes) <= MOST_CODES and all(column.dtype.kind == "u" for column in own)
    if not small:  # damaged addresses: without a table
        keys = np.lexsort((np.arange(n_rows), *own[::-1], collection.event_index))
        same = np.all([column[keys[1:]] == column[keys[:-1]] for column in (collection.event_index, *own)], axis=0)
        return np.sort(keys[1:][same])
    code = own[0].astype(np.uint32)
    for column, size in zip(own[1:], sizes[1:], strict=True):
        code *= np.uint32(size)
        code += column.astype(np.uint32)
    last_event, repeated = np.full(int(code.max()) + 1, -1, np.int64), np.empty(n_rows, np.bool_)
    n = _mark(np.ascontiguousarray(collection.offsets, np.int64), code, last_event, repeated)
    return np.flatnonzero(repeated) if n else np.empty(0, np.int64)
