"""Likelihood of the counting model, minimised over the nuisance parameters by Newton's method with exact derivatives.

-ln L = sum_t (nu_t - n_t ln nu_t) + 1/2 sum_j (theta_j - a_j)^2, without terms that depend on the counts alone. Counts may be real numbers
(the Asimov data). The vector of parameters is (mu, theta_1, ... theta_J).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.statistics.model import Rates
from na64mu.typing import FloatArray, IntArray

__all__ = ("Likelihood", "likelihood_of", "minimise", "negative_log_likelihood", "strength_hat")


MAX_STEPS = 200
#: A rate below this many events is none: its square would underflow.
NOTHING = 1e-100


class Likelihood(NamedTuple):
    """The arrays of `Rates` as the kernels take them: C-ordered, `is_signal` as 0 or 1."""

    nominal: FloatArray
    is_signal: FloatArray
    channel: IntArray
    exponents: FloatArray
    slopes: FloatArray


def likelihood_of(rates: Rates) -> Likelihood:
    """Arrays of a model with the fewest parameters, as the kernels take them."""
    reduced = rates.reduced()
    return Likelihood(
        np.ascontiguousarray(np.where(reduced.nominal < NOTHING, 0.0, reduced.nominal), dtype=np.float64),
        np.ascontiguousarray(reduced.is_signal, dtype=np.float64),
        np.ascontiguousarray(reduced.channel, dtype=np.int64),
        np.ascontiguousarray(reduced.exponents, dtype=np.float64),
        np.ascontiguousarray(reduced.slopes, dtype=np.float64),
    )


@general_kernel
def negative_log_likelihood(
    p: FloatArray, counts: FloatArray, centre: FloatArray, model: Likelihood, gradient: FloatArray, hessian: FloatArray
) -> float:
    """-ln L at p, with its gradient (J + 1,) and Hessian (J + 1, J + 1) filled in; infinite where a rate is not allowed."""
    n_rates, n_theta = model.exponents.shape
    n_channels = len(counts)
    nu = np.zeros(n_channels)
    d_nu = np.zeros((n_channels, n_theta + 1))
    gradient[:] = 0.0
    hessian[:] = 0.0
    weight = np.empty(n_channels)
    if p[0] < 0.0:
        return math.inf
    expo = np.empty(n_rates)
    line = np.empty(n_rates)
    for r in range(n_rates):
        e, s = 0.0, 1.0
        for j in range(n_theta):
            e += model.exponents[r, j] * p[1 + j]
            s += model.slopes[r, j] * p[1 + j]
        if s <= 0.0 or e > 500.0:
            return math.inf
        expo[r] = model.nominal[r] * math.exp(e)
        line[r] = s
        strength = p[0] if model.is_signal[r] > 0.0 else 1.0
        t = model.channel[r]
        nu[t] += strength * expo[r] * s
        for j in range(n_theta):
            d_nu[t, 1 + j] += strength * expo[r] * (s * model.exponents[r, j] + model.slopes[r, j])
        if model.is_signal[r] > 0.0:
            d_nu[t, 0] += expo[r] * s
    value = 0.0
    for t in range(n_channels):
        if counts[t] > 0.0:
            if nu[t] <= 0.0:
                return math.inf
            value += nu[t] - counts[t] * math.log(nu[t])
            weight[t] = 1.0 - counts[t] / nu[t]
        else:
            value += nu[t]
            weight[t] = 1.0
        for i in range(n_theta + 1):
            gradient[i] += weight[t] * d_nu[t, i]
            if counts[t] > 0.0:
                for j in range(i + 1):
                    hessian[i, j] += counts[t] / nu[t] ** 2 * d_nu[t, i] * d_nu[t, j]
    for r in range(n_rates):
        strength = p[0] if model.is_signal[r] > 0.0 else 1.0
        w = weight[model.channel[r]] * expo[r]
        if w == 0.0:
            continue
        is_straight = True
        for i in range(n_theta):
            is_straight = is_straight and model.slopes[r, i] == 0.0
        for i in range(n_theta):
            a_i, b_i = model.exponents[r, i], model.slopes[r, i]
            if is_straight:
                for j in range(i + 1):
                    hessian[1 + i, 1 + j] += w * strength * (line[r] * a_i * model.exponents[r, j])
            else:
                for j in range(i + 1):
                    hessian[1 + i, 1 + j] += (
                        w * strength * (line[r] * a_i * model.exponents[r, j] + a_i * model.slopes[r, j] + b_i * model.exponents[r, j])
                    )
            if model.is_signal[r] > 0.0:
                hessian[1 + i, 0] += w * (line[r] * a_i + b_i)
    for j in range(n_theta):
        pull = p[1 + j] - centre[j]
        value += 0.5 * pull * pull
        gradient[1 + j] += pull
        hessian[1 + j, 1 + j] += 1.0
    for i in range(n_theta + 1):  # the sums above are for j <= i
        for j in range(i):
            hessian[j, i] = hessian[i, j]
    return value


@general_kernel
def _newton_step(hessian: FloatArray, gradient: FloatArray, first: int, damping: float, step: FloatArray) -> bool:
    """Solve (H + damping) step = -gradient for the parameters from `first` on, by Cholesky; False if not positive definite."""
    n = len(gradient)
    lower = np.zeros((n, n))
    for i in range(first, n):
        for j in range(first, i + 1):
            s = hessian[i, j] + (damping if i == j else 0.0)
            for k in range(first, j):
                s -= lower[i, k] * lower[j, k]
            if i == j:
                if s <= 1e-14 * (1.0 + abs(hessian[i, i])):
                    return False
                lower[i, i] = math.sqrt(s)
            else:
                lower[i, j] = s / lower[j, j]
    for i in range(first, n):
        s = -gradient[i]
        for k in range(first, i):
            s -= lower[i, k] * step[k]
        step[i] = s / lower[i, i]
    for i in range(n - 1, first - 1, -1):
        s = step[i]
        for k in range(i + 1, n):
            s -= lower[k, i] * step[k]
        step[i] = s / lower[i, i]
    return True


@general_kernel
def minimise(p: FloatArray, first: int, counts: FloatArray, centre: FloatArray, model: Likelihood) -> float:
    """Minimise -ln L over the parameters from `first` on (1: mu is fixed, 0: mu is free and not negative); p is moved to the minimum.

    Returns the minimum; NaN if it was not found.
    """
    n = len(p)
    gradient, trial_gradient, step = np.zeros(n), np.zeros(n), np.zeros(n)
    hessian, trial_hessian = np.zeros((n, n)), np.zeros((n, n))
    trial = p.copy()
    value = negative_log_likelihood(p, counts, centre, model, gradient, hessian)
    if not math.isfinite(value):
        return math.nan
    for _ in range(MAX_STEPS):
        damping = 0.0
        while not _newton_step(hessian, gradient, first, damping, step):
            damping = max(1e-6, 10.0 * damping)
        expected = 0.0
        for i in range(first, n):
            expected -= gradient[i] * step[i]  # twice the decrease that a parabola promises
        is_last = expected < 1e-10 * (1.0 + abs(value))  # one more full step is exact to rounding, which a line search cannot resolve
        size = 1.0
        while True:
            for i in range(first, n):
                trial[i] = p[i] + size * step[i]
            new = negative_log_likelihood(trial, counts, centre, model, trial_gradient, trial_hessian)
            if new <= value - 1e-4 * size * expected or (is_last and math.isfinite(new)):
                break
            size *= 0.5
            if size < 1e-10:
                return math.nan
        for i in range(first, n):
            p[i] = trial[i]
        value = new
        if is_last:
            return value
        gradient, trial_gradient = trial_gradient, gradient
        hessian, trial_hessian = trial_hessian, hessian
    return math.nan


@general_kernel
def strength_hat(p: FloatArray, counts: FloatArray, centre: FloatArray, model: Likelihood) -> float:
    """Fit mu >= 0 and all nuisance parameters; p is moved to the best fit, its minimum is returned."""
    n = len(p)
    p[0] = 0.0
    p[1:] = centre
    at_zero = minimise(p, 1, counts, centre, model)
    gradient, hessian = np.zeros(n), np.zeros((n, n))
    if math.isfinite(at_zero):
        negative_log_likelihood(p, counts, centre, model, gradient, hessian)
        if gradient[0] >= 0.0:
            return at_zero
    signal = background = 0.0
    for r in range(len(model.nominal)):
        if model.is_signal[r] > 0.0:
            signal += model.nominal[r]
        else:
            background += model.nominal[r]
    p[0] = max(counts.sum() - background, 0.1 * counts.sum(), 1e-3) / signal
    p[1:] = centre
    best = minimise(p, 0, counts, centre, model)
    if math.isfinite(at_zero) and not best <= at_zero:
        p[0] = 0.0
        p[1:] = centre
        return minimise(p, 1, counts, centre, model)
    return best
