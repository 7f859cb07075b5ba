"""Filling of the histograms of a user's own: one or two axes, by stage of the selection and by category."""

from __future__ import annotations

from collections.abc import Mapping

import hist
import numpy as np

from na64mu.reconstruction.columns import column
from na64mu.results.weighted_histogram import WeightedHistogram
from na64mu.selections.histograms import Category, Histogram
from na64mu.typing import BoolArray, FloatArray, Summary

__all__ = ("empty_histogram", "fill_histogram")


def empty_histogram(described: Histogram, categories: Mapping[str, Category]) -> WeightedHistogram:
    """A histogram without entries.

    Parameters
    ----------
    described : Histogram
    categories : mapping of str to Category
        Name -> category, of those it is divided by.

    Returns
    -------
    WeightedHistogram
        Axes stage, one for each category, x and perhaps y.
    """
    divided = [hist.axis.StrCategory(categories[name].labels, name=f"by_{name}", label=name) for name in described.by]
    regular = [hist.axis.Regular(a.bins, a.low, a.high, name=a.column, label=a.title) for a in described.axes]
    return WeightedHistogram(hist.axis.StrCategory(described.stages, name="stage", label="stage"), *divided, *regular)


def fill_histogram(
    described: Histogram,
    summary: Summary,
    stages: Mapping[str, BoolArray],
    weights: FloatArray,
    categories: Mapping[str, Category],
) -> tuple[WeightedHistogram, int]:
    """Fill a histogram with the events of one chunk.

    Parameters
    ----------
    described : Histogram
    summary : Summary
        Columns of shape (n_events,).
    stages : mapping of str to BoolArray
        Stage -> events that may be seen there, shape (n_events,).
    weights : FloatArray
        Shape (n_events,).
    categories : mapping of str to Category
        Name -> category, of those it is divided by.

    Returns
    -------
    histogram : WeightedHistogram
        The histogram of `empty_histogram`, filled.
    outside : int
        Events of the first stage for which an axis or a category does not exist.
    """
    histogram = empty_histogram(described, categories)
    values = [np.asarray(column(summary, axis.column), dtype=np.float64) for axis in described.axes]
    numbers = {name: categories[name].of(summary, name) for name in described.by}
    exists = np.logical_and.reduce([*map(np.isfinite, values), *(n >= 0 for n in numbers.values())])
    for stage in described.stages:
        chosen = stages[stage] & exists
        labels = [np.asarray(categories[name].labels)[numbers[name][chosen]] for name in described.by]
        histogram.fill(stage, *labels, *(v[chosen] for v in values), weight=weights[chosen])
    return histogram, int(np.count_nonzero(stages[described.stages[0]] & ~exists))
