"""Several runs in one likelihood: which parameters they share, against pyhf of the joined workspace, draws, and closed forms."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import poisson

from na64mu.errors import StatisticsError
from na64mu.statistics import CountingModel, Systematic, letter_model, upper_limits
from na64mu.statistics.combination import combined_model, default_rules
from na64mu.statistics.discovery import tail_probability
from na64mu.statistics.exact import exact_limits
from na64mu.statistics.excess import excess
from na64mu.statistics.quadrature import blocks, condensed, gauss_hermite
from na64mu.statistics.workspace import full_workspace

A = letter_model((2.0, 1.0))
B = letter_model((3.0, 1.5), {"momentum": 0.4, "leak": 0.2}, {"momentum": 0.2, "leak": 0.1})


def names(model: CountingModel) -> list[str]:
    return [nuisance.name for nuisance in model.nuisances]


def test_channels_stand_side_by_side():
    both = combined_model({"y22": A, "y23": B})
    assert both.channels == ("y22_config_1", "y22_config_2", "y23_config_1", "y23_config_2")
    assert both.signal == (2.0, 1.0, 3.0, 1.5)
    assert both.backgrounds["leak"][:2] == (0.0, 0.0)
    assert both.backgrounds["momentum"] == (*A.backgrounds["momentum"], *B.backgrounds["momentum"])
    assert both.backgrounds["decays"][2:] == (0.0, 0.0)


def test_rules_say_which_parameters_are_shared():
    models = {"a": A, "b": B}
    rules = default_rules(models)
    assert rules["weizsaecker_williams"] == "correlated"
    assert rules["trigger_alignment"] == "uncorrelated"
    assert rules["background_momentum"] == "run"
    found = names(combined_model(models))
    assert found.count("weizsaecker_williams") == 1
    assert {f"trigger_alignment_{run}_config_{c}" for run in "ab" for c in (1, 2)} < set(found)
    assert {"background_momentum_a", "background_momentum_b", "background_leak_b"} < set(found)
    assert "background_leak_a" not in found  # no such background there
    stated = names(
        combined_model(models, {"trigger_alignment": "configuration", "background_momentum": "correlated", "running_alpha": "run"})
    )
    assert {"trigger_alignment_config_1", "trigger_alignment_config_2", "background_momentum", "running_alpha_a", "running_alpha_b"} < set(
        stated
    )
    assert not any(name.startswith("trigger_alignment_a") for name in stated)


def test_sizes_stay_those_of_the_runs():
    one, two = (CountingModel((1.0,), {"b": (1.0,)}, (Systematic("x", {"signal": r}),), ("c",)) for r in (0.1, 0.3))
    (x,) = combined_model({"a": one, "b": two}).systematics
    assert [x.size("signal", c) for c in (0, 1)] == [0.1, 0.3]
    assert x.correlated


def test_one_run_is_itself():
    alone = combined_model({"a": A})
    for observed in ((0, 0), (2, 1)):
        np.testing.assert_allclose(
            exact_limits(alone, np.array(observed, float), 0.9), exact_limits(A, np.array(observed, float), 0.9), rtol=1e-12
        )
        assert upper_limits(alone, observed).asymptotic.observed == pytest.approx(upper_limits(A, observed).asymptotic.observed, rel=1e-10)


def test_equal_runs_without_events_exclude_by_their_sum():
    """Without systematics the exact limit is -ln 0.1 events of all runs together."""
    plain = CountingModel((1.0, 0.5), {"b": (0.1, 0.1)})
    for n in (1, 2, 5):
        both = combined_model({f"r{i}": plain for i in range(n)})
        assert exact_limits(both, np.zeros(2 * n), 0.9)[0] * both.total_signal == pytest.approx(math.log(10.0), rel=1e-12)


def test_common_errors_weaken_a_combination():
    """With all errors common the sum is as uncertain as each part; with none it is less."""
    part = CountingModel((1.0,), {"b": (0.1,)}, (Systematic("x", {"signal": 0.4}),), ("c",))
    runs = {f"r{i}": part for i in range(4)}
    limits = [exact_limits(combined_model(runs, {"x": rule}), np.zeros(4), 0.9)[0] * 4 for rule in ("correlated", "uncorrelated")]
    alone = exact_limits(part, np.zeros(1), 0.9)[0]
    assert limits[0] == pytest.approx(alone, rel=1e-9)
    assert math.log(10.0) / 1.1 < limits[1] < limits[0]


@pytest.mark.parametrize(
    ("rules", "observed"),
    [
        ({}, (0, 0, 0, 0)),
        ({"background_momentum": "correlated"}, (1, 0, 2, 0)),
        ({"trigger_alignment": "configuration", "muons_on_target": "run"}, (0, 1, 0, 0)),
        ({"weizsaecker_williams": "uncorrelated"}, (3, 1, 4, 2)),
    ],
)
def test_pyhf_of_the_joined_workspace_agrees(rules, observed):
    import pyhf

    both = combined_model({"a": A, "b": B}, rules)
    found = upper_limits(both, observed, expected="fitted").asymptotic
    model = pyhf.Workspace(full_workspace(both, observed)).model()
    data = pyhf.Workspace(full_workspace(both, observed)).data(model)
    seen, bands = pyhf.infer.hypotest(found.observed, data, model, return_expected_set=True)
    slope = (float(pyhf.infer.hypotest(1.002 * found.observed, data, model)) - float(seen)) / 0.002
    assert abs(float(seen) - 0.1) < 1e-3 * abs(slope)  # relative error of the limit below 1e-3
    median = pyhf.infer.hypotest(found.median, data, model, return_expected_set=True)[1][2]
    assert float(median) == pytest.approx(0.1, abs=3e-4)
    assert len(bands) == 5


def test_the_average_over_many_parameters_is_that_of_draws():
    runs = {
        f"y{i}": letter_model((2.0 + i, 1.0 + 0.3 * i), {"momentum": 1.5 * (1 + i), "leak": 0.6}, {"momentum": 1.5 * (1 + i), "leak": 0.6})
        for i in range(4)
    }
    both = combined_model(runs)
    rates = both.rates()
    assert rates.exponents.shape[1] > 20
    draws = np.random.default_rng(3).standard_normal((200_000, rates.exponents.shape[1]))
    events = rates.factors(np.concatenate([draws, -draws])) * rates.nominal
    background = events[:, ~rates.is_signal].sum(axis=1)
    for n in (5, 30, 80):
        truth = poisson.sf(n - 1, background)
        assert abs(tail_probability(both, n) - truth.mean()) < 4.0 * truth.std() / math.sqrt(len(truth))
    mu = exact_limits(both, np.array([10.0] + [0.0] * 7), 0.9)[0]
    signal = events[:, rates.is_signal].sum(axis=1)
    cls = poisson.cdf(10, mu * signal + background).mean() / poisson.cdf(10, background).mean()
    assert cls == pytest.approx(0.1, rel=0.01)


def test_the_tail_of_many_blocks_is_that_of_few():
    """Three blocks by the full grid, and five equal ones that add up to the same Poisson mean without errors."""
    one = CountingModel((1.0,), {"b": (0.3,)}, (), ("c",))
    wide = CountingModel((1.0,), {"b": (0.3,)}, (Systematic("x", {"b": 1e-9}),), ("c",))
    assert tail_probability(combined_model({f"r{i}": one for i in range(6)}), 4) == pytest.approx(poisson.sf(3, 1.8), rel=1e-12)
    assert tail_probability(combined_model({f"r{i}": wide for i in range(6)}, {"x": "run"}), 14) == pytest.approx(
        poisson.sf(13, 1.8), rel=1e-6
    )
    assert tail_probability(combined_model({f"r{i}": wide for i in range(6)}), 0) == 1.0


def test_blocks_share_nothing_and_lose_nothing():
    rates = combined_model({"a": A, "b": B}).rates()
    parts = blocks(rates)
    assert sum(part.nominal.sum() for part in parts) == pytest.approx(rates.nominal.sum(), rel=1e-2)  # condensed: means of the factors
    assert len(parts) == 6  # the signal, three backgrounds of a, two of b


def test_condensed_keeps_the_mean():
    rng = np.random.default_rng(2)
    model = CountingModel(
        tuple(rng.uniform(0.5, 2.0, 6)),
        {},
        tuple(Systematic(f"s{i}", {"signal": tuple(rng.uniform(0.0, 0.2, 6))}) for i in range(9)),
        tuple(f"c{i}" for i in range(6)),
    )
    rates = model.rates().reduced()
    few = condensed(rates)
    assert few.exponents.shape[1] == 3
    mean = [r.nominal * np.exp(0.5 * np.sum(r.exponents**2, axis=1)) for r in (rates, few)]
    np.testing.assert_allclose(mean[1], mean[0], rtol=1e-12)
    assert condensed(few) is few
    assert gauss_hermite(3)[0].shape[1] == 3


def test_an_excess_of_a_combination():
    both = combined_model({"a": A, "b": B})
    found = excess(both, (1, 0, 2, 1))
    assert found.discovery.p_value == pytest.approx(tail_probability(both, 4), rel=1e-12)
    low, high = found.interval().low, found.interval().high
    assert 0 < low < found.discovery.strength < high
    limits = [exact_limits(both, np.array([n, 0.0, 0.0, 0.0]), 0.9)[0] for n in (0, 2, 4)]
    assert all(first < second for first, second in pairwise(limits))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: combined_model({}), "no run to combine: give at least one model"),
        (
            lambda: combined_model({"a": A}, {"weizsacker": "run"}),
            "no source 'weizsacker' in the runs: there are muons_on_target, weizsaecker_williams",
        ),
        (
            lambda: combined_model({"a": A}, {"running_alpha": "half"}),
            "there is no rule of running_alpha 'half': known are correlated, configuration, run, uncorrelated",
        ),
        (
            lambda: combined_model(
                {
                    shape: CountingModel((1.0,), {}, (Systematic("x", {"signal": 0.1}, shape=shape),), ("c",))  # type: ignore[arg-type]
                    for shape in ("gaussian", "lognormal")
                }
            ),
            "systematic x is gaussian in one run and lognormal in another: one parameter has one shape",
        ),
    ],
)
def test_what_cannot_be_combined_is_said(call, message):
    with pytest.raises(StatisticsError, match=message):
        call()
