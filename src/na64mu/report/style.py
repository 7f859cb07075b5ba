"""Style of all figures: colours that are distinguishable with any colour vision, one set of matplotlib settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import Collection
from matplotlib.colors import to_hex

from na64mu.report.numbers import count

if TYPE_CHECKING:
    from matplotlib.legend import Legend

__all__ = (
    "BLACK",
    "BLUE",
    "GREY",
    "LABEL_BOX",
    "MAP",
    "ORANGE",
    "OVERLAYS",
    "PURPLE",
    "STYLE",
    "UNOFFICIAL",
    "VERMILLION",
    "colour_as_circles",
    "events_text",
)

# Okabe and Ito's colours; the purple is darkened for thin lines.
BLUE, ORANGE, VERMILLION, PURPLE = "#0072b2", "#e69f00", "#d55e00", "#c2439a"
GREY, BLACK = "#5f5f5f", "#000000"
OVERLAYS = (PURPLE, "#00755a", BLACK)  # datasets drawn over the events, in turn
MAP = "viridis"
LABEL_BOX = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}

#: Said on every figure beside the name of the experiment: this is no product of the Collaboration.
UNOFFICIAL = "unofficial"

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
    "svg.hashsalt": "na64mu",  # the same figure gives the same bytes
}


def colour_as_circles(legend: Legend) -> None:
    """Give the texts of a legend of open circles the colour of their circles (matplotlib does it from 3.11 on)."""
    for text, circle in zip(legend.get_texts(), legend.legend_handles, strict=True):
        if isinstance(circle, Collection):
            text.set_color(to_hex(np.atleast_2d(circle.get_edgecolor())[0]))


def events_text(number: float) -> str:
    """A number of events, or a sum of weights, as text."""
    return count(round(number)) if number == round(number) else f"{number:.4g}"
