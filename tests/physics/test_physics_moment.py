from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from na64mu.physics.bosons import Mediator
from na64mu.physics.constants import MUON_MASS
from na64mu.physics.moment import LETTER, PRESETS, UPDATE_2025, UPDATE_2026, coupling_of, moment


def test_band_of_the_letter() -> None:
    assert pytest.approx(249.0e-11, abs=1e-14) == LETTER.value
    assert pytest.approx(48.3e-11, abs=0.05e-11) == LETTER.error
    assert LETTER.value / LETTER.error == pytest.approx(5.16, abs=0.01)
    assert LETTER.at(-2.0) == pytest.approx(152.4e-11, abs=0.05e-11)
    assert LETTER.at(2.0) == pytest.approx(345.6e-11, abs=0.05e-11)


def test_prediction_of_2025_leaves_no_deviation() -> None:
    assert pytest.approx(26e-11, abs=1e-14) == UPDATE_2025.value
    assert pytest.approx(66e-11, abs=0.5e-11) == UPDATE_2025.error


# Delta a_mu / g^2 at 10, 100, 1000 MeV (computed apart from this code)
@pytest.mark.parametrize(
    ("mediator", "expected"),
    [(Mediator.VECTOR, (9.9123e-3, 2.80356e-3, 8.6003e-5)), (Mediator.SCALAR, (1.60688e-2, 6.59387e-3, 4.87316e-4))],
)
def test_reference_values(mediator: Mediator, expected: tuple[float, ...]) -> None:
    assert moment(np.array([0.01, 0.1, 1.0]), 1.0, mediator) == pytest.approx(np.array(expected), rel=1e-5)


@pytest.mark.parametrize(("sigmas", "expected"), [(-2.0, (3.92, 7.37, 42.1)), (0.0, (5.01, 9.42, 53.8)), (2.0, (5.91, 11.1, 63.4))])
def test_band_of_a_vector(sigmas: float, expected: tuple[float, ...]) -> None:
    couplings = coupling_of(LETTER.at(sigmas), np.array([0.01, 0.1, 1.0]))
    assert 1e4 * couplings == pytest.approx(np.array(expected), rel=2e-3)


def test_massless_and_heavy_limits() -> None:
    # a massless photon of coupling e is Schwinger's alpha / 2 pi
    assert float(moment(1e-6, math.sqrt(4.0 * math.pi / 137.036))) == pytest.approx(1.0 / (2.0 * math.pi * 137.036), rel=1e-4)
    assert float(moment(1e-6, 1.0)) == pytest.approx(1.26651e-2, rel=1e-4)
    assert float(moment(1e-6, 1.0, Mediator.SCALAR)) == pytest.approx(1.5 / (8.0 * math.pi**2), rel=1e-4)
    assert float(moment(1e-6, 1.0, Mediator.PSEUDOSCALAR)) == pytest.approx(-0.5 / (8.0 * math.pi**2), rel=1e-4)
    heavy = (MUON_MASS / 1e3) ** 2 / math.pi**2
    assert float(moment(1e3, 1.0)) == pytest.approx(heavy / 12.0, rel=1e-5)
    assert float(moment(1e3, 1.0, Mediator.AXIAL)) == pytest.approx(-5.0 / 12.0 * heavy, rel=1e-5)
    log = 2.0 * math.log(1e3 / MUON_MASS)
    assert float(moment(1e3, 1.0, Mediator.SCALAR)) == pytest.approx(heavy / 8.0 * (log - 7.0 / 6.0), rel=1e-5)
    assert float(moment(1e3, 1.0, Mediator.PSEUDOSCALAR)) == pytest.approx(-heavy / 8.0 * (log - 11.0 / 6.0), rel=1e-5)


def test_light_axial_is_its_longitudinal_mode() -> None:
    mass = 1e-3
    mode = (2.0 * MUON_MASS / mass) ** 2 * float(moment(mass, 1.0, Mediator.PSEUDOSCALAR))
    assert float(moment(mass, 1.0, Mediator.AXIAL)) == pytest.approx(mode, rel=0.01)


@pytest.mark.parametrize("mass", [2e-3, 0.05, 0.7, 20.0])
def test_quadrature(mass: float) -> None:
    r = (mass / MUON_MASS) ** 2
    points = [min(0.5, math.sqrt(r)), max(0.5, 1.0 - 1.0 / r)]
    vector = quad(lambda x: x * x * (1.0 - x) / (x * x + (1.0 - x) * r), 0.0, 1.0, points=points, epsabs=0.0, epsrel=1e-11, limit=400)[0]
    scalar = quad(
        lambda z: (1.0 - z) ** 2 * (1.0 + z) / ((1.0 - z) ** 2 + z * r),
        0.0,
        1.0,
        points=[min(0.5, 1.0 / r)],
        epsabs=0.0,
        epsrel=1e-11,
        limit=400,
    )[0]
    assert float(moment(mass, 1.0)) == pytest.approx(vector / (4.0 * math.pi**2), rel=1e-6)
    assert float(moment(mass, 1.0, Mediator.SCALAR)) == pytest.approx(scalar / (8.0 * math.pi**2), rel=1e-6)


@settings(derandomize=True, max_examples=30, deadline=None)
@given(mass=st.floats(1e-3, 1e3), coupling=st.floats(1e-6, 1.0), mediator=st.sampled_from(Mediator))
def test_coupling_is_found_again_and_heavier_does_less(mass: float, coupling: float, mediator: Mediator) -> None:
    value = float(moment(mass, coupling, mediator))
    assert (value > 0.0) == (mediator in (Mediator.VECTOR, Mediator.SCALAR))
    assert float(coupling_of(value, mass, mediator)) == pytest.approx(coupling, rel=1e-12)
    assert abs(float(moment(1.5 * mass, coupling, mediator))) < abs(value)


def test_wrong_sign_and_wrong_mass_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a pseudoscalar boson shifts a_mu the other way: no coupling gives Delta a_mu = 2\.49e-09"):
        coupling_of(LETTER.value, 0.1, Mediator.PSEUDOSCALAR)
    with pytest.raises(ValueError, match=r"mass of the boson in the loop \[GeV\] must be a number above 0; found -1"):
        moment(np.array([0.1, -1.0]), 1.0)


def test_the_state_of_2025_26_is_no_deviation():
    """Upper edge of two standard deviations: the couplings of a reference table, 1 MeV to 1 GeV."""
    assert PRESETS == {"Letter": LETTER, "2025/26": UPDATE_2026}
    assert (1e11 * UPDATE_2026.value, 1e11 * UPDATE_2026.error) == pytest.approx((38.5, 63.7), abs=0.05)
    assert UPDATE_2026.at(-2.0) < 0
    masses = np.array([0.001, 0.01, 0.02, 0.04, 0.1, 0.2, 0.5, 1.0])
    couplings = 1e4 * coupling_of(UPDATE_2026.at(2.0), masses)
    np.testing.assert_allclose(couplings, [3.67, 4.09, 4.52, 5.33, 7.69, 11.6, 23.5, 43.9], rtol=3e-3)
