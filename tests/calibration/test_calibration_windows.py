from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import landau

from na64mu.calibration import windows as module
from na64mu.calibration.mip import LANDAU_MODE, LANDAU_SCALE
from na64mu.calibration.windows import Calibration, CalibrationInput, calibrate, good_muons, known_calibrations, load_calibration
from na64mu.detector import load_detector
from na64mu.errors import CalibrationError
from na64mu.selections import load_working_point

POINT = load_working_point("prl2024")
DETECTOR = load_detector("na64mu-2022")
TRUTH = {"e_ecal": 0.6, "e_preshower": 0.05, "e_veto": 9.0, "e_hcal1": 2.3, "e_hcal2": 2.3, "e_hcal_cell": 2.2, "e_cal": 5.2}


def muons(n: int = 3000, crossing: int = 0, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    summary = {
        "trigger": np.ones(n, np.uint32),
        "p_in": rng.normal(160.0, 3.0, n),
        "n_tracks_ms1": np.ones(n, np.int32),
        "n_tracks_ms2": np.ones(n, np.int32),
        "x_ecal": rng.normal(0.0, 9.0, n),
        "y_ecal": rng.normal(0.0, 15.0, n),
        "tx_in": np.zeros(n),
        "ty_in": np.zeros(n),
        "e_vhcal": np.zeros(n),
    }
    for name, peak in TRUTH.items():
        scale = LANDAU_SCALE * 0.05 * peak
        summary[name] = landau.rvs(loc=peak - LANDAU_MODE * scale, scale=scale, size=n, random_state=rng) + rng.normal(0, 0.08 * peak, n)
    summary["y_ecal"][:crossing] = 100.0
    scale = LANDAU_SCALE * 0.06
    summary["e_vhcal"][:crossing] = landau.rvs(loc=1.1 - LANDAU_MODE * scale, scale=scale, size=crossing, random_state=rng)
    return summary


@cache
def as_calibration(n: int = 3000) -> Calibration:
    peaks, n_muons = calibrate(muons(n), DETECTOR, POINT)
    return Calibration(
        format_version=1,
        detector=DETECTOR.tag,
        detector_hash=DETECTOR.digest,
        selection=POINT.name,
        selection_hash=POINT.hash,
        version="0",
        command='na64mu calibrate "x"',
        n_muons=n_muons,
        rule=POINT.mip,
        mip=peaks,
        inputs=(CalibrationInput(path="f.root", uuid="u", entries=n), CalibrationInput(path="g.root", uuid="v", entries=1)),
    )


def test_every_window_contains_its_peak_and_the_promised_part_of_the_muons():
    peaks = as_calibration().mip
    assert as_calibration().n_muons == 3000
    for name, peak in TRUTH.items():
        assert peaks[name].low < peak < peaks[name].high
        assert peaks[name].mode == pytest.approx(peak, rel=0.05)
        assert peaks[name].fraction == pytest.approx(0.945, abs=0.015)
        assert peaks[name].unit == ("MeV" if name == "e_veto" else "GeV")


def test_without_muons_through_its_body_the_vhcal_takes_the_mip_of_the_description_and_says_so():
    peak = as_calibration().mip["e_vhcal"]
    assert (peak.low, peak.high, peak.fraction) == (None, DETECTOR.vhcal.mip, 1.0)
    assert "only 0 muons cross the body" in peak.source
    assert DETECTOR.vhcal.source_of("mip").removeprefix("inferred: ") in peak.source


def test_with_muons_through_its_body_the_vhcal_peak_is_fitted():
    peak = calibrate(muons(crossing=600), DETECTOR, POINT)[0]["e_vhcal"]
    assert peak.high == pytest.approx(1.1, rel=0.05)
    assert "600 muons that cross the body" in peak.source


@pytest.mark.parametrize(("column", "value"), [("trigger", 2), ("n_tracks_ms1", 2), ("n_tracks_ms2", 0), ("p_in", 130.0), ("p_in", np.nan)])
def test_only_calibration_muons_with_one_good_track_per_side_are_used(column, value):
    summary = muons(300)
    summary[column][:100] = value
    assert good_muons(summary, POINT).tolist() == [False] * 100 + [True] * 200


def test_a_sample_of_physics_triggers_is_refused():
    summary = muons(300)
    summary["trigger"][:] = 2
    with pytest.raises(CalibrationError, match=r"0 of 300 events are calibration-trigger muons .* give files of the calibration trigger"):
        calibrate(summary, DETECTOR, POINT)


def test_a_file_is_read_back_as_it_was_written(tmp_path):
    calibration = as_calibration()
    path = calibration.write(tmp_path / "sub" / "mine.toml")
    assert load_calibration(path) == calibration
    assert load_calibration(path).hash == calibration.hash
    assert calibration.windows["e_vhcal"] == (-np.inf, DETECTOR.vhcal.mip)


def test_every_shipped_calibration_fits_its_detector_and_the_working_point():
    assert known_calibrations()
    for tag in known_calibrations():
        calibration = load_calibration(tag)
        assert calibration.detector == load_detector(tag).tag == tag
        assert POINT.bind(calibration.windows)


def test_an_unknown_tag_lists_the_known_ones_and_says_how_to_make_one(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    as_calibration().write(tmp_path / "na64mu-2022.toml")
    with pytest.raises(CalibrationError, match=r"no calibration 'mine': known are na64mu-2022; make one .* `na64mu calibrate FILES -o"):
        load_calibration("mine")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format_version = 1", "format_version = 2", "format_version is 2, this version of na64mu reads 1"),
        ("n_muons = ", "muons = ", "n_muons: Field required"),
        ("fraction = ", "fraction = 9", r"mip\.e_ecal\.fraction"),
        ("[rule]", "[rule", "cannot be read as TOML"),
    ],
)
def test_a_wrong_file_names_the_key(tmp_path: Path, old, new, message):
    path = as_calibration().write(tmp_path / "mine.toml")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CalibrationError, match=message) as caught:
        load_calibration(path)
    assert "mine.toml" in str(caught.value)
