"""What `na64mu run` leaves in its folder when it fails, is not alone, or is run again."""

from __future__ import annotations

import errno
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result
from search_examples import FakeReconstruction, write_file

from na64mu.cli import main
from na64mu.errors import FolderInUseError, InputError
from na64mu.execution.run import run_search
from na64mu.results.manifest import check_manifest
from na64mu.results.output_folder import UNFINISHED
from na64mu.results.run import DRAWN, FILES, RunResult

HOLD = "import sys\nfrom na64mu.common.folder_lock import locked\nwith locked(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()\n"


def na64mu(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def drawn_with_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take seconds and have their own tests: here each is the number of events."""

    def draw(result, folder, name):
        (folder / name).write_text(str(result.total.counts[0]))
        return folder / name

    monkeypatch.setattr("na64mu.report.write_figures", lambda result, folder: [draw(result, folder, "plane.png")])
    monkeypatch.setattr("na64mu.report.write_html", lambda result, folder: draw(result, folder, "report.html"))


@pytest.fixture
def out(fake: FakeReconstruction, tmp_path, monkeypatch):
    drawn_with_the_number(monkeypatch)
    folder = tmp_path / "out"
    assert na64mu("run", write_file(tmp_path / "beam.root", 100), "-o", folder, "-q").exit_code == 0
    (folder / "notes.txt").write_text("mine")
    return folder


def numbers(folder) -> set[int]:
    """Every number of events that lies in a folder, and that of the manifest is right."""
    assert check_manifest(folder) == []
    assert (folder / "notes.txt").read_text() == "mine"
    found = {int((folder / name).read_text()) for name in DRAWN if (folder / name).exists()}
    return found | {json.loads((folder / "cutflow.json").read_text())["total"]["steps"][0]["n"]}


@pytest.mark.parametrize("where", ["na64mu.report.write_figures", "na64mu.report.write_html", "na64mu.results.run.RunResult.write"])
def test_a_run_that_ends_before_its_last_file_leaves_the_result_before_it(out, tmp_path, monkeypatch, where):
    class KilledError(BaseException):
        pass

    def killed(*_):
        raise KilledError

    more = write_file(tmp_path / "more.root", 50, run=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, killed)
        with pytest.raises(KilledError):
            na64mu("run", more, "-o", out, "-q")
    assert numbers(out) == {100}
    assert na64mu("run", more, "-o", out, "-q", "--resume").exit_code == 0
    assert numbers(out) == {50}
    assert sorted(p.name for p in out.iterdir()) == sorted([*FILES, *DRAWN, "manifest.json", "setup.json", "notes.txt"])


def test_numbers_from_python_leave_no_figures_of_others(out, tmp_path):
    run_search(write_file(tmp_path / "more.root", 50, run=2), progress=False).write(out)
    assert numbers(out) == {50}
    assert not any((out / name).exists() for name in DRAWN)


def test_a_second_writer_gets_one_sentence(out, tmp_path):
    more = write_file(tmp_path / "more.root", 50, run=2)
    with subprocess.Popen([sys.executable, "-c", HOLD, out], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for arguments in (("run", more, "-o", out), ("report", out), ("run", more, "-o", out, "--resume")):
            done = na64mu(*arguments)
            assert done.exit_code == 1
            (line,) = done.stderr.splitlines()
            assert line.startswith(f"Error: {out}: is being written by process {process.pid} on ")
        with pytest.raises(FolderInUseError):
            run_search(more, output=out, progress=False)
        assert RunResult.read(out).total.counts[0] == 100  # reading is allowed
        process.communicate()
    assert numbers(out) == {100}


def test_an_unfinished_folder_is_not_read_and_is_completed_by_report(out, monkeypatch):
    (out / ".writing-x").mkdir()
    for name in ("cutflow.json", "summary.json"):
        (out / name).replace(out / ".writing-x" / name)
    plan = {"verb": "run", "from": ".writing-x", "gone": ["plane.png"], "files": ["cutflow.json", "summary.json"]}
    (out / UNFINISHED).write_text(json.dumps(plan))
    monkeypatch.setattr("na64mu.results.output_folder.PATIENCE", 0.0)
    with pytest.raises(InputError, match=f"{out}: is marked unfinished.*`na64mu report {out}` completes it"):
        RunResult.read(out)
    assert na64mu("limits", out, "-o", out.parent / "limits").exit_code == 1
    assert na64mu("report", out).exit_code == 0
    assert numbers(out) == {100}
    assert not (out / UNFINISHED).exists()


def test_a_full_disk_names_the_file_and_leaves_the_result_before_it(out, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    more = write_file(tmp_path / "more.root", 50, run=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", full)
        done = na64mu("run", more, "-o", out, "-q")
    assert done.exit_code == 1
    first, second = done.stderr.splitlines()
    assert (
        first
        == f"Error: {out}/.checkpoint/finished.json: cannot be written: no space left on device; make room there, or choose another place"
    )
    assert second == "No chunk is finished yet; the same command, with or without --resume, begins again."
    assert numbers(out) == {100}
