"""The main job: files in, cut-flow, plane, spectra, exposure and the list of losses out, on any executor."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from na64mu.calibration.windows import Calibration
from na64mu.common.arguments import file_name, file_names, one_of, whole
from na64mu.detector import DetectorLike
from na64mu.errors import InputError, WorkerError
from na64mu.execution.carried import carried
from na64mu.execution.checkpoint import Checkpoint
from na64mu.execution.configuration import Configuration, load_calibrations
from na64mu.execution.executors import EXECUTORS, ExecutorName, default_workers
from na64mu.execution.job import Job, process_fileset, process_summaries
from na64mu.inputs.bookkeeping import bookkeeping_losses, books_of
from na64mu.inputs.entry_ranges import Ranges
from na64mu.inputs.memory import chunksize_within, size_of
from na64mu.inputs.raw_fileset import Fileset, inspect_files
from na64mu.inputs.summary_chunks import needed_columns
from na64mu.inputs.summary_fileset import SummaryFileset, are_summaries, inspect_summaries
from na64mu.results.exposure import Exposure, reconcile, reconcile_summaries
from na64mu.results.losses import Loss
from na64mu.results.provenance import InputFile, Provenance, file_hash, package_versions, repository_state, source_hash
from na64mu.results.run import RunResult
from na64mu.selections.user import load_user_file
from na64mu.selections.working_point import WorkingPoint, load_working_point

if TYPE_CHECKING:
    from na64mu.events.layout import Layout

__all__ = ("forget_checkpoint", "run_search")

log = logging.getLogger(__name__)


def run_search(
    files: Iterable[str | Path] | str | Path,
    *,
    detector: DetectorLike | None = None,
    selection: str | Path | WorkingPoint = "prl2024",
    calibration: Calibration | str | Path | Iterable[Calibration | str | Path] | None = None,
    layout: Layout | str | Path | None = None,
    executor: ExecutorName | str = "iterative",
    workers: int | None = None,
    scheduler: Any = None,
    chunksize: int = 100_000,
    align_clusters: bool | None = None,
    maxchunks: int | None = None,
    strict: bool = False,
    progress: bool = True,
    output: str | Path | None = None,
    resume: bool = False,
    unblind: str | None = None,
    memory: int | str | None = None,
    user: str | Path | Iterable[str | Path] = (),
    accept_calibration: bool = False,
) -> RunResult:
    """Run the search over files.

    Parameters
    ----------
    files : str, Path or iterable of them
        Paths, globs, folders, addresses, or a fileset JSON: raw trees, or event summaries of `na64mu reconstruct`.
    detector : Detector, str or Path, optional
        Detector description, its tag or TOML file, that stands for the tags in the files.
    selection : WorkingPoint, str or Path
        Working point: itself, a name or a TOML file.
    calibration : Calibration, str, Path or iterable of them, optional
        Calibrations or their files; detectors without one take the calibration that ships with the package.
    layout : Layout, str or Path, optional
        Layout of a foreign tree.
    executor : str
        iterative (this process), futures (local processes) or dask.
    workers : int, optional
        Local processes; one for each core by default.
    scheduler : str or distributed.Client, optional
        Address of a running Dask scheduler, or a client that is connected to one.
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
    memory : int or str, optional
        What one worker may have, in bytes or as "2GB": chunks are made smaller to fit, and one that does not fit is a loss.
    user : str, Path or sequence of them
        Python files that register cuts of your own (`na64mu.selections.register_cut`).
    accept_calibration : bool
        Take a calibration that was made for another description of the calorimeters; without it such a one is refused.

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
    executor = one_of(executor, EXECUTORS, "executor", WorkerError)
    n_workers = default_workers(executor) if workers is None else whole(workers, "workers", least=1, error=WorkerError)
    chunksize = whole(chunksize, "chunksize", least=1, error=InputError)
    if maxchunks is not None:
        maxchunks = whole(maxchunks, "maxchunks", least=1, error=InputError)
    files = file_names(files, "files", may_be_none=True)
    output = None if output is None else file_name(output, "output")
    for own in file_names(user, "user", may_be_none=True):
        load_user_file(own)
    working_point = load_working_point(selection)
    foreign = None if layout is None else load_layout(layout)
    fileset: Fileset | SummaryFileset
    if foreign is None and are_summaries(files):
        fileset = inspect_summaries(files, detector=detector, working_point=working_point)
    else:
        fileset = inspect_files(files, detector=detector, layout=foreign, steps=True)
    _stop_if_needed(fileset.losses, strict=strict, nothing_left=not fileset.files)
    calibrations = load_calibrations(fileset.detectors, calibration, accept=accept_calibration)
    configuration = Configuration(working_point, fileset.detectors, calibrations, foreign)
    windows = configuration.windows
    of_summaries = isinstance(fileset, SummaryFileset)
    configuration.may_unblind(unblind, withheld=of_summaries and any(f.is_data for f in fileset.files))
    processor = SearchProcessor(fileset.detectors, windows, working_point, fileset.excluded, unblinded=unblind is not None)
    sent = processor if executor == "iterative" else carried(processor, working_point.cut_names)
    friends = {f.path: f.friends for f in fileset.files}
    paths = dict.fromkeys((*friends, *itertools.chain.from_iterable(friends.values())))
    hashes = {path: "" if output is None else file_hash(path) for path in paths}
    stamps = {path: _stamp(path) for path in paths}
    identity = {
        "code": source_hash(),
        "packages": package_versions(),
        "configuration": [configuration.hash, unblind or ""],
        "inputs": [[f.dataset, f.path, f.entries, hashes[f.path] or f.uuid, *((p, hashes[p]) for p in f.friends)] for f in fileset.files],
    }
    limit = size_of(memory) if isinstance(memory, str) else None if memory is None else whole(memory, "memory", least=1, error=InputError)
    if limit is not None:
        chunksize = chunksize_within(limit, chunksize, fileset.files)
    job = Job(executor, n_workers, scheduler, chunksize, align_clusters, maxchunks, progress, output, resume, identity, limit)
    if isinstance(fileset, SummaryFileset):
        out, ranges, chunk_losses = process_summaries(fileset, sent, job, columns=needed_columns(working_point))
    else:
        out, ranges, chunk_losses = process_fileset(fileset, sent, job, layout=foreign)
    _must_be_unchanged(stamps)
    exposure, book_losses = _exposure(fileset, out.get("events", {}), {key: unread for key, (_, unread) in ranges.items()})
    losses = (*fileset.losses, *chunk_losses, *book_losses, *configuration.notes())
    found = {name: out["datasets"][name] for name in fileset.datasets if name in out.get("datasets", {})}
    _stop_if_needed(losses, strict=strict, nothing_left=not found)
    for loss in losses:
        log.log(logging.WARNING if loss.is_damage else logging.INFO, "%s", loss.reason)
    commit, clean = repository_state()
    inputs = tuple(
        InputFile(
            f.dataset,
            f.path,
            f.uuid,
            f.detector,
            f.entries,
            *ranges[f.dataset, f.path],
            hashes[f.path],
            tuple((p, hashes[p]) for p in f.friends),
        )
        for f in fileset.files
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
            configuration_hash=configuration.hash,
            selection=working_point.name,
            selection_hash=working_point.hash,
            inputs=inputs,
            executor=executor,
            workers=n_workers,
            chunksize=chunksize,
            maxchunks=maxchunks,
            layout="" if foreign is None else str(layout if isinstance(layout, str | Path) else foreign.origin),
            started=started.isoformat(timespec="seconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=commit,
            clean=clean,
            detectors=configuration.detector_hashes,
            calibrations=configuration.calibration_hashes,
            user_cuts=configuration.user_cuts,
        ),
        timing=replace(out["timing"], wall=time.perf_counter() - clock),
    )


def forget_checkpoint(output: str | Path) -> None:
    """Remove the chunks that a run kept, once its result is written."""
    Checkpoint(Path(file_name(output, "output")), {}).remove()


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
        raise InputError(
            *(["no input can be read:", *damage] if damage else ["no input was given: name ROOT files, folders or a fileset JSON"])
        )
    if strict and damage:
        raise InputError(*damage)


def _exposure(
    fileset: Fileset | SummaryFileset,
    events: Mapping[tuple[str, str, int, int], int],
    unread: Mapping[tuple[str, str], Ranges],
) -> tuple[Exposure, list[Loss]]:
    if isinstance(fileset, SummaryFileset):
        return reconcile_summaries(fileset.books(events, unread)), []
    books = books_of(fileset, events, unread)
    return reconcile(books), bookkeeping_losses(books)
