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


def test_the_folder_of_compiled_kernels_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("NA64MU_CACHE", str(tmp_path / "kernels"))
    assert doctor._compiled_kernels()[0] == ("compiled kernels", True, f"kept in {(tmp_path / 'kernels').resolve()}")


def test_a_named_folder_that_cannot_be_used_is_bad(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NA64MU_CACHE", str(tmp_path / "file"))
    reasons = [f for f in doctor._compiled_kernels() if f.good is False]
    assert [f.found for f in reasons] == [
        f"NA64MU_CACHE={tmp_path / 'file'} is not used for compiled kernels: it cannot be written (File exists)"
    ]


def test_kernels_that_are_not_kept_are_bad(monkeypatch, tmp_path):
    from na64mu.compiled import folder

    monkeypatch.setattr(folder, "choose", lambda: folder.KernelFolder(tmp_path, persists=False))
    (finding,) = doctor._compiled_kernels()
    assert finding.good is False
    assert "every start compiles" in finding.found
    monkeypatch.setattr(folder, "choose", lambda: folder.KernelFolder(None, persists=False))
    assert "in memory only" in doctor._compiled_kernels()[0].found


def test_a_numba_that_was_not_tried_is_said_and_is_not_bad(monkeypatch):
    from na64mu.compiled import internals

    monkeypatch.setattr(internals, "untried", lambda: "numba 9.9.0 was not tried")
    findings = doctor._kernel()
    assert [f.good for f in findings] == [True, None]
    assert findings[1].found == "numba 9.9.0 was not tried"


def test_a_numba_that_lacks_something_is_one_sentence(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "numba.core.caching", None)
    monkeypatch.delitem(sys.modules, "na64mu.compiled.internals")
    (finding,) = doctor._kernel()
    assert finding.good is False
    assert "which kernels need: install a version that was tried" in finding.found


def test_a_bad_finding_makes_the_exit_code_1(monkeypatch):
    monkeypatch.setattr(doctor, "_sample", lambda: [doctor.Finding("calib.root", False, "calib.root: truncated")])
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    assert "BAD   calib.root" in done.stdout


def test_a_calibration_of_another_description_is_bad(monkeypatch):
    from na64mu.calibration import windows as module
    from na64mu.detector import known_detectors

    own = module.load_calibration("na64mu-2022")
    monkeypatch.setattr(module, "load_calibration", lambda tag: own.model_copy(update={"energy_hash": "0"}))
    findings = doctor._shipped_data()
    assert [f.what for f in findings] == known_detectors()
    assert not any(f.good for f in findings)
    assert findings[0].found == "the calibration was made for another description of its calorimeters: `na64mu run` refuses it"


def test_descriptions_and_calibrations_that_ship_belong_together():
    assert all(f.good for f in doctor._shipped_data())


def test_a_release_of_coffea_that_was_not_tried_is_named(monkeypatch):
    from na64mu.events import coffea_names

    assert len(doctor._coffea()) <= 1  # the installed release may be newer than those that were tried
    monkeypatch.setattr(coffea_names, "unknown_release", lambda: "coffea 2031.1 was not tried")
    assert doctor._coffea() == [("coffea", None, "coffea 2031.1 was not tried")]
