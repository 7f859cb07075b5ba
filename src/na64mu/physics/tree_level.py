r"""mu N -> mu N X at exact tree level: d^2 sigma / dx dcos with the angle of X or of the recoil muon.

x = 1 - E'/E (muon) or E_X / E (mediator): they differ by the recoil energy t / (2 M_N E) < 1e-4. Kinematics and phase space
of Liu, McKeen and Miller, arXiv:1609.06781, and Liu and Miller, arXiv:1705.01633; no approximation but one photon exchanged
and a spin-0 nucleus with `form_factor_squared`.

    d^2 sigma / dx dcos = alpha^2 alpha_X E |l| / (8 M_N^2 |p| |p - l|) int_{t_min}^{t_max} dt F^2(t) / t^2 <|A|^2>_phi,

l the momentum whose angle is kept, phi the angle of q around p - l. The average over phi is done analytically, the integral
over t by the quadrature of `transfer`. Errors: see `cross_section`.
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.common.arguments import choice, number, numbers
from na64mu.compiled.kernel import general_kernel
from na64mu.physics.bosons import Mediator
from na64mu.physics.constants import ALPHA, MUON_MASS, PB_PER_GEV2
from na64mu.physics.mediator import exact
from na64mu.physics.nucleus import FormFactor, check_nucleus, form_factor_at, mass_of, momentum_scales
from na64mu.physics.transfer import N_PANELS, NODES, WEIGHTS, longest_transfer, node, panel, t_range
from na64mu.typing import FloatArray

__all__ = ("dsigma_dx_dcos_mediator", "dsigma_dx_dcos_muon")

M2 = MUON_MASS**2
ALPHA_X = 0.25 / math.pi  # of g = 1
SMALLEST_CHORD = 1e-12  # 2 sin(angle / 2), where the peaks of the integrand in t are looked for


@general_kernel
def _with_fixed_u(mediator: int, nucleus: float, t: float, x2: float, u: float, c: float, d: float, before: float, after: float) -> float:
    """<|A|^2> over phi where s = c + d cos(phi) and u is fixed; before = P.p + s/2, after = P.p'."""
    root = math.sqrt(c * c - d * d)
    r1 = 1.0 / root  # <1/s>
    spread = d * d / ((c + root) * root**3)  # <1/s^2> - <1/s>^2
    step = before - after
    mean = before * r1 + after / u - 0.5
    return exact(
        mediator,
        4.0 * nucleus * nucleus + t,
        t,
        x2,
        c / u + u * r1,
        r1 / u,
        1.0 / u + r1,
        1.0 / (u * u) + r1 * r1 + spread,
        ((before * before + after * after) * r1 - before + 0.25 * c) / u,
        (step * step * r1 - step + 0.25 * c) / u,
        mean * mean + before * before * spread,
    )


@general_kernel
def _with_fixed_sum(
    mediator: int, nucleus: float, t: float, x2: float, total: float, c1: float, d: float, before: float, after: float
) -> float:
    """<|A|^2> over phi where -u = c1 + d cos(phi) and s + u = total is fixed; before = P.p + s/2, after = P.p' - u/2.

    Written so that nothing cancels for small d.
    """
    c2 = c1 + total
    w1, w2 = math.sqrt(c1 * c1 - d * d), math.sqrt(c2 * c2 - d * d)
    ru, rs = -1.0 / w1, 1.0 / w2  # <1/u>, <1/s>
    product = -(c1 + c2) / (w1 * w2 * (w1 + w2))  # <1/su>
    spread_u, spread_s = d * d / ((c1 + w1) * w1**3), d * d / ((c2 + w2) * w2**3)
    common = d * d * (1.0 / (c1 + w1) + 1.0 / (c2 + w2)) / (w1 * w2 * (w1 + w2))  # <1/s><1/u> - <1/su>
    step = before - after - 0.5 * total
    mean = before * rs + after * ru
    ratio = total * (ru + rs) - 2.0  # <s/u + u/s>
    return exact(
        mediator,
        4.0 * nucleus * nucleus + t,
        t,
        x2,
        ratio,
        product,
        rs + ru,
        rs * rs + ru * ru + spread_s + spread_u,
        (before * before + after * after) * product - before * ru + after * rs + 0.25 * ratio,
        step * step * product,
        mean * mean + before * before * spread_s + after * after * spread_u - 2.0 * before * after * common,
    )


