from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.detector import load_detector
from na64mu.physics.constants import CURVATURE
from na64mu.physics.energy_loss import BREMSSTRAHLUNG, DELTA, NUCLEAR
from na64mu.simulation.beam import beam_spot, carry_back, sample_beam
from na64mu.simulation.geometry import DRIFT, FIELD, PLANE, build_line, build_surfaces
from na64mu.simulation.particles import STATE, new_state
from na64mu.simulation.recoil import deflect, recoil_angle
from na64mu.simulation.stream import Stream
from na64mu.simulation.transport import circle, drift, highland_sigma, inverse_p_beta, scatter, scattering
from na64mu.typing import Record


def runge_kutta(state: Record, length: float, bx: float, by: float, charge: float, n: int = 60) -> np.ndarray:
    """Independent integration of dx/dz = u / u_z, du/ds = k u x B by fourth-order Runge-Kutta in z."""
    u = np.array([state.tx, state.ty, 1.0])
    u /= np.linalg.norm(u)
    y = np.array([state.x, state.y, *u])
    field = np.array([bx, by, 0.0])
    k = CURVATURE * charge / state.p

    def slope(v: np.ndarray) -> np.ndarray:
        force = [-v[4] * field[1], v[4] * field[0], v[2] * field[1] - v[3] * field[0]]
        return np.array([v[2], v[3], k * force[0], k * force[1], k * force[2]]) / v[4]

    h = length / n
    for _ in range(n):
        a = slope(y)
        b = slope(y + 0.5 * h * a)
        c = slope(y + 0.5 * h * b)
        d = slope(y + h * c)
        y = y + h / 6.0 * (a + 2.0 * b + 2.0 * c + d)
    return np.array([y[0], y[1], y[2] / y[4], y[3] / y[4]])


@settings(derandomize=True, max_examples=20, deadline=None)
@given(
    st.floats(-0.05, 0.05), st.floats(-0.05, 0.05), st.floats(2.0, 200.0),
    st.floats(-2.0, 2.0), st.floats(-2.0, 2.0), st.sampled_from([-1.0, 1.0]),
)  # fmt: skip
def test_circle_is_the_solution_of_the_equation_of_motion(tx: float, ty: float, p: float, bx: float, by: float, charge: float) -> None:
    state = new_state(10.0, -20.0, tx, ty, p)
    expected = runge_kutta(state, 2000.0, bx, by, charge)
    assert circle(state, 2000.0, bx, by, charge)
    np.testing.assert_allclose(state.tolist()[:4], expected, rtol=1e-6, atol=1e-6)


def test_circle_and_back() -> None:
    state = new_state(1.0, 2.0, 0.003, -0.004, 30.0)
    start = state.copy()
    circle(state, 3000.0, 1.2, -0.5, -1.0)
    circle(state, -3000.0, 1.2, -0.5, -1.0)
    np.testing.assert_allclose(state.tolist(), start.tolist(), atol=1e-10)


def test_kick_and_sign() -> None:
    # 1.4 T m bends 160 GeV/c by 0.29979 x 1.4 / 160 = 2.623 mrad; a mu- in By < 0 goes to -x
    state = new_state(p=160.0)
    circle(state, 2000.0, 0.0, -0.7, -1.0)
    assert state.tx == pytest.approx(-0.299792458 * 1.4 / 160.0, rel=1e-5)
    assert state.y == 0.0


def test_neutral_particles_and_turning_back() -> None:
    state = new_state(0.0, 0.0, 0.01, 0.02, 10.0)
    assert circle(state, 100.0, 1.0, 1.0, 0.0)
    np.testing.assert_allclose([state.x, state.y], [1.0, 2.0])
    slow = new_state(p=0.1)
    assert not circle(slow, 2000.0, 0.0, 1.0, 1.0)


def test_highland_numbers() -> None:
    # 40 radiation lengths: 0.61 mrad at 160 GeV and 1.23 mrad at 80 GeV
    assert highland_sigma(40.0, 40.0, 160.0) == pytest.approx(0.613e-3, rel=0.01)
    assert highland_sigma(40.0, 40.0, 80.0) == pytest.approx(1.226e-3, rel=0.01)
    # steps of a block add up
    assert highland_sigma(10.0, 40.0, 160.0) == pytest.approx(0.5 * highland_sigma(40.0, 40.0, 160.0))


def test_scattering_moments_and_tail() -> None:
    rng = Stream(4)
    n = 40_000
    out, block = np.empty((n, 2)), scattering(40.0, 82.0)
    for i in range(n):
        state = new_state(p=160.0)
        scatter(state, 471.0, 1.0, *block, 82.0, inverse_p_beta(state.p), rng)
        out[i] = state.x, state.tx
    sigma = highland_sigma(40.0, 40.0, 160.0)
    core = np.abs(out[:, 1]) < 5.0 * sigma
    assert np.std(out[core, 1]) == pytest.approx(sigma, rel=0.015)
    assert np.std(out[core, 0]) == pytest.approx(471.0 * sigma / math.sqrt(3.0), rel=0.02)
    assert np.corrcoef(out[core].T)[0, 1] == pytest.approx(math.sqrt(3.0) / 2.0, abs=0.01)
    assert np.count_nonzero(~core) < n * 1e-3


