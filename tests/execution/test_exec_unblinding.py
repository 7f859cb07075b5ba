"""The box is opened by a freeze that was made before, after a line in the record; and by nothing else that somebody tries.

Every row of ATTACKS is an action, and the sentence that must come out of it while the box stays closed.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from search_examples import FakeReconstruction, plant, raw_batch, runs_row, summary_table, write_file

import na64mu
from na64mu.cli import main
from na64mu.errors import BlindedError, InputError, OutputError
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import freezing, opening, run_search, unblinding
from na64mu.execution.opening import Opening, open_box
from na64mu.results.freeze import Freeze
from na64mu.results.manifest import check_manifest, write_manifest
from na64mu.results.openings import append_line, read_lines
from na64mu.results.run import RunResult

EVENTS = (5, 123)
CLOSED = "the box stays closed: "


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


class Day(SimpleNamespace):
    """The day of unblinding: paths, and what is usually typed."""

    place: Path
    data: Path
    out: Path
    frozen: Path
    record: Path
    opened: Path

    def unblind(self, *more: object) -> Result:
        return call("unblind", self.out, "--freeze", self.frozen, "--reason", "approved", "-o", self.opened, *more)

    def edit(self, path: Path, change: Callable[[dict[str, Any]], object]) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))


def planted() -> FakeReconstruction:
    fake = FakeReconstruction(summary_table(400))
    for event in EVENTS:
        plant(fake.table, event, p_out=40.0 + event / 100)
    return fake


@pytest.fixture(scope="module")
def evening_before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with data, blind run and freeze file, and a copy of it, to begin each test with."""
    place = tmp_path_factory.mktemp("day") / "here"
    place.mkdir()
    data = write_file(place / "beam.root", 400)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("na64mu.reconstruction.summary.reconstruct", planted())
        run_search([data], progress=False, output=place / "out").write(place / "out")
    na64mu.freeze(data).write(place / "freeze.json")
    return place, shutil.copytree(place, place.with_name("copy"))


