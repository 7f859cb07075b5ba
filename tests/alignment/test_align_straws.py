from __future__ import annotations

import re

import numpy as np
import pytest
from alignment_examples import toy_sample, true_detector

from na64mu.alignment.align import align_spectrometer
from na64mu.alignment.straws import _doubt, fit_spectrum, measure_drift, with_drift
from na64mu.detector.elements import Straw


def chamber() -> Straw:
    straw = true_detector().trackers["st2"]
    assert isinstance(straw, Straw)
    return straw


def spectrum(n: int, t0: float, drift: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    distance = rng.uniform(0.0, chamber().inner_radius, n)
    signal = t0 + drift * (distance + chamber().sigma * rng.standard_normal(n))
    return np.concatenate([signal, rng.uniform(-150.0, 150.0, n // 20)])


@pytest.mark.parametrize(("t0", "drift"), [(0.0, 14.5), (23.0, 14.5), (-7.0, 12.0), (4.0, 17.0)])
def test_edges_of_the_spectrum(t0: float, drift: float) -> None:
    found = fit_spectrum(spectrum(40_000, t0, drift), chamber())
    assert found is not None
    assert abs(found.t0 - t0) < 5.0 * found.t0_error
    assert abs(found.width - drift * chamber().inner_radius) < 5.0 * found.width_error
    assert found.t0_error < 0.15


def test_an_edge_without_times_below_it_is_an_edge() -> None:
    """Where negative times are written as 0, or not at all, the spectrum begins with a step."""
    times = spectrum(30_000, 0.0, 13.5)
    found = fit_spectrum(np.clip(times[(times > -5.0) & (times < 60.0)], 0.0, None), chamber())
    assert found is not None
    assert abs(found.t0) < 1.0
    assert found.width == pytest.approx(13.5 * chamber().inner_radius, rel=0.05)


def test_a_relation_that_is_no_straight_line_says_so() -> None:
    assert _doubt("st2", 10.0, 10, 0.5) == ""
    assert "st2: drift times do not grow evenly with the distance (chi2/ndf 45/10)" in _doubt("st2", 45.0, 10, 0.5)


def test_too_few_times_keep_the_description() -> None:
    assert fit_spectrum(spectrum(500, 0.0, 14.5), chamber()) is None
    assert with_drift(true_detector(), {"st2": spectrum(500, 9.0, 14.5)}).digest == true_detector().digest


def test_the_description_takes_what_the_spectrum_says() -> None:
    changed = with_drift(true_detector(), {"st2": spectrum(40_000, 9.0, 13.0)}).trackers["st2"]
    assert isinstance(changed, Straw)
    assert changed.t0 == pytest.approx(9.0, abs=0.3)
    assert changed.drift_ns_per_mm == pytest.approx(13.0, rel=0.01)


def test_tracks_find_t0_and_drift() -> None:
    sample = toy_sample(2, 4000, 21, true_detector(), t0=6.0)  # 0.4 mm too far for everybody else
    aligned = align_spectrometer([sample])
    relations = {r.name: r for r in measure_drift(aligned, [sample])}
    assert set(relations) == {"st1", "st2"}
    for r in relations.values():
        assert abs(r.t0 - 6.0) < 5.0 * r.t0_error
        assert abs(r.drift_ns_per_mm - 14.5) < 5.0 * r.drift_error
        assert r.t0_error < 0.15
        assert r.chi2 < 40.0
        assert re.match(rf"{r.name}: tracks find a t0 that is \+[56]\.\d ns from the one of the spectrum of drift times", r.doubt)
        assert np.allclose(r.time, 6.0 + 14.5 * np.array(r.distance), atol=0.6)
