"""The signal-box scan: what is best follows from the inputs, and nothing in the blinded box is looked at."""

from __future__ import annotations

import copy
import json
from types import SimpleNamespace

import hist
import numpy as np
import pytest

from na64mu.analysis.backgrounds.boxes import box_backgrounds
from na64mu.analysis.optimisation import expected_events, mip_energies, scan_boxes, signal_datasets
from na64mu.errors import BackgroundError, InputError
from na64mu.results.exposure import Exposure, RunExposure
from na64mu.selections.working_point import load_working_point

P, E = (60.0, 80.0, 100.0), (8.0, 12.0, 20.0)


def spectrum(n_core, n_tail):
    h = hist.Hist(
        hist.axis.StrCategory(("calibration", "physics"), name="trigger"),
        hist.axis.Regular(500, 0, 250, name="p_out"),
        storage=hist.storage.Weight(),
    )
    rng = np.random.default_rng(1)
    for trigger, scale in (("calibration", 1), ("physics", 20)):
        h.fill(trigger, rng.normal(160, 7, n_core // scale))
        h.fill(trigger, 125.0 - rng.exponential(8.0, n_tail // scale) % 44.0)
    return h


def plane(p_out, e_cal):
    h = hist.Hist(hist.axis.Regular(100, 0, 200, name="p_out"), hist.axis.Regular(200, 0, 200, name="e_cal"), storage=hist.storage.Weight())
    h.fill(p_out, e_cal)
    return h


class Result:
    """What the scan needs of a RunResult."""

    datasets = ("physics", "signal")
    working_point = load_working_point("prl2024")
    windows = {"na64mu-2022": {}}  # noqa: RUF012  # of the fake alone

    def __init__(self):
        rng = np.random.default_rng(2)
        outside = plane([50] * 40 + [90] * 3 + [90] * 90 + [110] * 30, [30] * 40 + [5] * 3 + [30] * 90 + [10] * 15 + [25] * 15)
        signal = plane(rng.uniform(0, 120, 4000), rng.normal(6, 1.5, 4000))
        e_cal = hist.Hist(
            hist.axis.StrCategory(("all", "n_minus_1"), name="stage"),
            hist.axis.Regular(120, 0, 24, name="e_cal"),
            storage=hist.storage.Weight(),
        )
        e_cal.fill("all", [5.0] * 90 + [30.0] * 10)
        self.histograms = {
            "physics": {"momentum_tail": spectrum(40_000, 200), "plane_before": outside, "e_cal": e_cal},
            "signal": {"plane_after": signal},
        }
        self.exposure = Exposure(
            (
                RunExposure("physics", 1, 1, 10**10, 1.98e10, 0, 0.0, 0.0, 0.0, 2040, 0),
                RunExposure("signal", 2, 1, 20_000, 2e4, 20_000, 2e4, 2e4, 1e-4, 4000, 0),
            )
        )

    def histogram(self, name, dataset=None):
        return self.histograms[dataset or "physics"][name]


def scan_of(result, **kw):
    backgrounds = box_backgrounds(result, np.array(P), np.array(E), seed=1, physics="physics", **kw)
    return scan_boxes(result, backgrounds, P, E)


def test_efficiency_grows_and_backgrounds_grow_with_the_box():
    scan = scan_of(Result(), region_d="physics")
    found = scan.efficiencies["signal"]
    assert signal_datasets(Result()) == ("signal",)
    assert found[0, 1] == pytest.approx(0.2 * 0.5, rel=0.1)  # half of the momenta, all energies
    assert np.all(np.diff(found, axis=0) > 0)
    assert np.all(np.diff(scan.backgrounds.total, axis=0) > 0)
    # 12 GeV, 80 GeV/c: 40 in D, 3 in X (80 to 100 GeV/c), 90 in Y
    assert scan.backgrounds.parts["hadrons"][scan.at(80, 12)] == pytest.approx(40 * 3 / 90)
    assert scan.relative()[scan.at(80, 12)] == pytest.approx(1.0)
    p, e, value = scan.best()
    assert value == pytest.approx(scan.relative().min())
    assert scan.relative()[scan.at(p, e)] == value


def test_a_tail_without_events_ranks_no_box():
    empty = Result()
    empty.histograms["physics"]["momentum_tail"] = spectrum(40_000, 0)
    assert box_backgrounds(empty, np.array(P), np.array(E), seed=1, physics="physics").is_flat
    assert not box_backgrounds(Result(), np.array(P), np.array(E), seed=1, physics="physics").is_flat


def test_without_background_the_widest_box_is_best():
    scan = scan_of(Result())
    free = scan.relative() * 0 + np.array([[np.sqrt(0.1)]])
    assert free.shape == (3, 3)
    assert expected_events(0.0, 0.0)[0] == pytest.approx(2.303, abs=0.005)
    assert expected_events(0.0, 0.0)[1] == pytest.approx(1.353, abs=0.01)
    means = [expected_events(b, 0.3 * b)[0] for b in (0.05, 0.5, 3.0, 12.0)]
    assert means == sorted(means)
    assert means[2] > 4.0


def test_a_planted_event_in_the_box_changes_nothing():
    plain, planted = Result(), Result()
    for name in ("plane_before", "momentum_tail"):
        planted.histograms["physics"][name] = copy.deepcopy(planted.histograms["physics"][name])
    for _ in range(50):
        planted.histograms["physics"]["plane_before"].fill([79.0, 30.0, 10.0], [11.0, 5.0, 0.5])
        planted.histograms["physics"]["momentum_tail"].fill("physics", [79.9, 40.0])
        planted.histograms["physics"]["momentum_tail"].fill("calibration", [79.9, 40.0])
    one, other = scan_of(plain, region_d="physics"), scan_of(planted, region_d="physics")
    assert json.dumps(one.to_dict()) == json.dumps(other.to_dict())
    # and an event outside of it does
    planted.histograms["physics"]["plane_before"].fill([50.0] * 20, [40.0] * 20)
    assert json.dumps(scan_of(planted, region_d="physics").to_dict()) != json.dumps(one.to_dict())


def test_files_and_figure(tmp_path):
    from na64mu.report.boxes import write_box_figure

    scan = scan_of(Result())
    assert [f.name for f in scan.write(tmp_path)] == ["boxes.csv", "boxes.json"]
    content = json.loads((tmp_path / "boxes.json").read_text(encoding="utf-8"))
    assert len(content["boxes"]) == 9
    assert content["published"] == [80.0, 12.0]
    (picture,) = write_box_figure(scan, tmp_path)
    assert picture.stat().st_size > 10_000
    low, high = scan.plateau()[0]
    assert low <= scan.best()[0] <= high


def test_the_mip_fit_says_what_the_border_keeps():
    found = mip_energies(Result(), "physics")
    assert found["mode"] == pytest.approx(5.8, abs=0.5)
    assert 0.8 < found["fit below 12 GeV"] < 0.97
    assert found["calibration muons below 12 GeV"] == pytest.approx(0.9)
    assert mip_energies(SimpleNamespace(windows={"no such set-up": {}}, working_point=Result.working_point)) == {}


def test_what_is_missing_is_named():
    result = Result()
    backgrounds = box_backgrounds(result, np.array(P), np.array(E), seed=1, physics="physics")
    with pytest.raises(InputError, match="no simulated signal 'other' in the output folder"):
        scan_boxes(result, backgrounds, P, E, signals=["other"])
    result.histograms["signal"]["plane_after"] = plane([150.0], [5.0])
    with pytest.raises(InputError, match="has no event in the box p_out <= 80 GeV/c"):
        scan_boxes(result, backgrounds, P, E)
    result.histograms["physics"]["plane_before"] = plane([50.0], [30.0])
    with pytest.raises(BackgroundError, match="no event beside and above the box"):
        box_backgrounds(result, np.array(P), np.array(E), seed=1, physics="physics", region_d="physics")
    result.exposure = Exposure(())
    with pytest.raises(BackgroundError, match="no muons on target behind the spectrum"):
        box_backgrounds(result, np.array(P), np.array(E), seed=1, physics="physics")
