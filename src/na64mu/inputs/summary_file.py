"""A file of event summaries, ROOT or Parquet: what `na64mu reconstruct` wrote, its bookkeeping and its rows."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from na64mu.errors import InputError
from na64mu.events.origin import is_data_of, says_simulation
from na64mu.inputs.kinds import LOOK, Kind, kind_of
from na64mu.results.exposure import Exposure
from na64mu.typing import Summary

__all__ = ("FORMAT_VERSION", "TREE", "Ranges", "SummaryFile", "column_checksums", "open_summaries", "read_rows", "sealed")

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
        Ranges of its rows in the file.
    borders : tuple of int
        First rows of the baskets or row groups.
    columns : tuple of str
    exposure : Exposure
        Exposure of this dataset.
    origins : dict of int to tuple of str
        Run -> where it comes from; see `na64mu.inputs.duplicates.origins_of`.
    checksums : tuple of (int, int, dict)
        First row, the one behind the last, and column -> CRC-32, of every part that was written at once.
    is_data : bool
        Whether its events are data: the bookkeeping says so.
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
    is_data: bool = True

    @property
    def entries(self) -> int:
        """Number of rows."""
        return sum(stop - start for start, stop in self.rows)

    @property
    def friends(self) -> tuple[str, ...]:
        """A summary has all its columns in one file."""
        return ()

    @property
    def bytes_per_event(self) -> float:
        """Size of all columns of one event [bytes]; each value has up to eight bytes."""
        return 8.0 * len(self.columns)

    @property
    def basket_bytes(self) -> float:
        """Size of the largest basket or row group, over all columns [bytes]."""
        return self.bytes_per_event * max((b - a for a, b in itertools.pairwise(self.borders)), default=0)

    @cached_property
    def kind(self) -> Kind:
        """Properties that its events must share with others of one dataset."""
        conditions = sorted({text.split(";", 3)[3] for texts in self.origins.values() for text in texts if text.count(";") >= 3})
        rows = [{"conditions": "+".join(conditions), "g_ref": run.g_ref} for run in self.exposure.runs]
        truth = {"mc_process": np.empty(0), "mc_mass": np.empty(0)}
        if self.rows and set(truth) <= set(self.columns):
            start, stop = self.rows[0]
            truth = read_rows(self.path, truth, start, min(stop, start + LOOK))
        return kind_of(rows, truth["mc_process"], truth["mc_mass"], is_data=self.is_data, detector=self.detector)

    def renamed(self, dataset: str) -> SummaryFile:
        """Return the rows as part of another dataset, with their exposure."""
        runs = tuple(replace(run, dataset=dataset) for run in self.exposure.runs)
        return replace(self, dataset=dataset, exposure=replace(self.exposure, runs=runs))


def column_checksums(summary: Summary) -> dict[str, int]:
    """Column -> CRC-32 of its numbers (little-endian)."""
    return {name: zlib.crc32(np.ascontiguousarray(c, c.dtype.newbyteorder("<")).view(np.uint8).data) for name, c in summary.items()}


def sealed(bookkeeping: Mapping[str, Any]) -> str:
    """The bookkeeping as it is written, with a checksum of its own."""
    text = json.dumps(bookkeeping)
    return json.dumps({"crc": zlib.crc32(text.encode()), "bookkeeping": text})


def open_summaries(path: str, tag: str | None = None) -> tuple[list[SummaryFile], dict[str, Any], tuple[str, ...]]:
    """Open a file and read its bookkeeping.

    Parameters
    ----------
    path : str
        File of event summaries.
    tag : str, optional
        Detector that replaces the tag in the file.

    Returns
    -------
    files : list of SummaryFile
        One for each dataset in it.
    bookkeeping : dict
        Bookkeeping as it was written.
    columns : tuple of str
        Names of the columns of the table.

    Raises
    ------
    InputError
        If it is not a file of event summaries, or is damaged.
    """
    bookkeeping, borders, columns, uuid = _open(path)
    return _files(path, bookkeeping, borders, columns, uuid, tag), bookkeeping, columns


def _open(path: str) -> tuple[dict[str, Any], tuple[int, ...], tuple[str, ...], str]:
    """Bookkeeping, borders of baskets or row groups, columns and uuid."""
    from na64mu.events.root_io import find_tree, open_file, reason_of

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
                    _is_data(own, [r.n_generated for r in exposure.runs if r.dataset == dataset], columns, path),
                )
            )
        if files:  # the warnings are given once
            files[0] = SummaryFile(**{**vars(files[0]), "exposure": Exposure(files[0].exposure.runs, exposure.warnings)})
        rows = sorted(r for f in files for r in f.rows)
        whole = not rows or (rows[0][0] == 0 and rows[-1][1] == borders[-1] and all(a[1] == b[0] for a, b in itertools.pairwise(rows)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"{path}: its bookkeeping is damaged ({error!r}): make the file again with `na64mu reconstruct`"
        raise InputError(msg) from error
    if not whole:
        msg = f"{path}: has {borders[-1]} events, its bookkeeping is that of others: make the file again with `na64mu reconstruct`"
        raise InputError(msg)
    return files


def _is_data(segments: list[dict[str, Any]], generated: list[int], columns: tuple[str, ...], path: str) -> bool:
    """Whether the rows of a dataset are data: as the file was written, or by its runs where it was written before that was said."""
    said = {bool(s["is_data"]) for s in segments if "is_data" in s}
    simulated = said == {False} if said else says_simulation(generated, [False] * len(generated), path)
    return is_data_of(columns, path, simulated=simulated)


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
    from na64mu.events.root_io import find_tree, open_file, read_columns, reason_of

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
