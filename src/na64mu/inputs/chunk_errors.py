"""Error handling around one chunk: unreadable input, memory limits, garbage collection, dead workers."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from na64mu.errors import InputError, Na64muError, WorkerError
from na64mu.inputs.chunk import key_of_chunk
from na64mu.inputs.memory import at_most, text_of
from na64mu.results.losses import Loss

__all__ = ("guarded", "own_garbage", "worker_errors")


def guarded(chunk: Any, work: Callable[[], dict[str, Any]], memory: int | None = None) -> dict[str, Any]:
    """Result of one chunk under its key; a chunk that cannot be read becomes a `Loss` in the list "lost".

    Parameters
    ----------
    chunk : Chunk
        Names the result.
    work : callable
        Reads and processes the chunk; raises InputError for input that cannot be read.
    memory : int, optional
        Bytes that this process may have.

    Returns
    -------
    dict
        {"chunks": {key: result}}.

    Raises
    ------
    RuntimeError
        Instead of an OSError, which would look like one of the input.
    """
    key = key_of_chunk(chunk)
    dataset, path, start, stop = key
    with own_garbage():
        try:
            with at_most(memory):
                return {"chunks": {key: {**work(), "lost": []}}}
        except InputError as error:
            reason = str(error).removeprefix(f"{path}: ")
        except MemoryError as error:
            size = "there is" if memory is None else f"the {text_of(memory)} of --memory"
            reason = (
                f"they need more memory than {size}{f' ({error})' if str(error) else ''}; take a smaller --chunksize, or give a worker more"
            )
        except OSError:
            msg = f"the processor failed:\n{traceback.format_exc()}"
            raise RuntimeError(msg) from None
    loss = Loss(dataset, path, "chunk", f"{path}: entries {start} to {stop - 1} are lost: {reason}", start, stop)
    return {"chunks": {key: {"lost": [loss]}}}


@contextmanager
def own_garbage() -> Iterator[None]:
    """Collect reference cycles created inside the block immediately: files, trees and columns form them, and memory would grow.

    Older objects are excluded meanwhile: scanning them takes longer than reading a small file.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()


@contextmanager
def worker_errors() -> Iterator[None]:
    """Errors that na64mu raises on purpose are unwrapped from coffea's exceptions; a dead worker becomes one sentence."""
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, Na64muError):
                raise cause from None
            if type(cause).__name__ in ("TerminatedWorkerError", "BrokenProcessPool", "KilledWorker") or "KilledWorker" in str(cause):
                reason = str(cause).splitlines()[0]
                msg = f"a worker died ({reason}); it may have run out of memory: use a smaller --chunksize or fewer workers"
                raise WorkerError(msg) from error
            cause = cause.__cause__
        raise
