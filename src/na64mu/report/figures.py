"""Figures: the (p_out, E_CAL) plane before and after cut (iv), and the spectra of the cut variables.

Momenta GeV/c, energies GeV (VETO: MeV). Every function draws on the axes it is given, or on new ones, and returns (figure, axes);
nothing is shown or closed here.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import hist
import matplotlib as mpl
import matplotlib.pyplot as plt
import mplhep
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.patches import Polygon, Rectangle
from matplotlib.path import Path as MplPath
from matplotlib.ticker import NullFormatter

from na64mu.report.numbers import count, muons
from na64mu.report.regions import area, outline
from na64mu.report.thresholds import thresholds
from na64mu.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from na64mu.analysis.result import RunResult
    from na64mu.selections.working_point import Spectrum, WorkingPoint

__all__ = ("plane", "plane_before_and_after", "save", "spectrum")

# Okabe and Ito's colours, told apart with any colour vision.
BLUE, ORANGE, VERMILLION, GREY, BLACK = "#0072b2", "#e69f00", "#d55e00", "#5f5f5f", "#000000"
MAP = "viridis"
LABEL_BOX = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}

STYLE: dict[Any, Any] = {
    "font.size": 13,
    "axes.labelsize": 15,
    "axes.linewidth": 1.0,
    "xaxis.labellocation": "right",
    "yaxis.labellocation": "top",
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xtick.major.size": 7,
    "ytick.major.size": 7,
    "xtick.minor.size": 3.5,
    "ytick.minor.size": 3.5,
    "legend.frameon": False,
    "hatch.linewidth": 0.8,
    "figure.facecolor": "white",
}


def plane(
    histogram: hist.Hist,
    working_point: WorkingPoint,
    *,
    blinded: bool = False,
    e_cal_max: float | None = None,
    norm: LogNorm | None = None,
    ax: Axes | None = None,
) -> tuple[Figure, Axes]:
    """Draw one (p_out, E_CAL) plane with its regions and the signal box, as in Fig. 3 of PRL 132, 211803.

    Parameters
    ----------
    histogram : hist.Hist
        Axes p_out [GeV/c] and E_CAL [GeV].
    working_point : WorkingPoint
        For the box and the regions.
    blinded : bool
        Hatch the box: its events were not filled.
    e_cal_max : float, optional
        Upper end of the E_CAL axis [GeV]; by default that of the histogram.
    norm : LogNorm, optional
        Colour scale; by default from 1 to the fullest bin.
    ax : Axes, optional
        Where to draw; by default on a new figure with a colour bar.

    Returns
    -------
    figure, axes
        With the colour mesh as the first of `axes.collections`.
    """
    with mpl.rc_context(STYLE):
        own = ax is None
        ax = plt.subplots(figsize=(7.8, 5.6), layout="constrained")[1] if ax is None else ax
        values, x_edges, y_edges = histogram.values(), histogram.axes[0].edges, histogram.axes[1].edges
        shown = np.ma.masked_less_equal(values, 0.0)
        ax.pcolormesh(x_edges, y_edges, shown.T, norm=norm or colour_scale(values), cmap=MAP, rasterized=True)
        top = float(y_edges[-1]) if e_cal_max is None else e_cal_max
        ax.set(xlim=(x_edges[0], x_edges[-1]), ylim=(y_edges[0], top))
        ax.set_xlabel(r"$p_{out}$ [GeV/$c$]")
        ax.set_ylabel(r"$E_{CAL}$ [GeV]")
        _draw_regions(ax, working_point)
        _draw_box(ax, working_point, blinded)
        if own:
            _colour_bar(histogram, [ax])
        return cast("Figure", ax.figure), ax


def colour_scale(values: FloatArray) -> LogNorm:
    """Logarithmic scale from the smaller of one and the emptiest filled bin to the fullest bin."""
    filled = values[values > 0]
    if filled.size == 0:
        return LogNorm(1.0, 10.0)
    low = min(1.0, float(filled.min()))
    return LogNorm(low, max(float(filled.max()), 10.0 * low))


def _colour_bar(histogram: hist.Hist, axes: list[Axes]) -> None:
    """Put the colour scale of the first axes to the right of all."""
    widths = [float(axis.widths[0]) for axis in histogram.axes]
    bar = cast("Figure", axes[0].figure).colorbar(axes[0].collections[0], ax=axes, pad=0.012, aspect=28)
    bar.set_label(rf"events / ({widths[0]:g} GeV/$c$ $\times$ {widths[1]:g} GeV)")


def _draw_regions(ax: Axes, working_point: WorkingPoint) -> None:
    x_range, y_range = ax.get_xlim(), ax.get_ylim()
    view = (x_range[1] - x_range[0]) * (y_range[1] - y_range[0])
    for region in working_point.regions:
        corners = outline(region, x_range, y_range)
        if area(corners) < 0.01 * view:
            continue
        ax.add_patch(Polygon(corners, fill=False, edgecolor=GREY, linewidth=1.0))
        x, y = _label_position(corners, x_range, y_range)
        ax.text(x, y, region.name, ha="center", va="center", fontsize=17, fontweight="bold", color="black", bbox=LABEL_BOX)


def _label_position(corners: FloatArray, x_range: tuple[float, float], y_range: tuple[float, float]) -> tuple[float, float]:
    """Upper right corner of a region, where few events are, if that lies inside it; else its middle."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    inset = np.array([0.055 * (x_range[1] - x_range[0]), 0.07 * (y_range[1] - y_range[0])])
    x, y = np.maximum(high - inset, 0.5 * (low + high))
    if not MplPath(corners).contains_point((x, y)):
        x, y = corners.mean(axis=0)
    return float(x), float(y)


