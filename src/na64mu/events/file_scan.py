"""What is known about a file while it is checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from na64mu.events.faults import Bounds
from na64mu.events.findings import CheckReport, Collector
from na64mu.events.run_rows import RunSums
from na64mu.events.units import MipCounts
from na64mu.typing import AnyArray

__all__ = ("KEY", "FileScan")

#: Numbers of an event and its entry in the file.
KEY: np.dtype = np.dtype([("run", np.uint32), ("event", np.uint64), ("entry", np.int64)])


@dataclass
class FileScan:
    """What is known about one file while it is read.

    Attributes
    ----------
    path : str
    runs : list of dict
        Rows of the bookkeeping.
    bounds : dict of str to Bounds
        Detector tag -> what the rows of its events can hold.
    muons_of : dict of str to MipCounts
        Detector tag -> energies of its muons.
    complete : bool
        Whether no collection is declared absent.
    found : Collector
        Findings.
    keys : AnyArray
        Numbers of the events, sorted, each once.
    report : CheckReport
        What is returned.
    """

    path: str
    runs: list[dict[str, Any]] = field(default_factory=list)
    bounds: dict[str, Bounds] = field(default_factory=dict)  # detector tag -> what its rows can hold
    muons_of: dict[str, MipCounts] = field(default_factory=dict)  # detector tag -> energies of its muons
    complete: bool = True  # no collection is declared absent
    found: Collector = field(default_factory=Collector)
    n_events: int = 0
    version: str | None = None
    optional: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    key_chunks: list[AnyArray] = field(default_factory=list)
    sums: dict[tuple[int, int], RunSums] = field(default_factory=dict)  # (run, config) -> of its events
    pairs: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)  # (run, config) -> (first entry, events)
    muons: Counter[tuple[int, int]] = field(default_factory=Counter)  # (run, config) -> muons that its events represent
    keys: AnyArray = field(default_factory=lambda: np.empty(0, KEY))
    report: CheckReport = field(default_factory=lambda: CheckReport("", 0, (), (), ()))

    @property
    def detector_of(self) -> dict[tuple[int, int], str]:
        """(run, config) -> tag of a detector with known limits."""
        return {(row["run"], row["config"]): row["detector"] for row in self.runs if row["detector"] in self.bounds}

    @property
    def prescale_of(self) -> dict[tuple[int, int], int]:
        """(run, config) -> prescale of the calibration trigger."""
        return {(row["run"], row["config"]): row["prescale_calibration"] for row in self.runs}
