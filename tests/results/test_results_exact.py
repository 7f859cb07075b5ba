"""Exact sums: against fractions, in any order and partition."""

from __future__ import annotations

import copy
import json
import math
import pickle
from fractions import Fraction

import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.results.cutflow import CutFlow
from na64mu.results.exact import ExactSum, exact_sum, sums_of_weights
from na64mu.results.exact_array import ExactArray
from na64mu.results.weighted_histogram import WeightedHistogram, rounded

FINITE = st.floats(allow_nan=False, allow_infinity=False)
WEIGHTS = st.floats(1e-12, 1e6) | st.floats(-1e3, 1e3) | st.just(1.0) | st.just(0.0)


def truth(values):
    total = sum((Fraction(v) for v in values), Fraction(0))
    try:
        return float(total)
    except OverflowError:
        return math.inf if total > 0 else -math.inf


@given(st.lists(FINITE, max_size=30))
def test_a_sum_is_the_fraction_rounded_once(values):
    found = exact_sum(np.array(values, dtype=np.float64))
    assert float(found) == truth(values)
    assert sum(map(ExactSum.of, values), ExactSum()).whole == found.whole


@pytest.mark.parametrize(
    "values", [[5e-324] * 7, [1e308, 1e308, -1e308], [1.0, 2.0**-60, -1.0], [-1e16, 1.0, 1.0], [2.2250738585072014e-308, -5e-324]]
)
def test_the_ends_of_the_range(values):
    assert float(exact_sum(np.array(values))) == truth(values)


def test_many_numbers_are_added_in_parts(monkeypatch):
    for module in ("exact", "exact_array"):
        monkeypatch.setattr(f"na64mu.results.{module}.AT_ONCE", 7)
    values = np.random.default_rng(1).lognormal(0, 8, 100) * np.where(np.arange(100) % 3, 1, -1)
    assert float(exact_sum(values)) == truth(values.tolist())
    assert ExactArray.of(np.zeros(100, dtype=np.int64), values, 1).values()[0] == truth(values.tolist())


def test_what_is_not_finite_stays_so_in_any_order():
    for values in ([1.0, math.inf], [math.inf, 1.0]):
        assert math.isinf(sum(map(ExactSum.of, values), ExactSum()))
        assert math.isinf(exact_sum(np.array(values)))
    assert math.isnan(exact_sum(np.array([1.0, math.inf, -math.inf])))
    assert math.isnan(ExactSum.of(math.nan) + 1.0)


def test_a_sum_is_a_float_that_travels():
    total = ExactSum.of(0.1) + 0.2 + 0.3 + np.float64(0.4) + 1
    assert isinstance(total, float)
    assert total == truth([0.1, 0.2, 0.3, 0.4, 1.0])
    for again in (pickle.loads(pickle.dumps(total)), copy.deepcopy(total), ExactSum.from_parts(json.loads(json.dumps(total.parts())))):
        assert (again, again.whole) == (total, total.whole)
    assert len(total.parts()) > 1
    assert ExactSum.from_parts([math.inf]) == math.inf
    large = ExactSum.of(1e308) + 1e308
    assert (float(large), ExactSum.from_parts(large.parts()) + -1e308) == (math.inf, 1e308)
    with pytest.raises(TypeError):
        total + "1"


@given(st.lists(st.tuples(st.integers(0, 3), FINITE), max_size=40), st.randoms())
@settings(max_examples=60)
def test_bins_are_the_same_in_any_partition(rows, random):
    def added(part):
        return ExactArray.of(np.array([i for i, _ in part], dtype=np.int64), np.array([v for _, v in part], dtype=np.float64), 4)

    whole = added(rows)
    assert whole.values().tolist() == [truth([v for i, v in rows if i == k]) for k in range(4)]
    total, mixed = ExactArray(4), random.sample(rows, len(rows))
    while mixed:
        n = random.randint(1, len(mixed))
        total += added(mixed[:n])
        mixed = mixed[n:]
    assert total == whole
    assert ExactArray.from_dict(json.loads(json.dumps(total.to_dict()))) == whole


def filled(values, weights):
    h = WeightedHistogram(hist.axis.StrCategory(["a", "b"], name="stage"), hist.axis.Regular(5, 0, 1, name="x"))
    h.fill("b", np.array(values), weight=np.array(weights))
    return h


@given(st.lists(st.tuples(st.floats(-0.5, 1.5), WEIGHTS), min_size=1, max_size=30), st.randoms())
@settings(max_examples=60)
def test_a_histogram_and_a_cutflow_are_the_same_in_any_partition(rows, random):
    def one(part):
        values, weights = np.array([v for v, _ in part]), np.array([w for _, w in part])
        return filled(values, weights), CutFlow.from_masks({"half": values < 0.5, "more": values > 0.1}, weights)

    (histogram, flow), mixed = one(rows), random.sample(rows, len(rows))
    total = None
    while mixed:
        n = random.randint(1, len(mixed))
        more = one(mixed[:n])
        total = more if total is None else (total[0] + more[0], total[1] + more[1])
        mixed = mixed[n:]
    assert total is not None
    assert total[0].rounded().view(flow=True).tobytes() == histogram.rounded().view(flow=True).tobytes()
    assert rounded(total[1]) == rounded(flow)
    assert flow["half"].sumw == truth([w for v, w in rows if v < 0.5])
    reference = hist.Hist(*histogram.axes, storage=hist.storage.Weight())
    reference.fill("b", np.array([v for v, _ in rows]), weight=np.array([w for _, w in rows]))
    assert np.allclose(reference.values(flow=True), histogram.values(flow=True), rtol=1e-12, atol=1e-8)
    assert np.allclose(reference.variances(flow=True), histogram.variances(flow=True), rtol=1e-12, atol=1e-8)


def test_a_histogram_is_kept_and_asked_as_one_of_hist():
    h = filled([0.1, 0.9, 7.0], [0.1, 0.2, 0.3]) + filled([0.1], [1.0])
    assert h["b", :].values().tolist() == [1.1, 0.0, 0.0, 0.0, 0.2]
    assert h.sum(flow=True).value == pytest.approx(1.6)
    assert h == pickle.loads(pickle.dumps(h)) == h.rounded() == copy.deepcopy(h)
    assert h != filled([0.1], [1.0])
    assert rounded({"h": h, "n": 1})["h"] == h.rounded()
    with pytest.raises(TypeError):
        h + 1


def test_weights_of_one_are_counted():
    assert sums_of_weights(np.array([True, False, True]), np.ones(3)) == (2, 2.0, 2.0)
    assert type(sums_of_weights(np.array([True]), np.ones(1))[1]) is float
    assert sums_of_weights(np.zeros(2, dtype=bool), np.full(2, np.nan)) == (0, 0.0, 0.0)
