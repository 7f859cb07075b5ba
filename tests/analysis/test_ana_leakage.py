"""Background (III) from the E_CAL spectrum: a known fall is found again, below the border and beside the box."""

from __future__ import annotations

import hist
import numpy as np
import pytest

from na64mu.analysis.backgrounds.leakage import estimate_leakage, leakage_closure
from na64mu.errors import BackgroundError

FALL = 6.0


def plane(n: int, p_out: float, start: float, seed: int, weight: float = 1.0, fall: float = FALL):
    """Energies that fall exponentially from `start` towards zero, three times as many spread above."""
    h = hist.Hist(hist.axis.Regular(100, 0, 200, name="p_out"), hist.axis.Regular(200, 0, 200, name="e_cal"), storage=hist.storage.Weight())
    rng = np.random.default_rng(seed)
    h.fill(np.full(4 * n, p_out), np.concatenate([start - rng.exponential(fall, n), rng.uniform(start, start + 60, 3 * n)]), weight=weight)
    return h


def test_a_known_fall_is_extrapolated_with_its_weight():
    shape, rate = plane(20_000, 50.0, 60.0, 1), plane(500, 50.0, 60.0, 2, weight=1e-3)
    found = estimate_leakage(rate, 1e6, shape=shape, exposure=1e9, threshold=60.0)
    truth = 500 * 1e-3 * 1e3 * np.exp(-(60.0 - 12.0) / FALL)
    exponential = found.forms[0]
    assert exponential.name == "exponential in E_CAL"
    assert exponential.low * 0.8 < truth < exponential.high * 1.25
    assert found.nominal == exponential
    assert found.low <= found.value <= found.high <= found.upper
    assert found.n_rate == pytest.approx(2000, rel=0.01)
    assert "leaking hadrons" in repr(found)


def test_nothing_of_the_box_is_looked_at():
    one, other = plane(2000, 50.0, 60.0, 1), plane(2000, 50.0, 60.0, 1)
    other.fill([79.0, 10.0, 40.0] * 50, [11.5, 3.0, 0.2] * 50)
    assert estimate_leakage(one, 1e6) == estimate_leakage(other, 1e6)


def test_a_bin_across_the_border_is_not_read():
    def coarse(inside: int):
        h = hist.Hist(
            hist.axis.Regular(100, 0, 200, name="p_out"), hist.axis.Regular(40, 0, 200, name="e_cal"), storage=hist.storage.Weight()
        )
        energies = 60.0 - np.random.default_rng(1).exponential(10.0, 2000)
        h.fill(50.0, energies[energies >= 15.0])
        h.fill(50.0, np.full(inside, 11.0))
        return h

    assert estimate_leakage(coarse(0), 1e6, threshold=45.0) == estimate_leakage(coarse(300), 1e6, threshold=45.0)


def test_the_envelope_covers_beside_the_box():
    inside = 0
    for seed in range(12):
        h = plane(400, 95.0, 50.0, seed)
        found = leakage_closure(h, (80.0, 100.0), 30.0, threshold=50.0)
        inside += found.agrees
        assert found.observed == pytest.approx(400 * np.exp(-20 / FALL), abs=14)
    assert inside >= 10


def test_what_cannot_be_done_is_said():
    with pytest.raises(BackgroundError, match="at least 20 below that are needed"):
        estimate_leakage(plane(5, 50.0, 60.0, 1), 1e6)
    with pytest.raises(BackgroundError, match="no muons on target behind"):
        estimate_leakage(plane(500, 50.0, 60.0, 1), 0.0)
    with pytest.raises(BackgroundError, match="no muon-nuclear event of the physics trigger"):
        estimate_leakage(plane(500, 150.0, 60.0, 1), 1e6, shape=plane(500, 50.0, 60.0, 1))
    with pytest.raises(BackgroundError, match="reaches into the signal box"):
        leakage_closure(plane(500, 95.0, 60.0, 1), (70.0, 100.0), 30.0)
    with pytest.raises(BackgroundError, match="no bins of p_out"):
        leakage_closure(plane(500, 95.0, 60.0, 1), (300.0, 310.0), 30.0)
