"""Friend trees: branches of the same events that stand in several trees of one file, entry by entry.

A layout names them as `trees.friends`. A branch is taken from the first tree that has it, the tree of the events first, as ROOT
does. Entry i of every tree must be the same event: the trees must have equally many entries, and where a friend repeats the
number of the run, spill or event, it must be the same number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from na64mu.errors import InputError
from na64mu.events.foreign import event_branches, need_branches
from na64mu.events.layout import Layout
from na64mu.events.source import find_tree, read_columns

__all__ = ("event_trees", "read_event_columns")


def event_trees(file: Any, path: str | Path, layout: Layout) -> tuple[Any, ...]:
    """The tree of the events and its friends.

    Parameters
    ----------
    file : uproot.ReadOnlyDirectory
        From open_file.
    path : str or Path
        Path of the file, for the message.
    layout : Layout
        Names the trees.

    Returns
    -------
    tuple of uproot.TTree or uproot RNTuple
        In the order in which branches are looked for.

    Raises
    ------
    InputError
        If one does not exist, or has another number of entries than the tree of the events.
    LayoutError
        If the layout names a branch that none of them has.
    """
    names = (layout.trees.events, *layout.trees.friends)
    trees = tuple(find_tree(file, path, name) for name in names)
    n = trees[0].num_entries
    for name, tree in zip(names[1:], trees[1:], strict=True):
        if tree.num_entries != n:
            msg = (
                f"{path}: friend tree {name!r} has {tree.num_entries} entries, tree {names[0]!r} has {n}: "
                "they are not entry by entry of the same events; leave it out of the layout or write the file again"
            )
            raise InputError(msg)
    present = sorted(set().union(*(tree.keys() for tree in trees)))
    need_branches(event_branches(layout), present, " + ".join(names), path, layout)
    return trees


def read_event_columns(
    trees: Sequence[Any], names: Sequence[str], path: str | Path, layout: Layout, start: int, stop: int
) -> dict[str, ak.Array]:
    """Branches of a range of events, each from the first tree that has it.

    Parameters
    ----------
    trees : sequence of uproot.TTree or uproot RNTuple
        From `event_trees`.
    names : sequence of str
        Branches; each stands in one of the trees.
    path : str or Path
        Path of the file, for the message.
    layout : Layout
        Says which branches number the event.
    start, stop : int
        Range of entries.

    Returns
    -------
    dict[str, ak.Array]
        Branch -> column of shape (n_entries, ...).

    Raises
    ------
    InputError
        If a branch cannot be read, or entries of two trees are not the same event.
    """
    numbers = {layout.scalars[name].branch for name in ("run", "spill", "event")} & set(names)
    columns: dict[str, ak.Array] = {}
    for tree in trees:
        present = set(tree.keys())
        own = read_columns(tree, [n for n in names if n in present and (n not in columns or n in numbers)], path, start, stop)
        for name in columns.keys() & own.keys():
            if not all(isinstance(column.layout, ak.contents.NumpyArray) and column.ndim == 1 for column in (own[name], columns[name])):
                continue  # no number of an event, only called like one
            differs = np.flatnonzero(ak.to_numpy(own[name]) != ak.to_numpy(columns[name]))
            if len(differs):
                i = int(differs[0])
                msg = (
                    f"{path}: entry {start + i} is {name} {columns[name][i]} in tree {trees[0].name!r} and {own[name][i]} in friend tree "
                    f"{tree.name!r}: they are not entry by entry of the same events; write the file again with both in one order"
                )
                raise InputError(msg)
        columns |= {name: column for name, column in own.items() if name not in columns}
    return {name: columns[name] for name in names}
