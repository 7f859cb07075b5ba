"""Fig. 3 of the Letter for both trigger configurations: the (p_out, E_CAL) plane before cut (iv), side by side. GeV/c and GeV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from na64mu.report.canvas import own_style, subplots
from na64mu.report.plane import colour_scale, plane
from na64mu.report.style import GREY, LABEL_BOX, PURPLE, UNOFFICIAL, colour_as_circles, events_text

if TYPE_CHECKING:
    import hist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from na64mu.selections.working_point import WorkingPoint

__all__ = ("plane_by_configuration",)


def plane_by_configuration(
    histograms: Mapping[str, hist.Hist],
    working_point: WorkingPoint,
    *,
    overlays: Mapping[str, hist.Hist] | None = None,
    what: str = "",
    blinded: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Draw one plane for each trigger configuration, on one colour scale.

    Parameters
    ----------
    histograms : mapping of str to hist.Hist
        Words above a panel -> plane "plane_before", axes p_out and e_cal.
    working_point : WorkingPoint
        Working point with the regions and the signal box.
    overlays : mapping of str to hist.Hist, optional
        Weighted simulation of the same panels, such as muon-nuclear events: open circles at any scale.
    what : str
        Heading of the figure.
    blinded : bool
        Hatch the box: its events were not filled.

    Returns
    -------
    figure, list of axes
    """
    with own_style():
        figure, axes = subplots(1, len(histograms), size=(6.9 * len(histograms), 5.9), squeeze=False)
        row = cast("list[Axes]", list(axes[0]))
        norm = colour_scale(np.concatenate([h.values().ravel() for h in histograms.values()]))
        for ax, (title, histogram) in zip(row, histograms.items(), strict=True):
            plane(histogram, working_point, blinded=blinded, norm=norm, ax=ax)
            ax.set_title(title, loc="left", fontsize=13)
            _draw_overlay(ax, (overlays or {}).get(title))
            shown = f"{events_text(float(histogram.values().sum()))} events"
            ax.text(0.97, 0.80, shown, transform=ax.transAxes, ha="right", va="top", fontsize=11, color=GREY, bbox=LABEL_BOX)
        bar = figure.colorbar(row[0].collections[0], ax=row, pad=0.012, aspect=28)
        first = next(iter(histograms.values()))
        widths = [float(axis.widths[0]) for axis in first.axes]
        bar.set_label(rf"events / ({widths[0]:g} GeV/$c$ $\times$ {widths[1]:g} GeV)")
        figure.suptitle(rf"$\mathbf{{NA64}}\mu$ {what}, {UNOFFICIAL}", x=0.01, ha="left", fontsize=15)
    return figure, row


def _draw_overlay(ax: Axes, histogram: hist.Hist | None) -> None:
    """Open circles whose area goes with the content of a bin."""
    if histogram is None or not histogram.values().any():
        return
    values = histogram.values()
    x, y = np.meshgrid(histogram.axes[0].centers, histogram.axes[1].centers, indexing="ij")
    filled = values > 0
    area = 45.0 * values[filled] / values.max()
    ax.scatter(
        x[filled], y[filled], s=area, facecolors="none", edgecolors=PURPLE, linewidths=0.9, zorder=2.5, label="muon-nuclear, any scale"
    )
    colour_as_circles(ax.legend(loc="upper center", bbox_to_anchor=(0.72, 0.95), fontsize=11, markerscale=1.4, handletextpad=0.2))
