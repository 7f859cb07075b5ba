"""The main job: files in, cut-flow, plane, spectra, exposure and the list of losses out, on any executor."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.analysis.calibration import Calibration, load_calibration
from na64mu.analysis.exposure import Exposure, FileBook, reconcile
from na64mu.analysis.losses import Loss
from na64mu.analysis.provenance import InputFile, Provenance, merged_ranges, repository_state
from na64mu.analysis.result import RunResult
from na64mu.errors import CalibrationError, InputError, Na64muError, WorkerError
from na64mu.execution.executors import EXECUTORS, ExecutorName, default_workers, open_executor, quiet_coffea
from na64mu.execution.fileset import Fileset, SourceFile, inspect_files
from na64mu.execution.guard import GuardedProcessor
from na64mu.selections.working_point import load_working_point
from na64mu.tomlmodel import content_hash

__all__ = ("load_calibrations", "process_fileset", "run_search")

log = logging.getLogger(__name__)

Ranges = tuple[tuple[int, int], ...]


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
) -> RunResult:
    """Run the search over files.

    Parameters
    ----------
    files : str, Path or sequence of them
        Paths, globs, folders, addresses, or a fileset JSON.
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

    Returns
    -------
    RunResult
        Everything found; what could not be read stands in `losses` and lowers the exposure.

    Raises
    ------
    InputError
        If nothing can be read, or (strict) anything cannot.
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
    fileset = inspect_files(files, detector=detector, layout=foreign)
    _stop_if_needed(fileset.losses, strict=strict, nothing_left=not fileset.files)
    calibrations = load_calibrations(fileset.detectors, calibration)
    windows = {tag: {q: w for q, w in c.windows.items() if q in working_point.mip_quantities} for tag, c in calibrations.items()}
    processor = SearchProcessor(fileset.detectors, windows, working_point)

    out, ranges, chunk_losses = process_fileset(
        fileset,
        processor,
        layout=foreign,
        executor=executor,
        workers=n_workers,
        scheduler=scheduler,
        chunksize=chunksize,
        align_clusters=align_clusters,
        maxchunks=maxchunks,
        progress=progress,
    )
    losses = (*fileset.losses, *chunk_losses, *_calibration_notes(fileset, calibrations))
    found = {name: out["datasets"][name] for name in fileset.datasets if name in out.get("datasets", {})}
    _stop_if_needed(losses, strict=strict, nothing_left=not found)
    for loss in losses:
        log.log(logging.WARNING if loss.is_damage else logging.INFO, "%s", loss.reason)
    commit, clean = repository_state()
    detector_hashes = {tag: d.digest for tag, d in fileset.detectors.items()}
    calibration_hashes = {tag: c.hash for tag, c in calibrations.items()}
    configuration = [working_point.hash, detector_hashes, calibration_hashes, str(layout or "")]
    return RunResult(
        cutflows={name: content["cutflow"] for name, content in found.items()},
        histograms={name: content["histograms"] for name, content in found.items()},
        outside={name: content["outside"] for name, content in found.items()},
        regions={name: content["regions"] for name, content in found.items()},
        blinded={name: "box" not in content["regions"] for name, content in found.items()},
        exposure=_exposure(fileset, out["events"], ranges, foreign),
        losses=losses,
        working_point=working_point,
        windows={tag: {q: (None if low == float("-inf") else low, high) for q, (low, high) in w.items()} for tag, w in windows.items()},
        provenance=Provenance(
            configuration_hash=content_hash(configuration),
            selection=working_point.name,
            selection_hash=working_point.hash,
            inputs=tuple(InputFile(f.dataset, f.path, f.uuid, f.detector, f.entries, *ranges[f.dataset, f.path]) for f in fileset.files),
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


def _calibration_notes(fileset: Fileset, calibrations: Mapping[str, Calibration]) -> list[Loss]:
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


def process_fileset(
    fileset: Fileset,
    processor: Any,
    *,
    layout: Any = None,
    executor: ExecutorName = "iterative",
    workers: int = 1,
    scheduler: str | None = None,
    chunksize: int = 100_000,
    align_clusters: bool | None = None,
    maxchunks: int | None = None,
    progress: bool = False,
) -> tuple[dict[str, Any], dict[tuple[str, str], tuple[Ranges, Ranges]], list[Loss]]:
    """Run any processor over a fileset and find out what was not read.

    Parameters
    ----------
    fileset : Fileset
        From `inspect_files`.
    processor : ProcessorABC
        Returns an addable dictionary per chunk; raises InputError for input that cannot be read.
    layout, executor, workers, scheduler, chunksize, align_clusters, maxchunks, progress
        As in `run_search`.

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

    if align_clusters is None:
        align_clusters = chunksize >= max((f.largest_cluster for f in fileset.files), default=0)
    show = progress and sys.stderr.isatty()
    guarded = GuardedProcessor(processor)
    with open_executor(executor, workers, scheduler) as chosen, quiet_coffea(show), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Skipping bad file")  # booked below
        runner = Runner(
            executor=chosen,
            pre_executor=IterativeExecutor(retries=0),
            schema=schema_for(layout),
            chunksize=chunksize,
            maxchunks=maxchunks,
            align_clusters=align_clusters,
            metadata_cache={},
            skipbadfiles=(OSError, InputError),
        )
        chunks = list(runner.preprocess(fileset.for_runner()))
        if executor != "iterative" and scheduler is None and len(chunks) > 1:
            _warm_kernels(runner, chunks, guarded)
        result = _run(runner, chunks, guarded)
    lost: list[Loss] = sorted(result["out"].get("lost", []))
    gone = [c for c in chunks if c not in result["processed"]]
    lost += [_gone(c.dataset, c.filename, c.entrystart, c.entrystop) for c in gone]
    lost_ranges = defaultdict(list)
    for loss in lost:
        lost_ranges[loss.dataset, loss.file].append((loss.entry_start, loss.entry_stop))
    given = defaultdict(list)
    for c in chunks:
        given[c.dataset, c.filename].append((c.entrystart, c.entrystop))
    ranges = {}
    for file in fileset.files:
        key = file.dataset, file.path
        read = merged_ranges(r for r in given[key] if r not in set(lost_ranges[key]))
        skipped = _complement(merged_ranges(given[key]), file.entries)
        ranges[key] = read, _complement(read, file.entries)
        lost += [_skipped(file, start, stop) for start, stop in skipped]
    return result["out"], ranges, lost


def _run(runner: Any, chunks: list[Any], processor: Any) -> dict[str, Any]:
    """Run the chunks; errors that na64mu raises on purpose come out of coffea's wrapping as they are."""
    if not chunks:
        return {"out": {}, "processed": set()}
    try:
        result: dict[str, Any] = runner.run(chunks, processor)
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith("No chunks returned results"):
            return {"out": {}, "processed": set()}
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, Na64muError):
                raise cause from None
            if type(cause).__name__ in ("TerminatedWorkerError", "BrokenProcessPool", "KilledWorker"):
                msg = f"a worker died ({cause}); it may have run out of memory: use a smaller --chunksize or fewer workers"
                raise WorkerError(msg) from error
            cause = cause.__cause__
        raise
    return result


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


def _skipped(file: SourceFile, start: int, stop: int) -> Loss:
    reason = f"{file.path}: entries {start} to {stop - 1} were not read, as asked for with maxchunks; the exposure is lowered accordingly"
    return Loss(file.dataset, file.path, "skipped", reason, start, stop)


def _complement(ranges: Ranges, entries: int) -> Ranges:
    borders = [0, *(border for r in ranges for border in r), entries]
    return tuple((a, b) for a, b in zip(borders[::2], borders[1::2], strict=True) if a < b)


def _exposure(
    fileset: Fileset, events: Mapping[tuple[str, str, int, int], int], ranges: Mapping[tuple[str, str], tuple[Ranges, Ranges]], layout: Any
) -> Exposure:
    books = []
    for file in fileset.files:
        key = file.dataset, file.path
        unread = ranges[key][1]
        books.append(
            FileBook(
                *key,
                rows=file.rows,
                read={(run, config): n for (dataset, path, run, config), n in events.items() if (dataset, path) == key},
                unread=_counts_of(file, unread, layout),
                n_unread=sum(stop - start for start, stop in unread),
                problem=file.problem,
            )
        )
    return reconcile(books)


def _counts_of(file: SourceFile, ranges: Ranges, layout: Any) -> dict[tuple[int, int], int] | None:
    """Events per (run, config) of entries that were not processed; None if even these two columns cannot be read."""
    from na64mu.events.reader import read_batch
    from na64mu.events.source import find_tree, open_file, read_columns

    total: dict[tuple[int, int], int] = defaultdict(int)
    try:
        for start, stop in ranges:
            if layout is None:
                with open_file(file.path) as root:
                    columns = read_columns(find_tree(root, file.path, file.tree), ["run", "config"], file.path, start, stop)
            else:
                columns = read_batch(file.path, start, stop, layout=layout).scalars
            for run, config in zip(np.asarray(columns["run"]).tolist(), np.asarray(columns["config"]).tolist(), strict=True):
                total[run, config] += 1
    except InputError:
        return None
    return dict(total)
