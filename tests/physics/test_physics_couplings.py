from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.physics.couplings import coupling_from_mixing, coupling_from_y, mixing, y_parameter


def test_dark_photon() -> None:
    assert float(coupling_from_mixing(1.0)) == pytest.approx(0.302822, rel=1e-5)
    assert float(mixing(0.302822)) == pytest.approx(1.0, rel=1e-5)
    # eps = 1 means alpha_X = alpha: sigma(eps = 1) = 0.091701 sigma / g^2
    assert float(coupling_from_mixing(1.0)) ** 2 == pytest.approx(0.091701, rel=1e-4)


def test_y_of_the_letter() -> None:
    # y = 6e-12 at m_chi = 40 MeV, M = 3 m_chi, g_chi = 0.05
    assert float(coupling_from_y(6e-12, 0.05, 0.040, 0.120)) == pytest.approx(4.41e-4, rel=1e-3)


@settings(derandomize=True, max_examples=20, deadline=None)
@given(g=st.floats(1e-6, 1.0), dark=st.floats(1e-3, 1.0), m=st.floats(1e-3, 1.0), ratio=st.floats(2.0, 10.0))
def test_y_there_and_back(g: float, dark: float, m: float, ratio: float) -> None:
    y = float(y_parameter(g, dark, m, ratio * m))
    assert y == pytest.approx((g * dark) ** 2 / ratio**4, rel=1e-12)
    assert float(coupling_from_y(y, dark, m, ratio * m)) == pytest.approx(g, rel=1e-12)
    assert math.isclose(float(coupling_from_mixing(mixing(g))), g, rel_tol=1e-12)
