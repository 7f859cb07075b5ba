"""Exposure of every file from the entries that were read, and the losses of its bookkeeping."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from na64mu.errors import InputError
from na64mu.inputs.duplicates import Excluded
from na64mu.inputs.entry_ranges import Ranges
from na64mu.inputs.raw_file import SourceFile, read_numbers
from na64mu.inputs.raw_fileset import Fileset
from na64mu.results.file_book import FileBook, bookkeeping_problems, rows_once
from na64mu.results.losses import Loss

__all__ = ("bookkeeping_losses", "books_of", "counts_of")


def books_of(
    fileset: Fileset,
    events: Mapping[tuple[str, str, int, int], int],
    unread: Mapping[tuple[str, str], Ranges],
    refused: Mapping[tuple[str, str, int, int], int] | None = None,
) -> list[FileBook]:
    """Bookkeeping of every file and what was read of it.

    Parameters
    ----------
    fileset : Fileset
        Files to process, from `inspect_files`.
    events : mapping of (dataset, file, run, config) to int
        Events processed.
    unread : mapping of (dataset, file) to ranges
        Entries that were not processed.
    refused : mapping of (dataset, file, run, config) to int, optional
        Events that were read and taken out because of a fault: they count as not read.

    Returns
    -------
    list of FileBook
        Bookkeeping in the form that `na64mu.results.reconciliation.reconcile` takes. Events whose first copy is in another file count as not read.
    """
    books = []
    read: dict[tuple[str, str], dict[tuple[int, int], int]] = defaultdict(dict)
    for (dataset, path, run, config), n in events.items():
        read[dataset, path][run, config] = n
    faulty: dict[tuple[str, str], Counter[tuple[int, int]]] = defaultdict(Counter)
    for (dataset, path, run, config), n in (refused or {}).items():
        faulty[dataset, path][run, config] += n
    for file in fileset.files:
        ranges = unread[file.dataset, file.path]
        doubled = fileset.excluded.get(file.path, Excluded())
        counts, out = counts_of(file, ranges, doubled), faulty[file.dataset, file.path]
        if counts is not None:
            counts += out
        rows, problem = _rows_of(file, read[file.dataset, file.path], counts)
        elsewhere = Counter({(run, config): n for (_, run, config), n in doubled.elsewhere.items()})
        if counts is not None:
            counts += elsewhere
        books.append(
            FileBook(
                file.dataset,
                file.path,
                rows=rows_once(rows, ((run, config) for _, run, config in doubled.here)),
                read=read[file.dataset, file.path],
                unread=counts,
                n_unread=sum(int(doubled.mask(start, stop).sum()) for start, stop in ranges) + doubled.elsewhere.total() + out.total(),
                problem=problem,
                elsewhere=elsewhere,
            )
        )
    return books


def bookkeeping_losses(books: Iterable[FileBook]) -> list[Loss]:
    """One loss for every file with events but without muons on target; a file without events has none to lose."""
    return [
        Loss(book.dataset, book.file, "bookkeeping", sentence) for book, sentence in bookkeeping_problems(books) if any(book.read.values())
    ]


def _rows_of(file: SourceFile, read: Mapping[tuple[int, int], int], unread: Mapping[tuple[int, int], int] | None) -> tuple[Any, str]:
    """Rows of `runs` that count: where events have no row, a row without events is of another run, and its muons are not those of the file."""
    seen = {*read, *(unread or {})}
    keys = {(int(row["run"]), int(row["config"])) for row in file.rows}
    if not file.rows or seen <= keys or unread is None:
        return file.rows, file.problem
    rows = tuple(row for row in file.rows if (int(row["run"]), int(row["config"])) in seen)
    return (
        rows,
        file.problem if rows else f"{file.path}: the rows in 'runs' are of other runs ({', '.join(str(r) for r, _ in sorted(keys))})",
    )


def counts_of(file: SourceFile, ranges: Ranges, doubled: Excluded) -> Counter[tuple[int, int]] | None:
    """Events per (run, config) of some entries of a file; None if even these two columns cannot be read."""
    total: Counter[tuple[int, int]] = Counter()
    try:
        for start, stop in ranges:
            columns = read_numbers(file.path, file.tree, start, stop, file.layout, ("run", "config"))
            keep = doubled.mask(start, stop)
            run, config = (np.asarray(columns[name])[keep].tolist() for name in ("run", "config"))
            total.update(zip(run, config, strict=True))
    except InputError:
        return None
    return total
