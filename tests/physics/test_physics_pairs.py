"""Pairs by an off-shell vector against known totals and integrals that are done another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from na64mu.errors import ArgumentError
from na64mu.physics.bosons import Mediator
from na64mu.physics.constants import ALPHA, ELECTRON_CHARGE, ELECTRON_MASS
from na64mu.physics.pairs import Pairs
from na64mu.physics.widths import dark_width


def test_internal_conversion_has_the_known_total_of_the_neutral_pion():
    """pi0 -> gamma e e over pi0 -> gamma gamma at lowest order is 1.185 % (D. W. Joseph, Nuovo Cim. 16 (1960) 997)."""
    pion, photon = 0.1349768, Pairs(ELECTRON_CHARGE**2)

    def rate(log_m2: float) -> float:  # two photons, and the phase space that a massive one leaves
        return 2.0 * float(photon.density(math.exp(0.5 * log_m2), ELECTRON_MASS)) * (1.0 - math.exp(log_m2) / pion**2) ** 3

    assert quad(rate, 2.0 * math.log(2.0 * ELECTRON_MASS), 2.0 * math.log(pion))[0] == pytest.approx(0.01185, rel=1e-3)


@pytest.mark.parametrize(("mass", "m_chi"), [(0.3, 0.1), (1.0, 0.001), (2.5, 1.2)])
def test_it_is_the_spectrum_of_a_wide_vector(mass, m_chi):
    """dsigma / dM^2 over sigma_V(M) is M Gamma / [pi (M^2 - m_V^2)^2], for m_V = 0 and for a heavy one with C = g g_chi / m_V^2."""
    width, heavy = float(dark_width(mass, 1.0, m_chi, "dirac")), 500.0
    massless = mass**2 * mass * width / (math.pi * mass**4)
    assert float(Pairs().density(mass, m_chi)) == pytest.approx(massless, rel=1e-9)
    contact = heavy**4 * mass**2 * mass * width / (math.pi * (mass**2 - heavy**2) ** 2)
    assert float(Pairs(is_contact=True).density(mass, m_chi)) == pytest.approx(contact, rel=1e-4)


def test_one_chirality_of_light_particles_is_half_of_both():
    both, left = (float(Pairs(is_contact=True, is_chiral=chiral).density(1.0, 0.0)) for chiral in (False, True))
    assert left == pytest.approx(0.5 * both)
    assert dict(Pairs(is_chiral=True).parts) == {Mediator.VECTOR: 0.25, Mediator.AXIAL: 0.25}


def test_the_current_of_the_pair_by_a_sum_over_directions():
    """The tensor of the pair, summed over spins and averaged over directions, is the one that the width stands for."""
    mass, m_chi = 1.0, 0.3
    momentum = math.sqrt(mass**2 / 4 - m_chi**2)
    cosines, weights = np.polynomial.legendre.leggauss(8)
    # Tr[(k1 + m) gamma^a (k2 - m) gamma^b] = 4 [k1^a k2^b + k1^b k2^a - g^ab (k1.k2 + m^2)] at rest, for a = b = z, where g^zz = -1
    product = mass**2 / 4 + momentum**2
    trace = 4.0 * (-2.0 * (momentum * cosines) ** 2 + product + m_chi**2)
    phase_space = 2.0 * momentum / mass / (8.0 * math.pi)
    width = phase_space * 0.5 * float(weights @ trace) / (2.0 * mass)
    assert width == pytest.approx(float(dark_width(mass, 1.0, m_chi, "dirac")), rel=1e-9)
    assert float(Pairs().density(mass, m_chi)) == pytest.approx(width / (math.pi * mass), rel=1e-9)


def test_below_threshold_there_is_nothing_and_nonsense_is_refused():
    assert float(Pairs().density(0.1, 0.06)) == 0.0
    assert float(Pairs((4 * math.pi * ALPHA) ** 2).density(1.0, 0.0)) == pytest.approx(4 * ALPHA**2 / 3, rel=1e-9)
    with pytest.raises(ArgumentError, match="mass of the pair"):
        Pairs().density(-1.0, 0.1)
