"""What tracks cannot see is taken from most modules, and not from all of them."""

from __future__ import annotations

import numpy as np
import pytest

from na64mu.alignment.gauge import least_absolute, robust_gauge

Z = np.linspace(-1.0, 1.0, 9)
MOVEMENTS = np.column_stack([np.ones_like(Z), Z])
ALL = np.zeros(9, dtype=np.int64)


def test_a_module_that_is_far_off_does_not_move_the_others() -> None:
    true = np.zeros(9)
    true[3] = 10.0
    seen = true + MOVEMENTS @ np.array([2.0, -1.0])  # tracks may add any common movement
    assert least_absolute(seen, MOVEMENTS) == pytest.approx([-2.0, 1.0], abs=1e-6)
    gauge = robust_gauge(seen, MOVEMENTS, ALL)
    assert seen + MOVEMENTS @ gauge.amplitude == pytest.approx(true, abs=1e-3)
    assert gauge.precision[3] < 0.1 * gauge.precision[0]
    squares = -np.linalg.lstsq(MOVEMENTS, seen, rcond=None)[0]
    assert np.abs(squares - [-2.0, 1.0]).max() > 0.5  # least squares share it among all


def test_displacements_of_all_alike_are_averaged() -> None:
    rng, robust, squares = np.random.default_rng(1), [], []
    for _ in range(300):
        seen = rng.standard_normal(9)
        robust.append(MOVEMENTS @ robust_gauge(seen, MOVEMENTS, ALL).amplitude)
        squares.append(MOVEMENTS @ -np.linalg.lstsq(MOVEMENTS, seen, rcond=None)[0])
    assert np.std(robust) < 1.25 * np.std(squares)


def test_no_more_is_claimed_than_the_survey_says() -> None:
    gauge = robust_gauge(np.full(9, 1e-6), MOVEMENTS, ALL)
    assert gauge.precision == pytest.approx(np.ones(9))
    wide = robust_gauge(20.0 * np.random.default_rng(2).standard_normal(9), MOVEMENTS, ALL)
    assert (wide.precision < 0.05).all()  # the survey was wrong, and is believed less


def test_nothing_is_held() -> None:
    gauge = robust_gauge(np.ones(4), np.zeros((4, 0)), np.zeros(4, dtype=np.int64))
    assert len(gauge.amplitude) == 0
    assert (gauge.precision == 1.0).all()
