"""Upper limits with CLs on the summed count of all channels, nuisance parameters averaged over: valid for any number of events.

CLs(mu) = P(n <= n_obs | mu s + b) / P(n <= n_obs | b) with n the sum over the channels; both probabilities are averaged over the constraints of the
nuisance parameters (A. L. Read, J. Phys. G 28 (2002) 2693; R. D. Cousins and V. L. Highland, NIM A 320 (1992) 331). The average is a
Gauss-Hermite quadrature, so equal input gives equal limits; no random numbers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.errors import StatisticsError
from na64mu.statistics.asymptotic import BANDS
from na64mu.statistics.model import CountingModel, Rates
from na64mu.typing import FloatArray

__all__ = ("SummedCount", "exact_limits", "summed_count")

#: Points of the quadrature for each parameter; fewer where that would make more than MAX_NODES in all.
POINTS = 21
MAX_NODES = 50_000
#: The summed count is followed up to the background plus this many standard deviations, for the expected limits.
COUNT_RANGE = 6.0
#: exp(-n) must not underflow; far below, the asymptotic form is as good.
MAX_COUNTS = 500


class SummedCount(NamedTuple):
    """Distribution of the summed count, averaged over the nuisance parameters.

    Attributes
    ----------
    signal : FloatArray
        Signal events at mu = 1 on every node of the quadrature, shape (n_nodes,).
    weights : FloatArray
        Weights of the nodes, shape (n_nodes,); their sum is 1.
    background : FloatArray
        Probability of 0, 1, ... background events: shape (n_nodes, n_counts), or (1, n_counts) where no nuisance parameter moves signal and background together.
    """

    signal: FloatArray
    weights: FloatArray
    background: FloatArray


def gauss_hermite(n_parameters: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights for the average over independent standard normal parameters.

    Parameters
    ----------
    n_parameters : int

    Returns
    -------
    nodes, weights : FloatArray
        Shapes (n_nodes, n_parameters) and (n_nodes,).

    Raises
    ------
    StatisticsError
        If even three points for each parameter are too many.
    """
    if n_parameters == 0:
        return np.zeros((1, 0)), np.ones(1)
    points = min(POINTS, int(MAX_NODES ** (1.0 / n_parameters) + 1e-9))
    if points < 3:
        msg = f"{n_parameters} independent nuisance parameters are too many for the quadrature of the exact limit: correlate or combine some (nine can be kept)"
        raise StatisticsError(msg)
    x, w = np.polynomial.hermite_e.hermegauss(points)
    grid = np.meshgrid(*[x] * n_parameters, indexing="ij")
    weights = np.meshgrid(*[w / w.sum()] * n_parameters, indexing="ij")
    return np.stack([g.ravel() for g in grid], axis=1), np.prod([g.ravel() for g in weights], axis=0)


def poisson_terms(expected: FloatArray, n_counts: int) -> FloatArray:
    """Poisson probabilities of 0 ... n_counts - 1 events; shape (n, n_counts) for n expectations."""
    from scipy.stats import poisson

    return np.asarray(poisson.pmf(np.arange(n_counts)[None, :], expected[:, None]), dtype=np.float64)


def _part(rates: Rates, is_signal: bool) -> Rates:
    chosen = rates.is_signal == is_signal
    return Rates(*(values[chosen] for values in rates)).reduced()


def _totals(rates: Rates, theta: FloatArray) -> FloatArray:
    """Expected events of all these rates together, shape (n_nodes,)."""
    return np.asarray(rates.factors(theta) @ rates.nominal, dtype=np.float64)


def summed_count(model: CountingModel, n_counts: int) -> SummedCount:
    """Average the summed count over the nuisance parameters.

    Parameters
    ----------
    model : CountingModel
    n_counts : int
        Counts to follow: 0 ... n_counts - 1.

    Returns
    -------
    SummedCount
    """
    rates = model.rates()
    signal, background = _part(rates, True), _part(rates, False)
    moved = [np.any(r.exponents != 0, axis=0) | np.any(r.slopes != 0, axis=0) for r in (_raw(rates, True), _raw(rates, False))]
    if not np.any(moved[0] & moved[1]):
        theta_s, weights = gauss_hermite(signal.exponents.shape[1])
        theta_b, weights_b = gauss_hermite(background.exponents.shape[1])
        average = weights_b @ poisson_terms(_totals(background, theta_b), n_counts)
        return SummedCount(_totals(signal, theta_s), weights, np.ascontiguousarray(average[None, :]))
    together = rates.reduced()
    theta, weights = gauss_hermite(together.exponents.shape[1])
    expected = together.factors(theta) * together.nominal
    return SummedCount(
        np.ascontiguousarray(expected[:, rates.is_signal].sum(axis=1)),
        weights,
        poisson_terms(expected[:, ~rates.is_signal].sum(axis=1), n_counts),
    )


