"""Batches of a sample in worker processes: results come in order, with a few batches computed ahead of the one that is needed next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from na64mu.common.processes import pool
from na64mu.compiled.folder import kernel_folder
from na64mu.errors import Na64muError

__all__ = ("in_order",)

T = TypeVar("T")

AHEAD = 2  # batches under way or waiting per worker: it bounds the memory when writing is slower than making


def in_order(make: Callable[[int], T], n: int, workers: int) -> Iterator[T]:
    """Results of a function for 0 to n - 1, in this order.

    Parameters
    ----------
    make : callable
        Function of the number; with more than one worker it must be picklable.
    n : int
        Number of calls.
    workers : int
        Processes; 1 works in this one.

    Yields
    ------
    T
        Results.

    Raises
    ------
    Na64muError
        If a worker ends without a result.
    """
    workers = min(workers, n)
    if workers <= 1:
        yield from map(make, range(n))
        return
    kernel_folder()  # chosen before any worker starts: they share a temporary one
    pending: deque[Future[T]] = deque()
    with pool(workers) as processes:
        try:
            for i in range(n):
                pending.append(processes.submit(make, i))
                if len(pending) >= AHEAD * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            msg = f"a worker of the simulation ended without a result (killed, or no memory): try fewer than {workers} workers"
            raise Na64muError(msg) from error
        finally:
            for future in pending:
                future.cancel()
