"""Event summaries of files, chunk by chunk: what `na64mu reconstruct` writes and `na64mu calibrate` fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from na64mu.detector import Detector
from na64mu.errors import InputError
from na64mu.events.batch import RawBatch
from na64mu.inputs.raw_file import SourceFile
from na64mu.inputs.raw_fileset import Fileset
from na64mu.inputs.refused import Tally
from na64mu.reconstruction.event_summary import EventSummary
from na64mu.results.losses import Loss
from na64mu.selections.blinding import BlindingPolicy
from na64mu.typing import BoolArray, Summary

__all__ = ("Look", "collect", "summaries")

Look = Callable[[RawBatch, EventSummary, Detector], None]


def summaries(
    fileset: Fileset,
    losses: list[Loss],
    policy: BlindingPolicy,
    *,
    chunksize: int = 100_000,
    tally: Tally | None = None,
    look: Look | None = None,
) -> Iterator[tuple[SourceFile, Summary, BoolArray]]:
    """Reconstruct the files of a fileset in order.

    Parameters
    ----------
    fileset : Fileset
        Files to process, from `inspect_files`.
    losses : list of Loss
        Receives every chunk that cannot be read, and at the end what was taken out because of a fault.
    policy : BlindingPolicy
        Who may be seen.
    chunksize : int
        Events per chunk.
    tally : Tally, optional
        Receives what was taken out.
    look : callable, optional
        Is given the events that may be seen of every chunk: raw, their summary, and their description.

    Yields
    ------
    file : SourceFile
    summary : Summary
        Columns of shape (n_events,) of the next chunk.
    visible : BoolArray
        Its events that may be seen, shape (n_events,); of the others nothing but recorded columns may be used.
    """
    from na64mu.events.reader import read_batch
    from na64mu.reconstruction import summary as reconstruction

    tally, bounds = tally or Tally(), fileset.bounds
    for file in fileset.files:
        for start in range(0, file.entries, chunksize):
            stop = min(start + chunksize, file.entries)
            try:
                batch = read_batch(file.path, start, stop, layout=file.layout)
                batch = tally.screen(
                    batch, bounds[file.detector], (file.dataset, file.path), start, fileset.excluded.get(file.path), tag=file.detector
                )
                summary = reconstruction.reconstruct(batch, fileset.detectors[file.detector])
                visible = policy.visible(summary, file.path, batch)
                if look is not None:
                    look(batch.with_events(visible), summary[visible], fileset.detectors[file.detector])
                yield file, summary, visible
            except InputError as error:
                reason = f"{file.path}: entries {start} to {stop - 1} are lost: {str(error).removeprefix(f'{file.path}: ')}"
                losses.append(Loss(file.dataset, file.path, "chunk", reason, start, stop))
    losses += tally.losses(fileset.detectors)


def collect(
    fileset: Fileset,
    losses: list[Loss],
    columns: tuple[str, ...],
    policy: BlindingPolicy,
    *,
    chunksize: int = 100_000,
    look: Look | None = None,
) -> Summary:
    """Some columns of all events of a fileset that may be seen.

    Parameters
    ----------
    fileset, losses, policy, chunksize, look
        Arguments as in `summaries`.
    columns : tuple of str
        Columns to keep.

    Returns
    -------
    Summary
        Shape (n_events,) each, in the order of the files.

    Raises
    ------
    InputError
        If no event can be read.
    """
    parts = [{name: s[name][seen] for name in columns} for _, s, seen in summaries(fileset, losses, policy, chunksize=chunksize, look=look)]
    if not parts:
        msg = "no event can be read:"
        raise InputError(msg, *(loss.reason for loss in (*fileset.losses, *losses)))
    return {name: np.concatenate([part[name] for part in parts]) for name in columns}