@general_kernel
def tree_mediator(
    x: float, theta: float, energy: float, mass: float, z: float, a: float, nucleus: float, mediator: int, form_factor: int
) -> float:
    """d^2 sigma / dx dcos(theta) for g = 1, for kernels; see `dsigma_dx_dcos_mediator`.

    Parameters
    ----------
    x, theta : float
        Energy fraction and angle of X [rad].
    energy, mass : float
        Energy of the muon and mass of X [GeV].
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
    t_min, t_max = t_range(v, u, left, MUON_MASS, nucleus)
    t_max = longest_transfer(t_max, z, a, form_factor)
    if t_min <= 0.0 or t_min >= t_max:
        return 0.0
    screening, size, inner = momentum_scales(z, a)
    total = 0.0
    chord = max(2.0 * math.sin(0.5 * theta), SMALLEST_CHORD)
    width = 2.0 * math.sqrt(x2 * (1.0 - x) + M2 * x * x) / (x * p * chord)
    first = second = 2.0 * math.log(p * chord)
    origin, length, scale = 0.0, 0.0, 0.0
    for i in range(N_PANELS * NODES.size):
        if i % NODES.size == 0:
            origin, length, scale = panel(i // NODES.size, math.log(t_min), math.log(t_max), first, second, width)
        if length == 0.0:
            continue
        t, weight = node(NODES[i % NODES.size], origin, length, scale)
        weight *= WEIGHTS[i % NODES.size]
        q0 = -0.5 * t / nucleus
        q_along = 0.5 * (u + 2.0 * left * q0 - t) / v
        q_across = math.sqrt(max(t + q0 * q0 - q_along * q_along, 0.0))
        c = 2.0 * (energy * q0 - along * q_along) - t
        d = 2.0 * across * q_across
        before = 2.0 * nucleus * energy - 0.5 * t
        after = 2.0 * nucleus * left - t + 0.5 * (t + u)
        amplitude = _with_fixed_u(mediator, nucleus, t, x2, u, c, d, before, after)
        total += weight * form_factor_at(t, z, screening, size, inner, form_factor) / (t * t) * amplitude
    return max(ALPHA * ALPHA * ALPHA_X * energy * k / (8.0 * nucleus * nucleus * p * v) * total, 0.0)


@general_kernel
def tree_muon(
    x: float, psi: float, energy: float, mass: float, z: float, a: float, nucleus: float, mediator: int, form_factor: int
) -> float:
    """d^2 sigma / dx dcos(psi) for g = 1, for kernels; see `dsigma_dx_dcos_muon`.

    Parameters
    ----------
    x, psi : float
        1 - E'/E and angle of the recoil muon [rad].
    energy, mass : float
        Energy of the muon and mass of X [GeV].
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
    t_min, t_max = t_range(v, tt, w, mass, nucleus)
    t_max = longest_transfer(t_max, z, a, form_factor)
    if t_min <= 0.0 or t_min >= t_max:
        return 0.0
    screening, size, inner = momentum_scales(z, a)
    total = 0.0
    chord = max(2.0 * math.sin(0.5 * psi), SMALLEST_CHORD)
    width = 2.0 * math.sqrt(x2 * (1.0 - x) + M2 * x * x) / (p * chord)
    first, second = 2.0 * math.log(l * chord), 2.0 * math.log(p * chord)
    origin, length, scale = 0.0, 0.0, 0.0
    for i in range(N_PANELS * NODES.size):
        if i % NODES.size == 0:
            origin, length, scale = panel(i // NODES.size, math.log(t_min), math.log(t_max), first, second, width)
        if length == 0.0:
            continue
        t, weight = node(NODES[i % NODES.size], origin, length, scale)
        weight *= WEIGHTS[i % NODES.size]
        q0 = -0.5 * t / nucleus
        q_along = 0.5 * (tt + 2.0 * w * q0 - t) / v
        q_across = math.sqrt(max(t + q0 * q0 - q_along * q_along, 0.0))
        c1 = 2.0 * (out * q0 - along * q_along) + t
        d = 2.0 * across * q_across
        before = 2.0 * nucleus * energy - 0.5 * t
        after = 2.0 * nucleus * out + 0.5 * t
        amplitude = _with_fixed_sum(mediator, nucleus, t, x2, -tt - t, c1, d, before, after)
        total += weight * form_factor_at(t, z, screening, size, inner, form_factor) / (t * t) * amplitude
    return max(ALPHA * ALPHA * ALPHA_X * energy * l / (8.0 * nucleus * nucleus * p * v) * total, 0.0)


@general_kernel
def _values(muon: bool, x: FloatArray, angle: FloatArray, parameters: FloatArray, mediator: int, form_factor: int, out: FloatArray) -> None:
    energy, mass, z, a, nucleus = parameters
    for i in range(x.size):
        if muon:
            out[i] = tree_muon(x[i], angle[i], energy, mass, z, a, nucleus, mediator, form_factor)
        else:
            out[i] = tree_mediator(x[i], angle[i], energy, mass, z, a, nucleus, mediator, form_factor)


def _evaluate(
    muon: bool, x: FloatArray, angle: FloatArray, parameters: tuple[float, ...], mediator: Mediator | str, form_factor: FormFactor | str
) -> FloatArray:
    mediator, form_factor = choice(mediator, Mediator, "mediator"), choice(form_factor, FormFactor, "form_factor")
    energy, mass, z, a = parameters
    check_nucleus(z, a)
    energy, mass = number(energy, "energy [GeV]", above=0.0), number(mass, "mass [GeV]", above=0.0)
    xs, angles = (np.array(v) for v in np.broadcast_arrays(numbers(x, "x"), numbers(angle, "angle [rad]")))
    out = np.empty(xs.size)
    setting = np.array([energy, mass, z, a, mass_of(a)], dtype=np.float64)
    _values(muon, xs.ravel(), angles.ravel(), setting, int(mediator), int(form_factor), out)
    return out.reshape(xs.shape)


def dsigma_dx_dcos_mediator(
    x: FloatArray,
    theta: FloatArray,
    energy: float,
    mass: float,
    coupling: float,
    z: float,
    a: float,
    mediator: Mediator | str = Mediator.VECTOR,
    form_factor: FormFactor | str = FormFactor.ELASTIC,
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
        Charge number and mass number of the nucleus.
    mediator : Mediator or str
        Spin and parity of X.
    form_factor : FormFactor or str
        Responses of the nucleus that are included.

    Returns
    -------
    FloatArray
        [pb].

    Raises
    ------
    ArgumentError
        If a number makes no sense, or a choice is unknown.
    """
    values = _evaluate(False, x, theta, (energy, mass, z, a), mediator, form_factor)
    return values * number(coupling, "coupling") ** 2 * PB_PER_GEV2


def dsigma_dx_dcos_muon(
    x: FloatArray,
    psi: FloatArray,
    energy: float,
    mass: float,
    coupling: float,
    z: float,
    a: float,
    mediator: Mediator | str = Mediator.VECTOR,
    form_factor: FormFactor | str = FormFactor.ELASTIC,
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
        Charge number and mass number of the nucleus.
    mediator : Mediator or str
        Spin and parity of X.
    form_factor : FormFactor or str
        Responses of the nucleus that are included.

    Returns
    -------
    FloatArray
        [pb].

    Raises
    ------
    ArgumentError
        If a number makes no sense, or a choice is unknown.
    """
    values = _evaluate(True, x, psi, (energy, mass, z, a), mediator, form_factor)
    return values * number(coupling, "coupling") ** 2 * PB_PER_GEV2
