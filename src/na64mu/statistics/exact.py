"""Upper limits with CLs on the summed count of all channels, nuisance parameters averaged over: valid for any number of events.

CLs(mu) = P(n <= n_obs | mu s + b) / P(n <= n_obs | b) with n the sum over the channels; both probabilities are averaged over the constraints of the
nuisance parameters (A. L. Read, J. Phys. G 28 (2002) 2693; R. D. Cousins and V. L. Highland, NIM A 320 (1992) 331). The average is a
quadrature, so equal input gives equal limits; no random numbers: Gauss-Hermite, or the trapezoidal rule where a Gaussian systematic is so large that
a rate is cut off at zero, for there the integrand has a kink that Gauss-Hermite misses by up to 3 per cent of the limit.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.errors import StatisticsError
from na64mu.statistics.asymptotic import BANDS
from na64mu.statistics.model import CountingModel, Rates
from na64mu.statistics.quadrature import blocks, condensed, fine_nodes, is_small, quadrature
from na64mu.typing import FloatArray

__all__ = ("SummedCount", "compressed", "exact_limits", "part_of", "probability_at_most", "summed_count", "totals")

#: An array as bytes and shape: what a cache can take.
Packed = tuple[bytes, tuple[int, ...]]
#: The summed count is followed up to the background plus this many standard deviations, for the expected limits.
COUNT_RANGE = 6.0
#: Largest number of counts to follow, and of counts times nodes: seconds of work and 200 MB.
MAX_COUNTS, MAX_TERMS = 20_000, 25_000_000
#: Nodes that the distribution of the signal's factor is compressed to: exact for polynomials of degree 2 x 16 - 1 in it.
COMPRESSED = 16
#: Above this many signal events exp(-n) underflows: the sum begins at the first term that is not negligible.
MANY = 700.0


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


def poisson_terms(expected: FloatArray, n_counts: int) -> FloatArray:
    """Poisson probabilities of 0 ... n_counts - 1 events; shape (n, n_counts) for n expectations."""
    from scipy.stats import poisson

    return np.asarray(poisson.pmf(np.arange(n_counts)[None, :], expected[:, None]), dtype=np.float64)


def part_of(rates: Rates, is_signal: bool) -> Rates:
    """Signal or background alone, with the fewest parameters."""
    chosen = rates.is_signal == is_signal
    return Rates(*(values[chosen] for values in rates)).reduced()


def totals(rates: Rates, theta: FloatArray) -> FloatArray:
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
    signal, background = part_of(rates, True), part_of(rates, False)
    moved = [np.any(r.exponents != 0, axis=0) | np.any(r.slopes != 0, axis=0) for r in (_raw(rates, True), _raw(rates, False))]
    if not np.any(moved[0] & moved[1]):
        few = condensed(signal)
        theta_s, weights = quadrature(few)
        average = _background_terms(rates, background, n_counts)
        _check_size(len(weights), n_counts)
        found = SummedCount(totals(few, theta_s), weights, average[None, :].copy())
        return found if few is signal else compressed(found)
    together = condensed(rates.reduced())
    theta, weights = quadrature(together)
    _check_size(len(weights), n_counts)
    expected = together.factors(theta) * together.nominal
    return SummedCount(
        np.ascontiguousarray(expected[:, rates.is_signal].sum(axis=1)),
        weights,
        poisson_terms(expected[:, ~rates.is_signal].sum(axis=1), n_counts),
    )


def _background_terms(rates: Rates, background: Rates, n_counts: int) -> FloatArray:
    """Probabilities of 0, 1, ... background events, averaged; with many parameters the convolution of parts that share none."""
    if is_small(background):
        return _averaged_terms(*_packed(background), n_counts)
    average = np.zeros(n_counts)
    average[0] = 1.0
    for terms in _terms_of_blocks(*_packed(_raw(rates, False)), n_counts):
        average = np.convolve(average, terms)[:n_counts]
    return average


def _packed(rates: Rates) -> tuple[Packed, Packed, Packed, Packed, Packed]:
    a, b, c, d, e = ((values.tobytes(), values.shape) for values in rates)
    return a, b, c, d, e


def compressed(count: SummedCount) -> SummedCount:
    """The same with few nodes for the signal: the Gauss quadrature of their distribution (Lanczos; G. H. Golub and J. H. Welsch, Math. Comp. 23 (1969) 221).

    Where a nuisance parameter moves signal and background together every node has its own background, and nothing is changed.
    """
    if len(count.background) > 1 or len(count.signal) <= COMPRESSED:
        return count
    vectors = [np.sqrt(count.weights / count.weights.sum())]
    diagonal, beside = [float(vectors[0] @ (count.signal * vectors[0]))], []
    scale = float(np.abs(count.signal).max())
    while len(diagonal) < COMPRESSED:
        v = count.signal * vectors[-1]
        for _ in range(2):  # twice is enough
            for u in vectors:
                v = v - (u @ v) * u
        norm = float(np.linalg.norm(v))
        if norm < 1e-12 * scale:
            break
        vectors.append(v / norm)
        beside.append(norm)
        diagonal.append(float(vectors[-1] @ (count.signal * vectors[-1])))
    nodes, matrix = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    return SummedCount(np.maximum(nodes, 0.0), np.ascontiguousarray(matrix[0] ** 2), count.background)


def _check_size(n_nodes: int, n_counts: int) -> None:
    if n_nodes * n_counts > MAX_TERMS:
        msg = f"{n_counts} counts to follow on {n_nodes} nodes of the nuisance parameters are too many for the exact limit: combine nuisance parameters, or take the asymptotic one"
        raise StatisticsError(msg)


@lru_cache(maxsize=4)
def _averaged_terms(nominal: Packed, is_signal: Packed, channel: Packed, exponents: Packed, slopes: Packed, n_counts: int) -> FloatArray:
    """Probabilities of 0, 1, ... background events, averaged; the same for all masses of a scan, so kept."""
    rates = _unpacked(nominal, is_signal, channel, exponents, slopes)
    return _average(rates, quadrature(rates), n_counts)


@lru_cache(maxsize=4)
def _terms_of_blocks(
    nominal: Packed, is_signal: Packed, channel: Packed, exponents: Packed, slopes: Packed, n_counts: int
) -> list[FloatArray]:
    """The same for every part that shares no nuisance parameter with the others."""
    found = blocks(_unpacked(nominal, is_signal, channel, exponents, slopes))
    return [_average(block, fine_nodes(block), n_counts) for block in found]


def _average(rates: Rates, nodes: tuple[FloatArray, FloatArray], n_counts: int) -> FloatArray:
    theta, weights = nodes
    _check_size(len(weights), n_counts)
    return np.asarray(weights @ poisson_terms(totals(rates, theta), n_counts))


def _unpacked(*packed: Packed) -> Rates:
    kinds = (np.float64, np.bool_, np.int64, np.float64, np.float64)
    return Rates(*(np.frombuffer(content, kind).reshape(shape) for (content, shape), kind in zip(packed, kinds, strict=True)))


def _raw(rates: Rates, is_signal: bool) -> Rates:
    chosen = (rates.is_signal == is_signal) & (rates.nominal > 0)
    return Rates(*(values[chosen] for values in rates))


@general_kernel
def probability_at_most(mu: float, n: int, signal: FloatArray, weights: FloatArray, background: FloatArray) -> float:
    """P(n_signal + n_background <= n) at signal strength mu."""
    shared = background.shape[0] == 1
    total = 0.0
    for q in range(len(signal)):
        row = 0 if shared else q
        expected = mu * signal[q]
        first = 0
        term = math.exp(-expected)
        if expected > MANY:
            first = int(expected - 26.0 * math.sqrt(expected))  # above zero, and the term does not underflow
            term = math.exp(first * math.log(expected) - expected - math.lgamma(first + 1.0))
        cumulative = 0.0
        at_node = 0.0
        for k in range(first, n + 1):  # k signal events at most, n - k background events
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
    target = alpha * probability_at_most(0.0, n, signal, weights, background)
    low, high = 0.0, (2.3 + n) / nominal
    largest = 1e12 * high
    f_high = probability_at_most(high, n, signal, weights, background) - target
    while f_high > 0.0:
        low = high
        high *= 2.0
        if high > largest:
            return math.nan
        f_high = probability_at_most(high, n, signal, weights, background) - target
    f_low = probability_at_most(low, n, signal, weights, background) - target
    side = 0
    for _ in range(200):  # the probability falls with mu: regula falsi with the Illinois weights
        mu = (low * f_high - high * f_low) / (f_high - f_low)
        f = probability_at_most(mu, n, signal, weights, background) - target
        if abs(f) < 1e-13 * target or high - low < 1e-14 * high:
            return mu
        if f > 0.0:
            f_high = 0.5 * f_high if side == 1 else f_high
            low, f_low, side = mu, f, 1
        else:
            f_low = 0.5 * f_low if side == -1 else f_low
            high, f_high, side = mu, f, -1
    return 0.5 * (low + high)


def exact_limits(model: CountingModel, observed: FloatArray | None, level: float) -> FloatArray:
    """Observed and expected upper limits on mu.

    The expected ones are the limits of the counts at the quantiles of the background's summed count: counts are whole numbers, so
    neighbouring bands are often equal. They do not depend on the observed counts.

    Parameters
    ----------
    model : CountingModel
    observed : FloatArray or None
        Whole counts per channel, shape (n_channels,); None while they are not known.
    level : float
        Confidence level.

    Returns
    -------
    FloatArray
        Shape (6,): observed (NaN without counts), and expected at -2, -1, 0, 1, 2 standard deviations; infinite where no signal
        strength is excluded.

    Raises
    ------
    StatisticsError
        If the nuisance parameters are too many, so large that no signal strength is excluded, or the counts too large.
    """
    from scipy.stats import norm

    n_observed = 0 if observed is None else round(float(observed.sum()))
    n_counts = 1 + max(n_observed, math.ceil(model.total_background + COUNT_RANGE * _spread(model) + 10.0))
    while True:
        if n_counts > MAX_COUNTS:
            msg = f"{n_counts} counts to follow ({n_observed} observed, {model.total_background:.4g} expected): the exact limit is made for at most {MAX_COUNTS}; with so many events the asymptotic one differs by less than 1 per cent where no systematic is large"
            raise StatisticsError(msg)
        count = summed_count(model, n_counts)
        cumulative = np.cumsum(count.background if len(count.background) == 1 else (count.weights @ count.background)[None, :])
        if cumulative[-1] > norm.cdf(BANDS[-1]):
            break
        n_counts *= 2
    counts = [n_observed, *(int(np.searchsorted(cumulative, norm.cdf(band))) for band in BANDS)]
    found = {n: _limit(n, 1.0 - level, *count) for n in set(counts[0 if observed is not None else 1 :])}
    limits = np.array([math.nan if i == 0 and observed is None else found[n] for i, n in enumerate(counts)])
    limits[1:][np.isnan(limits[1:])] = math.inf  # a band without a limit: no signal strength is excluded there
    if not np.isfinite(limits[[3]] if observed is None else limits[[0, 3]]).all():
        msg = f"the exact limit does not exist for {model!r}: with these systematics the signal can vanish; use log-normal ones or smaller sizes"
        raise StatisticsError(msg)
    return limits


def _spread(model: CountingModel) -> float:
    """Rough standard deviation of the summed background count, statistical and systematic; the count range grows if it is too small."""
    systematic = sum(
        sum(nuisance.size(name, c) * b for name, values in model.backgrounds.items() for c, b in enumerate(values)) ** 2
        for nuisance in model.nuisances
    )
    return math.sqrt(model.total_background + systematic)
