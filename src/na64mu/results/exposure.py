"""The exposure: muons on target per run and trigger configuration, reconciled after the run from the chunks that were read.

Rates, yields and limits are per muon on target (MOT), so MOT is never summed while events are processed (it would be counted once
per chunk). The driver reads the bookkeeping of every file, and every (run, config) counts with the fraction of its recorded events
that was read; that the lost events are a fair sample of their run is inferred. A run that is in several files counts with the sum of its rows,
and the same row in several files counts once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from na64mu.common.table import Shown, Table
from na64mu.results.recorded import must_be

__all__ = ("Exposure", "FileBook", "RunExposure", "SummaryBook", "bookkeeping_problems", "reconcile", "reconcile_summaries", "rows_once")

#: Events per (run, config).
RunCounts = Mapping[tuple[int, int], int]


@dataclass(frozen=True, order=True)
class RunExposure:
    """Exposure of one (run, config) in one dataset.

    Attributes
    ----------
    dataset : str
    run, config : int
    n_mot : int
        Muons on target of the run's bookkeeping (S0 x S1 x !V1 before prescale).
    n_mot_read : float
        Muons on target that the events read represent.
    n_generated, sum_weights, sum_weights_read : float
        Simulation: generated events, their sum of weights, and the part read.
    g_ref : float
        Coupling that the weights correspond to, 0 if none.
    events_read, events_lost : int
        Recorded events; lost ones as far as they are known.
    """

    dataset: str
    run: int
    config: int
    n_mot: int
    n_mot_read: float
    n_generated: int
    sum_weights: float
    sum_weights_read: float
    g_ref: float
    events_read: int
    events_lost: int

    @property
    def fraction(self) -> float:
        """Part of the muons on target that the events read represent."""
        return self.n_mot_read / self.n_mot if self.n_mot else float(self.events_lost == 0)


@dataclass(frozen=True, repr=False)
class Exposure(Shown):
    """All runs of a job, and what is wrong with their bookkeeping."""

    runs: tuple[RunExposure, ...] = ()
    warnings: tuple[str, ...] = ()

    def n_mot(self, dataset: str | None = None, config: int | None = None) -> float:
        """Muons on target that the events read represent, of one dataset and configuration or of all."""
        return sum(r.n_mot_read for r in self._of(dataset, config))

    def n_mot_recorded(self, dataset: str | None = None, config: int | None = None) -> int:
        """Muons on target in the bookkeeping of the files that could be opened."""
        return sum(r.n_mot for r in self._of(dataset, config))

    def sum_weights(self, dataset: str | None = None, config: int | None = None) -> float:
        """Sum of weights of the generated events that the events read represent."""
        return sum(r.sum_weights_read for r in self._of(dataset, config))

    @property
    def datasets(self) -> tuple[str, ...]:
        """Datasets with bookkeeping, sorted."""
        return tuple(sorted({r.dataset for r in self.runs}))

    def _of(self, dataset: str | None, config: int | None) -> list[RunExposure]:
        return [r for r in self.runs if dataset in (None, r.dataset) and config in (None, r.config)]

    def _table(self) -> Table:
        rows = []
        for dataset in self.datasets:
            for config in sorted({r.config for r in self._of(dataset, None)}):
                runs = self._of(dataset, config)
                events, lost = sum(r.events_read for r in runs), sum(r.events_lost for r in runs)
                mot, recorded = self.n_mot(dataset, config), self.n_mot_recorded(dataset, config)
                rows.append((dataset, str(config), str(len(runs)), f"{mot:.6g}", f"{recorded:.6g}", str(events), str(lost)))
        title = f"exposure: {self.n_mot():.6g} muons on target read, {self.n_mot_recorded():.6g} recorded"
        headings = ("dataset", "configuration", "runs", "MOT read", "MOT recorded", "events read", "events lost")
        return Table(title, headings if rows else (), tuple(rows), self.warnings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"runs": [asdict(r) for r in self.runs], "warnings": list(self.warnings)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Exposure:
        """The inverse of `to_dict`."""
        runs = tuple(RunExposure(**must_be(RunExposure, r, "exposure.runs")) for r in content["runs"])
        return cls(runs, tuple(must_be(list[str], content["warnings"], "exposure.warnings")))


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


#: How the sentence about events without bookkeeping ends.
ORPHANS = "without a row in 'runs'"


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
    warnings += [sentence for sentence in map(_shared_sentence, shares.items()) if sentence]
    for book in books:
        if not book.rows:
            continue
        keys = {(int(row["run"]), int(row["config"])) for row in book.rows}
        for row in book.rows:
            key, owners = (int(row["run"]), int(row["config"])), shares[_statement(row)]
            shared = len(owners) > 1
            _add_row(
                sums.setdefault((book.dataset, *key), defaultdict(float)),
                _part_of(row, owners, book.file) if shared else row,
                book.fraction(key, own=shared),
            )
        for key in keys:
            sums[book.dataset, *key]["events_read"] += book.read.get(key, 0)
            sums[book.dataset, *key]["events_lost"] += 0 if book.unread is None else book.unread.get(key, 0)
    warnings += [sentence for _, sentence in bookkeeping_problems(books) if sentence.endswith(ORPHANS)]
    return Exposure(tuple(_run_exposure(key, values) for key, values in sorted(sums.items())), tuple(warnings))


def _statement(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a row of the bookkeeping says of a run: equal for files of one run that was split."""
    whole = (int(row[name]) for name in ("run", "config", "n_mot", "n_generated"))
    return (*whole, float(row["sum_weights"]), int(row.get("seed", 0)))


