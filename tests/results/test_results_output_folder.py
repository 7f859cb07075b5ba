"""An output folder is one commit: every step of it can be the last one."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from na64mu.errors import InputError, OutputError
from na64mu.results import output_folder as module
from na64mu.results.manifest import MANIFEST, check_manifest, made_by
from na64mu.results.output_folder import UNFINISHED, finish, must_be_finished, output_folder, placed


def content(folder):
    """Visible files, and what is in them."""
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST}


def write(folder, verb, files, **options):
    with output_folder(folder, verb, **options) as place:
        for name, text in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)


OLD = {"numbers.json": "1", "figure.png": "of 1", "sub/a.csv": "1"}
NEW = {"numbers.json": "2", "more.csv": "2", "sub/b.csv": "2"}
MINE = {"notes.txt": "mine", "unblinding.json": "[]"}


@pytest.fixture
def folder(tmp_path):
    out = tmp_path / "out"
    write(out, "run", OLD)
    for name, text in MINE.items():
        (out / name).write_text(text)
    return out


def test_files_appear_together_with_their_manifest(folder):
    assert content(folder) == OLD | MINE
    assert check_manifest(folder) == []
    assert made_by(folder) == {"run": tuple(sorted(OLD))}


def test_what_is_not_made_again_goes_and_what_others_made_stays(folder):
    write(folder, "limits", {"limits.csv": "of 1"})
    write(folder, "run", NEW)
    assert content(folder) == NEW | MINE | {"limits.csv": "of 1"}
    assert check_manifest(folder) == []
    assert made_by(folder) == {"run": tuple(sorted(NEW)), "limits": ("limits.csv",)}


def test_files_of_a_folder_without_a_manifest_are_named(folder):
    (folder / MANIFEST).unlink()
    write(folder, "run", {"numbers.json": "2"}, replaces=["figure.png", "numbers.json", "../out/notes.txt"])
    assert content(folder) == {"numbers.json": "2", "sub/a.csv": "1"} | MINE


@pytest.mark.parametrize("error", [ValueError("mine"), OutputError("mine"), KeyboardInterrupt()])
def test_an_error_changes_nothing(folder, error):
    def half():
        with output_folder(folder, "run") as place:
            (place / "numbers.json").write_text("2")
            raise error

    with pytest.raises(type(error)):
        half()
    assert content(folder) == OLD | MINE
    assert check_manifest(folder) == []


def test_a_new_folder_goes_again_and_errors_name_it(tmp_path):
    out = tmp_path / "out"

    def fails():
        with output_folder(out, "run") as place:
            msg = f"{place}/numbers.json: cannot be written"
            raise OutputError(msg)

    with pytest.raises(OutputError, match=rf"^{out}/numbers\.json: cannot be written$"):
        fails()
    assert not out.exists()


class KilledError(BaseException):
    pass


def killed_at(monkeypatch, call):
    """Let the n-th renaming or removal of a file be the last thing that the process does."""
    state = {"left": call, "dead": False}

    def counted(original):
        def do(self, *args, **options):
            if state["dead"]:
                raise KilledError
            if state["left"] == 0:
                state["dead"] = True
                raise KilledError
            state["left"] -= 1
            return original(self, *args, **options)

        return do

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))
    for name in ("rmtree",):
        original = getattr(module.shutil, name)
        monkeypatch.setattr(module.shutil, name, lambda *a, _o=original, **k: None if state["dead"] else _o(*a, **k))
    return state


@pytest.mark.parametrize("call", range(25))
def test_a_kill_at_any_step_leaves_the_old_or_the_new_result_or_a_mark(folder, call, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        state = killed_at(patch, call)
        with suppress(KilledError):
            write(folder, "run", NEW)
        ended = state["dead"]
    if (folder / UNFINISHED).exists():
        monkeypatch.setattr(module, "PATIENCE", 0.0)
        with pytest.raises(InputError, match=f"is marked unfinished.*`na64mu report {folder}`"):
            must_be_finished(folder)
        finish(folder)
    shown = {name: text for name, text in content(folder).items() if not name.startswith(".")}
    assert shown in (OLD | MINE, NEW | MINE)
    assert check_manifest(folder) == []
    write(folder, "run", {"numbers.json": "3"})
    assert content(folder) == {"numbers.json": "3"} | MINE
    assert ended or call > 10


def test_a_mark_that_leads_elsewhere_is_not_followed(folder, tmp_path):
    (tmp_path / "precious").write_text("x")
    for plan in ({"from": ".writing-a", "gone": ["../precious"], "files": []}, {"from": "sub", "gone": [], "files": ["a"]}, [], 3):
        (folder / UNFINISHED).write_text(json.dumps(plan))
        with pytest.raises(InputError, match="cannot be read: remove it, and make the folder again"):
            finish(folder)
    assert (tmp_path / "precious").exists()


def test_a_folder_in_the_way_is_named_before_anything_changes(folder):
    (folder / "more.csv").mkdir()
    with pytest.raises(OutputError, match=r"out/more\.csv: cannot be written: it is a folder"):
        write(folder, "run", NEW)
    assert (folder / "numbers.json").read_text() == "1"


def test_a_private_folder_inside_is_the_same_one(folder):
    with output_folder(folder, "run") as place, output_folder(place / "sub", "other") as inner:
        assert inner == place / "sub"
        assert placed([place / "sub" / "a.csv", Path("b")], folder) == [folder / "sub" / "a.csv", Path("b")]
        inner.mkdir()
        (inner / "a.csv").write_text("3")
    assert content(folder) == {"sub/a.csv": "3"} | MINE


def test_left_over_private_folders_go(folder):
    (folder / ".writing-old").mkdir()
    (folder / ".writing-old" / "x").write_text("x")
    write(folder, "run", OLD)
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith(".")) == []


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_one_sentence(folder):
    folder.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written: permission denied; choose a place that you may write to"):
        write(folder, "run", NEW)
