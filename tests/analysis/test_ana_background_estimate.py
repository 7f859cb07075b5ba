"""All backgrounds from one result: what is there is estimated, what is missing is named."""

from __future__ import annotations

import hist
import numpy as np
import pytest

from na64mu.analysis.backgrounds import estimate_backgrounds
from na64mu.analysis.exposure import Exposure, RunExposure
from na64mu.analysis.result import Counts

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
    assert found.table.expected()["momentum"] == pytest.approx(2 * found.tail.value)
    assert found.decays.value == pytest.approx(2e9 * 9 * WEIGHT / 1e4)
    assert found.hadrons.value == pytest.approx(8 * 3 / 90)
    assert found.table.expected()["hadrons"] == pytest.approx(2 * found.hadrons.upper_90)
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
    assert "no event with p_out and E_CAL above the signal box" in found.missing["hadrons"]
    assert "no dataset of simulated beam hadrons was named" in found.missing["decays"]
    assert "hadrons not estimated: no event" in repr(found)
    assert set(found.table.expected()) == {"momentum"}


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
