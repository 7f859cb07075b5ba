from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import landau, norm

from na64mu.calibration import mip
from na64mu.calibration.mip import LANDAU_MODE, LANDAU_SCALE, MipShape, fit_mip, half_sample_mode
from na64mu.errors import CalibrationError

RANGE = {"fit_low": 0.5, "fit_high": 1.6, "min_events": 200}


def sample(peak: float, xi: float, sigma: float, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scale = LANDAU_SCALE * xi
    return landau.rvs(loc=peak - LANDAU_MODE * scale, scale=scale, size=n, random_state=rng) + rng.normal(0.0, sigma, n)


def test_the_constants_are_the_mode_of_landaus_distribution_and_its_classical_parametrisation():
    x = np.linspace(-1.0, 0.2, 120_001)
    assert x[np.argmax(landau.pdf(x))] == pytest.approx(LANDAU_MODE, abs=2e-5)
    # in Landau's own parametrisation the mode is -0.22278 and the density there 0.18065
    assert landau.pdf(LANDAU_MODE) / LANDAU_SCALE == pytest.approx(0.180655, abs=2e-6)
    assert LANDAU_SCALE * LANDAU_MODE + np.log(np.pi / 2) == pytest.approx(-0.22278, abs=1e-5)


def test_the_folded_shape_is_the_convolution():
    shape = MipShape(2.0, 0.1, 0.25)
    x = np.array([1.4, 1.9, 2.2, 2.8, 4.0])
    t = np.linspace(-8, 8, 8001)
    scale = LANDAU_SCALE * shape.xi
    truth = [np.trapezoid(landau.cdf(v - shape.sigma * t, loc=2.0 - LANDAU_MODE * scale, scale=scale) * norm.pdf(t), t) for v in x]
    assert shape.cdf(x) == pytest.approx(truth, abs=3e-4)


@pytest.mark.parametrize("sigma", [1e-3, 0.3])
def test_with_one_width_vanishing_the_other_shape_is_left(sigma):
    if sigma < 0.1:
        shape, truth = MipShape(2.0, 0.1, sigma), landau(loc=2.0 - LANDAU_MODE * LANDAU_SCALE * 0.1, scale=LANDAU_SCALE * 0.1)
    else:
        shape, truth = MipShape(2.0, 1e-5, sigma), norm(2.0, sigma)
    for probability in (0.005, 0.5, 0.95):
        assert shape.quantile(probability) == pytest.approx(truth.ppf(probability), abs=0.01)


def test_quantiles_invert_the_distribution():
    shape = MipShape(2.0, 0.1, 0.25)
    for probability in (0.005, 0.3, 0.95, 0.99):
        assert float(shape.cdf(np.array([shape.quantile(probability)]))[0]) == pytest.approx(probability, abs=2e-4)


@pytest.mark.parametrize(("peak", "xi", "sigma"), [(2.3, 0.12, 0.2), (0.6, 0.05, 0.03), (9.0, 0.5, 0.7)])
def test_a_fit_recovers_the_truth_within_its_errors(peak, xi, sigma):
    pulls = []
    for seed in range(3):
        fit = fit_mip(sample(peak, xi, sigma, 20_000, seed), "e", **RANGE)
        assert fit.chi2 / fit.ndf < 1.5
        pulls += [
            (found - true) / error for found, true, error in zip(vars(fit.shape).values(), (peak, xi, sigma), fit.errors, strict=True)
        ]
    assert np.max(np.abs(pulls)) < 4.0
    assert 0.2 < np.std(pulls) < 2.0
    truth = MipShape(peak, xi, sigma)
    assert fit.shape.quantile(0.005) == pytest.approx(truth.quantile(0.005), rel=0.02)
    assert fit.mode == pytest.approx(truth.mode, rel=0.01)


def test_a_tail_of_showers_and_empty_events_do_not_move_the_peak():
    rng = np.random.default_rng(5)
    clean = sample(2.3, 0.12, 0.2, 10_000, 5)
    dirty = np.concatenate([clean, rng.exponential(20.0, 1000) + 4.0, np.zeros(3000), np.full(500, np.nan)])
    assert fit_mip(dirty, "e", **RANGE).mode == pytest.approx(fit_mip(clean, "e", **RANGE).mode, abs=0.03)


def test_the_half_sample_mode_ignores_tails():
    values = np.concatenate([np.random.default_rng(1).normal(3.0, 0.1, 2000), np.linspace(5, 500, 1500)])
    assert half_sample_mode(values) == pytest.approx(3.0, abs=0.1)


def test_too_few_events_are_an_error_that_says_what_to_do():
    with pytest.raises(CalibrationError, match=r"e_hcal1: 50 calibration events with a deposit, at least 200 are needed: give more"):
        fit_mip(np.concatenate([np.full(50, 2.0), np.zeros(900)]), "e_hcal1", **RANGE)
    spread = np.concatenate([np.linspace(2.0, 2.1, 100), np.linspace(10, 1000, 900)])
    with pytest.raises(CalibrationError, match=r"calibration events between .* and .*, at least 200 are needed"):
        fit_mip(spread, "e_hcal1", **RANGE)


def test_rounding_of_the_likelihood_does_not_stop_a_fit_to_many_events(monkeypatch):
    """200 000 events of the paper's full run: the table's rounding hid the minimum, which all starts had found."""
    values, exact = sample(5.75, 0.58, 0.14, 30_000, 1), MipShape.table
    smooth = fit_mip(values, "e", **RANGE)

    def rough(self, low, high):
        grid, table = exact(self, low, high)
        return grid, table + 3e-11 * np.sin(1e12 * (self.peak + self.xi + self.sigma) * (1.0 + np.arange(len(table)) % 7))

    monkeypatch.setattr(MipShape, "table", rough)
    monkeypatch.setattr(mip, "PRECISIONS", (None,))
    with pytest.raises(CalibrationError, match="did not converge"):
        fit_mip(values, "e", **RANGE)
    monkeypatch.undo()
    monkeypatch.setattr(MipShape, "table", rough)
    found = fit_mip(values, "e", **RANGE)
    for name, error in zip(("peak", "xi", "sigma"), smooth.errors, strict=True):
        assert getattr(found.shape, name) == pytest.approx(getattr(smooth.shape, name), abs=0.1 * error)
