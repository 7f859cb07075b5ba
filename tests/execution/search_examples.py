"""Raw trees whose reconstruction is known: the events carry no digits, a table says what they reconstruct to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.events.batch import Jagged, RawBatch, as_batch
from na64mu.events.schema_v1 import COLLECTIONS, SCALARS, TRUTH
from na64mu.events.writer import RawTreeWriter
from na64mu.reconstruction.columns import HITS, summary_columns
from na64mu.reconstruction.event_summary import EventSummary

DETECTOR = "g4raw-indep-1"
#: A muon that passes every cut with the shipped calibration of DETECTOR, and lies in the signal box.
SIGNAL = {"p_out": 40.0, "e_ecal": 0.6, "e_veto": 10.0, "e_vhcal": 0.0, "e_hcal1": 2.0, "e_hcal2": 2.0, "e_hcal_cell": 1.9, "e_cal": 4.6}


def summary_table(n: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Reconstructed columns of n events that populate the plane outside the box, without a decoy; about half pass all cuts before (iv)."""
    rng = np.random.default_rng(seed)
    table = {name: np.zeros(n, kind) for name, (kind, _, _) in summary_columns(DETECTOR).items()}
    table["trigger"][:] = np.where(rng.random(n) < 0.8, 3, 1)
    table["p_in"][:] = rng.normal(160.0, 8.0, n)
    table["p_out"][:] = rng.uniform(85.0, 200.0, n)
    for ms in ("ms1", "ms2"):
        table[f"n_tracks_{ms}"][:] = rng.choice([0, 1, 1, 1, 1, 1, 2], n)
        table[f"chi2_{ms}"][:] = rng.chisquare(10, n)
        table[f"ndf_{ms}"][:] = 10
    for name in (name for name in table if name.startswith(HITS)):
        table[name][:] = rng.choice([0, 1, 1, 1, 1, 1, 1, 3], n)
    for name, peak in SIGNAL.items():
        if name.startswith("e_"):
            table[name][:] = peak + rng.exponential(1.0, n) * peak * 0.7
    table["e_cal"][:] = table["e_ecal"] + table["e_hcal1"] + table["e_hcal2"] + rng.exponential(20.0, n) * (rng.random(n) < 0.3)
    lost = table["n_tracks_ms2"] == 0
    table["p_out"][lost] = table["e_hcal_cell"][lost] = np.nan
    table["trigger"][lost], table["p_in"][lost] = 3, np.clip(table["p_in"][lost], 141.0, 179.0)  # else they would be decoys
    return table


def plant(table: dict[str, np.ndarray], event: int, **values: float) -> None:
    """Make one event of a table pass every cut, in the signal box, with some values of its own."""
    table["trigger"][event], table["p_in"][event] = 2, 160.0
    for ms in ("ms1", "ms2"):
        table[f"n_tracks_{ms}"][event] = 1
    for name in (name for name in table if name.startswith(HITS)):
        table[name][event] = 1
    for name, value in (SIGNAL | values).items():
        table[name][event] = value


def hide(table: dict[str, np.ndarray], event: int) -> None:
    """Make an event of a table one with a soft muon outside the box that fails (i) and (iii)."""
    table["p_in"][event], table["n_hits_mm5"][event], table["p_out"][event], table["e_ecal"][event], table["e_cal"][event] = (
        20.0,
        3,
        50.0,
        90.0,
        100.0,
    )


def raw_batch(first: int, n: int, *, run: int = 1, config: int = 1, truth: bool = False) -> RawBatch:
    """Events without digits; their number is the row of the table."""
    scalars: dict[str, Any] = {name: np.zeros(n, kind) for name, kind in (SCALARS | (TRUTH if truth else {})).items()}
    scalars["run"][:], scalars["config"][:], scalars["trigger"][:] = run, config, 4  # random: nothing need be recorded
    scalars["event"][:] = np.arange(first, first + n)
    if truth:
        scalars["mc_weight"][:] = 1.0
    empty = {
        name: Jagged(np.zeros(n + 1, np.int64), {field: np.zeros(0, kind) for field, kind in fields.items()})
        for name, fields in COLLECTIONS.items()
    }
    return RawBatch(scalars, empty)


def runs_row(run: int = 1, config: int = 1, **values: Any) -> dict[str, Any]:
    row = {"run": run, "config": config, "n_spills": 1, "n_mot": 1000, "n_generated": 0, "sum_weights": 0.0, "g_ref": 0.0}
    return row | {"prescale_calibration": 1, "detector": DETECTOR, "conditions": "test", "seed": run * 10 + config} | values


def write_file(path: Path, n: int, *, first: int = 0, truth: bool = False, rows: list[dict[str, Any]] | None = None, run: int = 1) -> Path:
    with RawTreeWriter(path) as writer:
        writer.extend(raw_batch(first, n, truth=truth, run=run))
        made = [runs_row(run)] if rows is None else rows
        if truth:  # of a simulation: how many were generated, and their weights, each 1
            made = [row | {"n_generated": row["n_generated"] or n, "sum_weights": row["sum_weights"] or float(n)} for row in made]
        writer.finish(made)
    return path


@dataclass
class FakeReconstruction:
    """Stands for na64mu.reconstruction.summary.reconstruct: looks events up in a table by their number."""

    table: dict[str, np.ndarray]
    calls: list[int] = field(default_factory=list)

    def __call__(self, events: Any, detector: Any) -> EventSummary:
        batch = as_batch(events)
        event = batch.scalars["event"].astype(np.int64)
        self.calls.append(len(event))
        summary = {name: column[event] for name, column in self.table.items()}
        return EventSummary(summary | {name: column for name, column in batch.scalars.items() if name != "trigger"})
