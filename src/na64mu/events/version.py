"""The version of a raw tree: columns `form_version` and `form_minor` of its bookkeeping `runs`, beside the rows they were written with.

A file without them has version 1. A reader reads every version up to its own, and newer ones that differ in the minor version
only, because that one counts optional parts. Files that ROOT's hadd merged have the newest version of their rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from na64mu.errors import InputError
from na64mu.events.root_io import find_tree, read_columns
from na64mu.events.schema_v1 import MINOR_VERSION, VERSION
from na64mu.typing import AnyArray

__all__ = ("COLUMNS", "WRITTEN", "FormVersion", "check_version", "version_columns", "version_of")

#: Columns of `runs` that hold the version: name -> type.
COLUMNS = {"form_version": np.dtype(np.uint32), "form_minor": np.dtype(np.uint32)}


class FormVersion(NamedTuple):
    """Version of a raw tree; files of one major version differ in optional parts only."""

    major: int
    minor: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}" if self.minor else str(self.major)


#: Version of the files that this na64mu writes.
WRITTEN = FormVersion(VERSION, MINOR_VERSION)


def version_columns(n: int) -> dict[str, AnyArray]:
    """Columns of the version for n rows of `runs`."""
    return {name: np.full(n, number, kind) for (name, kind), number in zip(COLUMNS.items(), WRITTEN, strict=True)}


def version_of(file: Any, path: str | Path) -> FormVersion:
    """The version of the raw tree in an open file.

    Parameters
    ----------
    file : uproot.ReadOnlyDirectory
        From na64mu.events.root_io.open_file.
    path : str or Path
        Its path, for the message.

    Returns
    -------
    FormVersion
        Version 1 if the file does not say, or has no bookkeeping.

    Raises
    ------
    InputError
        If the bookkeeping is damaged, or its columns are no versions.
    """
    if "runs" not in file.keys(cycle=False, recursive=False):
        return FormVersion(1)
    tree = find_tree(file, path, "runs")
    present = [name for name in COLUMNS if name in tree.keys()]  # noqa: SIM118  # an RNTuple is no mapping
    if "form_version" not in present:
        return FormVersion(1)
    columns = read_columns(tree, present, path)
    major = columns["form_version"].to_list()
    minor = columns["form_minor"].to_list() if "form_minor" in columns else [0] * len(major)
    wrong = [value for value in [*major, *minor] if not isinstance(value, int) or value < 0] or [value for value in major if value == 0]
    if wrong:
        msg = f"{path}: tree 'runs' has the version {wrong[0]!r}, versions of the raw tree are the numbers 1, 2 ...; write the file again"
        raise InputError(msg)
    return max(map(FormVersion, major, minor), default=FormVersion(2))  # the columns came with version 2


def check_version(file: Any, path: str | Path) -> FormVersion | None:
    """Make sure that the raw tree in an open file has a version that can be read.

    Parameters
    ----------
    file : uproot.ReadOnlyDirectory
        An open file.
    path : str or Path
        Its path, for messages.

    Returns
    -------
    FormVersion or None
        None if the bookkeeping is damaged: who reads it says so, and its events may be whole.

    Raises
    ------
    InputError
        If it is newer in more than optional parts; the message says what is known and what to do.
    """
    try:
        version = version_of(file, path)
    except InputError:
        return None
    if version.major > VERSION:
        msg = (
            f"{path}: the raw tree has version {version}, this na64mu knows versions 1 to {VERSION}: "
            f"install a newer na64mu, or have the file written in version {VERSION}"
        )
        raise InputError(msg)
    return version
