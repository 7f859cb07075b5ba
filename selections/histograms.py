"""Histograms and categories of a user's own: one or two axes, filled at stages of the selection, by category."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationInfo, model_validator

from na64mu.errors import SelectionError
from na64mu.reconstruction.columns import COLUMNS, DERIVED, is_column, known_columns, with_derived
from na64mu.selections.registry import is_recorded, named_columns
from na64mu.typing import AnyArray, IntArray, Summary

__all__ = ("CATEGORIES", "HISTOGRAMS", "Axis", "Category", "Histogram", "HistogramAxis", "category", "register_histogram")

#: Stages at which a histogram is filled: before any cut; before the plane cut; after all cuts; after all cuts but those on its own columns.
Stage = Literal["uncut", "before", "after", "n_minus_1"]


class Axis(BaseModel):
    """A regular histogram axis."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bins: Annotated[int, Field(ge=1, le=1_000_000)]
    low: FiniteFloat
    high: FiniteFloat

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if not self.low < self.high:
            msg = f"low = {self.low} must lie below high = {self.high}"
            raise ValueError(msg)
        return self


class HistogramAxis(Axis):
    """An axis of a histogram of one's own: a column of the summary, stored or derived, or a variable of one's own."""

    column: str
    label: str = ""

    @model_validator(mode="after")
    def _is_a_column(self, info: ValidationInfo) -> Self:
        if not is_column(self.column) and not is_recorded(info):
            msg = f"no column {self.column!r}: the summary has {', '.join(known_columns())}"
            raise ValueError(msg)
        return self

    @property
    def title(self) -> str:
        """The label, or name and unit of the column."""
        unit = DERIVED[self.column].unit if self.column in DERIVED else COLUMNS.get(self.column, ("", "", ""))[1]
        return self.label or f"{self.column}{f' [{unit}]' if unit else ''}"


class Histogram(BaseModel):
    """A histogram of one's own.

    Attributes
    ----------
    name : str
        Its name in the result.
    x, y : HistogramAxis
        One axis, or two.
    stages : tuple of str
        Where in the selection it is filled: "uncut", "before" the plane cut, "after" all cuts, "n_minus_1" (after all cuts but those on its own columns).
    by : tuple of str
        Categories that become an axis each: "config", or one of `category`.
    region : str
        Only events of this region of the working point; empty for all.
    title : str
        What it shows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    x: HistogramAxis
    y: HistogramAxis | None = None
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)] = ("after",)
    by: tuple[str, ...] = ()
    region: str = ""
    title: str = ""

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        unknown = [] if is_recorded(info) else [name for name in self.by if name not in CATEGORIES]
        if unknown:
            msg = f"no category {unknown[0]!r}: known are {', '.join(CATEGORIES)}"
            raise ValueError(msg)
        if self.y is not None and self.y.column == self.x.column:
            msg = f"both axes are {self.x.column!r}"
            raise ValueError(msg)
        return self

    @property
    def axes(self) -> tuple[HistogramAxis, ...]:
        """One axis or two."""
        return (self.x,) if self.y is None else (self.x, self.y)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that its axes and categories look at."""
        return tuple(dict.fromkeys((*(axis.column for axis in self.axes), *(c for name in self.by for c in CATEGORIES[name].columns))))


@dataclass(frozen=True)
class Category:
    """A division of the events by a label each.

    Attributes
    ----------
    labels : tuple of str
        All labels, known before any event is read.
    columns : tuple of str
        Columns that the function reads.
    function : callable
        Summary -> number of the label of each event, shape (n_events,), counted from 0; below 0 for an event without one.
    """

    labels: tuple[str, ...]
    columns: tuple[str, ...]
    function: Callable[[Summary], AnyArray]

    def of(self, summary: Summary, name: str) -> IntArray:
        """Numbers of the labels, shape (n_events,); `name` is that of the category, for messages.

        Raises
        ------
        SelectionError
            If the function does not return one whole number for each event, or one too large.
        """
        whole = with_derived(summary, self.columns)
        numbers = np.asarray(self.function({column: whole[column] for column in self.columns}))
        n = len(summary["run"])
        if numbers.shape != (n,) or numbers.dtype.kind not in "iub" or (n and int(numbers.max()) >= len(self.labels)):
            msg = (
                f"the category {name!r} returns {numbers.dtype} of shape {numbers.shape}: for each of {n} events the number of its label "
                f"is wanted, from 0 to {len(self.labels) - 1}"
            )
            raise SelectionError(msg)
        return numbers.astype(np.int64)


