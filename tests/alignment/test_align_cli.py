"""The real command on the digits of the sample."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from na64mu.cli import main
from na64mu.common.toml_model import toml_lines
from na64mu.detector import load_detector, read_detector
from na64mu.detector.alignment import Alignment

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
FILES = [str(SAMPLE / f"calibration_{i}.root") for i in (1, 2)]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["align", *arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("align")


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return run(*FILES, "-o", str(folder / "alignment.toml"), "--millepede", str(folder / "tracks.mille"))


def test_the_sample_is_where_its_description_says(result: Result, folder: Path) -> None:
    assert result.exit_code == 0
    alignment = Alignment.read(folder / "alignment.toml")
    assert alignment.n_tracks["ms1"] > 1250
    assert alignment.n_tracks["ms2"] > 1250
    assert all(0.8 < c < 1.2 for c in alignment.chi2_ndf.values())
    assert [(i.file, i.field) for i in alignment.inputs] == [("calibration_1.root", True), ("calibration_2.root", True)]
    errors = [abs(m.dx) / m.dx_error for m in alignment.modules if m.dx_error] + [
        abs(m.dy) / m.dy_error for m in alignment.modules if m.dy_error
    ]
    assert max(errors) < 5.0
    assert {p.name for p in alignment.planes} >= {"mm1_x", "gem4_y", "st1_x0", "bms6_y"}
    assert all(p.efficiency > 0.9 for p in alignment.planes)
    assert {m.name for m in alignment.modes if m.held} >= {"shift in x", "shear in y", "bend"}
    assert load_detector(str(folder / "alignment.toml")).tag == "na64mu-2022"


def test_tables_go_to_stdout_and_progress_to_stderr(result: Result, folder: Path) -> None:
    for title in ("Corrections to na64mu-2022", "Common movements, and what the tracks know of them", "noise hits per event"):
        assert title in result.stdout
    assert "MS2: pass 4 of 4" in result.stderr
    assert f"wrote {folder / 'alignment.toml'}" in result.stderr
    assert (folder / "tracks.mille").stat().st_size > 10_000
    assert "Parameter" in (folder / "tracks.steer").read_text(encoding="utf-8")


def test_json_and_a_description_of_ones_own(folder: Path, result: Result) -> None:
    fields = load_detector("na64mu-2022").model_dump(mode="json", exclude_none=True)
    fields["micromegas"][4]["centre"] = [-49.5, 0.3]  # MM5 half a millimetre off
    (folder / "mine.toml").write_text("\n".join(toml_lines(fields)), encoding="utf-8")
    out = folder / "mine-aligned.toml"
    done = run(*FILES, "--detector", str(folder / "mine.toml"), "-o", str(out), "--fix", "gem1,gem4,mm7", "--json")
    content = json.loads(done.stdout)
    assert content["detector"] == "mine.toml"
    assert content["fixed"] == ["gem1", "gem4", "mm7"]
    mm5 = next(m for m in content["modules"] if m["name"] == "mm5")
    assert mm5["dx"] == pytest.approx(-0.5, abs=0.03)
    assert mm5["dy"] == pytest.approx(-0.3, abs=0.03)
    assert read_detector(out).trackers["mm5"].centre[0] == pytest.approx(-50.0, abs=0.03)


def test_an_unknown_module_is_said(folder: Path) -> None:
    done = run(*FILES, "-o", str(folder / "x.toml"), "--fix", "mm8")
    assert done.exit_code == 1
    assert "there is no module 'mm8' to fix: detector 'na64mu-2022' has bms1" in done.stderr
    assert not (folder / "x.toml").exists()


def test_too_few_tracks_are_said(folder: Path) -> None:
    done = run(str(SAMPLE / "physics_1.root"), "-o", str(folder / "x.toml"))
    assert done.exit_code == 1
    assert re.search(r"\d+ clean tracks in MS1 of \d+ events, at least 500 are needed: give more files of beam muons", done.stderr)


def test_a_missing_file_is_said(folder: Path) -> None:
    done = run("nowhere.root", "-o", str(folder / "x.toml"))
    assert done.exit_code == 1
    assert "no input can be read" in done.stderr
    assert "nowhere.root" in done.stderr


def test_several_detectors_are_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from na64mu.inputs import raw_fileset as fileset

    inspect = fileset.inspect_files
    other = load_detector("g4raw-indep-1")

    def mixed(*args: object, **kwargs: object) -> fileset.Fileset:
        found = inspect(*args, **kwargs)  # type: ignore[arg-type]
        return fileset.Fileset(found.files, found.detectors | {other.tag: other}, found.losses)

    monkeypatch.setattr("na64mu.execution.alignment.inspect_files", mixed)
    done = run(*FILES, "-o", str(folder / "x.toml"))
    assert done.exit_code == 1
    assert "the files are of several detectors (na64mu-2022, g4raw-indep-1): align one at a time" in done.stderr
