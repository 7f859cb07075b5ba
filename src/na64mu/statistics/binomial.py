"""Counted fractions and their exact intervals: efficiencies of cuts, planes and triggers."""

from __future__ import annotations

from typing import NamedTuple

from na64mu.common.arguments import number, whole

__all__ = ("ONE_SIGMA", "Efficiency", "clopper_pearson")

#: Confidence level of one standard deviation.
ONE_SIGMA = 0.682689492137086


class Efficiency(NamedTuple):
    """A fraction k/n with its Clopper-Pearson interval."""

    value: float
    low: float
    high: float


def clopper_pearson(passed: int, total: int, level: float = ONE_SIGMA) -> Efficiency:
    """Fraction of events that pass, with its exact central interval.

    Parameters
    ----------
    passed : int
        Events that pass, k, from 0 to n.
    total : int
        Events tried, n.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    Efficiency
        k/n and the interval; NaN, 0 and 1 if nothing was tried.

    Raises
    ------
    ArgumentError
        If the counts are not whole, more pass than were tried, or the level makes no sense.

    References
    ----------
    C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404, in terms of quantiles of the beta distribution.
    """
    from scipy.stats import beta

    total = whole(total, "total")
    passed, level = whole(passed, "passed", most=total), number(level, "level", above=0.0, below=1.0)
    if total == 0:
        return Efficiency(float("nan"), 0.0, 1.0)
    alpha = 1.0 - level
    low = float(beta.ppf(alpha / 2, passed, total - passed + 1)) if passed > 0 else 0.0
    high = float(beta.ppf(1 - alpha / 2, passed + 1, total - passed)) if passed < total else 1.0
    return Efficiency(passed / total, low, high)
