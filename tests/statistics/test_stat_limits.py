"""Limits against analytic truth, published RooStats and pyhf values, and as a function of the data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm, poisson

from na64mu.errors import StatisticsError
from na64mu.statistics import CountingModel, Systematic, letter_model, limit_scan, upper_limits
from na64mu.statistics.asymptotic import asymptotic_cls
from na64mu.statistics.exact import exact_limits, summed_count
from na64mu.statistics.quadrature import gauss_hermite
from na64mu.statistics.toys import toy_cls

SPLIT = (0.591, 0.409)


def plain(background: float, *systematics: Systematic) -> CountingModel:
    return CountingModel(SPLIT, {"b": (SPLIT[0] * background, SPLIT[1] * background)}, systematics)


def collapsed() -> CountingModel:
    """One 8 % and one 43 % nuisance parameter: the model that RooStats was run on."""
    return plain(0.07, Systematic("s", {"signal": 0.08}), Systematic("b", {"b": 0.43}))


def test_without_background_and_events_the_exact_limit_is_minus_ln_alpha():
    for level in (0.9, 0.95):
        limits = upper_limits(CountingModel(SPLIT, {"b": (0.0, 0.0)}), (0, 0), level=level)
        assert limits.exact.observed == pytest.approx(-math.log(1 - level), rel=1e-10)
        assert limits.asymptotic.observed == pytest.approx(norm.ppf(level + (1 - level) / 2) ** 2 / 2, rel=1e-9)  # z^2/2


@pytest.mark.parametrize("background", [0.0001, 0.07, 1.0, 10.0])
def test_with_no_event_the_exact_limit_does_not_depend_on_the_background(background):
    assert upper_limits(plain(background), (0, 0)).exact.observed == pytest.approx(math.log(10.0), rel=1e-9)


@pytest.mark.parametrize(("n", "background"), [(1, 0.07), (3, 1.0), (12, 10.0)])
def test_exact_limit_without_systematics_solves_the_poisson_equation(n, background):
    def cls(mu: float) -> float:
        return float(poisson.cdf(n, mu + background) / poisson.cdf(n, background))

    assert upper_limits(plain(background), (n, 0)).exact.observed == pytest.approx(
        brentq(lambda mu: cls(mu) - 0.1, 0.1, 50, xtol=1e-13), rel=1e-10
    )


@pytest.mark.parametrize(
    ("background", "limit"), [(1e-4, 1.353), (0.07, 1.436), (0.3, 1.567), (1.0, 1.752), (3.0, 1.953), (10.0, 2.139), (30.0, 2.236)]
)
def test_asymptotic_limit_with_no_event(background, limit):
    assert upper_limits(plain(background), (0, 0)).asymptotic.observed == pytest.approx(limit, abs=6e-4)


def test_roostats_and_pyhf_values_of_the_collapsed_model():
    limits = upper_limits(collapsed(), (0, 0), expected="fitted")  # as RooStats and pyhf do
    assert limits.asymptotic.observed == pytest.approx(1.44172, rel=2e-5)
    np.testing.assert_allclose(limits.asymptotic.expected, [0.49699, 0.83921, 1.57960, 3.11991, 5.83094], rtol=2e-5)
    np.testing.assert_allclose(limits.exact.expected, [2.3115, 2.3115, 2.3115, 2.3115, 3.840], rtol=1e-4)
    observed = [exact_limits(collapsed(), np.array([float(n), 0.0]), 0.9)[0] for n in (0, 1, 2, 3)]
    np.testing.assert_allclose(observed, [2.3115, 3.84, 5.28, 6.66], atol=6e-3)


def test_histfactory_values_of_the_model_with_every_systematic():
    limits = upper_limits(letter_model(SPLIT), (0, 0), expected="fitted")
    assert limits.asymptotic.observed == pytest.approx(1.43986, rel=2e-5)
    np.testing.assert_allclose(limits.asymptotic.expected, [0.4968, 0.8386, 1.5774, 3.1113, 5.8008], rtol=5e-5)


def test_pyhf_gives_the_same_cls():
    import pyhf

    from na64mu.statistics.workspace import full_workspace

    systematics = (
        Systematic("shared", {"signal": 0.1, "b": 0.2}),
        Systematic("own", {"signal": 0.07}, correlated=False),
        Systematic("linear", {"b": (0.1, 0.15)}, shape="gaussian"),
    )
    model = CountingModel((2.0, 3.0), {"b": (4.0, 2.0), "c": (1.0, 0.5)}, systematics)
    workspace = pyhf.Workspace(full_workspace(model, (6, 3)))
    theirs = workspace.model(modifier_settings={"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code4p"}})
    for mu in (0.5, 1.0, 1.6):
        cls = pyhf.infer.hypotest(mu, workspace.data(theirs), theirs, test_stat="qtilde")
        assert asymptotic_cls(model, np.array([6.0, 3.0]), mu) == pytest.approx(float(cls), abs=2e-4)


def test_toys_agree_with_the_quadrature():
    model = CountingModel((2.0, 3.0), {"b": (1.5, 0.5)}, (Systematic("lumi", {"signal": 0.2, "b": 0.2}), Systematic("b", {"b": 0.5})))
    observed = np.array([2.0, 1.0])
    toys = toy_cls(model, observed, float(exact_limits(model, observed, 0.9)[0]), n_toys=200_000, seed=3)
    assert abs(toys.value - 0.1) < 4 * toys.error
    assert toys.error < 0.002
    assert toys == toy_cls(model, observed, float(exact_limits(model, observed, 0.9)[0]), n_toys=200_000, seed=3)


def test_toys_without_a_single_background_toy_say_nan():
    assert math.isnan(toy_cls(plain(50.0), np.zeros(2), 1.0, n_toys=100, seed=1).value)
    assert toy_cls(plain(0.0), np.zeros(2), 100.0, n_toys=100, seed=1).error == pytest.approx(0.01)


@given(st.integers(0, 12), st.floats(0.01, 8.0), st.floats(0.0, 0.3))
@settings(derandomize=True, max_examples=25, deadline=None)
def test_limits_grow_with_the_count_and_exact_lies_above_asymptotic_at_zero(n, background, size):
    model = plain(background, *([Systematic("s", {"signal": size})] if size else []))
    here, more = upper_limits(model, (n, 0)), upper_limits(model, (n + 1, 0))
    assert more.exact.observed > here.exact.observed
    assert more.asymptotic.observed > here.asymptotic.observed
    assert list(here.asymptotic.expected) == sorted(here.asymptotic.expected)
    assert list(here.exact.expected) == sorted(here.exact.expected)
    assert upper_limits(model, (0, 0)).ratio < 1


@given(st.floats(1e-3, 1e3), st.floats(0.1, 0.9))
@settings(derandomize=True, max_examples=20, deadline=None)
def test_limit_in_events_does_not_depend_on_the_unit_of_the_signal(scale, fraction):
    signal = np.array([fraction, 1 - fraction])
    one, other = (upper_limits(collapsed().with_signal(s), (1, 0)) for s in (signal, scale * signal))
    assert other.exact.observed * scale == pytest.approx(one.exact.observed, rel=1e-8)
    assert other.asymptotic.observed * scale == pytest.approx(one.asymptotic.observed, rel=1e-8)


def test_two_channels_of_equal_ratio_are_one():
    merged = CountingModel((1.0,), {"b": (2.0,)}, (Systematic("b", {"b": 0.3}),), ("all",))
    split = CountingModel(SPLIT, {"b": (2 * SPLIT[0], 2 * SPLIT[1])}, (Systematic("b", {"b": 0.3}),))
    one, two = upper_limits(merged, (0,)), upper_limits(split, (0, 0))
    assert one.asymptotic.observed == pytest.approx(two.asymptotic.observed, rel=1e-8)
    np.testing.assert_allclose(one.asymptotic.expected, two.asymptotic.expected, rtol=1e-8)
    assert one.exact.observed == pytest.approx(two.exact.observed, rel=1e-10)


def test_larger_systematics_loosen_the_exact_limit():
    values = [upper_limits(plain(0.07, *([Systematic("s", {"signal": r})] if r else [])), (0, 0)).exact.observed for r in (0.0, 0.08, 0.2)]
    np.testing.assert_allclose(values, [2.303, 2.311, 2.353], atol=1e-3)


def test_a_systematic_that_moves_signal_and_background_together_is_averaged_jointly():
    together = plain(3.0, Systematic("lumi", {"signal": 0.3, "b": 0.3}))
    count = summed_count(together, 8)
    assert count.background.shape == (len(count.weights), 8)
    theta, weights = gauss_hermite(1)
    rate = 1.3 ** theta[:, 0]
    mine = float(exact_limits(together, np.array([3.0, 0.0]), 0.9)[0])
    assert weights @ poisson.cdf(3, rate * (mine + 3)) / (weights @ poisson.cdf(3, rate * 3)) == pytest.approx(0.1, rel=1e-9)
    apart = upper_limits(plain(3.0, Systematic("s", {"signal": 0.3}), Systematic("b", {"b": 0.3})), (3, 0)).exact.observed
    assert mine != pytest.approx(apart, rel=1e-3)


def test_quadrature_gives_the_moments_of_a_normal():
    nodes, weights = gauss_hermite(3)
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(weights @ nodes**4, 3.0, rtol=1e-10)
    assert gauss_hermite(0)[0].shape == (1, 0)


def test_the_result_carries_a_caution_where_the_asymptotic_form_is_not_valid(caplog):
    few = upper_limits(letter_model((5.9, 4.1)), (0, 0))
    assert not few.asymptotic_is_valid
    assert "too few for the asymptotic form" in few.caution
    assert "of the exact one in events" in few.caution
    assert few.caution in caplog.text
    assert few.caution in repr(few)
    assert repr(few).splitlines()[1].split() == ["method", "observed", "-2", "sigma", "-1", "sigma", "median", "+1", "sigma", "+2", "sigma"]
    caplog.clear()
    assert upper_limits(plain(10.0), (5, 5)).caution.startswith("10 events observed and 10 expected are too few")
    caplog.clear()
    many = upper_limits(plain(40.0), (22, 18))
    assert many.asymptotic_is_valid
    assert many.caution == ""
    assert "caution" not in repr(many)
    assert caplog.text == ""
    assert many.ratio == pytest.approx(1.0, abs=0.06)
    assert few.asymptotic.median == few.asymptotic.expected[2]


def test_scan_over_masses():
    models = [letter_model(s) for s in ((10.0, 8.0), (1.0, 0.9), (0.1, 0.1))]
    scan = limit_scan([0.01, 0.1, 1.0], models, (0, 0), g_ref=1e-4)
    assert scan.strengths("exact").shape == (3, 6)
    np.testing.assert_allclose(scan.couplings("exact"), 1e-4 * np.sqrt(scan.strengths("exact")))
    assert np.all(np.abs(scan.events("exact")[:, 0] - 2.3075) < 0.002)
    assert [mass for mass, _ in scan] == [0.01, 0.1, 1.0]
    assert scan.strengths("asymptotic")[1, 0] == upper_limits(models[1], (0, 0)).asymptotic.observed
    assert "g exact" in repr(scan)
    assert len(repr(scan).splitlines()) == 5


#: Part of the exact limit that the asymptotic one is, with n = b events: the numbers at the head of na64mu.statistics.limits.
LOW = {0.07: 0.62, 1.0: 0.81, 3.0: 0.87, 10.0: 0.93, 30.0: 0.96, 100.0: 0.98}


def test_the_asymptotic_form_is_as_far_off_as_its_documentation_says():
    import na64mu.statistics.limits as place

    for background, part in LOW.items():
        limits = upper_limits(plain(background), (int(background), 0))
        assert limits.ratio == pytest.approx(part, abs=0.005)
        assert limits.asymptotic_is_valid == (background >= place.ENOUGH_EVENTS)
        assert f"{part:g} at " in place.__doc__
    assert upper_limits(plain(1e-9), (0, 0)).ratio == pytest.approx(0.59, abs=0.005)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_opening_the_box_does_not_move_the_expected_limits(n):
    model = letter_model(SPLIT, {"momentum": 0.5, "hadrons": 2.0}, {"momentum": 0.3, "hadrons": 2.0})
    shut, opened, fitted = upper_limits(model), upper_limits(model, (n, 0)), upper_limits(model, (n, 0), expected="fitted")
    assert opened.asymptotic.expected == shut.asymptotic.expected
    assert opened.exact.expected == shut.exact.expected
    assert fitted.asymptotic.expected != shut.asymptotic.expected
    assert fitted.asymptotic.observed == opened.asymptotic.observed
    assert math.isnan(shut.asymptotic.observed)
    assert math.isnan(shut.exact.observed)
    assert "blinded" in repr(shut)
    assert "its median expected limit is" in shut.caution


def test_pyhf_expects_the_same_from_nominal_nuisance_parameters():
    import pyhf

    from na64mu.statistics.workspace import full_workspace

    model = CountingModel((2.0, 3.0), {"b": (4.0, 2.0)}, (Systematic("shared", {"signal": 0.1, "b": 0.4}),))
    workspace = pyhf.Workspace(full_workspace(model, (4, 2)))  # the counts that are expected: their fit is nominal
    theirs = workspace.model(modifier_settings={"normsys": {"interpcode": "code1"}})
    median = upper_limits(model).asymptotic.median
    cls = pyhf.infer.hypotest(median, workspace.data(theirs), theirs, test_stat="qtilde", return_expected=True)[1]
    assert float(cls) == pytest.approx(0.1, abs=2e-4)


def test_events_without_any_background_have_a_limit():
    """CLs with no background is the classical limit: P(n <= n_obs | mu) = alpha."""
    for model in (CountingModel(SPLIT, {}), plain(0.0), plain(1e-300)):
        limits = upper_limits(model, (2, 1))
        assert poisson.cdf(3, limits.exact.observed) == pytest.approx(0.1, rel=1e-9)
        assert 0.8 < limits.ratio < 1.0


def test_an_event_where_no_background_is_expected_has_a_limit_by_both_methods():
    limits = upper_limits(CountingModel(SPLIT, {"b": (0.07, 0.0)}), (0, 1))
    assert limits.absent == {}
    assert limits.exact.observed == pytest.approx(upper_limits(plain(0.07), (0, 1)).exact.observed, rel=1e-9)
    assert limits.asymptotic.observed == pytest.approx(upper_limits(plain(0.07), (0, 1)).asymptotic.observed, rel=0.02)


def test_a_background_near_nothing_is_no_division_by_zero():
    for n in (0, 1):
        assert np.isfinite(upper_limits(plain(1e-300), (n, 0)).asymptotic.expected).all()


@pytest.mark.parametrize("size", [0.31, 0.4, 0.5])
def test_a_large_gaussian_systematic_leaves_both_limits(size):
    """The truth by a dense sum; what does not exist are the upper bands of the asymptotic form: there the signal vanishes."""
    limits = upper_limits(plain(0.07, Systematic("s", {"signal": size}, shape="gaussian")), (0, 0))
    assert limits.absent == {}
    assert limits.asymptotic.expected[4] == math.inf
    assert 1.3 < limits.asymptotic.observed < limits.exact.observed
    x = np.linspace(-9.0, 9.0, 20_001)
    w = np.exp(-(x**2) / 2) / np.exp(-(x**2) / 2).sum()
    factor = np.maximum(1.0 + size * x, 0.0)
    truth = brentq(lambda mu: float(w @ np.exp(-mu * factor)) - 0.1, 0.1, 100.0)
    assert limits.exact.observed == pytest.approx(truth, rel=3e-4)


def test_two_clipped_systematics_are_averaged_well():
    """Gauss-Hermite would be up to 3 per cent off."""
    model = plain(3.0, Systematic("s", {"signal": 0.5}, shape="gaussian"), Systematic("b", {"b": 0.5}, shape="gaussian"))
    x = np.linspace(-8.0, 8.0, 4001)
    w = np.exp(-(x**2) / 2) / np.exp(-(x**2) / 2).sum()
    factor = np.maximum(1.0 + 0.5 * x, 0.0)
    background = np.array([w @ poisson.pmf(k, 3.0 * factor) for k in range(4)])

    def probability(mu: float) -> float:
        return float(sum(background[k] * (w @ poisson.cdf(3 - k, mu * factor)) for k in range(4)))

    truth = brentq(lambda mu: probability(mu) - 0.1 * probability(0.0), 0.1, 200.0)
    assert exact_limits(model, np.array([2.0, 1.0]), 0.9)[0] == pytest.approx(truth, rel=3e-4)


def test_only_one_method_is_enough_and_the_other_says_why():
    many = plain(50_000.0)
    limits = upper_limits(many, (50_000, 0))
    assert limits.asymptotic.observed == pytest.approx(math.sqrt(50_000.0) * norm.isf(0.05), rel=0.01)
    assert math.isnan(limits.exact.observed)
    assert limits.caution.startswith("no exact limit: 51353 counts to follow")


def test_many_parameters_have_an_exact_limit():
    """Ten channels with a parameter each: the sum has the closed form of a mixture, here by a million draws."""
    many = Systematic("m", {"signal": 0.2}, correlated=False)
    signals = tuple(np.linspace(0.05, 0.15, 10))
    model = CountingModel(signals, {"b": (0.1,) * 10}, (many,), tuple(f"c{i}" for i in range(10)))
    draws = np.random.default_rng(5).standard_normal((500_000, 10))
    events = np.concatenate([1.2**draws, 1.2**-draws]) @ np.array(signals)
    b = 1.0
    at_none = poisson.cdf(1, b)
    truth = brentq(lambda mu: poisson.cdf(1, mu * events + b).mean() - 0.1 * at_none, 0.1, 20.0, rtol=1e-7)
    assert exact_limits(model, np.array([1.0] + [0.0] * 9), 0.9)[0] == pytest.approx(truth, rel=2e-4)


@pytest.mark.parametrize("background", [600.0, 3000.0])
def test_exact_limit_of_many_events(background):
    n = int(background)
    limits = upper_limits(plain(background), (n, 0))
    truth = brentq(lambda mu: float(poisson.cdf(n, mu + background) / poisson.cdf(n, background)) - 0.1, 1.0, 5.0 * background**0.5)
    assert limits.exact.observed == pytest.approx(truth, rel=1e-9)
    assert limits.asymptotic_is_valid
    assert limits.ratio == pytest.approx(1.0, abs=0.0102)
    absent = upper_limits(plain(50_000.0), (50_000, 0)).absent
    assert (
        "the exact limit is made for at most 20000; with so many events the asymptotic one differs by less than 1 per cent"
        in absent["exact"]
    )


VANISHING = plain(0.1, Systematic("s", {"signal": 2.0}, shape="gaussian"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: upper_limits(plain(1.0), (0,)), "1 observed counts for the 2 channels config_1, config_2: give one for each"),
        (lambda: upper_limits(plain(1.0), (0, 0.5)), "whole numbers of events from 0 on are wanted"),
        (lambda: upper_limits(plain(1.0), (0, -1)), "whole numbers of events from 0 on are wanted"),
        (lambda: upper_limits(plain(1.0), (0, 0), level=1.0), "confidence level 1.0: a number from 0.001 to"),
        (lambda: upper_limits(plain(1.0), (0, math.inf)), "whole numbers of events from 0 on are wanted"),
        (lambda: upper_limits(plain(1.0), (0, math.nan)), "whole numbers of events from 0 on are wanted"),
        (lambda: upper_limits(plain(1.0), (0, 0), expected="asimov"), "there is no expected 'asimov': known are blind, fitted"),
        (lambda: upper_limits(plain(1.0), expected="fitted"), "fitted to the counts need counts: give them, or take the blind ones"),
        (lambda: limit_scan([0.1], [], (0, 0), g_ref=1e-4), "1 masses and 0 models"),
        (lambda: limit_scan([0.1], [plain(1.0)], (0, 0), g_ref=0.0), "g_ref = 0.0: the coupling of the signal must be above zero"),
        (
            lambda: limit_scan([0.1], [plain(1.0)], (0, 0), g_ref=1.0).strengths("bayes"),
            "no limits by 'bayes': there are asymptotic and exact",
        ),
        (lambda: gauss_hermite(10), "10 independent nuisance parameters are too many for the quadrature"),
        (
            lambda: upper_limits(VANISHING, (0, 0)),
            (
                r"neither method gives a limit\. Asymptotic: with the Gaussian systematics of the signal \(s 200 %\) the signal can vanish(.|\n)*"
                "make them log-normal, or smaller(.|\n)*Exact: the exact limit does not exist"
            ),
        ),
        (lambda: exact_limits(VANISHING, np.zeros(2), 0.9), "the exact limit does not exist"),
    ],
)
def test_what_cannot_be_computed_is_said(call, message):
    with pytest.raises(StatisticsError, match=message):
        call()


@pytest.mark.parametrize("level", [0.0, 1e-9, 1.0, 1.0 - 1e-12, math.nan])
def test_levels_that_rounding_would_decide_are_refused(level):
    with pytest.raises(StatisticsError, match=r"confidence level .*: a number from 0\.001 to 0\.999999999 is wanted"):
        upper_limits(plain(0.07), (0, 0), level=level)


@pytest.mark.parametrize("background", [1e-300, 5e-324])
def test_a_background_of_nearly_nothing_is_none(background):
    nothing, tiny = (upper_limits(CountingModel(SPLIT, {"b": (b, b)}), (1, 0)) for b in (0.0, background))
    assert tiny.exact.observed == pytest.approx(nothing.exact.observed, rel=1e-9)
    assert tiny.asymptotic.observed == pytest.approx(nothing.asymptotic.observed, rel=1e-6)


@pytest.mark.parametrize("size", [0.35, 0.5])
def test_a_large_gaussian_systematic_keeps_the_exact_limit(size):
    limits = upper_limits(plain(0.07, Systematic("s", {"signal": size}, shape="gaussian")), (0, 0))
    assert limits.absent == {}
    assert limits.exact.observed > upper_limits(plain(0.07), (0, 0)).exact.observed


def test_an_event_where_no_background_is_expected_has_a_limit():
    limits = upper_limits(CountingModel(SPLIT, {"b": (0.07, 0.0)}), (0, 1))
    assert limits.exact.observed == pytest.approx(upper_limits(plain(0.07), (1, 0)).exact.observed, rel=1e-9)
    assert math.isfinite(limits.asymptotic.observed)
    with pytest.raises(StatisticsError, match=r"observed counts \[0\.0, inf\]: whole numbers"):
        upper_limits(plain(0.07), (0, math.inf))


def test_a_cut_off_gaussian_among_many_parameters_is_said(caplog):
    many = [Systematic(f"g{i}", {name: 0.4}, shape="gaussian") for i, name in enumerate("abcde")]
    apart = CountingModel((1.0,), dict.fromkeys("abcde", (1.0,)), tuple(many), ("all",))
    exact_limits(apart, np.array([5.0]), 0.9)  # each background has its own parameter: they are averaged one by one
    assert not caplog.text
    together = CountingModel((1.0,), dict.fromkeys("abcde", (1.0,)), (*many, Systematic("t", dict.fromkeys("abcde", 0.1))), ("all",))
    exact_limits(together, np.array([5.0]), 0.9)
    assert "may be off by up to 3 per cent" in caplog.text
    caplog.clear()
    exact_limits(plain(1.0, Systematic("s", {"b": 0.4}, shape="gaussian")), np.array([1.0, 0.0]), 0.9)
    assert caplog.text == ""
