"""Files of event summaries as input of a run: what `na64mu reconstruct` wrote, ROOT or Parquet.

Datasets, detectors and exposure are those of the raw trees: they stand in the bookkeeping of the file. Only the columns that the
selection needs are read.
"""

from __future__ import annotations

import itertools
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.analysis.exposure import Exposure, SummaryBook
from na64mu.analysis.losses import Loss
from na64mu.detector import Detector, load_detector
from na64mu.errors import BlindedError, InputError
from na64mu.execution.duplicates import EventSource, Excluded, find_duplicates
from na64mu.execution.fileset import expand, without_copies
from na64mu.selections.working_point import WorkingPoint
from na64mu.typing import Summary

__all__ = (
    "SummaryChunk",
    "SummaryFile",
    "SummaryFileset",
    "SummaryRunner",
    "are_summaries",
    "chunks_of",
    "column_checksums",
    "inspect_summaries",
    "needed_columns",
    "read_chunk",
    "read_rows",
    "sealed",
)

TREE = "summary"
FORMAT_VERSION = 2

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class SummaryFile:
    """The rows of one dataset in one file.

    Attributes
    ----------
    dataset, path, uuid, detector : str
    rows : ranges
        Where they stand in the file.
    borders : tuple of int
        First rows of the baskets or row groups.
    columns : tuple of str
    exposure : Exposure
        Of this dataset.
    origins : dict of int to tuple of str
        Run -> where it comes from; see `na64mu.execution.duplicates.origins_of`.
    checksums : tuple of (int, int, dict)
        First row, the one behind the last, and column -> CRC-32, of every part that was written at once.
    """

    dataset: str
    path: str
    uuid: str
    detector: str
    rows: Ranges
    borders: tuple[int, ...]
    columns: tuple[str, ...]
    exposure: Exposure
    origins: dict[int, tuple[str, ...]]
    checksums: tuple[tuple[int, int, dict[str, int]], ...] = ()

    @property
    def entries(self) -> int:
        """Number of rows."""
        return sum(stop - start for start, stop in self.rows)

    @property
    def is_data(self) -> bool:
        """Whether there is no truth of a simulation."""
        return "mc_process" not in self.columns


