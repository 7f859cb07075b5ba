"""Toy experiments: a cross-check of the exact limit that shares no quadrature with it.

The nuisance parameters are drawn anew for every toy and the summed count is the test statistic (the hybrid form). Profile-likelihood toys are not offered: with
no event observed the pulls of the auxiliary measurements break the ties between the empty toys, and larger systematics would give tighter limits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.statistics.model import CountingModel
from na64mu.typing import FloatArray

__all__ = ("ToyCLs", "ToyTail", "toy_cls", "toy_tail")


class ToyCLs(NamedTuple):
    """CLs from toys.

    Attributes
    ----------
    value, error : float
        CLs and its statistical standard deviation.
    clsb, clb : float
        Fractions of toys with at most the observed count, with and without signal.
    """

    value: float
    error: float
    clsb: float
    clb: float


def toy_cls(model: CountingModel, observed: FloatArray, mu: float, *, n_toys: int, seed: int) -> ToyCLs:
    """CLs of one signal strength from toys.

    Parameters
    ----------
    model : CountingModel
    observed : FloatArray
        Counts per channel, shape (n_channels,).
    mu : float
        Signal strength.
    n_toys : int
        Toys with signal, and as many without.
    seed : int
        Equal seeds give equal toys.

    Returns
    -------
    ToyCLs
    """
    generator = np.random.default_rng(seed)
    n_observed = float(np.sum(observed))
    rates = model.rates()
    fractions = []
    for strength in (mu, 0.0):
        theta = generator.standard_normal((n_toys, rates.exponents.shape[1]))
        expected = rates.factors(theta) * rates.nominal * np.where(rates.is_signal, strength, 1.0)
        fractions.append(float(np.mean(generator.poisson(expected.sum(axis=1)) <= n_observed)))
    clsb, clb = fractions
    if clb == 0.0:
        return ToyCLs(math.nan, math.nan, clsb, clb)
    relative = sum((1.0 - f) / (n_toys * f) for f in fractions if f > 0.0)
    error = clsb / clb * math.sqrt(relative) if clsb > 0.0 else 1.0 / (n_toys * clb)
    return ToyCLs(clsb / clb, error, clsb, clb)


class ToyTail(NamedTuple):
    """Part of the toys of the background alone with at least the observed count, and its statistical standard deviation."""

    value: float
    error: float


def toy_tail(model: CountingModel, n_observed: float, *, n_toys: int, seed: int) -> ToyTail:
    """p-value of the background alone from toys.

    Parameters
    ----------
    model : CountingModel
    n_observed : float
        Events of all channels.
    n_toys : int
    seed : int
        Equal seeds give equal toys.

    Returns
    -------
    ToyTail
    """
    generator = np.random.default_rng(seed)
    rates = model.rates()
    theta = generator.standard_normal((n_toys, rates.exponents.shape[1]))
    expected = (rates.factors(theta) * rates.nominal)[:, ~rates.is_signal].sum(axis=1)
    value = float(np.mean(generator.poisson(expected) >= n_observed))
    return ToyTail(value, math.sqrt(max(value * (1.0 - value), 1.0 / n_toys) / n_toys))
