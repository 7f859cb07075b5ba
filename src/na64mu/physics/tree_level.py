r"""mu N -> mu N X at exact tree level: d^2 sigma / dx dcos with the angle of X or of the recoil muon.

x = 1 - E'/E (muon) or E_X / E (mediator): they differ by the recoil energy t / (2 M_N E) < 1e-4. Kinematics and phase space
of Liu, McKeen and Miller, arXiv:1609.06781, and Liu and Miller, arXiv:1705.01633; no approximation but one photon exchanged
and a spin-0 nucleus with `form_factor_squared`.

    d^2 sigma / dx dcos = alpha^2 alpha_X E |l| / (8 M_N^2 |p| |p - l|) int_{t_min}^{t_max} dt F^2(t) / t^2 <|A|^2>_phi,

l the momentum whose angle is kept, phi the angle of q around p - l. The average over phi is done analytically, the integral
over t by Gauss-Legendre quadrature in ln t. Errors of the quadratures: see `production`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from na64mu.physics.constants import ALPHA, MUON_MASS, PB_PER_GEV2
from na64mu.physics.mediator import Mediator, exact
from na64mu.physics.nucleus import FormFactor, _form_factor_squared, check_nucleus, mass_of, momentum_scales
from na64mu.typing import FloatArray

__all__ = ("dsigma_dx_dcos_mediator", "dsigma_dx_dcos_muon")

M2 = MUON_MASS**2
FIRST = 4.0  # e-folds of t above t_min where the integrand rises: nodes in the square root of ln(t / t_min)
BEYOND = 1e5  # in units of t_d; what lies above changes the integral by less than 1e-5
N_PANELS = 5
NODES, WEIGHTS = (0.5 * v for v in np.polynomial.legendre.leggauss(14))
NODES = NODES + 0.5  # on (0, 1)


@njit(cache=True, nogil=True)
def _t_range(momentum: float, virtuality: float, energy: float, rest: float, nucleus: float) -> tuple[float, float]:
    """Roots of |q|^2 = q_parallel^2: t_min and t_max; (0, 0) where there is no phase space.

    `momentum` is |p - l|, `virtuality` (p - l)^2 - rest^2 and `energy` E - E_l, where `rest` is the mass of what is not l.
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


