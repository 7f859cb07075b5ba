"""All three backgrounds from one output folder, as the table of the Letter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from na64mu.analysis.backgrounds.abcd import AbcdEstimate, abcd_estimate
from na64mu.analysis.backgrounds.decays import DecayEstimate, decay_estimate
from na64mu.analysis.backgrounds.leakage import LeakageEstimate, estimate_leakage
from na64mu.analysis.backgrounds.regions import regions_of
from na64mu.analysis.backgrounds.sample import TailSample, tail_sample
from na64mu.analysis.backgrounds.table import PUBLISHED_EXPOSURE, BackgroundTable, background_table
from na64mu.analysis.backgrounds.tail import TailEstimate, estimate_tail
from na64mu.common.arguments import number, whole
from na64mu.common.table import Table
from na64mu.errors import BackgroundError
from na64mu.results.run import RunResult

__all__ = ("Backgrounds", "at_physics_rate", "estimate_backgrounds")


@dataclass(frozen=True)
class Backgrounds:
    """The estimates behind Table I.

    Attributes
    ----------
    table : BackgroundTable
    tail : TailEstimate or None
        (I), for the muons on target of its sample; None without a spectrum of p_out.
    decays : DecayEstimate or None
        (II).
    leakage : LeakageEstimate or None
        (III) by the E_CAL spectrum of region D, for the muons on target of the table; None where it has too few events.
    hadrons : AbcdEstimate or None
        (III) as D X / Y, for the muons on target of its sample: beside `leakage` a cross-check, without it the upper limit of the table.
    missing : dict of str to str
        Background -> why it was not estimated.
    """

    table: BackgroundTable
    tail: TailEstimate | None
    decays: DecayEstimate | None
    leakage: LeakageEstimate | None
    hadrons: AbcdEstimate | None
    missing: dict[str, str]

    def __repr__(self) -> str:
        return "\n".join([repr(self.table), *(f"{name} not estimated: {reason}" for name, reason in self.missing.items())])

    def _repr_html_(self) -> str:
        notes = tuple(f"{name} not estimated: {reason}" for name, reason in self.missing.items())
        return self.table._repr_html_() + Table("", notes=notes).html()


def estimate_backgrounds(
    result: RunResult | str | Path,
    *,
    seed: int,
    physics: str | None = None,
    calibration: str | None = None,
    region_d: str | None = None,
    hadrons: str | None = None,
    n_mot: float = PUBLISHED_EXPOSURE,
) -> Backgrounds:
    """Estimate the backgrounds from the result of a run.

    Parameters
    ----------
    result : RunResult, str or Path
        Result of a run, or its output folder.
    seed : int
        Seed of bootstrap and toys.
    physics : str, optional
        Dataset of physics triggers: they set the rate of (I). By default all datasets together.
    calibration : str, optional
        Dataset of calibration triggers that shows the shape of (I); by default the physics triggers show it themselves.
    region_d : str, optional
        Dataset whose plane before cut (iv) is extrapolated for (III), such as a simulation of muon-nuclear events; by default that of `physics`. Its
        spectrum of E_CAL gives (III) where it has enough events, with D X / Y beside it; where too few, D X / Y gives an upper limit.
    hadrons : str, optional
        Dataset of simulated beam hadrons for (II); without it (II) is not estimated.
    n_mot : float
        Muons on target of the table.

    Returns
    -------
    Backgrounds
        The backgrounds. Those that could not be estimated are listed in `missing` with the reason, and in the table as not estimated.
    """
    result, seed, n_mot = (
        RunResult.read(result),
        whole(seed, "seed", error=BackgroundError),
        number(n_mot, "n_mot", above=0.0, error=BackgroundError),
    )
    missing: dict[str, str] = {}
    tail: TailEstimate | None = None
    try:
        tail = _tail(result, physics, calibration, seed)
    except BackgroundError as error:
        missing["momentum"] = str(error)
    decays: DecayEstimate | None = None
    leakage, leaking, why = _hadrons(result, region_d if region_d is not None else physics, n_mot, seed)
    if leakage is None and leaking is None:
        missing["hadrons"] = why
    try:
        decays = _decays(result, hadrons, n_mot)
    except BackgroundError as error:
        missing["decays"] = str(error)
    table = background_table(tail, decays, leaking, leakage=leakage, no_leakage=why, n_mot=n_mot)
    return Backgrounds(table, tail, decays, leakage, leaking, missing)


def _tail(result: RunResult, physics: str | None, calibration: str | None, seed: int) -> TailEstimate:
    """(I), its shape from the calibration triggers where they are named."""
    if calibration is None:
        return estimate_tail(tail_sample(result, dataset=physics), seed=seed)
    shape = tail_sample(result, trigger="calibration", dataset=calibration)
    return at_physics_rate(result, shape, estimate_tail(shape, seed=seed), physics)


def at_physics_rate(result: RunResult, shape: TailSample, tail: TailEstimate, physics: str | None = None) -> TailEstimate:
    """A tail estimated from calibration triggers, for the rate of the physics trigger.

    Parameters
    ----------
    result : RunResult
    shape : TailSample
        Calibration triggers.
    tail : TailEstimate
        Estimated from them.
    physics : str, optional
        Dataset of physics triggers.

    Returns
    -------
    TailEstimate
        The estimate; an upper limit if there is no MIP-tagged muon of the physics trigger.

    Raises
    ------
    BackgroundError
        If there is no spectrum, or no muon on target.
    """
    try:
        rate = tail_sample(result, dataset=physics)
    except BackgroundError:
        n_mot = result.exposure.n_mot(physics)
        if (physics is not None and physics not in result.datasets) or not n_mot > 0:
            raise
        return tail.at_most(shape, n_mot)
    return tail.normalised_to(shape, rate)


def _hadrons(result: RunResult, dataset: str | None, n_mot: float, seed: int) -> tuple[LeakageEstimate | None, AbcdEstimate | None, str]:
    """(III) by the spectrum of E_CAL, for `n_mot`; as D X / Y; and why one of them, or both, could not be had."""
    try:
        plane, own = result.histogram("plane_before", dataset), result.exposure.n_mot(dataset)
    except KeyError as error:
        return None, None, str(error.args[0])
    box, total_max = result.working_point.box, result.working_point.missing_energy.total_max
    leakage: LeakageEstimate | None = None
    abcd: AbcdEstimate | None = None
    reasons = []
    try:
        regions = regions_of(plane, p_out_max=box.p_out_max, e_cal_max=box.e_cal_max, total_max=total_max)
        abcd = abcd_estimate(regions, n_mot=own)
    except BackgroundError as error:
        reasons.append(f"D X / Y: {error}")
    try:
        end = total_max - box.p_out_max
        leakage = estimate_leakage(
            plane, own, exposure=n_mot, p_out_max=box.p_out_max, e_cal_max=box.e_cal_max, threshold_max=end, seed=seed
        )
    except BackgroundError as error:
        reasons.append(f"E_CAL spectrum of region D: {error}")
    return leakage, abcd, "; ".join(reasons)


def _decays(result: RunResult, dataset: str | None, n_mot: float) -> DecayEstimate:
    if dataset is None:
        msg = "no dataset of simulated beam hadrons was named: simulate one with `na64mu simulate` and add it to the run"
        raise BackgroundError(msg)
    if dataset not in result.datasets or "box_after" not in result.regions[dataset]:
        msg = f"dataset {dataset!r} holds no simulated events in the signal box after all cuts; datasets are {list(result.datasets)}"
        raise BackgroundError(msg)
    exposure = result.exposure
    runs = [run for run in exposure.runs if run.dataset == dataset]
    generated = sum(run.n_generated for run in runs)
    mean_weight = sum(run.sum_weights for run in runs) / generated if generated else 1.0
    return decay_estimate(
        result.regions[dataset]["box_after"], exposure.n_mot(dataset), n_mot=n_mot, contamination=1.0, mean_weight=mean_weight or 1.0
    )
