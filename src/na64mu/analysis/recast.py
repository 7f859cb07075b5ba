"""Recast: turns a user's events or yields into the limit of this search on their model. Masses GeV, angles rad; forms of the table: `recast_table`."""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.analysis.counting import Counting
from na64mu.analysis.limits import METHODS, SearchLimits, search_limits
from na64mu.analysis.recast_table import EVENTS, OWN_EFFICIENCIES, UserTable, read_user_table
from na64mu.analysis.yields.efficiency import CONFIGS, EfficiencyTable
from na64mu.analysis.yields.kinematics import KinematicMap
from na64mu.analysis.yields.origin import disagreements
from na64mu.analysis.yields.signal import PileUpLoss, SignalYield
from na64mu.common.table import Shown, Table
from na64mu.common.whole_file import whole_file, write_whole
from na64mu.errors import InputError
from na64mu.results.output_folder import output_folder
from na64mu.typing import FloatArray

__all__ = ("Recast", "UserTable", "read_user_table", "recast")

logger = logging.getLogger(__name__)

#: More of the user's events than this part where no muons were simulated makes the limit one on the rest: said as a warning.
UNCOVERED = 0.01
COLUMNS = ("observed", "expected_m2", "expected_m1", "expected", "expected_p1", "expected_p2")


@dataclass(frozen=True, repr=False)
class Recast(Shown):
    """Limits on a user's model.

    Attributes
    ----------
    limits : SearchLimits
        Limits in signal strength: mu = 1 is the user's table.
    reference : float
        Coupling to which the yields of the table correspond.
    power : float
        The yield grows as coupling ** power.
    uncovered : FloatArray
        Part of the user's events where no muons were simulated (they count as not selected), shape (n_masses,).
    source : str
        The table.
    """

    limits: SearchLimits
    reference: float
    power: float
    uncovered: FloatArray
    source: str

    def _table(self) -> Table:
        n, yields = len(self.limits.masses), self.limits.yields
        at = np.unique(np.linspace(0, n - 1, min(12, n)).round().astype(int))
        exact, mu, events = self.couplings("exact"), self.strengths("exact"), yields.events().sum(axis=1)
        column = 3 if self.limits.is_blinded else 0
        rows = tuple(
            (
                f"{1e3 * self.limits.masses[i]:.4g}",
                f"{yields.per_muon[i]:.3g}",
                f"{events[i]:.3g}",
                *(f"{v[i, column]:.3g}" for v in (mu, exact)),
            )
            for i in at
        )
        what = "expected" if self.limits.is_blinded else "observed"
        headings = ("mass [MeV]", "made per muon", f"events at {self.reference:g}", f"strength, {what}", f"coupling, {what}")
        notes = [f"{len(at)} of {n} masses; all: .limits.masses, .couplings(method)"] if len(at) < n else []
        if (self.uncovered > UNCOVERED).any():
            notes.append(
                f"up to {100 * self.uncovered.max():.1f} % of the events lie where no muons were simulated and count as not selected"
            )
        return Table(f"limits on the model of {Path(self.source).name}, exact CLs", headings, rows, tuple(notes))

    def strengths(self, method: str) -> FloatArray:
        """Limits on the signal strength, shape (n, 6): observed, expected at -2, -1, 0, 1, 2 standard deviations; below 1: the table is excluded."""
        return (self.limits.couplings(method) / self.limits.yields.g_ref) ** 2

    def couplings(self, method: str) -> FloatArray:
        """Return the limits on the coupling."""
        return self.reference * self.strengths(method) ** (1.0 / self.power)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Return one row per mass, as in recast.csv."""
        yields = self.limits.yields
        for i, mass in enumerate(self.limits.masses):
            row = {
                "mass_GeV": float(mass),
                "per_mot": float(yields.per_muon[i]),
                "efficiency_config_1": float(yields.total_efficiency[i, 0]),
                "efficiency_config_2": float(yields.total_efficiency[i, 1]),
                "uncovered": float(self.uncovered[i]),
                "events": float(yields.events()[i].sum()),
            }
            for method in METHODS:
                for name, values in (("events", self.limits.events(method)), ("mu", self.strengths(method)), ("g", self.couplings(method))):
                    row |= {f"{name}_{method}_{column}": float(v) for column, v in zip(COLUMNS, values[i], strict=True)}
            yield row

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what does not exist is null."""
        rows = [{k: v if math.isfinite(v) else None for k, v in row.items()} for row in self.rows()]
        head = {"source": self.source, "reference": self.reference, "power": self.power, "counting": self.limits.counting.source}
        return head | {"limits": rows}

    def write(self, folder: str | Path) -> list[Path]:
        """Write recast.csv and recast.json."""
        with output_folder(folder, "recast") as out:
            rows = list(self.rows())
            with whole_file(out / "recast.csv") as part, part.open("w", encoding="utf-8", newline="") as stream:
                level = 100 * self.limits.scan.limits[0].level
                stream.write(f"# {level:g} % CL upper limits on {self.source}; {self.limits.counting.source}\n")
                stream.write(
                    f"# g: coupling, {self.reference:g} in the table, yield ~ coupling^{self.power:g}; mu: signal strength, 1 is the table\n"
                )
                writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in rows)
            write_whole(out / "recast.json", json.dumps(self.to_dict(), indent=1) + "\n")
        return [Path(folder, name) for name in ("recast.csv", "recast.json")]


