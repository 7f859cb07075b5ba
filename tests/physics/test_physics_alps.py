"""Decay of axion-like particles against limits of the loop, an integral over Feynman parameters, and a sum over energies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from na64mu.errors import ArgumentError
from na64mu.physics.alps import HEAVIEST, leaving, photon_width, spectrum
from na64mu.physics.constants import ALPHA, MUON_MASS


def test_a_light_pseudoscalar_decays_as_by_an_anomaly():
    expected = ALPHA**2 * 1e-6 * 0.001**3 / (64 * math.pi**3 * MUON_MASS**2)
    assert photon_width(0.001, 1e-3) == pytest.approx(expected, rel=1e-4)


def test_a_light_derivative_coupling_decouples():
    """The anomaly cancels the loop: B -> -m_a^2 / 12 m_mu^2."""
    ratio = photon_width(0.004, 1.0, is_derivative=True) / photon_width(0.004, 1.0)
    assert ratio == pytest.approx((0.004**2 / (12 * MUON_MASS**2)) ** 2, rel=1e-3)


@pytest.mark.parametrize("mass", [0.0066, 0.0068, 0.05, 0.1, 0.2])
def test_the_loop_is_that_of_the_triangle(mass):
    """tau f^2 = 2 int_0^1 dx int_0^(1-x) dy / [1 - 4 x y / tau]: the triangle with Feynman parameters."""
    small = (mass / HEAVIEST) ** 2
    # the inner integral by hand: -ln[1 - 4 x (1 - x) / tau] tau / 4 x
    loop = 2.0 * quad(lambda x: -math.log1p(-4.0 * small * x * (1.0 - x)) / (4.0 * small * x), 0.0, 1.0)[0]
    scale = ALPHA**2 * mass**3 / (16 * math.pi**3 * HEAVIEST**2)
    assert photon_width(mass, 1.0) == pytest.approx(scale * loop**2, rel=1e-7)
    assert photon_width(mass, 1.0, is_derivative=True) == pytest.approx(scale * (1 - loop) ** 2, rel=1e-4)


def test_above_two_muons_it_is_seen():
    with pytest.raises(ArgumentError, match="decays to two muons"):
        photon_width(0.22, 1e-3)


def test_what_leaves_is_an_average_over_energies():
    momenta, shares = spectrum(0.1, 160.0)
    assert shares.sum() == pytest.approx(1.0)
    assert momenta.min() > 79.0
    assert momenta.max() < 160.0
    length = 1.97326980e-16 * momenta / (0.1 * 1e-15)  # mean path [m]
    assert leaving(0.1, 1e-15, 160.0, 20.0) == pytest.approx(float(shares @ np.exp(-20.0 / length)), rel=1e-9)
    assert leaving(0.1, 0.0, 160.0, 20.0) == pytest.approx(1.0)
