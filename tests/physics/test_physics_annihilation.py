from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import k1e, kve

from na64mu.physics.annihilation import Model
from na64mu.physics.constants import MUON_MASS
from na64mu.physics.widths import DarkMatter

DIRAC = Model(0.05, 0.15, 5e-4, 0.05, DarkMatter.DIRAC)


def test_dirac_at_rest_below_the_muon_threshold() -> None:
    # sigma v = g_chi^2 g^2 m^2 / (pi (4 m^2 - M^2)^2) (1 + 1/2 ... ): vector current into two left-handed neutrinos; with
    # y = (g g_chi)^2 (m / M)^4 and M = 3 m this is 81 y / (25 pi m^2)
    s = 4.0 * 0.05**2 * (1.0 + 1e-10)
    velocity = 2.0 * math.sqrt(1.0 - 4.0 * 0.05**2 / s)  # in the centre of mass
    y = (5e-4 * 0.05) ** 2 / 81.0
    assert float(DIRAC.cross_section(s)) * velocity == pytest.approx(81.0 * y / (25.0 * math.pi * 0.05**2), rel=1e-5)


def test_muons_open() -> None:
    heavy = Model(0.2, 0.6, 5e-4, 0.05, DarkMatter.DIRAC)
    s = 4.0 * 0.2**2 * (1.0 + 1e-10)
    r = MUON_MASS**2 / s
    y = (5e-4 * 0.05) ** 2 / 81.0
    channels = 1.0 + (1.0 + 2.0 * r) * math.sqrt(1.0 - 4.0 * r)
    velocity = 2.0 * math.sqrt(1.0 - 4.0 * 0.2**2 / s)
    assert float(heavy.cross_section(s)) * velocity == pytest.approx(81.0 * y / (25.0 * math.pi * 0.2**2) * channels, rel=1e-5)


def test_unitarity_at_the_pole() -> None:
    # on the pole sigma = n (2J + 1) / (2S + 1)^2 4 pi / p^2 B_in B_out for J = 1
    for kind, spins, identical in ((DarkMatter.SCALAR, 1.0, 1.0), (DarkMatter.DIRAC, 4.0, 1.0), (DarkMatter.MAJORANA, 4.0, 2.0)):
        model = replace(DIRAC, kind=kind)
        p2 = 0.25 * 0.15**2 - 0.05**2
        largest = identical * 3.0 / spins * math.pi / p2  # 4 B (1 - B) <= 1
        assert 0.0 < float(model.cross_section(0.15**2)) <= largest


@pytest.mark.parametrize("kind", [DarkMatter.SCALAR, DarkMatter.MAJORANA])
def test_p_wave_at_threshold(kind: DarkMatter) -> None:
    model = replace(DIRAC, kind=kind)
    one, four = (float(model.cross_section(4.0 * 0.05**2 * (1.0 + e))) for e in (1e-8, 4e-8))
    assert four / one == pytest.approx(2.0, rel=1e-5)  # sigma ~ v, sigma v ~ v^2


@pytest.mark.parametrize("kind", DarkMatter)
@pytest.mark.parametrize(
    ("m_chi", "ratio", "dark"), [(0.05, 3.0, 0.05), (0.05, 3.0, 1.0), (0.1, 2.05, 0.05), (0.1, 1.6, 0.05), (0.02, 20.0, 0.5)]
)
def test_thermal_average_is_the_integral(kind: DarkMatter, m_chi: float, ratio: float, dark: float) -> None:
    model = Model(m_chi, ratio * m_chi, 5e-4, dark, kind)
    for x in (5.0, 25.0, 200.0):
        t = m_chi / x
        top = 2.0 * m_chi + 60.0 * t

        def integrand(energy: float, t: float = t, x: float = x) -> float:
            s = energy**2
            value = float(model.cross_section(s)) * (s - 4.0 * m_chi**2) * 2.0 * s * k1e(energy / t)
            return value * math.exp(-(energy - 2.0 * m_chi) / t) / (8.0 * m_chi**4 * t * kve(2, x) ** 2)

        width = model.width
        edges = {2.0 * m_chi, top, 2.0 * MUON_MASS, 2.0 * m_chi + t, 2.0 * m_chi + 5.0 * t}
        edges |= {model.mass + sign * n * width for sign in (-1.0, 1.0) for n in (0.0, 1.0, 5.0, 30.0, 300.0, 3e3, 3e4, 3e5)}
        points = sorted(e for e in edges if 2.0 * m_chi <= e <= top)
        expected = sum(quad(integrand, a, b, epsrel=1e-9, epsabs=0.0, limit=200)[0] for a, b in itertools.pairwise(points))
        assert float(model.thermal_average(x)) == pytest.approx(expected, rel=1e-5)


def test_cold_dirac_annihilates_as_at_rest() -> None:
    s = 4.0 * 0.05**2 * (1.0 + 1e-10)
    at_rest = float(DIRAC.cross_section(s)) * 2.0 * math.sqrt(1.0 - 4.0 * 0.05**2 / s)
    assert float(DIRAC.thermal_average(1e5)) == pytest.approx(at_rest, rel=1e-4)
    assert DIRAC.thermal_average(np.array([10.0, 20.0, 30.0])).shape == (3,)


@settings(derandomize=True, max_examples=15, deadline=None)
@given(scale=st.floats(0.1, 2.0), kind=st.sampled_from(DarkMatter), x=st.floats(3.0, 100.0))
def test_off_the_pole_the_couplings_factorise(scale: float, kind: DarkMatter, x: float) -> None:
    far = Model(0.01, 1.0, 1e-4, 0.01, kind)
    stronger = replace(far, coupling=scale * far.coupling)
    assert float(stronger.thermal_average(x)) == pytest.approx(scale**2 * float(far.thermal_average(x)), rel=1e-6)


def test_freedom() -> None:
    assert [replace(DIRAC, kind=kind).freedom for kind in DarkMatter] == [2, 4, 4, 2]
    assert [replace(DIRAC, kind=kind).own_antiparticle for kind in DarkMatter] == [False, False, False, True]


def test_what_is_not_covered_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a Z' of 0\.1 GeV is lighter than 1\.5 m_chi = 0\.15 GeV: chi chi -> Z' Z' would matter"):
        Model(0.1, 0.1, 1e-4, 0.05, DarkMatter.DIRAC)
    with pytest.raises(ValueError, match="coupling of the dark sector must be a number above 0; found 0"):
        Model(0.1, 0.3, 0.0, 0.05, DarkMatter.DIRAC)