def _raw(rates: Rates, is_signal: bool) -> Rates:
    chosen = (rates.is_signal == is_signal) & (rates.nominal > 0)
    return Rates(*(values[chosen] for values in rates))


@general_kernel
def _probability(mu: float, n: int, signal: FloatArray, weights: FloatArray, background: FloatArray) -> float:
    """P(n_signal + n_background <= n) at signal strength mu."""
    shared = background.shape[0] == 1
    total = 0.0
    for q in range(len(signal)):
        row = 0 if shared else q
        expected = mu * signal[q]
        term = math.exp(-expected)
        cumulative = 0.0
        at_node = 0.0
        for k in range(n + 1):  # k signal events at most, n - k background events
            cumulative += term
            at_node += background[row, n - k] * cumulative
            term *= expected / (k + 1)
        total += weights[q] * at_node
    return total


@general_kernel
def _limit(n: int, alpha: float, signal: FloatArray, weights: FloatArray, background: FloatArray) -> float:
    """Signal strength with CLs = alpha for n events; NaN if there is none below 1e12 times the start."""
    nominal = 0.0
    for q in range(len(signal)):
        nominal += weights[q] * signal[q]
    target = alpha * _probability(0.0, n, signal, weights, background)
    low, high = 0.0, (2.3 + n) / nominal
    largest = 1e12 * high
    f_high = _probability(high, n, signal, weights, background) - target
    while f_high > 0.0:
        low = high
        high *= 2.0
        if high > largest:
            return math.nan
        f_high = _probability(high, n, signal, weights, background) - target
    f_low = _probability(low, n, signal, weights, background) - target
    side = 0
    for _ in range(200):  # the probability falls with mu: regula falsi with the Illinois weights
        mu = (low * f_high - high * f_low) / (f_high - f_low)
        f = _probability(mu, n, signal, weights, background) - target
        if abs(f) < 1e-13 * target or high - low < 1e-14 * high:
            return mu
        if f > 0.0:
            f_high = 0.5 * f_high if side == 1 else f_high
            low, f_low, side = mu, f, 1
        else:
            f_low = 0.5 * f_low if side == -1 else f_low
            high, f_high, side = mu, f, -1
    return 0.5 * (low + high)


def exact_limits(model: CountingModel, observed: FloatArray, level: float) -> FloatArray:
    """Observed and expected upper limits on mu.

    The expected ones are the limits of the counts at the quantiles of the background's summed count: counts are whole numbers, so
    neighbouring bands are often equal.

    Parameters
    ----------
    model : CountingModel
    observed : FloatArray
        Whole counts per channel, shape (n_channels,).
    level : float
        Confidence level.

    Returns
    -------
    FloatArray
        Shape (6,): observed, and expected at -2, -1, 0, 1, 2 standard deviations.

    Raises
    ------
    StatisticsError
        If the nuisance parameters are too many, so large that no signal strength is excluded, or the counts too large.
    """
    from scipy.stats import norm

    n_observed = round(float(observed.sum()))
    spread = _spread(model)
    n_counts = 1 + max(n_observed, math.ceil(model.total_background + COUNT_RANGE * spread + 10.0))
    while True:
        if n_counts > MAX_COUNTS:
            msg = f"{n_counts} counts to follow ({n_observed} observed, {model.total_background:.4g} expected): the exact limit is made for at most {MAX_COUNTS}, use the asymptotic one"
            raise StatisticsError(msg)
        count = summed_count(model, n_counts)
        cumulative = np.cumsum(count.background if len(count.background) == 1 else (count.weights @ count.background)[None, :])
        if cumulative[-1] > norm.cdf(BANDS[-1]):
            break
        n_counts *= 2
    counts = [n_observed, *(int(np.searchsorted(cumulative, norm.cdf(band))) for band in BANDS)]
    found = {n: _limit(n, 1.0 - level, *count) for n in set(counts)}
    if not all(math.isfinite(mu) for mu in found.values()):
        msg = f"the exact limit does not exist for {model!r}: with these systematics the signal can vanish; use log-normal ones or smaller sizes"
        raise StatisticsError(msg)
    return np.array([found[n] for n in counts])


def _spread(model: CountingModel) -> float:
    """Rough standard deviation of the summed background count, statistical and systematic; the count range grows if it is too small."""
    systematic = sum(
        sum(nuisance.size(name, c) * b for name, values in model.backgrounds.items() for c, b in enumerate(values)) ** 2
        for nuisance in model.nuisances
    )
    return math.sqrt(model.total_background + systematic)
