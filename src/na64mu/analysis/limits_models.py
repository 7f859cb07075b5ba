"""Other bosons than the Z' of L_mu - L_tau: scalar, pseudoscalar, axial vector, dark photon. Masses GeV.

All of them are taken to decay invisibly (to dark matter) or to live longer than the detector, so that the branching ratio is 1. A dark photon couples to muons with
g = epsilon e, and is made as a Z' of that coupling; its y = epsilon^2 alpha_D (m_chi / m_A')^4.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.analysis.limits import METHODS, SearchLimits
from na64mu.analysis.yields.efficiency import FlatEfficiency
from na64mu.analysis.yields.kinematics import KinematicMap
from na64mu.analysis.yields.signal import Efficiencies
from na64mu.common.whole_file import whole_file
from na64mu.physics.bosons import BOSONS, Boson
from na64mu.typing import FloatArray

__all__ = ("BOSONS", "Boson", "BosonLimits", "boson_efficiencies")

COLUMNS = ("observed", "expected_m2", "expected_m1", "expected", "expected_p1", "expected_p2")


def boson_efficiencies(boson: Boson, table: Efficiencies, kinematic_map: str | Path) -> Efficiencies:
    """Return the efficiency model of a boson: the table of simulated Z' for vectors, the map in (x, psi') for other spins.

    Parameters
    ----------
    boson : Boson
    table : Efficiencies
        Efficiencies of the Z'; one efficiency for all masses holds for every boson.
    kinematic_map : str or Path
        Name or file of the map.

    Returns
    -------
    Efficiencies
    """
    if isinstance(table, FlatEfficiency) or not boson.from_map:
        return table
    return KinematicMap.read(kinematic_map).of_boson(boson.mediator)


@dataclass(frozen=True)
class BosonLimits:
    """Limits on the coupling of a boson whose decays are not seen.

    Attributes
    ----------
    boson : Boson
    limits : SearchLimits
        Made with every decay invisible.
    alpha_d : float
        Coupling of a dark photon to dark matter, for y.
    ratio : float
        m / m_chi, for y.
    """

    boson: Boson
    limits: SearchLimits
    alpha_d: float = 0.1
    ratio: float = 3.0

    def couplings(self, method: str) -> FloatArray:
        """Limits on g or epsilon, shape (n, 6): observed (NaN while blinded), expected at -2, -1, 0, 1, 2 standard deviations."""
        return self.boson.coupling(self.limits.couplings(method))

    def y(self, method: str) -> FloatArray:
        """epsilon^2 alpha_D (m_chi / m)^4 of a dark photon, shape (n, 6); NaN for other bosons."""
        if not self.boson.is_mixing:
            return np.full((len(self.limits.masses), len(COLUMNS)), math.nan)
        return np.asarray(self.couplings(method) ** 2 * self.alpha_d / self.ratio**4, dtype=np.float64)

    def rows(self) -> Iterator[dict[str, float]]:
        """Return one row per mass: mass, bosons per muon on target at the reference coupling, efficiency, and the limits by both methods."""
        tables = {(self.boson.symbol, m): self.couplings(m) for m in METHODS}
        if self.boson.is_mixing:
            tables |= {("y", m): self.y(m) for m in METHODS}
        yields = self.limits.yields
        for i, mass in enumerate(self.limits.masses):
            row = {
                "mass_GeV": float(mass),
                "produced_per_mot": float(yields.per_muon[i]),
                "efficiency_config_1": float(yields.total_efficiency[i, 0]),
                "efficiency_config_2": float(yields.total_efficiency[i, 1]),
            }
            for (quantity, method), values in tables.items():
                row |= {f"{quantity}_{method}_{column}": float(v) for column, v in zip(COLUMNS, values[i], strict=True)}
            yield row

    def to_dict(self) -> dict[str, Any]:
        """Boson, source and rows as plain values; null for what is blinded."""
        rows = [{k: v if math.isfinite(v) else None for k, v in row.items()} for row in self.rows()]
        return {"model": self.boson.name, "coupling": self.boson.symbol, "source": self.limits.counting.source, "limits": rows}

    def write(self, folder: Path) -> Path:
        """Write limits_<boson>.csv to a folder that exists."""
        path, rows = folder / f"limits_{self.boson.name}.csv", list(self.rows())
        with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
            level = 100 * self.limits.scan.limits[0].level
            stream.write(f"# {self.boson.title}: {level:g} % CL upper limits on {self.boson.symbol}, all decays invisible\n")
            stream.write(f"# {self.limits.counting.source}; bosons per muon on target at g = {self.limits.yields.g_ref:g}\n")
            if self.boson.is_mixing:
                stream.write(f"# y = epsilon^2 alpha_D (m_chi/m_A')^4 with alpha_D = {self.alpha_d:g}, m_A' = {self.ratio:g} m_chi\n")
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in rows)
        return path