def test_scattering_adds_up_over_the_steps_of_a_block() -> None:
    rng, n, block = Stream(15), 20_000, scattering(40.0, 82.0)
    whole, parts = np.empty(n), np.empty(n)
    for i in range(n):
        for out, shares in ((whole, (1.0,)), (parts, (0.5, 0.3, 0.2))):
            state = new_state(p=160.0)
            for share in shares:
                drift(state, 471.0 * share)
                scatter(state, 471.0 * share, share, *block, 82.0, inverse_p_beta(state.p), rng)
            out[i] = state.x
    assert np.percentile(np.abs(parts), [50.0, 90.0]) == pytest.approx(np.percentile(np.abs(whole), [50.0, 90.0]), rel=0.04)
    assert scattering(0.0, 7.0) == (0.0, 0.0)


def test_single_scattering_tail() -> None:
    # a thin plane of plastic: the nucleus is far from resolved, so P(> theta) = chi_c^2 / theta^2 beyond the core
    rng = Stream(14)
    n, thickness = 100_000, 0.0035
    plane = scattering(thickness, 7.0)
    sigma = highland_sigma(thickness, thickness, 160.0)
    chi_c2 = 112.4e-6 / math.log(183.0 * 7.0 ** (-1.0 / 3.0)) * thickness / 160.0**2
    count = 0
    for _ in range(n):
        state = new_state(p=160.0)
        scatter(state, 0.0, 1.0, *plane, 7.0, inverse_p_beta(state.p), rng)
        count += math.hypot(state.tx, state.ty) > 8.0 * sigma
    expected = chi_c2 / (8.0 * sigma) ** 2
    assert 0.002 < expected < 0.006
    assert count / n == pytest.approx(expected, rel=0.2)


def test_zero_line_meets_the_stations() -> None:
    detector = load_detector("na64mu-2022")
    line = build_line(detector)
    state = new_state(p=detector.beam.momentum)
    carry_back(line, state, float(detector.beam.charge))
    first = min(detector.bms, key=lambda b: b.z)
    at_first = state.y + state.ty * (first.z - line.z_in[0])
    assert at_first == pytest.approx(first.centre[1], abs=0.2)


def test_line_has_no_gaps() -> None:
    detector = load_detector("na64mu-2022")
    line, surfaces = build_line(detector), build_surfaces(detector)
    np.testing.assert_allclose(line.z_in[1:], line.z_out[:-1])
    assert np.count_nonzero(line.kind == PLANE) == len(surfaces.z)
    assert np.count_nonzero(line.kind == FIELD) == 4
    vacuum = (line.kind == DRIFT) & (line.z_out <= detector.medium.vacuum_until)
    assert np.all(line.x_over_x0[vacuum] == 0.0)
    planes = line.kind == PLANE
    np.testing.assert_allclose(line.z_in[planes], surfaces.z[line.number[planes]])


def test_beam_at_the_ecal_face() -> None:
    detector = load_detector("na64mu-2022")
    spot, rng = beam_spot(detector), Stream(5)
    sample = np.empty(20_000, STATE)
    for row in sample:
        sample_beam(spot, row, rng)
    assert sample["p"].mean() == pytest.approx(159.4, abs=0.2)
    assert sample["p"].std() / 159.4 == pytest.approx(0.0375, rel=0.03)
    # core and halo: the quartiles are nearly those of the core, the tail is that of the halo
    core = np.percentile(np.abs([sample["x"], sample["y"]]), 40.0, axis=1)  # of a Gaussian 0.524 widths; the halo shifts it by 20 %
    assert np.all((core > 0.524 * np.array([9.0, 19.0])) & (core < 1.3 * 0.524 * np.array([9.0, 19.0])))
    far = sample["x"] > 50.0  # the core is 5.6 widths away
    assert np.mean(far) == pytest.approx(0.14 * 0.2525, rel=0.1)
    alone = spot._replace(halo_fraction=0.0)
    for row in sample:
        sample_beam(alone, row, rng)
    assert sample["x"].std() == pytest.approx(9.0, rel=0.03)
    assert sample["y"].std() == pytest.approx(19.0, rel=0.03)
    assert abs(np.corrcoef(sample["y"], sample["p"])[0, 1]) < 0.03


def test_deflection() -> None:
    rng = Stream(6)
    old = new_state(0.0, 0.0, 0.02, -0.01, 100.0)
    new = old.copy()
    deflect(new, 0.03, rng)
    a, b = np.array([old.tx, old.ty, 1.0]), np.array([new.tx, new.ty, 1.0])
    assert math.acos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) == pytest.approx(0.03, abs=1e-6)


def test_recoil_angles() -> None:
    rng = Stream(7)
    # delta ray of 10 GeV off 160 GeV: p_T^2 = 2 m_e T (1 - T / T_max), T_max = 149.3 GeV
    expected = math.sqrt(2 * 0.511e-3 * 10.0 * (1.0 - 10.0 / 147.7)) / 150.0
    assert recoil_angle(DELTA, 160.0, 10.0, rng) == pytest.approx(expected, rel=0.01)
    soft = [recoil_angle(BREMSSTRAHLUNG, 160.0, 10.0, rng) for _ in range(2000)]
    assert max(soft) < 0.1057 / 150.0
    hard = [recoil_angle(NUCLEAR, 160.0, 80.0, rng) for _ in range(2000)]
    assert 0.0 < np.median(hard) < 0.65 / 80.0


def test_a_fringe_field_is_simulated_as_a_box_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    detector = load_detector("na64mu-2022")
    magnets = tuple(m.model_copy(update={"fringe": 150.0}) if m.spectrometer == 2 else m for m in detector.magnets)
    soft = detector.model_copy(update={"magnets": magnets})
    line = build_line(soft)
    assert "simulated as the hard-edged box" in caplog.text
    assert np.array_equal(line.z_in, build_line(detector).z_in)
