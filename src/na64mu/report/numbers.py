"""Numbers as text: the same in terminal tables, figures and HTML."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from na64mu.results.cutflow import CutFlow, Step
    from na64mu.statistics.binomial import Efficiency

__all__ = ("count", "efficiency", "is_weighted", "muons", "significant", "weighted_fraction")


def count(n: int) -> str:
    """A number of events with thousands apart: 1 234 567."""
    return f"{n:,}".replace(",", " ")


def significant(value: float, digits: int = 4) -> str:
    """A real number with some significant digits, large ones with a power of ten."""
    return f"{value:.{digits}g}"


def muons(n: float) -> str:
    """Muons on target: exact below a million, else with a power of ten."""
    return count(round(n)) if n < 1e6 else f"{n:.4g}".replace("e+", "e")


def efficiency(value: Efficiency, *, narrow: bool = False) -> str:
    """An efficiency in per cent with its interval: "93.2 +0.3 -0.4"; a dash if nothing was tried.

    Parameters
    ----------
    value : Efficiency
        Fraction and interval.
    narrow : bool
        Write the longer side of the interval alone: "93.2 +-0.4".

    Returns
    -------
    str
        With two digits of the longer side, but at most two decimals above 1 % and four below.
    """
    if math.isnan(value.value):
        return "-"
    up, down = 100 * (value.high - value.value), 100 * (value.value - value.low)
    longest = max(up, down)
    most = 2 if value.value >= 0.01 else 4
    decimals = most if longest <= 0 else min(most, max(1, 1 - math.floor(math.log10(longest))))
    number = f"{100 * value.value:.{decimals}f}"
    return f"{number} +-{longest:.{decimals}f}" if narrow else f"{number} +{up:.{decimals}f} -{down:.{decimals}f}"


def is_weighted(cutflow: CutFlow) -> bool:
    """Whether any event has a weight other than one."""
    return any(not (math.isclose(s.sumw, s.n) and math.isclose(s.sumw2, s.n)) for s in cutflow.steps)


def weighted_fraction(step: Step, first: Step) -> str:
    """Fraction of the weights left after a step, in per cent; a dash if there were none."""
    return f"{100 * step.sumw / first.sumw:.3g}" if first.sumw else "-"
