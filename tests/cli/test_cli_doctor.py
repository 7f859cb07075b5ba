"""`na64mu doctor`: every finding, and the exit code."""

from __future__ import annotations

import importlib.util
import json

from click.testing import CliRunner

from na64mu.cli import doctor, main


def test_this_installation_works(repository):
    done = CliRunner().invoke(main, ["doctor", "--json"])
    findings = {f["what"]: f for f in json.loads(done.stdout)}
    assert done.exit_code == 0, done.stdout
    samples = {p.name for p in (repository / "data" / "sample").glob("*.root")}
    assert samples
    assert samples <= set(findings)
    assert findings["numba"]["good"] is True


def test_a_missing_part_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    findings = {f.what: f for f in doctor._optional_parts()}
    assert findings["distributed"] == ("distributed", None, "missing, runs on a Dask cluster: pip install 'na64mu[dask]'")


def test_a_cache_that_cannot_be_written_is_bad(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "absent"))
    assert doctor._numba_cache().good is False


def test_a_bad_finding_makes_the_exit_code_1(monkeypatch):
    monkeypatch.setattr(doctor, "_sample", lambda: [doctor.Finding("calib.root", False, "calib.root: truncated")])
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    assert "BAD   calib.root" in done.stdout


def test_a_calibration_of_another_description_is_bad(monkeypatch):
    from na64mu.analysis import calibration as module
    from na64mu.detector import known_detectors

    own = module.load_calibration("na64mu-2022")
    monkeypatch.setattr(module, "load_calibration", lambda tag: own.model_copy(update={"energy_hash": "0"}))
    findings = doctor._shipped_data()
    assert [f.what for f in findings] == known_detectors()
    assert not any(f.good for f in findings)
    assert findings[0].found == "the calibration was made for another description of its calorimeters: `na64mu run` refuses it"


def test_descriptions_and_calibrations_that_ship_belong_together():
    assert all(f.good for f in doctor._shipped_data())
