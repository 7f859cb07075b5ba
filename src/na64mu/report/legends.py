"""Legends above the axes that are never cut: as many columns as there is room for, and long texts in several lines."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

__all__ = ("legend_above",)

MOST_COLUMNS = 3
#: Characters of a line, tried in turn where not even one column has room.
LINES = (70, 50, 36, 26)


def legend_above(ax: Axes, room: float, fontsize: float = 10.0) -> float:
    """Put a legend on top of axes, from their left edge on.

    Parameters
    ----------
    ax : Axes
        Axes with everything drawn.
    room : float
        Inches from the left edge of the axes to that of the paper.
    fontsize : float
        Points.

    Returns
    -------
    float
        Height of the legend in inches.
    """
    handles, labels = ax.get_legend_handles_labels()
    tries = [(columns, labels) for columns in range(MOST_COLUMNS, 0, -1)]
    tries += [(1, [textwrap.fill(label, most) for label in labels]) for most in LINES]
    width = height = 0.0
    for columns, texts in tries:
        width, height = _size(_legend(ax, handles, texts, columns, fontsize))
        if width <= room:
            break
    return height


def _legend(ax: Axes, handles: list[Any], labels: list[str], columns: int, fontsize: float) -> Legend:
    return ax.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        borderaxespad=0.2,
        ncols=columns,
        fontsize=fontsize,
        columnspacing=1.0,
        handlelength=1.4,
    )


def _size(legend: Legend) -> tuple[float, float]:
    figure = cast("Figure", legend.get_figure(root=True))
    box = legend.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]  # of every canvas that draws dots
    return box.width / figure.dpi, box.height / figure.dpi
