"""Positions of the cuts in a spectrum, as a figure draws them and a caption names them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from na64mu.reconstruction.columns import HITS
from na64mu.selections.cuts import HitsAndCell, MipWindows, MomentumWindow, TrackNumbers

if TYPE_CHECKING:
    from na64mu.results.run import RunResult
    from na64mu.selections.working_point import Cut

__all__ = ("Threshold", "thresholds")


@dataclass(frozen=True)
class Threshold:
    """Range of a quantity that a cut keeps; infinite where there is no limit.

    Attributes
    ----------
    low, high : float
        Ends of the range in the unit of the quantity.
    label : str
        Name of the range.
    """

    low: float
    high: float
    label: str

    @property
    def edges(self) -> tuple[float, ...]:
        """The finite limits."""
        return tuple(x for x in (self.low, self.high) if math.isfinite(x))


def thresholds(result: RunResult, column: str) -> list[Threshold]:
    """All ranges that the selection keeps of one quantity, and the edge of the signal box.

    Parameters
    ----------
    result : RunResult
        For its working point and the MIP windows of its detectors.
    column : str
        Column of the event summary.

    Returns
    -------
    list of Threshold
        Empty if no cut looks at the quantity. Equal windows of several detectors are listed once.
    """
    found = [t for cut in result.working_point.cuts for t in _of_cut(cut, column, result.windows)]
    box = result.working_point.box
    if column == "p_out":
        found.append(Threshold(-math.inf, box.p_out_max, "signal box"))
    if column == "e_cal":
        found.append(Threshold(-math.inf, box.e_cal_max, "signal box"))
    return list(dict.fromkeys(found))


def _of_cut(cut: Cut, column: str, windows: dict[str, dict[str, tuple[float | None, float]]]) -> list[Threshold]:
    limits = cut.thresholds
    if column not in limits.columns:
        return []
    number = cut.label.partition(" ")[0] if cut.label.startswith("(") else cut.label
    if isinstance(limits, MomentumWindow):
        return [Threshold(limits.centre - limits.half_width, limits.centre + limits.half_width, f"cut {number}")]
    if isinstance(limits, TrackNumbers):
        wanted = limits.ms1 if column == "n_tracks_ms1" else limits.ms2
        return [Threshold(wanted - 0.5, wanted + 0.5, f"cut {number}")]
    if isinstance(limits, HitsAndCell) and column.startswith(HITS):
        return [Threshold(-math.inf, limits.max_hits + 0.5, f"cut {number}")]
    if isinstance(limits, MipWindows):
        several = len({of_tag.get(column) for of_tag in windows.values()}) > 1
        return [
            Threshold(-math.inf if low is None else low, high, f"cut {number}, MIP" + (f", {tag}" if several else ""))
            for tag, of_tag in windows.items()
            if column in of_tag
            for low, high in [of_tag[column]]
        ]
    return []
