"""Significance, intervals, sharing and reach against published tables, pyhf, closed forms, and coverage by enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, binomtest, gamma, norm, poisson

from na64mu.errors import ArgumentError, StatisticsError
from na64mu.statistics import CountingModel, Systematic, letter_model
from na64mu.statistics.compatibility import compatibility
from na64mu.statistics.discovery import discovery, significance_of_p, tail_probability
from na64mu.statistics.exact import compressed, summed_count
from na64mu.statistics.excess import excess
from na64mu.statistics.feldman_cousins import count_probabilities, feldman_cousins
from na64mu.statistics.on_off import on_off
from na64mu.statistics.profile_interval import profile_interval
from na64mu.statistics.reach import discovery_reach
from na64mu.statistics.toys import toy_tail

SPLIT = (0.591, 0.409)


def plain(background: float, *systematics: Systematic) -> CountingModel:
    return CountingModel((1.0,), {"b": (background,)}, systematics, ("all",))


# Feldman and Cousins, Phys. Rev. D 57 (1998) 3873 = physics/9711021, tables IV (90 %) and II (68.27 %): count, background, interval.
TABLE_90 = [
    (0, 0.0, 0.00, 2.44), (0, 0.5, 0.00, 1.94), (0, 1.0, 0.00, 1.61), (0, 1.5, 0.00, 1.33), (0, 2.5, 0.00, 1.18), (0, 3.5, 0.00, 1.06),
    (1, 0.0, 0.11, 4.36), (1, 0.5, 0.00, 3.86), (1, 1.0, 0.00, 3.36), (1, 2.0, 0.00, 2.53), (1, 3.0, 0.00, 1.88),
    (2, 0.0, 0.53, 5.91), (2, 0.5, 0.03, 5.41), (2, 1.0, 0.00, 4.91), (2, 3.0, 0.00, 3.04), (2, 5.0, 0.00, 1.73),
    (3, 0.0, 1.10, 7.42), (3, 0.5, 0.60, 6.92), (3, 1.0, 0.10, 6.42), (3, 3.0, 0.00, 4.42), (3, 5.0, 0.00, 2.78),
    (4, 0.0, 1.47, 8.60), (4, 1.0, 0.74, 7.60), (4, 3.0, 0.00, 5.60), (5, 0.0, 1.84, 9.99), (5, 1.0, 1.25, 8.99), (5, 5.0, 0.00, 4.99),
    (6, 0.0, 2.21, 11.47), (6, 3.0, 0.15, 8.47), (10, 0.0, 5.50, 16.50), (10, 3.0, 2.63, 13.50),
]  # fmt: skip
TABLE_68 = [
    (0, 0.0, 0.00, 1.29),
    (1, 0.0, 0.37, 2.75),
    (2, 0.0, 0.74, 4.25),
    (3, 0.0, 1.10, 5.30),
    (4, 0.0, 2.34, 6.78),
    (5, 0.0, 2.75, 7.81),
]


@pytest.mark.parametrize(("n", "b", "low", "high"), TABLE_90)
def test_the_published_intervals_at_90_per_cent(n, b, low, high):
    assert feldman_cousins(plain(b), n)[0] == pytest.approx((low, high), abs=0.0061)  # printed with two digits, from a grid of 0.005


@pytest.mark.parametrize(("n", "b", "low", "high"), TABLE_68)
def test_the_published_intervals_at_68_per_cent(n, b, low, high):
    assert feldman_cousins(plain(b), n, (0.6827,))[0] == pytest.approx((low, high), abs=0.0061)


@pytest.mark.parametrize(("n", "b", "high"), [(0, 2.0, 1.26), (0, 3.0, 1.08), (1, 4.0, 1.39)])
def test_where_the_paper_forces_the_upper_end_to_fall_with_the_background(n, b, high):
    """The tables print the largest end of all larger backgrounds; the construction itself, which has the coverage, lies below."""
    ends = [feldman_cousins(plain(float(larger)), n)[0][1] for larger in np.arange(b, b + 1.6, 0.01)]
    assert max(ends) == pytest.approx(high, abs=0.016)  # the ends are a saw-tooth in the background, whose peaks a grid of 0.01 misses
    assert ends[0] <= high


def test_intervals_are_refused_or_left_out_where_they_cannot_be_made():
    with pytest.raises(StatisticsError, match="101 events observed: intervals of Feldman and Cousins are made for at most 100"):
        feldman_cousins(plain(1.0), 101)
    with pytest.raises(StatisticsError, match=r"confidence level 1\.0: a number from 0.001"):
        feldman_cousins(plain(1.0), 1, (1.0,))
    many = excess(plain(1.0), (300,))
    assert {one.method for one in many.intervals} == {"profile"}
    assert "at most 100" in many.absent["feldman-cousins"]
    with pytest.raises(StatisticsError, match=r"no interval by 'feldman-cousins' at 0\.9: there are profile 0\.9"):
        many.interval()


@pytest.mark.parametrize(
    ("model", "highest"),
    [
        (letter_model(SPLIT), 20.0),
        (CountingModel(SPLIT, {"b": (0.3, 0.2)}, (Systematic("s", {"signal": 0.3}), Systematic("b", {"b": 1.0}))), 20.0),
        (CountingModel(SPLIT, {"b": (0.3, 0.2)}, (Systematic("both", {"signal": 0.2, "b": 0.2}),)), 8.0),
    ],
    ids=["letter", "wide", "shared"],
)
def test_intervals_at_90_per_cent_cover_every_signal_from_0_to_20_events(model, highest):
    """By enumeration of the counts, nuisance parameters averaged over: no toys."""
    n_counts = 60 if highest > 10 else 34
    ends = np.array([feldman_cousins(model, n)[0] for n in range(n_counts)])
    count, row = compressed(summed_count(model, n_counts)), np.zeros(n_counts)
    for signal in np.linspace(0.0, highest, 81):
        count_probabilities(signal, *count, row)
        assert row[(ends[:, 0] <= signal + 1e-9) & (signal <= ends[:, 1] + 1e-9)].sum() >= 0.90 - 1e-9


def test_compression_keeps_the_probabilities():
    whole = summed_count(letter_model(SPLIT), 30)
    few = compressed(whole)
    assert len(few.signal) == 16 < len(whole.signal)
    a, b = np.zeros(30), np.zeros(30)
    for mu in (0.1, 2.0, 12.0):
        count_probabilities(mu, *whole, a)
        count_probabilities(mu, *few, b)
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_probabilities_of_many_events_do_not_underflow():
    count, row = summed_count(plain(3.0), 1100), np.zeros(1100)
    count_probabilities(900.0, *count, row)
    np.testing.assert_allclose(row[850:950], poisson.pmf(np.arange(850, 950), 903.0), rtol=1e-9)


@pytest.mark.parametrize(("n", "b"), [(1, 0.07), (3, 0.07), (5, 0.07), (4, 1.3), (40, 10.0)])
def test_without_nuisances_the_p_value_is_a_poisson_sum(n, b):
    found = discovery(plain(b), (n,))
    assert found.p_value == pytest.approx(poisson.sf(n - 1, b), rel=1e-12)
    assert found.significance == pytest.approx(norm.isf(poisson.sf(n - 1, b)), rel=1e-10)
    assert found.q0 == pytest.approx(2 * (n * math.log(n / b) - n + b), rel=1e-9)
    assert found.strength == pytest.approx(n - b, rel=1e-8)


@pytest.mark.parametrize(("n", "b", "size"), [(1, 0.07, 0.43), (3, 0.07, 1.0), (6, 0.01, 3.0), (12, 2.0, 0.5)])
def test_the_p_value_with_a_log_normal_error_is_the_integral(n, b, size):
    def integrand(theta: float) -> float:
        return float(norm.pdf(theta) * poisson.sf(n - 1, b * (1 + size) ** theta))

    truth = quad(integrand, -12, 14, points=np.linspace(-2, 10, 25), epsabs=0, epsrel=1e-10, limit=400)[0]
    assert tail_probability(plain(b, Systematic("b", {"b": size})), n) == pytest.approx(truth, rel=2e-3)


def test_toys_agree_with_the_p_value():
    model = letter_model(SPLIT, {"a": 1.0, "b": 0.5}, {"a": 0.5, "b": 0.5})
    toys = toy_tail(model, 5, n_toys=200_000, seed=4)
    assert abs(toys.value - tail_probability(model, 5)) < 4 * toys.error
    assert toys.error < 0.1 * toys.value


def test_nothing_in_excess_is_no_significance():
    empty = discovery(plain(0.07), (0,))
    assert (empty.p_value, empty.significance, empty.q0, empty.strength, empty.asymptotic_p_value) == (1.0, 0.0, 0.0, 0.0, 0.5)
    assert significance_of_p(0.5) == 0.0


def test_events_without_any_background_have_no_p_value_but_zero():
    found = discovery(plain(0.0), (2,))
    assert (found.p_value, found.q0, found.significance) == (0.0, math.inf, math.inf)
    assert found.strength == pytest.approx(2.0)


def test_q0_of_pyhf_for_30_random_models():
    import pyhf

    from na64mu.statistics.workspace import full_workspace

    generator = np.random.default_rng(8)
    for _ in range(30):
        signal, b, c = (tuple(map(float, generator.uniform(low, high, 2))) for low, high in ((0.5, 4), (0.1, 5), (0.05, 2)))
        r = generator.uniform(0.02, 0.4, 4)
        systematics = (
            Systematic("shared", {"signal": r[0], "b": r[1]}),
            Systematic("own", {"signal": r[2]}, correlated=False),
            Systematic("c", {"c": r[3]}),
        )
        model = CountingModel(signal, {"b": b, "c": c}, systematics)
        counts = generator.poisson(np.array(b) + np.array(c) + generator.uniform(0, 2) * np.array(signal))
        workspace = pyhf.Workspace(full_workspace(model, tuple(int(n) for n in counts)))
        theirs = workspace.model(modifier_settings={"normsys": {"interpcode": "code1"}})
        p = float(pyhf.infer.hypotest(0.0, workspace.data(theirs), theirs, test_stat="q0"))
        ours = discovery(model, counts.tolist())
        if ours.q0 > 0:
            assert ours.asymptotic_significance == pytest.approx(norm.isf(p), abs=1e-3)
        else:
            assert p > 0.5 - 1e-3


@pytest.mark.parametrize(("n_on", "n_off", "tau"), [(4, 5, 5.0), (140, 100, 1.2), (3, 0, 10.0), (178, 2, 0.12)])
def test_a_count_beside_a_sideband(n_on, n_off, tau):
    found = on_off(n_on, n_off, tau)
    assert found.p_value == pytest.approx(binomtest(n_on, n_on + n_off, 1 / (1 + tau), alternative="greater").pvalue, rel=1e-9)
    average = quad(
        lambda b: gamma.pdf(b, n_off + 1, scale=1 / tau) * poisson.sf(n_on - 1, b),
        0,
        (3 * (n_on + n_off) + 60) / tau,
        points=np.linspace(0, n_on, 20)[1:-1],
        epsabs=0,
        epsrel=1e-9,
        limit=300,
    )[0]
    assert found.p_value == pytest.approx(average, rel=2e-5)  # the average over a gamma distribution is the same number


def test_published_significances_of_a_count_beside_a_sideband():
    """Cousins, Linnemann and Tucker, table 1: (n_on, n_off, tau), Z_Bi and the likelihood ratio of Li and Ma."""
    for counts, z_bi, z_pl in (
        ((4, 5, 5.0), 1.66, 1.95),
        ((50, 55, 2.0), 2.93, 3.02),
        ((67, 15, 0.5), 2.89, 3.04),
        ((200, 10, 0.1), 2.20, 2.38),
    ):
        found = on_off(*counts)
        assert found.significance == pytest.approx(z_bi, abs=0.0101)
        assert found.asymptotic_significance == pytest.approx(z_pl, abs=0.0101)


def test_a_sideband_of_nonsense_is_refused():
    with pytest.raises(ArgumentError, match="tau"):
        on_off(1, 1, 0.0)
    assert on_off(1, 50, 1.0).asymptotic_significance == 0.0
    assert on_off(1, 50, 1.0).significance == 0.0


@pytest.mark.parametrize(("n", "b"), [(3, 0.07), (10, 4.0), (50, 5.0)])
def test_the_profile_interval_without_nuisances_solves_the_likelihood(n, b):
    (low, high), *_ = profile_interval(plain(b), (n,))

    def rise(mu: float) -> float:
        return 2 * ((mu + b) - n * math.log(mu + b) - n + n * math.log(n))

    assert rise(high) == pytest.approx(norm.isf(0.05) ** 2, rel=1e-6)
    assert rise(low) == pytest.approx(norm.isf(0.05) ** 2, rel=1e-6)


def test_the_profile_interval_starts_at_zero_where_no_signal_is_allowed():
    assert profile_interval(plain(3.0), (2,))[0][0] == 0.0
    assert profile_interval(plain(0.07), (0,))[0] == pytest.approx((0.0, norm.isf(0.05) ** 2 / 2), rel=1e-6)
    with pytest.raises(StatisticsError, match="no upper end"):
        profile_interval(plain(0.1, Systematic("s", {"signal": 0.8}, shape="gaussian")), (0,))


@pytest.mark.parametrize("strength", [0.0, 2.0])
def test_sharing_of_the_events_is_binomial(strength):
    model = CountingModel((2.0, 1.0), {"b": (0.5, 1.5)})
    share = (0.5 + 2 * strength) / (2 + 3 * strength)
    assert compatibility(model, (5, 1), strength) == pytest.approx(binomtest(5, 6, share).pvalue, rel=1e-9)


def test_sharing_with_nuisances_is_the_conditional_average():
    model = CountingModel((2.0, 1.0), {"b": (0.5, 1.5)}, (Systematic("own", {"b": 0.5}, correlated=False),))
    generator = np.random.default_rng(2)
    expected = np.array([0.5, 1.5]) * 1.5 ** generator.standard_normal((400_000, 2))
    counts = generator.poisson(expected)
    counts = counts[counts.sum(axis=1) == 5, 0]
    chances = np.bincount(counts, minlength=6) / len(counts)
    toys = chances[chances <= chances[4] * (1 + 1e-3)].sum()
    assert compatibility(model, (4, 1)) == pytest.approx(toys, abs=0.01)
    assert compatibility(model, (4, 1)) > binom.sf(3, 5, 0.25)


def test_sharing_where_there_is_nothing_to_share():
    model = letter_model(SPLIT)
    assert compatibility(model, (0, 0)) == 1.0
    assert math.isnan(compatibility(plain(1.0), (3,)))
    assert math.isnan(compatibility(CountingModel(SPLIT, {"b": (0.0, 0.0)}), (1, 0)))
    with pytest.raises(StatisticsError, match="3 channels"):
        compatibility(CountingModel((1.0, 1.0, 1.0), {}, (), ("a", "b", "c")), (1, 1, 1))


def test_the_reach_is_where_enough_events_are_expected():
    found = discovery_reach(plain(0.07), 5.0)
    assert poisson.sf(found.events - 1, 0.07) <= norm.sf(5.0) < poisson.sf(found.events - 2, 0.07)
    assert poisson.sf(found.events - 1, found.strength + 0.07) == pytest.approx(0.5, rel=1e-9)
    assert discovery_reach(plain(0.0), 5.0).strength == pytest.approx(math.log(2.0), rel=1e-9)  # one event is enough
    assert discovery_reach(plain(0.07), 5.0, 0.9).strength > found.strength
    assert discovery_reach(plain(0.07, Systematic("b", {"b": 1.0})), 5.0).events > found.events


def test_a_reach_that_does_not_exist_is_refused():
    with pytest.raises(StatisticsError, match="significance"):
        discovery_reach(plain(1.0), 0.0)
    with pytest.raises(StatisticsError, match="more than 20000 events would be needed"):
        discovery_reach(plain(100.0, Systematic("b", {"b": 9.0})), 5.0)
    assert discovery_reach(plain(0.07), 0.1, count=0).strength == 0.0


def test_an_interval_that_does_not_exist_is_left_out_with_its_reason():
    found = excess(plain(0.1, Systematic("s", {"signal": 0.9}, shape="gaussian")), (0,))
    assert found.intervals == ()
    assert set(found.absent) == {"feldman-cousins", "profile"}
    assert all("the signal can vanish" in reason for reason in found.absent.values())
    assert found.discovery.p_value == 1.0
    assert "no feldman-cousins interval: the interval has no upper end" in repr(found)


def test_an_excess_says_all_of_it():
    found = excess(letter_model(SPLIT), (2, 1))
    assert found.discovery.p_value == pytest.approx(1.11e-4, rel=0.01)
    assert found.interval().low < found.interval(level=0.6827).low < found.discovery.strength < found.interval().high
    assert found.sharing == pytest.approx(1.0)
    text = repr(found)
    assert "3 events observed, 0.07 expected without signal: p = 0.000111, 3.69 standard deviations" in text
    assert "feldman-cousins 90 %: [1.019, 7.31]" in text
    assert "best fit" in text
