"""Discovery reach: the signal with which an experiment finds an excess of so many standard deviations, with a given probability."""

from __future__ import annotations

import math
from typing import NamedTuple

from na64mu.common.arguments import number
from na64mu.errors import StatisticsError
from na64mu.statistics.discovery import tail_probability
from na64mu.statistics.exact import MAX_COUNTS, probability_at_most, summed_count
from na64mu.statistics.model import CountingModel

__all__ = ("Reach", "discovery_reach")


class Reach(NamedTuple):
    """Reach of a discovery.

    Attributes
    ----------
    significance : float
        Standard deviations that are wanted.
    events : int
        Fewest events of all channels that have it.
    strength : float
        Signal strength mu with which that many or more are seen with the probability `power`.
    power : float
    """

    significance: float
    events: int
    strength: float
    power: float


def discovery_reach(model: CountingModel, significance: float = 5.0, power: float = 0.5, *, count: int | None = None) -> Reach:
    """Signal strength that is expected to be found; it knows no observed count.

    Parameters
    ----------
    model : CountingModel
    significance : float
        Standard deviations, one-sided; 3 for evidence, 5 for a discovery.
    power : float
        Probability to see them.
    count : int, optional
        Fewest events with this significance, where it is known: it is the same for every signal over one background.

    Returns
    -------
    Reach

    Raises
    ------
    StatisticsError
        If a number makes no sense, or more counts than the exact method follows would be needed.
    """
    from scipy.stats import norm

    significance = number(significance, "significance", above=0.0, error=StatisticsError)
    power = number(power, "power", above=0.0, below=1.0, error=StatisticsError)
    count = _fewest(model, float(norm.sf(significance))) if count is None else count
    of_counts = summed_count(model, count)
    high = 1.0 / model.total_signal

    def missed(mu: float) -> float:
        return float(probability_at_most(mu, count - 1, *of_counts)) - (1.0 - power)

    if missed(0.0) <= 0.0:
        return Reach(significance, count, 0.0, power)
    while missed(high) > 0.0:
        high *= 2.0
        if high * model.total_signal > 1e9:
            msg = f"no signal strength is found with a probability of {power:g} for {model!r}: with these systematics the signal can vanish"
            raise StatisticsError(msg)
    from scipy.optimize import brentq

    return Reach(significance, count, float(brentq(missed, 0.0, high, rtol=1e-10)), power)


def _fewest(model: CountingModel, p: float) -> int:
    """Smallest count with a tail probability of at most p."""
    low, high = 0, max(1, math.ceil(model.total_background))
    while tail_probability(model, high) > p:
        low, high = high, 2 * high
        if high > MAX_COUNTS:
            msg = (
                f"more than {MAX_COUNTS} events would be needed for this significance of {model!r}: the background is not known well enough"
            )
            raise StatisticsError(msg)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if tail_probability(model, middle) <= p else (middle, high)
    return high
