"""Checks of output paths: never a file that is read, never a device, never a place that is not writable."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from na64mu.errors import InputError, OutputError

__all__ = ("kind_of_special", "must_be_apart", "must_be_writable")

KINDS = (
    (stat.S_ISFIFO, "a fifo (named pipe)"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def kind_of_special(path: str | os.PathLike[str]) -> str:
    """Return the kind of a path that is neither a file nor a folder: reading it could block or never end.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    str
        Such as "a device"; empty for a file, a folder, or nothing.
    """
    with suppress(OSError, ValueError):
        mode = os.stat(path).st_mode  # noqa: PTH116  # Path would drop what makes an address one
        return next((words for test, words in KINDS if test(mode)), "")
    return ""


def must_be_apart(target: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse to overwrite a file that is read, under any name or link.

    Parameters
    ----------
    target : str or path
        File to write.
    inputs : iterable of str or path
        Files that are read; addresses are no files.

    Raises
    ------
    InputError
        If one of them is the target.
    """
    for name in inputs:
        if "://" not in str(name) and _same(Path(target), Path(name)):
            msg = f"{target}: is read as an input ({name}) and would be overwritten: choose another output"
            raise InputError(msg)


def _same(one: Path, other: Path) -> bool:
    with suppress(OSError, ValueError):
        return one.samefile(other)
    return False


def must_be_writable(target: str | os.PathLike[str]) -> None:
    """Say before the work what would fail after it.

    Parameters
    ----------
    target : str or path
        File or folder to write.

    Raises
    ------
    OutputError
        If it is no file or folder, if what should be a folder above it is a file, or if the user may not write there.
    """
    special = kind_of_special(target)
    if special:
        msg = f"{target}: cannot be written: it is {special}"
        raise OutputError(msg)
    place = Path(target).absolute()
    if place.is_file():
        place = place.parent
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        msg = f"{target}: cannot be written: {place} is a file, not a folder"
        raise OutputError(msg)
    if not os.access(place, os.W_OK | os.X_OK):
        msg = f"{target}: cannot be written: the folder {place} may not be written to"
        raise OutputError(msg)
