"""Events and rows with faults that a run took out: from chunks to sentences, and the sum that every file must give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from na64mu.detector import Detector
from na64mu.errors import InputError
from na64mu.events.batch import RawBatch
from na64mu.events.fault_rules import KINDS
from na64mu.events.faults import Bounds
from na64mu.events.run_rows import RunSums, contradictions, sums_of
from na64mu.events.screening import FaultCount, screened, sentence_of
from na64mu.events.units import mip_counts, unit_sentences
from na64mu.inputs.duplicates import Excluded
from na64mu.inputs.entry_ranges import Ranges
from na64mu.results.exposure import Exposure
from na64mu.results.losses import Loss, LossKind

__all__ = ("FaultKeys", "Tally", "fault_losses", "must_add_up", "row_losses", "unit_losses")

#: (Dataset, file, kind, column) -> how often.
FaultKeys = dict[tuple[str, str, str, str], FaultCount]

#: (Dataset, file, run, configuration) -> sums of its events.
RunSumsOf = dict[tuple[str, str, int, int], RunSums]

#: Rule -> kind of loss.
LOSSES: dict[str, LossKind] = {"refuse": "refused", "mask": "masked", "note": "note"}


class Tally:
    """What was taken out of the events of several files.

    Attributes
    ----------
    faults : dict
        (dataset, file, kind, column) -> FaultCount.
    refused : Counter
        (dataset, file, run, config) -> events.
    muons : dict
        (dataset, detector tag, quantity) -> energies of its muons, see na64mu.events.units.
    sums : dict
        (dataset, file, run, config) -> what the events say about the bookkeeping.
    """

    def __init__(self) -> None:
        self.faults: FaultKeys = {}
        self.refused: Counter[tuple[str, str, int, int]] = Counter()
        self.muons: dict[tuple[str, str, str], Counter[int]] = {}
        self.sums: RunSumsOf = {}

    def screen(
        self, batch: RawBatch, bounds: Bounds, where: tuple[str, str], start: int, excluded: Excluded | None = None, *, tag: str = ""
    ) -> RawBatch:
        """Take duplicates out of a chunk, which are counted elsewhere, then faults, which are counted here.

        Parameters
        ----------
        batch : RawBatch
            Events of the chunk.
        bounds : Bounds
            What they can hold.
        where : (str, str)
            Dataset and file.
        start : int
            Entry of the first event.
        excluded : Excluded, optional
            Entries of the file that are left out.
        tag : str
            Detector tag, under which the energies of muons are counted; not counted without it.

        Returns
        -------
        RawBatch
            Events without faults.
        """
        entries = np.arange(start, start + len(batch))
        if excluded is not None:
            once = excluded.mask(start, start + len(batch))
            batch, entries = batch.with_events(once), entries[once]
        found = screened(batch, bounds, entries)
        for (kind, column), count in found.faults.items():
            key = (*where, kind, column)
            self.faults[key] = self.faults[key] + count if key in self.faults else count
        self.refused.update({(*where, *pair): n for pair, n in found.refused.items()})
        for pair, sums in sums_of(batch.scalars).items():
            of_run = (*where, *pair)
            self.sums[of_run] = self.sums[of_run] + sums if of_run in self.sums else sums
        for name, energies in mip_counts(found.batch, bounds.modules).items() if tag else ():
            self.muons.setdefault((where[0], tag, name), Counter()).update(energies)
        return found.batch

    def losses(self, detectors: Mapping[str, Detector]) -> list[Loss]:
        """Return everything that is to be said."""
        return [*fault_losses(self.faults), *unit_losses(self.muons, detectors)]


def fault_losses(faults: Mapping[tuple[str, str, str, str], FaultCount]) -> list[Loss]:
    """One sentence for each file, kind and column.

    Parameters
    ----------
    faults : mapping
        (dataset, file, kind, column) -> FaultCount.

    Returns
    -------
    list of Loss
        Sorted by dataset and file; events that are refused first.
    """
    order = list(LOSSES)
    keys = sorted(faults, key=lambda key: (*key[:2], order.index(KINDS[key[2]].rule), *key[2:]))
    return [_loss(key, faults[key]) for key in keys]


def unit_losses(muons: Mapping[tuple[str, str, str], Mapping[int, int]], detectors: Mapping[str, Detector]) -> list[Loss]:
    """One sentence for each dataset and calorimeter whose energies are in another unit.

    Parameters
    ----------
    muons : mapping
        (dataset, detector tag, quantity) -> energies of its muons.
    detectors : mapping of str to Detector
        Tag -> description.

    Returns
    -------
    list of Loss
        Sorted by dataset.
    """
    losses = []
    for dataset, tag in sorted({key[:2] for key in muons}):
        own = {name: counts for (d, t, name), counts in muons.items() if (d, t) == (dataset, tag)}
        losses += [Loss(dataset, "", "units", f"dataset {dataset!r}: {text}") for _, text in unit_sentences(own, detectors[tag])]
    return losses


def row_losses(sums: Mapping[tuple[str, str, int, int], RunSums], exposure: Exposure) -> list[Loss]:
    """One sentence for each row of the bookkeeping that its events contradict.

    Parameters
    ----------
    sums : mapping
        (dataset, file, run, config) -> what the events say.
    exposure : Exposure
        Exposure of the same events.

    Returns
    -------
    list of Loss
        In the order of the exposure.
    """
    losses = []
    for run in exposure.runs:
        own = {path: s for (dataset, path, *pair), s in sums.items() if (dataset, *pair) == (run.dataset, run.run, run.config)}
        if own:
            total = sum(own.values(), RunSums(0, 0.0, 0))
            for _, sentence in contradictions(asdict(run), total):
                reason = f"{next(iter(own))}: in 'runs', run {run.run}, config {run.config} {sentence}: its muons on target are not right"
                losses.append(Loss(run.dataset, next(iter(own)), "bookkeeping", reason))
    return losses


def _loss(key: tuple[str, str, str, str], count: FaultCount) -> Loss:
    dataset, path, kind, column = key
    return Loss(dataset, path, LOSSES[KINDS[kind].rule], f"{path}: {sentence_of(kind, column, count)}")


def must_add_up(
    files: Iterable[Any],
    out: Mapping[str, Any],
    ranges: Mapping[tuple[str, str], tuple[Ranges, Ranges]],
    excluded: Mapping[str, Excluded],
) -> None:
    """Check that of every file the events read, refused, left out as duplicates, and not read are all of its entries.

    Parameters
    ----------
    files : iterable of SourceFile or SummaryFile
        Each has a dataset and a path.
    out : mapping
        Sum of the chunks: "events" and "refused" per (dataset, file, run, config).
    ranges : mapping of (dataset, file) to (ranges, ranges)
        Entries read and not read.
    excluded : mapping of str to Excluded
        File -> duplicates.

    Raises
    ------
    InputError
        If a chunk was counted twice, lost without a word, or what was kept of it was changed.
    """
    counted: Counter[tuple[str, str]] = Counter()
    for what in ("events", "refused"):
        for (dataset, path, *_), n in out.get(what, {}).items():
            counted[dataset, path] += n
    for file in files:
        read, _ = ranges[file.dataset, file.path]
        doubled = excluded.get(file.path, Excluded())
        expected = sum(int(doubled.mask(start, stop).sum()) for start, stop in read)
        if counted[file.dataset, file.path] != expected:
            msg = (
                f"{file.path}: {counted[file.dataset, file.path]} of its events were counted, {expected} of its entries were read: what was "
                "kept of an earlier run was changed, or this is a defect of na64mu; run again without --resume"
            )
            raise InputError(msg)