def _from_events(table: UserTable, kinematic_map: KinematicMap) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Bosons per muon on target, efficiency, its error, and the fraction that is not covered, by mass."""
    mass, x, psi, weight = (table.columns[name] for name in EVENTS)
    produced, values, errors, uncovered = [], [], [], []
    for m in table.masses:
        own = mass == m
        total = float(weight[own].sum())
        share = kinematic_map.share(x[own], psi[own], weight[own])
        found = [kinematic_map.average(share, config) for config in CONFIGS]
        # statistics of the user's sample, of its effective number of events
        n_effective = total**2 / float(np.sum(weight[own] ** 2))
        produced.append(total)
        values.append([f[0] for f in found])
        errors.append([math.hypot(f[1], math.sqrt(max(f[0] * (1.0 - f[0]), 0.0) / n_effective)) for f in found])
        uncovered.append(found[0][2])
    return np.array(produced), np.array(values), np.array(errors), np.array(uncovered)


def _from_yields(table: UserTable, efficiencies: EfficiencyTable) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    order = np.argsort(table.columns["mass_GeV"])
    produced = table.columns["per_mot"][order]
    if OWN_EFFICIENCIES[0] in table.columns:
        values = np.stack([table.columns[name][order] for name in OWN_EFFICIENCIES], axis=1)
        return produced, values, np.zeros_like(values), np.zeros(len(produced))
    found = [efficiencies.efficiency(table.masses, config) for config in CONFIGS]
    return produced, np.stack([f[0] for f in found], axis=1), np.stack([f[1] for f in found], axis=1), np.zeros(len(produced))


def recast(
    table: UserTable,
    counting: Counting,
    pile_up_loss: PileUpLoss,
    *,
    reference: float = 1e-4,
    power: float = 2.0,
    kinematic_map: KinematicMap | None = None,
    efficiencies: EfficiencyTable | None = None,
    level: float = 0.90,
) -> Recast:
    """Limits on a user's model.

    Parameters
    ----------
    table : UserTable
        The user's table, from `read_user_table`.
    counting : Counting
        Exposure, backgrounds and counts.
    pile_up_loss : PileUpLoss
        Taken off the efficiency.
    reference : float
        Coupling to which the yields of the table correspond.
    power : float
        The yield grows as coupling ** power.
    kinematic_map : KinematicMap, optional
        For events; by default the one that ships with the package.
    efficiencies : EfficiencyTable, optional
        For yields; by default the one that ships with the package.
    level : float
        Confidence level.

    Returns
    -------
    Recast

    Raises
    ------
    InputError
        If reference or power are not above zero, or no signal is expected at some mass.
    """
    if not reference > 0 or not power > 0:
        msg = f"reference coupling {reference:g}, power {power:g}: both must be above zero"
        raise InputError(msg)
    source = (kinematic_map or KinematicMap.read()) if table.has_events else (efficiencies or EfficiencyTable.read())
    if OWN_EFFICIENCIES[0] not in table.columns:
        for sentence in disagreements(source.provenance, counting.origin):
            logger.warning("%s", sentence)
    if isinstance(source, KinematicMap):
        produced, values, errors, uncovered = _from_events(table, source)
    else:
        produced, values, errors, uncovered = _from_yields(table, source)
    yields = SignalYield(
        masses=table.masses,
        g_ref=reference,
        exposures=counting.exposures,
        per_muon=produced,
        invisible=np.ones(len(produced)),
        efficiency=values,
        efficiency_error=errors,
        pile_up_loss=pile_up_loss,
    )
    return Recast(search_limits(counting, yields, level=level), reference, power, uncovered, table.path)
