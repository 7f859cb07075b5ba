"""The counting model: nuisance parameters, reduction, and every complaint."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.errors import StatisticsError
from na64mu.statistics.letter import BACKGROUNDS, N_MOT, SYSTEMATICS, background_systematics, letter_model, share_by_exposure
from na64mu.statistics.model import CountingModel, Systematic


def test_the_letters_model_has_its_exposures_systematics_and_backgrounds():
    model = letter_model((3.0, 2.0))
    assert sum(N_MOT) == pytest.approx(1.98e10)
    assert model.total_background == pytest.approx(0.07)
    assert model.total_signal == 5.0
    quadrature = np.sqrt(sum(s.size("signal", 0) ** 2 for s in SYSTEMATICS))
    assert quadrature == pytest.approx(0.074, abs=0.001)  # the Letter: at most 8 %
    names = [n.name for n in model.nuisances]
    assert "muons_on_target_config_1" in names
    assert "weizsaecker_williams" in names
    assert len(names) == 12


def test_a_correlated_systematic_is_one_parameter_and_another_one_per_channel():
    model = CountingModel(
        (1.0, 2.0), {"b": (0.1, 0.2)}, (Systematic("own", {"signal": 0.1}, correlated=False), Systematic("one", {"b": (0.0, 0.3)}))
    )
    rates = model.rates()
    np.testing.assert_allclose(rates.exponents[:2, :2], np.log(1.1) * np.eye(2))
    np.testing.assert_allclose(rates.exponents[2:, 2], [0.0, np.log(1.3)])


def test_a_systematic_without_effect_is_no_parameter():
    assert letter_model((1.0, 1.0), systematics=[Systematic("none", {"signal": 0.0})], errors={}).nuisances == ()


def test_gaussian_and_lognormal_factors():
    model = CountingModel(
        (1.0, 1.0), {"b": (1.0, 1.0)}, (Systematic("log", {"signal": 0.5}), Systematic("lin", {"b": 0.5}, shape="gaussian"))
    )
    factors = model.rates().factors(np.array([[1.0, 1.0], [-1.0, -1.0], [0.0, -3.0]]))
    np.testing.assert_allclose(factors[:, 0], [1.5, 1 / 1.5, 1.0])
    np.testing.assert_allclose(factors[:, 2], [1.5, 0.5, 0.0])  # a rate is never negative


@given(st.lists(st.floats(0.0, 0.5), min_size=6, max_size=6), st.integers(0, 2**31))
@settings(derandomize=True, max_examples=20, deadline=None)
def test_the_reduced_parameters_give_the_same_distribution_of_factors(sizes, seed):
    systematics = tuple(Systematic(f"s{i}", {"signal": r, "b": r if i % 2 else 0.0}, correlated=i < 3) for i, r in enumerate(sizes))
    rates = CountingModel((1.0, 2.0), {"b": (0.1, 0.2)}, systematics).rates()
    reduced = rates.reduced()
    assert reduced.exponents.shape[1] <= min(rates.exponents.shape[1], 4)
    np.testing.assert_allclose(reduced.exponents @ reduced.exponents.T, rates.exponents @ rates.exponents.T, atol=1e-12)


def test_the_letters_twelve_parameters_reduce_to_five():
    assert letter_model((1.0, 1.0)).rates().reduced().exponents.shape == (8, 5)


def test_backgrounds_are_shared_by_exposure():
    np.testing.assert_allclose(share_by_exposure(0.07), [0.07 * 1.17e10 / 1.98e10, 0.07 * 8.1e9 / 1.98e10])
    assert background_systematics({"a": 0.0, "b": 1.0, "c": 1.0}, {"a": 1.0, "b": 0.5})[0].effects == {"b": 0.5}
    assert set(letter_model((1, 1)).backgrounds) == set(BACKGROUNDS)


def test_repr_shows_rates():
    text = repr(letter_model((3.0, 2.0)))
    assert "12 nuisance parameters" in text
    assert "momentum" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1.0,), {"b": (0.1, 0.1)}), "signal: 1 rates for the 2 channels config_1, config_2: give one for each"),
        (((1.0, 1.0), {"b": (0.1, -0.1)}), r"b: expected events \[0.1, -0.1\]: they must be finite and not negative"),
        (((1.0, float("nan")), {}), "signal: expected events"),
        (((0.0, 0.0), {"b": (0.1, 0.1)}), "the signal is zero in every channel"),
        (((1.0, 1.0), {"b": (0, 0)}, (Systematic("x", {"c": 0.1}),)), "systematic x: no sample 'c' in the model: there are signal, b"),
        (((1.0, 1.0), {}, (Systematic("x", {"signal": 0.1}), Systematic("x", {"signal": 0.2}))), "systematic 'x' is in the model twice"),
        (((1.0, 1.0), {}, (Systematic("x", {"signal": (0.1,)}),)), "systematic x: 1 sizes for signal in 2 channels"),
        (
            ((1.0, 1.0), {}, (Systematic("x", {"signal": -1.0}),)),
            "systematic x: relative size -1.0 of signal: it must be finite and above -1",
        ),
        (((1.0, 1.0), {"signal": (1.0, 1.0)}), "a background is called 'signal'"),
    ],
)
def test_what_does_not_fit_together_is_named(arguments, message):
    with pytest.raises(StatisticsError, match=message):
        CountingModel(*arguments)


def test_an_unknown_shape_of_a_systematic_is_named():
    with pytest.raises(StatisticsError, match="there is no shape 'flat': known are lognormal, gaussian"):
        Systematic("x", {"signal": 0.1}, shape="flat")
