"""Figures of the backgrounds: the momentum tail with its forms and extrapolation, the scan of the threshold, Table I as yields by source.

Every function returns (figure, axes). Momenta GeV/c.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import gamma

from na64mu.analysis.backgrounds.fit import form_table, minimum
from na64mu.analysis.backgrounds.forms import FORMS
from na64mu.analysis.backgrounds.tail import CROSS_CHECKS, ENVELOPE
from na64mu.report.canvas import axes_of, own_style
from na64mu.report.style import BLACK, BLUE, GREY, ORANGE, PURPLE, VERMILLION
from na64mu.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from na64mu.analysis.backgrounds import BackgroundTable, TailEstimate, TailSample

__all__ = ("tail_figure", "threshold_figure", "yields_by_source")

GREEN = "#00755a"
STYLES = {
    "exponential in p": (BLUE, "-"),
    "exponential in k": (VERMILLION, "--"),
    "power in p": (ORANGE, "-."),
    "power in k": (PURPLE, ":"),
    "Generalised Pareto in p": (GREEN, (0, (4, 1, 1, 1))),
    "Generalised Pareto in k": (GREY, (0, (1, 1))),
}
#: Bins of the spectrum drawn as one.
MERGED = 4


def _garwood(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Central 68 % intervals of Poisson means."""
    low = np.where(counts > 0, gamma.ppf(0.15865, np.maximum(counts, 1e-9)), 0.0)
    return low, gamma.ppf(0.84135, counts + 1.0)


