"""Decays in flight, region D and Table I."""

from __future__ import annotations

import csv
from dataclasses import replace

import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gamma

from na64mu.analysis.backgrounds.abcd import abcd_estimate, coverage, upper_limit
from na64mu.analysis.backgrounds.decays import KAON, PION, decay_estimate, expected_decays, fraction_below, muon_energy_range
from na64mu.analysis.backgrounds.regions import Regions, closure_test, regions_of
from na64mu.analysis.backgrounds.sample import TailSample
from na64mu.analysis.backgrounds.table import background_table
from na64mu.analysis.backgrounds.tail import estimate_tail
from na64mu.errors import BackgroundError
from na64mu.results.run import Counts
from na64mu.statistics import letter_model, upper_limits


def plain(n: int) -> Counts:
    return Counts(n, float(n), float(n))


def test_muons_from_pions_of_160_gev_are_never_soft_and_those_from_kaons_are_flat():
    assert muon_energy_range(PION, 160.0) == (pytest.approx(91.69, abs=0.01), pytest.approx(160.0, abs=0.01))
    assert muon_energy_range(KAON, 160.0) == (pytest.approx(7.33, abs=0.01), pytest.approx(160.0, abs=0.01))
    assert muon_energy_range(PION, 140.0)[0] == pytest.approx(80.2, abs=0.05)  # the p_in cut lets no pion into the box
    assert fraction_below(PION, 160.0, 80.0) == 0.0
    assert fraction_below(KAON, 160.0, 80.0) == pytest.approx(0.476, abs=5e-4)
    assert fraction_below(KAON, 160.0, 200.0) == 1.0
    assert KAON.decay_length(160.0) == pytest.approx(1203, abs=1)


@pytest.mark.parametrize("parent", [PION, KAON])
def test_kinematics_agree_with_boosted_isotropic_decays(parent):
    cosine = np.random.default_rng(1).uniform(-1, 1, 200_000)
    m_mu = 0.1056583755
    p_star = (parent.mass**2 - m_mu**2) / (2 * parent.mass)
    energy = np.hypot(160.0, parent.mass)
    muon = (energy * np.hypot(p_star, m_mu) + 160.0 * p_star * cosine) / parent.mass
    assert (muon.min(), muon.max()) == (pytest.approx(muon_energy_range(parent, 160.0)[0], abs=0.01), pytest.approx(160.0, abs=0.01))
    assert np.mean(muon < 120.0) == pytest.approx(fraction_below(parent, 160.0, 120.0), abs=0.004)


def test_expected_kaons_of_ten_metres():
    assert expected_decays(KAON, n_mot=1.98e10, fraction=1.0, length=10.0, acceptance=1.0) == pytest.approx(2480, abs=2)
    assert expected_decays(PION, n_mot=1.98e10, fraction=1.0, length=10.0, acceptance=1.0) == 0.0


def test_simulated_decays_are_scaled_to_the_exposure():
    estimate = decay_estimate(plain(50), 1e6, n_mot=1.98e10)
    assert estimate.value == pytest.approx(1.98e10 * 5e-5 * 50e-6)
    assert estimate.error == pytest.approx(estimate.value / np.sqrt(50), rel=0.1)
    assert "from 50 simulated events" in repr(estimate)
    weighted = decay_estimate(Counts(50, 0.5, 0.005), 1e4, n_mot=1.98e10)
    assert weighted.value == pytest.approx(estimate.value)
    assert weighted.error == pytest.approx(estimate.error, rel=1e-3)
    nothing = decay_estimate(Counts(), 1000.0, n_mot=1e6)
    assert nothing.value == 0.0
    assert nothing.high == pytest.approx(1e6 * 5e-5 * (1 - 0.15865 ** (1 / 1000)), rel=1e-3)


@pytest.mark.parametrize(
    ("selected", "generated", "message"),
    [(plain(0), 0.0, "0 simulated hadrons: simulate beam hadrons first"), (plain(5), 4.0, "weights of 5 selected of 4 simulated hadrons")],
)
def test_a_simulation_that_cannot_be_scaled_is_refused(selected, generated, message):
    with pytest.raises(BackgroundError, match=message):
        decay_estimate(selected, generated, n_mot=1e10)


