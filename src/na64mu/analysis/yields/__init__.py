"""Signal yields: production in the target, efficiency of the selection, and the uncertainties of both."""

from __future__ import annotations

from na64mu.analysis.yields.efficiency import EfficiencyPoint, EfficiencyTable
from na64mu.analysis.yields.kinematics import KinematicMap
from na64mu.analysis.yields.signal import PileUpLoss, SignalYield, signal_yield
from na64mu.analysis.yields.target import Target, produced_per_muon, target_of

__all__ = (
    "EfficiencyPoint",
    "EfficiencyTable",
    "KinematicMap",
    "PileUpLoss",
    "SignalYield",
    "Target",
    "produced_per_muon",
    "signal_yield",
    "target_of",
)
