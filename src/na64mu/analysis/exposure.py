"""The exposure: muons on target per run and trigger configuration, reconciled after the run from the chunks that were read.

Rates, yields and limits are per muon on target (MOT), so MOT is never summed while events are processed (it would be counted once
per chunk). The driver reads the bookkeeping of every file, and every (run, config) counts with the fraction of its recorded events
that was read; that the lost events are a fair sample of their run is inferred. A run that stands in several files counts with the sum of its rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ("Exposure", "RunExposure", "reconcile")

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
        The part that the events read stand for.
    n_generated, sum_weights, sum_weights_read : float
        Simulation: generated events, their sum of weights, and the part read.
    g_ref : float
        Coupling the weights stand for, 0 if none.
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
        """Part of the muons on target that the events read stand for."""
        return self.n_mot_read / self.n_mot if self.n_mot else float(self.events_lost == 0)


@dataclass(frozen=True)
class Exposure:
    """All runs of a job, and what is wrong with their bookkeeping."""

    runs: tuple[RunExposure, ...] = ()
    warnings: tuple[str, ...] = ()

    def n_mot(self, dataset: str | None = None, config: int | None = None) -> float:
        """Muons on target that the events read stand for, of one dataset and configuration or of all."""
        return sum(r.n_mot_read for r in self._of(dataset, config))

    def n_mot_recorded(self, dataset: str | None = None, config: int | None = None) -> int:
        """Muons on target in the bookkeeping of the files that could be opened."""
        return sum(r.n_mot for r in self._of(dataset, config))

    def sum_weights(self, dataset: str | None = None, config: int | None = None) -> float:
        """Sum of weights of the generated events that the events read stand for."""
        return sum(r.sum_weights_read for r in self._of(dataset, config))

    @property
    def datasets(self) -> tuple[str, ...]:
        """Datasets with bookkeeping, sorted."""
        return tuple(sorted({r.dataset for r in self.runs}))

    def _of(self, dataset: str | None, config: int | None) -> list[RunExposure]:
        return [r for r in self.runs if dataset in (None, r.dataset) and config in (None, r.config)]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"runs": [asdict(r) for r in self.runs], "warnings": list(self.warnings)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Exposure:
        """The inverse of `to_dict`."""
        return cls(tuple(RunExposure(**r) for r in content["runs"]), tuple(content["warnings"]))


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
    """

    dataset: str
    file: str
    rows: tuple[dict[str, Any], ...]
    read: RunCounts
    unread: RunCounts | None
    n_unread: int
    problem: str = ""

    def fraction(self, key: tuple[int, int]) -> float:
        """Part of the events of one (run, config) in this file that was processed."""
        if self.n_unread == 0:
            return 1.0
        n_read = self.read.get(key, 0)
        if self.unread is None:  # all runs of the file lose alike
            n_read = sum(self.read.values())
            return n_read / (n_read + self.n_unread)
        total = n_read + self.unread.get(key, 0)
        return n_read / total if total else 1.0


def reconcile(books: Iterable[FileBook]) -> Exposure:
    """Exposure of what was read.

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
    seen: dict[tuple[str, tuple[Any, ...]], str] = {}
    orphans: dict[tuple[str, str], list[str]] = defaultdict(list)
    warnings: list[str] = []
    for book in books:
        if not book.rows:
            problem = book.problem or f"{book.file}: the tree 'runs' has no rows"
            warnings.append(f"{problem}: its events count in the cut-flow but no muons on target stand behind them")
            continue
        keys = {(int(row["run"]), int(row["config"])) for row in book.rows}
        for row in book.rows:
            key = (int(row["run"]), int(row["config"]))
            same = (book.dataset, (*key, int(row["n_mot"]), int(row["n_generated"]), int(row["seed"])))
            if same in seen:
                warnings.append(
                    f"{book.file}: run {key[0]}, config {key[1]} has the same bookkeeping as in {seen[same]}: both count; "
                    "if one file was split in two, its muons on target are counted twice"
                )
            seen.setdefault(same, book.file)
            _add_row(sums.setdefault((book.dataset, *key), defaultdict(float)), row, book.fraction(key))
        for key in keys:
            sums[book.dataset, *key]["events_read"] += book.read.get(key, 0)
            sums[book.dataset, *key]["events_lost"] += 0 if book.unread is None else book.unread.get(key, 0)
        orphans[book.dataset, book.file] += [
            f"{n} events of run {r}, config {c}" for (r, c), n in sorted(book.read.items()) if (r, c) not in keys
        ]
    warnings += [f"{file}: {', '.join(what)} without a row in 'runs'" for (_, file), what in orphans.items() if what]
    return Exposure(tuple(_run_exposure(key, values) for key, values in sorted(sums.items())), tuple(warnings))


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
