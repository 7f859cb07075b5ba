"""Where events come from: one protocol with two implementations, raw trees and event summaries. A run knows no other difference between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from na64mu.detector import Detector
from na64mu.inputs.bookkeeping import bookkeeping_losses, books_of
from na64mu.inputs.duplicates import Excluded
from na64mu.inputs.entry_ranges import Ranges
from na64mu.inputs.raw_chunks import RawRunner, raw_chunks
from na64mu.inputs.raw_fileset import Fileset
from na64mu.inputs.refused import fault_losses, unit_losses
from na64mu.inputs.summary_chunks import SummaryRunner, chunks_of
from na64mu.inputs.summary_fileset import SummaryFileset
from na64mu.results.exposure import Exposure
from na64mu.results.losses import Loss
from na64mu.results.reconciliation import reconcile
from na64mu.results.summary_book import reconcile_summaries

if TYPE_CHECKING:
    from na64mu.events.layout import Layout

__all__ = ("RawSource", "Source", "SummarySource", "source_of")

Counts = Mapping[tuple[str, str, int, int], int]


class Source(Protocol):
    """Files that can be read, in chunks, with their bookkeeping."""

    @property
    def files(self) -> Sequence[Any]:
        """The files, each with dataset, path, uuid, detector, entries, is_data, friends."""

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets in order."""

    @property
    def detectors(self) -> dict[str, Detector]:
        """Tag -> description."""

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What was lost before any event was read."""

    @property
    def is_raw(self) -> bool:
        """Whether a chunk has to be reconstructed, so that compiled kernels are wanted before many workers ask for them."""

    @property
    def excluded(self) -> Mapping[str, Excluded]:
        """File -> entries that occur twice and are not processed."""

    @property
    def left_to_the_processor(self) -> Mapping[str, Excluded]:
        """Entries that occur twice and that the reader does not take out: the processor does."""

    @property
    def rows(self) -> dict[tuple[str, str], Ranges]:
        """(dataset, path) -> the entries of the file that belong to the dataset."""

    def chunks(self, chunksize: int, maxchunks: int | None, align: bool | None) -> list[Any]:
        """Ranges of entries that are read together, in the order of the files; they end where baskets end if `align`, or if that makes them no larger."""

    def read(self, processor: Any, memory: int | None) -> Callable[[Any], dict[str, Any]]:
        """A function of a chunk that reads it and gives it to a processor; it travels to the workers."""

    def losses_of(self, out: Mapping[str, Any], chunksize: int, align: bool | None) -> list[Loss]:
        """What the events of the chunks showed to be wrong, from the sum of the results."""

    def books(self, events: Counts, unread: Mapping[tuple[str, str], Ranges], refused: Counts | None = None) -> tuple[Exposure, list[Loss]]:
        """Muons on target of the events that were processed, and what is wrong with the bookkeeping of the files."""


@dataclass(frozen=True)
class _Files:
    """What both have: the names of a fileset."""

    fileset: Any

    @property
    def files(self) -> Sequence[Any]:
        """The files."""
        found: Sequence[Any] = self.fileset.files
        return found

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets in order."""
        found: tuple[str, ...] = self.fileset.datasets
        return found

    @property
    def detectors(self) -> dict[str, Detector]:
        """Tag -> description."""
        found: dict[str, Detector] = self.fileset.detectors
        return found

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What was lost before any event was read."""
        found: tuple[Loss, ...] = self.fileset.losses
        return found

    @property
    def excluded(self) -> Mapping[str, Excluded]:
        """File -> entries that occur twice and are not processed."""
        found: Mapping[str, Excluded] = self.fileset.excluded
        return found


@dataclass(frozen=True)
class RawSource(_Files):
    """Raw trees.

    Attributes
    ----------
    fileset : Fileset
        From `inspect_files`.
    layout : Layout, optional
        Branch layout of foreign trees.
    """

    fileset: Fileset
    layout: Layout | None = None

    is_raw = True

    @property
    def left_to_the_processor(self) -> Mapping[str, Excluded]:
        """Nothing: the reader takes out what occurs twice."""
        return {}

    @property
    def rows(self) -> dict[tuple[str, str], Ranges]:
        """All entries of every file."""
        return {(f.dataset, f.path): ((0, f.entries),) for f in self.fileset.files}

    def _aligned(self, chunksize: int, align: bool | None) -> bool:
        return chunksize >= max((f.largest_cluster for f in self.fileset.files), default=0) if align is None else align

    def chunks(self, chunksize: int, maxchunks: int | None, align: bool | None) -> list[Any]:
        """Chunks as coffea plans them; see `Source`."""
        return raw_chunks(self.fileset, chunksize, maxchunks, align=self._aligned(chunksize, align))

    def read(self, processor: Any, memory: int | None) -> RawRunner:
        """The reader of a chunk; see `Source`."""
        plain = frozenset(f.path for f in self.fileset.files if f.layout is None)
        return RawRunner(processor, self.layout, memory, plain, str(Path.cwd()), self.fileset.bounds, self.fileset.excluded)

    def losses_of(self, out: Mapping[str, Any], chunksize: int, align: bool | None) -> list[Loss]:
        """Faults and units of the events, and a note for every file whose checksums are of larger parts than the chunks."""
        found = [*fault_losses(out.get("faults", {})), *unit_losses(out.get("muons", {}), self.fileset.detectors)]
        if self._aligned(chunksize, align):
            return found
        large = [f for f in self.fileset.files if f.has_checksums and f.largest_cluster > chunksize]
        return [*found, *(Loss(f.dataset, f.path, "note", _unverified(f.path, f.largest_cluster)) for f in large)]

    def books(self, events: Counts, unread: Mapping[tuple[str, str], Ranges], refused: Counts | None = None) -> tuple[Exposure, list[Loss]]:
        """Reconcile what was read with the bookkeeping of the files; see `Source`."""
        found = books_of(self.fileset, events, unread, refused)
        return reconcile(found), bookkeeping_losses(found)


def _unverified(path: str, largest: int) -> str:
    return (
        f"{path}: its checksums were not compared, they are of up to {largest} events and the chunks are smaller: "
        f"take --chunksize {largest} or more, or run `na64mu check` before"
    )


@dataclass(frozen=True)
class SummarySource(_Files):
    """Event summaries.

    Attributes
    ----------
    fileset : SummaryFileset
        From `inspect_summaries`.
    columns : tuple of str
        Columns that are read.
    """

    fileset: SummaryFileset
    columns: tuple[str, ...] = ()

    is_raw = False

    @property
    def left_to_the_processor(self) -> Mapping[str, Excluded]:
        """Rows that occur twice."""
        return self.fileset.excluded

    @property
    def rows(self) -> dict[tuple[str, str], Ranges]:
        """The rows of every dataset in its file."""
        return {(f.dataset, f.path): f.rows for f in self.fileset.files}

    def chunks(self, chunksize: int, maxchunks: int | None, align: bool | None) -> list[Any]:  # noqa: ARG002  # they always end where baskets end
        """Chunks that end where baskets or row groups end; see `Source`."""
        return chunks_of(self.fileset, self.columns, chunksize, maxchunks)

    def read(self, processor: Any, memory: int | None) -> SummaryRunner:
        """The reader of a chunk; see `Source`."""
        return SummaryRunner(processor, memory, str(Path.cwd()))

    def losses_of(self, out: Mapping[str, Any], chunksize: int, align: bool | None) -> list[Loss]:  # noqa: ARG002  # faults were seen when the summaries were made
        """Nothing: what was wrong is in the bookkeeping of the summaries."""
        return []

    def books(
        self,
        events: Counts,
        unread: Mapping[tuple[str, str], Ranges],
        refused: Counts | None = None,  # noqa: ARG002  # was booked when the summaries were made
    ) -> tuple[Exposure, list[Loss]]:
        """Reconcile what was read with the exposure of the summaries; see `Source`."""
        return reconcile_summaries(self.fileset.books(events, unread)), []


def source_of(fileset: Fileset | SummaryFileset, *, layout: Layout | None, columns: tuple[str, ...]) -> Source:
    """The source that a fileset is: of event summaries the columns are read, of raw trees everything.

    Parameters
    ----------
    fileset : Fileset or SummaryFileset
    layout : Layout or None
        Branch layout of foreign trees.
    columns : tuple of str
        Columns of event summaries.

    Returns
    -------
    Source
    """
    return SummarySource(fileset, columns) if isinstance(fileset, SummaryFileset) else RawSource(fileset, layout)
