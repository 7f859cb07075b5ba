"""`na64mu recast`, `project`, `optimise` and `limits --model` from end to end."""

from __future__ import annotations

import csv
import json

import pytest
from click.testing import CliRunner

from na64mu.analysis.yields import EfficiencyPoint, EfficiencyTable
from na64mu.cli import main
from na64mu.data import sample_files
from na64mu.execution import run_search


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    values = {0.01: 60, 0.1: 600, 1.0: 1000}
    points = tuple(EfficiencyPoint(m, c, False, 10_000, 2000, n) for m, n in values.items() for c in (1, 2))
    return str(EfficiencyTable(points).write(tmp_path_factory.mktemp("efficiency") / "table.json"))


def na64mu(*arguments):
    return CliRunner().invoke(main, ["-q", *map(str, arguments)])


def test_recast_of_a_yield(table, tmp_path):
    (tmp_path / "model.csv").write_text("# of a friend\nmass_GeV,per_mot\n0.1,7.7e-11\n0.5,5e-12\n", encoding="utf-8")
    done = na64mu("recast", tmp_path / "model.csv", "--efficiency", table, "-o", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    first = json.loads(done.stdout)["limits"][0]
    assert first["g_exact_observed"] == pytest.approx(1e-4 * (2.309 / (1.98e10 * 7.7e-11 * 0.06 * 0.87)) ** 0.5, rel=0.01)
    shown = na64mu("recast", tmp_path / "model.csv", "--efficiency", table, "-o", tmp_path / "out")
    assert "mu below 1: the table is excluded" in " ".join(shown.stdout.split())
    assert "caution: 0 events" in shown.stdout


def test_recast_says_what_it_does_not_cover(tmp_path, caplog):
    (tmp_path / "model.csv").write_text("mass_GeV,x,psi_rad,per_mot\n0.1,0.9,0.01,1e-10\n0.1,0.05,1.0,1e-10\n", encoding="utf-8")
    done = CliRunner().invoke(main, ["recast", str(tmp_path / "model.csv"), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "50.0 % of the events lie where the map of efficiencies has no simulated muons" in caplog.text


def test_recast_refuses_a_wrong_table(tmp_path):
    (tmp_path / "model.csv").write_text("mass,yield\n0.1,1\n", encoding="utf-8")
    done = na64mu("recast", tmp_path / "model.csv")
    assert done.exit_code == 1
    assert "columns mass, yield: wanted are mass_GeV, x, psi_rad, per_mot (events)" in " ".join(done.output.split())


def test_projections(table, tmp_path):
    done = na64mu(
        "project", "--efficiency", table, "--masses", 2, "--cross-section", "ww", "--n-mot", 1e12, "--momentum", 0.5, "-o", tmp_path
    )
    assert done.exit_code == 0, done.output
    assert "2e13, second spectrometer" in done.stdout
    names = [s["name"] for s in json.loads((tmp_path / "projection.json").read_text(encoding="utf-8"))["scenarios"]]
    assert names[-1] == "own"
    assert (tmp_path / "projection.png").is_file()


def test_dark_photon(table, tmp_path):
    arguments = ("--published", "--efficiency", table, "--masses", 2, "--cross-section", "ww", "--model", "dark-photon", "-o", tmp_path)
    done = na64mu("limits", *arguments)
    assert done.exit_code == 0, done.output
    assert "epsilon exact" in done.stdout
    with (tmp_path / "limits_dark-photon.csv").open(encoding="utf-8") as stream:
        rows = {float(row["mass_GeV"]): row for row in csv.DictReader(line for line in stream if not line.startswith("#"))}
    ratio = float(rows[0.1]["epsilon_exact_observed"]) * 0.30282 / (1e-4 * (2.309 / (1.98e10 * 7.68e-11 * 1.01 * 0.06 * 0.87)) ** 0.5)
    assert ratio == pytest.approx(1.0, rel=0.01)
    assert (tmp_path / "limit_dark-photon.png").is_file()
    done = na64mu("limits", *arguments, "--hepdata")
    assert done.exit_code == 2
    assert "--hepdata is for the Z'" in done.output


def test_optimise_names_no_box_where_none_is_better(tmp_path):
    """The shipped sample has no event in the tail of p_out: background (I) is the same upper limit in every box."""
    run_search(sample_files("physics_*") + sample_files("zprime_*"), progress=False).write(tmp_path / "out")
    done = na64mu("optimise", tmp_path / "out", "--physics", "physics", "-o", tmp_path / "boxes")
    assert done.exit_code == 1, done.output
    said = " ".join(done.stderr.split())
    assert "no box is better than another: background (I) has 0 events in the tail, too few for a fit" in said
    assert "name the dataset of calibration triggers with --calibration" in said
    assert not (tmp_path / "boxes").exists()


def test_optimise_wants_an_output_folder(tmp_path):
    done = na64mu("optimise", tmp_path)
    assert done.exit_code == 1
    assert "an output folder of `na64mu run`" in " ".join(done.output.split())
