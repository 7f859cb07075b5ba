"""Significance, best fit and intervals of a search: from counts in three lines, from open results, never from blinded ones."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, poisson
from test_ana_limits import EXPOSURES, yields_at

import na64mu
from na64mu.analysis.counting import letter_counting
from na64mu.analysis.excess import interval_of, search_excess, significance_of
from na64mu.analysis.excess_files import excess_dict, reach_rows, write_excess, write_reach
from na64mu.analysis.limits import search_limits
from na64mu.errors import BlindedError, InputError
from na64mu.statistics.feldman_cousins import feldman_cousins


def limits_with(counts, **changes):
    return search_limits(replace(letter_counting(), observed=counts, **changes), yields_at())


@pytest.fixture(scope="module")
def found():
    return search_excess(limits_with((2.0, 1.0)))


def test_significance_in_one_call():
    test = na64mu.significance_of(counts=(3, 1), backgrounds={"momentum": 0.05})
    assert test.p_value == pytest.approx(poisson.sf(3, 0.05), rel=1e-10)
    assert test.significance == pytest.approx(norm.isf(poisson.sf(3, 0.05)), rel=1e-9)
    assert na64mu.significance_of("letter").p_value == 1.0
    assert na64mu.significance_of(counts=(3, 1), backgrounds={"momentum": (0.05, 0.05)}).significance < test.significance


def test_intervals_in_one_call():
    result = na64mu.interval_of(
        counts=(2, 1), backgrounds={"b": (0.05, 0.03)}, mot=EXPOSURES, efficiency=0.1, masses=[0.1, 0.2], method="ww"
    )
    assert result.couplings().shape == (2, 2)
    again = interval_of(result.limits)
    np.testing.assert_array_equal(again.couplings(), result.couplings())


def test_couplings_follow_from_the_strengths(found):
    model = found.limits.models[0.1]
    low, high = feldman_cousins(model, 3)[0]
    assert found.couplings()[2] == pytest.approx((1e-4 * math.sqrt(low), 1e-4 * math.sqrt(high)), rel=1e-9)
    assert found.events()[2] == pytest.approx((low * model.total_signal, high * model.total_signal), rel=1e-9)
    assert np.all(found.couplings()[:, 0] < found.best)
    assert np.all(found.best < found.couplings()[:, 1])
    assert np.all(found.couplings(level=0.6827)[:, 0] > found.couplings()[:, 0])


def test_the_p_value_is_that_of_the_scan(found):
    """One count for all masses: the exact p-value depends on no mass."""
    assert {one.discovery.p_value for pair in found.ends for one in pair} == {found.discovery.p_value}
    text = " ".join(found.statements())
    assert "needs no factor for the number of masses" in text
    assert "p = 0.00011, 3.69 standard deviations (exact)" in text
    assert "significance, best fit and intervals of g_Z'" in repr(found)


@pytest.mark.parametrize(
    "call", [lambda: significance_of(replace(letter_counting(), observed=None)), lambda: search_excess(limits_with(None))]
)
def test_nothing_is_made_of_blinded_counts(call):
    with pytest.raises(BlindedError, match="the signal box is blinded, or the exposure a projection: there are no counts to test"):
        call()


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="whole numbers of events"):
        significance_of(counts=(1.5, 0), backgrounds={"b": 1.0})


def test_a_bounded_background_is_taken_at_the_careful_end():
    """An excess over nothing known but an upper limit is no excess over it."""
    alone = search_excess(limits_with((2.0, 1.0)))
    bounded = search_excess(limits_with((2.0, 1.0), bounds={"leak": 2.0}))
    assert bounded.discovery.p_value == pytest.approx(poisson.sf(2, 2.07), rel=0.02)
    assert bounded.discovery.significance < 1 < alone.discovery.significance
    assert np.all(bounded.couplings()[:, 0] == 0.0)  # no signal is needed if the background is there
    np.testing.assert_array_equal(bounded.couplings()[:, 1], alone.couplings()[:, 1])  # nor is the background
    assert "leak < 2" in bounded.statements()[-1]
    assert significance_of(bounded.limits.counting).p_value == pytest.approx(bounded.discovery.p_value)


def test_a_background_that_is_not_estimated_is_said(caplog):
    counting = replace(letter_counting(), observed=(2.0, 1.0), missing={"decays": "no simulation"})
    said = "not estimated, and not in the p-value: decays; an excess over the other backgrounds may be of these"
    significance_of(counting)
    assert said in caplog.text
    assert said in search_excess(search_limits(counting, yields_at())).statements()


def test_files_hold_every_mass(found, tmp_path):
    as_json, as_csv = write_excess(found, tmp_path)
    content = json.loads(as_json.read_text())
    assert content == json.loads(json.dumps(excess_dict(found)))
    assert content["observed"] == [2.0, 1.0]
    assert len(content["masses"]) == 6
    assert content["masses"][2]["g_feldman_cousins_90_low"] == pytest.approx(found.couplings()[2, 0])
    lines = [line for line in as_csv.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 7
    assert "look-elsewhere" in as_csv.read_text()


def test_an_infinite_significance_is_no_number_in_json():
    nothing = search_excess(search_limits(replace(letter_counting(), backgrounds={}, errors={}, observed=(1.0, 0.0)), yields_at()))
    content = excess_dict(nothing)
    assert content["p_value"] == 0.0
    assert content["significance"] is None
    json.dumps(content, allow_nan=False)


def test_without_a_background_nothing_is_tested():
    test = na64mu.significance_of(counts=(3, 1), backgrounds={})
    assert not test.tested
    assert repr(test) == "4 events observed, no background is estimated: the background alone is not tested"
    assert na64mu.significance_of(counts=(0, 0), backgrounds={}).tested
    found = search_excess(limits_with((2.0, 1.0), backgrounds={}, errors={}))
    assert "p =" not in found.statements()[0]
    assert found.statements()[0].endswith("no background is estimated: the background alone is not tested")
    assert excess_dict(found)["tested"] is False


def test_many_events_still_give_an_answer():
    many = search_excess(limits_with((200.0, 100.0)))
    assert many.methods == ("profile",)
    assert "no feldman-cousins interval: 300 events observed" in many.statements()[-1]


def test_the_reach_needs_no_counts(tmp_path):
    blinded, opened = (reach_rows(limits_with(counts)) for counts in (None, (5.0, 2.0)))
    assert blinded == opened
    row = blinded[2]
    assert (row["events_3_sigma"], row["events_5_sigma"]) == (3, 5)
    signal = limits_with(None).models[0.1].total_signal * (row["g_5_sigma"] / 1e-4) ** 2
    assert poisson.sf(4, signal + 0.07) == pytest.approx(0.5, abs=0.01)
    text = write_reach(limits_with(None, bounds={"leak": 1e5}), tmp_path).read_text()
    assert "probability of 50 %" in text
    assert "nan" in text  # a bound so high that no count says anything
