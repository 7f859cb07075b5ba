"""The lock of an output folder: one process writes into it at a time.

The lock is that of the operating system (flock) on a file in the folder, so that it ends with its process, however that ends. The file says which process it is,
and on which computer.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from na64mu.common.whole_file import locks
from na64mu.errors import FolderInUseError, writing

__all__ = ("LOCK", "locked")

#: Name of the file in the folder.
LOCK = ".lock"


@dataclass
class _Held:
    """A lock that this process has."""

    number: int
    thread: int
    times: int = 1


#: Folders that this process has locked.
_HELD: dict[str, _Held] = {}
_GUARD = threading.Lock()


@contextmanager
def locked(folder: str | os.PathLike[str], *, warn: bool = True) -> Iterator[None]:
    """Be the only process, and the only thread, that writes into a folder.

    Parameters
    ----------
    folder : str or path
        Made if it does not exist. The thread that has the lock may ask for it again.
    warn : bool
        Say on the log where the file system has no locks.

    Raises
    ------
    FolderInUseError
        If another process or thread has it.
    OutputError
        If the folder cannot be written.
    """
    path = Path(folder)
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    key, me = os.path.realpath(path), threading.get_ident()
    with _GUARD:
        held = _HELD.get(key)
        if held is None:
            number = _taken(path, warn=warn)
            _HELD[key] = _Held(number, me)
        elif held.thread == me:
            held.times += 1
        else:
            msg = f"{path}: another thread of this program is writing into it: give each its own folder"
            raise FolderInUseError(msg)
    try:
        yield
    finally:
        with _GUARD:
            held = _HELD[key]
            held.times -= 1
            if held.times == 0:
                del _HELD[key]
                try:
                    with suppress(OSError):
                        (path / LOCK).unlink(missing_ok=True)  # before the lock ends: nobody else can have it now
                finally:
                    os.close(held.number)


def _taken(folder: Path, *, warn: bool) -> int:
    """The locked file, open.

    Raises
    ------
    FolderInUseError
        If another process has it.
    """
    path = folder / LOCK
    while True:
        with writing(path):
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            if not locks(number):
                if warn:
                    _say_without_lock(folder)
                return number
            if _is_still_there(number, path):
                with suppress(OSError):  # a full disk; the lock holds without it
                    os.ftruncate(number, 0)
                    os.pwrite(number, _about_this_process(), 0)
                return number
        except BlockingIOError:
            msg = f"{folder}: is being written by {_owner(number)}: wait for its end, or choose another folder with -o"
            os.close(number)
            raise FolderInUseError(msg) from None
        os.close(number)  # its process ended between our opening and our locking it


def _is_still_there(number: int, path: Path) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.fstat(number), path.stat())
    return False


def _about_this_process() -> bytes:
    content = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
    return (json.dumps(content) + "\n").encode()


def _owner(number: int) -> str:
    """Which process has the lock, as far as its file says."""
    try:
        content = json.loads(os.pread(number, 1000, 0))
        return f"process {int(content['pid'])} on {content['host']} (since {content['since']})"
    except (OSError, ValueError, TypeError, KeyError):
        return "another process"


def _say_without_lock(folder: Path) -> None:
    import logging

    logging.getLogger(__name__).warning("%s: the file system has no locks; make sure that no other process writes into this folder", folder)
