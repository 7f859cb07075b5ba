"""Pictures of histograms of a user's own: one or two regular axes, one curve or one panel for each category."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from na64mu.report.canvas import own_style, subplots

if TYPE_CHECKING:
    import hist
    from matplotlib.figure import Figure

__all__ = ("drawn_histogram",)

#: Largest number of panels of a histogram with two axes.
MOST = 6


def drawn_histogram(histogram: hist.Hist, title: str) -> Figure:
    """Draw any histogram of one or two axes with bins of numbers.

    Parameters
    ----------
    histogram : hist.Hist
        Further axes with categories become one curve, or one panel, for each category.
    title : str
        Written above.

    Returns
    -------
    Figure
    """
    categories = [i for i, axis in enumerate(histogram.axes) if axis.traits.discrete]
    numeric = [i for i in range(len(histogram.axes)) if i not in categories]
    if len(numeric) not in (1, 2):
        return _nothing(f"{title}: {len(numeric)} axes with bins of numbers cannot be drawn")
    choices = list(product(*(range(len(histogram.axes[i])) for i in categories)))
    parts = {_words(histogram, categories, choice): _slice(histogram, categories, choice) for choice in choices}
    filled = {name: values for name, values in parts.items() if np.any(values)} or dict(list(parts.items())[:1])
    with own_style():
        if len(numeric) == 1:
            return _curves(histogram.axes[numeric[0]], filled, title)
        return _panels([histogram.axes[i] for i in numeric], dict(list(filled.items())[:MOST]), title)


def _words(histogram: hist.Hist, categories: list[int], choice: tuple[int, ...]) -> str:
    """Names of the categories of a part."""
    return ", ".join(
        f"{histogram.axes[i].label or histogram.axes[i].name}: {histogram.axes[i].value(k)}"
        for i, k in zip(categories, choice, strict=True)
    )


def _slice(histogram: hist.Hist, categories: list[int], choice: tuple[int, ...]) -> Any:
    """Contents of a part, shape of the axes with bins of numbers."""
    at: list[Any] = [slice(None)] * len(histogram.axes)
    for i, k in zip(categories, choice, strict=True):
        at[i] = k
    return np.asarray(histogram.values(), dtype=np.float64)[tuple(at)]


def _label(axis: Any) -> str:
    return str(axis.label or axis.name)


def _curves(axis: Any, parts: dict[str, Any], title: str) -> Figure:
    figure, ax = subplots(size=(6.4, 4.2))
    for name, values in parts.items():
        ax.stairs(values, axis.edges, label=name or None)
    ax.set(xlabel=_label(axis), ylabel="events / bin", title=title)
    if any(parts):
        ax.legend(fontsize="small")
    return figure


def _panels(axes: list[Any], parts: dict[str, Any], title: str) -> Figure:
    figure, found = subplots(1, len(parts), size=(5.2 * len(parts), 4.2), squeeze=False)
    for ax, (name, values) in zip(found[0], parts.items(), strict=True):
        mesh = ax.pcolormesh(axes[0].edges, axes[1].edges, np.ma.masked_equal(values.T, 0.0))
        figure.colorbar(mesh, ax=ax)
        ax.set(xlabel=_label(axes[0]), ylabel=_label(axes[1]), title=name or title)
    return figure


def _nothing(words: str) -> Figure:
    figure, ax = subplots(size=(6.4, 1.2))
    ax.axis("off")
    ax.text(0.5, 0.5, words, ha="center", va="center")
    return figure
