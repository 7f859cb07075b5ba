"""The likelihood and its derivatives, and the fits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from na64mu.statistics import CountingModel, Systematic
from na64mu.statistics.profile import likelihood_of, minimise, negative_log_likelihood, strength_hat

MODEL = CountingModel(
    (2.0, 1.0),
    {"a": (3.0, 2.0), "b": (0.5, 0.7)},
    (
        Systematic("s", {"signal": 0.2, "a": 0.1}),
        Systematic("t", {"a": 0.4}, correlated=False),
        Systematic("g", {"b": 0.3, "signal": 0.1}, shape="gaussian"),
    ),
)
COUNTS = np.array([6.0, 2.0])


def value(p, gradient=None, hessian=None):
    n = len(p)
    g = np.zeros(n) if gradient is None else gradient
    h = np.zeros((n, n)) if hessian is None else hessian
    return negative_log_likelihood(np.asarray(p, dtype=np.float64), COUNTS, np.zeros(n - 1), likelihood_of(MODEL.rates()), g, h)


def test_gradient_and_hessian_are_those_of_the_value():
    n = 1 + likelihood_of(MODEL.rates()).exponents.shape[1]
    p = np.linspace(0.6, -0.4, n)
    p[0] = 0.8
    gradient, hessian = np.zeros(n), np.zeros((n, n))
    value(p, gradient, hessian)
    step = 1e-5
    for i in range(n):
        up, down = p.copy(), p.copy()
        up[i] += step
        down[i] -= step
        g_up, g_down = np.zeros(n), np.zeros(n)
        assert gradient[i] == pytest.approx((value(up, g_up) - value(down, g_down)) / (2 * step), abs=1e-7)
        np.testing.assert_allclose(hessian[i], (g_up - g_down) / (2 * step), atol=1e-7)


def test_a_negative_strength_or_factor_is_not_allowed():
    n = 1 + likelihood_of(MODEL.rates()).exponents.shape[1]
    assert value(np.full(n, -0.1)) == np.inf
    far = np.zeros(n)
    far[1:] = 1e4
    assert value(far) == np.inf


@pytest.mark.parametrize("mu", [0.0, 0.5, 3.0])
def test_the_minimum_is_that_of_a_general_minimiser(mu):
    model = likelihood_of(MODEL.rates())
    n = model.exponents.shape[1]
    p = np.zeros(1 + n)
    p[0] = mu
    best = minimise(p, 1, COUNTS, np.zeros(n), model)
    reference = minimize(lambda theta: value([mu, *theta]), np.zeros(n), method="BFGS", options={"gtol": 1e-7})
    assert best == pytest.approx(reference.fun, abs=1e-9)
    np.testing.assert_allclose(p[1:], reference.x, atol=1e-5)


def test_the_best_strength_is_zero_for_few_and_the_excess_for_many_events():
    model = likelihood_of(CountingModel((1.0, 1.0), {"b": (2.0, 2.0)}).rates())
    p = np.zeros(1)
    strength_hat(p, np.array([1.0, 1.0]), np.zeros(0), model)
    assert p[0] == 0.0
    strength_hat(p, np.array([9.0, 5.0]), np.zeros(0), model)
    assert p[0] == pytest.approx(5.0)  # equal channels: the mean excess
