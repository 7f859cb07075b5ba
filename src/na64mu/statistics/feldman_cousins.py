"""Intervals of Feldman and Cousins on the summed count, nuisance parameters averaged over: one ordering for limits and two-sided intervals.

For every signal strength the counts n are accepted in falling order of R = P(n | mu) / P(n | mu_best(n)), mu_best >= 0, until their probability reaches
the level; the interval of the count that was seen spans all strengths that accept it (G. J. Feldman and R. D. Cousins, Phys. Rev. D 57 (1998) 3873).
P is averaged over the constraints of the nuisance parameters (J. Conrad, O. Botner, A. Hallgren and C. Perez de los Heros, Phys. Rev. D 67 (2003) 012002),
as for the exact limits. Their interval is never empty: where mu = 0 is accepted it begins there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.errors import StatisticsError
from na64mu.statistics.exact import SummedCount, compressed, summed_count
from na64mu.statistics.limits import checked_level
from na64mu.statistics.model import CountingModel
from na64mu.typing import FloatArray

__all__ = ("count_probabilities", "feldman_cousins")

#: Largest count of an interval: above, a second of work for every mass, and the likelihood intervals agree.
MAX_COUNT = 100
#: Signal events for every event seen (and six more) at which the search for an upper end gives up.
FARTHEST = 20.0
#: Points of the scan in mu for every square root of an event, and bisections of its borders.
STEPS, BISECTIONS = 30.0, 40
#: exp(-n) underflows above.
MANY = 700.0
GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)


@general_kernel
def _poisson(expected: float, row: FloatArray) -> None:
    """Poisson probabilities of 0, 1, ... events."""
    if expected <= MANY:
        term = math.exp(-expected)
        for k in range(len(row)):
            row[k] = term
            term *= expected / (k + 1)
    else:
        for k in range(len(row)):
            row[k] = math.exp(k * math.log(expected) - expected - math.lgamma(k + 1.0))


@general_kernel
def count_probabilities(mu: float, signal: FloatArray, weights: FloatArray, background: FloatArray, out: FloatArray) -> None:
    """P(n | mu) for n = 0, 1, ... of the summed count; fills `out`, shape (n_counts,), of at most as many counts as the background has."""
    n_counts = len(out)
    shared = background.shape[0] == 1
    row, mixed = np.zeros(n_counts), np.zeros(n_counts)
    out[:] = 0.0
    for q in range(len(signal)):
        _poisson(mu * signal[q], row)
        if shared:
            mixed += weights[q] * row
        else:
            for n in range(n_counts):
                for k in range(n + 1):
                    out[n] += weights[q] * row[k] * background[q, n - k]
    if shared:
        for n in range(n_counts):
            for k in range(n + 1):
                out[n] += mixed[k] * background[0, n - k]


@general_kernel
def _one_probability(n: int, mu: float, signal: FloatArray, weights: FloatArray, background: FloatArray, row: FloatArray) -> float:
    """P(n | mu)."""
    shared = background.shape[0] == 1
    total = 0.0
    for q in range(len(signal)):
        _poisson(mu * signal[q], row[: n + 1])
        here = 0.0
        for k in range(n + 1):
            here += row[k] * background[0 if shared else q, n - k]
        total += weights[q] * here
    return total


@general_kernel
def _best(signal: FloatArray, weights: FloatArray, background: FloatArray, best: FloatArray) -> None:
    """Largest P(n | mu) over mu >= 0 for every n, by golden sections; fills `best`."""
    nominal = 0.0
    for q in range(len(signal)):
        nominal += weights[q] * signal[q]
    row = np.zeros(len(best))
    for n in range(len(best)):
        low, high = 0.0, (n + 8.0 * math.sqrt(n + 1.0)) / nominal
        left, right = high - GOLDEN * high, GOLDEN * high
        f_left, f_right = (
            _one_probability(n, left, signal, weights, background, row),
            _one_probability(n, right, signal, weights, background, row),
        )
        for _ in range(36):
            if f_left >= f_right:
                high, right, f_right = right, left, f_left
                left = high - GOLDEN * (high - low)
                f_left = _one_probability(n, left, signal, weights, background, row)
            else:
                low, left, f_left = left, right, f_right
                right = low + GOLDEN * (high - low)
                f_right = _one_probability(n, right, signal, weights, background, row)
        best[n] = max(f_left, f_right, _one_probability(n, 0.0, signal, weights, background, row))


@general_kernel
def _before(mu: float, n_seen: int, signal: FloatArray, weights: FloatArray, background: FloatArray, best: FloatArray) -> float:
    """Probability of the counts that are accepted before the one that was seen; it is accepted where this is below the level."""
    p = np.zeros(len(best))
    count_probabilities(mu, signal, weights, background, p)
    if best[n_seen] <= 0.0:
        return 1.0
    seen = p[n_seen] / best[n_seen] * (1.0 + 1e-10)
    total = 0.0
    for n in range(len(best)):
        if best[n] > 0.0 and p[n] / best[n] > seen:
            total += p[n]
    return total


@general_kernel
def _scan(mus: FloatArray, n_seen: int, signal: FloatArray, weights: FloatArray, background: FloatArray, best: FloatArray) -> FloatArray:
    """`_before` at many signal strengths."""
    out = np.empty(len(mus))
    for i in range(len(mus)):
        out[i] = _before(mus[i], n_seen, signal, weights, background, best)
    return out


def feldman_cousins(model: CountingModel, n_observed: int, levels: Sequence[float] = (0.90,)) -> tuple[tuple[float, float], ...]:
    """Intervals of the signal strength.

    Parameters
    ----------
    model : CountingModel
    n_observed : int
        Events of all channels.
    levels : sequence of float
        Confidence levels.

    Returns
    -------
    tuple of (float, float)
        Lowest and highest signal strength at each level.

    Raises
    ------
    StatisticsError
        If the count is too large, a level makes no sense, or no signal strength is excluded because the signal can vanish.
    """
    if n_observed > MAX_COUNT:
        msg = f"{n_observed} events observed: intervals of Feldman and Cousins are made for at most {MAX_COUNT}; take those of the profile likelihood"
        raise StatisticsError(msg)
    levels = [checked_level(level) for level in levels]
    found: dict[float, tuple[float, float]] = {}
    highest = n_observed + 6.0 + 5.0 * math.sqrt(n_observed + 1.0)  # signal events of the scan
    while len(found) < len(levels):
        if highest > min(FARTHEST * (n_observed + 6.0), 3.0 * (MAX_COUNT + 100.0)):
            msg = "the interval has no upper end: with these systematics the signal can vanish; use log-normal ones or smaller sizes"
            raise StatisticsError(msg)
        expected = highest + model.total_background
        count = compressed(summed_count(model, math.ceil(expected + 8.0 * math.sqrt(expected) + 20.0)))
        best = np.zeros(count.background.shape[1])
        _best(*count, best)
        mus = np.linspace(0.0, highest, math.ceil(STEPS * highest / math.sqrt(n_observed + 1.0))) / model.total_signal
        before = _scan(mus, n_observed, *count, best)
        for level in levels:
            if before[-1] >= level:
                found[level] = _ends(mus, before < level, level, n_observed, count, best)
        highest *= 1.6
    return tuple(found[level] for level in levels)


def _ends(
    mus: FloatArray, accepted: np.ndarray, level: float, n_observed: int, count: SummedCount, best: FloatArray
) -> tuple[float, float]:
    """Outermost strengths that accept the count, between the points of the scan by bisection."""
    inside = np.flatnonzero(accepted)
    if inside.size == 0:  # narrower than the scan: around the strength that fits best
        inside = np.array([int(np.argmin(_scan(mus, n_observed, *count, best)))])
    low = 0.0
    if inside[0] > 0:
        low = _border(mus[inside[0] - 1], mus[inside[0]], level, n_observed, count, best)
    return low, _border(mus[inside[-1] + 1], mus[inside[-1]], level, n_observed, count, best)


def _border(outside: float, inside: float, level: float, n_observed: int, count: SummedCount, best: FloatArray) -> float:
    for _ in range(BISECTIONS):
        middle = 0.5 * (outside + inside)
        if _before(middle, n_observed, *count, best) < level:
            inside = middle
        else:
            outside = middle
    return float(inside)
