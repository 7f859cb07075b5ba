"""The main job: files in, what a processor makes of them out, with exposure and the list of losses, on any executor."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from na64mu.calibration.windows import Calibration
from na64mu.common.arguments import file_name
from na64mu.common.folder_lock import locked
from na64mu.detector import DetectorLike
from na64mu.errors import ArgumentError, FolderInUseError
from na64mu.execution.checkpoint import Checkpoint
from na64mu.execution.executors import checked_executor
from na64mu.execution.job import Job, process
from na64mu.execution.opening import Opening
from na64mu.execution.options import RunOptions
from na64mu.execution.outcome import Ran, result_of_own, result_of_search
from na64mu.execution.plan import Plan, plan_of, stop_if_needed
from na64mu.inputs.frozen_floors import Freezes
from na64mu.inputs.memory import chunksize_within
from na64mu.inputs.refused import row_losses
from na64mu.results.processor import ProcessorResult
from na64mu.results.run import RunResult
from na64mu.selections.working_point import WorkingPoint

if TYPE_CHECKING:
    from coffea.processor import ProcessorABC

    from na64mu.events.layout import Layout
    from na64mu.processors.base import Processor
    from na64mu.reconstruction.event_summary import EventSummary

__all__ = ("forget_checkpoint", "run", "run_search")

log = logging.getLogger(__name__)

Files = Iterable[str | Path] | str | Path
Calibrations = Calibration | str | Path | Iterable[Calibration | str | Path] | None


@overload
def run(
    files: Files,
    processor: None = None,
    *,
    selection: str | Path | WorkingPoint = ...,
    executor: Any = ...,
    options: RunOptions | None = ...,
    detector: DetectorLike | None = ...,
    calibration: Calibrations = ...,
    layout: Layout | str | Path | None = ...,
    user: str | Path | Iterable[str | Path] = ...,
    accept_calibration: bool = ...,
    freeze: Freezes = ...,
    unblind: Opening | None = ...,
) -> RunResult: ...


@overload
def run(
    files: Files,
    processor: Processor | ProcessorABC | Callable[[EventSummary], Any] | str,
    *,
    selection: str | Path | WorkingPoint = ...,
    executor: Any = ...,
    options: RunOptions | None = ...,
    detector: DetectorLike | None = ...,
    calibration: Calibrations = ...,
    layout: Layout | str | Path | None = ...,
    user: str | Path | Iterable[str | Path] = ...,
    accept_calibration: bool = ...,
    freeze: Freezes = ...,
) -> ProcessorResult: ...


def run(
    files: Files,
    processor: Any = None,
    *,
    selection: str | Path | WorkingPoint = "prl2024",
    executor: Any = "iterative",
    options: Any = None,
    detector: DetectorLike | None = None,
    calibration: Calibrations = None,
    layout: Layout | str | Path | None = None,
    user: str | Path | Iterable[str | Path] = (),
    accept_calibration: bool = False,
    freeze: Freezes = None,
    unblind: Opening | None = None,
) -> RunResult | ProcessorResult:
    """Run the search, or a processor of your own, over files.

    Parameters
    ----------
    files : str, Path or iterable of them
        Paths, globs, folders, addresses, or a fileset JSON: raw trees, or event summaries of `na64mu reconstruct`.
    processor : callable, Processor, coffea ProcessorABC or str, optional
        The search by default. Text is the name of one in the `user` files, or "FILE.py:NAME". An instance of coffea's `ProcessorABC` is given raw events (NanoEvents of the schema of the raw tree), an object
        with `process(summary, chunk)` or a function of the summary is given event summaries; see na64mu.processors.base. What it returns for
        each chunk is added up, in the order of the chunks. It must not keep anything from one chunk to the next: chunks run in
        different processes, and the first event may be given to it once more, to compile the kernels.
    selection : WorkingPoint, str or Path
        Working point: itself, a name or a TOML file. A processor of your own is not given the events of its signal box in data.
    executor : str or executor
        iterative (this process), futures (local processes), dask, or another name of `na64mu.execution.executors.EXECUTORS`; or an object
        with the interface of coffea's executors.
    options : RunOptions, optional
        Chunks, workers, memory, and what is kept to resume from.
    detector : Detector, str or Path, optional
        Detector description, its tag or TOML file, that replaces the tags in the files.
    calibration : Calibration, str, Path or iterable of them, optional
        Calibrations or their files; for the search, detectors without one take the calibration that ships with the package.
    layout : Layout, str or Path, optional
        Layout of a foreign tree.
    user : str, Path or sequence of them
        Python files that register cuts of your own (`na64mu.selections.register_cut`).
    accept_calibration : bool
        Take a calibration that was made for another description of the calorimeters; without it such a one is refused.
    freeze : str, Path, Freeze or iterable of them, optional
        Freeze files that hold beside those found beside the data (na64mu.inputs.frozen_floors).
    unblind : Opening, optional
        What `na64mu.open_box` gives: opens the signal box of data, once. It is refused if the record of openings does not have it, if
        this run is not what was frozen, or if a processor of your own is run.

    Returns
    -------
    RunResult or ProcessorResult
        The result of the search; or what your own processor returned, with exposure, losses and provenance. What could not be read is in
        `losses` and lowers the exposure.

    Raises
    ------
    InputError
        If nothing can be read, or (strict) anything cannot.
    BlindedError
        If `unblind` is no recorded opening of what is run, or the box of the selection does not contain one that is frozen.
    CheckpointError
        If the chunks that are kept belong to something else, or what a processor returns cannot be kept.
    ProcessorError
        If a processor of your own is none, fails, or returns what cannot be added up.
    DetectorError, CalibrationError, SelectionError, WorkerError
        If the configuration is wrong; see the message.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    options = RunOptions() if options is None else options
    if not isinstance(options, RunOptions):
        msg = f"options: a RunOptions is wanted, such as na64mu.RunOptions(chunksize=50_000); found {type(options).__name__}"
        raise ArgumentError(msg)
    executor = checked_executor(executor)
    plan = plan_of(
        files,
        processor,
        selection=selection,
        detector=detector,
        calibration=calibration,
        layout=layout,
        user=user,
        accept_calibration=accept_calibration,
        unblind=unblind,
        freeze=freeze,
        strict=options.strict,
        hashed=options.output is not None,
    )
    if options.memory_limit is not None:
        options = replace(options, chunksize=chunksize_within(options.memory_limit, options.chunksize, plan.fileset.files))
    origin = "" if layout is None else str(layout if isinstance(layout, str | Path) else layout.origin)
    with nullcontext() if plan.unblind is None else plan.unblind.outcome():
        with nullcontext() if options.output is None else locked(options.output):
            ran = _ran(plan, Job(executor, options, plan.identity()), origin, started)
        for loss in ran.losses:
            log.log(logging.WARNING if loss.is_damage else logging.INFO, "%s", loss.reason)
        make = result_of_search if plan.own is None else result_of_own
        return make(plan, ran, clock)


