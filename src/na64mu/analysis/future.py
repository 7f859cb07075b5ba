"""Expected limits of future exposures from a table of efficiencies, in one call. Masses GeV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from na64mu.analysis.projection import SCENARIOS, Projection, Scenario
from na64mu.analysis.projection import project as projected
from na64mu.analysis.table_masses import TABLE_MASSES
from na64mu.analysis.yields import EfficiencyTable, PileUpLoss, signal_yield, target_of
from na64mu.analysis.yields.efficiency import STANDARD
from na64mu.common.arguments import choice
from na64mu.detector import DetectorLike, load_detector
from na64mu.physics.cross_section import Method
from na64mu.statistics.letter import N_MOT

__all__ = ("project",)


def project(
    n_mot: float | None = None,
    *,
    momentum: float = 1.0,
    decays: float = 1.0,
    leakage: float = 1.0,
    per_spill: float = 2.8e6,
    window: float = 1.0,
    efficiency: EfficiencyTable | str | Path = STANDARD,
    masses: int = 20,
    method: Method | str = Method.TREE,
    detector: DetectorLike = "na64mu-2022",
    progress: Callable[[], object] | None = None,
) -> Projection:
    """Expected limits on g of the Z' for the exposures that the Letter names, and for one of your own.

    Parameters
    ----------
    n_mot : float, optional
        Muons on target of your own scenario; without it only those that are known.
    momentum, decays, leakage : float
        Factors on the backgrounds per muon of Table I, in your own scenario.
    per_spill : float
        Muons per spill of your own scenario: they make its pile-up.
    window : float
        Time window of its pile-up [ns].
    efficiency : EfficiencyTable, str or Path
        Table of `efficiency`, its name or file.
    masses : int
        Masses of the scan, even in ln m, besides those of the tables.
    method : Method or str
        Method for the production cross-section.
    detector : Detector, str or Path
        Set-up: the layers of the target.
    progress : callable, optional
        Called after each mass.

    Returns
    -------
    Projection
    """
    method = choice(method, Method, "method")
    table = efficiency if isinstance(efficiency, EfficiencyTable) else EfficiencyTable.read(efficiency)
    low, high = table.mass_range
    scanned = sorted(
        {low, high, *(float(f"{m:.6g}") for m in np.geomspace(low, high, masses)[1:-1]), *(m for m in TABLE_MASSES if low <= m <= high)}
    )
    scenarios = list(SCENARIOS)
    if n_mot is not None:
        factors = {"momentum": momentum, "decays": decays, "hadrons": leakage}
        scenarios.append(Scenario("own", n_mot, factors, per_spill, window, f"given: background factors {factors}"))
    loss = PileUpLoss(0.0, 0.0, "set by each scenario")
    target = target_of(load_detector(detector))
    yields = signal_yield(target, table, scanned, N_MOT, loss, method=method, progress=progress)
    return projected(yields, scenarios)
