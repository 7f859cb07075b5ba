"""The figure of a MIP peak: what it draws is what was fitted."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import landau

from na64mu.calibration.mip import LANDAU_MODE, LANDAU_SCALE, fit_mip
from na64mu.errors import CalibrationError
from na64mu.report.mip import mip_peak
from na64mu.selections import load_working_point

RULE = load_working_point("prl2024").mip


@pytest.fixture
def muons():
    rng = np.random.default_rng(3)
    scale = LANDAU_SCALE * 0.06
    return {"e_ecal": landau.rvs(loc=0.6 - LANDAU_MODE * scale, scale=scale, size=4000, random_state=rng) + rng.normal(0, 0.02, 4000)}


def test_the_line_follows_the_points_in_the_range_of_the_fit(muons):
    _, ax = mip_peak(muons, "e_ecal", RULE)
    fit = fit_mip(muons["e_ecal"], "e_ecal", fit_low=RULE.fit_low, fit_high=RULE.fit_high, min_events=RULE.min_events)
    line = next(line for line in ax.lines if line.get_label().startswith(f"{fit.mode:.3g} GeV"))
    x, expected = line.get_data()
    assert fit.fit_range[0] < x.min() < x.max() < fit.fit_range[1]
    counts = np.histogram(muons["e_ecal"], bins=80, range=(0, 4 * fit.mode))[0]
    centres = (np.arange(80) + 0.5) * 4 * fit.mode / 80
    seen = counts[(centres > fit.fit_range[0]) & (centres < fit.fit_range[1])]
    assert np.sum((seen - expected) ** 2 / np.maximum(expected, 1)) < 2 * len(seen)
    assert expected.sum() == pytest.approx(seen.sum(), rel=0.03)
    plt.close("all")


def test_the_window_is_that_of_the_rule(muons):
    figure, axes = plt.subplots(1, 2)
    _, ax = mip_peak(muons, "e_ecal", RULE, ax=axes[1])
    assert ax is axes[1]
    fit = fit_mip(muons["e_ecal"], "e_ecal", fit_low=RULE.fit_low, fit_high=RULE.fit_high, min_events=RULE.min_events)
    ends = sorted(line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--")
    assert ends == pytest.approx([fit.shape.quantile(RULE.quantile_low), fit.shape.quantile(RULE.quantile_high)])
    assert ax.get_xlabel() == "energy in the ECAL [GeV]"
    plt.close(figure)


def test_too_few_muons_are_an_error(muons):
    with pytest.raises(CalibrationError, match="e_ecal: 30 calibration events"):
        mip_peak({"e_ecal": muons["e_ecal"][:30]}, "e_ecal", RULE)
