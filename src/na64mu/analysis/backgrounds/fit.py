"""Fit of one tail form between the signal box and the threshold, and its extrapolation below the box edge.

The binned likelihood is evaluated on a grid of the form's parameters, for many spectra at once (data, bootstrap replicas, toys), and a parabola through the
lowest points gives the minimum. There is no start value and no fit that fails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from na64mu.analysis.backgrounds.forms import TailForm
from na64mu.typing import FloatArray

__all__ = ("FormFit", "FormTable", "fit_form", "form_table", "minimum")

#: Least log probability of a bin.
TINY = 1e-300
#: Twice the rise of -ln L at the ends of the central 68.27 % interval, and at the upper limit at 95 %.
RISE_68, RISE_95 = 1.0, 2.7055


class FormTable(NamedTuple):
    """One form on the grid of its parameters.

    Attributes
    ----------
    form : TailForm
    log_probability : FloatArray
        ln of the fraction of the tail (box edge to threshold) in every bin, shape (n_sets, n_bins).
    ratio : FloatArray
        Events below the box edge per event of the tail, shape (n_sets,).
    """

    form: TailForm
    log_probability: FloatArray
    ratio: FloatArray


@dataclass(frozen=True)
class FormFit:
    """A fitted form and what it predicts below the box edge.

    Attributes
    ----------
    name : str
    value : float
        Events below the box edge.
    low, high : float
        Central 68 % interval from the profile likelihood, with the fluctuation of the number in the tail.
    upper : float
        Upper limit at 95 % confidence.
    deviance : float
        -2 ln L of the shape.
    p_value : float or None
        p-value of the Anderson-Darling test, from toys; None if the test was not made.
    """

    name: str
    value: float
    low: float
    high: float
    upper: float
    deviance: float
    p_value: float | None = None

    def scaled(self, factor: float) -> FormFit:
        """Return the fit scaled to `factor` times the exposure."""
        values = {name: factor * getattr(self, name) for name in ("value", "low", "high", "upper")}
        return replace(self, **values)

    def __repr__(self) -> str:
        p = "" if self.p_value is None else f"  p = {self.p_value:.2f}"
        return f"{self.name:<24} {self.value:10.3g}  [{self.low:.3g}, {self.high:.3g}]  < {self.upper:.3g} (95 %)  -2lnL {self.deviance:.1f}{p}"


def form_table(form: TailForm, edges: FloatArray, centre: float) -> FormTable:
    """Tabulate a form.

    Parameters
    ----------
    form : TailForm
    edges : FloatArray
        Bin edges from the edge of the box to the threshold [GeV/c], shape (n_bins + 1,).
    centre : float
        Centre of the peak [GeV/c].

    Returns
    -------
    FormTable
    """
    parameters = form.parameter_sets()
    threshold = float(edges[-1])
    cumulative = form.fraction_below(np.concatenate([[0.0], edges]), threshold, centre, parameters)
    in_tail = cumulative[:, -1] - cumulative[:, 1]
    fractions = np.diff(cumulative[:, 1:], axis=1) / in_tail[:, None]
    return FormTable(form, np.log(np.maximum(fractions, TINY)), (cumulative[:, 1] - cumulative[:, 0]) / in_tail)


def minimum(table: FormTable, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Position and value of the minimum of -ln L for many spectra.

    Parameters
    ----------
    table : FormTable
    counts : FloatArray
        Shape (n_spectra, n_bins).

    Returns
    -------
    position : FloatArray
        Place on the grid, shape (n_spectra,), between two points for a form of one parameter.
    ratio : FloatArray
        Events below the box edge per event of the tail, shape (n_spectra,).
    """
    nll = -counts @ table.log_probability.T
    best = np.argmin(nll, axis=1)
    if len(table.form.grid) > 1:
        return best.astype(np.float64), table.ratio[best]
    inner = np.clip(best, 1, nll.shape[1] - 2)
    rows = np.arange(len(nll))
    left, middle, right = nll[rows, inner - 1], nll[rows, inner], nll[rows, inner + 1]
    curvature = left + right - 2.0 * middle
    shift = np.where(curvature > 0, 0.5 * (left - right) / np.where(curvature > 0, curvature, 1.0), 0.0)
    position = np.where(inner == best, inner + np.clip(shift, -1.0, 1.0), best.astype(np.float64))
    grid = np.arange(len(table.ratio), dtype=np.float64)
    return position, np.exp(np.interp(position, grid, np.log(np.maximum(table.ratio, TINY))))


def _profile(table: FormTable, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Events below the box edge and twice the rise of -ln L there, minimised over shape and tail content; both of shape (n_points,)."""
    n = counts.sum()
    shape = -table.log_probability @ counts
    near = shape - shape.min() < 8.0
    shape, ratio = shape[near] - shape.min(), table.ratio[near]
    positive = ratio > TINY
    floor, ceiling = (ratio[positive].min(), ratio[positive].max()) if np.any(positive) else (TINY, TINY)
    spread = 1.0 + 6.0 / np.sqrt(n)
    values = np.geomspace(max(n * floor / spread**2, 1e-30), n * ceiling * spread**2, 1200)
    rise = np.full(len(values), np.inf)
    for start in range(0, len(values), 100):
        expected = values[start : start + 100, None] / ratio[positive][None, :]
        poisson = expected - n - n * np.log(expected / n)
        rise[start : start + 100] = (poisson + shape[positive][None, :]).min(axis=1, initial=np.inf)
    if np.any(~positive):  # shapes that end above the box
        values, rise = np.concatenate([[0.0], values]), np.concatenate([[shape[~positive].min()], rise])
    return values, 2.0 * (rise - rise.min())


def fit_form(table: FormTable, counts: FloatArray, p_value: float | None = None) -> FormFit:
    """Fit one form to one spectrum.

    Parameters
    ----------
    table : FormTable
    counts : FloatArray
        Events per bin, shape (n_bins,); their sum must be positive.
    p_value : float, optional
        Goodness of fit.

    Returns
    -------
    FormFit
    """
    position, ratio = minimum(table, counts[None, :])
    value = float(counts.sum() * ratio[0])
    values, rise = _profile(table, counts)
    low, high = _crossings(values, rise, RISE_68)
    upper = _crossings(values, rise, RISE_95)[1]
    nll = -table.log_probability @ counts
    deviance = 2.0 * float(np.interp(position[0], np.arange(len(nll)), nll))
    return FormFit(table.form.name, value, min(low, value), max(high, value), upper, deviance, p_value)


def _crossings(values: FloatArray, rise: FloatArray, level: float) -> tuple[float, float]:
    """Lowest and highest value with a rise of at most `level`."""
    inside = np.flatnonzero(rise <= level)
    return float(values[inside[0]]), float(values[inside[-1]])
