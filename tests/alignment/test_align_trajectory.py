from __future__ import annotations

import numpy as np
import pytest
from alignment_examples import beam_states, true_detector

from na64mu.alignment.trajectory import follow, scattering, without_field
from na64mu.tracking.spectrometer import highland_angle, spectrometer
from na64mu.tracking.transport import crossed


@pytest.mark.parametrize("number", [1, 2])
def test_positions_are_those_of_steps_one_by_one(number: int) -> None:
    ms = spectrometer(true_detector(), number)
    state = beam_states(number, 1, np.random.default_rng(1), field=True)[0]
    position, _ = follow(state[None], ms)
    s = state.copy()
    at = {ms.z[0]: s[:2].copy()}
    for start, end, bx, by, _ in ms.steps():
        s = crossed(s, end - start, (bx, by))[0] if bx or by else np.concatenate([s[:2] + (end - start) * s[2:4], s[2:]])
        at[end] = s[:2].copy()
    assert np.allclose(position[0], [at[z] for z in ms.z], atol=1e-9)
    assert np.abs(position[0]).max() < 700.0  # the beam stays in the stations


@pytest.mark.parametrize("number", [1, 2])
def test_derivatives_are_slopes_of_the_positions(number: int) -> None:
    ms = spectrometer(true_detector(), number)
    state = beam_states(number, 1, np.random.default_rng(2), field=True)
    _, derivative = follow(state, ms)
    for k, step in enumerate([1e-3, 1e-3, 1e-7, 1e-7, 1e-7]):
        h = np.zeros((1, 5))
        h[0, k] = step
        slope = (follow(state + h, ms)[0] - follow(state - h, ms)[0]) / (2.0 * step)
        assert np.allclose(derivative[0, :, :, k], slope[0], rtol=1e-5, atol=1e-5 * np.abs(slope).max())


def test_without_field_tracks_are_straight() -> None:
    ms = without_field(spectrometer(true_detector(), 2))
    state = np.array([[1.0, 2.0, 1e-3, -2e-3, -1.0 / 160.0]])
    position, derivative = follow(state, ms)
    z = ms.z - ms.z[0]
    assert np.allclose(position[0], np.column_stack([1.0 + 1e-3 * z, 2.0 - 2e-3 * z]))
    assert np.all(derivative[..., 4] == 0.0)


def test_a_particle_that_turns_around_has_no_positions() -> None:
    assert np.isnan(follow(np.array([[0.0, 0.0, 0.0, 0.0, 5.0]]), spectrometer(true_detector(), 1))[0]).all()


def test_scattering_is_the_covariance_of_drawn_kicks() -> None:
    ms = spectrometer(true_detector(), 2)
    rng = np.random.default_rng(3)
    n, fine = 40_000, 20  # the air in finer slices than the formula takes
    u = np.zeros((n, len(ms.planes), 2))
    kicks = [(p.z, p.x_over_x0) for p in ms.planes]
    for start, end, _, _, x in ms.steps():
        kicks += [(start + (end - start) * (i + 0.5) / fine, x / fine) for i in range(fine) if x > 0.0]
    for z, x in kicks:
        angle = highland_angle(x, ms.total_x0) * rng.standard_normal((n, 2))
        u += np.clip(ms.z - z, 0.0, None)[None, :, None] * angle[:, None, :]
    measured = np.einsum("nmi,mi->nm", u, np.array([p.direction for p in ms.planes]))
    drawn, expected = np.cov(measured.T), scattering(ms)
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    behind = size > 0.0
    assert np.all(expected[~behind] == 0.0)
    assert np.abs((drawn - expected)[behind] / size[behind]).max() < 0.03
