"""The main job on the shipped sample, end to end through the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from na64mu.cli import main

SAMPLE = sorted((Path(__file__).parents[2] / "data" / "sample").glob("*.root"))
FILES = {"manifest.json", "cutflow.json", "histograms.json", "summary.json", "setup.json", "plane.png", "report.html"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "out"
    command = [sys.executable, "-m", "na64mu", "run", *map(str, SAMPLE), "-o", str(folder)]
    return folder, subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_finishes_without_a_loss(finished):
    folder, done = finished
    assert done.returncode == 0, done.stderr
    assert {p.name for p in folder.iterdir()} == FILES
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["losses"] == []
    assert summary["exposure"]["warnings"] == []


def test_the_cutflow_is_on_the_terminal_and_not_empty(finished):
    folder, done = finished
    for flow in json.loads((folder / "cutflow.json").read_text())["datasets"].values():
        counts = [step["n"] for step in flow["steps"]]
        assert counts == sorted(counts, reverse=True)
        assert counts[0] > 20
        for n in counts:
            assert f" {n:,} ".replace(",", " ") in done.stdout
    assert "all datasets" not in done.stdout


def test_the_sample_populates_every_region_and_the_box(finished):
    folder, _ = finished
    regions = json.loads((folder / "summary.json").read_text())["regions"]
    physics, nuclear, signal = (regions[name] for name in ("physics", "nuclear", "zprime_100MeV"))
    assert all(physics[name]["n"] > 0 for name in ("A", "B", "C")), physics
    assert nuclear["D"]["n"] > 0, nuclear
    assert physics["box"]["n"] == 0, "2e6 muons on target without a signal leave the box empty"
    assert signal["box_after"]["n"] > 100


def test_pictures_are_whole(finished):
    folder, _ = finished
    assert (folder / "plane.png").read_bytes()[-8:-4] == b"IEND"
    assert (folder / "report.html").read_text(encoding="utf-8").endswith("</html>\n")


def test_report_makes_the_same_pictures_again(finished, tmp_path):
    folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    for name in ("plane.png", "report.html"):
        (copy / name).unlink()
    done = CliRunner().invoke(main, ["report", str(copy), "--tables"])
    assert done.exit_code == 0, done.output
    assert "Cut-flow: " in done.stdout
    assert (copy / "plane.png").read_bytes() == (folder / "plane.png").read_bytes()
    assert (copy / "report.html").read_text() == (folder / "report.html").read_text()


@pytest.mark.parametrize("missing", ["cutflow.json", "summary.json"])
def test_report_names_what_an_output_folder_lacks(finished, tmp_path, missing):
    folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / missing).unlink()
    done = CliRunner().invoke(main, ["report", str(copy)])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert missing in done.stderr
