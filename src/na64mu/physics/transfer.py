r"""The integral over the momentum transfer t = -q^2 to the nucleus [GeV^2]: its range and nodes, for kernels.

Gauss-Legendre in ln t in five panels: above t_min, where the integrand rises, and on both sides of the two transfers at which X is
collinear with the muon before or after the nucleus, which are narrow for a light X.
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.physics.nucleus import momentum_scales

__all__ = ("NODES", "N_PANELS", "WEIGHTS", "longest_transfer", "node", "panel", "t_range")

FIRST = 4.0  # e-folds of t above t_min where the integrand rises: nodes in the square root of ln(t / t_min)
BEYOND = 1e5  # in units of t_d; what lies above changes the integral by less than 1e-5
N_PANELS = 5
NODES, WEIGHTS = (0.5 * v for v in np.polynomial.legendre.leggauss(14))
NODES = NODES + 0.5  # on (0, 1)


@general_kernel
def t_range(momentum: float, virtuality: float, energy: float, rest: float, nucleus: float) -> tuple[float, float]:
    """Roots of |q|^2 = q_parallel^2, the range of t when the momentum l of one of the two outgoing particles is given.

    Parameters
    ----------
    momentum : float
        |p - l| [GeV].
    virtuality : float
        (p - l)^2 - rest^2 [GeV^2].
    energy : float
        E - E_l [GeV].
    rest : float
        Mass of the other outgoing particle [GeV].
    nucleus : float
        Mass of the nucleus [GeV].

    Returns
    -------
    tuple of float
        t_min and t_max [GeV^2]; zeros where there is no phase space.
    """
    b0 = 1.0 + energy / nucleus
    v2 = momentum * momentum
    a = 0.25 / (nucleus * nucleus) - 0.25 * b0 * b0 / v2
    b = 1.0 + 0.5 * virtuality * b0 / v2
    c = -0.25 * virtuality * virtuality / v2
    discriminant = b * b - 4.0 * a * c
    if b <= 0.0 or discriminant <= 0.0 or a >= 0.0:
        return 0.0, 0.0
    root = b + math.sqrt(discriminant)
    # what is not l has the energy E - E_l - t / 2M
    return -2.0 * c / root, min(-0.5 * root / a, 2.0 * nucleus * (energy - rest))


@general_kernel
def panel(k: int, low: float, high: float, first: float, second: float, width: float) -> tuple[float, float, float]:
    """Panel k of the integral over ln t; nodes condense at the peaks as ln t = origin + width sinh(xi).

    Parameters
    ----------
    k : int
        Below N_PANELS.
    low, high : float
        ln t_min and ln t_max.
    first, second : float
        ln t of the peaks: X collinear with the muon before and after the nucleus.
    width : float
        Width of the peaks, relative in t.

    Returns
    -------
    tuple of float
        Origin in ln t, length with sign, and the scale on which the panel opens (0: with the square).
    """
    start = min(low + FIRST, high)
    if k == 0:
        return low, start - low, 0.0
    if not start < first < high or width > 1.0:
        width = 1.0
    left = min(max(first, start), high)
    right = min(max(second, left), high)
    middle = 0.5 * (left + right)
    if k == 1:
        return left, start - left, width
    if k == 2:
        return left, middle - left, width
    if k == 3:
        return right, middle - right, width
    return right, high - right, width


@general_kernel
def node(place: float, origin: float, length: float, width: float) -> tuple[float, float]:
    """A point of a panel.

    Parameters
    ----------
    place : float
        Between 0 and 1.
    origin, length, width : float
        Origin in ln t, signed length, and scale of the panel, as `panel` returns them.

    Returns
    -------
    tuple of float
        t and dt / dplace [GeV^2].
    """
    if width == 0.0:
        t = math.exp(origin + length * place * place)
        return t, 2.0 * t * length * place
    reach = math.asinh(abs(length) / width)
    up = math.exp(reach * place)
    sinh, cosh = 0.5 * (up - 1.0 / up), 0.5 * (up + 1.0 / up)
    t = math.exp(origin + math.copysign(width * sinh, length))
    return t, t * width * reach * cosh


@general_kernel
def longest_transfer(t_max: float, z: float, a: float, form_factor: int) -> float:
    """The largest t that counts: beyond, the form factor leaves less than 1e-5 of the integral.

    Parameters
    ----------
    t_max : float
        Kinematic limit of t [GeV^2].
    z, a : float
        Charge number and mass number of the nucleus.
    form_factor : int
        A `FormFactor`.

    Returns
    -------
    float
        [GeV^2].
    """
    return min(t_max, BEYOND * momentum_scales(z, a)[1] if form_factor == 0 else 1e4)