def _ran(plan: Plan, job: Job, layout: str, started: datetime) -> Ran:
    """Process the files of a plan."""
    sent, source, stamps = plan.processor(job.executor), plan.source, plan.stamps
    out, ranges, chunk_losses = process(source, sent, job)
    plan.must_be_unchanged(stamps)
    unread = {key: not_read for key, (_, not_read) in ranges.items()}
    exposure, book_losses = source.books(out.get("events", {}), unread, out.get("refused"))
    book_losses += row_losses(out.get("sums", {}), exposure)
    losses = (*source.losses, *chunk_losses, *book_losses, *plan.configuration.notes())
    found = {name: out["datasets"][name] for name in source.datasets if name in out.get("datasets", {})}
    refused = bool(out.get("refused")) and not any(out.get("events", {}).values())
    stop_if_needed(losses, strict=job.options.strict, nothing_left=not found or refused)
    return Ran(found, ranges, exposure, losses, out["timing"], job, layout, started)


def run_search(
    files: Files,
    *,
    selection: str | Path | WorkingPoint = "prl2024",
    executor: Any = "iterative",
    detector: DetectorLike | None = None,
    calibration: Calibrations = None,
    layout: Layout | str | Path | None = None,
    user: str | Path | Iterable[str | Path] = (),
    accept_calibration: bool = False,
    freeze: Freezes = None,
    unblind: Opening | None = None,
    chunksize: int = 100_000,
    maxchunks: int | None = None,
    align_clusters: bool | None = None,
    workers: int | None = None,
    scheduler: Any = None,
    tls_ca: str | Path | None = None,
    tls_cert: str | Path | None = None,
    tls_key: str | Path | None = None,
    memory: int | str | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    strict: bool = False,
    progress: bool = True,
) -> RunResult:
    """Run the search over files: `na64mu.run` with the options one by one.

    Parameters
    ----------
    files, selection, executor, detector, calibration, layout, user, accept_calibration, freeze, unblind
        As in `na64mu.run`.
    chunksize, maxchunks, align_clusters, workers, scheduler, tls_ca, tls_cert, tls_key, memory, output, resume, strict, progress
        As in `RunOptions`.

    Returns
    -------
    RunResult
        Everything found; what could not be read is in `losses` and lowers the exposure.
    """
    return run(
        files,
        selection=selection,
        executor=executor,
        options=RunOptions(
            chunksize=chunksize,
            maxchunks=maxchunks,
            align_clusters=align_clusters,
            workers=workers,
            scheduler=scheduler,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            memory=memory,
            output=output,
            resume=resume,
            strict=strict,
            progress=progress,
        ),
        detector=detector,
        calibration=calibration,
        layout=layout,
        user=user,
        accept_calibration=accept_calibration,
        freeze=freeze,
        unblind=unblind,
    )


def forget_checkpoint(output: str | Path) -> None:
    """Remove the chunks that a run kept, once its result is written; those of another process that began since stay."""
    folder = Path(file_name(output, "output"))
    if folder.is_dir():
        with suppress(FolderInUseError), locked(folder):
            Checkpoint(folder, {}).remove()
