from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.physics.bosons import Mediator
from na64mu.physics.constants import MUON_MASS, TAU_MASS
from na64mu.physics.widths import (
    DarkMatter,
    dark_width,
    invisible_fraction,
    lepton_width,
    neutrino_width,
    total_width,
    visible_width,
)

# reduced by g_chi^2 M / 12 pi at M = 3 m_chi: beta = 0.745; factors of the massless width 0.414 (scalar, Majorana), 0.911 (Dirac)
FACTORS = {
    DarkMatter.SCALAR: 0.414 / 4.0,
    DarkMatter.DIRAC: 0.911,
    DarkMatter.PSEUDO_DIRAC: 0.911,
    DarkMatter.MAJORANA: 0.414 / 2.0,
}


@pytest.mark.parametrize("kind", DarkMatter)
def test_dark_widths_at_three_times_the_mass(kind: DarkMatter) -> None:
    assert float(dark_width(0.3, 0.05, 0.1, kind)) * 12.0 * math.pi / (0.05**2 * 0.3) == pytest.approx(FACTORS[kind], rel=2e-3)


def test_neutrinos_are_half_of_a_massless_lepton_each() -> None:
    assert float(neutrino_width(0.2, 1e-3)) == pytest.approx(1e-6 * 0.2 / (12.0 * math.pi), rel=1e-14)
    assert float(neutrino_width(0.2, 1e-3, 1)) * 2.0 == pytest.approx(float(lepton_width(0.2, 1e-3, 0.0)), rel=1e-14)


def test_thresholds() -> None:
    assert np.array_equal(lepton_width(np.array([0.2, 2.0 * MUON_MASS]), 1.0), [0.0, 0.0])
    assert float(lepton_width(0.2114, 1.0)) > 0.0
    assert float(visible_width(3.0, 1.0)) == float(lepton_width(3.0, 1.0))
    assert float(visible_width(2.1 * TAU_MASS, 1.0)) > float(lepton_width(2.1 * TAU_MASS, 1.0))
    for kind in DarkMatter:
        assert float(dark_width(0.19, 0.5, 0.1, kind)) == 0.0


def test_without_dark_matter_the_muons_take_half() -> None:
    assert float(invisible_fraction(0.2, 1e-3)) == 1.0
    r = (MUON_MASS / 0.5) ** 2
    assert float(invisible_fraction(0.5, 1e-3)) == pytest.approx(1.0 / (1.0 + (1.0 + 2.0 * r) * math.sqrt(1.0 - 4.0 * r)), rel=1e-12)
    assert float(invisible_fraction(3.0, 1e-3)) == pytest.approx(0.5, abs=1e-4)
    assert float(invisible_fraction(1e4, 1e-3)) == pytest.approx(1.0 / 3.0, rel=1e-3)  # taus as well


@pytest.mark.parametrize(("kind", "largest"), [(DarkMatter.SCALAR, 2.5e-3), (DarkMatter.DIRAC, 3e-4), (DarkMatter.MAJORANA, 1.3e-3)])
def test_with_dark_matter_all_is_invisible(kind: DarkMatter, largest: float) -> None:
    # g_chi = 0.05, g = 5e-4: the Standard Model takes 1e-3 or less
    masses = np.geomspace(0.01, 3.0, 20)
    invisible = np.array([float(invisible_fraction(m, 5e-4, 0.05, m / 3.0, kind)) for m in masses])
    assert np.all(1.0 - invisible < largest)


@settings(derandomize=True, max_examples=30, deadline=None)
@given(mass=st.floats(1e-3, 10.0), share=st.floats(0.01, 1.0), scale=st.floats(0.1, 10.0), kind=st.sampled_from(DarkMatter))
def test_couplings_enter_squared_and_the_total_is_the_sum(mass: float, share: float, scale: float, kind: DarkMatter) -> None:
    m_chi = share * mass
    one = float(total_width(mass, 1e-3, 0.1, m_chi, kind))
    assert float(total_width(mass, scale * 1e-3, scale * 0.1, m_chi, kind)) == pytest.approx(scale**2 * one, rel=1e-12)
    parts = neutrino_width(mass, 1e-3) + visible_width(mass, 1e-3) + dark_width(mass, 0.1, m_chi, kind)
    assert one == pytest.approx(float(parts), rel=1e-14)
    assert 0.0 < float(invisible_fraction(mass, 1e-3, 0.1, m_chi, kind)) <= 1.0


def test_other_bosons_to_muons() -> None:
    mass = 0.5
    beta = math.sqrt(1.0 - 4.0 * (MUON_MASS / mass) ** 2)
    unit = 1e-6 * mass / math.pi
    assert float(lepton_width(mass, 1e-3, MUON_MASS, Mediator.SCALAR)) == pytest.approx(unit / 8.0 * beta**3, rel=1e-12)
    assert float(lepton_width(mass, 1e-3, MUON_MASS, Mediator.PSEUDOSCALAR)) == pytest.approx(unit / 8.0 * beta, rel=1e-12)
    assert float(lepton_width(mass, 1e-3, MUON_MASS, Mediator.AXIAL)) == pytest.approx(unit / 12.0 * beta**3, rel=1e-12)
    vector = unit / 12.0 * (1.0 + 2.0 * (MUON_MASS / mass) ** 2) * beta
    assert float(lepton_width(mass, 1e-3)) == pytest.approx(vector, rel=1e-12)