@pytest.fixture
def day(evening_before: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Day:
    place, copy = evening_before
    shutil.rmtree(place)
    shutil.copytree(copy, place)
    monkeypatch.chdir(place)
    for name, made in (
        ("write_figures", lambda folder: []),
        ("write_html", lambda folder: folder / "report.html"),
    ):  # drawing takes seconds
        monkeypatch.setattr(f"na64mu.report.{name}", lambda result, folder, made=made: made(folder))
    fake = planted()
    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", fake)
    names = {"data": "beam.root", "out": "out", "frozen": "freeze.json", "record": "unblinding.jsonl", "opened": "open"}
    return Day(place=place, fake=fake, **{key: place / name for key, name in names.items()})


# --- how it is done -----------------------------------------------------------------------------------------------------------


def test_a_freeze_opens_the_box_with_a_record_and_a_list_of_its_events(day: Day):
    done = day.unblind()
    assert done.exit_code == 0, done.output
    assert "beam: 2 events in the box before the plane cut, 2 after it" in done.stdout
    assert "beam: run 1 event 5 config 1: p_in 160.0 GeV/c, p_out 40.0 GeV/c, E_CAL 4.60 GeV, passes all cuts" in done.stdout
    shut, found = RunResult.read(day.out), RunResult.read(day.opened)
    assert (shut.blinded, found.blinded) == ({"beam": True}, {"beam": False})
    assert found.regions["beam"]["box"].n == 2
    assert found.total.counts[-1] == shut.total.counts[-1] + 2
    with (day.opened / "events_in_box.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["run"], row["event"], row["config"], row["p_out_gev"], row["passes_all_cuts"]) for row in rows] == [
        ("1", "5", "1", "40.05", "1"),
        ("1", "123", "1", "41.23", "1"),
    ]
    assert [e.event for e in found.in_box["beam"]] == [5, 123]
    assert check_manifest(day.opened) == []
    first, _, second = read_lines(day.record)
    assert (first.event, first.reason, first.times, first.freeze) == ("opening", "approved", 1, Freeze.read(day.frozen).hash)
    assert (second.event, second.opening, second.opened) == ("done", first.hash, str(day.opened))
    assert second.result == unblinding.file_hash(day.opened / "summary.json")
    assert found.provenance.opening == {"freeze": first.freeze, "line": first.hash}
    for folder in (day.out, day.opened):
        assert (folder / "unblinding.jsonl").read_text() == day.record.read_text()


def test_the_line_is_in_the_record_before_anything_is_run(day: Day, monkeypatch):
    seen = []

    def watch(*files: Any, **options: Any) -> RunResult:
        seen.append([line.event for line in read_lines(day.record)])
        seen.append([line.event for line in read_lines(day.out / "unblinding.jsonl")])
        return run_search(*files, **options)

    monkeypatch.setattr(unblinding, "run_search", watch)
    assert day.unblind().exit_code == 0
    assert seen == [["opening", "begun"], ["opening"]]
    assert [line.event for line in read_lines(day.record)] == ["opening", "begun", "done"]


def test_a_run_in_python_needs_an_opening_and_ends_it(day: Day):
    may = na64mu.open_box(day.frozen, reason="in a notebook")
    result = na64mu.run(day.data, unblind=may, options=na64mu.RunOptions(progress=False))
    assert result.regions["beam"]["box"].n == 2
    assert [line.event for line in read_lines(day.record)] == ["opening", "begun", "done"]


def test_unblind_is_one_call_in_python(day: Day):
    result = na64mu.unblind(day.out, day.opened, freeze=Freeze.read(day.frozen), reason="r", record=day.place / "mine.jsonl")
    assert [e.event for e in result.in_box["beam"]] == [5, 123]
    assert [line.event for line in read_lines(day.place / "mine.jsonl")] == ["opening", "begun", "done"]
    with pytest.raises(InputError, match="record: give the path of the record of openings, or the freeze as the file"):
        na64mu.open_box(Freeze.read(day.frozen), reason="r")


def test_the_second_time_works_and_is_said_loudly(day: Day, caplog):
    assert day.unblind().exit_code == 0
    day.opened = day.place / "again"
    assert day.unblind().exit_code == 0
    (said,) = [r for r in caplog.records if r.levelname == "CRITICAL"]
    assert re.search(
        r"THE BOX OF THESE DATA WAS OPENED once BEFORE \(20.*: approved\): what comes out now is no blind result", said.getMessage()
    )
    assert [line.times for line in read_lines(day.record)] == [1, 0, 0, 2, 0, 0]
    day.opened = day.place / "thrice"
    assert day.unblind().exit_code == 0
    assert "WAS OPENED 2 times BEFORE" in caplog.records[-1].getMessage()


def test_a_new_freeze_of_the_same_data_is_no_first_time(day: Day, caplog):
    assert day.unblind().exit_code == 0
    (day.place / "renamed").mkdir()
    day.data.rename(day.place / "renamed" / "beam.root")
    day.frozen, day.out, day.opened = day.place / "new.json", day.place / "out2", day.place / "open2"
    data = day.place / "renamed" / "beam.root"
    run_search([data], selection="prl2024-calibration", progress=False, output=day.out).write(day.out)
    na64mu.freeze(data, selection="prl2024-calibration").write(day.frozen)
    assert day.unblind().exit_code == 0
    assert "WAS OPENED once BEFORE" in caplog.text


def test_another_record_is_no_first_time(day: Day, caplog):
    assert day.unblind().exit_code == 0
    run_search([day.data], progress=False, output=day.place / "out2").write(day.place / "out2")
    na64mu.unblind(day.place / "out2", day.place / "open2", freeze=day.frozen, reason="r", record=day.place / "new.jsonl")
    assert "WAS OPENED once BEFORE" in caplog.text


def test_two_blind_folders_of_one_freeze_share_a_record(day: Day):
    run_search([day.data], progress=False, output=day.place / "out2").write(day.place / "out2")
    assert day.unblind().exit_code == 0
    day.out, day.opened = day.place / "out2", day.place / "open2"
    assert day.unblind().exit_code == 0
    assert [(line.event, line.times) for line in read_lines(day.record)] == [
        (event, times) for n in (1, 2) for event, times in (("opening", n), ("begun", 0), ("done", 0))
    ]
    assert len(read_lines(day.place / "out2" / "unblinding.jsonl")) == 6


def test_a_run_that_fails_is_in_the_record(day: Day, monkeypatch):
    monkeypatch.setattr("na64mu.processors.search.SearchProcessor._regions", lambda *given: 1 / 0)
    assert day.unblind().exit_code == 1
    assert [line.event for line in read_lines(day.record)] == ["opening", "begun", "failed"]
    assert "ZeroDivisionError" in read_lines(day.record)[2].reason
    assert not day.opened.exists()
    assert read_lines(day.out / "unblinding.jsonl") == read_lines(day.record)


def test_the_record_is_checked_and_printed(day: Day):
    assert call("freeze", "--check", day.frozen).stdout.endswith("it was not opened, as far as the record beside it says\n")
    open_box(day.frozen, reason="to look")
    shown = call("unblind", "--record", day.record)
    assert re.search(r"^1  20\S+  \S+@\S+  opening, number 1 of these data, freeze [0-9a-f]{12}: to look \(it has no outcome", shown.stdout)
    assert "the lines follow each other, and none was edited" in shown.stderr
    assert "to look" in call("freeze", "--check", day.frozen).stdout
    missing = call("unblind", "--record", day.place / "none.jsonl")
    assert (missing.exit_code, "there is no record of openings" in missing.stderr) == (1, True)


def test_a_user_without_a_name_can_open(day: Day, monkeypatch):
    def nobody() -> str:
        msg = "getpwuid(): uid not found: 4711"
        raise KeyError(msg)

    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.delenv("HOME", raising=False)
    assert day.unblind().exit_code == 0
    assert read_lines(day.record)[0].user.startswith("uid ")


def test_an_opening_of_version_0_1_0_is_said(day: Day, caplog):
    (day.out / "unblinding.json").write_text("[]")
    assert day.unblind().exit_code == 0
    assert "THIS FOLDER WAS OPENED BEFORE, with version 0.1.0" in caplog.text


def test_a_search_with_files_of_ones_own_opens_from_the_freeze_alone(day: Day):
    """Selection, calibration, description and cuts: what the freeze has is what is run, though the files are gone."""
    from na64mu.calibration.windows import load_calibration

    (day.place / "cuts.py").write_text(
        "from na64mu.selections import Thresholds, register_cut\n\n\n"
        "class Low(Thresholds):\n"
        '    """Lowest."""\n\n'
        "    lowest: float\n\n"
        "    @property\n"
        "    def columns(self):\n"
        '        return ("p_in",)\n\n\n'
        '@register_cut(Low, name="freeze_test_low")\n'
        "def low(summary, thresholds):\n"
        '    return summary["p_in"] > thresholds.lowest\n'
    )
    (day.place / "mine.toml").write_text(
        'base = "prl2024"\nname = "mine"\ntitle = "mine"\n\n[[cuts]]\nname = "freeze_test_low"\nafter = "single_tracks"\nlabel = "low"\n'
        'source = "inferred: a test"\n[cuts.thresholds]\nlowest = 100.0\n'
    )
    tag = "g4raw-indep-1"
    load_calibration(tag).write(day.place / "calibration.toml")
    own = {"selection": "mine.toml", "user": "cuts.py", "calibration": "calibration.toml"}
    day.out, day.frozen = day.place / "out2", day.place / "own.json"
    run_search([day.data], progress=False, output=day.out, **own).write(day.out)  # type: ignore[arg-type]
    words = [word for key, value in own.items() for word in (f"--{key}", value)]
    done = call("freeze", day.data, *words, "--detector", tag, "-o", day.frozen)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(Freeze.read(day.frozen).hash)
    for name in ("mine.toml", "calibration.toml"):
        (day.place / name).unlink()
    (day.place / "cuts.py").rename(day.place / "moved.py")
    refused = day.unblind()
    assert "cuts.py: your own file is not what was frozen, or not there" in refused.stderr
    (day.place / "moved.py").write_text((day.place / "moved.py").read_text() + "\n")
    assert day.unblind("--user", day.place / "moved.py").exit_code == 1
    (day.place / "moved.py").write_text(Freeze.read(day.frozen).user_files[0].text)
    done = day.unblind("--user", day.place / "moved.py")
    assert done.exit_code == 0, done.output
    assert RunResult.read(day.opened).working_point.cut_names.count("freeze_test_low") == 1


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_a_freeze_file_is_signed_and_only_the_right_signature_opens(day: Day):
    for name in ("anna", "otto"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", day.place / name]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        (day.place / f"{name}_signers").write_text(f"{name} {(day.place / f'{name}.pub').read_text()}")
    day.frozen = day.place / "signed.json"
    done = call("freeze", day.data, "--sign", day.place / "anna", "-o", day.frozen)
    assert done.exit_code == 0, done.output
    assert "signed.json.sig" in done.stderr
    refused = day.unblind("--verify", day.place / "otto_signers")
    assert (refused.exit_code, "signed.json: its signature is not one of" in refused.stderr) == (1, True)
    assert not day.record.exists()
    assert "signed.json is signed by anna" in day.unblind("--verify", day.place / "anna_signers").stderr
    assert RunResult.read(day.opened).blinded == {"beam": False}


def test_an_event_of_the_box_is_drawn_by_run_and_number_once_it_is_open(day: Day, monkeypatch):
    monkeypatch.setattr("na64mu.report.display.draw_event", lambda *given: (None, None))
    monkeypatch.setattr("na64mu.report.figures.save", lambda figure, path: path.write_text("drawn"))
    picture = day.place / "event.png"
    shut = call("display", day.data, "--run", 1, "--event", 123, "-o", picture)
    assert (shut.exit_code, "entry 123" in shut.stderr, picture.exists()) == (1, True, False)
    assert day.unblind().exit_code == 0
    assert call("display", day.data, "--run", 1, "--event", 123, "--opened", day.opened, "-o", picture).exit_code == 0
    assert picture.exists()
    no_opening = call("display", day.data, "--event", 123, "--opened", day.out, "-o", picture)
    assert f"{CLOSED}{day.out} is not the result of an opening" in no_opening.stderr
    other = call("display", write_file(day.place / "other.root", 130), "--event", 123, "--opened", day.opened, "-o", picture)
    assert "other.root is none of the files that" in other.stderr
    day.edit(day.opened / "summary.json", lambda content: content["in_box"]["beam"].append([1, 7, 1, 1.0, 1.0, 1.0, True]))
    edited = call("display", day.data, "--event", 123, "--opened", day.opened, "-o", picture)
    assert "is not what `na64mu unblind` wrote: summary.json" in edited.stderr


def test_an_event_is_found_by_run_and_number(day: Day, monkeypatch):
    from na64mu.inputs import entry_of_event as module

    path = day.place / "two.root"
    with RawTreeWriter(path) as writer:
        writer.extend(raw_batch(50, 30, run=7))
        writer.extend(raw_batch(10, 30, run=8))
        writer.finish([runs_row(7), runs_row(8)])
    for step in (1_000_000, 7):
        monkeypatch.setattr(module, "STEP", step)
        assert module.entry_of_event(path, 7, 79) == 29
        assert module.entry_of_event(path, 8, 10) == 30
        with pytest.raises(
            InputError,
            match=r"two.root: there is no event 10 of run 7; the file has run 7 with events 50 to 79, run 8 with events 10 to 39$",
        ):
            module.entry_of_event(path, 7, 10)


# --- what somebody tries ------------------------------------------------------------------------------------------------------


def old_hash(day: Day) -> Result:
    return call("unblind", day.out, "--hash", RunResult.read(day.out).provenance.configuration_hash, "--reason", "r", "-o", day.opened)


def hash_in_python(day: Day) -> object:
    return run_search(day.data, progress=False, unblind=RunResult.read(day.out).provenance.configuration_hash)  # type: ignore[arg-type]


def something_in_python(day: Day) -> object:
    return run_search(day.data, progress=False, unblind=True)  # type: ignore[arg-type]


def opening_by_hand(day: Day) -> object:
    return run_search(day.data, progress=False, unblind=Opening(Freeze.read(day.frozen), day.record, "0" * 64))


def opening_of_a_line_of_ones_own(day: Day) -> object:
    day.record.write_text('{"n": 1, "event": "opening", "time": "", "user": "", "host": "", "freeze": "", "inputs": "", "hash": "00"}\n')
    return run_search(day.data, progress=False, unblind=Opening(Freeze.read(day.frozen), day.record, "00"))


def opening_twice(day: Day) -> object:
    may = open_box(day.frozen, reason="r")
    run_search(day.data, progress=False, unblind=may)
    return run_search(day.data, progress=False, unblind=may)


def opening_of_a_run_that_was_killed(day: Day) -> object:
    may = open_box(day.frozen, reason="r")
    with pytest.MonkeyPatch.context() as patch:  # a kill leaves no line
        patch.setattr(opening, "append_line", lambda record, event, **about: event == "begun" and append_line(record, event, **about))
        run_search(day.data, progress=False, unblind=may)
    return run_search(day.data, progress=False, unblind=Opening(may.freeze, may.record, may.line))


def opening_for_other_cuts(day: Day) -> object:
    return run_search(day.data, selection="prl2024-calibration", progress=False, unblind=open_box(day.frozen, reason="r"))


def opening_for_other_files(day: Day) -> object:
    other = write_file(day.place / "other.root", 399)
    return run_search([day.data, other], progress=False, unblind=open_box(day.frozen, reason="r"))


def opening_for_ones_own_processor(day: Day) -> object:
    return na64mu.run(day.data, lambda summary: {"n": len(summary["p_out"])}, unblind=open_box(day.frozen, reason="r"))  # type: ignore[call-overload]


def opening_of_a_freeze_edited_in_memory(day: Day) -> object:
    return open_box(Freeze.read(day.frozen).model_copy(update={"selection_name": "mine"}), reason="r", record=day.record)


def freeze_edited(day: Day) -> Result:
    def change(content: dict[str, Any]) -> None:
        content["selection"]["content"]["box"]["p_out_max"] = 20.0
        content["calibrations"]["g4raw-indep-1"]["content"]["n_muons"] = 1

    day.edit(day.frozen, change)
    return day.unblind()


def freeze_edited_and_hashed_again(day: Day) -> Result:
    def change(content: dict[str, Any]) -> None:
        content["selection"]["hash"] = "0" * 64

    day.edit(day.frozen, change)
    frozen = Freeze.model_validate_json(day.frozen.read_text())
    day.edit(day.frozen, lambda content: content.update(hash=frozen.computed_hash))
    return day.unblind()


def freeze_of_another_selection(day: Day) -> Result:
    day.frozen.unlink()
    na64mu.freeze(day.data, selection="prl2024-calibration").write(day.frozen)
    return day.unblind()


def freeze_of_another_calibration(day: Day) -> Result:
    from na64mu.calibration.windows import load_calibration

    day.frozen.unlink()
    calibration = load_calibration("g4raw-indep-1").model_copy(update={"n_muons": 7})
    na64mu.freeze(day.data, calibration=calibration).write(day.frozen)
    return day.unblind()


def freeze_of_more_files(day: Day) -> Result:
    day.frozen.unlink()
    na64mu.freeze([day.data, write_file(day.place / "other.root", 100, run=2)]).write(day.frozen)
    return day.unblind()


def blind_run_on_more_files(day: Day) -> Result:
    other = write_file(day.place / "other.root", 100, run=2)
    day.out = day.place / "out2"
    run_search([day.data, other], progress=False, output=day.out).write(day.out)
    return day.unblind()


def file_edited(name: str) -> Callable[[Day], Result]:
    def attack(day: Day) -> Result:
        (day.out / name).write_text((day.out / name).read_text().replace("beam", "bean"))
        return day.unblind()

    return attack


def manifest_removed(day: Day) -> Result:
    (day.out / "manifest.json").unlink()
    return day.unblind()


def folder_edited_with_its_manifest(day: Day) -> Result:
    """The old way to open another file: name it in summary.json."""
    other = write_file(day.place / "other.root", 399)

    def change(content: dict[str, Any]) -> None:
        content["provenance"]["inputs"][0] |= {"path": str(other), "sha256": unblinding.file_hash(other), "entries": 399, "uuid": "u"}

    day.edit(day.out / "summary.json", change)
    write_manifest(day.out)
    return day.unblind()


def counts_edited_with_their_manifest(day: Day) -> Result:
    def change(content: dict[str, Any]) -> None:
        content["regions"]["beam"]["A"]["n"] += 1

    day.edit(day.out / "summary.json", change)
    write_manifest(day.out)
    return day.unblind()


def file_replaced(day: Day) -> Result:
    write_file(day.data, 399)
    return day.unblind()


def file_removed(day: Day) -> Result:
    day.data.unlink()
    return day.unblind()


def code_changed(day: Day) -> Result:
    day.patch.setattr(unblinding, "code_hash", lambda: "0")
    day.patch.setattr(unblinding, "code_of_search", lambda: freezing.code_of_search() | {"selections/cuts.py": "0"})
    return day.unblind()


def blind_run_of_other_code(day: Day) -> Result:
    day.patch.setattr("na64mu.execution.outcome.code_hash", lambda: "0")
    day.out = day.place / "out2"
    run_search([day.data], progress=False, output=day.out).write(day.out)
    return day.unblind()


def reconstruction_differs(day: Day) -> Result:
    day.fake.table = summary_table(400, seed=9)
    return day.unblind()


def quick_look(day: Day) -> Result:
    day.out = day.place / "out2"
    run_search([day.data], progress=False, output=day.out, maxchunks=1, chunksize=100).write(day.out)
    return day.unblind()


def into_the_blind_folder(day: Day) -> Result:
    day.opened = day.out
    return day.unblind()


def simulation(day: Day) -> Result:
    day.out = day.place / "mc_out"
    run_search([write_file(day.place / "mc.root", 50, truth=True)], progress=False, output=day.out).write(day.out)
    return day.unblind()


def no_reason(day: Day) -> object:
    return open_box(day.frozen, reason="  ")


def record_edited(day: Day) -> Result:
    day.unblind()
    day.record.write_text(day.record.read_text().replace("approved", "ordered"))
    return day.unblind()


def line_removed(day: Day) -> Result:
    day.unblind()
    open_box(day.frozen, reason="r")
    first, _, *others = day.record.read_text().splitlines(keepends=True)
    day.record.write_text("".join([first, *others]))
    return day.unblind()


def first_line_removed(day: Day) -> Result:
    day.unblind()
    day.record.write_text("".join(day.record.read_text().splitlines(keepends=True)[1:]))
    return day.unblind()


def line_cut(day: Day) -> Result:
    day.unblind()
    day.record.write_text(day.record.read_text()[:-20])
    return day.unblind()


def last_lines_removed(day: Day) -> Result:
    day.unblind()
    day.record.write_text("")
    return day.unblind()


def record_removed(day: Day) -> Result:
    day.unblind()
    day.record.unlink()
    return day.unblind()


def freeze_moved_without_its_record(day: Day) -> Result:
    day.unblind()
    (day.place / "elsewhere").mkdir()
    day.frozen = day.frozen.rename(day.place / "elsewhere" / "freeze.json")
    return day.unblind()


def record_cannot_be_written(day: Day) -> Result:
    day.record.mkdir()
    return day.unblind()


def summaries(day: Day) -> object:
    from na64mu.execution.reconstruct import reconstruct_files

    reconstruct_files(day.data, day.place / "s.root")
    return run_search(day.place / "s.root", progress=False, unblind=open_box(day.frozen, reason="r"))


def freeze_of_summaries(day: Day) -> Result:
    from na64mu.execution.reconstruct import reconstruct_files

    reconstruct_files(day.data, day.place / "s.root")
    return call("freeze", day.place / "s.root", "-o", day.place / "s.json")


def freeze_written_over(day: Day) -> Result:
    return call("freeze", day.data, "-o", day.frozen)


def old_options(day: Day) -> Result:
    return day.unblind("--selection", "prl2024")


def no_freeze_file(day: Day) -> Result:
    day.frozen.write_text("{}")
    return day.unblind()


HOW = "make a freeze file with `na64mu freeze FILES -o freeze.json`"

#: Action -> (sentence that must come out, lines in the record after it).
ATTACKS: dict[Callable[[Day], Any], tuple[str, int]] = {
    old_hash: (f"{CLOSED}--hash: a hash opens nothing any more; {HOW}", 0),
    hash_in_python: (f"{CLOSED}unblind: the hash '[0-9a-f]{{64}}' opens nothing; {HOW}", 0),
    something_in_python: (f"{CLOSED}unblind: a bool opens nothing", 0),
    opening_by_hand: (f"{CLOSED}.*unblinding.jsonl has no line of this opening", 0),
    opening_of_a_line_of_ones_own: (r"unblinding.jsonl, line 1: the record of openings was edited here", -1),
    opening_twice: (f"{CLOSED}this opening was used already", 3),
    opening_of_a_run_that_was_killed: (f"{CLOSED}this opening was used already", 2),
    opening_for_other_cuts: (f"{CLOSED}the selection: not what was frozen", 1),
    opening_for_other_files: (f"{CLOSED}the input .*other.root, which is not in the freeze file: not what was frozen", 1),
    opening_for_ones_own_processor: (f"{CLOSED}it is opened for the search only", 1),
    opening_of_a_freeze_edited_in_memory: ("freeze: was edited after it was made", 0),
    freeze_edited: (r"freeze.json: was edited after it was made \(seen in selection, calibrations.g4raw-indep-1\)", 0),
    freeze_edited_and_hashed_again: (f"{CLOSED}.*out was made with something else than what was frozen: the selection; {HOW}", 0),
    freeze_of_another_selection: (f"{CLOSED}.*out was made with something else than what was frozen: the selection; ", 0),
    freeze_of_another_calibration: (f"{CLOSED}.* frozen: the calibration of g4raw-indep-1; ", 0),
    freeze_of_more_files: (f"{CLOSED}.* frozen: the input .*other.root; ", 0),
    blind_run_on_more_files: (f"{CLOSED}.* frozen: the input .*other.root, which is not in the freeze file; ", 0),
    file_edited("summary.json"): (f"{CLOSED}.*out is not what `na64mu run` wrote: summary.json \\(changed\\)", 0),
    file_edited("cutflow.json"): (f"{CLOSED}.*out is not what `na64mu run` wrote: cutflow.json \\(changed\\)", 0),
    file_edited("histograms.json"): (f"{CLOSED}.*out is not what `na64mu run` wrote: histograms.json \\(changed\\)", 0),
    manifest_removed: (f"{CLOSED}.*out is not what `na64mu run` wrote: manifest.json \\(missing\\)", 0),
    folder_edited_with_its_manifest: (f"{CLOSED}.* frozen: the input .*beam.root, the input .*other.root, which is not in", 0),
    counts_edited_with_their_manifest: (f"{CLOSED}dataset 'beam' comes out differently outside the box", 3),
    file_replaced: (f"{CLOSED}the input .*beam.root: not what was frozen", 0),
    file_removed: (f"{CLOSED}.*beam.root: the file that was frozen is not there", 0),
    code_changed: (f"{CLOSED}the installed code is not the one that was frozen .*: selections/cuts.py differ; ", 0),
    blind_run_of_other_code: (f"{CLOSED}.* frozen: the code; ", 0),
    reconstruction_differs: (f"{CLOSED}dataset 'beam' comes out differently outside the box", 3),
    quick_look: (f"{CLOSED}.*out2 is a quick look at a part of the files", 0),
    into_the_blind_folder: (f"{CLOSED}.*out is the blind folder, which is kept", 0),
    simulation: ("no dataset is blinded, there is nothing to open", 0),
    no_reason: ("reason: say why the box is opened", 0),
    record_edited: ("unblinding.jsonl, line 1: the record of openings was edited here", -1),
    line_removed: ("unblinding.jsonl, line 2: the record of openings lacks the line before this one, number 2: it was removed", -1),
    first_line_removed: ("unblinding.jsonl, line 1: the record of openings lacks the line before this one, number 1: it was removed", -1),
    line_cut: ("unblinding.jsonl, line 3: the record of openings was damaged here", -1),
    last_lines_removed: (f"{CLOSED}.*unblinding.jsonl lacks 3 lines that .*out/unblinding.jsonl has: it was shortened or replaced", 0),
    record_removed: (f"{CLOSED}.*unblinding.jsonl lacks 3 lines that .*out/unblinding.jsonl has", 0),
    freeze_moved_without_its_record: (f"{CLOSED}.*elsewhere/unblinding.jsonl lacks 3 lines that .*out/unblinding.jsonl has", 3),
    record_cannot_be_written: ("unblinding.jsonl: .*cannot be (read|written)", -1),
    summaries: (f"{CLOSED}event summaries of data were written without it", 1),
    freeze_of_summaries: ("event summaries are no input of a freeze", 0),
    freeze_written_over: ("freeze.json: cannot be written: file exists", 0),
    old_options: (f"{CLOSED}--selection: what selects is in the freeze file; {HOW}", 0),
    no_freeze_file: ("freeze.json: is no freeze file of this version of na64mu", 0),
}


#: Attacks on the record of a box that was opened as it should be.
OPENED_FIRST = {
    record_edited,
    line_removed,
    first_line_removed,
    line_cut,
    last_lines_removed,
    record_removed,
    freeze_moved_without_its_record,
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__qualname__.split(".")[0])
def test_the_box_stays_closed(attack, day: Day, monkeypatch, record_property):
    sentence, lines = ATTACKS[attack]
    day.patch = monkeypatch
    try:
        done = attack(day)
    except (BlindedError, InputError, OutputError) as error:
        said = str(error)
    else:
        assert isinstance(done, Result), "the box was opened"
        assert done.exit_code == 1, done.output
        said = done.stderr
    record_property("row", (attack.__qualname__.split(".")[0].replace("_", " "), sentence, said))  # for benchmarks/attacks.py
    assert re.search(sentence, said), said
    assert "Traceback" not in said
    assert (
        RunResult.read(day.opened).blinded != {"beam": False} if day.opened == day.out else day.opened.exists() == (attack in OPENED_FIRST)
    )
    if lines >= 0:
        assert len(read_lines(day.record)) == lines


@pytest.mark.parametrize("name", ["summary.json", "cutflow.json", "histograms.json"])
def test_whoever_reads_an_edited_folder_is_told(name, day: Day, caplog):
    (day.out / name).write_text((day.out / name).read_text() + " ")
    assert call("report", day.out).exit_code == 0
    assert f"{day.out} is not what was written into it: {name} (changed); make it again with `na64mu run`" in caplog.text
    assert check_manifest(day.out) == [name]  # a report that is made again does not bless it
    (day.out / "manifest.json").unlink()
    assert RunResult.read(day.out).blinded == {"beam": True}
    assert f"{day.out} has no manifest.json, so nobody can say whether its files were edited" in caplog.text


def test_unblinding_names_what_is_missing(day: Day):
    assert "--freeze, --output: missing" in call("unblind", day.out, "--reason", "r").stderr
    assert "--reason is empty" in call("unblind", day.out, "--freeze", day.frozen, "--reason", " ", "-o", day.opened).stderr
    assert "FILES are missing" in call("freeze", "-o", "x.json").stderr


def test_a_freeze_says_how_it_is_done_now():
    assert HOW in opening.HOW
