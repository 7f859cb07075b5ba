from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.tracking.field import FieldRegion, field_at, field_region
from na64mu.tracking.fieldmap import FieldMap
from na64mu.tracking.nystrom import cross_map, crossed_map
from na64mu.tracking.spectrometer import C_FIELD
from na64mu.tracking.transport import crossed

momenta = st.floats(1.0, 160.0)
charges = st.sampled_from([-1.0, 1.0])
slopes = st.floats(-0.05, 0.05)
positions = st.floats(-60.0, 60.0)


def uniform(bx: float, by: float) -> FieldRegion:
    values = np.zeros((2, 2, 2, 3))
    values[..., 0], values[..., 1] = bx, by
    return field_region(field_map=FieldMap(np.array([-1e3, -1e3, 0.0]), np.array([2e3, 2e3, 2000.0]), values))


def tanh_magnet(fringe: float = 150.0) -> FieldRegion:
    return field_region(np.array([[0.7, 0.0, -1.0, 2300.0, 4300.0, fringe, 0.0]]))


def sampled(region: FieldRegion, spacing: float = 50.0) -> FieldRegion:
    """A region as a map on a grid."""
    z = region.z_in + spacing * np.arange(round((region.z_out - region.z_in) / spacing) + 1)
    x, y = np.linspace(-400.0, 400.0, 3), np.linspace(-90.0, 90.0, 10)
    values = np.array([[[field_at(region, a, b, float(c))[:3] for c in z] for b in y] for a in x])
    return field_region(field_map=FieldMap(np.array([x[0], y[0], z[0]]), np.array([x[1] - x[0], y[1] - y[0], spacing]), values))


TANH = tanh_magnet()
MAP = sampled(TANH)


def integrated(state: np.ndarray, z: float, length: float, region: FieldRegion, n: int) -> np.ndarray:
    """Classical Runge-Kutta in the arc length of position and unit vector: another variable, another method, another form of the force."""
    path = length * np.sqrt(1.0 + state[2] ** 2 + state[3] ** 2)
    c = C_FIELD * 1e-3 * state[4]
    u = np.array([state[2], state[3], 1.0]) / np.sqrt(1.0 + state[2] ** 2 + state[3] ** 2)
    w = np.array([state[0], state[1], z, *u])
    end = z + length

    def derivative(w: np.ndarray) -> np.ndarray:
        inside = region.z_in <= w[2] <= region.z_out
        b = np.array(field_at(region, *w[:3])[:3]) if inside else np.zeros(3)
        return np.concatenate([w[3:], c * np.cross(w[3:], b)])

    h = path / n
    for _ in range(100 * n):
        h = min(h, (end - w[2]) / w[5])  # the last steps land on the end, to second order in what the direction turns on the way
        k1 = derivative(w)
        k2 = derivative(w + 0.5 * h * k1)
        k3 = derivative(w + 0.5 * h * k2)
        k4 = derivative(w + h * k3)
        w = w + h / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)
        if end - w[2] < 1e-9:
            break
    return np.array([w[0], w[1], w[3] / w[5], w[4] / w[5], state[4]])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(positions, positions, slopes, slopes, st.floats(10.0, 160.0), charges, st.floats(-0.7, 0.7), st.floats(-0.7, 0.7))
def test_uniform_field_agrees_with_the_closed_form(
    x: float, y: float, tx: float, ty: float, p: float, q: float, bx: float, by: float
) -> None:
    if abs(bx) + abs(by) < 1e-3:
        return
    state = np.array([x, y, tx, ty, q / p])
    out, jacobian = crossed_map(state, 0.0, 2000.0, uniform(bx, by))
    expected, derivatives = crossed(state, 2000.0, (bx, by))
    assert np.allclose(out, expected, rtol=1e-9, atol=1e-9)
    assert np.allclose(jacobian, derivatives, rtol=1e-6, atol=1e-6)


def test_uniform_field_at_1_gev() -> None:
    # the particle bends by 0.44 rad: the same accuracy needs shorter steps, and they give it with the fourth power
    state = np.array([3.0, -7.0, 0.01, 0.02, -1.0])
    expected, _ = crossed(state, 2000.0, (0.0, -0.7))
    region = uniform(0.0, -0.7)
    error = [
        np.abs(crossed_map(state, 0.0, 2000.0, region._replace(step=s))[0] / expected - 1.0)[:4].max()
        for s in (region.step, region.step / 4)
    ]
    assert error[0] < 1e-7
    assert error[1] < 1e-9
    assert error[0] / error[1] > 150.0


