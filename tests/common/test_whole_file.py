"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys

import pytest

from na64mu.common.whole_file import locks, remove_left_over, whole_file, write_whole
from na64mu.errors import OutputError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_at_the_end(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with whole_file(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
        assert part.parent == tmp_path
    assert (target.read_text(), names(tmp_path)) == ("new", ["a.txt"])
    assert write_whole(target, b"\xff") == target
    assert target.read_bytes() == b"\xff"


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt()])
def test_an_error_leaves_what_was_there(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def half():
        with whole_file(target) as part:
            part.write_text("half")
            raise error

    with pytest.raises(type(error)):
        half()
    assert (target.read_text(), names(tmp_path)) == ("old", ["a.txt"])


def test_a_link_is_followed_and_the_mode_stays(tmp_path):
    target, link = tmp_path / "a.txt", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_whole(link, "new")
    assert (target.read_text(), link.is_symlink(), stat.S_IMODE(target.stat().st_mode)) == ("new", True, 0o640)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left on device; make room there, or choose another place"),
        (errno.EDQUOT, "your quota there is used up: make room, or choose another place"),
        (errno.EROFS, "read-only file system; choose another place"),
    ],
)
def test_a_full_disk_is_one_sentence_with_the_path_and_leaves_nothing(tmp_path, monkeypatch, number, words):
    def full(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError) as caught:
        write_whole(tmp_path / "a.txt", "x")
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'a.txt'}: cannot be written: ")
    assert text.endswith(words)
    assert names(tmp_path) == []


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("x")
    for name, words in (
        ("folder", "it is a folder"),
        ("fifo", "it is no regular file"),
        ("file/below", "not a directory"),
        ("no/a", "no such"),
    ):
        with pytest.raises(OutputError, match=words):
            write_whole(tmp_path / name, "x")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everything")
def test_a_protected_file_stays(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o400)
    with pytest.raises(OutputError, match="write-protected"):
        write_whole(tmp_path / "a", "y")


def test_what_a_killed_process_left_goes_and_what_another_writes_stays(tmp_path):
    target = tmp_path / "a.txt"
    code = "import os, sys\nfrom na64mu.common.whole_file import whole_file\nwith whole_file(sys.argv[1]) as part:\n    os.kill(os.getpid(), 9)\n"
    subprocess.run([sys.executable, "-c", code, target], check=False)
    assert len(names(tmp_path)) == 1
    with whole_file(target) as part:
        assert names(tmp_path) == [part.name]
        part.write_text("first")
        remove_left_over(target)
        assert part.exists()
        write_whole(target, "second")
    assert target.read_text() == "first"


def test_without_locks_nothing_of_others_is_removed(tmp_path, monkeypatch):
    left = tmp_path / ".a.txt.1-2.part"
    left.write_text("x")
    monkeypatch.setitem(sys.modules, "fcntl", None)
    write_whole(tmp_path / "a.txt", "y")
    assert left.exists()
    with left.open() as stream:
        assert not locks(stream.fileno())
