"""Averages over the nuisance parameters: nodes and weights, and what makes many parameters few.

Up to four independent parameters are averaged on a full grid. Above, two things keep the average good: rates that share no parameter are averaged apart
(`blocks`), and of parameters that cannot be separated the grid takes the directions that move the sum most (`condensed`). What is left moves the rates in
opposite senses, so that the sum stays where it is to first order; it enters by its exact mean. Combined runs have tens of parameters.
"""

from __future__ import annotations

import logging

import numpy as np

from na64mu.errors import StatisticsError
from na64mu.statistics.model import Rates
from na64mu.typing import BoolArray, FloatArray

__all__ = ("blocks", "condensed", "fine_nodes", "gauss_hermite", "is_small", "quadrature")

logger = logging.getLogger(__name__)

#: Most parameters of a full grid, and those that are kept of more.
WHOLE, KEPT = 4, 3
#: Points of the quadrature for each parameter; fewer where that would make more than MAX_NODES in all.
POINTS = 21
MAX_NODES = 50_000
#: Points of the trapezoidal rule for each parameter, its range in standard deviations, and the fewest that it needs.
KINK_POINTS, KINK_RANGE, FEWEST_KINK_POINTS = 401, 8.0, 12
#: What is said where a cut-off Gaussian is averaged by Gauss-Hermite because the other rule would need too many nodes.
MISSED_KINK = "%d independent nuisance parameters with a Gaussian systematic that is cut off at zero are too many for the fine quadrature: the exact limit may be off by up to 3 per cent; make the large ones log-normal, or combine some"


def is_small(rates: Rates) -> bool:
    """Whether rates with the fewest parameters have few enough for a full grid."""
    return rates.exponents.shape[1] <= WHOLE


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


def quadrature(rates: Rates) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights for the average over the parameters of these rates.

    Parameters
    ----------
    rates : Rates
        Rates with the fewest parameters.

    Returns
    -------
    nodes, weights : FloatArray
        Shapes (n_nodes, n_parameters) and (n_nodes,).
    """
    n = rates.exponents.shape[1]
    points = _fine_points(n)
    if not _has_kink(rates):
        return gauss_hermite(n)
    if points < FEWEST_KINK_POINTS:
        logger.warning("%s", MISSED_KINK % n)
        return gauss_hermite(n)
    return _trapezoidal(n, points)


def _has_kink(rates: Rates) -> bool:
    """Whether a rate is cut off at zero within the range: the factor 1 + slopes @ theta is zero at 1 / |slopes| at the nearest."""
    return bool(np.sqrt(np.sum(rates.slopes**2, axis=1)).max(initial=0.0) * KINK_RANGE >= 1.0)


def fine_nodes(rates: Rates) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of the trapezoidal rule, which reach far into the tails, for rates with at most four parameters."""
    n = rates.exponents.shape[1]
    return _trapezoidal(n, _fine_points(n)) if n else gauss_hermite(0)


def _fine_points(n: int) -> int:
    return min(KINK_POINTS, int(MAX_NODES ** (1.0 / n) + 1e-9)) if n else 0


def _trapezoidal(n: int, points: int) -> tuple[FloatArray, FloatArray]:
    x = np.linspace(-KINK_RANGE, KINK_RANGE, points)
    w = np.exp(-0.5 * x**2)
    grid, weights = np.meshgrid(*[x] * n, indexing="ij"), np.meshgrid(*[w / w.sum()] * n, indexing="ij")
    return np.stack([g.ravel() for g in grid], axis=1), np.prod([g.ravel() for g in weights], axis=0)


def blocks(rates: Rates) -> list[Rates]:
    """Split rates into groups that share no nuisance parameter, each with the fewest parameters.

    Parameters
    ----------
    rates : Rates
        As they come from a model, one column for each nuisance parameter.

    Returns
    -------
    list of Rates
        Rates without any event are left out.
    """
    left = np.flatnonzero(rates.nominal > 0)
    moved = (rates.exponents != 0) | (rates.slopes != 0)
    fixed = left[~moved[left].any(axis=1)]
    found = [_chosen(rates, fixed)] if fixed.size else []
    left = np.setdiff1d(left, fixed)
    while left.size:
        inside, columns = left[:1], moved[left[0]]
        while True:
            grown = left[moved[np.ix_(left, columns)].any(axis=1)]
            if grown.size == inside.size:
                break
            inside, columns = grown, moved[grown].any(axis=0)
        found.append(_chosen(rates, inside))
        left = np.setdiff1d(left, inside)
    return [condensed(block.reduced()) for block in found]


def _chosen(rates: Rates, at: np.ndarray) -> Rates:
    return Rates(*(values[at] for values in rates))


def condensed(rates: Rates) -> Rates:
    """Replace many parameters by the few that matter for the summed signal and the summed background.

    The first directions are the gradients of the logarithms of both sums, the next one is the largest of the remaining covariance of the rates. The average
    over all others is taken in closed form, rate by rate: <exp(a theta) (1 + s theta)> = exp(a^2 / 2) (1 + a s).

    Parameters
    ----------
    rates : Rates
        Rates with the fewest parameters.

    Returns
    -------
    Rates
        The same for at most four parameters; otherwise with three.
    """
    if is_small(rates):
        return rates
    if _has_kink(rates):
        logger.warning("%s", MISSED_KINK % rates.exponents.shape[1])
    both = rates.exponents + rates.slopes
    kept: list[FloatArray] = []
    for kind in (rates.is_signal, ~rates.is_signal):
        _add(kept, _weights(rates, kind) @ both)
    rest = both * np.sqrt(_weights(rates, rates.is_signal) + _weights(rates, ~rates.is_signal))[:, None]
    while len(kept) < KEPT:
        for direction in kept:
            rest = rest - np.outer(rest @ direction, direction)
        _add(kept, np.linalg.svd(rest, full_matrices=False)[2][0])
    basis = np.stack(kept, axis=1)
    exponents, slopes = rates.exponents @ basis, rates.slopes @ basis
    lost = np.sum(rates.exponents**2, axis=1) - np.sum(exponents**2, axis=1)
    mixed = 1.0 + np.sum(rates.exponents * rates.slopes, axis=1) - np.sum(exponents * slopes, axis=1)
    return rates._replace(
        nominal=rates.nominal * np.exp(0.5 * np.maximum(lost, 0.0)) * mixed,
        exponents=np.ascontiguousarray(exponents),
        slopes=np.ascontiguousarray(slopes / mixed[:, None]),
    )


def _weights(rates: Rates, kind: BoolArray) -> FloatArray:
    """Share of every rate in the sum of its kind; zero for all where that has no events."""
    nominal = np.where(kind, rates.nominal, 0.0)
    total = float(nominal.sum())
    return nominal / total if total > 0.0 else nominal


def _add(kept: list[FloatArray], direction: FloatArray) -> None:
    """Add a direction, made orthonormal to those that are kept, unless it lies in their space."""
    size = float(np.linalg.norm(direction))
    for other in (*kept, *kept):  # twice is enough
        direction = direction - (other @ direction) * other
    rest = float(np.linalg.norm(direction))
    if rest > 1e-9 * size:
        kept.append(direction / rest)
