"""Bookkeeping of one file: the rows of its `runs` tree beside the events that were read, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ("ORPHANS", "FileBook", "RunCounts", "bookkeeping_problems", "rows_once")

#: Events per (run, config).
RunCounts = Mapping[tuple[int, int], int]

#: How the sentence about events without bookkeeping ends.
ORPHANS = "without a row in 'runs'"


@dataclass(frozen=True)
class FileBook:
    """Bookkeeping of one file and what was read of it: the input of `reconcile`.

    Attributes
    ----------
    dataset, file : str
    rows : tuple of dict
        Rows of the `runs` tree; empty if it is missing.
    read : mapping of (run, config) to int
        Events processed.
    unread : mapping of (run, config) to int, or None
        Events of the entries that were not processed; None if even their run numbers cannot be read.
    n_unread : int
        Number of these entries.
    problem : str
        Why the bookkeeping is missing, if it is.
    elsewhere : mapping of (run, config) to int
        Unread events whose first copy is in another file.
    """

    dataset: str
    file: str
    rows: tuple[dict[str, Any], ...]
    read: RunCounts
    unread: RunCounts | None
    n_unread: int
    problem: str = ""
    elsewhere: RunCounts = field(default_factory=dict)

    def fraction(self, key: tuple[int, int], *, own: bool = False) -> float:
        """Part of the events of one (run, config) in this file that was processed; `own` leaves out those that are elsewhere too."""
        n_elsewhere = self.elsewhere.get(key, 0) if own else 0
        if self.n_unread == 0:
            return 1.0
        n_read = self.read.get(key, 0)
        if self.unread is None:  # all runs of the file lose alike
            n_read = sum(self.read.values())
            total = n_read + self.n_unread - (sum(self.elsewhere.values()) if own else 0)
        else:
            total = n_read + self.unread.get(key, 0) - n_elsewhere
        return n_read / total if total else 1.0

    def n_own(self, key: tuple[int, int]) -> int:
        """Events of one (run, config) in this file, read or not, without those that are in another file already."""
        unread = self.n_unread if self.unread is None else self.unread.get(key, 0)
        return self.read.get(key, 0) + unread - self.elsewhere.get(key, 0)


def bookkeeping_problems(books: Iterable[FileBook]) -> list[tuple[FileBook, str]]:
    """Files whose events have no muons on target in the bookkeeping.

    Parameters
    ----------
    books : iterable of FileBook
        One per file that could be opened.

    Returns
    -------
    list of (FileBook, str)
        The file, and one sentence about it.
    """
    problems = []
    for book in books:
        if not book.rows:
            problem = book.problem or f"{book.file}: the tree 'runs' has no rows"
            problems.append((book, f"{problem}: its events count in the cut-flow but no muons on target stand behind them"))
            continue
        keys = {(int(row["run"]), int(row["config"])) for row in book.rows}
        orphans = [f"{n} events of run {r}, config {c}" for (r, c), n in sorted(book.read.items()) if (r, c) not in keys]
        if orphans:
            problems.append((book, f"{book.file}: {', '.join(orphans)} {ORPHANS}"))
    return problems


def rows_once(rows: Iterable[dict[str, Any]], doubled: Iterable[tuple[int, int]]) -> tuple[dict[str, Any], ...]:
    """Bookkeeping of a file without rows that occur twice because its events do (two copies of a file joined to one).

    Parameters
    ----------
    rows : iterable of dict
        Rows of the `runs` tree.
    doubled : iterable of (int, int)
        (run, config) of events that occur twice in this file.

    Returns
    -------
    tuple of dict
        The rows that count.
    """
    again, seen, kept = set(doubled), set(), []
    for row in rows:
        key = (int(row["run"]), int(row["config"]))
        same = (*key, int(row["n_mot"]), int(row["n_generated"]), float(row["sum_weights"]), int(row["seed"]))
        if key not in again or same not in seen:
            kept.append(row)
        seen.add(same)
    return tuple(kept)
