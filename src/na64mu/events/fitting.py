"""Selects the files that a layout applies to: those that it fits. A file that has the raw-tree form already is read as it is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from na64mu.errors import InputError, LayoutError
from na64mu.events.friends import event_trees
from na64mu.events.layout import Layout
from na64mu.events.root_io import find_tree, open_file, sentence_for
from na64mu.events.schema_v1 import TREE, missing_branches

__all__ = ("layout_of", "layouts_of")


def layout_of(file: Any, path: str | Path, layout: Layout | None) -> Layout | None:
    """The layout that an open file is read with.

    Parameters
    ----------
    file : uproot.ReadOnlyDirectory
        Open file, from open_file.
    path : str or Path
        Path of the file.
    layout : Layout, optional
        The one that was given.

    Returns
    -------
    Layout or None
        None for a file that has the raw-tree form and does not fit the layout.
    """
    if layout is None or not _has_form(file, path):
        return layout
    try:
        with event_trees(file, path, layout):
            return layout
    except (InputError, LayoutError):
        return None


def _has_form(file: Any, path: str | Path) -> bool:
    try:
        find_tree(file, path, "runs")
        return not missing_branches(find_tree(file, path, TREE).keys())
    except InputError:
        return False


def layouts_of(paths: Iterable[str], layout: Layout | None) -> dict[str, Layout | None]:
    """The layout that each of several files is read with.

    Parameters
    ----------
    paths : iterable of str
        Files.
    layout : Layout, optional
        The one that was given.

    Returns
    -------
    dict of str to Layout or None
        None for files that have the raw-tree form; if the layout fits no file at all, it is kept for every one, so that reading them
        says why.
    """
    found: dict[str, Layout | None] = {}
    for path in paths:
        found[path] = layout
        if layout is not None:
            try:
                with sentence_for(path), open_file(path) as file:
                    found[path] = layout_of(file, path, layout)
            except InputError:
                continue  # the reader reports it
    return found if any(found.values()) else dict.fromkeys(found, layout)