def test_limit_of_one_count_is_garwoods():
    """With X and Y large, only the fluctuation of D is left."""
    limit = upper_limit(3.0, 1e8, 1e8, 0.9)
    assert limit == pytest.approx(gamma.ppf(0.9, 4.0), rel=0.01)


@pytest.mark.parametrize("means", [(3, 5, 2000), (0.7, 5, 2000), (20, 1, 2000), (20, 5, 1e4), (50, 50, 2.5e5)])
def test_upper_limits_of_region_d_cover(means):
    assert coverage(means, n_toys=300) >= 0.90 - 2 * np.sqrt(0.09 / 300)


def test_a_toy_without_any_event_in_y_has_no_limit_and_counts_as_covered():
    assert coverage((1.0, 1.0, 1e-6), n_toys=10) == 1.0


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 4000))
@settings(derandomize=True, max_examples=12, deadline=None)
def test_region_d_limits_are_ordered_and_grow(d, x, y):
    one, more = (abcd_estimate(Regions(plain(n), plain(x), plain(y))) for n in (d, d + 1))
    assert one.value == pytest.approx(d * x / y)
    assert one.low <= one.high < one.upper_95
    assert one.upper_90 < one.upper_95
    assert more.upper_90 > one.upper_90


def test_weights_scale_region_d():
    one = abcd_estimate(Regions(plain(6), plain(4), plain(100)), n_mot=1e9)
    same = abcd_estimate(Regions(*(Counts(n, 0.5 * n, 0.25 * n) for n in (6, 4, 100))))
    assert same.value == pytest.approx(0.5 * one.value)
    assert same.upper_90 == pytest.approx(0.5 * one.upper_90)
    assert one.scaled(2e9).upper_90 == pytest.approx(2 * one.upper_90)
    assert "6 x 4 / 100 = 0.24" in repr(one)


def plane(points: list[tuple[float, float, int]]) -> hist.Hist:
    h = hist.Hist(hist.axis.Regular(100, 0, 200, name="p_out"), hist.axis.Regular(200, 0, 200, name="e_cal"), storage=hist.storage.Weight())
    for p_out, e_cal, n in points:
        h.fill([p_out] * n, [e_cal] * n)
    return h


def test_regions_are_read_from_the_plane():
    found = regions_of(plane([(50, 30, 3), (90, 5, 2), (90, 30, 7), (79.9, 11.9, 9), (150, 5, 50), (60, 110, 40), (99.9, 45, 5)]))
    assert (found.d.n, found.x.n, found.y.n) == (3, 2, 7)


def test_closure_holds_for_independent_and_fails_for_dependent_quantities():
    rng = np.random.default_rng(3)
    good = plane([])
    good.fill(rng.uniform(20, 80, 4000), 12 + rng.exponential(15, 4000))
    test = closure_test(good)
    assert test.p_value > 0.01
    assert test.predicted == pytest.approx(test.observed, rel=0.25)
    assert "for independence" in repr(test)
    bad = plane([])
    p_out = rng.uniform(20, 80, 4000)
    bad.fill(p_out, 12 + rng.exponential(0.3 * p_out))
    assert closure_test(bad).p_value < 1e-6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: abcd_estimate(Regions(plain(1), plain(1), plain(0))), "no event with p_out and E_CAL above the signal box"),
        (lambda: abcd_estimate(Regions(plain(1), plain(1), plain(9))).scaled(1e10), "the regions have no muons on target behind them"),
        (lambda: closure_test(plane([]), e_cal=(0.0, 12.0, 30.0)), "it reaches into the signal box; start at E_CAL 12 GeV"),
        (lambda: closure_test(plane([]), e_cal=(12.0, 30.0, 70.0)), "up to p_out .* = 150 GeV: above 140 GeV lies hard bremsstrahlung"),
        (lambda: closure_test(plane([])), "no event with high p_out and high E_CAL: nothing to predict with"),
    ],
)
def test_what_region_d_cannot_say(call, message):
    with pytest.raises(BackgroundError, match=message):
        call()


def tail(n_mot: float = 1.98e9):
    counts = np.zeros(500)
    counts[200:250] = np.linspace(0, 8, 50).round()
    counts[280:360] = 1e5
    return estimate_tail(TailSample(np.linspace(0, 250, 501), counts, n_mot=n_mot), seed=1, threshold=125.0, n_bootstrap=100, n_toys=20)


