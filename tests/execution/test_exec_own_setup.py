"""What is made after a run takes selection, description and calibration from it: from its folder, or from its freeze file."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from search_examples import raw_batch, runs_row, summary_table

import na64mu
from na64mu.analysis.yields import EfficiencyTable
from na64mu.calibration.windows import load_calibration
from na64mu.cli import main
from na64mu.detector import load_detector
from na64mu.errors import InputError
from na64mu.events.writer import RawTreeWriter
from na64mu.execution.own_setup import own_setup
from na64mu.results.run import RunResult
from na64mu.results.setup import SETUP

TAG = "na64mu-2022"


@pytest.fixture
def folder(fake, tmp_path):
    """Output folder and freeze file of a run with a moved module, a dead channel, and windows of its own."""
    (tmp_path / "hidden.toml").write_text(
        f'format_version = 1\nkind = "hidden"\ndetector = "{TAG}"\n[[modules]]\nname = "mm5"\ndx = 0.3\n[[channels]]\nplane = "mm6_x"\ndead = [3]\n'
    )
    fake.table = summary_table(50)
    with RawTreeWriter(tmp_path / "data.root") as writer:
        writer.extend(raw_batch(0, 50))
        writer.finish([runs_row(n_mot=10**6, detector=TAG)])
    detector = load_detector(tmp_path / "hidden.toml")
    own = load_calibration(TAG).model_copy(update={"n_muons": 17})
    options = {"detector": detector, "calibration": own}
    na64mu.run(tmp_path / "data.root", **options, options=na64mu.RunOptions(progress=False)).write(tmp_path / "out")
    na64mu.freeze(tmp_path / "data.root", **options).write(tmp_path / "freeze.json")
    return tmp_path, detector, own


def test_the_set_up_is_that_of_the_run(folder):
    place, detector, own = folder
    result = RunResult.read(place / "out")
    for source in (place / "out", place / "freeze.json", result):
        found = own_setup(source)
        assert found.detector.digest == detector.digest
        assert found.detector.operation.of("mm6_x").dead == (3,)
        assert found.calibration.hash == own.hash
        assert found.working_point.hash == result.working_point.hash


def test_what_is_not_there_or_was_edited_is_refused(folder):
    place, _, _ = folder
    result = RunResult.read(place / "out")
    with pytest.raises(InputError, match="it is of an earlier version"):
        own_setup(replace(result, setup={}))
    with pytest.raises(InputError, match="efficiencies are of one"):
        own_setup(replace(result, setup={"detectors": {}, "calibrations": {}}))
    content = json.loads((place / "out" / SETUP).read_text())
    content["calibrations"][TAG]["n_muons"] = 18
    with pytest.raises(InputError, match="the calibration of na64mu-2022 was edited"):
        own_setup(replace(result, setup={name: content[name] for name in ("detectors", "calibrations")}))
    for text in ("{", "[]", '{"detectors": 1, "calibrations": {}}'):
        (place / "out" / SETUP).write_text(text)
        with pytest.raises(InputError, match="make the folder again"):
            own_setup(place / "out")


def test_efficiencies_are_made_with_it(folder, monkeypatch):
    """Samples are simulated with the description of the run, and selected with its windows."""
    place, detector, own = folder
    seen = {}

    def table(made, chosen, point, calibration, words, user):
        seen.update(chosen=chosen, calibration=calibration, point=point, words=words)
        return EfficiencyTable.read()

    monkeypatch.setattr("na64mu.execution.efficiency._samples", lambda *arguments: seen.update(simulated=arguments[5]) or [])
    monkeypatch.setattr("na64mu.execution.efficiency._table", table)
    na64mu.efficiency([0.1, 0.2], like=place / "out")
    assert seen["simulated"].digest == seen["chosen"].digest == detector.digest
    assert seen["calibration"].hash == own.hash
    assert f"--like {place / 'out'}" in seen["words"]


def test_like_and_its_parts_do_not_go_together(folder):
    place, _, _ = folder
    done = CliRunner().invoke(main, ["efficiency", "--like", str(place / "out"), "--selection", "other", "-o", str(place / "t.json")])
    assert done.exit_code == 2
    assert "--selection: come from" in " ".join(done.output.split())
