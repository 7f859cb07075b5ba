"""Base of every element of the apparatus: frozen, validated, and with a source for every number."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from na64mu.common.table import Shown, Table

__all__ = ("Count", "Element", "Fraction", "NonNegative", "Pair", "Positive", "PositivePair", "Row", "Source", "number_text")

SOURCE_KINDS = ("published", "thesis", "inferred", "simulated")


def _checked_source(text: object) -> object:
    if isinstance(text, str):
        kind, colon, reason = text.partition(":")
        if kind not in SOURCE_KINDS or not colon or not reason.strip():
            msg = f"a source reads 'published: ...', 'thesis: ...', 'inferred: ...' or 'simulated: ...' with its reference or reason, found {text!r}"
            raise ValueError(msg)
    return text


Source = Annotated[str, BeforeValidator(_checked_source)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Pair = tuple[float, float]
PositivePair = tuple[Positive, Positive]
Count = Annotated[int, Field(ge=1)]


class Row(NamedTuple):
    """An element: position along z [mm], name, type, centre and half size in x and y [mm], what it measures or does."""

    z: str
    name: str
    kind: str
    centre: str
    half_size: str
    what: str


def number_text(value: Any) -> str:
    """A number or a tuple of numbers, six digits at most."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return "(" + ", ".join(number_text(v) for v in value) + ")"
    return str(value)


class Element(Shown, BaseModel):
    """Base of every element: frozen, no unknown keys, and a source for every number.

    `source` holds for all numbers of the element; `sources` overrides it key by key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source
    sources: dict[str, Source] = {}

    @model_validator(mode="after")
    def _sources_name_own_keys(self) -> Self:
        unknown = sorted(set(self.sources) - set(type(self).model_fields))
        if unknown:
            msg = f"sources names the unknown key {unknown[0]!r}"
            raise ValueError(msg)
        return self

    def _table(self) -> Table:
        keys = [key for key in type(self).model_fields if key not in {"source", "sources"}]
        rows = tuple((key, str(getattr(self, key)), self.source_of(key)) for key in keys)
        return Table(type(self).__name__, ("number", "value", "source"), rows)

    def source_of(self, key: str) -> str:
        """Source of one number: where it was published, or why it was inferred.

        Parameters
        ----------
        key : str
            Name of a field of this element.

        Returns
        -------
        str
            The source text.
        """
        return self.sources.get(key, self.source)

    @property
    def label(self) -> str:
        """Name that the experiment gives it; empty for an element without one."""
        return ""

    def summary_row(self) -> Row | None:
        """How it shows in the overview; None for an element without a place on the axis."""
        if not hasattr(self, "z"):
            return None
        return Row(f"{self.z:.1f}", self.label, type(self).__name__, self.centre_text(), self.half_size_text(), self.what())

    def centre_text(self) -> str:
        """Its centre in x and y, as the overview shows it."""
        return number_text(self.centre) if hasattr(self, "centre") else ""

    def half_size_text(self) -> str:
        """Its half size in x and y, as the overview shows it."""
        return number_text(self.half) if hasattr(self, "half") else ""

    def what(self) -> str:
        """What it measures or does, as the overview shows it."""
        return ""
