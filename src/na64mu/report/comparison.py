"""Comparison of data and simulation: one control spectrum with their ratio and the chi2 of their shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hist
import mplhep
import numpy as np
from matplotlib.ticker import NullFormatter

from na64mu.report.canvas import own_style, subplots
from na64mu.report.datasets import combined
from na64mu.report.style import BLACK, BLUE, GREY
from na64mu.statistics.homogeneity import Homogeneity, shape_chi2

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from na64mu.results.run import RunResult

__all__ = ("shape_agreement", "spectrum_with_ratio")

RATIO = (0.0, 2.0)  # range of the lower panel


def shape_agreement(
    result: RunResult, column: str, data: tuple[str, ...], simulation: tuple[str, ...], stage: str = "n_minus_1"
) -> Homogeneity:
    """Chi2 of the shapes of one spectrum in data and simulation.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.
    column : str
        A quantity of the working point's spectra.
    data, simulation : tuple of str
        Datasets.
    stage : str
        "all" events, or "n_minus_1": those that pass all cuts on other quantities.

    Returns
    -------
    Homogeneity
        chi2, degrees of freedom, probability of a larger chi2.
    """
    seen, expected = (combined(result, column, names)[{0: hist.loc(stage)}] for names in (data, simulation))
    return shape_chi2(seen.values(), expected.values(), expected.variances())


def spectrum_with_ratio(
    result: RunResult, column: str, data: tuple[str, ...], simulation: tuple[str, ...], stage: str = "n_minus_1"
) -> tuple[Figure, tuple[Axes, Axes]]:
    """Draw one spectrum of data and simulation, the latter scaled to the area of the data, and their ratio.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.
    column : str
        A quantity of the working point's spectra.
    data, simulation : tuple of str
        Datasets; see `data_and_simulation`.
    stage : str
        "all" events, or "n_minus_1": those that pass all cuts on other quantities.

    Returns
    -------
    figure, (axes of the spectrum, axes of the ratio)
    """
    described = next(s for s in result.working_point.spectra if s.column == column)
    seen, expected = (combined(result, column, names)[{0: hist.loc(stage)}] for names in (data, simulation))
    area = float(expected.values().sum())
    scaled = expected * (float(seen.values().sum()) / area if area > 0 else 0.0)
    agreement = shape_agreement(result, column, data, simulation, stage)
    with own_style():
        figure, (top, bottom) = subplots(
            2,
            1,
            size=(6.0, 5.2),
            layout=None,
            sharex=True,
            gridspec_kw={"height_ratios": (3, 1), "hspace": 0.06, "left": 0.13, "right": 0.97, "bottom": 0.12, "top": 0.93},
        )
        mplhep.histplot(scaled, ax=top, histtype="fill", color=BLUE, alpha=0.35, yerr=False, flow="none", label="simulation")
        n = seen.values()
        top.errorbar(
            seen.axes[0].centers[n > 0], n[n > 0], yerr=np.sqrt(n[n > 0]), fmt="o", color=BLACK, markersize=3, linewidth=1, label="data"
        )
        top.set_yscale("log")
        top.yaxis.set_minor_formatter(NullFormatter())
        top.set_ylim(0.5, 3.0 * max(float(n.max()), 3.0))
        top.set(ylabel="events", xlim=(described.low, described.high), xlabel="")
        words = (
            f"$\\chi^2$/ndf = {agreement.chi2:.1f}/{agreement.ndf}, p = {agreement.p_value:.2g}"
            if np.isfinite(agreement.chi2)
            else "too few events"
        )
        top.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2, ncols=2, fontsize=11)
        top.text(0.99, 1.02, words, transform=top.transAxes, ha="right", va="bottom", fontsize=11)
        _draw_ratio(bottom, seen, scaled)
        bottom.set(xlabel=described.label, ylabel="data / sim.", ylim=RATIO)
    return figure, (top, bottom)


def _draw_ratio(ax: Axes, seen: hist.Hist, expected: hist.Hist) -> None:
    """Data over simulation with the errors of the data, and a band with those of the simulation."""
    x, n, w = seen.axes[0].centers, seen.values(), expected.values()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, error, band = n / w, np.sqrt(n) / w, np.sqrt(expected.variances()) / w
    known = (w > 0) & (n > 0)
    edges = np.asarray(seen.axes[0].edges)
    ax.fill_between(
        np.repeat(edges, 2)[1:-1],
        np.repeat(1 - np.nan_to_num(band), 2),
        np.repeat(1 + np.nan_to_num(band), 2),
        color=BLUE,
        alpha=0.25,
        linewidth=0,
    )
    ax.axhline(1.0, color=GREY, linewidth=1.0)
    ax.errorbar(x[known], ratio[known], yerr=error[known], fmt="o", color=BLACK, markersize=3, linewidth=1)
    for outside, y, mark in ((known & (ratio > RATIO[1]), RATIO[1], "^"), (known & (ratio < RATIO[0]), RATIO[0], "v")):
        ax.plot(x[outside], np.full(outside.sum(), y), mark, color=BLACK, markersize=5, clip_on=False)
