"""All three backgrounds from one output folder, as the table of the Letter."""

from __future__ import annotations

from dataclasses import dataclass

from na64mu.analysis.backgrounds.abcd import AbcdEstimate, abcd_estimate
from na64mu.analysis.backgrounds.decays import DecayEstimate, decay_estimate
from na64mu.analysis.backgrounds.regions import regions_of
from na64mu.analysis.backgrounds.sample import TailSample, tail_sample
from na64mu.analysis.backgrounds.table import PUBLISHED_EXPOSURE, BackgroundTable, background_table
from na64mu.analysis.backgrounds.tail import TailEstimate, estimate_tail
from na64mu.analysis.result import RunResult
from na64mu.errors import BackgroundError
from na64mu.table import Table

__all__ = ("Backgrounds", "at_physics_rate", "estimate_backgrounds")


@dataclass(frozen=True)
class Backgrounds:
    """The estimates behind Table I.

    Attributes
    ----------
    table : BackgroundTable
    tail : TailEstimate
        (I), for the muons on target of its sample.
    decays : DecayEstimate or None
        (II).
    hadrons : AbcdEstimate or None
        (III), for the muons on target of its sample.
    missing : dict of str to str
        Background -> why it was not estimated.
    """

    table: BackgroundTable
    tail: TailEstimate
    decays: DecayEstimate | None
    hadrons: AbcdEstimate | None
    missing: dict[str, str]

    def __repr__(self) -> str:
        return "\n".join([repr(self.table), *(f"{name} not estimated: {reason}" for name, reason in self.missing.items())])

    def _repr_html_(self) -> str:
        notes = tuple(f"{name} not estimated: {reason}" for name, reason in self.missing.items())
        return self.table._repr_html_() + Table("", notes=notes).html()


def estimate_backgrounds(
    result: RunResult,
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
    result : RunResult
        `RunResult.read(folder)` reads an output folder of `na64mu run`.
    seed : int
        Of bootstrap and toys.
    physics : str, optional
        Dataset of physics triggers: they set the rate of (I). By default all datasets together.
    calibration : str, optional
        Dataset of calibration triggers that shows the shape of (I); by default the physics triggers show it themselves.
    region_d : str, optional
        Dataset whose plane before cut (iv) is extrapolated for (III), such as a simulation of muon-nuclear events; by default that of `physics`.
    hadrons : str, optional
        Dataset of simulated beam hadrons for (II); without it (II) is not estimated.
    n_mot : float
        Muons on target of the table.

    Returns
    -------
    Backgrounds
        What could not be estimated stands in `missing` with the reason, and in the table as not estimated.

    Raises
    ------
    BackgroundError
        If the spectrum of (I) is missing or empty.
    """
    missing: dict[str, str] = {}
    if calibration is None:
        tail = estimate_tail(tail_sample(result, dataset=physics), seed=seed)
    else:
        shape = tail_sample(result, trigger="calibration", dataset=calibration)
        tail = at_physics_rate(result, shape, estimate_tail(shape, seed=seed), physics)
    leaking: AbcdEstimate | None = None
    decays: DecayEstimate | None = None
    source = region_d if region_d is not None else physics
    try:
        leaking = abcd_estimate(regions_of(result.histogram("plane_before", source)), n_mot=result.exposure.n_mot(source))
    except (BackgroundError, KeyError) as error:
        missing["hadrons"] = str(error.args[0])
    try:
        decays = _decays(result, hadrons, n_mot)
    except BackgroundError as error:
        missing["decays"] = str(error)
    return Backgrounds(background_table(tail, decays, leaking, n_mot=n_mot), tail, decays, leaking, missing)


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
        Without a MIP-tagged muon of the physics trigger, an upper limit.

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
