"""All backgrounds from one result: what is there is estimated, what is missing is named."""

from __future__ import annotations

import json

import hist
import numpy as np
import pytest

from na64mu.analysis.backgrounds import background_table, estimate_backgrounds, estimate_leakage
from na64mu.errors import BackgroundError
from na64mu.paper.estimates import BESIDE, _hadrons
from na64mu.results.exposure import Exposure, RunExposure
from na64mu.results.run import Counts
from na64mu.selections import load_working_point

WEIGHT = 1e-9


def spectrum(trigger: str, n_core: int, n_tail: int) -> hist.Hist:
    h = hist.Hist(
        hist.axis.StrCategory(("calibration", "physics"), name="trigger"),
        hist.axis.Regular(500, 0, 250, name="p_out"),
        storage=hist.storage.Weight(),
    )
    rng = np.random.default_rng(1)
    h.fill(trigger, rng.normal(160, 7, n_core))
    h.fill(trigger, 125.0 - rng.exponential(8.0, n_tail) % 44.0)
    return h


def plane(*points: tuple[float, float, int]) -> hist.Hist:
    h = hist.Hist(hist.axis.Regular(100, 0, 200, name="p_out"), hist.axis.Regular(200, 0, 200, name="e_cal"), storage=hist.storage.Weight())
    for p_out, e_cal, n in points:
        h.fill([p_out] * n, [e_cal] * n)
    return h


class Result:
    working_point = load_working_point("prl2024")
    datasets = ("physics", "calibration", "hadron")

    def __init__(self, selected: int = 9, points: tuple[tuple[float, float, int], ...] = ((50, 30, 8), (90, 5, 3), (90, 30, 90))):
        self.histograms = {
            "physics": {"momentum_tail": spectrum("physics", 2000, 40), "plane_before": plane(*points)},
            "calibration": {"momentum_tail": spectrum("calibration", 40_000, 60)},
        }
        box = Counts(selected, selected * WEIGHT, selected * WEIGHT**2)
        self.regions = {"physics": {}, "calibration": {}, "hadron": {"box_after": box}}
        self.exposure = Exposure(
            (
                RunExposure("physics", 1, 1, 10**9, 1e9, 0, 0.0, 0.0, 0.0, 2040, 0),
                RunExposure("calibration", 2, 1, 50_000, 5e4, 0, 0.0, 0.0, 0.0, 40_060, 0),
                RunExposure("hadron", 3, 1, 10_000, 1e4, 10_000, 1e4 * WEIGHT, 1e4 * WEIGHT, 0.0, 100, 0),
            )
        )

    def histogram(self, name, dataset=None):
        if dataset is None:
            return self.histograms["physics"][name]
        try:
            return self.histograms[dataset][name]
        except KeyError as error:
            msg = f"no histogram {name!r} of dataset {dataset!r}"
            raise KeyError(msg) from error


def test_everything_is_estimated_and_scaled_to_the_exposure():
    found = estimate_backgrounds(Result(), seed=1, physics="physics", hadrons="hadron", n_mot=2e9)
    assert found.missing == {}
    assert found.tail.n_mot == 1e9
    assert found.table.bounds()["momentum"] == pytest.approx(2 * found.tail.upper)  # the forms differ by more than the value
    assert found.decays.value == pytest.approx(2e9 * 9 * WEIGHT / 1e4)
    assert found.hadrons.value == pytest.approx(8 * 3 / 90)
    assert found.table.bounds()["hadrons"] == pytest.approx(2 * found.hadrons.upper_90)
    assert set(found.table.expected()) == {"decays"}
    assert found.leakage is None
    assert "90 % upper limit; E_CAL spectrum of region D: 8 events" in found.table.rows[2].ours.note
    assert "published" in repr(found)


def test_the_shape_may_come_from_the_calibration_trigger():
    result = Result()
    found = estimate_backgrounds(result, seed=1, physics="physics", calibration="calibration")
    assert found.tail.n_mot == 1e9
    assert found.tail.n_tail == pytest.approx(60, abs=4)
    own = estimate_backgrounds(result, seed=1, physics="physics").tail
    assert own.n_tail == pytest.approx(40, abs=4)


def test_what_is_missing_is_named():
    found = estimate_backgrounds(Result(points=((50, 30, 8),)), seed=1, physics="physics")
    assert found.decays is None
    assert found.hadrons is None
    assert "D X / Y: no event with p_out and E_CAL above the signal box" in found.missing["hadrons"]
    assert "; E_CAL spectrum of region D: 8 events" in found.missing["hadrons"]
    assert "no dataset of simulated beam hadrons was named" in found.missing["decays"]
    assert "hadrons not estimated: D X / Y: no event" in repr(found)
    assert set(found.table.bounds()) == {"momentum"}


def test_without_a_spectrum_of_the_tail_the_others_are_estimated():
    result = Result()
    result.histograms["physics"]["momentum_tail"].reset()
    found = estimate_backgrounds(result, seed=1, physics="physics", hadrons="hadron")
    assert found.tail is None
    assert "no MIP-tagged muon of the physics trigger above 120 GeV/c in physics" in found.missing["momentum"]
    assert set(found.table.expected()) | set(found.table.bounds()) == {"decays", "hadrons"}


def test_a_dataset_without_simulated_box_is_named():
    found = estimate_backgrounds(Result(), seed=1, physics="physics", hadrons="calibration")
    assert "dataset 'calibration' holds no simulated events in the signal box after all cuts" in found.missing["decays"]
    found = estimate_backgrounds(Result(), seed=1, physics="physics", region_d="calibration")
    assert found.missing["hadrons"] == "no histogram 'plane_before' of dataset 'calibration'"


