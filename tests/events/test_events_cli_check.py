from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from raw_tree_examples import RUN_ROW, SAMPLES, columns_of, make_batch, write_columns

from na64mu.cli import main
from na64mu.detector import detector_path


def na64mu(*args):
    return CliRunner().invoke(main, ["check", *map(str, args)])


@pytest.fixture
def good_file(tmp_path):
    return write_columns(tmp_path / "good.root", columns_of(make_batch(10)), [RUN_ROW])


@pytest.fixture
def bad_file(tmp_path):
    columns = columns_of(make_batch(10, first_event=100))
    columns["trigger"] = np.zeros(10, np.uint32)
    return write_columns(tmp_path / "bad.root", columns, [RUN_ROW])


def test_good_file(good_file):
    result = na64mu(good_file)
    assert result.exit_code == 0
    assert result.output == f"{good_file}: 10 events, runs 7, raw tree version 1, detector na64mu-2022: good\n"


def test_bad_file_beside_a_good_one(good_file, bad_file):
    result = na64mu(good_file, bad_file)
    assert result.exit_code == 1
    assert f"{good_file}: 10 events, runs 7, raw tree version 1, detector na64mu-2022: good" in result.output
    assert f"{bad_file}: 10 events, runs 7, raw tree version 1, detector na64mu-2022: 1 error, 0 warnings" in result.output
    assert "  error: value: trigger: entry 0 (first of 10): is 0, an event without any trigger bit is not written" in result.output


def test_warnings_do_not_fail(tmp_path):
    columns = columns_of(make_batch(10))
    columns["trigger"][3] |= 8
    result = na64mu(write_columns(tmp_path / "f.root", columns, [RUN_ROW]))
    assert result.exit_code == 0
    assert "warning: trigger-bits" in result.output


def test_json(good_file, bad_file):
    result = na64mu(good_file, bad_file, "--json")
    assert result.exit_code == 1
    good, bad = json.loads(result.output)
    assert good == {
        "path": str(good_file),
        "n_events": 10,
        "runs": [7],
        "detectors": ["na64mu-2022"],
        "findings": [],
        "version": "1",
        "optional": [],
        "unknown": [],
        "ok": True,
    }
    assert bad["findings"][0]["branch"] == "trigger"
    assert bad["findings"][0]["entries"] == [0, 1, 2, 3, 4]


def test_folder_glob_and_fileset(good_file, bad_file, tmp_path):
    fileset = tmp_path / "set.json"
    fileset.write_text(json.dumps({"a": ["bad.root"], "b": {"files": {"good.root": "events"}}}))
    for name in (tmp_path, tmp_path / "*.root", fileset):
        assert [Path(r["path"]).name for r in json.loads(na64mu(name, "--json").output)] == ["bad.root", "good.root"]


def test_nothing_to_check(good_file, tmp_path):
    (tmp_path / "empty").mkdir()
    for name, message in (("empty", "the folder has no *.root file"), ("x*.root", "no file matches")):
        result = na64mu(good_file, tmp_path / name)
        assert result.exit_code == 1
        assert f"{good_file}: 10 events" in result.output
        assert message in result.output
    result = na64mu(good_file, good_file)
    assert result.exit_code == 0
    assert "warning: input: the file is named twice and read once" in result.output
    result = na64mu(tmp_path / "missing.root")
    assert result.exit_code == 1
    assert "missing.root" in result.output
    assert na64mu().exit_code == 2


def test_own_detector(tmp_path):
    path = write_columns(tmp_path / "f.root", columns_of(make_batch(10)), [RUN_ROW | {"detector": "mine"}])
    result = na64mu(path)
    assert result.exit_code == 1
    assert "there is no detector description 'mine'; known are" in result.output
    own = tmp_path / "mine.toml"
    own.write_text(detector_path("na64mu-2022").read_text().replace('tag = "na64mu-2022"', 'tag = "mine"'))
    assert na64mu(path, "--detector", own).exit_code == 0
    result = na64mu(path, "--detector", tmp_path / "none.toml")
    assert result.exit_code == 1
    assert "no detector description" in result.output


def test_layout(good_file, tmp_path):
    result = na64mu(good_file, "--layout", "na64-public-tree")
    assert result.exit_code == 1
    assert "no tree 'tree'; the file has events (TTree), runs (TTree)" in result.output
    result = na64mu(good_file, "--layout", tmp_path / "none.toml")
    assert result.exit_code == 1
    assert "none.toml: cannot be read as TOML" in result.output


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the independent Geant4 samples are not beside this checkout")
def test_samples():
    result = na64mu(SAMPLES)
    assert result.exit_code == 0
    assert result.output.count("detector g4raw-indep-1: good") == 3
