"""The main job: files in, cut-flow, plane, spectra, exposure and the list of losses out, on any executor."""

from __future__ import annotations

import logging
import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from na64mu.analysis.calibration import Calibration, load_calibration
from na64mu.analysis.exposure import Exposure, reconcile, reconcile_summaries
from na64mu.analysis.losses import Loss
from na64mu.analysis.provenance import InputFile, Provenance, file_hash, merged_ranges, package_versions, repository_state, source_hash
from na64mu.analysis.result import RunResult
from na64mu.errors import BlindedError, CalibrationError, InputError, Na64muError, WorkerError
from na64mu.execution.books import Ranges, bookkeeping_losses, books_of, complement
from na64mu.execution.checkpoint import Checkpoint
from na64mu.execution.executors import EXECUTORS, ExecutorName, default_workers, open_executor, quiet_coffea
from na64mu.execution.fileset import Fileset, inspect_files
from na64mu.execution.guard import GuardedProcessor
from na64mu.execution.summary_input import SummaryFileset, SummaryRunner, are_summaries, chunks_of, inspect_summaries, needed_columns
from na64mu.execution.waves import key_of_chunk, sum_in_order
from na64mu.selections.working_point import load_working_point
from na64mu.tomlmodel import content_hash

__all__ = ("Job", "forget_checkpoint", "load_calibrations", "process_fileset", "process_summaries", "run_search")

log = logging.getLogger(__name__)


