from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot
from click.testing import CliRunner, Result
from search_examples import DETECTOR, FakeReconstruction, plant, write_file

from na64mu.calibration.windows import load_calibration
from na64mu.cli import main
from na64mu.reconstruction.columns import summary_columns


def na64mu(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_run_writes_the_output_folder_and_prints_the_cutflow(fake: FakeReconstruction, tmp_path):
    done = na64mu("run", write_file(tmp_path / "beam.root", 400), "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "cutflow.json",
        "histograms.json",
        "summary.json",
        "plane.png",
        "report.html",
        "manifest.json",
        "setup.json",
    }
    assert "physics trigger" in done.stdout
    assert "400" in done.stdout
    assert "wrote" in done.stderr


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds and has its own tests."""
    for name in ("write_figures", "write_html"):
        monkeypatch.setattr(f"na64mu.report.{name}", (lambda *_: []) if name == "write_figures" else (lambda *_: Path("report.html")))


@pytest.mark.usefixtures("no_figures")
def test_run_ends_with_3_when_input_was_lost_and_names_it(fake: FakeReconstruction, tmp_path):
    (tmp_path / "bad.root").touch()
    good = write_file(tmp_path / "beam.root", 400)
    done = na64mu("run", tmp_path / "bad.root", good, "-o", tmp_path / "out", "--json")
    assert done.exit_code == 3
    content = json.loads(done.stdout)
    assert content["cutflow"]["datasets"]["beam"]["steps"][0]["n"] == 400
    assert "bad.root: the file is empty" in content["losses"][0]["reason"]
    assert na64mu("run", tmp_path / "bad.root", good, "-o", tmp_path / "out", "--strict").exit_code == 1


def test_run_on_nothing_but_bad_files_ends_with_1_and_one_error(tmp_path):
    (tmp_path / "bad.root").touch()
    done = na64mu("run", tmp_path / "bad.root", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: no input can be read:")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "f", "--executor", "spark"], ["run", "f", "--scheduler", "tcp://x"], ["run", "f", "--chunksize", "0"]]
)
def test_wrong_usage_ends_with_2(arguments):
    assert na64mu(*arguments).exit_code == 2


@pytest.mark.usefixtures("no_figures")
def test_quiet_prints_nothing(fake: FakeReconstruction, tmp_path):
    done = na64mu("run", write_file(tmp_path / "beam.root", 10), "-o", tmp_path / "out", "-q")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


def calibration_table(fake: FakeReconstruction) -> None:
    rng = np.random.default_rng(3)
    table = fake.table
    # every muon crosses: one of the calibration trigger that has no p_out would be a decoy, which `calibrate` does not see in data
    table["trigger"][:], table["p_in"][:], table["p_out"][:] = 1, 160.0, 160.0
    for ms in ("ms1", "ms2"):
        table[f"n_tracks_{ms}"][:] = 1
    for name, peak in {
        "e_ecal": 0.6,
        "e_preshower": 0.05,
        "e_veto": 9.0,
        "e_hcal1": 2.0,
        "e_hcal2": 2.0,
        "e_hcal_cell": 2.0,
        "e_cal": 5.0,
    }.items():
        table[name][:] = peak * (1 + 0.1 * rng.normal(size=400) + 0.03 * rng.exponential(size=400))


@pytest.mark.usefixtures("no_figures")
def test_calibrate_writes_a_file_that_run_takes(fake: FakeReconstruction, tmp_path):
    calibration_table(fake)
    path = write_file(tmp_path / "calib.root", 400)
    done = na64mu("calibrate", path, "-o", tmp_path / "mine.toml")
    assert done.exit_code == 0
    assert "MIP peaks of g4raw-indep-1, 400 muons" in done.stdout
    calibration = load_calibration(tmp_path / "mine.toml")
    assert calibration.detector == DETECTOR
    assert calibration.mip["e_hcal1"].mode == pytest.approx(2.0, rel=0.05)
    assert [(i.path, i.entries) for i in calibration.inputs] == [("calib.root", 400)]
    done = na64mu(
        "run", path, "-o", tmp_path / "out", "--calibration", tmp_path / "mine.toml", "--selection", "prl2024-calibration", "--json"
    )
    assert json.loads(done.stdout)["provenance"]["calibrations"] == {DETECTOR: calibration.hash}


def test_calibrate_lists_lost_files_and_ends_with_3(fake: FakeReconstruction, tmp_path):
    calibration_table(fake)
    (tmp_path / "bad.root").touch()
    done = na64mu("calibrate", write_file(tmp_path / "calib.root", 400), tmp_path / "bad.root", "-o", tmp_path / "mine.toml", "--json")
    assert done.exit_code == 3
    assert "bad.root: the file is empty" in done.stderr
    assert json.loads(done.stdout)["n_muons"] == 400


def test_calibrate_refuses_a_sample_that_is_too_small(fake: FakeReconstruction, tmp_path):
    done = na64mu("calibrate", write_file(tmp_path / "calib.root", 100), "-o", tmp_path / "mine.toml")
    assert done.exit_code == 1
    assert "at least 200 are needed" in done.stderr
    assert not (tmp_path / "mine.toml").exists()


def read_summary(path: Path) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        columns = {name: column.to_numpy() for name, column in zip(file.schema_arrow.names, file.read().columns, strict=True)}
        return columns, json.loads(json.loads(file.metadata.metadata[b"na64mu"])["bookkeeping"])
    with uproot.open(path) as root:
        return root["summary"].arrays(library="np"), json.loads(json.loads(str(root["bookkeeping"]))["bookkeeping"])


@pytest.mark.parametrize("ending", ["root", "parquet"])
def test_reconstruct_writes_every_column_of_every_event_at_any_chunk_size(fake: FakeReconstruction, tmp_path, ending):
    files = [write_file(tmp_path / "mc_1.root", 250, truth=True), write_file(tmp_path / "mc_2.root", 150, first=250, truth=True, run=2)]
    done = na64mu("reconstruct", *files, "-o", tmp_path / f"s.{ending}", "--chunksize", 90)
    assert done.exit_code == 0
    columns, bookkeeping = read_summary(tmp_path / f"s.{ending}")
    expected = summary_columns("g4raw-indep-1")
    assert set(columns) >= set(expected)
    assert {"mc_process", "mc_weight"} <= set(columns)
    for name in expected:
        if name not in ("run", "event", "config", "spill"):
            np.testing.assert_array_equal(columns[name], fake.table[name], err_msg=name)
            assert columns[name].dtype == expected[name][0]
    assert columns["event"].tolist() == list(range(400))
    assert sum(run["n_mot_read"] for run in bookkeeping["exposure"]["runs"]) == 2000


def test_reconstruct_withholds_the_box_in_data(fake: FakeReconstruction, tmp_path):
    plant(fake.table, 77)
    na64mu("reconstruct", write_file(tmp_path / "beam.root", 400), "-o", tmp_path / "data.parquet")
    na64mu("reconstruct", write_file(tmp_path / "mc.root", 400, truth=True), "-o", tmp_path / "mc.parquet")
    assert 77 not in read_summary(tmp_path / "data.parquet")[0]["event"]
    assert 77 in read_summary(tmp_path / "mc.parquet")[0]["event"]


@pytest.mark.parametrize(
    ("target", "message"),
    [("s.csv", "the ending chooses the form of a summary: .root or .parquet is wanted"), ("s.root", "is in some of the files only")],
)
def test_reconstruct_says_what_it_cannot_write_and_leaves_nothing_behind(fake: FakeReconstruction, tmp_path, target, message):
    files = [write_file(tmp_path / "a.root", 5), write_file(tmp_path / "b.root", 5, truth=True)]
    folder = tmp_path / "out"
    done = na64mu("reconstruct", *files, "-o", folder / target)
    assert done.exit_code == 1
    assert message in done.stderr
    assert not folder.exists() or not list(folder.iterdir())


def test_reconstruct_with_a_bad_file_ends_with_3(fake: FakeReconstruction, tmp_path):
    (tmp_path / "bad.root").touch()
    done = na64mu("reconstruct", tmp_path / "bad.root", write_file(tmp_path / "a.root", 5), "-o", tmp_path / "s.root")
    assert done.exit_code == 3
    assert "bad.root: the file is empty" in done.stderr