def test_no_selected_decay_leaves_an_upper_limit_of_one_weight():
    found = estimate_backgrounds(Result(selected=0), seed=1, physics="physics", hadrons="hadron", n_mot=1e10)
    assert found.decays.value == 0.0
    assert found.decays.high == pytest.approx(1e10 * 1.841 * WEIGHT / 1e4, rel=0.01)
    assert found.table.rows[1].ours.is_upper


def with_spectrum(n: int, start: float, fall: float, beside: bool = True) -> Result:
    """Region D with a fall of E_CAL from `start` towards the box, and as many events above; D X / Y beside it if asked for."""
    result = Result(points=((90, 5, 3), (90, 30, 90)) if beside else ())
    rng = np.random.default_rng(5)
    energies = np.concatenate([start - rng.exponential(fall, n), rng.uniform(start, start + 60, 3 * n)])
    result.histograms["physics"]["plane_before"].fill(np.full(4 * n, 50.0), energies)
    return result


def test_the_spectrum_of_region_d_is_the_estimate_where_it_is_filled():
    found = estimate_backgrounds(with_spectrum(400, 30.0, 8.0), seed=1, physics="physics", n_mot=2e9)
    entry, truth = found.table.rows[2].ours, 2 * 400 * np.exp(-18.0 / 8.0)
    assert "hadrons" not in found.missing
    assert not entry.is_upper
    assert entry.value == found.leakage.value == found.table.expected()["hadrons"]
    assert entry.error == pytest.approx(0.5 * (found.leakage.high - found.leakage.low))
    assert found.leakage.low < truth < found.leakage.high
    assert f"< {found.leakage.upper:.2g} (95 %)" in entry.note
    assert f"cross-check D X / Y: {2 * found.hadrons.value:.2g}, < {2 * found.hadrons.upper_90:.2g} (90 %)" in entry.note
    assert entry.note in found.table.to_csv().replace('"', "")
    assert f"${entry}$".replace("+-", "\\pm") in found.table.to_latex()


def test_an_error_above_the_value_makes_an_upper_limit():
    found = estimate_backgrounds(with_spectrum(2000, 60.0, 6.0), seed=1, physics="physics", n_mot=2e9)
    entry = found.table.rows[2].ours
    assert 0.5 * (found.leakage.high - found.leakage.low) > found.leakage.value
    assert (entry.value, entry.error, entry.is_upper) == (found.leakage.upper, 0.0, True)
    assert entry.note.endswith("error above the value: 95 % upper limit")
    assert found.leakage.upper < 0.1 * 2 * found.hadrons.upper_90  # what D X / Y alone would say


def test_the_spectrum_needs_no_events_beside_the_box():
    found = estimate_backgrounds(with_spectrum(400, 30.0, 8.0, beside=False), seed=1, physics="physics", n_mot=2e9)
    assert found.hadrons is None
    assert found.missing.keys() == {"decays"}
    assert "D X / Y: no event with p_out and E_CAL above the signal box" in found.table.rows[2].ours.note


def test_nothing_in_the_box_changes_background_three():
    one, other = with_spectrum(400, 30.0, 8.0), with_spectrum(400, 30.0, 8.0)
    other.histograms["physics"]["plane_before"].fill([79.0, 10.0, 40.0] * 50, [11.5, 3.0, 0.2] * 50)
    tables = [estimate_backgrounds(result, seed=1, physics="physics").table for result in (one, other)]
    assert tables[0].rows[2] == tables[1].rows[2]


def test_both_ways_to_background_three_are_for_one_exposure():
    found = estimate_backgrounds(with_spectrum(400, 30.0, 8.0), seed=1, physics="physics", n_mot=2e9)
    with pytest.raises(BackgroundError, match=r"the leaking hadrons were estimated for 2e\+09 muons on target, the table is for 1e\+10"):
        background_table(found.tail, None, found.hadrons, leakage=found.leakage, n_mot=1e10)


def test_the_steps_of_the_paper_hold_both_and_their_closure():
    result = with_spectrum(400, 30.0, 8.0)
    result.histograms["nuclear"] = result.histograms["physics"]
    found = estimate_backgrounds(result, seed=1, physics="physics", n_mot=2e9)
    content = json.loads(json.dumps(_hadrons(result, found, 2e9), allow_nan=False))
    assert content["leakage"]["value"] == pytest.approx(found.leakage.value)
    assert content["leakage"]["forms"][0]["name"] == "exponential in E_CAL"
    assert content["d_x_y"]["upper_90"] == pytest.approx(2 * found.hadrons.upper_90)
    assert len(content["leakage_closure"]) == len(BESIDE)
    assert "at least 20 below that are needed" in content["leakage_closure"][0]
    few = Result(points=((50, 30, 8),))
    few.histograms["nuclear"] = few.histograms["physics"]
    content = _hadrons(few, estimate_backgrounds(few, seed=1, physics="physics"), 2e9)
    assert (content["leakage"], content["d_x_y"]) == (None, None)


def test_events_of_full_energy_are_not_the_fall_of_region_d():
    found = estimate_backgrounds(with_spectrum(100, 140.0, 12.0), seed=1, physics="physics", n_mot=2e9)
    assert found.leakage is None
    assert "events with E_CAL from 12 to 60 GeV" in found.table.rows[2].ours.note
    plane = with_spectrum(100, 140.0, 12.0).histograms["physics"]["plane_before"]
    assert estimate_leakage(plane, 1e9).n_shape >= 20  # its spectrum alone would do for a fit
