"""The exposure of what was read of raw files.

Every (run, config) counts with the fraction of its recorded events that was read; that the lost events are a fair sample of their run is
inferred. A run that is in several files counts with the sum of its rows, and the same row in several files counts once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from na64mu.results.exposure import Exposure, RunExposure
from na64mu.results.file_book import ORPHANS, FileBook, bookkeeping_problems
from na64mu.results.shared_rows import part_of, shared_sentence, statement

__all__ = ("reconcile",)


def reconcile(books: Iterable[FileBook]) -> Exposure:
    """Exposure of what was read.

    The same bookkeeping of a run in several files is one statement about the run: it counts once, and each file represents the part of it
    that its events are of all of them.

    Parameters
    ----------
    books : iterable of FileBook
        One per file that could be opened.

    Returns
    -------
    Exposure
        One row per dataset, run and config, sorted; every fault of the bookkeeping is a warning.
    """
    sums: dict[tuple[str, int, int], dict[str, float]] = {}
    books = list(books)
    shares = _shares(books)
    warnings = [sentence for _, sentence in bookkeeping_problems(books) if not sentence.endswith(ORPHANS)]
    warnings += [sentence for sentence in map(shared_sentence, shares.items()) if sentence]
    for book in books:
        if not book.rows:
            continue
        keys = {(int(row["run"]), int(row["config"])) for row in book.rows}
        for row in book.rows:
            key, owners = (int(row["run"]), int(row["config"])), shares[statement(row)]
            shared = len(owners) > 1
            _add_row(
                sums.setdefault((book.dataset, *key), defaultdict(float)),
                part_of(row, owners, book.file) if shared else row,
                book.fraction(key, own=shared),
            )
        for key in keys:
            sums[book.dataset, *key]["events_read"] += book.read.get(key, 0)
            sums[book.dataset, *key]["events_lost"] += 0 if book.unread is None else book.unread.get(key, 0)
    warnings += [sentence for _, sentence in bookkeeping_problems(books) if sentence.endswith(ORPHANS)]
    return Exposure(tuple(_run_exposure(key, values) for key, values in sorted(sums.items())), tuple(warnings))


def _shares(books: Iterable[FileBook]) -> dict[tuple[Any, ...], dict[str, int]]:
    """Statement -> the files that make it, with the events of the run that each has."""
    found: dict[tuple[Any, ...], dict[str, int]] = defaultdict(dict)
    for book in books:
        for said in map(statement, book.rows):
            found[said][book.file] = book.n_own(said[:2])
    return found


def _add_row(total: dict[str, float], row: Mapping[str, Any], fraction: float) -> None:
    total["n_mot"] += int(row["n_mot"])
    total["n_mot_read"] += fraction * int(row["n_mot"])
    total["n_generated"] += int(row["n_generated"])
    total["sum_weights"] += float(row["sum_weights"])
    total["sum_weights_read"] += fraction * float(row["sum_weights"])
    total["g_ref"] = float(row.get("g_ref", 0.0))


def _run_exposure(key: tuple[str, int, int], values: Mapping[str, float]) -> RunExposure:
    return RunExposure(
        *key,
        n_mot=int(values["n_mot"]),
        n_mot_read=values["n_mot_read"],
        n_generated=int(values["n_generated"]),
        sum_weights=values["sum_weights"],
        sum_weights_read=values["sum_weights_read"],
        g_ref=values["g_ref"],
        events_read=int(values["events_read"]),
        events_lost=int(values["events_lost"]),
    )