def tail_figure(sample: TailSample, estimate: TailEstimate, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Draw the spectrum of p_out of MIP-tagged muons, every fitted form, and its extrapolation below the box edge.

    Parameters
    ----------
    sample : TailSample
        The spectrum that was fitted.
    estimate : TailEstimate
        Estimate made from this spectrum; the legend gives its numbers of events for its muons on target.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    figure, axes
        Effective events per bin; nothing below the box edge is drawn, because those events are not used.
    """
    with own_style():
        figure, ax = axes_of(ax, (8.2, 6.6))
        first = sample.edge_near(estimate.box_edge)
        n = (len(sample.counts) - first) // MERGED * MERGED
        counts = sample.counts[first : first + n].reshape(-1, MERGED).sum(axis=1)
        edges = sample.edges[first : first + n + 1 : MERGED]
        width = float(edges[1] - edges[0])
        low, high = _garwood(counts)
        some = counts > 0
        centres = 0.5 * (edges[1:] + edges[:-1])
        ax.errorbar(
            centres[some],
            counts[some],
            yerr=np.stack([counts - low, high - counts])[:, some],
            fmt="o",
            markersize=4,
            color=BLACK,
            elinewidth=1.0,
            label="muons with a MIP in the ECAL",
        )
        lowest = _draw_forms(ax, sample, estimate, width)
        ax.axvspan(0, estimate.box_edge, color=VERMILLION, alpha=0.08, linewidth=0)
        ax.axvline(estimate.box_edge, color=VERMILLION, linewidth=1.6)
        ax.axvline(estimate.threshold, color=GREY, linewidth=1.2, linestyle="--")
        top = float(counts.max())
        ax.text(estimate.threshold - 1, 0.4 * top, "fit below", rotation=90, ha="right", va="top", fontsize=11, color=GREY)
        ax.text(0.5 * (20.0 + estimate.box_edge), 0.25 * top, "signal box", ha="center", fontsize=12, color=VERMILLION)
        ax.set(yscale="log", xlim=(20.0, 220.0), ylim=(max(1e-7, min(lowest, 0.1)), 3e4 * top))  # room for the legend
        ax.set_xlabel(r"$p_{out}$ [GeV/$c$]")
        ax.set_ylabel(f"events / {width:g} GeV/$c$")
        ax.legend(fontsize=10.5, loc="upper left", title=_title(estimate), title_fontsize=11, ncols=2)
    return figure, ax


def _title(estimate: TailEstimate) -> str:
    head = rf"events below {estimate.box_edge:g} GeV/$c$ for {_power(estimate.n_mot)} muons on target"
    if estimate.nominal is None:
        return f"{head}: < {estimate.upper:.2g} (95 %)"
    low, high = estimate.envelope
    return f"{head}: {estimate.value:.2g}, envelope {low:.1g} to {high:.2g}"


def _power(value: float) -> str:
    if not value > 0:
        return "the"
    power = math.floor(math.log10(value))
    return rf"{value / 10**power:.3g} $\times$ 10$^{{{power}}}$"


def _draw_forms(ax: Axes, sample: TailSample, estimate: TailEstimate, width: float) -> float:
    """Every form through the fit range and on to 20 GeV/c; the lowest value at the end of the fit range's steepest envelope form."""
    if not estimate.forms:
        return 0.1
    low, high = sample.edge_near(estimate.box_edge), sample.edge_near(estimate.threshold)
    edges, counts = sample.edges[low : high + 1], sample.counts[low:high]
    fitted = {fit.name: fit for fit in (*estimate.forms, *estimate.cross_checks)}
    steps = np.linspace(20.0, estimate.threshold, 250)
    lowest = math.inf
    for name in (*ENVELOPE, *CROSS_CHECKS):
        table = form_table(FORMS[name], edges, sample.centre)
        best = round(float(minimum(table, counts[None, :])[0][0]))
        parameters = FORMS[name].parameter_sets()[best : best + 1]
        below = FORMS[name].fraction_below(np.concatenate([[estimate.box_edge], steps]), estimate.threshold, sample.centre, parameters)[0]
        in_tail = 1.0 - below[0]
        density = counts.sum() * np.diff(below[1:]) / np.diff(steps) * width / in_tail
        middle = 0.5 * (steps[1:] + steps[:-1])
        colour, line = STYLES[name]
        words = f"{name}: {fitted[name].value:.2g}" + ("" if fitted[name].p_value is None else f" (p = {fitted[name].p_value:.2f})")
        chosen = estimate.nominal is not None and name == estimate.nominal.name
        seen = density > 0
        ax.plot(
            middle[seen],
            density[seen],
            color=colour,
            linestyle=line,
            linewidth=2.6 if chosen else 1.4,
            label=words,
            zorder=3 if chosen else 2,
        )
        if name in ENVELOPE:
            lowest = min(lowest, float(np.interp(60.0, middle, density)))
    return lowest


def threshold_figure(estimates: Sequence[TailEstimate], ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Draw the estimate of background (I) against the threshold of the fit.

    Parameters
    ----------
    estimates : sequence of TailEstimate
        Estimates from `threshold_scan`, all for the same muons on target.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    figure, axes
        Nominal value with its bootstrap error and the envelope of the forms; thresholds with too few events show their upper limit.
    """
    with own_style():
        figure, ax = axes_of(ax, (7.6, 5.2))
        fitted = [e for e in estimates if e.nominal is not None]
        u = np.array([e.threshold for e in fitted])
        floor = 1e-6
        if fitted:
            low, high = np.array([e.envelope for e in fitted]).T
            value = np.array([e.value for e in fitted])
            errors = np.array([e.statistical for e in fitted]).T
            ax.vlines(u, np.maximum(low, floor), high, color=ORANGE, linewidth=7, alpha=0.45, label="envelope of the forms, 68 % each")
            ax.errorbar(
                u,
                np.maximum(value, floor),
                yerr=np.abs(np.stack([value - errors[0], errors[1] - value])),
                fmt="o",
                color=BLUE,
                markersize=5,
                label="best form, bootstrap error",
            )
        ax.plot([e.threshold for e in estimates], [e.upper for e in estimates], "v", color=BLACK, markersize=6, label="95 % upper limit")
        for e in fitted:
            ax.annotate(f"{e.n_tail:.0f}", (e.threshold, e.upper), (0, 8), textcoords="offset points", ha="center", fontsize=10, color=GREY)
        ax.axhspan(0.02, 0.08, color=GREY, alpha=0.2, linewidth=0, label=r"Letter: 0.05 $\pm$ 0.03")
        ax.set_yscale("log")
        bottom, top = ax.get_ylim()
        ax.set_ylim(max(bottom, floor), 30.0 * top)
        ax.set_xlabel(r"upper end of the fit [GeV/$c$]")
        ax.set_ylabel("events of background (I)")
        ax.legend(fontsize=11, loc="upper left", ncols=2, title="numbers: events in the fit", title_fontsize=10.5)
    return figure, ax


def yields_by_source(table: BackgroundTable, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Draw Table I: every background as published and as estimated here.

    Parameters
    ----------
    table : BackgroundTable
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    figure, axes
        Upper limits are arrows.
    """
    with own_style():
        figure, ax = axes_of(ax, (8.2, 4.6))
        rows = list(reversed(table.rows))
        for shift, colour, marker, name in ((0.13, BLACK, "*", "published"), (-0.13, BLUE, "o", "this analysis (simulation)")):
            entries = [(i + shift, row.published if name == "published" else row.ours) for i, row in enumerate(rows)]
            points = [(y, e) for y, e in entries if not math.isnan(e.value) and not e.is_upper]
            limits = [(y, e) for y, e in entries if not math.isnan(e.value) and e.is_upper]
            if points:
                x = np.array([e.value for _, e in points])
                error = np.array([e.error for _, e in points])
                ax.errorbar(
                    x,
                    [y for y, _ in points],
                    xerr=np.stack([np.minimum(error, 0.95 * x), error]),
                    fmt=marker,
                    color=colour,
                    markersize=11 if marker == "*" else 7,
                    label=name,
                )
            for i, (y, e) in enumerate(limits):
                label = None if points or i else f"{name}: upper limit"
                ax.plot([e.value], [y], marker="$\u2190$", color=colour, markersize=16, linestyle="none", label=label)
                ax.plot([e.value], [y], marker="|", color=colour, markersize=12, linestyle="none")
        ax.set_yticks(range(len(rows)), [row.title for row in rows], fontsize=12)
        ax.tick_params(axis="y", which="minor", left=False, right=False)
        ax.set(xscale="log", ylim=(-0.6, len(rows) - 0.2))
        left, right = ax.get_xlim()
        ax.set_xlim(min(left, 2e-3), max(right, 1.0) * 1.5)
        ax.set_xlabel(f"events in {_power(table.n_mot)} muons on target")
        ax.legend(fontsize=11.5, loc="upper right", bbox_to_anchor=(1.0, 1.12), ncols=2)
    return figure, ax
