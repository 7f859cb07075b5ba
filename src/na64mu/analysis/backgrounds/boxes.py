"""Backgrounds of many signal boxes, without looking into the blinded one. Momenta GeV/c, energies GeV.

(I) is the tail of p_out above the blinded border, extrapolated; (II) simulated decays, or Table I scaled by the flat energy spectrum of K -> mu nu; (III) D X / Y with
D and Y above and X beside the blinded box, or Table I.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from na64mu.analysis.backgrounds.decays import KAON, fraction_below
from na64mu.analysis.backgrounds.fit import form_table, minimum
from na64mu.analysis.backgrounds.forms import FORMS
from na64mu.analysis.backgrounds.sample import TailSample, tail_sample
from na64mu.analysis.backgrounds.table import PUBLISHED, PUBLISHED_EXPOSURE
from na64mu.analysis.backgrounds.tail import estimate_tail
from na64mu.errors import BackgroundError
from na64mu.results.run import RunResult
from na64mu.typing import FloatArray

__all__ = ("BoxBackgrounds", "box_backgrounds")

#: Width of the band next to the box whose E_CAL spectrum gives the fall of (III) [GeV/c].
SIDE_BAND = 20.0
#: Largest relative error of (I): beyond, a log-normal error has no meaning.
LARGEST_ERROR = 3.0
#: Borders of the Letter's box, for which Table I holds.
PUBLISHED_BOX = (80.0, 12.0)


@dataclass(frozen=True)
class BoxBackgrounds:
    """Backgrounds of every box, for one exposure.

    Attributes
    ----------
    parts : dict of str to FloatArray
        Background -> events, shape (n_p, n_e).
    errors : dict of str to FloatArray
        Standard deviations.
    sources : dict of str to str
        Source of each background.
    """

    parts: dict[str, FloatArray]
    errors: dict[str, FloatArray]
    sources: dict[str, str]

    @property
    def total(self) -> FloatArray:
        """Events, shape (n_p, n_e)."""
        return np.asarray(sum(self.parts.values()), dtype=np.float64)

    @property
    def is_flat(self) -> bool:
        """Whether (I) is the same in every box, because its tail has too few events for a fit: then no box is better than another."""
        return bool(np.ptp(self.parts["momentum"]) == 0.0)

    @property
    def error(self) -> FloatArray:
        """Standard deviation of the total."""
        return np.asarray(np.sqrt(sum(e**2 for e in self.errors.values())), dtype=np.float64)


def _tail(sample: TailSample, p_cuts: FloatArray, blinded: float, seed: int) -> tuple[FloatArray, FloatArray, str]:
    """Events of (I) below each border, for the muons of the sample, and their standard deviation.

    Fitted above the blinded border alone, whatever the border of the box: so no event in the box is used. Of several forms the best fit is taken, and all of them,
    with their own intervals, make the error, as for Table I.
    """
    estimate = estimate_tail(sample, seed=seed, box_edge=blinded, n_bootstrap=400, n_toys=200)
    low, high = sample.edge_near(estimate.box_edge), sample.edge_near(estimate.threshold)
    if estimate.nominal is None:
        flat = np.full(len(p_cuts), estimate.upper)
        return flat, flat, f"{estimate.n_tail:.0f} events in the tail, too few for a fit: 95 % upper limit for every box"
    counts = sample.counts[low:high]
    curves, ends = {}, []
    for fit in estimate.forms:
        table = form_table(FORMS[fit.name], sample.edges[low : high + 1], sample.centre)
        position, _ = minimum(table, counts[None, :])
        parameters = table.form.parameter_sets()[[round(float(position[0]))]]
        at = np.concatenate([[estimate.box_edge, estimate.threshold], np.minimum(p_cuts, estimate.threshold)])
        below = table.form.fraction_below(at, estimate.threshold, sample.centre, parameters)[0]
        curves[fit.name] = sample.scale * float(counts.sum()) * below[2:] / (below[1] - below[0])
        ends += [curves[fit.name] * end / max(fit.value, 1e-300) for end in (fit.low, fit.high)]
    nominal = curves[estimate.nominal.name]
    error = 0.5 * (np.max(ends, axis=0) - np.min(ends, axis=0))
    return (
        nominal,
        np.minimum(error, LARGEST_ERROR * nominal),
        f"{estimate.nominal.name}, fitted from {estimate.box_edge:g} to {estimate.threshold:g} GeV/c; error: envelope of all forms, at most {LARGEST_ERROR:g} times the value",
    )


def _region_d(
    result: RunResult, name: str, p_cuts: FloatArray, e_cuts: FloatArray, blinded: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """D X / Y of every box and its error, for the muons of the dataset; D and Y above the blinded energy, X above the blinded momentum."""
    plane = result.histogram("plane_before", name)
    p, e = (axis.centers for axis in plane.axes)
    values, variances = plane.values(), plane.variances()
    missing = p[:, None] + e[None, :] < result.working_point.missing_energy.total_max
    weight = float(variances.sum() / values.sum()) if values.sum() > 0 else 1.0
    out, error = np.zeros((len(p_cuts), len(e_cuts))), np.zeros((len(p_cuts), len(e_cuts)))
    for i, pc in enumerate(p_cuts):
        beside = max(pc, blinded[0])
        band = ((p > beside) & (p < beside + SIDE_BAND))[:, None]
        for j, ec in enumerate(e_cuts):
            above = (e > max(ec, blinded[1]))[None, :]
            regions = ((p < pc)[:, None] & above & missing, band & (e < ec)[None, :], band & above & missing)
            d, x, y = (float(values[region].sum()) / weight for region in regions)
            if y <= 0:
                msg = f"no event beside and above the box p_out <= {pc:g} GeV/c, E_CAL < {ec:g} GeV: nothing says how E_CAL falls"
                raise BackgroundError(msg)
            out[i, j] = weight * d * x / y
            # half an event where none is seen: the error of an empty region is not zero
            error[i, j] = weight * (d + 0.5) * (x + 0.5) / y * math.sqrt(1.0 / (d + 0.5) + 1.0 / (x + 0.5) + 1.0 / y)
    return out, error


def box_backgrounds(
    result: RunResult | str | Path,
    p_cuts: FloatArray,
    e_cuts: FloatArray,
    *,
    seed: int,
    physics: str | None = None,
    calibration: str | None = None,
    region_d: str | None = None,
    hadrons: str | None = None,
    n_mot: float = PUBLISHED_EXPOSURE,
) -> BoxBackgrounds:
    """Backgrounds of many boxes.

    Parameters
    ----------
    result : RunResult, str or Path
    p_cuts, e_cuts : FloatArray
        Borders.
    seed : int
        Seed of the bootstrap.
    physics, calibration, region_d, hadrons : str, optional
        Datasets, as in `estimate_backgrounds`; backgrounds without a named dataset are taken from the Letter: (I) needs calibration or physics triggers.
    n_mot : float
        Muons on target.

    Returns
    -------
    BoxBackgrounds

    Raises
    ------
    BackgroundError
        If a dataset that was named lacks what is needed.
    """
    result = RunResult.read(result)
    box = result.working_point.box
    blinded, scale = (box.p_out_max, box.e_cal_max), n_mot / PUBLISHED_EXPOSURE
    ones = np.ones(len(e_cuts))
    parts, errors, sources = {}, {}, {}
    parts["momentum"], errors["momentum"], sources["momentum"] = _momentum(result, p_cuts, blinded[0], physics, calibration, seed, n_mot)
    if hadrons is not None:
        generated = result.exposure.n_mot(hadrons)
        if not generated > 0:
            msg = f"dataset {hadrons!r}: no muons on target behind the simulated hadrons"
            raise BackgroundError(msg)
        plane = result.histogram("plane_after", hadrons)
        p, e = (axis.centers for axis in plane.axes)
        sums = [[[v[p < pc][:, e < ec].sum() for ec in e_cuts] for pc in p_cuts] for v in (plane.values(), plane.variances())]
        parts["decays"], errors["decays"] = n_mot / generated * np.array(sums[0]), n_mot / generated * np.sqrt(sums[1])
        sources["decays"] = f"simulated, dataset {hadrons}"
    else:
        entry = PUBLISHED["decays"][1]
        flat = np.array([fraction_below(KAON, 160.0, float(pc)) for pc in p_cuts]) / fraction_below(KAON, 160.0, PUBLISHED_BOX[0])
        parts["decays"], errors["decays"] = scale * entry.value * np.outer(flat, ones), scale * entry.error * np.outer(flat, ones)
        sources["decays"] = "Table I, scaled by the flat energy of the muon from K -> mu nu"
    if region_d is not None:
        own = result.exposure.n_mot(region_d)
        if not own > 0:
            msg = f"dataset {region_d!r}: no muons on target behind region D"
            raise BackgroundError(msg)
        found, error = _region_d(result, region_d, p_cuts, e_cuts, blinded)
        parts["hadrons"], errors["hadrons"] = n_mot / own * found, n_mot / own * error
        sources["hadrons"] = f"region D of dataset {region_d}"
    else:
        shape = np.outer(p_cuts / PUBLISHED_BOX[0], e_cuts / PUBLISHED_BOX[1])
        parts["hadrons"] = scale * PUBLISHED["hadrons"][1].value * shape
        errors["hadrons"] = parts["hadrons"]
        sources["hadrons"] = "upper limit of Table I, taken to grow as the area of the box (inferred)"
    return BoxBackgrounds(parts, errors, sources)


def _momentum(
    result: RunResult, p_cuts: FloatArray, blinded: float, physics: str | None, calibration: str | None, seed: int, n_mot: float
) -> tuple[FloatArray, FloatArray, str]:
    rate = tail_sample(result, dataset=physics)
    if not rate.n_mot > 0:
        msg = "no muons on target behind the spectrum of the physics trigger: run over files with bookkeeping"
        raise BackgroundError(msg)
    shape = rate if calibration is None else tail_sample(result, trigger="calibration", dataset=calibration)
    value, error, source = _tail(shape, p_cuts, blinded, seed)
    factor = rate.n_core / shape.n_core * n_mot / rate.n_mot
    # a muon that only ionises has the E_CAL of a MIP: the border in E_CAL does not touch it
    grid = [factor * np.repeat(v[:, None], 1, axis=1) for v in (value, error)]
    return grid[0], grid[1], source
