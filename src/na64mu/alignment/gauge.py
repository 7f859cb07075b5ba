"""What tracks cannot see is taken from the survey, so that a few modules that are far off do not pull the others along.

Tracks tell the displacements d of all modules up to the common movements F a that they do not constrain. The survey says that
most modules are where the description has them: a minimises sum rho((d + F a) / s). A square would share the displacement of one module among all;
the absolute value does not (it starts), and the logarithm of Student's t with the width that the displacements have (it ends) is as good as the
square where all modules are displaced alike.

References
----------
K. L. Lange, R. J. A. Little, J. M. G. Taylor, J. Am. Stat. Assoc. 84 (1989) 881 (Student's t, by reweighting).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from na64mu.typing import FloatArray, IntArray

__all__ = ("Gauge", "least_absolute", "robust_gauge")

FREEDOM = 3.0  # degrees of freedom of Student's t
LEAST_WIDTH = 0.02  # of the survey error: no module is known better without a track
ROUNDS = 100
NORMAL = 1.4826  # standard deviation of a Gaussian per median of its absolute values


@dataclass(frozen=True)
class Gauge:
    """A choice of the common movements.

    Attributes
    ----------
    amplitude : FloatArray
        Amplitude of every held direction, shape (n_held,).
    precision : FloatArray
        What the survey knows of every parameter with the weights of the solution, in units of 1 / survey^2, shape (g,).
    """

    amplitude: FloatArray
    precision: FloatArray


def least_absolute(values: FloatArray, movements: FloatArray) -> FloatArray:
    """Amplitudes a that minimise sum |values + movements a|.

    Parameters
    ----------
    values : FloatArray
        Shape (g,).
    movements : FloatArray
        Shape (g, k).

    Returns
    -------
    FloatArray
        Shape (k,).
    """
    g, k = movements.shape
    cost = np.concatenate([np.zeros(k), np.ones(2 * g)])
    equal = np.hstack([movements, -np.eye(g), np.eye(g)])
    found = linprog(cost, A_eq=equal, b_eq=-values, bounds=[(None, None)] * k + [(0.0, None)] * (2 * g), method="highs")
    if found.status != 0:
        return np.asarray(-np.linalg.lstsq(movements, values, rcond=None)[0], dtype=np.float64)
    return np.asarray(found.x[:k], dtype=np.float64)


def robust_gauge(values: FloatArray, movements: FloatArray, kinds: IntArray) -> Gauge:
    """Common movements under which the survey is right for as many parameters as possible.

    Parameters
    ----------
    values : FloatArray
        Displacements that the tracks tell, in units of the survey error, shape (g,).
    movements : FloatArray
        Change of every parameter per unit of a held direction, in the same units, shape (g, n_held).
    kinds : IntArray
        Kind of every parameter: those of a kind (shifts in x, shifts in y, rotations) have one width, shape (g,).

    Returns
    -------
    Gauge
        Amplitudes and weights.
    """
    if not movements.shape[1]:
        return Gauge(np.zeros(0), np.ones_like(values))
    amplitude = least_absolute(values, movements)
    width = _widths(values + movements @ amplitude, movements, kinds)
    weight = np.ones_like(values)
    for _ in range(ROUNDS):
        off = (values + movements @ amplitude) / width
        weight = (FREEDOM + 1.0) / (FREEDOM + off**2) / width**2
        normal = movements.T @ (weight[:, None] * movements)
        new = -np.linalg.solve(normal + 1e-12 * np.eye(len(normal)) * np.trace(normal), movements.T @ (weight * values))
        if np.max(np.abs(new - amplitude)) < 1e-6:
            amplitude = new
            break
        amplitude = new
    # what is claimed is never more than what the survey says: that few displacements are seen may be a common movement that hides them.
    # What is far off in spite of it counts less.
    width = np.maximum(width, 1.0)
    off = (values + movements @ amplitude) / width
    precision = np.minimum(1.0, (FREEDOM + 1.0) / (FREEDOM + off**2)) / width**2
    return Gauge(amplitude, precision)


def _widths(off: FloatArray, movements: FloatArray, kinds: IntArray) -> FloatArray:
    """Width of the displacements of every kind of parameter, in units of the survey error: from the displacements themselves."""
    width = np.ones_like(off)
    for kind in np.unique(kinds):
        own = kinds == kind
        taken = np.linalg.matrix_rank(movements[own], tol=1e-3)  # as many displacements are exactly 0 under the least absolute value
        rest = np.sort(np.abs(off[own]))[taken:]
        if len(rest):
            width[own] = max(NORMAL * float(np.median(rest)), LEAST_WIDTH)
    return width