def run_search(
    files: Sequence[str | Path] | str | Path,
    *,
    detector: str | None = None,
    selection: str | Path = "prl2024",
    calibration: str | Path | Sequence[str | Path] | None = None,
    layout: str | Path | None = None,
    executor: ExecutorName = "iterative",
    workers: int | None = None,
    scheduler: str | None = None,
    chunksize: int = 100_000,
    align_clusters: bool | None = None,
    maxchunks: int | None = None,
    strict: bool = False,
    progress: bool = True,
    output: str | Path | None = None,
    resume: bool = False,
    unblind: str | None = None,
) -> RunResult:
    """Run the search over files.

    Parameters
    ----------
    files : str, Path or sequence of them
        Paths, globs, folders, addresses, or a fileset JSON: raw trees, or event summaries of `na64mu reconstruct`.
    detector : str, optional
        Tag or TOML file of a detector description that stands for the tags in the files.
    selection : str or Path
        Working point: a name or a TOML file.
    calibration : str, Path or sequence of them, optional
        Calibration files; detectors without one take the calibration that ships with the package.
    layout : str or Path, optional
        Layout of a foreign tree.
    executor : str
        iterative (this process), futures (local processes) or dask.
    workers : int, optional
        Local processes; one for each core by default.
    scheduler : str, optional
        Address of a running Dask scheduler.
    chunksize : int
        Events per chunk; the result does not depend on it.
    align_clusters : bool, optional
        End chunks where baskets end, which reads faster; by default where the chunks are not made larger by it.
    maxchunks : int, optional
        Chunks per dataset, for a quick look; what is left out lowers the exposure.
    strict : bool
        Stop at the first input that cannot be read.
    progress : bool
        Show a bar on stderr if that is a terminal.
    output : str or Path, optional
        Output folder; finished chunks are kept in it until `forget_checkpoint` is called. Nothing is kept without one.
    resume : bool
        Continue from the chunks that are kept in `output`.
    unblind : str, optional
        Configuration hash of the frozen selection: opens the signal box of data, and is refused if it is not that of this run.

    Returns
    -------
    RunResult
        Everything found; what could not be read stands in `losses` and lowers the exposure.

    Raises
    ------
    InputError
        If nothing can be read, or (strict) anything cannot.
    BlindedError
        If the hash to unblind is not that of this configuration.
    CheckpointError
        If the chunks that are kept belong to something else.
    DetectorError, CalibrationError, SelectionError, WorkerError
        If the configuration is wrong; see the message.
    """
    from na64mu.events.layout import load_layout
    from na64mu.processors.search import SearchProcessor

    started, clock = datetime.now(UTC), time.perf_counter()
    if executor not in EXECUTORS:
        msg = f"no executor {executor!r}: there are {', '.join(EXECUTORS)}"
        raise WorkerError(msg)
    n_workers = default_workers(executor) if workers is None else workers
    working_point = load_working_point(selection)
    foreign = None if layout is None else load_layout(layout)
    fileset: Fileset | SummaryFileset
    if foreign is None and are_summaries(files):
        fileset = inspect_summaries(files, detector=detector, working_point=working_point)
    else:
        fileset = inspect_files(files, detector=detector, layout=foreign)
    _stop_if_needed(fileset.losses, strict=strict, nothing_left=not fileset.files)
    calibrations = load_calibrations(fileset.detectors, calibration)
    windows = {tag: {q: w for q, w in c.windows.items() if q in working_point.mip_quantities} for tag, c in calibrations.items()}
    detector_hashes = {tag: d.digest for tag, d in fileset.detectors.items()}
    calibration_hashes = {tag: c.hash for tag, c in calibrations.items()}
    configuration = content_hash(
        [working_point.hash, detector_hashes, calibration_hashes, "" if foreign is None else foreign_hash(foreign)]
    )
    _may_unblind(unblind, configuration, fileset)
    processor = SearchProcessor(fileset.detectors, windows, working_point, fileset.excluded, unblinded=unblind is not None)
    hashes = {f.path: "" if output is None else file_hash(f.path) for f in fileset.files}
    stamps = {path: _stamp(path) for path in hashes}
    identity = {
        "code": source_hash(),
        "packages": package_versions(),
        "configuration": [configuration, unblind or ""],
        "inputs": [[f.dataset, f.path, f.entries, hashes[f.path] or f.uuid] for f in fileset.files],
    }
    job = Job(executor, n_workers, scheduler, chunksize, align_clusters, maxchunks, progress, output, resume, identity)
    if isinstance(fileset, SummaryFileset):
        out, ranges, chunk_losses = process_summaries(fileset, processor, job)
    else:
        out, ranges, chunk_losses = process_fileset(fileset, processor, job, layout=foreign)
    _must_be_unchanged(stamps)
    exposure, book_losses = _exposure(fileset, out.get("events", {}), {key: unread for key, (_, unread) in ranges.items()}, foreign)
    losses = (*fileset.losses, *chunk_losses, *book_losses, *_calibration_notes(fileset, calibrations))
    found = {name: out["datasets"][name] for name in fileset.datasets if name in out.get("datasets", {})}
    _stop_if_needed(losses, strict=strict, nothing_left=not found)
    for loss in losses:
        log.log(logging.WARNING if loss.is_damage else logging.INFO, "%s", loss.reason)
    commit, clean = repository_state()
    inputs = tuple(
        InputFile(f.dataset, f.path, f.uuid, f.detector, f.entries, *ranges[f.dataset, f.path], hashes[f.path]) for f in fileset.files
    )
    return RunResult(
        cutflows={name: content["cutflow"] for name, content in found.items()},
        histograms={name: content["histograms"] for name, content in found.items()},
        outside={name: content["outside"] for name, content in found.items()},
        regions={name: content["regions"] for name, content in found.items()},
        blinded={name: "box" not in content["regions"] for name, content in found.items()},
        exposure=exposure,
        losses=losses,
        working_point=working_point,
        windows={tag: {q: (None if low == float("-inf") else low, high) for q, (low, high) in w.items()} for tag, w in windows.items()},
        provenance=Provenance(
            configuration_hash=configuration,
            selection=working_point.name,
            selection_hash=working_point.hash,
            inputs=inputs,
            executor=executor,
            workers=n_workers,
            chunksize=chunksize,
            maxchunks=maxchunks,
            layout=str(layout or ""),
            started=started.isoformat(timespec="seconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=commit,
            clean=clean,
            detectors=detector_hashes,
            calibrations=calibration_hashes,
        ),
        timing=replace(out["timing"], wall=time.perf_counter() - clock),
    )


def forget_checkpoint(output: str | Path) -> None:
    """Remove the chunks that a run kept, once its result is written."""
    Checkpoint(Path(output), {}).remove()


def foreign_hash(layout: Any) -> str:
    """SHA-256 of a layout's content."""
    return content_hash(layout.model_dump(mode="json", exclude={"origin"}))


def _may_unblind(given: str | None, configuration: str, fileset: Fileset | SummaryFileset) -> None:
    if given is None:
        return
    if given != configuration:
        msg = f"the box stays closed: the frozen selection has the hash {given}, this configuration has {configuration}"
        raise BlindedError(msg)
    if isinstance(fileset, SummaryFileset) and any(f.is_data for f in fileset.files):
        msg = "the box stays closed: event summaries of data were written without it; unblind a run on the raw trees"
        raise BlindedError(msg)


def _stamp(path: str) -> tuple[int, int] | None:
    with suppress(OSError):
        found = Path(path).stat()
        return found.st_size, found.st_mtime_ns
    return None


def _must_be_unchanged(stamps: Mapping[str, tuple[int, int] | None]) -> None:
    for path, before in stamps.items():
        now = _stamp(path)
        if now is not None and now != before:
            msg = f"{path}: was changed while it was read, so nobody knows which events were counted: run again"
            raise InputError(msg)


def _stop_if_needed(losses: Iterable[Loss], *, strict: bool, nothing_left: bool) -> None:
    damage = [loss.reason for loss in losses if loss.is_damage]
    if nothing_left:
        msg = "\n".join(["no input can be read:", *damage]) if damage else "no input was given: name ROOT files, folders or a fileset JSON"
        raise InputError(msg)
    if strict and damage:
        raise InputError("\n".join(damage))


def load_calibrations(detectors: Mapping[str, Any], given: str | Path | Sequence[str | Path] | None) -> dict[str, Calibration]:
    """Calibration of every detector: the user's own where given, else the one that ships with the package.

    Parameters
    ----------
    detectors : mapping of str to Detector
        Tag -> description.
    given : str, Path or sequence of them, optional
        Calibration files.

    Returns
    -------
    dict of str to Calibration
        Tag -> calibration.

    Raises
    ------
    CalibrationError
        If one is missing, or a given one is of a detector that no file was taken with.
    """
    names = [] if given is None else [given] if isinstance(given, str | Path) else list(given)
    own = {}
    for name in names:
        calibration = load_calibration(name)
        if calibration.detector not in detectors:
            msg = f"{name}: the calibration is of detector {calibration.detector!r}, the files are of {', '.join(detectors)}: make one with `na64mu calibrate`"
            raise CalibrationError(msg)
        own[calibration.detector] = calibration
    return {tag: own[tag] if tag in own else load_calibration(tag) for tag in detectors}


def _calibration_notes(fileset: Fileset | SummaryFileset, calibrations: Mapping[str, Calibration]) -> list[Loss]:
    return [
        Loss(
            "",
            tag,
            "note",
            f"the calibration of {tag} was made with another version of its detector description; make it again with `na64mu calibrate`",
        )
        for tag, detector in fileset.detectors.items()
        if calibrations[tag].detector_hash != detector.digest
    ]


@dataclass(frozen=True)
class Job:
    """How a fileset is processed; see `run_search`. `identity` says what kept chunks belong to."""

    executor: ExecutorName = "iterative"
    workers: int = 1
    scheduler: str | None = None
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
            metadata_cache={},
            skipbadfiles=(OSError, InputError),
        )
        chunks = list(runner.preprocess(fileset.for_runner()))
        if job.executor != "iterative" and job.scheduler is None and len(chunks) > 1:
            _warm_kernels(runner, chunks, guarded)
        out, gone = sum_in_order(
            chunks,
            lambda wave: _run(runner, list(wave), guarded),
            workers=job.workers,
            checkpoint=job.checkpoint(chunks),
            show=job.progress,
        )
    whole = {(f.dataset, f.path): ((0, f.entries),) for f in fileset.files}
    return (out, *_reconciled(whole, chunks, out, gone))


