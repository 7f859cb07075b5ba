"""Files that appear whole or not at all: written beside under a name of their own, and renamed when they are complete and on disk."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from na64mu.errors import OutputError, writing

__all__ = ("locks", "on_disk", "remove_left_over", "whole_file", "write_whole")

#: Characters of a name that its temporary one repeats: file systems allow 255 bytes.
REPEATED = 50


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file beside its place, and put it there at the end.

    What an interrupted process left behind for the same file is removed.

    Parameters
    ----------
    path : str or path
        File to write; a link is followed. Its folder exists.

    Yields
    ------
    Path
        An empty file beside it, to be written. It has another ending.

    Raises
    ------
    OutputError
        If it cannot be written; nothing of it is left then, and a file that was there before is unchanged.
    """
    with writing(path):
        target = Path(os.path.realpath(path))
        mode = _mode_of(target)
        remove_left_over(target)
        part = target.with_name(f"{_prefix(target)}{os.getpid()}-{secrets.token_hex(4)}.part")
        part.touch(exist_ok=False)
    try:
        with _held(part), writing(path):
            yield part
            if mode is not None:
                part.chmod(mode)
            on_disk(part)
            part.replace(target)
            on_disk(target.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike[str], text: str | bytes) -> Path:
    """Write a text in UTF-8, or bytes, so that the file appears whole or not at all.

    Parameters
    ----------
    path : str or path
    text : str or bytes
        Line ends are written as they are.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with whole_file(path) as part:
        part.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return Path(path)


def on_disk(path: Path) -> None:
    """Wait until a file, or the list of names of a folder, is on disk, so that it outlives a power cut.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        If it cannot be written: some file systems say so only now.
    """
    try:
        number = os.open(path, os.O_RDONLY)
    except PermissionError:  # a folder that may be written to, but not listed
        return
    try:
        os.fsync(number)
    except OSError:
        if path.is_file():  # file systems that cannot do it for folders say so
            raise
    finally:
        os.close(number)


def remove_left_over(target: Path) -> None:
    """Remove what killed processes left behind of a file; what another process is writing now stays.

    Parameters
    ----------
    target : Path
        The file that they were writing.
    """
    prefix = _prefix(target)
    with suppress(OSError):
        for left in target.parent.iterdir():
            if left.name.startswith(prefix) and left.name.endswith(".part"):
                with suppress(OSError), _held(left) as is_mine:
                    if is_mine:
                        left.unlink()


def _prefix(target: Path) -> str:
    return f".{target.name[:REPEATED]}."


def _mode_of(target: Path) -> int | None:
    """Permissions of a file that is there already; None if there is none.

    Raises
    ------
    OSError
        If it is no file, or may not be written.
    """
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        msg = f"{target}: cannot be written: it is a folder"
        raise OutputError(msg)
    if not stat.S_ISREG(mode):
        msg = f"{target}: cannot be written: it is no regular file"
        raise OutputError(msg)
    if not os.access(target, os.W_OK):
        msg = f"{target}: cannot be written: it is write-protected; choose another name, or allow it with `chmod u+w`"
        raise OutputError(msg)
    return stat.S_IMODE(mode)


@contextmanager
def _held(part: Path) -> Iterator[bool]:
    """Mark a temporary file as being written; False where the file system has no locks.

    Raises
    ------
    BlockingIOError
        If another process is writing it.
    """
    number = os.open(part, os.O_RDWR)
    try:
        yield locks(number)
    finally:
        os.close(number)


def locks(number: int) -> bool:
    """Lock an open file for this process, until it is closed.

    Parameters
    ----------
    number : int
        Descriptor of the open file.

    Returns
    -------
    bool
        False where the system or the file system has no such locks.

    Raises
    ------
    BlockingIOError
        If another process has locked it.
    """
    try:
        import fcntl

        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except (ImportError, OSError):
        return False
    return True
