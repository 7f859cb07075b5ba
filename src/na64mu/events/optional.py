"""Optional parts of the raw tree in a batch: which are there, and batches with the defaults of those that are not.

What is optional is declared in na64mu.events.schema_v1. A batch has only what its file has, so that nothing is spent on the rest
and nothing that was never measured is written; whoever computes with an optional part asks `collection_of` or `scalar_of`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.checksums import columns_of
from na64mu.events.schema_v1 import OPTIONAL_COLLECTIONS, OPTIONAL_COLUMNS, OPTIONAL_SCALARS, fields_of, mandatory_fields, optional_branches
from na64mu.typing import AnyArray

__all__ = ("collection_of", "completed", "parts_of", "scalar_of")


def parts_of(batch: RawBatch) -> set[str]:
    """Optional branches that a batch has."""
    return optional_branches().keys() & {name for name, _ in columns_of(batch, 0, 0)}


def scalar_of(batch: RawBatch, name: str) -> AnyArray:
    """A scalar of a batch; an optional one that is not there has its default.

    Parameters
    ----------
    batch : RawBatch
        Events.
    name : str
        A scalar of the batch, or one of OPTIONAL_SCALARS.

    Returns
    -------
    AnyArray
        Shape (n_events,).
    """
    if name in batch.scalars:
        return batch.scalars[name]
    column = OPTIONAL_SCALARS[name]
    return np.full(len(batch), column.default, column.dtype)


def collection_of(batch: RawBatch, name: str) -> Jagged:
    """A collection of a batch with all its optional columns; those that are not there have their defaults.

    Parameters
    ----------
    batch : RawBatch
        Events.
    name : str
        A collection of the batch, or one of OPTIONAL_COLLECTIONS, which is empty where it is not there.

    Returns
    -------
    Jagged
        The collection.
    """
    return _filled(batch, name, {f"{name}_{field}" for field in OPTIONAL_COLUMNS.get(name, {})})


def completed(batch: RawBatch, parts: Iterable[str]) -> RawBatch:
    """A batch with certain optional parts, so that batches of files with and without them have the same columns.

    Parameters
    ----------
    batch : RawBatch
        Events.
    parts : iterable of str
        Optional branches, as of `parts_of`.

    Returns
    -------
    RawBatch
        The batch itself if it has them all.
    """
    wanted = set(parts)
    if wanted <= parts_of(batch):
        return batch
    scalars = batch.scalars | {name: scalar_of(batch, name) for name in OPTIONAL_SCALARS if name in wanted}
    names = [*batch.collections, *(name for name in OPTIONAL_COLLECTIONS if f"n{name}" in wanted and name not in batch.collections)]
    return RawBatch(scalars, {name: _filled(batch, name, wanted) for name in names})


def _filled(batch: RawBatch, name: str, wanted: set[str]) -> Jagged:
    """A collection with those of the wanted optional fields that it has not; an empty one if it is not there."""
    none = {field: np.empty(0, kind) for field, kind in mandatory_fields(name).items()}
    own = batch.collections[name] if name in batch.collections else Jagged(np.zeros(len(batch) + 1, np.int64), none)
    missing = [field for field in fields_of(name, wanted) if field not in own.fields]
    if not missing:
        return own
    declared, rows = OPTIONAL_COLUMNS[name], int(own.offsets[-1])
    return Jagged(own.offsets, own.fields | {field: np.full(rows, declared[field].default, declared[field].dtype) for field in missing})
