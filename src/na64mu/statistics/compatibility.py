"""Whether both trigger configurations saw the same: the exact conditional test of how the events are shared between them.

Given their sum, the count of the first is binomial; its probability is that of the model, averaged over the nuisance parameters that the sum leaves
likely. The sum itself tells nothing of the sharing (J. Przyborowski and H. Wilenski, Biometrika 31 (1940) 313).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from na64mu.errors import StatisticsError
from na64mu.statistics.limits import checked_counts
from na64mu.statistics.model import CountingModel
from na64mu.statistics.quadrature import condensed, quadrature

__all__ = ("compatibility",)


def compatibility(model: CountingModel, observed: Sequence[float], strength: float = 0.0) -> float:
    """Probability of a sharing of the events between two channels that is at most as likely as the one that was seen.

    Parameters
    ----------
    model : CountingModel
        A model of two channels.
    observed : sequence of float
        Whole counts per channel.
    strength : float
        Signal strength mu.

    Returns
    -------
    float
        Two-sided p-value, exact; 1 without events, NaN if no event is expected in either channel or there is one channel.

    Raises
    ------
    StatisticsError
        If there are more than two channels, or the counts are impossible.
    """
    from scipy.stats import binom, poisson

    counts = checked_counts(model, observed)
    if len(counts) > 2:
        msg = f"{len(counts)} channels: the sharing of events is tested between two"
        raise StatisticsError(msg)
    total = round(float(counts.sum()))
    if len(counts) < 2:
        return math.nan
    if total == 0:
        return 1.0
    rates = condensed(model.rates().reduced())
    theta, weights = quadrature(rates)
    expected = rates.factors(theta) * rates.nominal * np.where(rates.is_signal, strength, 1.0)
    first, both = expected[:, rates.channel == 0].sum(axis=1), expected.sum(axis=1)
    likely = weights * poisson.pmf(total, both)
    used = likely > 1e-12 * likely.max()
    if not likely.max() > 0.0:
        return math.nan
    share = first[used] / both[used]
    found = (likely[used] / likely[used].sum()) @ binom.pmf(np.arange(total + 1)[None, :], total, share[:, None])
    seen = float(found[round(float(counts[0]))])
    return min(1.0, float(found[found <= seen * (1.0 + 1e-9)].sum()))
