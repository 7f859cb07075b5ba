"""The exposure: muons on target per run and trigger configuration, reconciled after the run from the chunks that were read.

Rates, yields and limits are per muon on target (MOT), so MOT is never summed while events are processed (it would be counted once
per chunk). The driver reads the bookkeeping of every file, and `reconciliation` makes an exposure of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from na64mu.common.deprecation import old_name
from na64mu.common.table import Shown, Table

__all__ = ("Exposure", "RunExposure")


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
        return cls(tuple(RunExposure(**r) for r in content["runs"]), tuple(content["warnings"]))


def __getattr__(name: str) -> object:
    """Find what this module had in 0.1.0 and another has now."""
    return old_name(__name__, name)
