"""Projections and other bosons: scaling laws, what is assumed, files."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from na64mu.analysis.counting import letter_counting
from na64mu.analysis.limits import search_limits
from na64mu.analysis.limits_models import BOSONS, BosonLimits
from na64mu.analysis.projection import SCENARIOS, Scenario, exposure_with_background, pile_up_loss, project
from na64mu.analysis.yields import PileUpLoss, SignalYield
from na64mu.errors import InputError

MASSES = np.array([0.01, 0.1, 1.0])


def yields() -> SignalYield:
    return SignalYield(
        masses=MASSES,
        g_ref=1e-4,
        exposures=(1.17e10, 8.1e9),
        per_muon=7.7e-11 * (0.1 / MASSES) ** 2,
        invisible=np.ones(3),
        efficiency=np.full((3, 2), 0.1),
        efficiency_error=np.full((3, 2), 0.002),
        pile_up_loss=PileUpLoss(0.13, 0.0, "published"),
    )


@pytest.fixture(scope="module")
def projection():
    return project(yields())


def test_2022_is_the_letter(projection):
    first = projection.limits[0]
    assert first.counting.backgrounds == pytest.approx({"momentum": 0.05, "decays": 0.01, "hadrons": 0.01})
    letter = search_limits(letter_counting(), yields())
    np.testing.assert_allclose(first.couplings("exact")[:, 3], letter.couplings("exact")[:, 3], rtol=1e-9)


def test_without_background_the_coupling_falls_with_the_root_of_the_exposure(projection):
    g = [limits.couplings("exact")[:, 3] for _, limits in projection]
    ratio = math.sqrt(2e13 / 1.98e10)
    np.testing.assert_allclose(g[0] / g[-1], ratio, rtol=1e-3)
    # with it, more slowly; every improvement helps
    assert np.all(g[0] / g[2] < 0.5 * ratio)
    assert np.all((g[2] > g[3]) & (g[3] > g[4]) & (g[4] > g[5]))
    assert sum(projection.limits[2].counting.backgrounds.values()) == pytest.approx(0.07 * 2e13 / 1.98e10)


def test_pile_up_at_the_future_rate():
    assert pile_up_loss(2.8e6, 1.0) == pytest.approx(0.13)
    assert pile_up_loss(1e8, 2.8e6 / 1e8) == pytest.approx(0.13)
    assert pile_up_loss(1e8, 1.0) == pytest.approx(0.993, abs=1e-3)  # with the electronics of 2022 nothing would be left
    assert exposure_with_background(1.0, {}) == pytest.approx(1.98e10 / 0.07)
    assert exposure_with_background(1.0, dict.fromkeys(("momentum", "decays", "hadrons"), 0.0)) == math.inf


def test_nothing_is_observed_in_the_future(projection):
    for limits in projection.limits:
        assert limits.is_blinded
        assert all(one.observed is None and "observed" not in one.caution for one in limits.scan.limits)
    assert "events expected are too few for the asymptotic form: its median expected limit" in projection.limits[0].scan.limits[0].caution


def test_every_scenario_says_what_it_assumes(projection, tmp_path):
    from na64mu.report.projection import write_projection_figure

    assert all(s.assumed for s in SCENARIOS)
    assert [f.name for f in projection.write(tmp_path)] == ["projection.csv", "projection.json"]
    content = json.loads((tmp_path / "projection.json").read_text(encoding="utf-8"))
    assert [s["name"] for s in content["scenarios"]] == [s.name for s in SCENARIOS]
    assert len(content["expected"]) == len(SCENARIOS) * 3
    assert content["scenarios"][2]["spills"] == pytest.approx(2e5)
    (picture,) = write_projection_figure(projection, tmp_path)
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize("scenarios", [[], [Scenario("a", 0.0)], [Scenario("a", 1e10), Scenario("a", 2e10)]])
def test_impossible_scenarios_are_refused(scenarios):
    with pytest.raises(InputError, match="every one needs a name of its own"):
        project(yields(), scenarios)


def test_a_dark_photon_is_a_vector_of_coupling_epsilon_e(tmp_path):
    limits = search_limits(letter_counting(), yields())
    photon, scalar = (BosonLimits(BOSONS[name], limits) for name in ("dark-photon", "scalar"))
    e = math.sqrt(4 * math.pi / 137.036)
    np.testing.assert_allclose(photon.couplings("exact"), limits.couplings("exact") / e, rtol=1e-4)
    np.testing.assert_allclose(photon.y("exact"), photon.couplings("exact") ** 2 * 0.1 / 81, rtol=1e-12)
    np.testing.assert_allclose(scalar.couplings("exact"), limits.couplings("exact"))
    assert np.all(np.isnan(scalar.y("exact")))
    text = photon.write(tmp_path).read_text(encoding="utf-8").splitlines()
    assert text[0].startswith("# dark photon, invisible: 90 % CL upper limits on epsilon")
    assert "y_exact_observed" in text[3]