def process_summaries(fileset: SummaryFileset, processor: Any, job: Job) -> Outcome:
    """Run the search over event summaries; parameters and results as of `process_fileset`."""
    chunks = chunks_of(fileset, needed_columns(processor.working_point), job.chunksize, job.maxchunks)
    runner = SummaryRunner(processor)
    with open_executor(job.executor, job.workers, job.scheduler) as chosen, quiet_coffea(show_progress=False):

        def run_wave(wave: Sequence[Any]) -> Mapping[Any, Any]:
            with _worker_errors():
                return dict(chosen(list(wave), runner, {})[0].get("chunks", {}))

        out, gone = sum_in_order(chunks, run_wave, workers=job.workers, checkpoint=job.checkpoint(chunks), show=job.progress)
    whole = {(f.dataset, f.path): f.rows for f in fileset.files}
    return (out, *_reconciled(whole, chunks, out, gone))


def _reconciled(
    whole: Mapping[tuple[str, str], Ranges], chunks: Sequence[Any], out: Mapping[str, Any], gone: Sequence[Any]
) -> tuple[dict[tuple[str, str], tuple[Ranges, Ranges]], list[Loss]]:
    """Entry ranges read and not read of every file, and all losses of chunks."""
    lost: list[Loss] = sorted(out.get("lost", []))
    lost += [_gone(c.dataset, c.filename, c.entrystart, c.entrystop) for c in gone]
    lost_ranges: dict[tuple[str, str], set[tuple[int, int]]] = defaultdict(set)
    for loss in lost:
        lost_ranges[loss.dataset, loss.file].add((loss.entry_start, loss.entry_stop))
    given = defaultdict(list)
    for c in chunks:
        given[c.dataset, c.filename].append((c.entrystart, c.entrystop))
    ranges = {}
    for key, rows in whole.items():
        start, stop = (rows[0][0], rows[-1][1]) if rows else (0, 0)
        outside = set(complement(merged_ranges(rows), stop))  # rows of other datasets between those of this one
        read = merged_ranges(r for r in given[key] if r not in lost_ranges[key])
        ranges[key] = read, _without(complement(read, stop), outside, start)
        lost += [_skipped(key, a, b) for a, b in _without(complement(merged_ranges(given[key]), stop), outside, start)]
    return ranges, lost


