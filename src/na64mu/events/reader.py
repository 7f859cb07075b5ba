"""Reading raw trees, TTree or RNTuple: whole batches and the run bookkeeping."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from na64mu.common.arguments import file_name, file_names
from na64mu.errors import InputError
from na64mu.events.batch import Jagged, RawBatch, as_type
from na64mu.events.checksums import read_checksums, runs_checksum
from na64mu.events.foreign import event_branches, foreign_batch, need_branches, run_branches
from na64mu.events.friends import event_trees, read_event_columns
from na64mu.events.layout import Column, Layout, load_layout
from na64mu.events.root_io import find_tree, open_file, read_columns
from na64mu.events.run_rows import impossible
from na64mu.events.schema_v1 import (
    OPTIONAL_RUN_FIELDS,
    RUNS,
    TREE,
    TRUTH,
    branches,
    collections_of,
    fields_of,
    missing_branches,
    optional_branches,
    scalar_kinds,
)
from na64mu.events.version import check_version, version_of

__all__ = ("batch_of", "count_entries", "read_batch", "read_runs", "runs_of", "split_column")


def count_entries(path: str | Path, *, layout: Layout | str | Path | None = None) -> int:
    """Number of events in a file.

    Parameters
    ----------
    path : str or Path
        A raw tree, or a foreign tree with its layout.
    layout : Layout, str or Path, optional
        Names the tree.

    Returns
    -------
    int
        Entries of the tree.
    """
    path, layout = file_name(path, "path"), _layout(layout)
    with open_file(path) as file:
        return int(find_tree(file, path, TREE if layout is None else layout.trees.events).num_entries)


def read_batch(
    path: str | Path, entry_start: int | None = None, entry_stop: int | None = None, *, layout: Layout | str | Path | None = None
) -> RawBatch:
    """Read events into flat buffers.

    Parameters
    ----------
    path : str or Path
        A raw tree, or a foreign tree with its layout.
    entry_start, entry_stop : int, optional
        Range of entries; all by default.
    layout : Layout, str or Path, optional
        How a foreign tree maps onto the raw tree.

    Returns
    -------
    RawBatch
        Scalars, truth where present, and all collections; optional parts only where the file has them (see na64mu.events.optional).

    Raises
    ------
    InputError
        If the file cannot be read or does not have the raw-tree form.
    LayoutError
        If the layout does not fit the tree.
    """
    path, layout = file_name(path, "path"), _layout(layout)
    with open_file(path) as file:
        return batch_of(file, path, entry_start, entry_stop, layout=layout)


def batch_of(
    file: Any, path: str | Path, entry_start: int | None = None, entry_stop: int | None = None, *, layout: Layout | None = None
) -> RawBatch:
    """Events of an open file; see `read_batch`."""
    try:
        if layout is not None:
            return _foreign(file, path, slice(entry_start, entry_stop), layout)
        check_version(file, path)
        tree = find_tree(file, path, TREE)
        start, stop, _ = slice(entry_start, entry_stop).indices(tree.num_entries)
        batch = _batch(read_columns(tree, _names(tree), path, start, max(start, stop)))
        checksums = read_checksums(file, path)
        if checksums is not None and checksums.borders[-1] == tree.num_entries:
            checksums.verify(batch, start, tree.keys())
    except InputError as error:
        if str(error).startswith(f"{path}: "):
            raise
        msg = f"{path}: {error}"
        raise InputError(msg) from error
    return batch


def _names(tree: Any) -> list[str]:
    present = list(tree.keys())
    problem = missing_branches(present)
    if problem:
        msg = f"tree {TREE!r}: {problem}"
        raise InputError(msg)
    names = branches(collections_of(present))
    return names + [name for name in (*TRUTH, *optional_branches()) if name in present and name not in names]


def _foreign(file: Any, path: str | Path, entries: slice, layout: Layout) -> RawBatch:
    with event_trees(file, path, layout) as trees:
        start, stop, _ = entries.indices(trees[0].tree.num_entries)
        columns = read_event_columns(trees, list(event_branches(layout)), path, layout, start, max(start, stop))
    return foreign_batch(columns, max(stop - start, 0), layout, start)


def _batch(columns: dict[str, Any]) -> RawBatch:
    scalars = {name: as_type(_flat(columns[name], name), kind, name) for name, kind in scalar_kinds().items() if name in columns}
    collections = {}
    for name in collections_of(columns):
        types = fields_of(name, columns)
        counts = _flat(columns[f"n{name}"], f"n{name}")
        offsets = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        fields = {}
        for field, kind in types.items():
            branch = f"{name}_{field}"
            own, content = split_column(columns[branch], branch)
            if not np.array_equal(own, offsets):
                entry = int(np.flatnonzero(np.diff(own) != counts)[0])
                msg = f"branch {branch!r} has {own[entry + 1] - own[entry]} numbers in entry {entry} of the range, n{name} says {counts[entry]}"
                raise InputError(msg)
            fields[field] = as_type(content, kind, branch)
        collections[name] = Jagged(offsets, fields)
    return RawBatch(scalars, collections)


def _flat(column: Any, name: str) -> Any:
    if column.ndim != 1 or not isinstance(column.layout, ak.contents.NumpyArray):
        msg = f"branch {name!r} has the type {column.type.content}, the raw tree has one number per event"
        raise InputError(msg)
    return ak.to_numpy(column)


def split_column(column: Any, name: str) -> tuple[Any, Any]:
    """Offsets and content of a jagged column.

    Parameters
    ----------
    column : ak.Array
        Shape (n_events, var).
    name : str
        Branch, for the message.

    Returns
    -------
    offsets : IntArray
        Shape (n_events + 1,), from 0.
    content : AnyArray
        Shape (n_rows,).

    Raises
    ------
    InputError
        If the column is not a list of numbers per event.
    """
    layout = column.layout
    if not isinstance(layout, ak.contents.ListOffsetArray) or not isinstance(layout.content, ak.contents.NumpyArray):
        msg = f"branch {name!r} has the type {column.type.content}, the raw tree has a list of numbers per event"
        raise InputError(msg)
    offsets = np.asarray(layout.offsets.data, np.int64)
    return offsets - offsets[0], np.asarray(layout.content.data)[offsets[0] : offsets[-1]]


def read_runs(path: str | Path | Iterable[str | Path], *, layout: Layout | str | Path | None = None) -> list[dict[str, Any]]:
    """Read the run bookkeeping.

    Parameters
    ----------
    path : str, Path or iterable of them
        A raw tree, or a foreign tree with its layout; of several the rows of one follow those of the other.
    layout : Layout, str or Path, optional
        Names the bookkeeping tree and its fields, or holds the bookkeeping itself.

    Returns
    -------
    list of dict
        One per (run, config): every field of na64mu.events.schema_v1.RUNS as int, float or str, optional ones defaulted.

    Raises
    ------
    InputError
        If there is no tree `runs`, a field of it is missing or of another kind, or it is not what was written.
    """
    layout = _layout(layout)
    if layout is not None and layout.trees.runs is None:
        return [_run_row(row, layout.origin, i) for i, row in enumerate(layout.runs)]
    rows = []
    for each in file_names(path, "path"):
        with open_file(each) as file:
            rows += runs_of(file, each, layout=layout)
    return rows


def _layout(layout: Layout | str | Path | None) -> Layout | None:
    return None if layout is None else load_layout(layout)


def runs_of(file: Any, path: str | Path, *, layout: Layout | None = None) -> list[dict[str, Any]]:
    """The run bookkeeping of an open file; see `read_runs`."""
    if layout is not None and layout.trees.runs is None:
        return [_run_row(row, layout.origin, i) for i, row in enumerate(layout.runs)]
    name = "runs" if layout is None else str(layout.trees.runs)
    tree = find_tree(file, path, name)
    present = list(tree.keys())
    if layout is None:
        version_of(file, path)
        check_version(file, path)
        missing = [field for field in RUNS if field not in present and field not in OPTIONAL_RUN_FIELDS]
        if missing:
            msg = f"{path}: tree 'runs' has no field {missing[0]!r}; it has {', '.join(sorted(present)) or 'none'}"
            raise InputError(msg)
        sources = {field: Column(branch=field) for field in RUNS if field in present}
    else:
        need_branches(run_branches(layout), [tree], name, path, layout)
        sources = layout.run_fields
    wanted = sorted({column.branch for column in sources.values() if column.branch is not None})
    values = {branch: column.to_list() for branch, column in read_columns(tree, wanted, path).items()}
    n = tree.num_entries
    checksums = read_checksums(file, path) if layout is None else None
    rows = [_run_row({field: _source_value(source, values, i) for field, source in sources.items()}, str(path), i) for i in range(n)]
    if checksums is not None and n == checksums.n_runs and runs_checksum(rows) != checksums.runs:
        msg = f"{path}: tree 'runs' has other numbers than were written, the file is damaged; copy or make it again"
        raise InputError(msg)
    return rows


def _source_value(source: Column, values: dict[str, list[Any]], row: int) -> Any:
    if source.branch is None:
        return source.constant
    value = values[source.branch][row]
    return value if source.scale is None else value * source.scale


def _run_row(row: dict[str, Any], path: str, number: int = 0) -> dict[str, Any]:
    known = {name: _run_value(name, row.get(name, OPTIONAL_RUN_FIELDS.get(name)), path, number) for name in RUNS}
    problem = impossible(known)
    if problem:
        msg = f"{path}: row {number} of tree 'runs', run {known['run']}, config {known['config']}, {problem}"
        raise InputError(msg)
    return known


def _run_value(name: str, value: Any, path: str | Path, number: int) -> int | float | str:
    kind = RUNS[name]
    if kind is str and isinstance(value, str | bytes):
        return value.decode(errors="replace") if isinstance(value, bytes) else value
    if isinstance(kind, np.dtype) and isinstance(value, int | float):
        if kind.kind == "f" and math.isfinite(value):
            return float(value)
        if kind.kind != "f" and math.isfinite(value) and value == int(value) and 0 <= value <= np.iinfo(kind).max:
            return int(value)
    where = f"field {name!r} of tree 'runs'" + (f", row {number}," if number else "")
    msg = f"{path}: {where} is {value!r}, {'a string' if kind is str else kind} is needed"
    raise InputError(msg)