def test_table_one_shows_both_and_feeds_the_model():
    estimate = tail()
    decays = decay_estimate(plain(20), 2e6, n_mot=1.98e10)
    abcd = abcd_estimate(Regions(plain(5), plain(3), plain(4000)), n_mot=1.98e9)
    table = background_table(estimate, decays, abcd)
    lines = repr(table).splitlines()
    assert len(lines) == 5
    assert "0.05 +- 0.03" in lines[1]
    assert "< 0.01" in lines[3]
    assert "0.07 +- 0.03" in lines[4]
    low, high = estimate.envelope
    assert 0.5 * (high - low) > estimate.value  # the forms differ by more than the value: no log-normal error, but an upper limit
    assert table.bounds() == {"momentum": pytest.approx(10 * estimate.upper), "hadrons": pytest.approx(10 * abcd.upper_90)}
    assert set(table.errors()) == set(table.expected()) == {"decays"}
    total = table.rows[3].ours
    assert total.is_upper
    assert total.value == pytest.approx(table.expected()["decays"] + 1.645 * decays.error + sum(table.bounds().values()))
    model = letter_model((5.9, 4.1), table.expected(), table.errors())
    assert model.total_background == pytest.approx(decays.value)
    assert upper_limits(model, (0, 0)).exact.observed > 0.23


def test_the_envelope_of_the_forms_is_the_error_where_it_is_narrow_enough():
    estimate = tail()
    value = estimate.value
    near = replace(estimate, envelope=(0.6 * value, 1.8 * value))
    entry = background_table(near, None, None, n_mot=1.98e9).rows[0].ours
    assert (entry.value, entry.error, entry.is_upper) == (pytest.approx(value), pytest.approx(0.6 * value), False)
    assert "with the other forms" in entry.note
    total = background_table(near, None, None, n_mot=1.98e9).rows[3].ours
    assert (total.value, total.error, total.is_upper) == (entry.value, entry.error, False)


def test_a_count_of_simulated_events_has_its_exact_interval():
    """Garwood: 4 events lie in 1.37 to 9.15 (95 % at each end)."""
    four = decay_estimate(plain(4), 1e6, n_mot=1e6, contamination=1.0)
    assert four.upper == pytest.approx(9.154, abs=0.01)
    entry = background_table(None, four, None, n_mot=1e6).rows[1].ours
    assert entry.per_event == pytest.approx(1.0)
    none = background_table(None, decay_estimate(Counts(), 1e6, n_mot=1e6, contamination=1.0), None, n_mot=1e6).rows[1].ours
    assert (none.value, none.is_upper) == (pytest.approx(2.996, abs=0.01), True)


def test_table_one_as_csv_and_latex():
    table = background_table(tail(), None, None)
    rows = list(csv.DictReader(table.to_csv().splitlines()))
    assert [r["published"] for r in rows] == ["0.05", "0.01", "0.01", "0.07"]
    assert [r["published_is_upper"] for r in rows] == ["0", "0", "1", "0"]
    assert rows[1]["ours"] == "nan"
    assert "$0.05 \\pm 0.03$" in table.to_latex()
    assert "not estimated" in table.to_latex()
    assert table.to_latex().count("\\\\") == 5


def test_what_could_not_be_estimated_stays_in_the_table():
    counts = np.zeros(500)
    counts[280:360] = 1e5
    empty = estimate_tail(TailSample(np.linspace(0, 250, 501), counts, n_mot=1.98e10), seed=1)
    table = background_table(empty, decay_estimate(Counts(), 1e6, n_mot=1.98e10), None)
    assert table.rows[0].ours.is_upper
    assert table.rows[1].ours.is_upper
    assert "not estimated" in repr(table)
    assert "no events next to the signal box" in repr(table)
    assert set(table.bounds()) == {"momentum", "decays"}
    assert table.expected() == table.errors() == {}
    assert "sum of the estimated ones" in repr(table)


def test_a_table_without_any_estimate_has_no_total():
    table = background_table(None, None, None)
    assert table.expected() == table.bounds() == {}
    assert repr(table).count("not estimated") == 4


def test_one_table_is_for_one_exposure():
    with pytest.raises(BackgroundError, match=r"the decays were estimated for 1e\+10 muons on target, the table is for 1\.98e\+10"):
        background_table(tail(), decay_estimate(plain(1), 1e6, n_mot=1e10), None)