def _draw_box(ax: Axes, working_point: WorkingPoint, blinded: bool) -> None:
    box, left, bottom = working_point.box, ax.get_xlim()[0], ax.get_ylim()[0]
    size = box.p_out_max - left, box.e_cal_max - bottom
    ax.add_patch(
        Rectangle(
            (left, bottom),
            *size,
            fill=False,
            edgecolor=VERMILLION,
            linewidth=2.2,
            hatch="///" if blinded else None,
            zorder=3,
            clip_on=False,
        )
    )
    text = "signal box, blinded" if blinded else "signal box"
    above = (left + 0.5 * size[0], box.e_cal_max)
    ax.annotate(text, above, (0, 4), textcoords="offset points", ha="center", va="bottom", color=VERMILLION, fontsize=12, bbox=LABEL_BOX)


def kind_of_events(result: RunResult) -> str:
    """Whether a run holds data, simulation or both: generated events stand in the bookkeeping of simulation only."""
    kinds = {"simulation" if run.n_generated else "data" for run in result.exposure.runs}
    return " and ".join(sorted(kinds))


def exposure_text(result: RunResult) -> str:
    """Muons on target behind the events, as a figure shows it."""
    n_mot = result.exposure.n_mot()
    if n_mot <= 0:
        return ""
    if n_mot < 1e6:
        return f"{muons(n_mot)} muons on target"
    power = math.floor(math.log10(n_mot))
    return rf"{n_mot / 10**power:.3g} $\times$ 10$^{{{power}}}$ muons on target"


def plane_before_and_after(result: RunResult, dataset: str | None = None) -> tuple[Figure, tuple[Axes, Axes]]:
    """Draw the (p_out, E_CAL) plane before and after the plane cut, cut (iv) of the Letter, side by side on one colour scale.

    Parameters
    ----------
    result : RunResult
        What `na64mu run` found.
    dataset : str, optional
        One dataset; by default all together.

    Returns
    -------
    figure, (axes, axes)
        The right plane is enlarged to twice the height of the signal box if all its events lie there.
    """
    point = result.working_point
    histograms = [result.histogram(name, dataset) for name in ("plane_before", "plane_after")]
    blinded = result.blinded[dataset] if dataset is not None else any(result.blinded.values())
    cut = next(c.label for c in point.cuts if c.name == point.plane_cut)
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(13.6, 5.8), layout="constrained")
        norm = colour_scale(np.concatenate([h.values().ravel() for h in histograms]))
        for ax, histogram, when in zip(axes, histograms, ("before", "after"), strict=True):
            zoom = 2.0 * point.box.e_cal_max if when == "after" and _lies_below(histogram, 2.0 * point.box.e_cal_max) else None
            plane(histogram, point, blinded=blinded, e_cal_max=zoom, norm=norm, ax=ax)
            ax.set_title(f"{when} {cut}", loc="left", fontsize=12.5)
            if zoom is not None:
                ax.set_ylabel(r"$E_{CAL}$ [GeV] (enlarged)")
            ax.set_title(_content(histogram), loc="right", fontsize=11, color=GREY)
        _colour_bar(histograms[0], list(axes))
        words = [r"$\mathbf{NA64}\mu$ " + kind_of_events(result), exposure_text(result), point.title, "" if dataset is None else dataset]
        figure.suptitle("   |   ".join(word for word in words if word), x=0.01, ha="left", fontsize=15)
    return figure, (axes[0], axes[1])