@pytest.mark.parametrize("p", [1.0, 3.0, 10.0, 40.0, 160.0])
@pytest.mark.parametrize("q", [-1.0, 1.0])
def test_fringe_field_agrees_with_an_independent_integration(p: float, q: float) -> None:
    state = np.array([10.0, 40.0, 0.02, -0.01, q / p])
    out, _ = crossed_map(state, 1000.0, 5000.0, TANH)
    expected = integrated(state, 1000.0, 5000.0, TANH, 700)
    kick = C_FIELD * 1.4 / p
    assert np.allclose(out[2:4], expected[2:4], rtol=0.0, atol=3e-6 * kick), "3e-6 of the deflection"
    assert np.allclose(out[:2], expected[:2], rtol=0.0, atol=6e-3 * kick)


def test_convergence_of_the_steps() -> None:
    state = np.array([10.0, 20.0, 0.01, 0.01, -1.0 / 10.0])
    reference = crossed_map(state, 1400.0, 3800.0, TANH._replace(step=2.0))[0]
    steps = np.array([150.0, 75.0, 37.5, 18.75])
    error = [abs(crossed_map(state, 1400.0, 3800.0, TANH._replace(step=s))[0][2] - reference[2]) / (C_FIELD * 0.14) for s in steps]
    assert TANH.step == 75.0
    assert error[1] < 1e-6, "at the step that is used"
    assert np.all(np.diff(np.log(error)) < 4.0 * np.diff(np.log(steps)) * 0.9), "at least fourth order"


@settings(max_examples=20, deadline=None, derandomize=True)
@given(positions, positions, slopes, slopes, momenta, charges, st.sampled_from(["tanh", "map"]))
def test_jacobian_is_the_derivative(x: float, y: float, tx: float, ty: float, p: float, q: float, kind: str) -> None:
    region = TANH if kind == "tanh" else MAP
    z, length = 1900.0, 1200.0  # the entrance: where the field changes across the beam
    state = np.array([x, y, tx, ty, q / p])
    if kind == "map":  # it has kinks at the faces of its cells, where a difference is no derivative: do not run along one
        state += [3.7, 3.1, 1e-3, 2e-3, 0.0]
    _, jacobian = crossed_map(state, z, length, region)
    for i, step in enumerate((1e-4, 1e-4, 1e-7, 1e-7, 1e-7)):
        up, down = state.copy(), state.copy()
        up[i] += step
        down[i] -= step
        numeric = (crossed_map(up, z, length, region)[0] - crossed_map(down, z, length, region)[0]) / (2 * step)
        scale = np.array([1.0, 1.0, 1e-3, 1e-3, 1e-3]) * (1.0 if i < 2 else 1e3)
        assert np.allclose(jacobian[:, i] / scale, numeric / scale, rtol=1e-4, atol=2e-5 if kind == "map" else 1e-6), i


@settings(max_examples=20, deadline=None, derandomize=True)
@given(positions, positions, slopes, slopes, st.floats(5.0, 160.0), charges)
def test_there_and_back_again(x: float, y: float, tx: float, ty: float, p: float, q: float) -> None:
    state = np.array([x, 0.5 * y, tx, 0.3 * ty, q / p])  # stays inside the aperture
    for region in (TANH, MAP):
        there, forward = crossed_map(state, 1200.0, 4300.0, region)
        back, backward = crossed_map(there, 5500.0, -4300.0, region)
        kick = C_FIELD * 1.4 / p
        assert np.allclose(back[:2], state[:2], rtol=0.0, atol=1e-3 * kick)
        assert np.allclose(back[2:], state[2:], rtol=0.0, atol=1e-7 * kick)
        natural = np.array([1.0, 1.0, 1e-3, 1e-3, 1e-3])  # mm, mrad, c/TeV
        assert np.allclose(backward @ forward * natural / natural[:, None], np.eye(5), atol=1e-4)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(positions, positions, slopes, slopes, momenta, charges)
def test_other_charge_in_the_opposite_field_takes_the_same_way(x: float, y: float, tx: float, ty: float, p: float, q: float) -> None:
    state = np.array([x, y, tx, ty, q / p])
    mirrored = TANH._replace(dipoles=TANH.dipoles * np.array([-1.0, 1, 1, 1, 1, 1, 1]))
    one, jacobian = crossed_map(state, 1200.0, 4300.0, TANH)
    other, turned = crossed_map(state * np.array([1.0, 1, 1, 1, -1]), 1200.0, 4300.0, mirrored)
    assert np.allclose(one[:4], other[:4], rtol=1e-13, atol=1e-12)
    assert np.allclose(jacobian[:4, 4], -turned[:4, 4], rtol=1e-12)
    # mirror at x = 0: a field along y turns around with the charge
    mirror = np.array([-1.0, 1, -1, 1, -1])
    reflected, _ = crossed_map(state * mirror, 1200.0, 4300.0, TANH)
    assert np.allclose(reflected, one * mirror, rtol=1e-13, atol=1e-12)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(positions, positions, slopes, slopes, momenta, charges)
