"""Cuts of a working point: as its file names them, and bound to all their thresholds, ready to be applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from pydantic import ConfigDict, SerializeAsAny, ValidationInfo, model_validator

from na64mu.detector.elements import Source
from na64mu.errors import SelectionError
from na64mu.reconstruction.columns import with_derived
from na64mu.selections.cuts import CUTS, Thresholds
from na64mu.selections.point_parts import Part
from na64mu.selections.registry import is_recorded
from na64mu.typing import BoolArray, Summary

__all__ = ("BoundCut", "Cut", "RecordedThresholds")


class RecordedThresholds(Thresholds):
    """Thresholds of a user's cut as a result recorded them, where the cut itself is not known."""

    model_config = ConfigDict(frozen=True, extra="allow")

    @property
    def columns(self) -> tuple[str, ...]:
        """No result says which columns the cut used."""
        return ()


class Cut(Part):
    """A cut of a working point."""

    name: str
    label: str
    thresholds: SerializeAsAny[Thresholds]
    source: Source

    @model_validator(mode="wrap")
    @classmethod
    def _thresholds_of_its_function(cls, content: Any, handler: Any, info: ValidationInfo) -> Self:
        if isinstance(content, dict) and isinstance(content.get("thresholds", {}), dict):
            definition = CUTS.get(str(content.get("name", "")))
            if definition is None and not is_recorded(info):
                msg = f"no cut {content.get('name')!r}: known are {sorted(CUTS)}; name the file that registers one of your own with --user"
                raise ValueError(msg)
            model = RecordedThresholds if definition is None else definition.thresholds
            if definition is not None and definition.source:  # it brings label, source and thresholds itself
                content = {"label": definition.label, "source": definition.source, "thresholds": {}} | content
            if "thresholds" in content:
                content = content | {"thresholds": model.model_validate(content["thresholds"])}
        cut: Self = handler(content)
        return cut


@dataclass(frozen=True)
class BoundCut:
    """A cut with all its thresholds, ready to be applied: `mask = cut(summary)`."""

    name: str
    label: str
    thresholds: Thresholds
    function: Callable[[Summary, Any], BoolArray]

    def __call__(self, summary: Summary) -> BoolArray:
        """Events that pass, shape (n_events,)."""
        try:
            mask = np.asarray(self.function(with_derived(summary, self.columns), self.thresholds))
        except KeyError as error:
            if error.args[:1] in [(name,) for name in summary]:
                raise
            missing = error.args[-1] if error.args else ""
            msg = f"the cut {self.name!r} looks at {missing!r}, which the event summary does not have; it has {', '.join(summary)}"
            raise SelectionError(msg) from error
        n = len(next(iter(summary.values())))
        if mask.dtype != np.bool_ or mask.shape != (n,):
            msg = f"the cut {self.name!r} returns {mask.dtype} of shape {mask.shape}, one truth value for each of {n} events is wanted"
            raise SelectionError(msg)
        return mask

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that it uses."""
        return self.thresholds.columns
