from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.physics import cross_section as module
from na64mu.physics.bosons import Mediator
from na64mu.physics.cross_section import Method, cross_section, dsigma_dx, x_nodes, x_range
from na64mu.physics.nucleus import FormFactor

LEAD = (82.0, 207.2)

# exact tree level, sigma / g^2 [pb] on lead at 160 GeV, elastic form factor (computed apart from this code)
TREE = {
    Mediator.VECTOR: (6.579e10, 1.034e10, 1.153e8),
    Mediator.SCALAR: (2.299e10, 2.873e9, 4.059e7),
    Mediator.PSEUDOSCALAR: (4.252e9, 1.892e9, 3.993e7),
    Mediator.AXIAL: (2.04e12, 2.271e10, 1.197e8),
}
MASSES = np.array([0.01, 0.1, 1.0])


@pytest.mark.parametrize("mediator", Mediator)
def test_totals_on_lead(mediator: Mediator) -> None:
    # the references carry 3 to 4 digits; the scalar at 10 MeV differs by 1.1e-3
    assert cross_section(160.0, MASSES, 1.0, *LEAD, mediator=mediator) == pytest.approx(np.array(TREE[mediator]), rel=1.5e-3)


def test_quadrature_error(monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = cross_section(160.0, MASSES, 1.0, *LEAD)
    monkeypatch.setattr(module, "N_ANGLE", 160)
    fine = np.array(
        [np.sum(w * dsigma_dx(x, 160.0, m, 1.0, *LEAD)) for m in MASSES for x, w in [x_nodes(m / 160.0, 1.0 - 0.10566 / 160.0, 144)]]
    )
    assert coarse == pytest.approx(fine, rel=1e-5)


def test_weizsaecker_williams_against_tree_level() -> None:
    ratio = cross_section(160.0, MASSES, 1.0, *LEAD, method=Method.WW) / cross_section(160.0, MASSES, 1.0, *LEAD)
    assert ratio == pytest.approx(np.array([1.004, 1.004, 1.008]), abs=0.0006)
    ratio = cross_section(160.0, MASSES, 1.0, *LEAD, method=Method.IWW) / cross_section(160.0, MASSES, 1.0, *LEAD)
    assert ratio == pytest.approx(np.array([1.21, 1.66, 2.46]), abs=0.006)


@pytest.mark.parametrize(("mass", "share"), [(0.01, 0.016), (0.1, 0.018), (0.5, 0.025), (1.0, 0.037), (2.0, 0.08), (3.0, 0.21)])
def test_neglected_inelastic_part(mass: float, share: float) -> None:
    both = [cross_section(160.0, mass, 1.0, *LEAD, form_factor=kind) for kind in (FormFactor.ELASTIC, FormFactor.INELASTIC_CORRECTED)]
    assert float(both[1] / both[0]) - 1.0 == pytest.approx(share, rel=0.05)


def test_part_above_half_the_energy() -> None:
    share = cross_section(160.0, MASSES, 1.0, *LEAD, x_min=0.5) / cross_section(160.0, MASSES, 1.0, *LEAD)
    assert share == pytest.approx(np.array([0.164, 0.619, 0.948]), abs=0.001)
    assert cross_section(160.0, 0.1, 1.0, *LEAD, x_min=1.0) == 0.0


def test_beam_energy() -> None:
    masses = np.array([0.01, 0.1, 0.5, 1.0])
    ratio = cross_section(140.0, masses, 1.0, *LEAD) / cross_section(160.0, masses, 1.0, *LEAD)
    assert ratio == pytest.approx(np.array([0.984, 0.967, 0.935, 0.897]), abs=0.0006)


def test_heavier_isotope_hardly_matters() -> None:
    assert float(cross_section(160.0, 0.1, 1.0, 82.0, 208.0) / cross_section(160.0, 0.1, 1.0, 82.0, 207.0)) == pytest.approx(1.0, abs=1e-3)


def test_arguments_broadcast() -> None:
    values = cross_section(np.array([[140.0], [160.0]]), MASSES, 1e-4, *LEAD, method=Method.WW)
    assert values.shape == (2, 3)
    assert values[1, 2] == cross_section(160.0, 1.0, 1e-4, *LEAD, method=Method.WW)


@settings(derandomize=True, max_examples=10, deadline=None)
@given(mass=st.floats(1e-3, 3.0), scale=st.floats(1e-3, 1e3), z=st.integers(6, 92), mediator=st.sampled_from(Mediator))
def test_coupling_enters_squared_and_heavier_is_rarer(mass: float, scale: float, z: int, mediator: Mediator) -> None:
    one, two = cross_section(160.0, np.array([mass, 1.3 * mass]), 1e-3, z, 2.5 * z, mediator=mediator, method=Method.WW)
    assert one > two > 0.0
    assert cross_section(160.0, mass, scale * 1e-3, z, 2.5 * z, mediator=mediator, method=Method.WW) == pytest.approx(
        scale**2 * one, rel=1e-13
    )


def test_soft_vector_is_bremsstrahlung_of_the_point_charge() -> None:
    # M -> 0, without screening or size: x dsigma/dx -> Bethe-Heitler, 4 alpha r^2 Z^2 (4/3 - 4x/3 + x^2) (ln(2 E (1-x) / (m x)) - 1/2);
    # form factors reach it from below, with the logarithm cut at the size of the nucleus
    x = np.array([0.05, 0.2])
    r2 = (1.0 / 137.036 / 0.1056583755) ** 2 / 137.036 * 0.3893794e9
    logarithm = np.log(2.0 * 160.0 * (1.0 - x) / (0.1056583755 * x)) - 0.5
    point = 4.0 * r2 * (4.0 / 3.0 - 4.0 * x / 3.0 + x**2) * logarithm
    # Z = 1, A = 1: a small and light nucleus; the coupling e makes X a photon
    ours = x * dsigma_dx(x, 160.0, 1e-4, np.sqrt(4.0 * np.pi / 137.036), 1.0, 1.0)
    assert np.all(ours < point)
    assert ours == pytest.approx(point, rel=0.25)


def test_x_range_and_nodes() -> None:
    low, high = x_range(160.0, 0.1, 207.2)
    assert low == pytest.approx(0.1 / 160.0)
    assert 0.999 < high < 1.0
    assert x_range(160.0, 3.0, 207.2)[1] < x_range(160.0, 3.0, 207.2, Method.TREE)[1]
    for interval in ((1e-4, 0.999), (0.5, 0.999), (0.1, 0.3)):
        x, weights = x_nodes(*interval)
        assert np.all(np.diff(x) > 0.0)
        assert np.sum(weights * x**2) == pytest.approx((interval[1] ** 3 - interval[0] ** 3) / 3.0, rel=1e-12)


@pytest.mark.parametrize("mass", [0.0, -1.0, 200.0])
def test_impossible_masses(mass: float) -> None:
    with pytest.raises(ValueError, match=r"cannot be produced by a muon of 160\.0 GeV: the mass must be between 0 and the energy"):
        cross_section(160.0, mass, 1e-4, *LEAD)
