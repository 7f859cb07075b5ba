from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from na64mu.statistics.binomial import ONE_SIGMA, clopper_pearson


def test_clopper_pearson_against_its_definition_and_textbook_values() -> None:
    low, high = clopper_pearson(7, 20, level=0.9)[1:]
    assert binom.sf(6, 20, low) == pytest.approx(0.05)
    assert binom.cdf(7, 20, high) == pytest.approx(0.05)
    assert clopper_pearson(0, 10, level=0.95)[1:] == (0.0, pytest.approx(1 - 0.025 ** (1 / 10)))
    assert clopper_pearson(10, 10, level=0.95)[1:] == (pytest.approx(0.025 ** (1 / 10)), 1.0)
    assert np.isnan(clopper_pearson(0, 0).value)


@pytest.mark.parametrize(("found", "tried"), [(3, 10), (97, 100), (950, 1000)])
def test_the_default_interval_is_one_standard_deviation(found: int, tried: int) -> None:
    value, low, high = clopper_pearson(found, tried)
    tail = norm.sf(1.0)
    assert pytest.approx(1.0 - 2.0 * tail) == ONE_SIGMA
    assert value == found / tried
    assert binom.sf(found - 1, tried, low) == pytest.approx(tail)
    assert binom.cdf(found, tried, high) == pytest.approx(tail)
