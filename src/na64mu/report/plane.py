"""The (p_out, E_CAL) plane, as in Fig. 3 of PRL 132, 211803: before and after cut (iv), with regions and signal box. GeV/c and GeV.

Every function draws on the axes it is given, or on new ones, and returns (figure, axes); nothing is shown or closed here.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, cast

import hist
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.patches import Polygon, Rectangle
from matplotlib.path import Path as MplPath

from na64mu.report.canvas import own_style, plain, subplots
from na64mu.report.datasets import combined, counting_datasets, exposure_text, kind_of_events, overlaid_datasets
from na64mu.report.regions import area, outline
from na64mu.report.style import GREY, LABEL_BOX, MAP, OVERLAYS, UNOFFICIAL, VERMILLION, colour_as_circles, events_text
from na64mu.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from na64mu.results.run import RunResult
    from na64mu.selections.working_point import WorkingPoint

__all__ = ("colour_scale", "plane", "plane_before_and_after")

FEW_EVENTS = 1000  # below it, bins are merged so that single events are seen


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
        Working point with the box and the regions.
    blinded : bool
        Hatch the box: its events were not filled.
    e_cal_max : float, optional
        Upper end of the E_CAL axis [GeV]; by default that of the histogram.
    norm : LogNorm, optional
        Colour scale; by default from 1 to the fullest bin.
    ax : Axes, optional
        Axes to draw on; by default a new figure with a colour bar.

    Returns
    -------
    figure, axes
        With the colour mesh as the first of `axes.collections`.
    """
    with own_style():
        own = ax is None
        ax = subplots(size=(7.8, 5.6))[1] if ax is None else ax
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
    bar = cast("Figure", axes[0].figure).colorbar(axes[0].collections[0], ax=axes, pad=0.012, aspect=28)
    what = "events" if np.allclose(histogram.values(), histogram.variances(), atol=0.0) else "weights"
    bar.set_label(f"{what} / bin" if len(axes) > 1 else f"{what} / ({_bin_size(histogram)})")


def _bin_size(histogram: hist.Hist) -> str:
    widths = [float(axis.widths[0]) for axis in histogram.axes]
    return rf"{widths[0]:g} GeV/$c$ $\times$ {widths[1]:g} GeV"


def _draw_regions(ax: Axes, working_point: WorkingPoint) -> None:
    x_range, y_range = ax.get_xlim(), ax.get_ylim()
    view = (x_range[1] - x_range[0]) * (y_range[1] - y_range[0])
    for region in working_point.regions:
        if region.ranges or region.mask or not region.has_limits:
            continue  # the plane does not show what limits it
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


def plane_before_and_after(result: RunResult, dataset: str | None = None) -> tuple[Figure, tuple[Axes, Axes]]:
    """Draw the (p_out, E_CAL) plane before and after the plane cut, cut (iv) of the Letter, side by side on one colour scale.

    Parameters
    ----------
    result : RunResult
        Result of `na64mu run`.
    dataset : str, optional
        Name of a dataset; by default all together.

    Returns
    -------
    figure, (axes, axes)
        The right plane is enlarged to twice the height of the signal box if all its events lie there. Weighted
        simulation (signal, biased processes) is drawn over the events of the other datasets as open circles, at any scale.
        Where there are few events, 2 x 2 bins of the left plane are drawn as one.
    """
    point = result.working_point
    weighted = overlaid_datasets(result) if dataset is None else ()
    shown = counting_datasets(result) if dataset is None else (dataset,)
    names = ("plane_before", "plane_after")
    histograms = [combined(result, name, shown) for name in names]
    overlays = [{label: result.histogram(name, label) for label in weighted} for name in names]
    if histograms[0].values().sum() < FEW_EVENTS:
        histograms[0], overlays[0] = _merged(histograms[0]), {label: _merged(h) for label, h in overlays[0].items()}
    blinded = any(result.blinded[name] for name in shown)
    cut = next(c.label for c in point.cuts if c.name == point.plane_cut)
    with own_style():
        figure, axes = subplots(1, 2, size=(13.6, 5.8))
        norm = colour_scale(np.concatenate([h.values().ravel() for h in histograms]))
        for ax, histogram, overlay, when in zip(axes, histograms, overlays, ("before", "after"), strict=True):
            low_only = when == "after" and all(_lies_below(h, 2.0 * point.box.e_cal_max) for h in (histogram, *overlay.values()))
            plane(histogram, point, blinded=blinded, e_cal_max=2.0 * point.box.e_cal_max if low_only else None, norm=norm, ax=ax)
            ax.set_title(f"{when} {cut}", loc="left", fontsize=12.5)
            ax.text(0.97, 0.80, _content(histogram), transform=ax.transAxes, ha="right", va="top", fontsize=11, color=GREY, bbox=LABEL_BOX)
            if low_only:
                ax.set_ylabel(r"$E_{CAL}$ [GeV] (enlarged)")
            for (label, weights), colour in zip(overlay.items(), itertools.cycle(OVERLAYS), strict=False):
                _draw_overlay(ax, weights, label, colour)
        _colour_bar(histograms[0], list(axes))
        words = [
            rf"$\mathbf{{NA64}}\mu$ {kind_of_events(result, shown)}, {UNOFFICIAL}",
            exposure_text(result, shown),
            point.title,
            "" if dataset is None else plain(dataset),
        ]
        figure.suptitle("   |   ".join(word for word in words if word), x=0.01, ha="left", fontsize=15)
    return figure, (axes[0], axes[1])


def _merged(histogram: hist.Hist) -> hist.Hist:
    """Return the plane with blocks of 2 x 2 bins merged, as far as the bins divide."""
    return histogram[tuple(slice(None, None, hist.rebin(2 if axis.size % 2 == 0 else 1)) for axis in histogram.axes)]


def _draw_overlay(ax: Axes, histogram: hist.Hist, name: str, colour: str) -> None:
    """Weighted simulation as open circles whose area goes with the content of the bin, at any scale."""
    values = histogram.values()
    x, y = np.meshgrid(histogram.axes[0].centers, histogram.axes[1].centers, indexing="ij")
    filled = values > 0
    if filled.any():
        area_of = 45.0 * values[filled] / values.max()
        ax.scatter(
            x[filled],
            y[filled],
            s=area_of,
            facecolors="none",
            edgecolors=colour,
            linewidths=1.0,
            zorder=2.5,
            label=f"{plain(name)}, any scale",
        )
        colour_as_circles(ax.legend(loc="upper center", bbox_to_anchor=(0.72, 0.93), fontsize=11, markerscale=1.4, handletextpad=0.2))


def _lies_below(histogram: hist.Hist, e_cal: float) -> bool:
    """Whether no event lies above an energy, overflow included."""
    values = histogram.values(flow=True)
    first = int(np.searchsorted(histogram.axes[1].edges, e_cal)) + 1
    return bool(values[:, first:].sum() == 0)


def _content(histogram: hist.Hist) -> str:
    """Events that a plane shows, those outside its axes, and the size of its bins."""
    inside, everywhere = float(histogram.values().sum()), float(histogram.values(flow=True).sum())
    outside = everywhere - inside
    beyond = f", {events_text(outside)} outside" if outside > 1e-9 * everywhere else ""
    return f"{events_text(inside)} events{beyond}\nbins of {_bin_size(histogram)}"
