from __future__ import annotations

import math

import numpy as np
import pytest

from na64mu.physics.bosons import Mediator
from na64mu.physics.cross_section import Method, x_nodes, x_range
from na64mu.physics.nucleus import FormFactor
from na64mu.physics.tree_level import dsigma_dx_dcos_mediator, dsigma_dx_dcos_muon

LEAD = (82.0, 207.2)
MUON = 0.1056583755
NODES, WEIGHTS = np.polynomial.legendre.leggauss(120)


def angles(scale2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angles and weights of dcos, logarithmic around a scale."""
    low, high = np.log(1e-6 * scale2), np.minimum(np.log(1e7 * scale2), 2.0 * math.log(math.pi))
    half = 0.5 * (high - low)
    angle = np.exp(0.5 * (low[..., None] + half[..., None] * (NODES + 1.0)))
    return angle, WEIGHTS * half[..., None] * 0.5 * angle * np.sin(angle)


def over_theta(x: np.ndarray, mass: float, mediator: Mediator) -> np.ndarray:
    theta, weights = angles((mass**2 * (1.0 - x) / x**2 + MUON**2) / 160.0**2)
    return np.sum(dsigma_dx_dcos_mediator(x[:, None], theta, 160.0, mass, 1.0, *LEAD, mediator) * weights, axis=1)


def over_psi(x: np.ndarray, mass: float, mediator: Mediator) -> tuple[np.ndarray, np.ndarray]:
    psi, weights = angles((mass**2 * (1.0 - x) + (MUON * x) ** 2) / ((1.0 - x) * 160.0) ** 2)
    density = dsigma_dx_dcos_muon(x[:, None], psi, 160.0, mass, 1.0, *LEAD, mediator) * weights
    return np.sum(density, axis=1), np.sum(density * psi, axis=1)


@pytest.mark.parametrize("mediator", Mediator)
@pytest.mark.parametrize("mass", [0.01, 0.1, 1.0])
def test_both_angles_give_the_same_spectrum(mass: float, mediator: Mediator) -> None:
    # two phase spaces and two averages over phi; x differs by the recoil energy of the nucleus, 1e-6 here
    x = np.array([0.1, 0.5, 0.9])
    assert over_psi(x, mass, mediator)[0] == pytest.approx(over_theta(x, mass, mediator), rel=2e-5)


# exact tree level on lead, 160 GeV: <psi'> and <psi'> above x = 0.5 [rad] (computed apart from this code)
@pytest.mark.parametrize(("mass", "mean", "hard"), [(0.01, 7.6e-4, 3.19e-3), (0.1, 3.16e-3, 4.50e-3), (1.0, 2.77e-2, 2.89e-2)])
def test_mean_muon_angle(mass: float, mean: float, hard: float) -> None:
    x, weights = x_nodes(*x_range(160.0, mass, 207.2, Method.TREE))
    per_x, first = over_psi(x, mass, Mediator.VECTOR)
    assert np.sum(weights * first) / np.sum(weights * per_x) == pytest.approx(mean, rel=0.003)
    above = x > 0.5
    assert np.sum((weights * first)[above]) / np.sum((weights * per_x)[above]) == pytest.approx(hard, rel=0.003)


def test_no_phase_space_no_cross_section() -> None:
    for x in (1e-4, 0.9999):  # E_X below its mass, E' below the muon's
        assert dsigma_dx_dcos_mediator(np.array(x), np.array(1e-3), 160.0, 0.1, 1.0, *LEAD) == 0.0
        assert dsigma_dx_dcos_muon(np.array(x), np.array(1e-3), 160.0, 0.1, 1.0, *LEAD) == 0.0


def test_never_negative_and_finite_everywhere() -> None:
    x = np.linspace(0.0, 1.0, 41)[:, None]
    angle = np.geomspace(1e-8, math.pi, 40)
    for mediator in Mediator:
        for mass in (1e-3, 0.2, 20.0):
            for function in (dsigma_dx_dcos_mediator, dsigma_dx_dcos_muon):
                values = function(x, angle, 160.0, mass, 1.0, *LEAD, mediator)
                assert values.shape == (41, 40)
                assert np.all(np.isfinite(values))
                assert np.all(values >= 0.0)


def test_coupling_enters_squared() -> None:
    x, theta = np.array([0.3, 0.7]), np.array([1e-3, 3e-3])
    one = dsigma_dx_dcos_mediator(x, theta, 160.0, 0.1, 1e-4, *LEAD)
    assert np.allclose(dsigma_dx_dcos_mediator(x, theta, 160.0, 0.1, 3e-4, *LEAD), 9.0 * one, rtol=1e-14)


def test_protons_add_to_the_nucleus() -> None:
    x, theta = np.array([0.9]), np.array([3e-3])
    elastic, squared, corrected = (
        dsigma_dx_dcos_mediator(x, theta, 160.0, 1.0, 1.0, *LEAD, Mediator.VECTOR, kind)[0] for kind in FormFactor
    )
    assert elastic < squared < corrected < 1.2 * elastic


def test_wrong_nucleus() -> None:
    with pytest.raises(ValueError, match="there is no nucleus"):
        dsigma_dx_dcos_muon(np.array([0.5]), np.array([1e-3]), 160.0, 0.1, 1.0, 82.0, 20.0)


def test_forward_is_the_limit_of_small_angles() -> None:
    for function in (dsigma_dx_dcos_mediator, dsigma_dx_dcos_muon):
        forward, small = function(np.array([0.5, 0.5]), np.array([0.0, 1e-7]), 160.0, 0.1, 1.0, *LEAD)
        assert forward == pytest.approx(small, rel=1e-4)
