"""Backgrounds from an output folder: momentum tail (I), decays in flight (II), leaking hadrons from region D (III), and Table I."""

from __future__ import annotations

from na64mu.analysis.backgrounds.abcd import AbcdEstimate, abcd_estimate
from na64mu.analysis.backgrounds.decays import DecayEstimate, decay_estimate
from na64mu.analysis.backgrounds.estimate import Backgrounds, estimate_backgrounds
from na64mu.analysis.backgrounds.leakage import LeakageEstimate, estimate_leakage, leakage_closure
from na64mu.analysis.backgrounds.regions import closure_test, regions_of
from na64mu.analysis.backgrounds.sample import TailSample, tail_sample
from na64mu.analysis.backgrounds.table import BackgroundTable, background_table
from na64mu.analysis.backgrounds.tail import TailEstimate, estimate_tail, threshold_scan

__all__ = (
    "AbcdEstimate",
    "BackgroundTable",
    "Backgrounds",
    "DecayEstimate",
    "LeakageEstimate",
    "TailEstimate",
    "TailSample",
    "abcd_estimate",
    "background_table",
    "closure_test",
    "decay_estimate",
    "estimate_backgrounds",
    "estimate_leakage",
    "estimate_tail",
    "leakage_closure",
    "regions_of",
    "tail_sample",
    "threshold_scan",
)
