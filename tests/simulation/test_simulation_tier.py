"""Both tiers from the command line to the event summary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from na64mu.cli import main
from na64mu.detector import load_detector
from na64mu.events.nanoevents import open_events
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.schema_v1 import WAVEFORMS
from na64mu.reconstruction.summary import reconstruct

DETECTOR = load_detector("na64mu-2022")
CONDITIONS = """
format_version = 1
kind = "conditions"
title = "one dead cell"
detector = "na64mu-2022"
source = "inferred: a test"
[[channels]]
source = "inferred: a test"
plane = "hcal1"
dead = [7]
"""


def call(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tier")
    (folder / "dead.toml").write_text(CONDITIONS, encoding="utf-8")
    common = ("simulate", "-n", 600, "--seed", 5, "--pile-up", "-o")
    call(*common, folder / "energy.root")
    call(*common, folder / "wave.root", "--tier", "waveform")
    call(*common, folder / "dead.root", "--tier", "waveform", "--conditions", folder / "dead.toml")
    return folder


def test_both_tiers_hold_the_same_muons(folder):
    energy, wave = read_batch(folder / "energy.root"), read_batch(folder / "wave.root")
    assert set(WAVEFORMS) <= set(wave.collections)
    assert read_runs(folder / "wave.root")[0]["conditions"] == "simulation;beam;pile-up;waveforms"
    for name, column in energy.scalars.items():
        np.testing.assert_array_equal(column, wave.scalars[name], err_msg=name)
    for name in ("bms", "mm", "gem", "straw"):
        for field, column in energy.collections[name].fields.items():
            np.testing.assert_array_equal(column, wave.collections[name][field], err_msg=f"{name}_{field}")
    a, b = reconstruct(energy, DETECTOR), reconstruct(open_events(folder / "wave.root"), DETECTOR)
    assert a.keys() == b.keys()
    np.testing.assert_array_equal(a["p_out"], b["p_out"])
    for name in ("e_hcal1", "e_hcal2"):  # a MIP has 60 counts in one cell
        mip = (a[name] > 1.5) & (a[name] < 3.5)
        assert mip.sum() > 100
        assert np.median(b[name][mip] - a[name][mip]) == pytest.approx(0.0, abs=0.05)


def test_check_knows_the_form_and_names_the_conditions(folder):
    assert "good" in call("check", folder / "wave.root")
    found = call("check", folder / "dead.root")
    assert "0 errors, 1 warning" in found
    assert "one dead cell" in found


def test_reconstruct_needs_no_flag(folder):
    call("reconstruct", folder / "wave.root", "-o", folder / "wave.parquet")
    from pyarrow.parquet import read_table

    table = read_table(folder / "wave.parquet")
    summary = reconstruct(read_batch(folder / "wave.root"), DETECTOR)
    np.testing.assert_array_equal(table["e_hcal1"].to_numpy(), summary["e_hcal1"][: len(table)])


def test_conditions_change_what_they_name_only(folder):
    wave, dead = read_batch(folder / "wave.root"), read_batch(folder / "dead.root")
    hcal = dead.collections["hcalwave"]
    assert not np.any((hcal["module"] == 1) & (hcal["ix"] == 2) & (hcal["iy"] == 1))
    np.testing.assert_array_equal(wave.collections["mm"]["q1"], dead.collections["mm"]["q1"])
    call("reconstruct", folder / "dead.root", "--detector", folder / "dead.toml", "-o", folder / "dead.parquet")


def test_conditions_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(CONDITIONS.replace("hcal1", "hcal7"), encoding="utf-8")
    result = CliRunner().invoke(main, ["simulate", "-n", "10", "--conditions", str(path), "-o", str(tmp_path / "x.root")])
    assert result.exit_code == 1
    assert "name the plane 'hcal7'" in result.output
    assert not (tmp_path / "x.root").exists()
