"""Checks of the structure of a raw tree's columns: shape, type, and lengths against the counters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import awkward as ak
import numpy as np

from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.findings import Collector
from na64mu.events.schema_v1 import collections_of, fields_of, scalar_kinds
from na64mu.typing import AnyArray, IntArray

__all__ = ("sound_batch",)

COUNTER_TYPE = np.dtype(np.int32)


def sound_batch(columns: Mapping[str, Any], start: int, found: Collector) -> RawBatch:
    """Check shapes, types and lengths of the branches of a raw tree.

    Parameters
    ----------
    columns : mapping
        Branch -> awkward column of shape (n_events, ...); some may be missing.
    start : int
        Entry of the first event in the file.
    found : Collector
        Receives the defects found.

    Returns
    -------
    RawBatch
        The columns that are sound; it may be incomplete.
    """
    scalars = {}
    for name, kind in scalar_kinds().items():
        column = _numbers(found, columns, name, kind)
        if column is not None:
            scalars[name] = column
    collections = {}
    for name in collections_of(columns):
        types = fields_of(name, columns)
        counts = _numbers(found, columns, f"n{name}", COUNTER_TYPE)
        offsets = None if counts is None else np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        fields = {}
        for field_name, kind in types.items():
            branch = f"{name}_{field_name}"
            own, content = _lists(found, columns, branch, kind)
            if own is None:
                continue
            offsets = own if offsets is None else offsets
            wrong = np.flatnonzero(np.diff(own) != np.diff(offsets))
            if len(wrong):
                expected, has = np.diff(offsets)[wrong[0]], np.diff(own)[wrong[0]]
                found.add("length", branch, f"has {has} numbers in this event, n{name} is {expected}", start + wrong)
            elif content is not None:
                fields[field_name] = content
        if offsets is not None:
            collections[name] = Jagged(offsets, fields)
    return RawBatch(scalars, collections)


def _numbers(found: Collector, columns: Mapping[str, Any], name: str, kind: np.dtype) -> AnyArray | None:
    """A flat column if it is one; a finding if its type is wrong."""
    if name not in columns:
        return None
    column = columns[name]
    if not isinstance(column.layout, ak.contents.NumpyArray) or column.ndim != 1:
        found.add("shape", name, f"is {column.type.content} per event, one {kind} is needed")
        return None
    return _typed(found, ak.to_numpy(column), name, kind)


def _lists(found: Collector, columns: Mapping[str, Any], name: str, kind: np.dtype) -> tuple[IntArray | None, AnyArray | None]:
    """Offsets and content of a jagged column if it is one; a finding if shape or type are wrong."""
    if name not in columns:
        return None, None
    layout = columns[name].layout
    if not isinstance(layout, ak.contents.ListOffsetArray) or not isinstance(layout.content, ak.contents.NumpyArray):
        found.add("shape", name, f"is {columns[name].type.content} per event, a list of {kind} is needed")
        return None, None
    offsets = np.asarray(layout.offsets.data, np.int64)
    return offsets - offsets[0], _typed(found, np.asarray(layout.content.data)[offsets[0] : offsets[-1]], name, kind)


def _typed(found: Collector, column: AnyArray, name: str, kind: np.dtype) -> AnyArray | None:
    if column.dtype != kind:
        if ("type", name) not in found.found:
            found.add("type", name, f"has the type {column.dtype.newbyteorder('=')}, {kind} is needed")
        if column.dtype.kind not in ("iu" if kind.kind in "iu" else "iuf"):
            return None
    return column
