"""Friend trees: branches of the same events that are stored in several trees, entry by entry, of one file or of several.

A layout names them as `trees.friends`. A branch is taken from the first tree that has it, the tree of the events first, as ROOT
does. Entry i of every tree must be the same event: the trees must have equally many entries, and where a friend repeats the
number of the run, spill or event, it must be the same number. A friend in another file must repeat those of run and event, because
nothing else shows that it belongs to this file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np

from na64mu.errors import InputError
from na64mu.events.branches import Branch, branches_of, find_branch
from na64mu.events.foreign import event_branches, need_branches
from na64mu.events.layout import Layout
from na64mu.events.root_io import find_tree, open_file, read_columns

__all__ = ("EventTree", "event_trees", "read_event_columns")


class EventTree(NamedTuple):
    """A tree with events, the path of its file, and its name in messages."""

    tree: Any
    path: str
    label: str


@contextmanager
def event_trees(file: Any, path: str | Path, layout: Layout) -> Iterator[tuple[EventTree, ...]]:
    """The tree of the events and its friends; files of friends stay open within.

    Parameters
    ----------
    file : uproot.ReadOnlyDirectory
        Open file, from open_file.
    path : str or Path
        Path of the file, for the message and to find the others.
    layout : Layout
        Names the trees.

    Yields
    ------
    tuple of EventTree
        In the order in which branches are looked for.

    Raises
    ------
    InputError
        If one does not exist, or has another number of entries than the tree of the events.
    LayoutError
        If the layout names a branch that none of them has, or a friend in another file does not number its events.
    """
    with ExitStack() as stack:
        trees = [EventTree(find_tree(file, path, layout.trees.events), str(path), layout.trees.events)]
        n, files = trees[0].tree.num_entries, {str(path): file}
        for friend in layout.trees.friends:
            where = friend.path_beside(path)
            try:
                if where not in files:
                    files[where] = stack.enter_context(open_file(where))
                tree = find_tree(files[where], where, friend.tree)
            except InputError as error:
                if friend.file is None:
                    raise
                msg = f"{path}: its friend file cannot be used: {error}"
                raise InputError(msg) from error
            label = friend.tree if friend.file is None else f"{friend.tree} of {where}"
            if tree.num_entries != n:
                msg = (
                    f"{path}: friend tree {label!r} has {tree.num_entries} entries, tree {trees[0].label!r} has {n}: "
                    "they are not entry by entry of the same events; leave it out of the layout or write the file again"
                )
                raise InputError(msg)
            if friend.file is not None:
                numbers = {
                    layout.scalars[name].branch: f"scalars.{name} (a friend in another file repeats it)" for name in ("run", "event")
                }
                numbers.pop(None, None)
                need_branches({str(b): key for b, key in numbers.items()}, [tree], friend.tree, where, layout)
            trees.append(EventTree(tree, where, label))
        need_branches(event_branches(layout), [t.tree for t in trees], " + ".join(t.label for t in trees), path, layout)
        yield tuple(trees)


def read_event_columns(
    trees: Sequence[EventTree], names: Sequence[str], path: str | Path, layout: Layout, start: int, stop: int
) -> dict[str, ak.Array]:
    """Branches of a range of events, each from the first tree that has it.

    Parameters
    ----------
    trees : sequence of EventTree
        Trees of the events, from `event_trees`.
    names : sequence of str
        Branches; each is in one of the trees.
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
    first: dict[str, Branch] = {}
    exact = {n for n in names if any(str(branch) == n for tree in trees for branch in branches_of(tree.tree))}
    for tree in trees:
        found = {n: find_branch(tree.tree, n) for n in names if n not in columns or n in numbers}
        found = {n: branch for n, branch in found.items() if n not in exact or str(branch) == n}  # a full name in any of them wins
        # within one file, a number of the event is repeated under the same full name only
        same = tree.path != trees[0].path
        wanted = [n for n, branch in found.items() if branch is not None and (n not in columns or same or first[n] == branch)]
        first |= {n: branch for n, branch in found.items() if branch is not None and n not in first}
        own = read_columns(tree.tree, wanted, tree.path, start, stop)
        for name in columns.keys() & own.keys():
            if all(isinstance(column.layout, ak.contents.NumpyArray) and column.ndim == 1 for column in (own[name], columns[name])):
                _same_events(name, columns[name], own[name], trees[0], tree, start)
            elif tree.path != trees[0].path:
                msg = f"{path}: branch {name!r} of friend tree {tree.label!r} is {own[name].type.content} per event, one number is needed"
                raise InputError(msg)  # within one file it is no number of an event, only called like one
        columns |= {name: column for name, column in own.items() if name not in columns}
    return {name: columns[name] for name in names}


def _same_events(name: str, expected: ak.Array, found: ak.Array, first: EventTree, friend: EventTree, start: int) -> None:
    differs = np.flatnonzero(ak.to_numpy(found) != ak.to_numpy(expected))
    if len(differs):
        i = int(differs[0])
        msg = (
            f"{first.path}: entry {start + i} is {name} {expected[i]} in tree {first.label!r} and {found[i]} in friend tree "
            f"{friend.label!r}: they are not entry by entry of the same events; write the file again with both in one order"
        )
        raise InputError(msg)
