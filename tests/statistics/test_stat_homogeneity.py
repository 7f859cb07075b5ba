from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from na64mu.statistics.homogeneity import shape_chi2


def test_equal_unit_weights_give_the_textbook_chi2_of_two_histograms():
    n, w = np.array([40.0, 60.0, 100.0]), np.array([55.0, 50.0, 95.0])
    pooled = (n + w) / (n.sum() + w.sum())
    expected = sum(float(np.sum((x - x.sum() * pooled) ** 2 / (x.sum() * pooled))) for x in (n, w))
    found = shape_chi2(n, w, w)
    assert found.ndf == 2
    # with unit weights the variance is that of the counts, not of the pooled fraction: the two agree to the order of 1/sqrt(n)
    assert found.chi2 == pytest.approx(expected, rel=0.05)


def test_p_values_of_equal_shapes_are_uniform_and_of_others_are_not():
    rng = np.random.default_rng(7)
    fractions = np.array([0.1, 0.25, 0.3, 0.2, 0.15])
    values = []
    for _ in range(400):
        n = rng.multinomial(4000, fractions).astype(float)
        size = rng.poisson(20000 * fractions)
        w, s2 = (np.array([np.sum(rng.exponential(0.01, k) ** power) for k in state]) for power, state in ((1, size), (2, size)))
        values.append(shape_chi2(n, w, s2).p_value)
    # w and s2 come from different draws of the same weights: their sizes are right, which is what is asked for
    assert kstest(values, "uniform").pvalue > 1e-3
    moved = np.array([0.14, 0.21, 0.3, 0.2, 0.15])
    n = rng.multinomial(4000, moved).astype(float)
    assert shape_chi2(n, 200.0 * fractions, 4.0 * fractions).p_value < 1e-6


def test_the_scale_of_the_weights_does_not_matter():
    n, w = np.array([40.0, 60.0, 0.0]), np.array([5.0, 5.5, 0.4])
    assert shape_chi2(n, w, 0.1 * w).chi2 == pytest.approx(shape_chi2(n, 1e-9 * w, 1e-19 * w).chi2)


def test_nothing_to_compare_is_no_number():
    assert np.isnan(shape_chi2(np.array([3.0]), np.array([1.0]), np.array([1.0])).chi2)
    assert np.isnan(shape_chi2(np.zeros(3), np.ones(3), np.ones(3)).p_value)
    assert shape_chi2(np.array([4.0, 3.0, 2.0]), np.array([4.0, 0.0, 2.0]), np.array([4.0, 0.0, 2.0])).ndf == 1
