"""Whether the events of a file are data or simulation: its own bookkeeping says so, and no column of its events can.

A run is simulation only if the tree `runs` of the file itself says how many events were generated for it (`n_generated` > 0) and does not say
`is_data`. A layout maps branches, and can map anything; so what it says of `n_generated` is not believed, and a branch of that name in the file is
asked. A run that claims nothing is data. Truth (`mc_*`) of a run that is data is an error: nobody knows the true process of a recorded muon.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from na64mu.errors import InputError
from na64mu.events.root_io import find_tree, open_file, read_columns, sentence_for
from na64mu.events.schema_v1 import TREE, TRUTH

__all__ = ("PROCESS", "file_is_data", "is_data_of", "path_is_data", "says_simulation")

#: The truth that every simulation has.
PROCESS = "mc_process"


def says_simulation(generated: Iterable[float], flagged: Iterable[bool], path: str | Path) -> bool:
    """Whether the bookkeeping of a file says that all its runs are simulated.

    Parameters
    ----------
    generated : iterable of float
        Generated events of every row of `runs`.
    flagged : iterable of bool
        `is_data` of every row, where the bookkeeping has it.
    path : str or Path
        The file, for the message.

    Returns
    -------
    bool
        False without rows.

    Raises
    ------
    InputError
        If some runs are simulated and others are not.
    """
    counts, flags = list(generated), list(flagged)
    simulated = [n > 0 and not flag for n, flag in zip(counts, flags or [False] * len(counts), strict=True)]
    if any(simulated) and not all(simulated):
        msg = f"{path}: some runs of its bookkeeping are simulated (n_generated > 0) and others are data: write them to different files"
        raise InputError(msg)
    return bool(simulated) and all(simulated)


def is_data_of(columns: Iterable[str], path: str | Path, *, simulated: bool, layout: str = "") -> bool:
    """Whether events with some columns are data, given what the bookkeeping of their file says.

    Parameters
    ----------
    columns : iterable of str
        Columns of the events, by their names in the raw tree.
    path : str or Path
        The file, for the message.
    simulated : bool
        From `says_simulation`.
    layout : str
        The layout that maps the columns, for the message.

    Returns
    -------
    bool
        True for data, and for a simulation whose truth was taken out.

    Raises
    ------
    InputError
        If there is truth and the bookkeeping does not say that the events are simulated.
    """
    names = set(columns)
    truth = [name for name in TRUTH if name in names]
    if truth and not simulated:
        who = f"{layout} maps {truth[0]!r}" if layout else f"it has {truth[0]!r}"
        msg = (
            f"{path}: {who}, the truth of a simulation, and its bookkeeping does not say that its events are simulated, so they are data (a simulation "
            f"has n_generated > 0 in the tree 'runs' of the file itself{', a layout cannot say it' if layout else ''}): leave the truth out, or write "
            "the file with the bookkeeping of its simulation"
        )
        raise InputError(msg)
    return PROCESS not in names


def file_is_data(file: Any, path: str | Path, layout: Any = None) -> bool:
    """Whether the events of an open file are data.

    Parameters
    ----------
    file : uproot.ReadOnlyDirectory
        From na64mu.events.root_io.open_file.
    path : str or Path
        Its path, for messages.
    layout : Layout, optional
        The layout that its events are read with.

    Returns
    -------
    bool
        True for data, and where the bookkeeping cannot be read.

    Raises
    ------
    InputError
        If its events have truth and are data, or some of its runs are simulated and others are not.
    """
    name = "runs" if layout is None or layout.trees.runs is None else str(layout.trees.runs)
    simulated = says_simulation(*_own_bookkeeping(file, path, name), path)
    columns = list(find_tree(file, path, TREE).keys()) if layout is None else list(layout.truth)
    return is_data_of(columns, path, simulated=simulated, layout="" if layout is None else layout.origin)


def path_is_data(path: str) -> bool:
    """Whether the events of a file are data; True for what is no file of raw trees.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    bool
        Answer of `file_is_data`; True where that is an error too.
    """
    try:
        with sentence_for(path), open_file(path) as file:
            return file_is_data(file, path)
    except InputError:
        return True


def _own_bookkeeping(file: Any, path: str | Path, runs: str) -> tuple[list[float], list[bool]]:
    """Branches n_generated and is_data of the file's own bookkeeping; none where it has no such tree, or a damaged one."""
    try:
        tree = find_tree(file, path, runs)
        names = [name for name in ("n_generated", "is_data") if name in tree.keys()]  # noqa: SIM118  # an RNTuple is no mapping
        columns = {name: column.to_list() for name, column in read_columns(tree, names, path).items()}
    except InputError:
        return [], []
    generated = columns.get("n_generated", [])
    if not all(isinstance(value, int | float) for value in generated):
        return [], []
    return generated, [bool(flag) for flag in columns.get("is_data", [])]
