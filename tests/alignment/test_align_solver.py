from __future__ import annotations

import numpy as np
import pytest
from alignment_examples import true_detector

from na64mu.alignment.parameters import FreeParameters, moved
from na64mu.alignment.solver import NormalEquations, solve
from na64mu.alignment.trajectory import follow, without_field
from na64mu.tracking.spectrometer import spectrometer


def free(number: int = 2, fixed: tuple[str, ...] = ()) -> FreeParameters:
    return FreeParameters.of(spectrometer(true_detector(), number), true_detector(), fixed, 1.0, 5e-3)


def equations(matrix: np.ndarray, right: np.ndarray) -> NormalEquations:
    return NormalEquations(matrix, right, 0.0, 1, 1, np.zeros(1, dtype=np.int64))


def test_parameters_of_a_spectrometer() -> None:
    ms1 = free(1)
    assert "bms1 dx" not in ms1.names
    assert ms1.names[:2] == ["bms1 dy", "bms1 drotation"]
    assert len(ms1) == 6 * 2 + 6 * 3
    assert len(free(2)) == 9 * 3
    assert not any(n.startswith("mm5") for n in free(2, ("mm5",)).names)


def test_known_parameters_are_solved_and_unknown_ones_are_held() -> None:
    parameters = free()
    n = len(parameters)
    rng = np.random.default_rng(1)
    truth = rng.normal(0.0, 1.0, n) * parameters.survey
    information = 1e8 / parameters.survey**2
    information[4] = 0.0  # nothing is known of it
    found = solve(equations(np.diag(information), information * truth), parameters, [])
    others = np.arange(n) != 4
    assert np.allclose(found.step[others], truth[others])
    assert found.step[4] == 0.0
    assert np.isnan(found.error[4])
    assert np.allclose(found.error[others], 1e-4 * parameters.survey[others])


@pytest.mark.parametrize("number", [1, 2])
def test_modes_are_movements_that_tracks_follow(number: int) -> None:
    """Moving all modules along a mode moves no residual that another track cannot take up."""
    detector, parameters = true_detector(), free(number)
    ms = spectrometer(detector, number)
    state = np.array([[0.0, 0.0, 0.0, 0.0, -1.0 / 160.0]])
    modes = {m.name: m for m in parameters.modes(ms, detector)}
    assert list(modes) == ["shift in x", "shift in y", "shear in x", "shear in y", "rotation", "twist", "bend"]
    _, derivative = follow(state, ms)
    direction = np.array([p.direction for p in ms.planes])
    local = np.einsum("mi,mik->mk", direction, derivative[0])
    for name in ("shift in x", "shift in y", "shear in x", "shear in y", "bend"):
        step = 0.1 * modes[name].vector
        changed = moved(detector, parameters, step)
        shift = np.array(
            [np.dot(p.direction, np.subtract(changed.trackers[p.station].centre, detector.trackers[p.station].centre)) for p in ms.planes]
        )
        scaled = local / np.abs(local).max(axis=0)
        left = shift - scaled @ np.linalg.lstsq(scaled, shift, rcond=None)[0]
        # stations have planes at different z, and the path is exact where the mode takes the limit of small angles
        assert np.abs(left).max() < 1e-2 * np.abs(shift).max()


def test_without_field_there_is_no_bend() -> None:
    detector = true_detector()
    names = [m.name for m in free().modes(without_field(spectrometer(detector, 2)), detector)]
    assert "bend" not in names
    assert len(names) == 6


def test_a_common_mode_that_nothing_tells_is_held_and_named() -> None:
    detector, parameters = true_detector(), free()
    ms = spectrometer(detector, 2)
    modes = parameters.modes(ms, detector)
    s = parameters.survey
    blind = modes[0].vector / s
    blind /= np.linalg.norm(blind)
    matrix = 1e8 * (np.eye(len(s)) - np.outer(blind, blind)) / np.outer(s, s)
    truth = 0.3 * modes[0].vector + np.where(np.arange(len(s)) == 5, 1e-3, 0.0)
    found = solve(equations(matrix, matrix @ truth), parameters, modes)
    assert found.mode_held.tolist() == [True] + [False] * 6
    assert np.isinf(found.mode_error[0])
    assert np.all(found.mode_error[1:] < 1e-2)
    assert abs(found.step / s @ blind) < 1e-9
    assert np.allclose(found.step, matrix @ truth / 1e8 * s**2, atol=1e-9)
