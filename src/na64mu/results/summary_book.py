"""The exposure of what was read of event summaries: what they represented when they were written, less what was not read now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from na64mu.results.exposure import Exposure, RunExposure
from na64mu.results.shared_rows import part_of, share, shared_sentence, statement

__all__ = ("SummaryBook", "reconcile_summaries")


@dataclass(frozen=True)
class SummaryBook:
    """A file of event summaries, its own exposure, and what was read of it: the input of `reconcile_summaries`.

    Attributes
    ----------
    file : str
    exposure : Exposure
        Exposure as it was written: what its events represented.
    read : mapping of (dataset, run, config) to int
        Rows processed.
    unread : mapping of (dataset, run, config) to int, or None
        Rows that were not processed; None if their run numbers cannot be read.
    n_unread : int
        Number of these rows.
    elsewhere : mapping of (dataset, run, config) to int
        Unread rows whose first copy is in another file.
    """

    file: str
    exposure: Exposure
    read: Mapping[tuple[str, int, int], int]
    unread: Mapping[tuple[str, int, int], int] | None
    n_unread: int
    elsewhere: Mapping[tuple[str, int, int], int] = field(default_factory=dict)

    def reduced(self, run: RunExposure, *, own: bool = False) -> RunExposure:
        """One run with what was not read of it taken out; `own` leaves out the rows that are elsewhere too."""
        key = (run.dataset, run.run, run.config)
        if self.n_unread == 0 or (self.unread is not None and key not in self.unread):
            return run
        read, unread = self.read.get(key, 0), 0 if self.unread is None else self.unread[key]
        if self.unread is None:  # all runs of the file lose alike
            total, n_unread = sum(self.read.values()), self.n_unread - (sum(self.elsewhere.values()) if own else 0)
            part = total / (total + n_unread) if total + n_unread else 1.0
        else:
            n_own = read + unread - (self.elsewhere.get(key, 0) if own else 0)
            part = read / n_own if n_own else 1.0
        return replace(
            run,
            n_mot_read=run.n_mot_read * part,
            sum_weights_read=run.sum_weights_read * part,
            events_read=run.events_read - unread,
            events_lost=run.events_lost + unread,
        )

    def n_own(self, run: RunExposure) -> int:
        """Rows of one run in this file, read or not, without those that are in another file already."""
        key = (run.dataset, run.run, run.config)
        unread = self.n_unread if self.unread is None else self.unread.get(key, 0)
        return self.read.get(key, 0) + unread - self.elsewhere.get(key, 0)


def reconcile_summaries(books: Iterable[SummaryBook]) -> Exposure:
    """Exposure of event summaries: what their events represented when they were written, less what was not read now.

    Parameters
    ----------
    books : iterable of SummaryBook
        One per file.

    Returns
    -------
    Exposure
        One row per dataset, run and config, sorted.
    """
    books = list(books)
    owners: dict[tuple[Any, ...], dict[str, int]] = defaultdict(dict)
    for book in books:
        for run in book.exposure.runs:
            files = owners[statement(asdict(run))]
            files[book.file] = files.get(book.file, 0) + book.n_own(run)
    warnings = [f"{book.file}: {warning}" for book in books for warning in book.exposure.warnings]
    warnings += [sentence for sentence in map(shared_sentence, owners.items()) if sentence]
    runs: dict[tuple[str, int, int], RunExposure] = {}
    for book in books:
        for whole in book.exposure.runs:
            shares = owners[statement(asdict(whole))]
            run = book.reduced(whole, own=len(shares) > 1)
            if len(shares) > 1:
                part = part_of(asdict(whole), shares, book.file)
                scale = share(shares, book.file)
                run = replace(
                    run,
                    n_mot=part["n_mot"],
                    n_generated=part["n_generated"],
                    sum_weights=part["sum_weights"],
                    n_mot_read=run.n_mot_read * scale,
                    sum_weights_read=run.sum_weights_read * scale,
                )
            key = (run.dataset, run.run, run.config)
            runs[key] = run if key not in runs else _joined(runs[key], run)
    return Exposure(tuple(sorted(runs.values())), tuple(warnings))


def _joined(a: RunExposure, b: RunExposure) -> RunExposure:
    sums = ("n_mot", "n_mot_read", "n_generated", "sum_weights", "sum_weights_read", "events_read", "events_lost")
    return replace(a, **{name: getattr(a, name) + getattr(b, name) for name in sums})
