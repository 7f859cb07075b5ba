"""How files are processed: executor, chunks, checkpoint; and the one wrapper around coffea's Runner."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from na64mu.analysis.losses import Loss
from na64mu.errors import InputError
from na64mu.execution.checkpoint import Checkpoint
from na64mu.execution.executors import ExecutorName, n_parallel, open_executor, quiet_coffea
from na64mu.execution.fileset import Fileset
from na64mu.execution.guard import GuardedProcessor, worker_errors
from na64mu.execution.ranges import Ranges, reconciled
from na64mu.execution.summary_chunks import SummaryRunner, chunks_of, needed_columns
from na64mu.execution.summary_fileset import SummaryFileset
from na64mu.execution.waves import key_of_chunk, sum_in_order, with_retries
from na64mu.tomlmodel import content_hash

__all__ = ("Job", "process_fileset", "process_summaries")


@dataclass(frozen=True)
class Job:
    """How a fileset is processed; see `run_search`. `identity` says what kept chunks belong to."""

    executor: ExecutorName = "iterative"
    workers: int = 1
    scheduler: Any = None
    chunksize: int = 100_000
    align_clusters: bool | None = None
    maxchunks: int | None = None
    progress: bool = False
    output: str | Path | None = None
    resume: bool = False
    identity: Mapping[str, Any] = field(default_factory=dict)

    def checkpoint(self, chunks: Sequence[Any]) -> Checkpoint | None:
        """Where finished chunks are kept; None if they are not."""
        if self.output is None:
            return None
        plan = content_hash([list(key_of_chunk(c)) for c in chunks])
        return Checkpoint(Path(self.output), {**self.identity, "chunks": plan}, self.resume)


Outcome = tuple[dict[str, Any], dict[tuple[str, str], tuple[Ranges, Ranges]], list[Loss]]


def process_fileset(fileset: Fileset, processor: Any, job: Job, *, layout: Any = None) -> Outcome:
    """Run any processor over raw trees and find out what was not read.

    Parameters
    ----------
    fileset : Fileset
        From `inspect_files`.
    processor : ProcessorABC
        Returns an addable dictionary per chunk; raises InputError for input that cannot be read.
    job : Job
        How.
    layout : Layout, optional
        Of foreign trees.

    Returns
    -------
    out : dict
        Sum of what the processor returned; empty if every chunk was lost.
    ranges : dict of (str, str) to (ranges, ranges)
        (dataset, path) -> entry ranges read and not read.
    losses : list of Loss
        Chunks that could not be read, and what `maxchunks` left out.
    """
    from coffea.processor import IterativeExecutor, Runner

    from na64mu.events.schema import schema_for

    align = job.align_clusters
    if align is None:
        align = job.chunksize >= max((f.largest_cluster for f in fileset.files), default=0)
    guarded = GuardedProcessor(processor)
    with open_executor(job.executor, job.workers, job.scheduler) as chosen, quiet_coffea(show_progress=False), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Skipping bad file")  # booked below
        runner = Runner(
            executor=chosen,
            pre_executor=IterativeExecutor(retries=0),
            schema=schema_for(layout),
            chunksize=job.chunksize,
            maxchunks=job.maxchunks,
            align_clusters=align,
            metadata_cache=fileset.known(),
            skipbadfiles=(OSError, InputError),
        )
        chunks = list(runner.preprocess(fileset.for_runner()))
        if job.executor != "iterative" and job.scheduler is None and len(chunks) > 1:
            _warm_kernels(runner, chunks, guarded)
        out, gone = sum_in_order(
            chunks,
            with_retries(lambda wave: _run(runner, list(wave), guarded)),
            workers=n_parallel(chosen, job.workers),
            checkpoint=job.checkpoint(chunks),
            show=job.progress,
        )
    whole = {(f.dataset, f.path): ((0, f.entries),) for f in fileset.files}
    ranges, lost = reconciled(whole, chunks, out, gone)
    return out, ranges, lost if align else [*lost, *_unverified(fileset, job.chunksize)]


def _unverified(fileset: Fileset, chunksize: int) -> list[Loss]:
    """A note for every file whose checksums are of larger parts than the chunks."""
    return [
        Loss(
            f.dataset,
            f.path,
            "note",
            f"{f.path}: its checksums were not compared, they are of up to {f.largest_cluster} events and the chunks are smaller: "
            f"take --chunksize {f.largest_cluster} or more, or run `na64mu check` before",
        )
        for f in fileset.files
        if f.has_checksums and f.largest_cluster > chunksize
    ]


def process_summaries(fileset: SummaryFileset, processor: Any, job: Job) -> Outcome:
    """Run the search over event summaries; parameters and results as of `process_fileset`."""
    chunks = chunks_of(fileset, needed_columns(processor.working_point), job.chunksize, job.maxchunks)
    runner = SummaryRunner(processor)
    with open_executor(job.executor, job.workers, job.scheduler) as chosen, quiet_coffea(show_progress=False):

        def run_wave(wave: Sequence[Any]) -> Mapping[Any, Any]:
            with worker_errors():
                return dict(chosen(list(wave), runner, {})[0].get("chunks", {}))

        out, gone = sum_in_order(
            chunks, with_retries(run_wave), workers=n_parallel(chosen, job.workers), checkpoint=job.checkpoint(chunks), show=job.progress
        )
    whole = {(f.dataset, f.path): f.rows for f in fileset.files}
    return (out, *reconciled(whole, chunks, out, gone))


def _run(runner: Any, chunks: list[Any], processor: Any) -> dict[Any, Any]:
    """Results of chunks by their keys."""
    if not chunks:
        return {}
    with worker_errors():
        try:
            return dict(runner.run(chunks, processor)["out"]["chunks"])
        except ValueError as error:
            if str(error).startswith("No chunks returned results"):
                return {}
            raise


def _warm_kernels(runner: Any, chunks: list[Any], processor: Any) -> None:
    """Process one event here, so that compiled kernels are in the cache before workers ask for them all at once."""
    from coffea.processor import IterativeExecutor

    first = next((c for c in chunks if len(c) > 0), None)
    if first is not None:
        _run(replace(runner, executor=IterativeExecutor(retries=0)), [replace(first, entrystop=first.entrystart + 1)], processor)
