"""How likely the background alone makes at least what was counted: p-value and significance, exact and asymptotic.

Exact: P(N >= n_obs) of the summed count, averaged over the constraints of the nuisance parameters (R. D. Cousins, J. T. Linnemann and J. Tucker,
NIM A 595 (2008) 480, section 4). It knows the signal not at all, so it is the same for every mass of a scan. Asymptotic: q0, the profile likelihood
ratio of no signal against the best one, p = 1 - Phi(sqrt(q0)) (G. Cowan, K. Cranmer, E. Gross and O. Vitells, Eur. Phys. J. C 71 (2011) 1554, section 3.5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from na64mu.errors import StatisticsError
from na64mu.statistics.exact import part_of, totals
from na64mu.statistics.limits import checked_counts
from na64mu.statistics.model import CountingModel
from na64mu.statistics.profile import likelihood_of, minimise, strength_hat
from na64mu.statistics.quadrature import blocks, chosen, fine_nodes, is_small, quadrature
from na64mu.typing import FloatArray

__all__ = ("NOT_TESTED", "Discovery", "discovery", "significance_of_p", "tail_probability")

NOT_TESTED = "no background is estimated: the background alone is not tested"

#: Steps towards the centre of the integrand of a small probability.
RECENTRED = 6


@dataclass(frozen=True)
class Discovery:
    """Test of the background alone.

    Attributes
    ----------
    observed : tuple of float
        Counts per channel.
    background : float
        Expected events of all channels.
    p_value : float
        P(N >= n_obs), exact on the summed count.
    q0 : float
        Profile likelihood ratio of no signal; infinite with events where no background is expected.
    strength : float
        Signal strength mu that fits best, from 0 on.
    """

    observed: tuple[float, ...]
    background: float
    p_value: float
    q0: float
    strength: float

    @property
    def tested(self) -> bool:
        """Whether there is a background to test; without one every event is beyond it, whatever was forgotten, and p is 0."""
        return self.background > 0.0 or not sum(self.observed)

    @property
    def significance(self) -> float:
        """Standard deviations of a normal distribution with this one-sided p-value; 0 where nothing is in excess."""
        return significance_of_p(self.p_value)

    @property
    def asymptotic_significance(self) -> float:
        """sqrt(q0)."""
        return math.sqrt(self.q0)

    @property
    def asymptotic_p_value(self) -> float:
        """1 - Phi(sqrt(q0)); a half where nothing is in excess."""
        return 0.5 * math.erfc(math.sqrt(0.5 * self.q0))

    def __repr__(self) -> str:
        if not self.tested:
            return f"{sum(self.observed):g} events observed, {NOT_TESTED}"
        return (
            f"{sum(self.observed):g} events observed, {self.background:.4g} expected without signal: p = {self.p_value:.3g}, "
            f"{self.significance:.2f} standard deviations (exact on the summed count); asymptotic p = {self.asymptotic_p_value:.3g}, {self.asymptotic_significance:.2f}"
        )


def significance_of_p(p_value: float) -> float:
    """One-sided p-value in standard deviations, 0 for half or more.

    Parameters
    ----------
    p_value : float
        From 0 to 1.

    Returns
    -------
    float
        Phi^-1(1 - p); infinite for p = 0.
    """
    from scipy.stats import norm

    return max(0.0, float(norm.isf(p_value)))


def tail_probability(model: CountingModel, n: int) -> float:
    """Probability of at least `n` events of background in all channels together, averaged over the nuisance parameters.

    For log-normal systematics the quadrature is moved to where the integrand is: with many standard deviations this is far from nominal values.

    Parameters
    ----------
    model : CountingModel
    n : int
        Events.

    Returns
    -------
    float
        1 for n = 0.

    """
    from scipy.stats import poisson

    rates = part_of(model.rates(), False)
    if n == 0:
        return 1.0
    if not is_small(rates):
        return _tail_of_blocks(model, n)
    theta, weights = quadrature(rates)
    moves = not np.any(rates.slopes != 0.0)
    centre, total = np.zeros(theta.shape[1]), 0.0
    for _ in range(RECENTRED if moves else 1):
        shifted = theta + centre
        terms = weights * np.exp(-theta @ centre - 0.5 * centre @ centre) * poisson.sf(n - 1, totals(rates, shifted))
        total = float(terms.sum())
        if not total > 0.0:
            break
        centre = terms @ shifted / total
    return min(total, 1.0)


def _tail_of_blocks(model: CountingModel, n: int) -> float:
    """The same for many nuisance parameters: parts of the background that share none are averaged apart, and convolved. No term is a difference."""
    from scipy.stats import poisson

    counts = np.arange(n)
    rates = model.rates()
    probabilities, above = np.zeros(n), np.zeros(n + 1)  # of n events, and of at least n
    above[0] = 1.0
    probabilities[:1] = 1.0
    for block in blocks(chosen(rates, ~rates.is_signal)):
        theta, weights = fine_nodes(block)
        expected = totals(block, theta)[:, None]
        here, here_above = weights @ poisson.pmf(counts, expected), weights @ poisson.sf(np.arange(n + 1) - 1, expected)
        above = np.array([above[k] + probabilities[:k] @ here_above[k:0:-1] for k in range(n + 1)])
        probabilities = np.convolve(probabilities, here)[:n]
    return min(float(above[n]), 1.0)


def discovery(model: CountingModel, observed: Sequence[float]) -> Discovery:
    """Test the background alone against what was counted.

    Parameters
    ----------
    model : CountingModel
        Its signal enters the asymptotic test and the best fit alone.
    observed : sequence of float
        Whole counts per channel.

    Returns
    -------
    Discovery

    Raises
    ------
    StatisticsError
        If the counts are impossible, or a fit does not converge.
    """
    counts = checked_counts(model, observed)
    q0, strength = _best_fit(model, counts)
    shown = tuple(float(n) for n in counts)
    return Discovery(shown, model.total_background, tail_probability(model, round(float(counts.sum()))), q0, strength)


def _best_fit(model: CountingModel, counts: FloatArray) -> tuple[float, float]:
    """q0, and the signal strength that fits best."""
    likelihood = likelihood_of(model.rates())
    zero = np.zeros(likelihood.exponents.shape[1])
    p, null = np.zeros(1 + len(zero)), np.zeros(1 + len(zero))
    best = strength_hat(p, counts, zero, likelihood)
    if not math.isfinite(best):
        msg = f"the fit of the signal to {counts.tolist()} events did not converge for {model!r}: look for a systematic of more than 100 per cent"
        raise StatisticsError(msg)
    if p[0] == 0.0:
        return 0.0, 0.0
    expected = [sum(values[c] for values in model.backgrounds.values()) for c in range(len(counts))]
    if any(n > 0 and not b > 0 for n, b in zip(counts, expected, strict=True)):
        return math.inf, float(p[0])
    alone = minimise(null, 1, counts, zero, likelihood)
    if not math.isfinite(alone):
        msg = f"the fit without signal to {counts.tolist()} events did not converge for {model!r}: look for a systematic of more than 100 per cent"
        raise StatisticsError(msg)
    return max(2.0 * (alone - best), 0.0), float(p[0])
