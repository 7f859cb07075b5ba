"""The squared matrix elements against explicit Dirac traces."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from na64mu.physics.constants import MUON_MASS
from na64mu.physics.mediator import Mediator, exact, reduced

M2 = MUON_MASS**2
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
ZERO, ONE = np.zeros((2, 2)), np.eye(2)
GAMMA = np.array([np.block([[ONE, ZERO], [ZERO, -ONE]]), *(np.block([[ZERO, s], [-s, ZERO]]) for s in PAULI)])
GAMMA5 = 1j * GAMMA[0] @ GAMMA[1] @ GAMMA[2] @ GAMMA[3]
UNIT = np.eye(4)

Array = np.ndarray[Any, Any]


def dot(a: Array, b: Array) -> float:
    return float(a @ METRIC @ b)


def slash(a: Array) -> Array:
    return np.einsum("m,mij->ij", METRIC @ a, GAMMA)


def boosted(a: Array, frame: Array) -> Array:
    """A four-vector of the rest frame of `frame`, seen where `frame` is."""
    mass = math.sqrt(dot(frame, frame))
    along = float(a[1:] @ frame[1:])
    energy = (a[0] * frame[0] + along) / mass
    return np.array([energy, *(a[1:] + frame[1:] * (a[0] + energy) / (frame[0] + mass))])


def decay(frame: Array, first: float, second: float, cosine: float, phi: float) -> tuple[Array, Array]:
    """Two bodies from `frame`, at given angles in its rest frame."""
    mass = math.sqrt(dot(frame, frame))
    energy = (mass**2 + first**2 - second**2) / (2.0 * mass)
    momentum = math.sqrt(energy**2 - first**2)
    sine = math.sqrt(1.0 - cosine**2)
    direction = np.array([sine * math.cos(phi), sine * math.sin(phi), cosine])
    one = np.array([energy, *(momentum * direction)])
    return boosted(one, frame), boosted(np.array([mass - energy, *(-momentum * direction)]), frame)


def event(mass: float, nucleus: float, energy: float, seed: int) -> tuple[Array, Array, Array, Array, Array]:
    """Momenta p, p', k, P_i, P_f of a random event, mostly forward."""
    rng = np.random.default_rng(seed)
    p = np.array([energy, 0.0, 0.0, math.sqrt(energy**2 - M2)])
    before = np.array([nucleus, 0.0, 0.0, 0.0])
    total = p + before
    light = rng.uniform(1.05, 2.0) * (mass + MUON_MASS)
    pair, after = decay(total, light, nucleus, 1.0 - 10.0 ** rng.uniform(-4.0, 0.0), rng.uniform(0.0, 6.0))
    out, k = decay(pair, MUON_MASS, mass, rng.uniform(-1.0, 1.0), rng.uniform(0.0, 6.0))
    return p, out, k, before, after


def polarisations(k: Array, mass: float) -> list[Array]:
    """Three orthonormal polarisations of a boson of momentum k."""
    length = np.linalg.norm(k[1:])
    n = k[1:] / length
    first = np.cross(n, [0.0, 1.0, 0.0])
    first /= np.linalg.norm(first)
    second = np.cross(n, first)
    return [np.array([0.0, *first]), np.array([0.0, *second]), np.array([length / mass, *(k[0] / mass * n)])]


def vertices(mediator: Mediator, k: Array, mass: float) -> list[Array]:
    if mediator is Mediator.SCALAR:
        return [UNIT]
    if mediator is Mediator.PSEUDOSCALAR:
        return [1j * GAMMA5]
    right = UNIT if mediator is Mediator.VECTOR else GAMMA5
    return [slash(e) @ right for e in polarisations(k, mass)]


def from_traces(mediator: Mediator, mass: float, momenta: tuple[Array, ...]) -> float:
    """Half the sum over spins of |ubar(p') [V (p' + k + m) P / s + P (p - k + m) V / u] u(p)|^2."""
    p, out, k, before, after = momenta
    nucleus = slash(before + after)
    s, u = dot(out + k, out + k) - M2, dot(p - k, p - k) - M2
    total = 0.0
    for vertex in vertices(mediator, k, mass):
        inner = vertex @ (slash(out + k) + MUON_MASS * UNIT) @ nucleus / s + nucleus @ (slash(p - k) + MUON_MASS * UNIT) @ vertex / u
        conjugate = GAMMA[0] @ inner.conj().T @ GAMMA[0]
        trace = np.trace((slash(out) + MUON_MASS * UNIT) @ inner @ (slash(p) + MUON_MASS * UNIT) @ conjugate)
        total += 0.5 * trace.real
    return total


def from_invariants(mediator: Mediator, mass: float, momenta: tuple[Array, ...]) -> float:
    p, out, k, before, after = momenta
    big, q = before + after, before - after
    t, s, u = -dot(q, q), dot(out + k, out + k) - M2, dot(p - k, p - k) - M2
    pp, po = dot(big, p), dot(big, out)
    product = 1.0 / (s * u)
    return float(
        exact(
            int(mediator),
            dot(big, big),
            t,
            mass**2,
            (s * s + u * u) * product,
            product,
            1.0 / s + 1.0 / u,
            1.0 / s**2 + 1.0 / u**2,
            (pp * pp + po * po) * product,
            (pp - po) ** 2 * product,
            (pp / s + po / u) ** 2,
        )
    )


@pytest.mark.parametrize("mediator", Mediator)
@pytest.mark.parametrize("mass", [0.02, 0.15, 1.0])
def test_exact_matrix_element_is_the_trace(mediator: Mediator, mass: float) -> None:
    # a light nucleus and a moderate energy, so that the traces keep their digits
    for seed in range(12):
        momenta = event(mass, 3.0, 5.0, seed)
        p, out, k, before, after = momenta
        assert np.allclose(p + before, out + k + after, rtol=0.0, atol=1e-12)
        assert from_invariants(mediator, mass, momenta) == pytest.approx(from_traces(mediator, mass, momenta), rel=1e-6)


def test_scalar_and_pseudoscalar_agree_when_the_muon_is_light_against_them() -> None:
    for x in (0.1, 0.5, 0.9):
        scalar, pseudo = (reduced(int(kind), x, 100.0**2) for kind in (Mediator.SCALAR, Mediator.PSEUDOSCALAR))
        assert scalar == pytest.approx(pseudo, rel=1e-4)
        vector, axial = (reduced(int(kind), x, 100.0**2) for kind in (Mediator.VECTOR, Mediator.AXIAL))
        assert vector == pytest.approx(axial, rel=1e-4)


def test_axial_of_small_mass_is_a_pseudoscalar_of_coupling_2m_over_mass() -> None:
    # the longitudinal mode: sigma_A -> (2 m / M)^2 sigma_P
    for x in (0.2, 0.8):
        a, b = reduced(int(Mediator.AXIAL), x, 1e-8)
        c, _ = reduced(int(Mediator.PSEUDOSCALAR), x, 1e-8)
        assert a / (4.0 * M2 / 1e-8) == pytest.approx(c, rel=1e-3)
        assert b == pytest.approx(-16.0 * M2, rel=1e-5)
