"""Records: rows whose fields have names, in kernels and in plain Python alike.

numba hands a record on by its address, one word instead of the seven of an array, and what a kernel writes into it stays there. A kernel
takes records of one kind only: numba takes a kind for another that begins with the same fields, and warns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from na64mu.typing import Record, RecordArray

__all__ = ("new_record", "record_kind", "records")


def record_kind(names: str, form: str = "f8", **others: str) -> np.dtype[np.record]:
    """A kind of record.

    Parameters
    ----------
    names : str
        Names of its fields in order, with blanks between them.
    form : str
        numpy's name of the type of a field.
    **others : str
        Types of the fields that have another one.

    Returns
    -------
    dtype
        The kind, for `numpy.zeros` and its like: elements of such an array have their fields as attributes.

    Raises
    ------
    ValueError
        If a field has the name of a method of numpy's records, which plain Python would find in its place.
    """
    taken = sorted(set(names.split()) & set(dir(np.record)))
    if taken:
        msg = f"a field of a record cannot be called {taken[0]!r}: numpy's records have an attribute of this name"
        raise ValueError(msg)
    return cast("np.dtype[np.record]", np.dtype((np.record, [(name, others.get(name, form)) for name in names.split()])))


def new_record(kind: np.dtype[np.record]) -> Record:
    """A record of zeros, as scratch space of kernels."""
    record: Record = np.zeros(1, kind)[0]
    return record


def records(rows: Iterable[tuple[Any, ...]], kind: np.dtype[np.record]) -> RecordArray:
    """Rows as records, shape (n_rows,)."""
    return np.array(list(rows), dtype=kind)
