"""Intervals of the signal strength from the profile likelihood: where -ln L lies z^2 / 2 above its minimum, with mu >= 0.

Asymptotic (S. S. Wilks, Ann. Math. Stat. 9 (1938) 60), beside the exact ones: with few events they cover less than they say, see `na64mu.statistics.excess`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from na64mu.errors import StatisticsError
from na64mu.statistics.limits import checked_counts, checked_level
from na64mu.statistics.model import CountingModel
from na64mu.statistics.profile import likelihood_of, minimise, strength_hat

__all__ = ("profile_interval",)

#: Signal events for every event seen at which the search for an upper end gives up.
FARTHEST = 1e6


def profile_interval(model: CountingModel, observed: Sequence[float], levels: Sequence[float] = (0.90,)) -> tuple[tuple[float, float], ...]:
    """Intervals of the signal strength.

    Parameters
    ----------
    model : CountingModel
    observed : sequence of float
        Whole counts per channel.
    levels : sequence of float
        Confidence levels, between 0 and 1.

    Returns
    -------
    tuple of (float, float)
        Lowest and highest signal strength at each level; the lowest is 0 where no signal is allowed.

    Raises
    ------
    StatisticsError
        If the counts are impossible, or a fit does not converge.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    counts, levels = checked_counts(model, observed), [checked_level(level) for level in levels]
    likelihood = likelihood_of(model.rates())
    zero = np.zeros(likelihood.exponents.shape[1])
    best = np.zeros(1 + len(zero))
    lowest = strength_hat(best, counts, zero, likelihood)
    centre = float(best[0])

    def rise(mu: float) -> float:
        """-2 ln of the likelihood ratio; infinite where no event is expected but some were seen."""
        p = best.copy()
        p[0] = mu
        value = minimise(p, 1, counts, zero, likelihood)
        return 2.0 * (value - lowest) if math.isfinite(value) else math.inf

    out = []
    for level in levels:
        target = float(norm.isf(0.5 * (1.0 - level))) ** 2
        step = math.sqrt(1.0 + counts.sum()) / model.total_signal
        high = centre + step
        while (above := rise(high)) <= target and step * model.total_signal < FARTHEST * (1.0 + counts.sum()):
            step *= 2.0
            high = centre + step
        if not (math.isfinite(lowest) and target < above < math.inf):
            msg = f"the likelihood interval of {counts.tolist()} events has no upper end: with these systematics the signal can vanish, or one is above 100 per cent; use log-normal or smaller ones"
            raise StatisticsError(msg)
        upper = brentq(lambda mu, t=target: rise(mu) - t, centre, high, rtol=1e-9)
        lower = 0.0
        if centre > 0.0 and rise(0.0) > target:
            lower = brentq(lambda mu, t=target: min(rise(mu), 1e6) - t, 1e-12 * centre, centre, rtol=1e-9)
        out.append((float(lower), float(upper)))
    return tuple(out)
