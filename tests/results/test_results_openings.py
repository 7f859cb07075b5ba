from __future__ import annotations

import os
import threading

import pytest

from na64mu.errors import BlindedError, OutputError
from na64mu.results.opening_line import lines_text, openings_of
from na64mu.results.openings import append_line, copy_lines, read_lines

ABOUT = {"freeze": "f" * 64, "inputs": "i" * 64}


def opened(path, **content):
    return append_line(path, "opening", **ABOUT | content)


def test_lines_follow_each_other(tmp_path):
    path = tmp_path / "r.jsonl"
    assert read_lines(path) == ()
    lines = [opened(path, reason=f"{i}\nnext") for i in range(3)]
    lines.append(append_line(path, "done", **ABOUT, opening=lines[0].hash))
    assert read_lines(path) == tuple(lines)
    assert [line.n for line in lines] == [1, 2, 3, 4]
    assert [line.times for line in lines] == [1, 2, 3, 0]
    assert [line.previous for line in lines] == ["", *(line.hash for line in lines[:-1])]
    assert path.read_text().count("\n") == 4  # a line end in a reason makes no line


def test_an_opening_ends_once(tmp_path):
    path = tmp_path / "r.jsonl"
    line = opened(path)
    append_line(path, "failed", **ABOUT, opening=line.hash, reason="no space")
    for event in ("begun", "done", "failed"):
        with pytest.raises(BlindedError, match="this opening was used already"):
            append_line(path, event, **ABOUT, opening=line.hash)
    first, second = lines_text(read_lines(path))
    assert "opening, number 1 of these data, freeze ffffffffffff" in first
    assert second.endswith("failed: no space")


@pytest.mark.parametrize("n", range(3))
def test_every_edit_of_every_line_shows(n, tmp_path):
    path = tmp_path / "r.jsonl"
    for i in range(3):
        opened(path, reason=f"number {i}")
    rows = path.read_text().splitlines(keepends=True)
    for change in (rows[n].replace("number", "Number"), rows[n].replace('"hash": "', '"hash": "0'), "\n", "[]\n", rows[n] + rows[n]):
        path.write_text("".join([*rows[:n], change, *rows[n + 1 :]]))
        with pytest.raises(BlindedError, match=rf"r\.jsonl, line [{n + 1}{n + 2}]: the record of openings"):
            read_lines(path)
    if n < 2:
        path.write_text("".join([*rows[:n], *rows[n + 1 :]]))
        with pytest.raises(BlindedError, match=rf"line {n + 1}: the record of openings lacks the line before this one, number {n + 1}"):
            read_lines(path)
        path.write_text("".join([*rows[:n], rows[n + 1], rows[n], *rows[n + 2 :]]))
        with pytest.raises(BlindedError):
            read_lines(path)


def test_a_copy_gets_what_it_lacks_and_can_be_of_two_records(tmp_path):
    one, two, copy = (tmp_path / name for name in ("one", "two", "copy"))
    opened(one, reason="a")
    copy_lines(one, copy)
    opened(one, reason="b")
    opened(two, reason="c", inputs="other")
    for _ in range(2):
        copy_lines(one, copy)
        copy_lines(two, copy)
    assert [line.reason for line in read_lines(copy)] == ["a", "b", "c"]
    copy_lines(one, one)
    assert len(read_lines(one)) == 2


def test_openings_are_those_of_the_freeze_or_of_the_data(tmp_path):
    path = tmp_path / "r"
    lines = [
        opened(path, freeze=freeze, inputs=inputs) for freeze, inputs in (("f", "i"), ("f", "other"), ("other", "i"), ("other", "other"))
    ]
    assert openings_of([*read_lines(path), *lines], "f", "i") == tuple(lines[:3])


def test_two_who_write_at_once_both_have_a_line(tmp_path):
    path = tmp_path / "r"
    threads = [threading.Thread(target=opened, args=(path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line.n for line in read_lines(path)] == list(range(1, 9))


def test_a_disk_that_is_full_leaves_the_record_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "r"
    opened(path)
    before = path.read_bytes()

    def half(descriptor, text, write=os.write):
        if len(text) < 100:
            raise OSError(28, "No space left on device")
        return write(descriptor, text[:-50])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OutputError, match="r: cannot be written: no space left on device"):
        opened(path)
    assert path.read_bytes() == before


def test_a_record_that_is_none(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(BlindedError, match="bytes: the record of openings cannot be read"):
        read_lines(tmp_path / "bytes")
    with pytest.raises(OutputError, match="cannot be written"):
        opened(tmp_path / "no folder" / "r")
