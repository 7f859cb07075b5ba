"""Writes event summaries of files: the library side of `na64mu reconstruct`."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from na64mu import __version__
from na64mu.common.arguments import file_name, file_names, whole
from na64mu.common.whole_file import whole_file
from na64mu.detector import DetectorLike
from na64mu.errors import InputError, writing
from na64mu.execution.summaries import summaries
from na64mu.execution.targets import must_be_apart
from na64mu.inputs.bookkeeping import bookkeeping_losses, books_of
from na64mu.inputs.duplicates import origins_of
from na64mu.inputs.frozen_floors import Freezes, floors_for
from na64mu.inputs.raw_file import SourceFile
from na64mu.inputs.raw_fileset import Fileset, inspect_files
from na64mu.inputs.refused import Tally, row_losses
from na64mu.inputs.summary_file import FORMAT_VERSION, TREE, column_checksums, sealed
from na64mu.results.losses import Loss
from na64mu.results.provenance import merged_ranges
from na64mu.results.reconciliation import reconcile
from na64mu.selections.blinding import BlindingPolicy
from na64mu.selections.working_point import WorkingPoint, load_working_point
from na64mu.typing import Summary

if TYPE_CHECKING:
    from na64mu.events.layout import Layout

__all__ = ("ParquetSummaryWriter", "RootSummaryWriter", "reconstruct_files")


class RootSummaryWriter:
    """Writes a TTree `summary` with one flat branch per column, and the bookkeeping as a JSON string `bookkeeping`."""

    def __init__(self, path: Path, target: Path) -> None:
        import uproot

        self._path = target
        with writing(target):
            self._file = uproot.recreate(path, compression=uproot.ZSTD(5))
        self._tree: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with writing(self._path):
            self._file.close()

    def extend(self, summary: Summary) -> None:
        """Write the events of one chunk."""
        with writing(self._path):
            if self._tree is None:
                self._tree = self._file.mktree(TREE, {name: column.dtype for name, column in summary.items()}, title="one row per event")
            self._tree.extend(summary)

    def finish(self, bookkeeping: Mapping[str, Any]) -> None:
        """Write the bookkeeping behind the last chunk."""
        with writing(self._path):
            self._file["bookkeeping"] = sealed(bookkeeping)


class ParquetSummaryWriter:
    """Writes a Parquet file with one column per quantity, and the bookkeeping as JSON in its metadata under `na64mu`."""

    def __init__(self, path: Path, target: Path) -> None:
        self._path, self._target = path, target
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._writer is not None:
            with writing(self._target):
                self._writer.close()

    def extend(self, summary: Summary) -> None:
        """Write the events of one chunk."""
        import pyarrow as pa  # type: ignore[import-untyped]  # comes without types
        import pyarrow.parquet as pq  # type: ignore[import-untyped]  # comes without types

        table = pa.table(summary)
        with writing(self._target):
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd", write_page_checksum=True)
            self._writer.write_table(table)

    def finish(self, bookkeeping: Mapping[str, Any]) -> None:
        """Write the bookkeeping behind the last chunk."""
        self._writer.add_key_value_metadata({"na64mu": sealed(bookkeeping)})


WRITERS: dict[str, type[RootSummaryWriter | ParquetSummaryWriter]] = {".root": RootSummaryWriter, ".parquet": ParquetSummaryWriter}


def reconstruct_files(
    files: Iterable[str | Path] | str | Path,
    output: str | Path,
    *,
    selection: str | Path | WorkingPoint = "prl2024",
    detector: DetectorLike | None = None,
    layout: Layout | str | Path | None = None,
    chunksize: int = 100_000,
    freeze: Freezes = None,
) -> tuple[int, list[Loss]]:
    """Reconstruct files and write their event summary; the file appears whole or not at all.

    Parameters
    ----------
    files : str, Path or iterable of them
        Raw trees.
    output : str or Path
        Target; its ending .root or .parquet chooses the form.
    selection : WorkingPoint, str or Path
        Working point whose signal box is withheld in data; it contains the frozen one, whose decoys are withheld too.
    detector : Detector, str or Path, optional
        Description, tag or TOML file that replaces the tags in the files.
    layout : Layout, str or Path, optional
        Branch layout of a foreign tree.
    chunksize : int
        Events per chunk.
    freeze : str, Path, Freeze or iterable of them, optional
        Freeze files that hold beside those found beside the data.

    Returns
    -------
    n_events : int
        Rows written.
    losses : list of Loss
        Inputs that could not be read.

    Raises
    ------
    InputError
        If nothing can be read, the ending is unknown, or files with and without truth are mixed.
    BlindedError
        If there are data and the box of the selection does not contain the frozen one.
    """
    from na64mu.events.layout import load_layout

    target = Path(file_name(output, "output"))
    if target.suffix not in WRITERS:
        msg = f"{target}: the ending chooses the form of a summary: {' or '.join(WRITERS)} is wanted"
        raise InputError(msg)
    files, chunksize = file_names(files, "files", may_be_none=True), whole(chunksize, "chunksize", least=1, error=InputError)
    working_point = load_working_point(selection)
    foreign = None if layout is None else load_layout(layout)
    fileset = inspect_files(files, detector=detector, layout=foreign)
    must_be_apart(target, (name for f in fileset.files for name in (f.path, *f.friends)))
    floors = floors_for((f.path for f in fileset.files if f.is_data), freeze)
    policy = BlindingPolicy.of(working_point, fileset.files, fileset.detectors, floor=floors)
    losses = list(fileset.losses)
    read, tally = Counter[tuple[str, str, int, int]](), Tally()
    ends = itertools.accumulate((f.entries for f in fileset.files), initial=0)
    offsets = {(f.dataset, f.path): first for f, first in zip(fileset.files, ends, strict=False)}
    rows: dict[tuple[str, str], tuple[int, int]] = {}
    columns: tuple[str, ...] = ()
    n_events = 0
    checksums: list[Any] = []
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as part, WRITERS[target.suffix](part, target) as writer:
        for file, summary, visible in summaries(fileset, losses, policy, chunksize=chunksize, tally=tally):
            columns = columns or tuple(summary)
            if file.layout is not None and not file.layout.is_numbered:  # entries of several files go on counting
                summary["event"][:] += np.uint64(offsets[file.dataset, file.path])
            _same_columns(columns, tuple(summary), file)
            shown = {name: column[visible] for name, column in summary.items()}
            writer.extend(shown)
            checksums.append([n_events, n_events + int(np.count_nonzero(visible)), column_checksums(shown)])
            key = file.dataset, file.path
            first = rows.get(key, (n_events, 0))[0]
            n_events += int(np.count_nonzero(visible))
            rows[key] = (first, n_events)
            read.update((*key, r, c) for r, c in zip(summary["run"].tolist(), summary["config"].tolist(), strict=True))
        if not read.total():
            msg = "no event can be read:"
            raise InputError(msg, *(loss.reason for loss in losses))
        writer.finish(_bookkeeping(fileset, read, tally, rows, losses, policy) | {"checksums": checksums})
    return n_events, losses


def _same_columns(expected: tuple[str, ...], found: tuple[str, ...], file: SourceFile) -> None:
    if found != expected:
        different = sorted(set(expected) ^ set(found))
        msg = f"{file.path}: the column {different[0]!r} is in some of the files only: write data and simulation to different summaries"
        raise InputError(msg)


def _bookkeeping(
    fileset: Fileset,
    read: Mapping[tuple[str, str, int, int], int],
    tally: Tally,
    rows: Mapping[tuple[str, str], tuple[int, int]],
    losses: list[Loss],
    policy: BlindingPolicy,
) -> dict[str, Any]:
    """Return the bookkeeping that a run on the file needs; losses of the bookkeeping are added to `losses`."""
    keys = [(f.dataset, f.path) for f in fileset.files]
    lost = {k: merged_ranges((x.entry_start, x.entry_stop) for x in losses if x.kind == "chunk" and (x.dataset, x.file) == k) for k in keys}
    books = books_of(fileset, read, lost, tally.refused)
    exposure = reconcile(books)
    losses += [*bookkeeping_losses(books), *row_losses(tally.sums, exposure)]
    box = policy.box
    return {
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "exposure": exposure.to_dict(),
        "losses": [loss.to_dict() for loss in losses],
        "inputs": [{"path": f.path, "uuid": f.uuid, "entries": f.entries, "detector": f.detector} for f in fileset.files],
        "segments": [_segment(f, *rows[f.dataset, f.path]) for f in fileset.files if (f.dataset, f.path) in rows],
        "detectors": {tag: d.digest for tag, d in fileset.detectors.items()},
        "withheld": {"p_out_max": box.p_out_max, "e_cal_max": box.e_cal_max, "floor": policy.floor.hash, "floors": policy.floor.names},
    }


def _segment(file: SourceFile, start: int, stop: int) -> dict[str, Any]:
    origins = [[run, *texts] for run, texts in origins_of(file.rows).items()]
    place = {"dataset": file.dataset, "file": file.path, "detector": file.detector, "is_data": file.is_data}
    return {**place, "origins": origins, "start": start, "stop": stop}
