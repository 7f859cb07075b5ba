"""A calibration belongs to the calorimeters of a description: another one is refused unless the user says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from search_examples import DETECTOR, FakeReconstruction, write_file

from na64mu.calibration.windows import load_calibration
from na64mu.cli import main
from na64mu.detector import load_detector
from na64mu.detector.alignment import Alignment, ModuleCorrection
from na64mu.detector.conditions import Channels, default_conditions
from na64mu.detector.description import DETECTOR_FOLDER, read_detector
from na64mu.errors import CalibrationError
from na64mu.execution import run_search

SHIPPED = (DETECTOR_FOLDER / f"{DETECTOR}.toml").read_text(encoding="utf-8")


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The description with another ECAL: its lead is thinner."""
    head, ecal, rest = SHIPPED.partition("[ecal]\n")
    before, key, line = rest.partition("sigma_t = ")
    value, _, behind = line.partition("\n")
    path = tmp_path / "mine.toml"
    path.write_text(f"{head}{ecal}{before}{key}{2 * float(value)}\n{behind}", encoding="utf-8")
    return path


@pytest.fixture
def files(fake: FakeReconstruction, tmp_path: Path) -> Path:
    return write_file(tmp_path / "beam.root", 400)


def test_a_calibration_of_other_calorimeters_is_refused_with_what_to_do(files, changed):
    with pytest.raises(CalibrationError) as error:
        run_search(files, detector=str(changed), progress=False)
    said = str(error.value)
    assert said.startswith(f"the calibration that ships with the package was made for another description of {DETECTOR!r}")
    assert "`na64mu calibrate FILES --detector DESCRIPTION -o calibration.toml`" in said
    assert said.endswith("--accept-calibration")


def test_a_given_calibration_is_looked_at_too(files, changed):
    given = DETECTOR_FOLDER.parent / "calibration" / f"{DETECTOR}.toml"
    with pytest.raises(CalibrationError, match="the given calibration was made for another description"):
        run_search(files, detector=str(changed), calibration=given, progress=False)


def test_it_is_taken_where_the_user_says_so_and_the_result_remembers(files, changed, tmp_path, monkeypatch):
    for name in ("write_figures", "write_html"):
        monkeypatch.setattr(f"na64mu.report.{name}", lambda result, folder: [])
    out = tmp_path / "out"
    command = ["run", str(files), "-q", "-o", str(out), "--detector", str(changed)]
    refused = CliRunner().invoke(main, command)
    assert (refused.exit_code, out.exists()) == (1, False)
    taken = CliRunner().invoke(main, [*command, "--accept-calibration"])
    assert taken.exit_code == 0, taken.output
    (note,) = json.loads((out / "summary.json").read_text(encoding="utf-8"))["losses"]
    assert note["kind"] == "note"
    assert "another description of its calorimeters, and was accepted" in note["reason"]


def test_an_alignment_and_dead_strips_leave_a_calibration_valid():
    detector, calibration = load_detector(DETECTOR), load_calibration(DETECTOR)
    moved = detector.aligned(
        Alignment(
            format_version=1, detector=DETECTOR, digest=detector.digest, version="1", n_tracks={"ms1": 9}, survey_shift=1, survey_rotation=1,
            modules=(ModuleCorrection(name="mm5", dx=0.3),),
        )
    )  # fmt: skip
    strips = Channels(source="inferred: a test", plane="mm5_x", dead=(3, 4))
    operated = detector.operated(default_conditions().model_copy(update={"channels": (strips,)}))
    for other in (moved, operated):
        assert other.digest != detector.digest
        assert calibration.belongs_to(other)


@pytest.mark.parametrize("change", ["cell", "digitiser"])
def test_dead_cells_and_other_digitisers_do_not(change):
    detector = load_detector(DETECTOR)
    conditions = default_conditions()
    if change == "cell":
        update = {"channels": (Channels(source="inferred: a test", plane="ecal1", dead=(3,)),)}
    else:
        update = {"msadc": conditions.msadc.model_copy(update={"pedestal": conditions.msadc.pedestal + 1})}
    assert not load_calibration(DETECTOR).belongs_to(detector.operated(conditions.model_copy(update=update)))


def test_a_better_source_of_a_number_changes_no_window(tmp_path):
    path = tmp_path / "mine.toml"
    head, ecal, rest = SHIPPED.partition("[ecal]\n")
    path.write_text(head + ecal + rest.replace('source = "', 'source = "inferred: looked up again; ', 1), encoding="utf-8")
    other = read_detector(path)
    assert other.digest != load_detector(DETECTOR).digest
    assert load_calibration(DETECTOR).belongs_to(other)


def test_a_calibration_of_version_0_1_0_is_compared_by_the_whole_description(changed):
    old = load_calibration(DETECTOR).model_copy(update={"energy_hash": ""})
    assert old.belongs_to(load_detector(DETECTOR))
    assert not old.belongs_to(read_detector(changed))
    assert not old.belongs_to(load_detector("na64mu-2022"))
