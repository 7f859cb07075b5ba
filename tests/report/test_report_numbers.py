"""Numbers as text."""

from __future__ import annotations

import pytest

from na64mu.report.numbers import count, efficiency, is_weighted, muons, significant, weighted_fraction
from na64mu.results.cutflow import CutFlow, Step
from na64mu.statistics.binomial import Efficiency, clopper_pearson


@pytest.mark.parametrize(("n", "text"), [(0, "0"), (999, "999"), (1234567, "1 234 567")])
def test_count(n, text):
    assert count(n) == text


@pytest.mark.parametrize(("n", "text"), [(999_999.4, "999 999"), (1.98e10, "1.98e10"), (11_583_000.0, "1.158e07")])
def test_muons(n, text):
    assert muons(n) == text


@pytest.mark.parametrize(
    ("value", "wide", "narrow"),
    [
        (Efficiency(0.5, 0.46, 0.53), "50.0 +3.0 -4.0", "50.0 +-4.0"),
        (Efficiency(0.9012, 0.8990, 0.9033), "90.12 +0.21 -0.22", "90.12 +-0.22"),
        (Efficiency(0.99878, 0.99846, 0.99904), "99.88 +0.03 -0.03", "99.88 +-0.03"),
        (Efficiency(0.000123, 0.0001, 0.00015), "0.0123 +0.0027 -0.0023", "0.0123 +-0.0027"),
        (Efficiency(1.0, 1.0, 1.0), "100.00 +0.00 -0.00", "100.00 +-0.00"),
        (clopper_pearson(0, 0), "-", "-"),
    ],
)
def test_efficiency(value, wide, narrow):
    assert efficiency(value) == wide
    assert efficiency(value, narrow=True) == narrow


def test_none_of_ten_keeps_its_upper_limit():
    # (1 - 0.6827)/2 = 1 - (1 - p)^10 at the upper end: 1 - 0.15865^(1/10) = 16.8 %
    assert efficiency(clopper_pearson(0, 10)) == "0.0 +16.8 -0.0"


def test_weights_are_seen_and_their_fraction():
    plain = CutFlow((Step("events", "events", 2, 2.0, 2.0), Step("a", "a", 1, 1.0, 1.0)))
    heavy = CutFlow((Step("events", "events", 2, 5.0, 13.0), Step("a", "a", 1, 2.0, 4.0)))
    cancelling = CutFlow((Step("events", "events", 2, 2.0, 2.5), Step("a", "a", 1, 0.5, 0.25)))
    assert [is_weighted(f) for f in (plain, heavy, cancelling)] == [False, True, True]
    assert weighted_fraction(heavy.steps[1], heavy.steps[0]) == "40"
    assert weighted_fraction(Step("a", "a"), Step("events", "events")) == "-"


def test_significant():
    assert significant(123456.7, 5) == "1.2346e+05"
