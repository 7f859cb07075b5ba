"""Compiled kernels on disk: one file for each kernel and argument types, named by the hash of everything it depends on.

The key holds the texts of all source files that the kernel can reach (sources.py), the code and constants that it uses in memory
(contents.py), the types of its arguments, the flags with which it is compiled, the versions of Python, numba, llvmlite and this format,
and the processor with its features. Times of files are no part of it. Whatever of these changes, another file is read or made; the
old one stays for those who still have the old code, and is removed when it has not been used for `KEPT` days: every use of a file sets
its time again, and a process that compiles something looks for old ones once a day.

A file is written under another name and then renamed, and begins with the hash of its content: one that is cut short or changed is
compiled again, and so is one that belongs to another user. A disk that is full costs the time to compile, and a warning.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import stat
import sys
import tempfile
import time
from pathlib import Path
from types import FunctionType
from typing import Any

import llvmlite
import numba

from na64mu.compiled.contents import contents, modules_of
from na64mu.compiled.folder import kernel_folder
from na64mu.compiled.internals import CompileResult, NullCache, config, dumps, normalize_signature, untried
from na64mu.compiled.sources import stamp

__all__ = ("KernelCache", "remove_old")

_log = logging.getLogger(__name__)

FORMAT = b"na64mu kernel 2\n"
SUFFIX = ".kernel"
KEPT = 30  # days without use
DAY = 86_400.0

#: Settings of numba that change what is compiled and are no flags of a kernel.
_SETTINGS = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "USING_SVML", "ENABLE_PROFILING")


class KernelCache(NullCache):
    """The cache of one kernel, as numba's dispatchers use it."""

    def __init__(self, function: FunctionType, dispatcher: Any) -> None:
        self._function = function
        self._dispatcher = dispatcher
        self._keys: dict[Any, str] = {}

    @property
    def cache_path(self) -> str | None:
        """The folder, or None if there is none."""
        folder = kernel_folder().path
        return None if folder is None else str(folder)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel for a signature, or None if it must be compiled."""
        target_context.refresh()
        self._keys[str(sig)] = key = self._key(sig, target_context.codegen())
        folder = kernel_folder()
        for place in (folder.path, *folder.also_read):
            if place is not None and (result := self._loaded(place / self._name(key), key, sig, target_context)) is not None:
                return result
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel."""
        folder = kernel_folder().path
        if folder is None or data.lifted or data.library.has_dynamic_globals:
            return
        # the key from before the kernel was compiled: if something changed meanwhile, the new key does not lead here
        key = self._keys.pop(str(sig), None) or self._key(sig, data.codegen)
        payload = dumps((key, data._reduce()))
        try:
            _write(folder / self._name(key), FORMAT + hashlib.sha256(payload).digest() + payload)
            _once_in_a_process(folder)
        except OSError as error:
            _say_once(f"compiled kernels cannot be kept in {folder}: {error.strerror or error}")

    def _key(self, sig: Any, codegen: Any) -> str:
        """Return everything that the compiled kernel depends on, as text."""
        function, arguments = self._function, normalize_signature(sig)[0]
        modules = frozenset({str(function.__module__)}).union(*(modules_of(kind) for kind in arguments))
        inside = contents(function)
        modules |= {str(f.__module__) for f in inside.functions}
        versions = (sys.implementation.cache_tag, sys.version_info[:3], numba.__version__, llvmlite.__version__)
        settings = {name: str(getattr(config, name, None)) for name in _SETTINGS}
        parts = (
            FORMAT,
            _named(function),
            sig,
            _flags(self._dispatcher),
            versions,
            settings,
            codegen.magic_tuple(),
            inside.digest,
            stamp(modules),
        )
        return "\n".join(map(str, parts))

    def _name(self, key: str) -> str:
        return f"{_named(self._function)[-60:]}-{hashlib.sha256(key.encode()).hexdigest()[:32]}{SUFFIX}"

    def _loaded(self, path: Path, key: str, sig: Any, target_context: Any) -> Any:
        """Content of a file, or None if it is absent, damaged, of another user or of another key."""
        content = _read(path)
        if content is None:
            return None
        head, payload = len(FORMAT) + 32, content[len(FORMAT) + 32 :]
        if content[:head] != FORMAT + hashlib.sha256(payload).digest():
            _log.info("%s is damaged: it is compiled anew", path)
            return None
        try:
            written, reduced = pickle.loads(payload)
            if written != key:
                return None
            result = CompileResult._rebuild(target_context, *reduced)
        except Exception as error:  # noqa: BLE001  # whatever cannot be loaded is compiled anew
            _log.info("%s cannot be loaded (%s): it is compiled anew", path, error)
            return None
        # types of the same name need not be the same
        return result if tuple(result.signature.args) == tuple(normalize_signature(sig)[0]) else None


def _named(function: FunctionType) -> str:
    return f"{function.__module__}.{function.__qualname__}".replace("<", "").replace(">", "")


def _flags(dispatcher: Any) -> str:
    """Flags with which a kernel is compiled now: its own, and those that it inherits from the kernel that calls it."""
    flags = numba.core.compiler.Flags()
    dispatcher.targetdescr.options.parse_as_flags(flags, dispatcher.targetoptions)
    values = flags.values() | {"fastmath": sorted(flags.fastmath.flags)}
    return str(sorted((name, str(value)) for name, value in values.items()))


def _read(path: Path) -> bytes | None:
    """Content of a file of this user or root that others cannot change; its time becomes that of its last use."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if hasattr(os, "getuid") and (status.st_uid not in {0, os.getuid()} or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
                return None
            if time.time() - status.st_mtime > DAY and os.access(path, os.W_OK):
                os.utime(path)
            return file.read()
    except OSError:
        return None


def _write(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all; several processes may do so at once."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    part = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        part.chmod(path.parent.stat().st_mode & 0o644)  # those who may look into the folder may read
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


_SAID: set[str] = set()


def _say_once(sentence: str) -> None:
    if sentence not in _SAID:
        _SAID.add(sentence)
        _log.warning("%s", sentence)


_LOOKED_AT: set[Path] = set()


def _once_in_a_process(folder: Path) -> None:
    """After the first kernel was compiled, say if this numba is untried, and look for old files once a day."""
    if folder in _LOOKED_AT:
        return
    _LOOKED_AT.add(folder)
    if (sentence := untried()) is not None:
        _say_once(sentence)
    mark = folder / ".looked-for-old-kernels"
    if not mark.exists() or time.time() - mark.stat().st_mtime > DAY:
        mark.touch(mode=0o600)
        remove_old(folder)


def remove_old(folder: Path, days: float = KEPT) -> int:
    """Remove compiled kernels that have not been used for some days, and leftovers of interrupted processes.

    Parameters
    ----------
    folder : Path
        Folder of compiled kernels.
    days : float
        Days without use after which a file is removed.

    Returns
    -------
    int
        Number of files that were removed.
    """
    removed, before = 0, time.time() - days * DAY
    for path in [*folder.glob(f"*{SUFFIX}"), *folder.glob(".part-*")]:
        try:
            if path.stat().st_mtime < before:
                path.unlink()
                removed += 1
        except OSError:
            continue
    return removed
