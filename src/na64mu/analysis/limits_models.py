"""Other models than the Z' of L_mu - L_tau: bosons of other spins, dark photon, axion-like particles, invisible pairs. Masses GeV.

All of them are taken to decay invisibly (to dark matter) or to live longer than the detector, so that the branching ratio is 1; of axion-like particles, those that decay
to photons before they leave it are seen. A dark photon couples to muons with g = epsilon e, and is made as a Z' of that coupling; its y = epsilon^2 alpha_D (m_chi / m_A')^4.
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
from na64mu.detector import Detector
from na64mu.physics.alps import leaving, photon_width
from na64mu.physics.bosons import BOSONS, Boson
from na64mu.physics.models import Model
from na64mu.typing import FloatArray

__all__ = ("BOSONS", "Boson", "BosonLimits", "boson_efficiencies", "decay_path")

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


def decay_path(detector: Detector) -> float:
    """Length that a particle made in the middle of the ECAL travels to the end of the last HCAL module [m]: one that decays on it is seen."""
    return 1e-3 * (max(detector.hcal.front) + detector.hcal.length - detector.ecal.z - 0.5 * detector.ecal.length)


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
    path : float
        Length on which the decay of an axion-like particle is seen [m], from `decay_path`.
    energy : float
        Energy of the muon [GeV], for that decay.
    """

    boson: Boson
    limits: SearchLimits
    alpha_d: float = 0.1
    ratio: float = 3.0
    path: float = 11.0
    energy: float = 160.0

    def couplings(self, method: str) -> FloatArray:
        """Limits on the coupling that is quoted, shape (n, 6): observed (NaN while blinded), expected at -2, -1, 0, 1, 2 standard deviations.

        Of an axion-like particle: the smallest coupling that is excluded, with those that decay in the detector seen; infinity if none is.
        """
        g = self.limits.couplings(method)
        if isinstance(self.boson, Model) and self.boson.is_alp:
            g = np.array([[self._undecayed(float(m), float(v)) for v in row] for m, row in zip(self.limits.masses, g, strict=True)])
        if self.is_pair:
            return g  # the reference of the yields is the coupling that is quoted
        return self.boson.coupling(g)

    def _undecayed(self, mass: float, seen: float) -> float:
        """Smallest g with g^2 P(g) = seen^2, P the part that leaves the detector; infinity if there is none."""
        assert isinstance(self.boson, Model)
        g = seen
        for _ in range(500):
            if not g < 1e3 * seen:
                break
            left = leaving(mass, photon_width(mass, g, is_derivative=self.boson.is_derivative), self.energy, self.path)
            new = seen / math.sqrt(left) if left > 0 else math.inf
            if abs(new - g) < 1e-9 * g:
                return new
            g = new
        return math.nan if math.isnan(seen) else math.inf

    @property
    def is_pair(self) -> bool:
        """Whether a pair is made, and the mass is that of one of the two."""
        return isinstance(self.boson, Model) and self.boson.pairs is not None

    @property
    def unit(self) -> str:
        """Unit of the coupling that is quoted; empty if it has none."""
        return self.boson.unit if isinstance(self.boson, Model) else ""

    @property
    def quoted(self) -> str:
        """Symbol of the coupling that is quoted, with its unit."""
        return f"{self.boson.symbol} [{self.unit}]" if self.unit else self.boson.symbol

    @property
    def reference_symbol(self) -> str:
        """Symbol of the coupling for which the production is given."""
        return self.boson.symbol if self.is_pair else "g"

    @property
    def what_is_not_seen(self) -> str:
        """Words for the assumption on decays."""
        if isinstance(self.boson, Model) and self.boson.is_alp:
            return f"decays to photons within {self.path:.3g} m are seen"
        return "pairs are not seen, m is the mass of one of the two" if self.is_pair else "all decays invisible"

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
            stream.write(f"# {self.boson.title}: {level:g} % CL upper limits on {self.quoted}, {self.what_is_not_seen}\n")
            stream.write(
                f"# {self.limits.counting.source}; made per muon on target at {self.reference_symbol} = {self.limits.yields.g_ref:g}\n"
            )
            if isinstance(self.boson, Model):
                stream.write(f"# formulas: {self.boson.source}\n")
            if self.boson.is_mixing:
                stream.write(f"# y = epsilon^2 alpha_D (m_chi/m_A')^4 with alpha_D = {self.alpha_d:g}, m_A' = {self.ratio:g} m_chi\n")
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in rows)
        return path
