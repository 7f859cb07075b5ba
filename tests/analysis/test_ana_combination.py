"""Several runs as one search: equal to the single one where it must be, refused where a run would count twice, all files made of it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from na64mu.analysis.combination import combined_limits, read_correlations, run_names
from na64mu.analysis.counting import letter_counting, own_counting
from na64mu.analysis.excess import search_excess
from na64mu.analysis.excess_files import excess_dict, write_reach
from na64mu.analysis.limits import search_limits
from na64mu.analysis.limits_files import limits_dict
from na64mu.analysis.publication import publication_of, write_limits
from na64mu.analysis.search import limits_of
from na64mu.analysis.yields import PileUpLoss, SignalYield
from na64mu.errors import InputError

MASSES = np.array([0.02, 0.1, 0.5])


def signal(exposures=(1.17e10, 8.1e9), efficiency=0.1, loss=0.13) -> SignalYield:
    n = len(MASSES)
    return SignalYield(
        masses=MASSES,
        g_ref=1e-4,
        exposures=exposures,
        per_muon=7.7e-11 * (0.1 / MASSES) ** 2,
        invisible=np.ones(n),
        efficiency=np.full((n, 2), efficiency),
        efficiency_error=np.full((n, 2), 0.002),
        pile_up_loss=PileUpLoss(loss, 0.0, "published"),
    )


def two(**changes):
    first = replace(letter_counting(), runs=((1, 1), (2, 2)))
    second = replace(own_counting((2e10, 1e10), {"momentum": (0.2, 0.1)}, (1, 0)), **{"runs": ((3, 1), (4, 2)), **changes})
    return {"y22": (first, signal()), "y23": (second, signal((2e10, 1e10), 0.2, 0.05))}


@pytest.fixture(scope="module")
def both():
    return combined_limits(two())


def test_a_combination_of_one_is_that_one():
    alone = search_limits(letter_counting(), signal())
    found = combined_limits({"y22": (letter_counting(), signal())})
    for method in ("asymptotic", "exact"):
        np.testing.assert_allclose(found.couplings(method), alone.couplings(method), rtol=1e-9)


def test_events_of_all_runs_count(both):
    parts = two()
    assert both.counting.observed == (0.0, 0.0, 1.0, 0.0)
    assert both.counting.exposures == (1.17e10, 8.1e9, 2e10, 1e10)
    assert both.counting.backgrounds["momentum"] == pytest.approx(0.25)
    expected = np.concatenate([s.events() for _, s in parts.values()], axis=1)
    np.testing.assert_allclose(both.yields.events(), expected)
    made = both.yields.per_muon[:, None] * np.array(both.yields.exposures) * both.yields.total_efficiency
    np.testing.assert_allclose(made, expected)  # the means of efficiency and loss belong together
    singles = [search_limits(*part).couplings("exact")[:, 3] for part in parts.values()]
    assert np.all(both.couplings("exact")[:, 3] < np.minimum(*singles))


def test_twice_the_exposure_without_events_is_half_the_signal():
    counting = replace(letter_counting(), backgrounds={}, errors={})
    one = search_limits(counting, signal())
    double = combined_limits(
        {"a": (counting, signal()), "b": (counting, signal())}, dict.fromkeys(("trigger_alignment", "muons_on_target"), "configuration")
    )
    np.testing.assert_allclose(double.couplings("exact")[:, 0], one.couplings("exact")[:, 0] / np.sqrt(2.0), rtol=1e-9)


def test_rules_of_what_is_the_same_in_all_runs():
    letter = {"a": (letter_counting(), signal()), "b": (letter_counting(), signal())}
    names = {n.name for n in combined_limits(letter).models[0.1].nuisances}
    assert {"efficiency_statistics_config_1", "efficiency_statistics_config_2", "background_momentum"} < names  # one table, one Table I
    other = letter | {"b": (replace(letter_counting(), methods={"momentum": "fit"}), signal(efficiency=0.2))}
    names = {n.name for n in combined_limits(other).models[0.1].nuisances}
    assert {"efficiency_statistics_a_config_1", "background_momentum_a", "background_momentum_b"} < names


def test_all_files_are_made_of_it(both, tmp_path):
    import pyhf

    files = write_limits(both, tmp_path, hs3_mass=0.1)
    assert {"limits.csv", "yields.csv", "systematics.csv", "patchset.json", "hs3_100MeV.json"} <= {path.name for path in files}
    heading = (tmp_path / "yields.csv").read_text().splitlines()[1]
    assert "efficiency_y22_config_1" in heading
    assert "events_y23_config_2" in heading
    workspace = pyhf.Workspace(
        pyhf.PatchSet(json.loads((tmp_path / "patchset.json").read_text())).apply(
            pyhf.Workspace(json.loads((tmp_path / "background_only.json").read_text())), "mass_100MeV"
        )
    )
    model = workspace.model()
    here = both.scan.limits[1].asymptotic.observed
    assert float(pyhf.infer.hypotest(here, workspace.data(model), model)) == pytest.approx(0.1, abs=2e-4)
    assert len(publication_of(both).observed) == 4
    assert limits_dict(both)["observed"] == [0.0, 0.0, 1.0, 0.0]
    assert write_reach(both, tmp_path).exists()


def test_an_excess_of_it(both):
    found = search_excess(both)
    assert found.discovery.observed == (0.0, 0.0, 1.0, 0.0)
    assert 0.05 < found.discovery.p_value < 0.3
    assert "1 events observed (0, 0, 1, 0 by configuration)" in excess_dict(found)["statements"][0]


def test_bounds_of_the_runs_add_up():
    bounded = combined_limits(two(bounds={"leak": 3.0}))
    assert bounded.counting.bounds == {"leak": 3.0}
    assert bounded.counting.at_the_bounds().backgrounds["leak"] == 3.0
    assert search_excess(bounded).discovery.background > 3.0


def test_one_blinded_run_leaves_expected_limits():
    assert combined_limits(two(observed=None)).is_blinded


def test_runs_have_the_names_of_their_folders(tmp_path):
    assert run_names(["a/out-22", "a/out-23"]) == ("out_22", "out_23")
    assert run_names(["2022/out", "2023/out"]) == ("2022_out", "2023_out")
    with pytest.raises(InputError, match="out/ is given twice: its exposure and events would count twice"):
        run_names([tmp_path / "out", tmp_path / "x" / ".." / "out"])


def test_a_run_that_is_in_two_folders_is_refused():
    parts = two(runs=((9, 1), (2, 2)))
    with pytest.raises(InputError, match="run 2 of configuration 2 is in y22 and in y23: its exposure and events would count twice"):
        combined_limits({name: (replace(c, runs=((2, 2),)), s) for name, (c, s) in parts.items()})


def test_the_same_run_in_another_configuration_is_another_one():
    combined_limits(two(runs=((1, 2), (2, 1))))


def test_a_list_or_names_are_combined():
    first = limits_of(counts=(0, 0), backgrounds={"b": 0.1}, mot=(1e10, 0), efficiency=0.1, masses=[0.05, 0.1])
    found = limits_of([first, first], correlations={"muons_on_target": "correlated"})
    assert found.counting.channels == ("run_1_config_1", "run_1_config_2", "run_2_config_1", "run_2_config_2")
    assert limits_of({"a": first, "b": first}).models[0.1].channels == ("a_config_1", "b_config_1")
    np.testing.assert_allclose(found.couplings("exact")[:, 0] / first.couplings("exact")[:, 0], np.sqrt(0.5), rtol=0.01)


def test_rules_come_from_a_file(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text('[correlations]\ntrigger_alignment = "configuration"\n')
    assert read_correlations(path) == {"trigger_alignment": "configuration"}
    path.write_text("[other]\nx = 1\n")
    with pytest.raises(InputError, match=r"one table \[correlations\] is wanted"):
        read_correlations(path)


def test_what_cannot_be_combined_is_said():
    first, second = limits_of("letter", efficiency=0.1, masses=[0.1]), limits_of("letter", efficiency=0.1, masses=[0.2])
    with pytest.raises(InputError, match="run run_2: its signal was computed for other masses"):
        limits_of([first, second])
    with pytest.raises(InputError, match="correlations are those of several runs"):
        limits_of("letter", correlations={})
    with pytest.raises(InputError, match="a list of runs holds at least one"):
        limits_of([])
    with pytest.raises(InputError, match="two runs are called letter"):
        limits_of(["letter", "letter"], efficiency=0.1)
