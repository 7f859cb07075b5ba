"""Processing of files: executor, chunks, checkpoint; coffea plans the chunks of raw trees, and its executors run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from na64mu.common.toml_model import content_hash
from na64mu.errors import WorkerError
from na64mu.execution.batches import sum_in_order, with_retries
from na64mu.execution.carried import must_arrive
from na64mu.execution.checkpoint import Checkpoint
from na64mu.execution.executors import checked_executor, default_workers, in_this_process, n_parallel, open_executor, quiet_coffea
from na64mu.execution.options import RunOptions
from na64mu.inputs.chunk import key_of_chunk
from na64mu.inputs.chunk_errors import worker_errors
from na64mu.inputs.chunk_runner import ChunkRunner
from na64mu.inputs.entry_ranges import Ranges, reconciled
from na64mu.inputs.refused import must_add_up
from na64mu.inputs.source import Source
from na64mu.results.losses import Loss

__all__ = ("Job", "process")


@dataclass(frozen=True)
class Job:
    """Executor and options for processing a fileset; `identity` identifies the run to which kept chunks belong."""

    executor: Any = "iterative"
    options: RunOptions = field(default_factory=RunOptions)
    identity: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "executor", checked_executor(self.executor))

    @property
    def workers(self) -> int:
        """Local processes."""
        return default_workers(self.executor) if self.options.workers is None else self.options.workers

    def open(self) -> AbstractContextManager[Any]:
        """Start the workers and hand out the executor."""
        return open_executor(self.executor, self.workers, self.options.address, self.options.memory_limit)

    def checkpoint(self, chunks: Sequence[Any]) -> Checkpoint | None:
        """Return the checkpoint that keeps finished chunks; None if they are not kept."""
        if self.options.output is None:
            return None
        plan = content_hash([list(key_of_chunk(c)) for c in chunks])
        return Checkpoint(Path(self.options.output), {**self.identity, "chunks": plan}, self.options.resume)


Outcome = tuple[dict[str, Any], dict[tuple[str, str], tuple[Ranges, Ranges]], list[Loss]]


def process(source: Source, processor: Any, job: Job) -> Outcome:
    """Run a processor over the events of a source and find out what was not read.

    Parameters
    ----------
    source : Source
        Files to process.
    processor : Any
        What the reader of the source gives the events to; raises InputError for input that cannot be read.
    job : Job
        Options of the processing.

    Returns
    -------
    out : dict
        Sum of what the processor returned; empty if every chunk was lost.
    ranges : dict of (str, str) to (ranges, ranges)
        (dataset, path) -> entry ranges read and not read.
    losses : list of Loss
        Chunks that could not be read, what `maxchunks` left out, and what is wrong with the events.
    """
    options = job.options
    runner = ChunkRunner(processor, source.reader(), options.memory_limit)
    with job.open() as chosen, quiet_coffea(show_progress=False):
        must_arrive(processor, chosen)
        chunks = source.chunks(options.chunksize, options.maxchunks, options.align_clusters)
        if source.is_raw and not in_this_process(job.executor) and options.scheduler is None and len(chunks) > 1:
            _warm_kernels(runner, chunks)
        out, gone = _run(chosen, chunks, runner, job)
    ranges, lost = reconciled(source.rows, chunks, out, gone)
    must_add_up(source.files, out, ranges, source.excluded)
    return out, ranges, [*lost, *source.losses_of(out, options.chunksize, options.align_clusters)]


def _run(executor: Any, chunks: list[Any], runner: Callable[[Any], dict[str, Any]], job: Job) -> tuple[dict[str, Any], list[Any]]:
    """Sum of the results, and chunks without one; as of `sum_in_order`."""

    def run_wave(wave: Sequence[Any]) -> Mapping[Any, Any]:
        with worker_errors():
            return _chunks_of(executor(list(wave), runner, {}), executor)

    workers = n_parallel(executor, job.workers)
    return sum_in_order(chunks, with_retries(run_wave), workers=workers, checkpoint=job.checkpoint(chunks), show=job.options.progress)


def _chunks_of(answer: Any, executor: Any) -> Mapping[Any, Any]:
    """Results of the chunks in what an executor returned: the accumulator, and what else it has to say."""
    if not isinstance(answer, tuple) or not answer or not isinstance(answer[0], Mapping):
        msg = f"the executor {type(executor).__name__} returned {type(answer).__name__}: (accumulator, ...) is wanted, as coffea's executors return it"
        raise WorkerError(msg)
    return dict(answer[0].get("chunks", {}))


def _warm_kernels(runner: Callable[[Any], Any], chunks: list[Any]) -> None:
    """Process one event here, so that compiled kernels are in the cache before workers ask for them all at once."""
    first = next((c for c in chunks if len(c) > 0), None)
    if first is not None:
        runner(replace(first, entrystop=first.entrystart + 1))