def _shares(books: Iterable[FileBook]) -> dict[tuple[Any, ...], dict[str, int]]:
    """Statement -> the files that make it, with the events of the run that each has."""
    found: dict[tuple[Any, ...], dict[str, int]] = defaultdict(dict)
    for book in books:
        for statement in map(_statement, book.rows):
            found[statement][book.file] = book.n_own(statement[:2])
    return found


def _shared_sentence(shared: tuple[tuple[Any, ...], Mapping[str, int]]) -> str:
    """One sentence about a statement that several files make; empty if one does."""
    (run, config, n_mot, *_), files = shared
    if len(files) < 2:
        return ""
    first, second, *others = files
    more = f" and {len(others)} more" if others else ""
    return (
        f"{second}: run {run}, config {config} has the same bookkeeping as in {first}{more}: its {n_mot} muons on target count once, "
        "each file with its part of the events"
    )


def _share(files: Mapping[str, int], file: str) -> float:
    """Part of the events of all files that one has; equal parts if there are none."""
    total = sum(files.values())
    return files[file] / total if total else 1.0 / len(files)


def _part_of(row: Mapping[str, Any], files: Mapping[str, int], file: str) -> dict[str, Any]:
    """The row with the part of its numbers that one file represents; the parts of all files add up exactly."""
    weights = files if any(files.values()) else dict.fromkeys(files, 1)
    total, at = sum(weights.values()), list(files).index(file)
    before = sum(list(weights.values())[:at])
    behind = before + weights[file]
    whole = {name: int(row[name]) * behind // total - int(row[name]) * before // total for name in ("n_mot", "n_generated")}
    return {**row, **whole, "sum_weights": float(row["sum_weights"]) * _share(files, file)}


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
            files = owners[_statement(asdict(run))]
            files[book.file] = files.get(book.file, 0) + book.n_own(run)
    warnings = [f"{book.file}: {warning}" for book in books for warning in book.exposure.warnings]
    warnings += [sentence for sentence in map(_shared_sentence, owners.items()) if sentence]
    runs: dict[tuple[str, int, int], RunExposure] = {}
    for book in books:
        for whole in book.exposure.runs:
            shares = owners[_statement(asdict(whole))]
            run = book.reduced(whole, own=len(shares) > 1)
            if len(shares) > 1:
                part = _part_of(asdict(whole), shares, book.file)
                scale = _share(shares, book.file)
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
