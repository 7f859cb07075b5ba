"""Errors of workers: a processor in a shell that books what cannot be read, and what every other error is turned into."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from coffea.processor import ProcessorABC

from na64mu.analysis.losses import Loss
from na64mu.errors import InputError, Na64muError, WorkerError

__all__ = ("GuardedProcessor", "worker_errors")


#: Files and trees, without columns, that may wait in memory to be found as garbage.
MOST_CHUNKS = 8


class GuardedProcessor(ProcessorABC):
    """Runs another processor and names the result after its chunk; a chunk that cannot be read becomes a `Loss` in the list "lost".

    coffea itself would swallow every OSError, so one that is raised by the processor's own code is turned into a RuntimeError.

    Parameters
    ----------
    processor : ProcessorABC
        What to run; it raises InputError for input that cannot be read.
    """

    #: Chunks of this process since the last search of the garbage. Files and trees hang in cycles, and memory would grow by them with
    #: every chunk; a search takes as long as reading some thousand events.
    _chunks: ClassVar[int] = 0

    def __init__(self, processor: ProcessorABC) -> None:
        self.processor = processor

    def process(self, events: Any) -> dict[str, Any]:
        """Process one chunk, or book it as lost."""
        if GuardedProcessor._chunks >= MOST_CHUNKS:
            gc.collect()
            GuardedProcessor._chunks = 0
        where = events.metadata
        result = self._result(events)
        # columns that were read into virtual arrays hang in these cycles too: then not one chunk more
        GuardedProcessor._chunks = MOST_CHUNKS if events.layout.is_any_materialized else GuardedProcessor._chunks + 1
        return {"chunks": {(where["dataset"], where["filename"], int(where["entrystart"]), int(where["entrystop"])): result}}

    def _result(self, events: Any) -> dict[str, Any]:
        try:
            return {**self.processor.process(events), "lost": []}
        except InputError as error:
            return {"lost": [_loss(events.metadata, error)]}
        except OSError:
            msg = f"the processor {type(self.processor).__name__} failed:\n{traceback.format_exc()}"
            raise RuntimeError(msg) from None


def _loss(metadata: dict[str, Any], error: InputError) -> Loss:
    path, start, stop = metadata["filename"], int(metadata["entrystart"]), int(metadata["entrystop"])
    reason = f"{path}: entries {start} to {stop - 1} are lost: {error}"
    return Loss(metadata["dataset"], path, "chunk", reason, start, stop)


@contextmanager
def worker_errors() -> Iterator[None]:
    """Errors that na64mu raises on purpose come out of coffea's wrapping as they are; a dead worker becomes one sentence."""
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
