"""Base of every element of the apparatus: frozen, validated, and with a source for every number."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from na64mu.common.table import Shown, Table

__all__ = ("Count", "Element", "Fraction", "NonNegative", "Pair", "Positive", "PositivePair", "Source")

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
