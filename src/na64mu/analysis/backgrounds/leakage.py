"""Background (III) from region D: how often hadrons of a hard muon-nuclear interaction deposit less E_CAL than the border of the box.

The E_CAL spectrum of region D is used. p_out and E_CAL of these events are not independent (their sum is nearly the beam energy), so
D X / Y with neighbours at other p_out does not hold; at p_out in the box the spectrum of E_CAL falls steeply towards low energies, and its
fall is extrapolated below the border with the forms of the momentum tail (inferred: the Letter says "extrapolated from region D" and no
more). The shape may come from more events than the rate: muon-nuclear events of the calibration trigger, assumed to leak as those of the
physics trigger. Energies GeV.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from na64mu.analysis.backgrounds.fit import FormFit, fit_form, form_table
from na64mu.analysis.backgrounds.forms import FORMS
from na64mu.analysis.backgrounds.tail import goodness_of_fit
from na64mu.errors import BackgroundError
from na64mu.typing import FloatArray

__all__ = ("LeakageClosure", "LeakageEstimate", "estimate_leakage", "leakage_closure")

#: Forms of the envelope, and those that are only compared: a 1 / E_CAL has no meaning here, so the exponential in it stays out.
ENVELOPE, CROSS_CHECKS = ("exponential in p", "power in p"), ("power in k", "Generalised Pareto in p")
#: Fewest events of the fall for a fit, and those of the default: as few as a fit needs, to start near the border.
MIN_EVENTS, WANTED = 20.0, 30.0


@dataclass(frozen=True)
class LeakageEstimate:
    """Events of background (III), before cut (iv).

    Attributes
    ----------
    value : float
        Estimate of the form that fits best.
    low, high : float
        Union of the 68 % intervals of the forms.
    upper : float
        Largest upper limit at 95 % of the forms.
    nominal : FormFit
    forms : tuple of FormFit
        Forms of the envelope, then those that are only compared.
    n_shape, n_rate : float
        Effective events of the fall (border to threshold), and of the rate.
    n_mot : float
        Muons on target that the numbers correspond to.
    """

    value: float
    low: float
    high: float
    upper: float
    nominal: FormFit
    forms: tuple[FormFit, ...]
    n_shape: float
    n_rate: float
    n_mot: float

    def __repr__(self) -> str:
        head = (
            f"leaking hadrons: {self.value:.3g} [{self.low:.3g}, {self.high:.3g}], < {self.upper:.3g} (95 %) for {self.n_mot:.3g} muons on target; "
            f"{self.n_shape:.0f} events of shape, {self.n_rate:.0f} of rate"
        )
        return "\n".join([head, *(repr(form) for form in self.forms)])


def _spectrum(plane: Any, p_out: tuple[float, float], e_min: float) -> tuple[FloatArray, FloatArray, float]:
    """E_CAL above a border for a range of p_out: edges, effective counts, weighted events per effective one."""
    p, e = (np.asarray(axis.centers) for axis in plane.axes)
    edges = np.asarray(plane.axes[1].edges, dtype=np.float64)
    rows, first = (p >= p_out[0]) & (p < p_out[1]), int(np.searchsorted(edges, e_min - 1e-9))  # a bin across the border is not read
    if not np.any(rows) or first >= len(e):
        msg = f"no bins of p_out from {p_out[0]:g} to {p_out[1]:g} GeV/c and E_CAL above {e_min:g} GeV in this plane"
        raise BackgroundError(msg)
    values, variances = plane.values()[rows, first:].sum(axis=0), plane.variances()[rows, first:].sum(axis=0)
    weight = float(variances.sum() / values.sum()) if values.sum() > 0 else 1.0
    return edges[first:], np.asarray(values / weight, dtype=np.float64), weight


def _fits(
    edges: FloatArray, counts: FloatArray, threshold: float | None, seed: int, highest: float = np.inf
) -> tuple[tuple[FormFit, ...], FormFit, float]:
    """Fits of all forms between the border (first edge) and a threshold, by default the lowest with enough events; the best; events in the fit."""
    cumulative = np.cumsum(counts) / max(float(counts.sum()), 1e-300)
    u = min(float(np.interp(WANTED, np.cumsum(counts), edges[1:])), highest) if threshold is None else threshold
    last = int(np.argmin(np.abs(edges - u)))
    if threshold is None:
        last = max(last, 6)  # bins: fewer show no fall
    centre = float(np.interp(0.5, cumulative, edges[1:]))
    if last < 4 or edges[last] > 0.9 * centre or counts[:last].sum() < MIN_EVENTS:
        msg = f"{counts[:last].sum():.0f} events with E_CAL from {edges[0]:g} to {edges[last]:g} GeV (half lie above {centre:.0f} GeV): at least {MIN_EVENTS:g} below that are needed; simulate more with `na64mu simulate --process nuclear`"
        raise BackgroundError(msg)
    generator, fits = np.random.default_rng(seed), []
    for name in (*ENVELOPE, *CROSS_CHECKS):
        table = form_table(FORMS[name], edges[: last + 1], centre)
        one = len(table.form.grid) == 1
        fit = fit_form(table, counts[:last], goodness_of_fit(table, counts[:last], n_toys=200, generator=generator) if one else None)
        fits.append(replace(fit, name=fit.name.replace("in p", "in E_CAL").replace("in k", "in 1 / E_CAL")))
    best = max(fits[: len(ENVELOPE)], key=lambda fit: (fit.p_value or 0.0, -fit.deviance))
    return tuple(fits), best, float(counts[:last].sum())


def estimate_leakage(
    rate: Any,
    n_mot: float,
    *,
    shape: Any = None,
    exposure: float = 1.98e10,
    p_out_max: float = 80.0,
    e_cal_max: float = 12.0,
    threshold: float | None = None,
    threshold_max: float = np.inf,
    seed: int = 1,
) -> LeakageEstimate:
    """Extrapolate the E_CAL spectrum of soft muons below the border of the signal box.

    Parameters
    ----------
    rate : hist.Hist
        Plane "plane_before" of muon-nuclear events of the physics trigger.
    n_mot : float
        Muons on target behind it.
    shape : hist.Hist, optional
        The plane whose spectrum is extrapolated; by default `rate`.
    exposure : float
        Muons on target of the result.
    p_out_max, e_cal_max : float
        The signal box: no event in it is used.
    threshold : float, optional
        Upper end of the fit [GeV]; by default the lowest energy with enough events for a fit below it.
    threshold_max : float
        Highest end of the fit that is chosen by default [GeV].
    seed : int
        Seed of the toys for the goodness of fit.

    Returns
    -------
    LeakageEstimate

    Raises
    ------
    BackgroundError
        If there are too few events, or no muons on target.
    """
    if not n_mot > 0:
        msg = "no muons on target behind the muon-nuclear events: run over files with bookkeeping"
        raise BackgroundError(msg)
    edges, counts, _ = _spectrum(rate if shape is None else shape, (0.0, p_out_max), e_cal_max)
    _, of_rate, weight = _spectrum(rate, (0.0, p_out_max), e_cal_max)
    if not of_rate.sum() > 0:
        msg = "no muon-nuclear event of the physics trigger with p_out in the signal box: simulate more"
        raise BackgroundError(msg)
    fits, best, n = _fits(edges, counts, threshold, seed, threshold_max)
    factor = weight * float(of_rate.sum()) / float(counts.sum()) * exposure / n_mot
    forms = tuple(fit.scaled(factor) for fit in fits)
    nominal = forms[fits.index(best)]
    envelope = forms[: len(ENVELOPE)]
    return LeakageEstimate(
        nominal.value,
        min(f.low for f in envelope),
        max(f.high for f in envelope),
        max(f.upper for f in envelope),
        nominal,
        forms,
        n,
        float(of_rate.sum()),
        exposure,
    )


@dataclass(frozen=True)
class LeakageClosure:
    """Events below a border beside the signal box, predicted by the same extrapolation and counted."""

    p_out: tuple[float, float]
    border: float
    predicted: float
    low: float
    high: float
    observed: float

    @property
    def agrees(self) -> bool:
        """Whether the count lies in the interval of the forms widened by its own Poisson error."""
        spread = np.sqrt(max(self.observed, 1.0))
        return bool(self.low - spread <= self.observed <= self.high + spread)

    def __repr__(self) -> str:
        return f"p_out {self.p_out[0]:g} to {self.p_out[1]:g} GeV/c, E_CAL < {self.border:g} GeV: {self.predicted:.3g} [{self.low:.3g}, {self.high:.3g}] predicted, {self.observed:.0f} observed"


def leakage_closure(
    plane: Any, p_out: tuple[float, float], border: float, *, threshold: float | None = None, seed: int = 1
) -> LeakageClosure:
    """Predict the events below a border from those above it, in a region where both are unblinded.

    Parameters
    ----------
    plane : hist.Hist
        A (p_out, E_CAL) plane.
    p_out : (float, float)
        Range beside the signal box [GeV/c].
    border : float
        Border in E_CAL [GeV].
    threshold : float, optional
        Upper end of the fit [GeV].
    seed : int

    Returns
    -------
    LeakageClosure

    Raises
    ------
    BackgroundError
        If the range reaches into the signal box, or there are too few events.
    """
    if p_out[0] < 80.0:
        msg = f"closure from p_out {p_out[0]:g} GeV/c on: below the border it reaches into the signal box; start at 80 GeV/c"
        raise BackgroundError(msg)
    edges, counts, _ = _spectrum(plane, p_out, 0.0)
    first = int(np.argmin(np.abs(edges - border)))
    fits, best, _ = _fits(edges[first:], counts[first:], threshold, seed)
    envelope = fits[: len(ENVELOPE)]
    return LeakageClosure(
        p_out, border, best.value, min(f.low for f in envelope), max(f.high for f in envelope), float(counts[:first].sum())
    )