@njit(cache=True, nogil=True)
def _panel(k: int, low: float, high: float, first: float, second: float, width: float) -> tuple[float, float, float]:
    """Panel k of the integral over ln t: where it starts, its length with sign, and the scale on which it opens.

    The integrand has peaks where X is collinear with the muon before (t near `first`) or after (`second`) the nucleus, of
    relative `width`: nodes condense there as v = origin + width sinh(xi).
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


@njit(cache=True, nogil=True)
def _node(place: float, origin: float, length: float, width: float) -> tuple[float, float]:
    """T at `place` in (0, 1) of a panel, and dt / dplace."""
    if width == 0.0:
        t = math.exp(origin + length * place * place)
        return t, 2.0 * t * length * place
    reach = math.asinh(abs(length) / width)
    t = math.exp(origin + math.copysign(width * math.sinh(reach * place), length))
    return t, t * width * reach * math.cosh(reach * place)


@njit(cache=True, nogil=True)
def _longest_transfer(t_max: float, z: float, a: float, form_factor: int) -> float:
    return min(t_max, BEYOND * momentum_scales(z, a)[1] if form_factor == 0 else 1e4)


@njit(cache=True, nogil=True)
def tree_mediator(
    x: float, theta: float, energy: float, mass: float, z: float, a: float, nucleus: float, mediator: int, form_factor: int
) -> float:
    """d^2 sigma / dx dcos(theta) for g = 1, for kernels; see `dsigma_dx_dcos_mediator`.

    Parameters
    ----------
    x, theta : float
        Energy fraction and angle of X [rad].
    energy, mass : float
        Of the muon and of X [GeV].
    z, a, nucleus : float
        Charge, mass number and mass [GeV] of the nucleus.
    mediator, form_factor : int
        A `Mediator` and a `FormFactor`.

    Returns
    -------
    float
        [GeV^-2].
    """
    x2, w = mass * mass, x * energy
    left = energy - w  # E' + t / 2M
    if w <= mass or left <= MUON_MASS:
        return 0.0
    p, k = math.sqrt(energy * energy - M2), math.sqrt(w * w - x2)
    one_minus_cos = 2.0 * math.sin(0.5 * theta) ** 2
    u = x2 - 2.0 * ((M2 * w * w + x2 * energy * energy - M2 * x2) / (energy * w + p * k) + p * k * one_minus_cos)
    v = math.sqrt((p - k) ** 2 + 2.0 * p * k * one_minus_cos)
    along, across = p * (p - k + k * one_minus_cos) / v, p * k * math.sin(theta) / v
    t_min, t_max = _t_range(v, u, left, MUON_MASS, nucleus)
    t_max = _longest_transfer(t_max, z, a, form_factor)
    if t_min <= 0.0 or t_min >= t_max:
        return 0.0
    total = 0.0
    chord = 2.0 * math.sin(0.5 * theta)
    width = 2.0 * math.sqrt(x2 * (1.0 - x) + M2 * x * x) / (x * p * chord)
    first = second = 2.0 * math.log(p * chord)
    origin, length, scale = 0.0, 0.0, 0.0
    for i in range(N_PANELS * NODES.size):
        if i % NODES.size == 0:
            origin, length, scale = _panel(i // NODES.size, math.log(t_min), math.log(t_max), first, second, width)
        if length == 0.0:
            continue
        t, weight = _node(NODES[i % NODES.size], origin, length, scale)
        weight *= WEIGHTS[i % NODES.size]
        q0 = -0.5 * t / nucleus
        q_along = 0.5 * (u + 2.0 * left * q0 - t) / v
        q_across = math.sqrt(max(t + q0 * q0 - q_along * q_along, 0.0))
        # s = c + d cos(phi): averages of 1/s and 1/s^2 in closed form
        c = 2.0 * (energy * q0 - along * q_along) - t
        d = 2.0 * across * q_across
        root = math.sqrt(c * c - d * d)
        r1 = 1.0 / root
        spread = d * d / ((c + root) * root**3)  # <1/s^2> - <1/s>^2
        r2 = r1 * r1 + spread
        before = 2.0 * nucleus * energy - 0.5 * t  # P.p + s/2
        after = 2.0 * nucleus * left - t + 0.5 * (t + u)  # P.p'
        step = before - after
        mean = before * r1 + after / u - 0.5
        amplitude = exact(
            mediator,
            4.0 * nucleus * nucleus + t,
            t,
            x2,
            c / u + u * r1,
            r1 / u,
            1.0 / u + r1,
            1.0 / (u * u) + r2,
            ((before * before + after * after) * r1 - before + 0.25 * c) / u,
            (step * step * r1 - step + 0.25 * c) / u,
            mean * mean + before * before * spread,
        )
        total += weight * _form_factor_squared(t, z, a, form_factor) / (t * t) * amplitude
    alpha_x = 0.25 / math.pi
    return max(ALPHA * ALPHA * alpha_x * energy * k / (8.0 * nucleus * nucleus * p * v) * total, 0.0)


@njit(cache=True, nogil=True)
def tree_muon(
    x: float, psi: float, energy: float, mass: float, z: float, a: float, nucleus: float, mediator: int, form_factor: int
) -> float:
    """d^2 sigma / dx dcos(psi) for g = 1, for kernels; see `dsigma_dx_dcos_muon`.

    Parameters
    ----------
    x, psi : float
        1 - E'/E and angle of the recoil muon [rad].
    energy, mass : float
        Of the muon and of X [GeV].
    z, a, nucleus : float
        Charge, mass number and mass [GeV] of the nucleus.
    mediator, form_factor : int
        A `Mediator` and a `FormFactor`.

    Returns
    -------
    float
        [GeV^-2].
    """
    x2, w = mass * mass, x * energy  # w = E_X + t / 2M
    out = energy - w
    if w <= mass or out <= MUON_MASS:
        return 0.0
    p, l = math.sqrt(energy * energy - M2), math.sqrt(out * out - M2)  # noqa: E741
    one_minus_cos = 2.0 * math.sin(0.5 * psi) ** 2
    step = w * (energy + out) / (p + l)  # |p| - |p'|
    # t_2 - M^2, in a form without cancellation
    tt = -M2 * (w * w + step * step) / (energy * out + p * l) - 2.0 * p * l * one_minus_cos - x2
    v = math.sqrt(step * step + 2.0 * p * l * one_minus_cos)
    along, across = l * (step - p * one_minus_cos) / v, p * l * math.sin(psi) / v
    t_min, t_max = _t_range(v, tt, w, mass, nucleus)
    t_max = _longest_transfer(t_max, z, a, form_factor)
    if t_min <= 0.0 or t_min >= t_max:
        return 0.0
    total = 0.0
    chord = 2.0 * math.sin(0.5 * psi)
    width = 2.0 * math.sqrt(x2 * (1.0 - x) + M2 * x * x) / (p * chord)
    first, second = 2.0 * math.log(l * chord), 2.0 * math.log(p * chord)
    origin, length, scale = 0.0, 0.0, 0.0
    for i in range(N_PANELS * NODES.size):
        if i % NODES.size == 0:
            origin, length, scale = _panel(i // NODES.size, math.log(t_min), math.log(t_max), first, second, width)
        if length == 0.0:
            continue
        t, weight = _node(NODES[i % NODES.size], origin, length, scale)
        weight *= WEIGHTS[i % NODES.size]
        q0 = -0.5 * t / nucleus
        q_along = 0.5 * (tt + 2.0 * w * q0 - t) / v
        q_across = math.sqrt(max(t + q0 * q0 - q_along * q_along, 0.0))
        # -u = c1 + d cos(phi), s = c2 + d cos(phi): averages in closed form, written so that nothing cancels for small d
        c1 = 2.0 * (out * q0 - along * q_along) + t
        c2 = c1 - tt - t
        d = 2.0 * across * q_across
        w1, w2 = math.sqrt(c1 * c1 - d * d), math.sqrt(c2 * c2 - d * d)
        ru, rs = -1.0 / w1, 1.0 / w2  # <1/u>, <1/s>
        product = -(c1 + c2) / (w1 * w2 * (w1 + w2))
        spread_u, spread_s = d * d / ((c1 + w1) * w1**3), d * d / ((c2 + w2) * w2**3)
        common = d * d * (1.0 / (c1 + w1) + 1.0 / (c2 + w2)) / (w1 * w2 * (w1 + w2))  # <1/s><1/u> - <1/su>
        before = 2.0 * nucleus * energy - 0.5 * t  # P.p + s/2
        after = 2.0 * nucleus * out + 0.5 * t  # P.p' - u/2
        total_su = -tt - t  # s + u
        step = before - after - 0.5 * total_su
        mean = before * rs + after * ru
        s_u, u_s = total_su * ru - 1.0, total_su * rs - 1.0  # <s/u>, <u/s>
        amplitude = exact(
            mediator,
            4.0 * nucleus * nucleus + t,
            t,
            x2,
            s_u + u_s,
            product,
            rs + ru,
            rs * rs + ru * ru + spread_s + spread_u,
            (before * before + after * after) * product - before * ru + after * rs + 0.25 * (s_u + u_s),
            step * step * product,
            mean * mean + before * before * spread_s + after * after * spread_u - 2.0 * before * after * common,
        )
        total += weight * _form_factor_squared(t, z, a, form_factor) / (t * t) * amplitude
    alpha_x = 0.25 / math.pi
    return max(ALPHA * ALPHA * alpha_x * energy * l / (8.0 * nucleus * nucleus * p * v) * total, 0.0)


@njit(cache=True, nogil=True)
def _mediator_values(x: FloatArray, angle: FloatArray, parameters: FloatArray, mediator: int, form_factor: int, out: FloatArray) -> None:
    for i in range(x.size):
        energy, mass, z, a, nucleus = parameters
        out[i] = tree_mediator(x[i], angle[i], energy, mass, z, a, nucleus, mediator, form_factor)


@njit(cache=True, nogil=True)
def _muon_values(x: FloatArray, angle: FloatArray, parameters: FloatArray, mediator: int, form_factor: int, out: FloatArray) -> None:
    for i in range(x.size):
        energy, mass, z, a, nucleus = parameters
        out[i] = tree_muon(x[i], angle[i], energy, mass, z, a, nucleus, mediator, form_factor)


def dsigma_dx_dcos_mediator(
    x: FloatArray,
    theta: FloatArray,
    energy: float,
    mass: float,
    coupling: float,
    z: float,
    a: float,
    mediator: Mediator = Mediator.VECTOR,
    form_factor: FormFactor = FormFactor.ELASTIC,
) -> FloatArray:
    r"""d^2 sigma / dx dcos(theta) at tree level, with the angle theta of X.

    Source: module docstring; |A|^2 in `mediator.exact`. Valid for every x and theta that the kinematics allow, zero elsewhere.

    Parameters
    ----------
    x, theta : FloatArray
        E_X / E and angle of X [rad], broadcast together.
    energy, mass : float
        Energy of the muon and mass of X [GeV].
    coupling : float
        g.
    z, a : float
        Of the nucleus.
    mediator : Mediator
        Spin and parity of X.
    form_factor : FormFactor
        Which responses of the nucleus.

    Returns
    -------
    FloatArray
        [pb].
    """
    check_nucleus(z, a)
    xs, angles = (
        np.ascontiguousarray(v) for v in np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(theta, dtype=np.float64))
    )
    out = np.empty_like(xs)
    parameters = np.array([energy, mass, z, a, mass_of(a)])
    _mediator_values(xs.ravel(), angles.ravel(), parameters, int(mediator), int(form_factor), out.reshape(-1))
    return out * coupling**2 * PB_PER_GEV2


def dsigma_dx_dcos_muon(
    x: FloatArray,
    psi: FloatArray,
    energy: float,
    mass: float,
    coupling: float,
    z: float,
    a: float,
    mediator: Mediator = Mediator.VECTOR,
    form_factor: FormFactor = FormFactor.ELASTIC,
) -> FloatArray:
    r"""d^2 sigma / dx dcos(psi) at tree level, with the recoil angle psi of the muon.

    Source: module docstring; |A|^2 in `mediator.exact`. Valid for every x and psi that the kinematics allow, zero elsewhere.

    Parameters
    ----------
    x, psi : FloatArray
        1 - E'/E and angle of the muon [rad], broadcast together.
    energy, mass : float
        Energy of the muon and mass of X [GeV].
    coupling : float
        g.
    z, a : float
        Of the nucleus.
    mediator : Mediator
        Spin and parity of X.
    form_factor : FormFactor
        Which responses of the nucleus.

    Returns
    -------
    FloatArray
        [pb].
    """
    check_nucleus(z, a)
    xs, angles = (np.ascontiguousarray(v) for v in np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(psi, dtype=np.float64)))
    out = np.empty_like(xs)
    parameters = np.array([energy, mass, z, a, mass_of(a)])
    _muon_values(xs.ravel(), angles.ravel(), parameters, int(mediator), int(form_factor), out.reshape(-1))
    return out * coupling**2 * PB_PER_GEV2