def test_momentum_along_an_invariant_direction_is_kept(x: float, y: float, tx: float, ty: float, p: float, q: float) -> None:
    # The field does not depend on x, so p_x + q A_x is conserved: with B = B_u + i B_z = B0 g(z + i u), A_x = -q B0 Im of the integral of g,
    # and outside the field, where the integral is the same on both sides of the middle plane, p_x changes by q times the field integral.
    state = np.array([x, 0.5 * y, tx, 0.3 * ty, q / p])  # stays inside the aperture
    z, length = TANH.z_in, TANH.z_out - TANH.z_in
    out, _ = crossed_map(state, z, length, TANH)
    p_x = [p * s[2] / np.sqrt(1.0 + s[2] ** 2 + s[3] ** 2) for s in (state, out)]
    assert p_x[1] - p_x[0] == pytest.approx(q * C_FIELD * 1.4, rel=5e-6), "dp_x = -q int By dz with By = -0.7 T over 2 m"


def test_box_is_the_limit_of_a_short_fringe_but_for_the_focusing_of_its_edges() -> None:
    free = np.eye(5) + 1000.0 * (np.eye(5, k=2) * [[1], [1], [0], [0], [0]])

    def edge(state: np.ndarray, sign: float) -> np.ndarray:
        # div B = 0: at an edge the field has a component along z, int Bz dz = -+ B y, which turns tx into ty
        kick = sign * C_FIELD * 1e-3 * state[4] * 0.7 * state[2] * state[1]
        return state + np.array([0.0, 0.0, 0.0, kick, 0.0])

    for y in (0.0, 20.0):
        state = np.array([1.0, y, 0.01, -0.002, -1.0 / 50.0])
        box = free @ edge(crossed(edge(free @ state, 1.0), 2000.0, (0.0, -0.7))[0], -1.0)
        differences = [np.abs(crossed_map(state, 1300.0, 4000.0, tanh_magnet(fringe))[0] - box)[2:4].max() for fringe in (80.0, 40.0, 20.0)]
        assert differences[0] < 2e-7
        assert np.all(np.array(differences[:2]) > 1.9 * np.array(differences[1:])), "the rest goes with the length of the edge"


def test_any_stretch_of_the_way_may_be_cut_anywhere() -> None:
    state = np.array([1.0, 20.0, 0.001, -0.002, -1.0 / 10.0])
    whole, jacobian = crossed_map(state, 1000.0, 5000.0, TANH)
    product, here = np.eye(5), 1000.0
    for stop in (1333.3, 2150.0, 2260.0, 2260.0, 4450.0, 4700.0, 6000.0):
        state, part = crossed_map(state, here, stop - here, TANH)
        product, here = part @ product, stop
    assert np.allclose(state, whole, rtol=1e-5)
    assert np.allclose(product, jacobian, rtol=1e-3, atol=5e-3)


def test_way_outside_the_field_is_straight() -> None:
    state = np.array([1.0, 2.0, 0.01, -0.02, -0.1])
    for z, length in ((0.0, 1400.0), (5200.0, 300.0), (1400.0, -500.0), (6000.0, -800.0)):
        out, jacobian = crossed_map(state, z, length, TANH)
        assert np.allclose(out, [1.0 + 0.01 * length, 2.0 - 0.02 * length, 0.01, -0.02, -0.1], rtol=1e-14)
        assert jacobian[0, 2] == length
        assert np.count_nonzero(jacobian) == 7
    assert np.array_equal(crossed_map(state, 3000.0, 0.0, TANH)[0], state)


def test_particle_that_turns_around_is_left_alone() -> None:
    state = np.array([0.0, 0.0, 0.0, 0.0, 1 / 0.2])
    before, jacobian = state.copy(), np.empty((5, 5))
    assert not cross_map(state, 1000.0, 4500.0, TANH, jacobian)
    assert np.array_equal(state, before)
    assert np.all(np.isnan(crossed_map(state, 1000.0, 4500.0, TANH)[0]))
