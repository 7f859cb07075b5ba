"""Efficiency tables from the result of a run over simulated signal: the one place that makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from na64mu.analysis.yields.efficiency import EfficiencyPoint, EfficiencyTable
from na64mu.detector import Detector
from na64mu.results.provenance import package_versions, repository_state
from na64mu.results.run import RunResult

__all__ = ("SignalSample", "efficiency_of")


class SignalSample(NamedTuple):
    """Conditions of a simulated dataset: mass of the Z' [GeV], trigger configuration, whether pile-up was overlaid on the events."""

    mass: float
    config: int
    pile_up: bool


def efficiency_of(result: RunResult, samples: Mapping[str, SignalSample], detector: Detector, **provenance: Any) -> EfficiencyTable:
    """Count what the selection keeps of every sample.

    Parameters
    ----------
    result : RunResult
        Result of the samples, simulated without a prescaled calibration trigger: every written event is one of the physics trigger.
    samples : mapping of str to SignalSample
        Dataset -> what was simulated.
    detector : Detector
        Set-up of the simulation.
    **provenance
        More entries for the record, such as the command.

    Returns
    -------
    EfficiencyTable
        The table; its provenance names detector, selection and calibration, which the limits compare with those of the counts.
    """
    points = tuple(
        EfficiencyPoint(
            *sample,
            n_mot=round(result.exposure.n_mot(name)),
            n_trigger=result.cutflows[name].steps[0].n,
            n_selected=result.regions[name]["box_after"].n,
        )
        for name, sample in samples.items()
    )
    commit, clean = repository_state()
    record = {
        "commit": commit,
        "commit_is_unchanged": clean,
        "detector": {"tag": detector.tag, "digest": detector.digest},
        "selection": {"name": result.working_point.name, "hash": result.working_point.hash},
        "calibration": result.provenance.calibrations.get(detector.tag, ""),
        "packages": package_versions(),
    }
    return EfficiencyTable(points, provenance | record)
