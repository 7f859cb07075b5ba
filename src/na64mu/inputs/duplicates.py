"""Duplicate events: the same event in two files, or twice in one. They count once; what is left out lowers the exposure of its file.

(run, event) is unique in data. Simulations are distinguished by the seed, conditions and weights of their bookkeeping. Only numbers of
runs whose event numbers overlap are compared one by one, so that the memory does not grow with the number of files.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.errors import InputError
from na64mu.results.losses import Loss
from na64mu.results.provenance import file_hash
from na64mu.typing import AnyArray, IntArray

__all__ = ("EventSource", "Excluded", "Span", "find_duplicates", "origins_of", "spans_of", "without_copies")

#: Events read at a time.
STEP = 1_000_000
#: Pieces in which a range is read again that could not be read at once.
PIECE = 50_000

#: (start, stop) -> run, event, config of these entries.
Reader = Callable[[int, int], tuple[AnyArray, AnyArray, AnyArray]]


@dataclass(frozen=True)
class Span:
    """Event numbers of one run in a range of entries: the lowest, the highest, and whether they rise; `source` says whose they are.

    `falls` is the first entry whose number is below the one before it, -1 if there is none, and `last` the last number.
    """

    run: int
    start: int
    stop: int
    low: int
    high: int
    rising: bool
    source: int = -1
    falls: int = -1
    last: int = -1


def spans_of(read: Reader, start: int, stop: int) -> tuple[Span, ...]:
    """Summarise the event numbers of a range of entries, to see whether its events may occur elsewhere.

    Parameters
    ----------
    read : callable
        (start, stop) -> run, event, config of these entries; raises InputError.
    start, stop : int
        Entries.

    Returns
    -------
    tuple of Span
        One for every run in every piece that can be read.
    """
    found: list[Span] = []
    for low, high, run, event, _ in _pieces(read, start, stop):
        for number in np.unique(run).tolist():
            mine = run == number
            own = event[mine]
            rising = bool(np.all(own[1:] > own[:-1]))
            fall = np.empty(0, np.int64) if rising else np.flatnonzero(own[1:] < own[:-1])
            falls = low + int(np.flatnonzero(mine)[fall[0] + 1]) if len(fall) else -1
            before = next((span for span in reversed(found) if span.run == number), None)
            if before is not None and int(own[0]) < before.last:
                falls = low + int(np.flatnonzero(mine)[0])
            found.append(Span(number, low, high, int(own.min()), int(own.max()), rising, falls=falls, last=int(own[-1])))
    return tuple(found)


@dataclass(frozen=True)
class EventSource:
    """Events of one dataset in one file.

    Attributes
    ----------
    dataset, path : str
    start, stop : int
        Entries.
    is_data : bool
    origins : dict of int to tuple of str
        Run -> what its bookkeeping says of where it comes from.
    read : callable
        (start, stop) -> run, event, config of these entries; raises InputError.
    spans : tuple of Span, optional
        From `spans_of`, where it was called already.
    numbered : bool
        Whether the file itself numbers its events; else their numbers are those of entries, and no event is in two files.
    """

    dataset: str
    path: str
    start: int
    stop: int
    is_data: bool
    origins: dict[int, tuple[str, ...]]
    read: Reader
    spans: tuple[Span, ...] | None = None
    numbered: bool = True

    def group(self, run: int) -> tuple[Any, ...]:
        """Return the properties that duplicate events share, beside their number."""
        if not self.numbered:
            return (run, self.path)
        return (run,) if self.is_data else (run, *self.origins.get(run, ()))


def origins_of(rows: Iterable[Mapping[str, Any]]) -> dict[int, tuple[str, ...]]:
    """Run -> one text for each of its rows in `runs`, equal for equal productions: config, seed, sum of weights, conditions."""
    found: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        found[int(row["run"])].append(f"{row['config']};{row['seed']};{float(row['sum_weights'])!r};{row['conditions']}")
    return {run: tuple(sorted(set(texts))) for run, texts in found.items()}


@dataclass
class Excluded:
    """Entries of one file that are left out.

    Attributes
    ----------
    entries : IntArray
        Sorted.
    elsewhere, here : dict of (str, int, int) to int
        (dataset, run, config) -> number of events whose first copy is in another file, or in this one.
    """

    entries: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    elsewhere: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    here: Counter[tuple[str, int, int]] = field(default_factory=Counter)

    def mask(self, start: int, stop: int) -> AnyArray:
        """Entries start to stop - 1 that are kept, shape (stop - start,)."""
        keep = np.ones(stop - start, np.bool_)
        low, high = np.searchsorted(self.entries, (start, stop))
        keep[self.entries[low:high] - start] = False
        return keep


def find_duplicates(sources: Sequence[EventSource]) -> tuple[dict[str, Excluded], list[Loss]]:
    """Find events that occur twice; the first copy, in the order of the files, is the one that counts.

    Parameters
    ----------
    sources : sequence of EventSource
        In the order of the files.

    Returns
    -------
    excluded : dict of str to Excluded
        File -> entries left out; only files in which entries are left out.
    losses : list of Loss
        One for each pair of files, and a note on each file whose event numbers are not in order.
    """
    spans: dict[tuple[Any, ...], list[Span]] = defaultdict(list)
    losses: list[Loss] = []
    notes: list[Loss] = []
    for i, source in enumerate(sources):
        own = source.spans if source.spans is not None else spans_of(source.read, source.start, source.stop)
        notes += _unsorted(source, own)
        for span in own:
            spans[source.group(span.run)].append(replace(span, source=i))
    excluded: dict[str, Excluded] = defaultdict(Excluded)
    for group, of_run in spans.items():
        _compare(sources, int(group[0]), _suspicious(of_run), excluded, losses)
    for one in excluded.values():
        one.entries.sort()
    return dict(excluded), [*losses, *(note for note in notes if note.file not in excluded)]  # of copies joined to one file it is known why


def _unsorted(source: EventSource, spans: Iterable[Span]) -> list[Loss]:
    """Say that event numbers fall in a file: nothing depends on their order, but it may not be the file that somebody thinks."""
    falling = [span for span in spans if span.falls >= 0]
    if not falling:
        return []
    runs = list(dict.fromkeys(span.run for span in falling))
    where = f"run {runs[0]}" if len(runs) == 1 else f"{len(runs)} runs, the first is {runs[0]}"
    reason = f"{source.path}: event numbers are not in order ({where}, from entry {falling[0].falls} on); nothing depends on their order: read as it is"
    return [Loss(source.dataset, source.path, "note", reason)]


def _pieces(read: Reader, start: int, stop: int, step: int = 0) -> Any:
    """Ranges of entries with run, event and config; what cannot be read is left to the run, which books it as lost."""
    for low in range(start, stop, step or STEP):
        high = min(low + (step or STEP), stop)
        try:
            yield (low, high, *read(low, high))
        except InputError:
            if step == 0 and high - low > PIECE:
                yield from _pieces(read, low, high, PIECE)


def _suspicious(spans: list[Span]) -> list[Span]:
    """Spans whose numbers overlap with those of another one, or do not rise."""
    spans = sorted(spans, key=lambda s: (s.low, s.high))
    found = {s for s in spans if not s.rising}
    reach: Span | None = None
    for span in spans:
        if reach is not None and span.low <= reach.high:
            found |= {span, reach}
        if reach is None or span.high > reach.high:
            reach = span
    # a span that one of those found overlaps with may hide behind a longer one
    return [s for s in spans if s in found or any(s.low <= f.high and f.low <= s.high for f in found)]


def _compare(sources: Sequence[EventSource], number: int, spans: list[Span], excluded: dict[str, Excluded], losses: list[Loss]) -> None:
    if not spans:
        return
    columns: list[tuple[AnyArray, ...]] = []
    for span in sorted(spans, key=lambda s: (s.source, s.start)):
        for start, stop, run, event, config in _pieces(sources[span.source].read, span.start, span.stop):
            own = run == number
            columns.append((event[own], np.full(own.sum(), span.source), np.arange(start, stop)[own], config[own]))
    event, owner, entry, config = (np.concatenate(c) for c in zip(*columns, strict=True))
    order = np.lexsort((entry, owner, event))
    same = np.flatnonzero(event[order[1:]] == event[order[:-1]]) + 1
    if not len(same):
        return
    fresh = np.ones(len(order), np.bool_)
    fresh[same] = False
    first = order[np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))][same]  # the copy that counts
    again = order[same]
    for mine, other in sorted({(int(a), int(b)) for a, b in zip(owner[again], owner[first], strict=True)}):
        both = (owner[again] == mine) & (owner[first] == other)
        source, rows = sources[mine], again[both]
        left_out = excluded[source.path]
        left_out.entries = np.concatenate([left_out.entries, entry[rows]])
        counts = left_out.here if source.path == sources[other].path else left_out.elsewhere
        for value, n in zip(*np.unique(config[rows], return_counts=True), strict=True):
            counts[source.dataset, number, int(value)] += int(n)
        at = rows[np.argmin(entry[rows])]
        n, where = len(rows), "in it already" if mine == other else f"in {sources[other].path} too"
        text = f"{n} of its events are {where}" if n > 1 else f"one of its events is {where}"
        reason = (
            f"{source.path}: {text} (run {number}, event {event[at]} in entry {entry[at]}{' is the first' if n > 1 else ''}); left out here"
        )
        losses.append(Loss(source.dataset, source.path, "duplicate", reason))


def without_copies(files: Sequence[Any], losses: list[Loss]) -> list[Any]:
    """Files without those that have the same content as an earlier one.

    Parameters
    ----------
    files : sequence of SourceFile
        In order; each has a path and a dataset.
    losses : list of Loss
        Receives one for each copy.

    Returns
    -------
    list of SourceFile
        The first file of every content.
    """
    alike: dict[tuple[int, bytes], list[str]] = {}
    for path in dict.fromkeys(f.path for f in files if "://" not in f.path and Path(f.path).exists()):
        with Path(path).open("rb") as stream:
            alike.setdefault((Path(path).stat().st_size, stream.read(4096)), []).append(path)
    copy_of: dict[str, str] = {}
    for candidates in alike.values():
        first_with: dict[str, str] = {}
        for path in candidates if len(candidates) > 1 else ():
            first = first_with.setdefault(file_hash(path), path)
            if first != path:
                copy_of[path] = first
    for path, first in copy_of.items():
        dataset = next(f.dataset for f in files if f.path == path)
        losses.append(Loss(dataset, path, "duplicate", f"{path}: has the same content as {first} and is left out; name one of them only"))
    return [f for f in files if f.path not in copy_of]
