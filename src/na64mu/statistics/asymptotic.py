"""Upper limits with CLs in the asymptotic approximation: one-sided profile likelihood ratio, the prescription of the Letter.

The test statistic is q~_mu with mu >= 0; its distributions follow from the Asimov data of the background alone (G. Cowan, K. Cranmer, E. Gross and
O. Vitells, Eur. Phys. J. C 71 (2011) 1554, sections 3.6, 3.8 and 4; A. L. Read, J. Phys. G 28 (2002) 2693). For the observed limit the nuisance
parameters of the Asimov data, and the centres of their constraints, are those of the fit to the data at mu = 0. The expected limits are made from what
is known while the box is shut: nuisance parameters at their nominal values, so that opening the box does not move them; those of other programs
(pyhf, RooStats) are fitted to the data and can be had for a comparison. How far the form is off with few events: `na64mu.statistics.limits`.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.compiled.kernel import general_kernel
from na64mu.errors import StatisticsError
from na64mu.statistics.model import SIGNAL, CountingModel
from na64mu.statistics.profile import Likelihood, likelihood_of, minimise, strength_hat
from na64mu.typing import FloatArray

__all__ = ("BANDS", "Expected", "asymptotic_cls", "asymptotic_limits")

#: What the expected limits are made from: nominal nuisance parameters, or those fitted to the data.
Expected = Literal["blind", "fitted"]

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
    if root_a == 0.0:  # a signal too weak to be distinguished from none: nothing is excluded
        return 0.0
    if not is_observed:
        return math.log(max(_upper_tail(root_a - band), 1e-300)) - math.log(_upper_tail(-band))
    if q <= q_asimov:
        x = math.sqrt(q)
        numerator, denominator = _upper_tail(x), _upper_tail(x - root_a)
    else:
        numerator, denominator = _upper_tail((q + q_asimov) / (2.0 * root_a)), _upper_tail((q - q_asimov) / (2.0 * root_a))
    return math.log(max(numerator, 1e-300)) - math.log(max(denominator, 1e-300))


@general_kernel
def _limits(
    counts: FloatArray, has_counts: bool, is_blind: bool, model: Likelihood, log_alpha: float, bands: FloatArray, limits: FloatArray
) -> None:
    """Observed limit and those of the bands, shape (1 + n_bands,): NaN where a fit fails, infinite where no strength is excluded."""
    n_theta = model.exponents.shape[1]
    zero = np.zeros(n_theta)
    best_p, start = np.zeros(1 + n_theta), np.zeros(1 + n_theta)
    best = 0.0
    if has_counts:
        best = strength_hat(best_p, counts, zero, model)
        if not math.isfinite(minimise(start, 1, counts, zero, model)):  # events where no background is expected: no fit without signal
            start[:] = 0.0
    signal = 0.0
    for r in range(len(model.nominal)):
        signal += model.nominal[r] * model.is_signal[r]
    for i in range(len(limits)):
        is_observed = i == 0
        limits[i] = math.nan
        if is_observed and not (has_counts and math.isfinite(best)):
            continue
        asimov_theta = zero.copy() if is_blind and not is_observed else start[1:].copy()
        asimov = np.zeros(len(counts))
        _fill_expected(asimov_theta, model, asimov)
        p_asimov = start.copy()
        p_asimov[1:] = asimov_theta
        asimov_best = minimise(p_asimov, 1, asimov, asimov_theta, model)
        if math.isfinite(asimov_best):
            p_asimov[1:] = asimov_theta
            first = math.log((1.0 + counts.sum() if is_observed else 1.0) / signal)
            band = 0.0 if is_observed else bands[i - 1]
            limits[i] = _one_limit(
                first, is_observed, band, best_p, best, counts, zero, p_asimov, asimov_best, asimov, asimov_theta, model, log_alpha
            )


@general_kernel
def _one_limit(
    first: float,
    is_observed: bool,
    band: float,
    best_p: FloatArray,
    best: float,
    counts: FloatArray,
    zero: FloatArray,
    p_asimov: FloatArray,
    asimov_best: float,
    asimov: FloatArray,
    asimov_theta: FloatArray,
    model: Likelihood,
    log_alpha: float,
) -> float:
    """Signal strength with CLs = alpha. ln CLs falls with mu: a bracket in ln mu, then regula falsi with the Illinois weights."""
    p = best_p.copy()
    low, high = math.nan, math.nan
    f_low, f_high = 0.0, 0.0
    x, side = first, 0
    for _ in range(MAX_ITERATIONS):
        mu = math.exp(x)
        q_asimov = _test_statistic(mu, p_asimov, 0.0, asimov_best, asimov, asimov_theta, model)
        q = _test_statistic(mu, p, best_p[0], best, counts, zero, model) if is_observed else q_asimov
        if not (math.isfinite(q) and math.isfinite(q_asimov)):
            return math.nan
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
            return math.inf if x > 0.0 else math.nan
    return math.exp(x)


def asymptotic_limits(model: CountingModel, observed: FloatArray | None, level: float, expected: Expected | str = "blind") -> FloatArray:
    """Observed and expected upper limits on mu.

    Parameters
    ----------
    model : CountingModel
    observed : FloatArray or None
        Counts per channel, shape (n_channels,); None while they are not known.
    level : float
        Confidence level.
    expected : "blind" or "fitted"
        Nuisance parameters of the expected limits: nominal, or fitted to the counts without signal, as other programs do.

    Returns
    -------
    FloatArray
        Shape (6,): observed (NaN without counts), and expected at -2, -1, 0, 1, 2 standard deviations; infinite where no signal strength is
        excluded, because with a Gaussian systematic the signal can vanish.

    Raises
    ------
    StatisticsError
        If a fit does not converge, or neither the observed nor the median limit exists.
    """
    expected = one_of(expected, get_args(Expected), "expected", StatisticsError)
    limits = np.zeros(1 + len(BANDS))
    rates = model.rates()
    counts = np.zeros(len(model.channels)) if observed is None else observed
    _limits(counts, observed is not None, expected == "blind", likelihood_of(rates), math.log(1.0 - level), np.array(BANDS), limits)
    failed = np.isnan(limits)
    if observed is None:
        failed[0] = False
    if bool(np.any(rates.slopes[rates.is_signal] != 0.0)):  # the fit ends on the border where the signal is zero
        limits[failed] = math.inf
        wanted = limits[[3]] if observed is None else limits[[0, 3]]
        if not np.isfinite(wanted).all():
            msg = f"with the Gaussian systematics of the signal ({_sizes(model)}) the signal can vanish, and no strength of it is excluded asymptotically: make them log-normal, or smaller"
            raise StatisticsError(msg)
    elif failed.any():
        shown = "no" if observed is None else f"{observed.tolist()}"
        msg = f"the profile likelihood of {shown} observed events did not converge for {model!r}: look for a systematic of more than 100 per cent"
        raise StatisticsError(msg)
    return limits


def _sizes(model: CountingModel) -> str:
    """Gaussian systematics of the signal with their largest size."""
    found = {
        s.name: max(abs(s.size(SIGNAL, c)) for c in range(len(model.channels)))
        for s in model.systematics
        if s.shape == "gaussian" and SIGNAL in s.effects
    }
    return ", ".join(f"{name} {100 * size:.3g} %" for name, size in found.items())


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
    if not math.isfinite(minimise(start, 1, observed, zero, likelihood)):
        start[:] = 0.0
    centre = start[1:].copy()
    _fill_expected(centre, likelihood, asimov)
    asimov_best = minimise(start, 1, asimov, centre, likelihood)
    q = _test_statistic(mu, p.copy(), float(p[0]), best, observed, zero, likelihood)
    q_asimov = _test_statistic(mu, start, 0.0, asimov_best, asimov, centre, likelihood)
    return math.exp(_log_cls(q, q_asimov, 0.0, True))
