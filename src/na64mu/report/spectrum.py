"""The spectra of the cut variables with what the cuts keep. Momenta GeV/c, energies GeV (VETO: MeV), lengths mm."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, cast

import hist
import mplhep
from matplotlib.ticker import NullFormatter

from na64mu.report.canvas import axes_of, own_style, plain
from na64mu.report.datasets import combined, counting_datasets, overlaid_datasets, uncut_text
from na64mu.report.legends import legend_above
from na64mu.report.style import BLACK, BLUE, GREY, LABEL_BOX, ORANGE, OVERLAYS, VERMILLION, events_text
from na64mu.report.thresholds import thresholds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from na64mu.results.run import RunResult
    from na64mu.selections.working_point import Spectrum

__all__ = ("spectrum",)

SIZE = 6.0, 4.2  # inches, with one line of legend
MARGINS = {"left": 0.78, "right": 0.18, "bottom": 0.59, "top": 0.42}  # inches around the axes; "top" is a legend of two lines
FRAME = 3.1  # height of the axes, the same in all spectra


def spectrum(result: RunResult, column: str, dataset: str | None = None, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Draw the spectrum of one quantity: all events, events that pass all other cuts, and what the cuts on it keep.

    While data are blinded, "all events" are those that may be seen, and the label says so.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.
    column : str
        A quantity of the working point's spectra.
    dataset : str, optional
        One dataset; by default all together, with weighted simulation scaled to the events that pass all other cuts.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    figure, axes
    """
    described: Spectrum = next(s for s in result.working_point.spectra if s.column == column)
    weighted = overlaid_datasets(result) if dataset is None else ()
    shown = counting_datasets(result) if dataset is None else (dataset,)
    histogram = combined(result, column, shown)
    with own_style():
        own = ax is None
        ax = axes_of(ax, SIZE, layout=None)[1]
        stages = (
            ("all", uncut_text(result, shown), BLUE, "step"),
            ("n_minus_1", "all other cuts passed", ORANGE, "fill"),
        )
        for stage, label, colour, form in stages:
            of_stage = histogram[{0: hist.loc(stage)}]
            mplhep.histplot(
                of_stage, ax=ax, histtype=form, color=colour, label=label, yerr=False, flow="none", alpha=0.75 if form == "fill" else 1
            )
        for name, colour in zip(weighted, itertools.cycle(OVERLAYS), strict=False):
            _draw_overlay(ax, result.histogram(column, name), histogram, name, colour)
        ax.set_yscale("log")
        ax.yaxis.set_minor_formatter(NullFormatter())
        filled = histogram.values()[histogram.values() > 0]
        bottom, top = (0.5 * min(1.0, float(filled.min())), 3.0 * float(filled.max())) if filled.size else (0.5, 10.0)
        ax.set(xlim=(described.low, described.high), ylim=(bottom, top), xlabel=described.label)
        ax.set_ylabel(_per_bin(described))
        _draw_thresholds(ax, result, column)
        height = legend_above(ax, SIZE[0] - MARGINS["left"])
        if own:
            _room_for_legend(cast("Figure", ax.figure), height)
        _mark_flow(ax, histogram[{0: hist.loc("all")}])
    return cast("Figure", ax.figure), ax


def _room_for_legend(figure: Figure, legend: float) -> None:
    """Make a figure as high as its frame and a legend of a height in inches need."""
    width = SIZE[0]
    height = MARGINS["bottom"] + FRAME + max(legend, MARGINS["top"]) + 0.06
    figure.set_size_inches(width, height)
    figure.subplots_adjust(
        left=MARGINS["left"] / width,
        right=1.0 - MARGINS["right"] / width,
        bottom=MARGINS["bottom"] / height,
        top=(MARGINS["bottom"] + FRAME) / height,
    )


def _draw_overlay(ax: Axes, signal: hist.Hist, events: hist.Hist, name: str, colour: str) -> None:
    """Weighted simulation that passes all other cuts as a line with the area of the events that do, or of all events if there are none."""
    passing = signal[{0: hist.loc("n_minus_1")}]
    total = float(passing.values().sum())
    areas = [float(events[{0: hist.loc(stage)}].values().sum()) for stage in ("n_minus_1", "all")]
    if total > 0:
        scale = next((a for a in areas if a > 0), total) / total
        mplhep.histplot(passing * scale, ax=ax, histtype="step", color=colour, label=f"{plain(name)}, scaled", yerr=False, flow="none")


def _per_bin(described: Spectrum) -> str:
    width = (described.high - described.low) / described.bins
    unit = described.label.partition("[")[2].partition("]")[0]
    return f"events / {width:.3g} {unit}" if unit else "events"


def _draw_thresholds(ax: Axes, result: RunResult, column: str) -> None:
    """Lines at the edges of what each cut keeps, and a light shade over what it rejects."""
    low, high = ax.get_xlim()
    styles = itertools.cycle(("-", "--", ":"))
    for limits in thresholds(result, column):
        is_box = limits.label == "signal box"
        style, colour = next(styles), VERMILLION if is_box else BLACK
        for edge in limits.edges:
            ax.axvline(edge, color=colour, linestyle=style, linewidth=1.6, label=limits.label if edge == limits.edges[-1] else None)
        if not is_box:
            for left, right in ((low, min(limits.low, high)), (max(limits.high, low), high)):
                if left < right:
                    ax.axvspan(left, right, color=BLACK, alpha=0.07, linewidth=0)
    ax.set_xlim(low, high)


def _mark_flow(ax: Axes, histogram: hist.Hist) -> None:
    """Say how many events lie outside the axis."""
    values = histogram.values(flow=True)
    for number, x, align in ((values[0], 0.015, "left"), (values[-1], 0.985, "right")):
        if number > 0:
            arrow = f"\u2190 {events_text(float(number))}" if align == "left" else f"{events_text(float(number))} \u2192"
            ax.text(x, 0.02, arrow, transform=ax.transAxes, ha=align, va="bottom", fontsize=10, color=GREY, bbox=LABEL_BOX)