def _without(ranges: Ranges, outside: Iterable[tuple[int, int]], start: int) -> Ranges:
    """Sorted ranges from `start` on without those that lie outside."""
    kept: list[tuple[int, int]] = list(ranges)
    for low, high in (*outside, (0, start)):
        kept = [piece for a, b in kept for piece in ((a, min(b, low)), (max(a, high), b)) if piece[0] < piece[1]]
    return tuple(kept)


def _run(runner: Any, chunks: list[Any], processor: Any) -> dict[Any, Any]:
    """Results of chunks by their keys."""
    if not chunks:
        return {}
    with _worker_errors():
        try:
            return dict(runner.run(chunks, processor)["out"]["chunks"])
        except ValueError as error:
            if str(error).startswith("No chunks returned results"):
                return {}
            raise


@contextmanager
def _worker_errors() -> Iterator[None]:
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


def _warm_kernels(runner: Any, chunks: list[Any], processor: Any) -> None:
    """Process one event here, so that compiled kernels are in the cache before workers ask for them all at once."""
    from coffea.processor import IterativeExecutor

    first = next((c for c in chunks if len(c) > 0), None)
    if first is not None:
        _run(replace(runner, executor=IterativeExecutor(retries=0)), [replace(first, entrystop=first.entrystart + 1)], processor)


def _gone(dataset: str, path: str, start: int, stop: int) -> Loss:
    reason = (
        f"{path}: entries {start} to {stop - 1} are lost: the file could be opened at the start but not when these entries were to be read"
    )
    return Loss(dataset, path, "chunk", reason, start, stop)


def _skipped(key: tuple[str, str], start: int, stop: int) -> Loss:
    reason = f"{key[1]}: entries {start} to {stop - 1} were not read, as asked for with maxchunks; the exposure is lowered accordingly"
    return Loss(*key, "skipped", reason, start, stop)


def _exposure(
    fileset: Fileset | SummaryFileset,
    events: Mapping[tuple[str, str, int, int], int],
    unread: Mapping[tuple[str, str], Ranges],
    layout: Any,
) -> tuple[Exposure, list[Loss]]:
    if isinstance(fileset, SummaryFileset):
        return reconcile_summaries(fileset.books(events, unread)), []
    books = books_of(fileset, events, unread, layout)
    return reconcile(books), bookkeeping_losses(books)
