"""Turning the columns of a foreign tree into the raw tree, as a layout says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import awkward as ak
import numpy as np

from na64mu.errors import InputError, LayoutError
from na64mu.events.batch import Jagged, RawBatch, as_type
from na64mu.events.branches import branches_of, find_branch, near_names
from na64mu.events.layout import Column, Layout, Part
from na64mu.events.schema_v1 import (
    COLLECTIONS,
    OPTIONAL_COLLECTIONS,
    OPTIONAL_COLUMNS,
    TRIGGER_BITS,
    TRUTH,
    fields_of,
    scalar_kinds,
)
from na64mu.typing import AnyArray, IntArray

__all__ = ("event_branches", "foreign_batch", "need_branches", "run_branches")

#: Names of branches that a message lists at most.
MOST_NAMES = 40


def event_branches(layout: Layout) -> dict[str, str]:
    """Branch of the event tree -> key of the layout that names it."""
    keys: dict[str, str] = {}
    for section, columns in (("scalars", layout.scalars), ("truth", layout.truth)):
        for name, column in columns.items():
            keys |= dict.fromkeys(column.branches, f"{section}.{name}")
    for name, parts in layout.collections.items():
        for part in parts:
            keys |= dict.fromkeys(part.branches, f"collections.{name}")
    return keys


def run_branches(layout: Layout) -> dict[str, str]:
    """Field of the bookkeeping tree -> key of the layout that names it."""
    return {branch: f"run_fields.{name}" for name, column in layout.run_fields.items() for branch in column.branches}


def need_branches(keys: Mapping[str, str], trees: Sequence[Any], label: str, path: Any, layout: Layout) -> None:
    """Check that every branch that a layout names is in exactly one of the trees.

    Parameters
    ----------
    keys : mapping
        Branch -> key of the layout.
    trees : sequence of uproot.TTree or uproot RNTuple
        Trees in which the branch may be.
    label, path
        Trees and file, for the message.
    layout : Layout
        Names itself in the message.

    Raises
    ------
    LayoutError
        One line for every branch that is missing or ambiguous: layout, key, branch, file, and what is available.
    """
    problems = []
    for branch, key in keys.items():
        try:
            if any(find_branch(tree, branch) is not None for tree in trees):
                continue
        except InputError as error:
            problems.append(f"{layout.origin}: {key}: {path}: {error}")
            continue
        every = sorted({str(found) for tree in trees for found in branches_of(tree)})
        near = list(dict.fromkeys(name for tree in trees for name in near_names(branch, tree)))
        available = ", ".join(every if len(every) <= MOST_NAMES else [*near, f"and {len(every) - len(near)} others"]) or "no branches"
        problems.append(
            f"{layout.origin}: {key} names the branch {branch!r}, which tree {label!r} of {path} does not have; it has {available}"
        )
    if problems:
        raise LayoutError(*problems)


def foreign_batch(columns: Mapping[str, Any], n: int, layout: Layout, start: int = 0) -> RawBatch:
    """Events of a foreign tree in the form of the raw tree.

    Parameters
    ----------
    columns : mapping
        Branch -> awkward column of shape (n, ...).
    n : int
        Number of events.
    layout : Layout
        The mapping.
    start : int
        Entry of the first event in the file.

    Returns
    -------
    RawBatch
        With every scalar and collection; absent collections are empty. Optional parts only where the layout maps them.

    Raises
    ------
    LayoutError
        If a branch does not have the shape that the layout says.
    InputError
        If a number does not fit the type of the raw tree.
    """
    scalars = {}
    every = scalar_kinds()
    own = {name: kind for name, kind in every.items() if name not in TRUTH}
    for section, named, kinds in (("scalars", layout.scalars, own), ("truth", layout.truth, TRUTH)):
        for name, kind in kinds.items():
            if name in named:
                scalars[name] = as_type(_scalar(columns, named[name], n, f"{layout.origin}: {section}.{name}", start), kind, name)
    collections = {}
    for name in (*COLLECTIONS, *(name for name in OPTIONAL_COLLECTIONS if name in layout.collections)):
        kinds = fields_of(name, [f"{name}_{field}" for part in layout.collections.get(name, ()) for field in part.names])
        parts = [_part(columns, part, n, f"{layout.origin}: collections.{name}") for part in layout.collections.get(name, ())]
        collections[name] = _joined([_typed(part, name, kinds) for part in parts], n, kinds)
    return RawBatch(scalars, collections)


def _typed(part: Jagged, name: str, kinds: Mapping[str, np.dtype]) -> Jagged:
    optional = OPTIONAL_COLUMNS.get(name, {})
    none = {
        field: np.full(int(part.offsets[-1]), optional[field].default) for field in kinds if field not in part.fields
    }  # of another part
    fields = part.fields | {field: column.astype(kinds[field]) for field, column in none.items()}
    return Jagged(part.offsets, {field: as_type(fields[field], kind, f"{name}_{field}") for field, kind in kinds.items()})


def _scaled(column: AnyArray, scale: float | None) -> AnyArray:
    return column if scale is None or scale == 1.0 else column * np.float64(scale)


def _scalar(columns: Mapping[str, Any], source: Column, n: int, key: str, start: int) -> AnyArray:
    if source.entry:
        return np.arange(start, start + n, dtype=np.uint64)
    if source.bits is not None:
        word = np.zeros(n, np.uint32)
        for condition, branch in source.bits.items():
            word |= (_flat(columns[branch], branch, key) != 0).astype(np.uint32) << np.uint32(TRIGGER_BITS[condition])
        return word
    if source.branch is None:
        return np.full(n, source.constant)
    return _scaled(_flat(columns[source.branch], source.branch, key), source.scale)


def _flat(column: Any, branch: str, key: str) -> AnyArray:
    if column.ndim != 1:
        msg = f"{key}: branch {branch!r} is {column.type.content} per event, one number is needed"
        raise LayoutError(msg)
    return ak.to_numpy(column)


def _part(columns: Mapping[str, Any], part: Part, n: int, key: str) -> Jagged:
    return _from_lists(columns, part, key) if part.matrix is None else _from_matrix(columns, part, n, key)


def _from_lists(columns: Mapping[str, Any], part: Part, key: str) -> Jagged:
    named = {field: source.branch for field, source in part.fields.items() if source.branch is not None}
    single = all(columns[branch].ndim == 1 for branch in named.values())  # one number per event is one row
    lists = {field: _lists(columns[branch], branch, f"{key}.{field}", single=single) for field, branch in named.items()}
    first = next(iter(named))
    offsets = lists[first][0]
    for field, (own, _) in lists.items():
        if not np.array_equal(own, offsets):
            entry = int(np.flatnonzero(np.diff(own) != np.diff(offsets))[0])
            msg = f"branches {named[field]!r} and {named[first]!r} have lists of unequal length in entry {entry} of the range"
            raise InputError(msg)
    if part.counter is not None and not np.array_equal(_flat(columns[part.counter], part.counter, f"{key}.counter"), np.diff(offsets)):
        msg = f"counter {part.counter!r} is not the length of the lists of {named[first]!r}"
        raise InputError(msg)
    fields = {}
    for field, source in part.fields.items():
        constant = np.full(offsets[-1], source.constant) if field not in named else None
        fields[field] = _scaled(lists[field][1], source.scale) if constant is None else constant
    return Jagged(offsets, fields)


def _lists(column: Any, branch: str, key: str, *, single: bool) -> tuple[IntArray, AnyArray]:
    """Offsets and numbers of a column; if it is `single`, the number of an event is a list of one."""
    if single and isinstance(column.layout, ak.contents.NumpyArray):
        return np.arange(len(column) + 1, dtype=np.int64), ak.to_numpy(column)
    if column.ndim != 2 or not isinstance(ak.flatten(column, axis=1).layout, ak.contents.NumpyArray):
        msg = f"{key}: branch {branch!r} is {column.type.content} per event, a list of numbers is needed"
        raise LayoutError(msg)
    counts = ak.to_numpy(ak.num(column, axis=1))
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]), ak.to_numpy(ak.flatten(column, axis=1))


def _from_matrix(columns: Mapping[str, Any], part: Part, n: int, key: str) -> Jagged:
    values = _scaled(_matrix(columns, part.matrix, part, key), part.scale)
    # NaN is kept: it is damage that the checker must see, not a cell without a signal.
    kept = np.nonzero(~(values <= part.threshold))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(kept[0], minlength=n), dtype=np.int64)])
    first = part.first or (0,) * len(part.axes)
    fields: dict[str, AnyArray] = {axis: index + start for axis, index, start in zip(part.axes, kept[1:], first, strict=True)}
    fields[part.value] = values[kept]
    for field, source in part.fields.items():
        if source.matrix is None:
            fields[field] = np.full(offsets[-1], source.constant)
        else:
            other = _matrix(columns, source.matrix, part, f"{key}.{field}")
            if other.shape != values.shape:
                msg = f"{key}.{field}: {source.matrix!r} has the shape {other.shape[1:]} per event, {part.matrix!r} has {values.shape[1:]}"
                raise LayoutError(msg)
            fields[field] = _scaled(other[kept], source.scale)
    return Jagged(offsets, fields)


def _matrix(columns: Mapping[str, Any], name: str | None, part: Part, key: str) -> AnyArray:
    column = columns[str(name)]
    try:
        values = ak.to_numpy(column)
    except ValueError as error:
        msg = f"{key}: {name!r} is {column.type.content} per event, a fixed matrix is needed"
        raise LayoutError(msg) from error
    if values.ndim != 1 + len(part.axes):
        msg = f"{key}: {name!r} has {values.ndim - 1} axes, the layout names {len(part.axes)} ({', '.join(part.axes) or 'none'})"
        raise LayoutError(msg)
    return values


def _joined(parts: list[Jagged], n: int, kinds: Mapping[str, np.dtype]) -> Jagged:
    """Rows of several parts, event by event one behind the other."""
    if not parts:
        return Jagged(np.zeros(n + 1, np.int64), {field: np.empty(0, kind) for field, kind in kinds.items()})
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(np.concatenate([p.event_index for p in parts]), kind="stable")
    offsets = np.sum([p.offsets for p in parts], axis=0)
    return Jagged(offsets, {field: np.concatenate([p[field] for p in parts])[order] for field in kinds})
