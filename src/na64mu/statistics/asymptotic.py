"""Upper limits with CLs in the asymptotic approximation: one-sided profile likelihood ratio, the prescription of the Letter.

The test statistic is q~_mu with mu >= 0; its distributions follow from the Asimov data of the background alone, with the nuisance parameters
and the centres of their constraints at their fit to the data at mu = 0 (G. Cowan, K. Cranmer, E. Gross and O. Vitells, Eur. Phys. J. C 71 (2011) 1554,
sections 3.6, 3.8 and 4; A. L. Read, J. Phys. G 28 (2002) 2693). The form needs many events: with an empty signal box it is too low by up to 41 %.
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.errors import StatisticsError
from na64mu.statistics.model import CountingModel
from na64mu.statistics.profile import Likelihood, likelihood_of, minimise, strength_hat
from na64mu.typing import FloatArray

__all__ = ("BANDS", "asymptotic_cls", "asymptotic_limits")

#: The expected limits: standard deviations of the background-only fluctuation.
BANDS = (-2.0, -1.0, 0.0, 1.0, 2.0)

SQRT2 = math.sqrt(2.0)
MAX_ITERATIONS = 200


@general_kernel
def _upper_tail(x: float) -> float:
    """1 - Phi(x)."""
    return 0.5 * math.erfc(x / SQRT2)


@general_kernel
def _fill_expected(theta: FloatArray, model: Likelihood, expected: FloatArray) -> None:
    """Expected background per channel at these nuisance parameters."""
    expected[:] = 0.0
    for r in range(len(model.nominal)):
        if model.is_signal[r] == 0.0:
            e, s = 0.0, 1.0
            for j in range(len(theta)):
                e += model.exponents[r, j] * theta[j]
                s += model.slopes[r, j] * theta[j]
            expected[model.channel[r]] += model.nominal[r] * math.exp(e) * s


@general_kernel
def _test_statistic(
    mu: float, p: FloatArray, mu_hat: float, best: float, counts: FloatArray, centre: FloatArray, model: Likelihood
) -> float:
    """q~_mu; p is where the fit at fixed mu starts and ends."""
    if mu <= mu_hat:
        return 0.0
    p[0] = mu
    value = minimise(p, 1, counts, centre, model)
    return max(2.0 * (value - best), 0.0) if math.isfinite(value) else math.nan


@general_kernel
def _log_cls(q: float, q_asimov: float, band: float, is_observed: bool) -> float:
    """Ln CLs of the observed q~, or of the median (band 0) and its fluctuations under the background alone."""
    root_a = math.sqrt(q_asimov)
    if not is_observed:
        return math.log(max(_upper_tail(root_a - band), 1e-300)) - math.log(_upper_tail(-band))
    if q <= q_asimov:
        x = math.sqrt(q)
        numerator, denominator = _upper_tail(x), _upper_tail(x - root_a)
    else:
        numerator, denominator = _upper_tail((q + q_asimov) / (2.0 * root_a)), _upper_tail((q - q_asimov) / (2.0 * root_a))
    return math.log(max(numerator, 1e-300)) - math.log(max(denominator, 1e-300))


@general_kernel
def _limits(counts: FloatArray, model: Likelihood, log_alpha: float, bands: FloatArray, limits: FloatArray) -> bool:
    """Observed limit and those of the bands, shape (1 + n_bands,); False if a fit fails."""
    n_theta = model.exponents.shape[1]
    zero = np.zeros(n_theta)
    best_p, start = np.zeros(1 + n_theta), np.zeros(1 + n_theta)
    best = strength_hat(best_p, counts, zero, model)
    at_zero = minimise(start, 1, counts, zero, model)
    asimov_theta = start[1:].copy()
    asimov = np.zeros(len(counts))
    _fill_expected(asimov_theta, model, asimov)
    p_asimov = start.copy()
    asimov_best = minimise(p_asimov, 1, asimov, asimov_theta, model)
    if not (math.isfinite(best) and math.isfinite(at_zero) and math.isfinite(asimov_best)):
        return False
    signal = 0.0
    for r in range(len(model.nominal)):
        signal += model.nominal[r] * model.is_signal[r]
    for i in range(len(limits)):
        is_observed = i == 0
        band = 0.0 if is_observed else bands[i - 1]
        p = best_p.copy()
        p_asimov[1:] = asimov_theta
        # ln CLs falls with mu: a bracket in ln mu, then regula falsi with the Illinois weights
        low, high = math.nan, math.nan
        f_low, f_high = 0.0, 0.0
        x = math.log((1.0 + counts.sum() if is_observed else 1.0) / signal)
        side = 0
        for _ in range(MAX_ITERATIONS):
            mu = math.exp(x)
            q_asimov = _test_statistic(mu, p_asimov, 0.0, asimov_best, asimov, asimov_theta, model)
            q = _test_statistic(mu, p, best_p[0], best, counts, zero, model) if is_observed else q_asimov
            if not (math.isfinite(q) and math.isfinite(q_asimov)):
                return False
            f = _log_cls(q, q_asimov, band, is_observed) - log_alpha
            if f > 0.0:
                if side == 1:
                    f_high *= 0.5
                low, f_low, side = x, f, 1
            else:
                if side == -1:
                    f_low *= 0.5
                high, f_high, side = x, f, -1
            if math.isnan(low):
                x -= 0.7
            elif math.isnan(high):
                x += 0.7
            else:
                x = (low * f_high - high * f_low) / (f_high - f_low)
                if abs(f) < 1e-12 or high - low < 1e-13:
                    break
            if abs(x) > 700.0:
                return False
        limits[i] = math.exp(x)
    return True


def asymptotic_limits(model: CountingModel, observed: FloatArray, level: float) -> FloatArray:
    """Observed and expected upper limits on mu.

    Parameters
    ----------
    model : CountingModel
    observed : FloatArray
        Counts per channel, shape (n_channels,).
    level : float
        Confidence level.

    Returns
    -------
    FloatArray
        Shape (6,): observed, and expected at -2, -1, 0, 1, 2 standard deviations.

    Raises
    ------
    StatisticsError
        If a fit does not converge.
    """
    limits = np.zeros(1 + len(BANDS))
    if not _limits(observed, likelihood_of(model.rates()), math.log(1.0 - level), np.array(BANDS), limits):
        msg = f"the profile likelihood of {observed.tolist()} observed events did not converge for {model!r}: look for a systematic of more than 100 per cent"
        raise StatisticsError(msg)
    return limits


def asymptotic_cls(model: CountingModel, observed: FloatArray, mu: float) -> float:
    """Observed CLs of one signal strength, by the same approximation.

    Parameters
    ----------
    model : CountingModel
    observed : FloatArray
        Counts per channel, shape (n_channels,).
    mu : float
        Signal strength, above zero.

    Returns
    -------
    float
        CLs.
    """
    likelihood = likelihood_of(model.rates())
    n_theta = likelihood.exponents.shape[1]
    zero = np.zeros(n_theta)
    p, start, asimov = np.zeros(1 + n_theta), np.zeros(1 + n_theta), np.zeros(len(observed))
    best = strength_hat(p, observed, zero, likelihood)
    minimise(start, 1, observed, zero, likelihood)
    centre = start[1:].copy()
    _fill_expected(centre, likelihood, asimov)
    asimov_best = minimise(start, 1, asimov, centre, likelihood)
    q = _test_statistic(mu, p.copy(), float(p[0]), best, observed, zero, likelihood)
    q_asimov = _test_statistic(mu, start, 0.0, asimov_best, asimov, centre, likelihood)
    return math.exp(_log_cls(q, q_asimov, 0.0, True))
