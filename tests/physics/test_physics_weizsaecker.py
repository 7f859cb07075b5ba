from __future__ import annotations

import numpy as np
import pytest

from na64mu.physics.bosons import Mediator
from na64mu.physics.nucleus import FormFactor, flux
from na64mu.physics.tree_level import dsigma_dx_dcos_muon as tree_muon
from na64mu.physics.weizsaecker import dsigma_dx_dcos_mediator, dsigma_dx_dcos_muon, dsigma_dx_improved

LEAD = (82.0, 207.2)
MUON = 0.1056583755


@pytest.mark.parametrize("mediator", Mediator)
@pytest.mark.parametrize("mass", [0.01, 0.1, 1.0])
def test_both_angles_give_the_same_spectrum(mass: float, mediator: Mediator) -> None:
    x = np.full(4000, 0.7)
    angle = np.geomspace(1e-6, 0.3, 4000)
    by_mediator = np.trapezoid(dsigma_dx_dcos_mediator(x, angle, 160.0, mass, 1e-4, *LEAD, mediator) * angle, angle)
    wide = np.geomspace(1e-6, 1.0, 4000)
    by_muon = np.trapezoid(dsigma_dx_dcos_muon(x, wide, 160.0, mass, 1e-4, *LEAD, mediator) * wide, wide)
    assert by_muon == pytest.approx(by_mediator, rel=1e-3)


@pytest.mark.parametrize("mediator", Mediator)
def test_improved_is_the_integral_with_frozen_flux(mediator: Mediator) -> None:
    # take chi out of the WW form and integrate over all angles (in the small-angle variable, up to a large one)
    mass, x = 0.1, 0.6
    theta = np.geomspace(1e-7, 10.0, 20000)
    u = -x * 160.0**2 * theta**2 - mass**2 * (1.0 - x) / x - MUON**2 * x
    running = flux((0.5 * u / (160.0 * (1.0 - x))) ** 2, 160.0**2, *LEAD)
    keep = running > 0.0
    values = dsigma_dx_dcos_mediator(np.full(theta.shape, x), theta, 160.0, mass, 1.0, *LEAD, mediator)
    frozen = flux(np.array([mass**4 / (4.0 * 160.0**2)]), mass**2 + MUON**2, *LEAD)[0]
    expected = np.trapezoid((values[keep] / running[keep]) * theta[keep], theta[keep]) * frozen
    assert dsigma_dx_improved(np.array([x]), 160.0, mass, 1.0, *LEAD, mediator)[0] == pytest.approx(expected, rel=1e-4)


def test_improved_is_equation_30_for_a_vector() -> None:
    mass, x = 0.2, np.array([0.1, 0.5, 0.9])
    um = -(mass**2) * (1.0 - x) / x - MUON**2 * x
    chi = flux(np.array([mass**4 / (4.0 * 160.0**2)]), mass**2 + MUON**2, *LEAD)[0]
    bracket = MUON**2 * x * (-2.0 + 2.0 * x + x**2) - 2.0 * um * (3.0 - 3.0 * x + x**2)
    expected = 2.0 / 137.036**2 / (4.0 * np.pi) * chi * np.sqrt(x**2 - mass**2 / 160.0**2) * bracket / (3.0 * x * um**2) * 0.3893794e9
    assert dsigma_dx_improved(x, 160.0, mass, 1.0, *LEAD) == pytest.approx(expected, rel=1e-12)


def test_flux_with_protons_is_larger() -> None:
    arguments = (np.array([0.5]), np.array([2e-3]), 160.0, 0.5, 1.0, *LEAD, Mediator.VECTOR)
    elastic, squared, corrected = (dsigma_dx_dcos_mediator(*arguments, kind)[0] for kind in FormFactor)
    assert elastic < squared < corrected < 1.1 * elastic


def test_close_to_tree_level_where_it_should_be() -> None:
    psi = np.array([1e-3, 3e-3, 1e-2])
    ww, tree = (function(np.array([0.5]), psi, 160.0, 0.1, 1.0, *LEAD) for function in (dsigma_dx_dcos_muon, tree_muon))
    assert ww == pytest.approx(tree, rel=0.06)


def test_zero_outside_the_phase_space() -> None:
    for x in (1e-5, 1.0):
        assert dsigma_dx_dcos_mediator(np.array(x), np.array(1e-3), 160.0, 0.1, 1.0, *LEAD) == 0.0
    assert dsigma_dx_dcos_muon(np.array(0.9999), np.array(1e-3), 160.0, 0.1, 1.0, *LEAD) == 0.0
