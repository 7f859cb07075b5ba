from __future__ import annotations

import hashlib
import json
import os

import pytest

from na64mu.errors import OutputError
from na64mu.results.manifest import MANIFEST, check_manifest, differences, write_manifest


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "out"
    (place / "figures").mkdir(parents=True)
    (place / ".checkpoint").mkdir()
    for name in ("summary.json", "cutflow.json", "figures/plane.png", ".checkpoint/kept", "summary.json.part", "unblinding.jsonl"):
        (place / name).write_text(name)
    return place


def test_it_is_plain_sha256_of_what_belongs_to_the_result(folder):
    content = json.loads(write_manifest(folder).read_text())
    assert content["files"] == {
        name: hashlib.sha256(name.encode()).hexdigest() for name in ("cutflow.json", "figures/plane.png", "summary.json")
    }
    assert check_manifest(folder) == []
    assert json.loads(write_manifest(folder).read_text()) == content  # it is not its own part


def test_what_was_changed_or_removed_is_named_and_what_was_added_is_not(folder):
    write_manifest(folder)
    (folder / "summary.json").write_text("summary.jsoN")
    (folder / "figures" / "plane.png").unlink()
    (folder / "notes.txt").write_text("mine")
    assert differences(folder) == {"figures/plane.png": "missing", "summary.json": "changed"}
    assert check_manifest(folder) == ["figures/plane.png", "summary.json"]


@pytest.mark.parametrize(
    "text", [None, "no JSON", "[]", "{}", '{"format_version": 2, "files": {}}', '{"format_version": 1, "files": {"a": 1}}', "[" * 100_000]
)
def test_a_folder_without_a_manifest_that_can_be_read(folder, text):
    if text is not None:
        (folder / MANIFEST).write_text(text)
    assert differences(folder) == {MANIFEST: "missing" if text is None else "unreadable"}
    assert check_manifest(folder) == [MANIFEST]


def test_a_file_that_is_written_again_does_not_bless_the_edit_of_another(folder):
    write_manifest(folder)
    for name in ("summary.json", "figures/plane.png"):
        (folder / name).write_text("new")
    write_manifest(folder, ["figures/plane.png", "not there"])
    assert check_manifest(folder) == ["summary.json"]


def test_names_alone_make_a_first_manifest(folder):
    write_manifest(folder, ["summary.json"])
    (folder / "cutflow.json").write_text("new")
    assert check_manifest(folder) == []
    (folder / "summary.json").write_text("new")
    assert check_manifest(folder) == ["summary.json"]


def test_where_it_cannot_be_written(folder):
    (folder / MANIFEST).mkdir()
    with pytest.raises(OutputError, match=r"manifest\.json: cannot be written: "):
        write_manifest(folder)
    assert not any((folder / MANIFEST).iterdir())
    assert sorted(path.name for path in folder.glob("*.part")) == ["summary.json.part"]


def test_a_folder_in_place_of_a_file_is_named(folder):
    write_manifest(folder)
    os.unlink(folder / "summary.json")  # noqa: PTH108
    (folder / "summary.json").mkdir()
    assert differences(folder) == {"summary.json": "missing"}
