"""The folder of compiled kernels: chosen once in a process, and never one to which another user could write code.

In this order: $NA64MU_CACHE, $NUMBA_CACHE_DIR, the folder of the package, the user's cache folder, and a private temporary folder,
which the processes that this one starts share and which is removed at the end. A folder is taken if a file can be written to it, and
if only this user and root can change it or one of the folders above it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import stat
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from na64mu.common.whole_file import locks

__all__ = ("KernelFolder", "choose", "kernel_folder", "unsafe")

#: Environment variables in which a user names the folder.
NAMED = ("NA64MU_CACHE", "NUMBA_CACHE_DIR")
#: Environment variable that passes the temporary folder of the first process of a run to the others.
OF_THIS_RUN = "NA64MU_CACHE_OF_THIS_RUN"


#: How the name of a temporary folder begins, and the file in it that its process has locked.
TEMPORARY, OWNER = "na64mu-kernels-", ".owner"
#: Descriptors of the locked files.
_OWNED: list[int] = []


@dataclass(frozen=True)
class KernelFolder:
    """Where compiled kernels are kept.

    Attributes
    ----------
    path : Path or None
        The folder that is written and read; None if there is none at all, and kernels live in memory only.
    persists : bool
        Whether the next process finds it.
    also_read : tuple of Path
        Folders that are read and not written: that of a package which was installed with its kernels compiled.
    problems : tuple of str
        Why folders that would have come first were not taken, one sentence each.
    """

    path: Path | None
    persists: bool
    also_read: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()


def unsafe(folder: Path) -> str | None:
    """Why code must not be loaded from a folder, or None.

    Parameters
    ----------
    folder : Path
        Resolved path without symbolic links; it and some of its parents need not exist yet.

    Returns
    -------
    str or None
        Reason: the folder or a parent belongs to another user or can be changed by others. A parent may be one like the temporary
        folder, where every user can write and none can remove the files of another.
    """
    if not hasattr(os, "getuid"):
        return None
    for place in (folder, *folder.parents):
        try:
            status = place.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            return f"{place} cannot be looked at ({error.strerror})"
        if status.st_uid not in {0, os.getuid()}:
            return f"{place} belongs to another user (uid {status.st_uid})"
        kept_apart = place != folder and status.st_mode & stat.S_ISVTX
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not kept_apart:
            return f"{place} can be written by others (mode {stat.S_IMODE(status.st_mode):04o})"
    return None


def _made(folder: Path, mode: int = 0o700) -> str | None:
    """Make a folder, with those above it; returns why it cannot be used, or None."""
    if (reason := unsafe(folder)) is not None:
        return reason
    try:
        for place in (*reversed(folder.parents), folder):
            if not place.is_dir():
                place.mkdir(mode=mode, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"it cannot be written ({error.strerror or error})"
    return unsafe(folder)


def _is_folder(path: Path) -> bool:
    """Whether a folder can be seen there."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _package_folder() -> Path:
    """Return the folder of the package in which Python keeps its own compiled files."""
    return Path(__file__).resolve().parents[1] / "__pycache__" / "kernels"


def _candidates() -> list[tuple[str, Path]]:
    """Folders that persist, with what to call them; one that the user names is spelled with its variable."""
    found = [(f"{name}={os.environ[name]}", Path(os.environ[name])) for name in NAMED if os.environ.get(name)]
    found.append(("the folder of the package", _package_folder()))
    cache, home = Path(os.environ.get("XDG_CACHE_HOME", "")), Path(os.environ.get("HOME", ""))
    if cache.is_absolute():
        found.append(("the user's cache folder", cache / "na64mu" / "kernels"))
    elif home.is_absolute() and _is_folder(home) and home != Path(home.root):
        found.append(("the user's cache folder", home / ".cache" / "na64mu" / "kernels"))
    return found


def choose() -> KernelFolder:
    """Choose the folder of compiled kernels, without the memory of `kernel_folder`.

    Returns
    -------
    KernelFolder
        The first that can be used; a temporary one is made if there is none.
    """
    problems: list[str] = []
    for name, named in _candidates():
        folder = named.resolve()
        # what is compiled in the folder of a package may be read by all who use the package
        reason = _made(folder, 0o755 if folder == _package_folder() else 0o700)
        if reason is None:
            return KernelFolder(folder, persists=True, also_read=_shipped(folder), problems=tuple(problems))
        problems.append(f"{name} is not used for compiled kernels: {reason}")
    return KernelFolder(_temporary(), persists=False, also_read=_shipped(None), problems=tuple(problems))


def _shipped(taken: Path | None) -> tuple[Path, ...]:
    """The folder of the package where it cannot be written: an image or a shared installation may hold it, filled."""
    folder = _package_folder()
    there = folder != taken and _is_folder(folder) and unsafe(folder) is None
    return (folder,) if there else ()


def _temporary() -> Path | None:
    """The folder of the process that started this one, or a new one for this process and those that it starts."""
    inherited = os.environ.get(OF_THIS_RUN)
    if inherited and _is_folder(Path(inherited)) and unsafe(Path(inherited).resolve()) is None and os.access(inherited, os.W_OK):
        return Path(inherited).resolve()
    _remove_left_over()
    try:
        folder = Path(tempfile.mkdtemp(prefix=TEMPORARY)).resolve()
        _OWNED.append(os.open(folder / OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        locks(_OWNED[-1])  # until this process ends, however that is
    except OSError:
        return None
    if unsafe(folder) is not None:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    os.environ[OF_THIS_RUN] = str(folder)
    atexit.register(_remove, folder, os.getpid())
    _remove_when_terminated(folder, os.getpid())
    return folder


def _remove_left_over() -> None:
    """Remove temporary folders of processes of this user that were killed: nobody has the lock in them any more."""
    for left in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        with suppress(OSError):
            if unsafe(left.resolve()) is not None or left.is_symlink():
                continue
            number = os.open(left / OWNER, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                if locks(number):
                    shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(number)


def _remove_when_terminated(folder: Path, process: int) -> None:
    """Remove the temporary folder also when this process is asked to end (SIGTERM), unless somebody else looks after that."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return

    def end(number: int, frame: object) -> None:  # noqa: ARG001 (Python's signature)
        _remove(folder, process)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, end)


def _remove(folder: Path, process: int) -> None:
    """Remove the temporary folder at the end of the process that made it, not of one that was forked from it."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


@lru_cache(maxsize=1)
def kernel_folder() -> KernelFolder:
    """The folder of compiled kernels of this process; what the user should know of it is said once, on stderr.

    Returns
    -------
    KernelFolder
        The same folder at every call, even if the environment changes.
    """
    inherited = os.environ.get(OF_THIS_RUN)
    folder = choose()
    for sentence in sentences(folder):
        if inherited is None or str(folder.path) != inherited:
            sys.stderr.write(sentence + "\n")
    return folder


def sentences(folder: KernelFolder) -> list[str]:
    """Tell the user if the folder that they named is not used, or if kernels are not kept."""
    said = [problem for problem in folder.problems if problem.startswith(NAMED)]
    if not folder.persists:
        where = f"in {folder.path}" if folder.path is not None else "in memory"
        said.append(
            f"na64mu: compiled kernels are kept only for this process ({where}), so every start compiles for about a minute; "
            "set NA64MU_CACHE to a folder that only you can write"
        )
    return said
