"""Chunks of event summaries: cut where baskets end, read with the columns that the selection needs, passed to the processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from na64mu.errors import InputError
from na64mu.events.schema_v1 import TRUTH
from na64mu.inputs.chunk_runner import Portion
from na64mu.inputs.paths import path_in, shown_as
from na64mu.inputs.summary_file import column_checksums, read_rows
from na64mu.inputs.summary_fileset import SummaryFileset
from na64mu.reconstruction.columns import stored_columns
from na64mu.selections.working_point import WorkingPoint
from na64mu.typing import Summary

__all__ = ("SummaryChunk", "SummaryReader", "chunks_of", "needed_columns", "read_chunk")


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


def needed_columns(working_point: WorkingPoint) -> tuple[str, ...]:
    """Columns of the event summary that a search looks at; weight and true process are added where there are any."""
    names = ["run", "config", "trigger", "p_in", "p_out", "e_cal", "e_ecal", "n_tracks_ms1", "n_tracks_ms2"]
    return stored_columns((*names, *working_point.columns))


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
                names = tuple(dict.fromkeys((*(c for c in columns if c in file.columns or c not in TRUTH), *extra)))
                sums = tuple((a, b, {n: crcs[n] for n in names}) for a, b, crcs in file.checksums if at <= a and b <= end)
                chunks.append(SummaryChunk(file.dataset, file.path, at, end, file.detector, names, sums))
                at = end
    if maxchunks is None:
        return chunks
    return [c for name in fileset.datasets for c in [c for c in chunks if c.dataset == name][:maxchunks]]


def read_chunk(chunk: SummaryChunk, folder: str = "") -> Summary:
    """The columns of a chunk.

    Parameters
    ----------
    chunk : SummaryChunk
        Chunk to read, from `chunks_of`.
    folder : str
        That the path of its file is relative to.

    Returns
    -------
    Summary
        Shape (n_rows,) each.

    Raises
    ------
    InputError
        If they cannot be read, or are not what was written.
    """
    path = path_in(folder, chunk.filename)
    with shown_as(path, chunk.filename):
        summary = read_rows(path, chunk.columns, chunk.entrystart, chunk.entrystop)
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
class SummaryReader:
    """Reads chunks of event summaries; see `Reader`.

    Attributes
    ----------
    folder : str
        Working folder of the process that opened the files: paths are relative to it, wherever a worker runs.
    """

    folder: str = ""

    def rehearsal(self, chunk: SummaryChunk) -> None:  # noqa: ARG002  # the interface of a reader
        """Return None: nothing is compiled."""
        return

    def read(self, chunk: SummaryChunk) -> Portion:
        """Read a chunk."""
        return Portion(read_chunk(chunk, self.folder), vars(chunk))

    def give(self, portion: Portion, processor: Any, clock: Any) -> dict[str, Any]:
        """Let the processor analyse the rows."""
        result: dict[str, Any] = processor.analyse(portion.events, portion.where, clock)
        return result