def _lies_below(histogram: hist.Hist, e_cal: float) -> bool:
    """Whether no event lies above an energy, overflow included."""
    values = histogram.values(flow=True)
    first = int(np.searchsorted(histogram.axes[1].edges, e_cal)) + 1
    return bool(values[:, first:].sum() == 0)


def _content(histogram: hist.Hist) -> str:
    """Events that a plane shows, and those outside its axes."""
    inside, everywhere = float(histogram.values().sum()), float(histogram.values(flow=True).sum())
    text = f"{_events(inside)} events"
    outside = everywhere - inside
    return text + (f", {_events(outside)} outside" if outside > 1e-9 * everywhere else "")


def _events(number: float) -> str:
    return count(round(number)) if number == round(number) else f"{number:.4g}"


def spectrum(result: RunResult, column: str, dataset: str | None = None, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Draw the spectrum of one quantity: all events, events that pass all other cuts, and what the cuts on it keep.

    Parameters
    ----------
    result : RunResult
        What `na64mu run` found.
    column : str
        A quantity of the working point's spectra.
    dataset : str, optional
        One dataset; by default all together.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    figure, axes
    """
    described: Spectrum = next(s for s in result.working_point.spectra if s.column == column)
    histogram = result.histogram(column, dataset)
    with mpl.rc_context(STYLE):
        ax = (
            plt.subplots(figsize=(6.0, 4.2), gridspec_kw={"left": 0.13, "right": 0.97, "bottom": 0.14, "top": 0.92})[1]
            if ax is None
            else ax
        )
        stages = (("all", "all events", BLUE, "step"), ("n_minus_1", "all other cuts passed", ORANGE, "fill"))
        for stage, label, colour, form in stages:
            of_stage = histogram[{0: hist.loc(stage)}]
            mplhep.histplot(
                of_stage, ax=ax, histtype=form, color=colour, label=label, yerr=False, flow="none", alpha=0.75 if form == "fill" else 1
            )
        ax.set_yscale("log")
        ax.yaxis.set_minor_formatter(NullFormatter())
        top = max(float(histogram.values().max(initial=0.0)), 1.0)
        ax.set(xlim=(described.low, described.high), ylim=(0.5, 3.0 * top), xlabel=described.label)
        ax.set_ylabel(_per_bin(described))
        _draw_thresholds(ax, result, column)
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2, ncols=3, fontsize=11, columnspacing=1.2, handlelength=1.6)
        _mark_flow(ax, histogram[{0: hist.loc("all")}])
    return cast("Figure", ax.figure), ax


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
            arrow = f"\u2190 {_events(float(number))}" if align == "left" else f"{_events(float(number))} \u2192"
            ax.text(x, 0.02, arrow, transform=ax.transAxes, ha=align, va="bottom", fontsize=10, color=GREY, bbox=LABEL_BOX)


def save(figure: Figure, path: Path, dpi: int = 150) -> Path:
    """Write a figure and close it; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        What to write.
    path : Path
        PNG file.
    dpi : int
        Dots per inch.

    Returns
    -------
    Path
        The file.
    """
    figure.savefig(path, dpi=dpi, metadata={"Software": None})
    plt.close(figure)
    return path
