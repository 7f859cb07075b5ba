from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.tracking.spectrometer import C_FIELD
from na64mu.tracking.transport import cross_box, crossed

slopes = st.floats(-0.1, 0.1)
curvatures = st.one_of(st.floats(0.002, 0.3), st.floats(-0.3, -0.002), st.floats(-1e-9, 1e-9))
fields = st.tuples(st.floats(-1.8, 1.8), st.floats(-1.8, 1.8)).filter(lambda f: abs(f[0]) + abs(f[1]) > 1e-3)


def integrated(state: np.ndarray, length: float, field: tuple[float, float], n: int = 400) -> np.ndarray:
    """Fourth-order Runge-Kutta of the equation of motion in z, independent of the closed form."""

    def derivative(s: np.ndarray) -> np.ndarray:
        _, _, tx, ty, k = s
        c = C_FIELD * 1e-3 * k * np.sqrt(1 + tx * tx + ty * ty)
        bx, by = field
        return np.array([tx, ty, c * (tx * ty * bx - (1 + tx * tx) * by), c * ((1 + ty * ty) * bx - tx * ty * by), 0.0])

    step, s = length / n, state.copy()
    for _ in range(n):
        k1 = derivative(s)
        k2 = derivative(s + 0.5 * step * k1)
        k3 = derivative(s + 0.5 * step * k2)
        k4 = derivative(s + step * k3)
        s = s + step / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)
    return s


@settings(max_examples=40, deadline=None, derandomize=True)
@given(slopes, slopes, curvatures, fields)
def test_box_agrees_with_integration(tx: float, ty: float, k: float, field: tuple[float, float]) -> None:
    state = np.array([3.0, -7.0, tx, ty, k])
    out, _ = crossed(state, 2000.0, field)
    assert np.allclose(out, integrated(state, 2000.0, field), rtol=1e-9, atol=1e-8)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(slopes, slopes, curvatures, fields)
def test_backwards_undoes_forwards(tx: float, ty: float, k: float, field: tuple[float, float]) -> None:
    state = np.array([3.0, -7.0, tx, ty, k])
    there, _ = crossed(state, 3000.0, field)
    back, _ = crossed(there, -3000.0, field)
    assert np.allclose(back, state, rtol=1e-10, atol=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(slopes, slopes, curvatures, fields)
def test_jacobian_is_the_derivative(tx: float, ty: float, k: float, field: tuple[float, float]) -> None:
    state = np.array([3.0, -7.0, tx, ty, k])
    _, jacobian = crossed(state, 2000.0, field)
    step = 1e-5
    numeric = np.empty((5, 5))
    for i in range(5):
        up, down = state.copy(), state.copy()
        up[i] += step
        down[i] -= step
        numeric[:, i] = (crossed(up, 2000.0, field)[0] - crossed(down, 2000.0, field)[0]) / (2 * step)
    assert np.allclose(jacobian, numeric, rtol=1e-4, atol=1e-4)


def test_deflection_in_ms2() -> None:
    # published: 0.3 x 1.4 T m / 160 GeV = 2.62 mrad; a mu- in a field along -y goes to -x
    out, _ = crossed(np.array([0.0, 0.0, 0.0, 0.0, -1 / 160.0]), 2000.0, (0.0, -0.7))
    assert out[2] == pytest.approx(-C_FIELD * 1.4 / 160.0, rel=1e-5)
    assert out[0] == pytest.approx(-C_FIELD * 1.4 / 160.0 * 1000.0, rel=1e-5)


def test_energy_is_kept() -> None:
    # the angle to the field does not change: its tangent, py over the momentum across, is invariant
    state = np.array([0.0, 0.0, 0.05, 0.08, -1 / 3.0])
    out, _ = crossed(state, 2000.0, (0.0, -0.7))
    along = [s[3] / np.sqrt(1 + s[2] ** 2) for s in (state, out)]
    assert along[0] == pytest.approx(along[1], rel=1e-12)


def test_particle_that_turns_around_is_left_alone() -> None:
    state = np.array([0.0, 0.0, 0.0, 0.0, 1 / 0.2])
    jacobian = np.empty((5, 5))
    before = state.copy()
    assert not cross_box(state, 2000.0, 0.0, -0.7, jacobian)
    assert np.array_equal(state, before)