@dataclass(frozen=True)
class SummaryFileset:
    """Files of event summaries that can be read, the detectors they need, what was lost, and rows that stand twice (by path)."""

    files: tuple[SummaryFile, ...]
    detectors: dict[str, Detector]
    losses: tuple[Loss, ...]
    excluded: dict[str, Excluded] = field(default_factory=dict)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets in order."""
        return tuple(dict.fromkeys(f.dataset for f in self.files))

    def books(self, events: Mapping[tuple[str, str, int, int], int], unread: Mapping[tuple[str, str], Ranges]) -> list[SummaryBook]:
        """What was read of every file: what `reconcile_summaries` takes; arguments as of `na64mu.execution.books.books_of`."""
        books = []
        for file in self.files:
            key = file.dataset, file.path
            doubled = self.excluded.get(file.path, Excluded())
            elsewhere = Counter({k: n for k, n in doubled.elsewhere.items() if k[0] == file.dataset})
            missing = _counts_of(file, unread[key], doubled)
            read = {(d, run, config): n for (d, path, run, config), n in events.items() if (d, path) == key}
            n_unread = sum(int(doubled.mask(a, b).sum()) for a, b in unread[key]) + elsewhere.total()
            books.append(SummaryBook(file.path, file.exposure, read, None if missing is None else missing + elsewhere, n_unread))
        return books


def _counts_of(file: SummaryFile, ranges: Ranges, doubled: Excluded) -> Counter[tuple[str, int, int]] | None:
    total: Counter[tuple[str, int, int]] = Counter()
    try:
        for start, stop in ranges:
            columns, keep = read_rows(file.path, ("run", "config"), start, stop), doubled.mask(start, stop)
            total.update((file.dataset, r, c) for r, c in zip(*(columns[n][keep].tolist() for n in ("run", "config")), strict=True))
    except InputError:
        return None
    return total


@dataclass(frozen=True)
class SummaryChunk:
    """Rows of one dataset in one file that are processed together."""

    dataset: str
    filename: str
    entrystart: int
    entrystop: int
    detector: str
    columns: tuple[str, ...]
    checksums: tuple[tuple[int, int, dict[str, int]], ...] = ()


def column_checksums(summary: Summary) -> dict[str, int]:
    """Column -> CRC-32 of its numbers (little-endian)."""
    return {name: zlib.crc32(np.ascontiguousarray(c, c.dtype.newbyteorder("<")).view(np.uint8).data) for name, c in summary.items()}


def sealed(bookkeeping: Mapping[str, Any]) -> str:
    """The bookkeeping as it is written, with a checksum of its own."""
    text = json.dumps(bookkeeping)
    return json.dumps({"crc": zlib.crc32(text.encode()), "bookkeeping": text})


def are_summaries(files: Sequence[str | Path] | str | Path) -> bool:
    """Whether these files are event summaries: Parquet, or ROOT with a tree `summary` and none `events`; the first readable one decides."""
    from na64mu.events.source import open_file

    for path in itertools.chain.from_iterable(expand(files)[0].values()):
        if path.endswith(".parquet"):
            return True
        try:
            with open_file(path) as file:
                names = {key.split(";")[0] for key in file.keys(recursive=False)}
        except InputError:
            continue
        return TREE in names and "events" not in names
    return False


def inspect_summaries(files: Sequence[str | Path] | str | Path, *, detector: str | None, working_point: WorkingPoint) -> SummaryFileset:
    """Open every file and read its bookkeeping.

    Parameters
    ----------
    files : str, Path or sequence of them
        See `na64mu.execution.fileset.expand`.
    detector : str, optional
        Tag or TOML file of a description that stands for the tags in the files.
    working_point : WorkingPoint
        The selection; its box is compared with the one that was withheld.

    Returns
    -------
    SummaryFileset
        The usable files, and one loss for every other.

    Raises
    ------
    BlindedError
        If the box of the working point is not the one that was withheld when the file was written.
    """
    datasets, _, losses = expand(files)
    found: list[SummaryFile] = []
    notes: list[Loss] = []
    chosen = None if detector is None else load_detector(detector)
    detectors: dict[str, Detector] = {}
    for path in itertools.chain.from_iterable(datasets.values()):
        try:
            bookkeeping, borders, columns, uuid = _open(path)
            found += _files(path, bookkeeping, borders, columns, uuid, None if chosen is None else chosen.tag)
        except InputError as error:
            losses.append(Loss(Path(path).stem, path, "file", str(error)))
            continue
        notes += _notes(path, bookkeeping, columns, working_point)
        for file in found:
            if file.path == path and file.detector not in detectors:
                detectors[file.detector] = load_detector(file.detector) if chosen is None else chosen
                if bookkeeping["detectors"].get(file.detector) != detectors[file.detector].digest:
                    reason = f"{path}: was reconstructed with another version of the detector description {file.detector!r}"
                    notes.append(Loss(file.dataset, path, "note", reason))
    found = without_copies(found, losses)
    excluded, doubled = find_duplicates([source for file in found for source in _event_sources(file)])
    return SummaryFileset(tuple(found), detectors, (*losses, *doubled, *notes), excluded)


def _event_sources(file: SummaryFile) -> Iterable[EventSource]:
    def read(start: int, stop: int) -> tuple[Any, Any, Any]:
        columns = read_rows(file.path, ("run", "event", "config"), start, stop)
        return columns["run"], columns["event"], columns["config"]

    return [EventSource(file.dataset, file.path, start, stop, file.is_data, file.origins, read) for start, stop in file.rows]


def _open(path: str) -> tuple[dict[str, Any], tuple[int, ...], tuple[str, ...], str]:
    """Bookkeeping, borders of baskets or row groups, columns and uuid."""
    from na64mu.events.source import find_tree, open_file, reason_of

    try:
        if path.endswith(".parquet"):
            import pyarrow.parquet as pq  # type: ignore[import-untyped]  # comes without types

            with pq.ParquetFile(path) as file:
                meta = file.metadata
                sizes = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
                text = (meta.metadata or {}).get(b"na64mu", b"")
                columns, uuid = tuple(file.schema_arrow.names), ""
            borders = tuple(itertools.accumulate(sizes, initial=0))
        else:
            with open_file(path) as root:
                tree = find_tree(root, path, TREE)
                borders, columns, uuid = tuple(int(b) for b in tree.common_entry_offsets()), tuple(tree.keys()), str(root.file.uuid)
                text = str(root["bookkeeping"])
        outer = json.loads(text)
        bookkeeping = json.loads(outer["bookkeeping"]) if zlib.crc32(outer["bookkeeping"].encode()) == outer["crc"] else None
    except InputError:
        raise
    except Exception as error:
        msg = f"{path}: cannot be read as event summaries, it is truncated, damaged or not from `na64mu reconstruct` ({reason_of(error)})"
        raise InputError(msg) from error
    if not isinstance(bookkeeping, dict) or bookkeeping.get("format_version") != FORMAT_VERSION:
        msg = f"{path}: its bookkeeping is not of this version of na64mu: make the file again with `na64mu reconstruct`"
        raise InputError(msg)
    return bookkeeping, borders, columns, uuid


def _files(
    path: str, bookkeeping: dict[str, Any], borders: tuple[int, ...], columns: tuple[str, ...], uuid: str, tag: str | None
) -> list[SummaryFile]:
    try:
        exposure = Exposure.from_dict(bookkeeping["exposure"])
        segments = bookkeeping["segments"]
        files = []
        for dataset in dict.fromkeys(str(s["dataset"]) for s in segments):
            own = [s for s in segments if s["dataset"] == dataset]
            origins: dict[int, set[str]] = {}
            for run, *texts in (o for s in own for o in s["origins"]):
                origins.setdefault(int(run), set()).update(map(str, texts))
            files.append(
                SummaryFile(
                    dataset,
                    path,
                    uuid,
                    tag or str(own[0]["detector"]),
                    tuple((int(s["start"]), int(s["stop"])) for s in own if s["start"] < s["stop"]),
                    borders,
                    columns,
                    Exposure(tuple(r for r in exposure.runs if r.dataset == dataset)),
                    {run: tuple(sorted(texts)) for run, texts in origins.items()},
                    tuple((int(a), int(b), dict(crcs)) for a, b, crcs in bookkeeping["checksums"]),
                )
            )
        if files:  # the warnings stand once
            files[0] = SummaryFile(**{**vars(files[0]), "exposure": Exposure(files[0].exposure.runs, exposure.warnings)})
        rows = sorted(r for f in files for r in f.rows)
        whole = not rows or (rows[0][0] == 0 and rows[-1][1] == borders[-1] and all(a[1] == b[0] for a, b in itertools.pairwise(rows)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"{path}: its bookkeeping is damaged ({error!r}): make the file again with `na64mu reconstruct`"
        raise InputError(msg) from error
    if not whole:
        msg = f"{path}: has {borders[-1]} events, its bookkeeping stands for others: make the file again with `na64mu reconstruct`"
        raise InputError(msg)
    return files


def _notes(path: str, bookkeeping: dict[str, Any], columns: tuple[str, ...], working_point: WorkingPoint) -> list[Loss]:
    """Losses from the time of writing, and what the withheld box means for the cut-flow."""
    losses = [Loss(**loss) for loss in bookkeeping["losses"]]
    if "mc_process" in columns:
        return losses
    box, withheld = working_point.box, bookkeeping["withheld"]
    if (box.p_out_max, box.e_cal_max) != (withheld["p_out_max"], withheld["e_cal_max"]):
        msg = (
            f"{path}: another signal box was withheld when the file was written (p_out <= {withheld['p_out_max']} GeV/c, "
            f"E_CAL < {withheld['e_cal_max']} GeV): make it again with `na64mu reconstruct --selection {working_point.name}`"
        )
        raise BlindedError(msg)
    reason = (
        f"{path}: the signal box of data was withheld when the file was written: its events are missing in the rows of the cut-flow before "
        f"{working_point.blind_at!r}; everything else is as from the raw trees"
    )
    return [*losses, Loss("", path, "note", reason)]


def read_rows(path: str, names: Iterable[str], start: int, stop: int) -> Summary:
    """Some columns of some rows.

    Parameters
    ----------
    path : str
        File of event summaries.
    names : iterable of str
        Columns.
    start, stop : int
        Rows.

    Returns
    -------
    Summary
        Shape (stop - start,) each.

    Raises
    ------
    InputError
        If they cannot be read.
    """
    from na64mu.events.source import find_tree, open_file, read_columns, reason_of

    wanted = list(names)
    try:
        if path.endswith(".parquet"):
            columns = _parquet_rows(path, wanted, start, stop)
        else:
            with open_file(path) as root:
                columns = {n: np.asarray(c) for n, c in read_columns(find_tree(root, path, TREE), wanted, path, start, stop).items()}
    except InputError:
        raise
    except Exception as error:
        msg = f"{path}: rows {start} to {stop - 1} cannot be read, the file is truncated or damaged ({reason_of(error)}); make it again"
        raise InputError(msg) from error
    if any(len(column) != stop - start for column in columns.values()):
        msg = f"{path}: rows {start} to {stop - 1} are not all there, the file is damaged; make it again"
        raise InputError(msg)
    return columns


def _parquet_rows(path: str, names: list[str], start: int, stop: int) -> Summary:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
        borders = list(itertools.accumulate(sizes, initial=0))
        groups = [i for i, size in enumerate(sizes) if size and borders[i] < stop and borders[i] + size > start]
        table = file.read_row_groups(groups, columns=names, use_threads=False)
    first = borders[groups[0]] if groups else start
    return {name: table[name].to_numpy()[start - first : stop - first] for name in names}


def needed_columns(working_point: WorkingPoint) -> tuple[str, ...]:
    """Columns of the event summary that a search looks at; weight and true process are added where there are any."""
    names = ["run", "config", "trigger", "p_in", "p_out", "e_cal", "e_ecal", "n_tracks_ms1", "n_tracks_ms2"]
    names += [column for cut in working_point.cuts for column in cut.thresholds.columns]
    for spectrum in working_point.spectra:
        ms = spectrum.column.removeprefix("chi2_ndf_")
        names += [spectrum.column] if ms == spectrum.column else [f"chi2_{ms}", f"ndf_{ms}"]
    return tuple(dict.fromkeys(names))


def chunks_of(fileset: SummaryFileset, columns: tuple[str, ...], chunksize: int, maxchunks: int | None) -> list[SummaryChunk]:
    """Chunks of about `chunksize` rows that end where baskets or row groups end, if they can."""
    chunks: list[SummaryChunk] = []
    for file in fileset.files:
        extra = tuple(name for name in ("mc_weight", "mc_process") if name in file.columns)
        for first, stop in file.rows:
            at = first
            while at < stop:
                ends = [b for b in (*file.borders, stop) if at < b <= min(at + chunksize, stop)]
                end = max(ends, default=min(at + chunksize, stop))
                names = (*columns, *extra)
                sums = tuple((a, b, {n: crcs[n] for n in names}) for a, b, crcs in file.checksums if at <= a and b <= end)
                chunks.append(SummaryChunk(file.dataset, file.path, at, end, file.detector, names, sums))
                at = end
    if maxchunks is None:
        return chunks
    return [c for name in fileset.datasets for c in [c for c in chunks if c.dataset == name][:maxchunks]]


def read_chunk(chunk: SummaryChunk) -> Summary:
    """The columns of a chunk.

    Parameters
    ----------
    chunk : SummaryChunk
        From `chunks_of`.

    Returns
    -------
    Summary
        Shape (n_rows,) each.

    Raises
    ------
    InputError
        If they cannot be read, or are not what was written.
    """
    summary = read_rows(chunk.filename, chunk.columns, chunk.entrystart, chunk.entrystop)
    for start, stop, expected in chunk.checksums:
        part = {name: column[start - chunk.entrystart : stop - chunk.entrystart] for name, column in summary.items()}
        wrong = [name for name, crc in column_checksums(part).items() if crc != expected[name]]
        if wrong:
            msg = (
                f"column {wrong[0]!r} has other numbers in rows {start} to {stop - 1} than were written, the file is damaged; make it again"
            )
            raise InputError(msg)
    return summary


@dataclass(frozen=True)
class SummaryRunner:
    """Reads a chunk and gives it to a search processor; travels to the workers."""

    processor: Any

    def __call__(self, chunk: SummaryChunk) -> dict[str, Any]:
        """The result of one chunk, under its key."""
        from na64mu.processors.clock import Clock

        key = (chunk.dataset, chunk.filename, chunk.entrystart, chunk.entrystop)
        clock = Clock()
        try:
            with clock("read"):
                summary = read_chunk(chunk)
        except InputError as error:
            reason = f"{chunk.filename}: entries {chunk.entrystart} to {chunk.entrystop - 1} are lost: {error}"
            return {"chunks": {key: {"lost": [Loss(chunk.dataset, chunk.filename, "chunk", reason, chunk.entrystart, chunk.entrystop)]}}}
        return {"chunks": {key: {**self.processor.analyse(summary, vars(chunk), clock), "lost": []}}}
