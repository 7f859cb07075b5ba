"""Memory of one worker: parsing of sizes, the chunk size that fits, and the limit while a chunk is processed.

The limit is one on new allocations, so that what does not fit raises MemoryError, with a sentence, where the operating system would kill
the worker without a word. It needs Linux (RLIMIT_DATA); elsewhere only the chunk size keeps to it.
"""

from __future__ import annotations

import math
import re
import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from na64mu.errors import InputError

__all__ = ("Weighed", "at_most", "chunksize_within", "size_of", "text_of")

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}

#: Bytes of a worker that has imported everything, loaded the kernels and filled its first histograms (`benchmarks/memory.py`: 310 MB).
BASE = 350_000_000
#: Bytes at the peak of a chunk for every byte of its columns (`benchmarks/memory.py`: 4.2 to 5.0).
FACTOR = 6.0
#: The same for every byte of the largest basket of each branch, which is unpacked whole for a part of it (`benchmarks/memory.py`: 1.6).
UNPACKING = 2.0
#: A chunk has up to twice the number of events requested: it ends where a cluster ends.
ROUNDING = 2.0


class Weighed(Protocol):
    """A file whose event size is known."""

    @property
    def path(self) -> str:
        """Path of the file."""

    @property
    def bytes_per_event(self) -> float:
        """Mean size of the unpacked columns of one event [bytes]."""

    @property
    def basket_bytes(self) -> float:
        """Size of the largest baskets, which are unpacked whole even if only a part is needed [bytes]."""


def size_of(text: str) -> int:
    """Bytes of a size such as 2GB, 1.5 GiB or 800M.

    Raises
    ------
    InputError
        If it is none.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([KMGT]I?)?B?\s*", text.upper())
    if found is None or float(found[1]) == 0:
        msg = f"--memory {text!r}: a size such as 2GB or 800MB is wanted"
        raise InputError(msg)
    return round(float(found[1]) * UNITS[found[2] or ""])


def text_of(size: int) -> str:
    """A size in MB or GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def chunksize_within(limit: int, chunksize: int, files: Iterable[Weighed]) -> int:
    """The chunk size that keeps a worker within its memory.

    Parameters
    ----------
    limit : int
        Bytes of one worker.
    chunksize : int
        Events per chunk, if the memory allows it.
    files : iterable of SourceFile or SummaryFile
        Files to read.

    Returns
    -------
    int
        At most `chunksize`.

    Raises
    ------
    InputError
        If a worker needs more for a single event.
    """
    for file in files:
        needed = BASE + UNPACKING * file.basket_bytes
        room = (limit - needed) / (FACTOR * ROUNDING * max(file.bytes_per_event, 1.0))
        if room < 1:
            msg = (
                f"--memory {text_of(limit)}: a worker needs {text_of(math.ceil(needed))} before the first event of {file.path}, whose baskets "
                f"have {text_of(math.ceil(file.basket_bytes))}; give it more"
            )
            raise InputError(msg)
        chunksize = min(chunksize, math.floor(room))
    return chunksize


@contextmanager
def at_most(limit: int | None) -> Iterator[None]:
    """Let allocations fail with a MemoryError where this process would become larger than a limit.

    Parameters
    ----------
    limit : int, optional
        Bytes; no limit without it.

    Raises
    ------
    MemoryError
        Where that would be.
    """
    sizes = None if limit is None else _sizes()
    if limit is None or sizes is None:
        yield
        return
    resident, data = sizes
    if resident >= limit:
        msg = f"this process has {text_of(resident)} already"
        raise MemoryError(msg)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    own = data + limit - resident
    with suppress(ValueError, OSError):  # the machine's own limit is lower
        resource.setrlimit(resource.RLIMIT_DATA, (own if hard == resource.RLIM_INFINITY else min(own, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _sizes() -> tuple[int, int] | None:
    """Bytes of this process that are resident, and those of its data segment; None if the system does not report it."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if ":" in line)
        resident, data = (1024 * int(lines[key].split()[0]) for key in ("VmRSS", "VmData"))
    except (OSError, KeyError, ValueError):
        return None
    return resident, data