def _configuration(summary: Summary) -> AnyArray:
    """Trigger configuration 1 or 2 as the number of its label."""
    return np.asarray(summary["config"], dtype=np.int64) - 1


#: Categories that a histogram can be divided by; `category` adds one of your own.
CATEGORIES: dict[str, Category] = {"config": Category(("1", "2"), ("config",), _configuration)}

#: Histograms of a user's own, which every working point that is loaded afterwards fills unless it drops them.
HISTOGRAMS: dict[str, Histogram] = {}

Sorting = TypeVar("Sorting", bound=Callable[..., AnyArray])


def category(columns: str | Iterable[str], labels: Sequence[str], *, name: str | None = None) -> Callable[[Sorting], Sorting]:
    """Make a function of your own a category by which histograms are divided: a decorator.

    Parameters
    ----------
    columns : str or iterable of str
        Columns that the function reads, and is given.
    labels : sequence of str
        All labels.
    name : str, optional
        Name of the category; that of the function by default.

    Returns
    -------
    callable
        Takes the function `summary -> number of the label of each event`, and returns it.

    Raises
    ------
    SelectionError
        If the name is that of a category of the package, or a label is given twice.
    """
    read, names = named_columns(columns, "category"), tuple(str(label) for label in labels)
    if not names or len(set(names)) != len(names):
        msg = f"category: labels are wanted that differ; found {names}"
        raise SelectionError(msg)

    def register(function: Sorting) -> Sorting:
        own = name or function.__name__
        if own == "config":
            msg = f"category: {own!r} is a category of the package; choose another name"
            raise SelectionError(msg)
        CATEGORIES[own] = Category(names, read, function)
        return function

    return register


def register_histogram(
    name: str | Histogram,
    x: HistogramAxis | Mapping[str, Any] | Sequence[Any] | None = None,
    y: HistogramAxis | Mapping[str, Any] | Sequence[Any] | None = None,
    *,
    stages: str | Sequence[str] = ("after",),
    by: str | Sequence[str] = (),
    region: str = "",
    title: str = "",
) -> Histogram:
    """Fill a histogram of your own in every run whose working point is loaded afterwards; in data with the events that may be seen.

    Parameters
    ----------
    name : str or Histogram
        Its name, or all of it. One of your own of the same name is replaced.
    x, y : (str, int, float, float), HistogramAxis or mapping
        Column, number of bins, lowest and highest edge of each axis; `y` is left out for one axis.
    stages : str or sequence of str
        Where in the selection it is filled: "uncut", "before" the plane cut, "after" all cuts, "n_minus_1".
    by : str or sequence of str
        Categories that become an axis each: "config", or one of `category`.
    region : str
        Only events of this region of the working point.
    title : str
        What it shows.

    Returns
    -------
    Histogram
        What was registered.

    Raises
    ------
    SelectionError
        If something of it does not exist; the message names it.
    """
    from na64mu.common.toml_model import validate

    if isinstance(name, Histogram):
        made = name
    else:
        lists = {"stages": (stages,) if isinstance(stages, str) else tuple(stages), "by": (by,) if isinstance(by, str) else tuple(by)}
        content = {"name": name, "x": _axis(x), "y": None if y is None else _axis(y), **lists, "region": region, "title": title}
        made = validate(Histogram, content, f"register_histogram: {name}", SelectionError)
    HISTOGRAMS[made.name] = made
    return made


def _axis(given: Any) -> Any:
    """An axis from (column, bins, low, high), or as it is."""
    if isinstance(given, Sequence) and not isinstance(given, str):
        return dict(zip(("column", "bins", "low", "high", "label"), given, strict=False))
    return given
