"""Chunks of raw trees: planned by coffea, read in one opening of the file, passed to the processor.

coffea's own work function would open a file, make virtual arrays of every branch and ask for them one by one: that takes three times as
long as to read the columns, which for small files is most of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from na64mu.errors import InputError
from na64mu.events.faults import Bounds
from na64mu.inputs.chunk_runner import Portion
from na64mu.inputs.duplicates import Excluded
from na64mu.inputs.paths import path_in, shown_as
from na64mu.inputs.raw_fileset import Fileset
from na64mu.inputs.refused import Tally

__all__ = ("RawReader", "raw_chunks")


def raw_chunks(fileset: Fileset, chunksize: int, maxchunks: int | None, *, align: bool) -> list[Any]:
    """Chunks of a fileset in the order of its files: coffea's WorkItem.

    Parameters
    ----------
    fileset : Fileset
        Files to process, from `inspect_files`.
    chunksize : int
        Events, roughly.
    maxchunks : int, optional
        Chunks per dataset.
    align : bool
        Whether chunks end where baskets end.

    Returns
    -------
    list of WorkItem
        dataset, filename, treename, entrystart, entrystop, and `usermeta` with the detector.
    """
    from coffea.processor import IterativeExecutor, Runner

    nobody = IterativeExecutor(retries=0, status=False)  # everything is known, no file is opened
    runner = Runner(nobody, chunksize=chunksize, maxchunks=maxchunks, align_clusters=align, metadata_cache=fileset.known())
    steps = {(f.dataset, f.path): f.steps for f in fileset.files if f.steps is not None}
    chunks = list(runner.preprocess(fileset.for_runner()))
    return [part for chunk in chunks for part in _within(chunk, steps.get((chunk.dataset, chunk.filename)))]


def _within(chunk: Any, steps: tuple[tuple[int, int], ...] | None) -> list[Any]:
    """The parts of a chunk that lie in the steps of its file."""
    if steps is None:
        return [chunk]
    parts = [(max(a, chunk.entrystart), min(b, chunk.entrystop)) for a, b in steps]
    return [replace(chunk, entrystart=a, entrystop=b) for a, b in parts if a < b]


#: Detectors whose kernels this process has loaded. To load them under a limit of memory would end the process where it does not fit.
_LOADED: set[str] = set()


@dataclass(frozen=True)
class RawReader:
    """Reads chunks of raw trees and takes out of them what occurs twice and what has faults; see `Reader`.

    Attributes
    ----------
    layout : Layout, optional
        Branch layout of foreign trees.
    plain : frozenset of str
        Files that are read without the layout.
    folder : str
        Working folder of the process that opened the files: paths are relative to it, wherever a worker runs.
    bounds : mapping of str to Bounds
        Detector tag -> what the rows of its events can hold; events of others are not looked at.
    excluded : mapping of str to Excluded
        File -> entries that occur twice and are left out.
    """

    layout: Any = None
    plain: frozenset[str] = frozenset()
    folder: str = ""
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    excluded: Mapping[str, Excluded] = field(default_factory=dict)

    def rehearsal(self, chunk: Any) -> Any:
        """Return the first event of the first chunk of a detector, which loads its kernels."""
        if chunk.usermeta["detector"] in _LOADED or not len(chunk):
            return None
        _LOADED.add(chunk.usermeta["detector"])
        return replace(chunk, entrystop=chunk.entrystart + 1)

    def read(self, chunk: Any) -> Portion:
        """Read a chunk; what is counted is the faults, the refused events, energies of muons and sums of the bookkeeping."""
        batch, tally = self._read(chunk), Tally()
        tag = chunk.usermeta["detector"] if chunk.usermeta else ""
        if tag in self.bounds:
            given, excluded = (chunk.dataset, chunk.filename), self.excluded.get(chunk.filename)
            batch = tally.screen(batch, self.bounds[tag], given, int(chunk.entrystart), excluded, tag=tag)
        where = {name: getattr(chunk, name) for name in ("dataset", "filename", "treename", "entrystart", "entrystop")}
        found = {"faults": tally.faults, "refused": dict(tally.refused), "muons": tally.muons, "sums": tally.sums}
        return Portion(batch, {**where, **(chunk.usermeta or {})}, found)

    def give(self, portion: Portion, processor: Any, clock: Any) -> dict[str, Any]:
        """Let the processor reconstruct and analyse the events."""
        result: dict[str, Any] = processor.process_batch(portion.events, portion.where, clock)
        return result

    def _read(self, chunk: Any) -> Any:
        from na64mu.events.reader import batch_of
        from na64mu.events.root_io import open_file, sentence_for

        path = path_in(self.folder, chunk.filename)
        with shown_as(path, chunk.filename), sentence_for(path), open_file(path) as file:
            if UUID(str(file.file.uuid)).bytes != chunk.fileuuid:
                msg = f"{path}: is another file than at the start of the run; run again"
                raise InputError(msg)
            layout = None if chunk.filename in self.plain else self.layout
            return batch_of(file, path, int(chunk.entrystart), int(chunk.entrystop), layout=layout)
