"""Histograms of weighted events whose sums are exact: the same to the last bit whatever the chunks and their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Self

import hist
import numpy as np

from na64mu.results.exact import ExactSum
from na64mu.results.exact_array import ExactArray
from na64mu.typing import FloatArray, IntArray

__all__ = ("WeightedHistogram", "rounded")

#: Events that wait at most until their weights are added up: exact sums are the same however they are put together.
MOST_WAITING = 1 << 14


class WeightedHistogram:
    """A histogram that is filled and added without rounding; everything else is asked of the `hist.Hist` to which it is rounded.

    Parameters
    ----------
    axes : hist axes
        The storage is Weight: sums of weights and of squared weights.
    """

    def __init__(self, *axes: Any) -> None:
        self.counted = hist.Hist(*axes, storage=hist.storage.Weight())
        self.sumw: ExactArray | None = None
        self.sumw2: ExactArray | None = None
        self.waiting: list[tuple[IntArray, FloatArray]] = []

    def fill(self, *where: Any, weight: FloatArray) -> Self:
        """Fill events.

        Parameters
        ----------
        where : array or str
            Quantity of every axis, shape (n,); one category for all.
        weight : FloatArray
            Shape (n,). The square of a weight is rounded, its sum is not.

        Returns
        -------
        WeightedHistogram
            Itself.
        """
        if np.all(weight == 1.0):  # whole numbers are exact
            self.counted.fill(*where)
            return self
        bins = np.zeros(len(weight), dtype=np.int64)
        for axis, quantity in zip(self.counted.axes, where, strict=True):
            bins = bins * axis.extent + np.asarray(axis.index(quantity)) + int(axis.traits.underflow)
        self.waiting.append((bins, weight))
        self._settle(MOST_WAITING)
        return self

    @property
    def _size(self) -> int:
        return int(np.prod(self.counted.axes.extent))

    def _settle(self, most: int = 0) -> None:
        """Add up the weights of waiting events, if there are more than `most`."""
        if sum(len(weight) for _, weight in self.waiting) > most:
            bins, weight = (np.concatenate(columns) for columns in zip(*self.waiting, strict=True))
            self.waiting = []
            self._add(ExactArray.of(bins, weight, self._size), ExactArray.of(bins, weight * weight, self._size))

    def _add(self, sumw: ExactArray | None, sumw2: ExactArray | None) -> None:
        if sumw is not None and sumw2 is not None:
            self.sumw = sumw if self.sumw is None else self.sumw + sumw
            self.sumw2 = sumw2 if self.sumw2 is None else self.sumw2 + sumw2

    def __add__(self, other: WeightedHistogram) -> WeightedHistogram:
        """Add a histogram with the same axes."""
        if not isinstance(other, WeightedHistogram):
            return NotImplemented
        made = WeightedHistogram.__new__(WeightedHistogram)
        made.counted, made.sumw, made.sumw2, made.waiting = self.counted.copy(), self.sumw, self.sumw2, [*self.waiting]
        made += other
        return made

    def __iadd__(self, other: WeightedHistogram) -> Self:
        if not isinstance(other, WeightedHistogram):
            return NotImplemented
        self.counted += other.counted
        self._add(other.sumw, other.sumw2)
        self.waiting = [*self.waiting, *other.waiting]
        self._settle(MOST_WAITING)
        return self

    def rounded(self) -> hist.Hist:
        """Return the histogram with every sum rounded to the nearest double."""
        self._settle()
        if self.sumw is None or self.sumw2 is None:
            return self.counted
        made = self.counted.copy()
        view: Any = made.view(flow=True)
        for name, exact in (("value", self.sumw), ("variance", self.sumw2)):
            counted = np.ravel(view[name])
            bins = np.flatnonzero(counted)
            total = exact + ExactArray.of(bins, counted[bins], self._size)
            view[name] = total.values().reshape(view.shape)
        return made

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values and UHI histograms."""
        self._settle()
        exact = None if self.sumw is None or self.sumw2 is None else [self.sumw.to_dict(), self.sumw2.to_dict()]
        return {"counted": self.counted, "exact": exact}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> WeightedHistogram:
        """The inverse of `to_dict`, with the histogram as UHI."""
        made = cls.__new__(cls)
        made.counted = hist.Hist(content["counted"])
        made.sumw = made.sumw2 = None
        made.waiting = []
        if content["exact"] is not None:
            made.sumw, made.sumw2 = map(ExactArray.from_dict, content["exact"])
        return made

    def __eq__(self, other: object) -> bool:
        if isinstance(other, WeightedHistogram):
            return bool(self.rounded() == other.rounded())
        return bool(self.rounded() == other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __getitem__(self, index: Any) -> Any:
        return self.rounded()[index]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("counted", "sumw", "sumw2", "waiting"):
            raise AttributeError(name)
        return getattr(self.rounded(), name)


def rounded(value: Any) -> Any:
    """Round every exact sum in a result, once.

    Parameters
    ----------
    value : Any
        An exact sum or histogram; a dictionary, tuple or dataclass with such in it; or anything else, which stays as it is.

    Returns
    -------
    Any
        The same with plain floats and `hist.Hist`.
    """
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(rounded(each) for each in value)
    if isinstance(value, WeightedHistogram):
        return value.rounded()
    if isinstance(value, ExactSum):
        return float(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: rounded(getattr(value, each.name)) for each in fields(value) if each.init})
    return value
