"""What the processors share: reading a chunk into flat buffers, and a clock for each stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from na64mu.errors import InputError
from na64mu.events.batch import RawBatch

__all__ = ("Clock", "read_chunk")


class Clock:
    """Seconds spent in named stages of one chunk."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time inside the `with` block to a stage."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def read_chunk(events: Any) -> RawBatch:
    """Read all columns of a chunk at once, so that damaged bytes show here and nowhere later.

    Parameters
    ----------
    events : NanoEvents
        Virtual events of one chunk.

    Returns
    -------
    RawBatch
        Flat buffers.

    Raises
    ------
    InputError
        If a column cannot be read.
    """
    try:
        return RawBatch.from_events(events)
    except MemoryError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines()
        reason = lines[0][:200] if lines else type(error).__name__
        msg = f"the columns cannot be read, the file is truncated or damaged ({type(error).__name__}: {reason}); copy or make it again"
        raise InputError(msg) from error
