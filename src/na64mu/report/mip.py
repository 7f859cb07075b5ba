"""The MIP peak of one energy: the spectrum of beam muons, the fitted shape, and the window that follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from na64mu.calibration.mip import fit_mip
from na64mu.reconstruction.columns import COLUMNS
from na64mu.report.canvas import own_style, subplots
from na64mu.report.style import BLACK, BLUE, VERMILLION
from na64mu.typing import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from na64mu.selections.working_point import MipRule

__all__ = ("mip_peak",)

SHOWN = 4.0  # times the peak


def mip_peak(muons: Summary, name: str, rule: MipRule, *, ax: Axes | None = None, bins: int = 80) -> tuple[Figure, Axes]:
    """Fit the MIP peak of one energy and draw it.

    Parameters
    ----------
    muons : Summary
        Event summary of calibration muons (`good_muons`).
    name : str
        Energy: a column such as "e_ecal".
    rule : MipRule
        Range of the fit and quantiles of the window (`working_point.mip`).
    ax : Axes, optional
        Axes to draw on.
    bins : int
        Number of bins from zero to four times the peak.

    Returns
    -------
    figure, axes
        Points: muons with the root of their number. Line: Landau folded with Gauss, full in the range of the fit, dotted beyond. Dashed: ends of the window.

    Raises
    ------
    CalibrationError
        If there are too few muons, or the fit does not converge.
    """
    fit = fit_mip(muons[name], name, fit_low=rule.fit_low, fit_high=rule.fit_high, min_events=rule.min_events)
    unit = COLUMNS[name][1]
    counts, edges = np.histogram(muons[name], bins=bins, range=(0.0, SHOWN * fit.mode))
    centres = 0.5 * (edges[1:] + edges[:-1])
    in_range = np.diff(fit.shape.cdf(np.array(fit.fit_range)))[0]
    expected = fit.n_events / in_range * np.diff(fit.shape.cdf(edges))
    fitted = (centres > fit.fit_range[0]) & (centres < fit.fit_range[1])
    with own_style():
        ax = subplots(size=(6.0, 4.2))[1] if ax is None else ax
        ax.errorbar(centres, counts, np.sqrt(counts), fmt=".", color=BLACK, ms=4, lw=0.8)
        ax.plot(centres, expected, ":", color=BLUE)
        label = f"{fit.mode:.3g} {unit}, $\\chi^2$/ndf {fit.chi2:.0f}/{fit.ndf}"
        ax.plot(centres[fitted], expected[fitted], color=BLUE, label=label)
        for quantile in (rule.quantile_low, rule.quantile_high):
            ax.axvline(max(fit.shape.quantile(quantile), 0.0), color=VERMILLION, linestyle="--", lw=1.2)
        meaning = COLUMNS[name][2].removeprefix("in-time ").partition(",")[0].partition(" (")[0]
        ax.set(xlabel=f"{meaning} [{unit}]", ylabel="muons", xlim=(0.0, edges[-1]))
        ax.legend(fontsize=10, loc="upper right")
    return cast("Figure", ax.figure), ax
