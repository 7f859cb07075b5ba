"""What a user who waits sees: on a terminal of any size, on one that can do little, and where there is none."""

from __future__ import annotations

import io
import sys
import time

import pytest
from terminals import Terminal

from na64mu.execution import progress
from na64mu.execution.progress import stage


@pytest.mark.parametrize("columns", [20, 80, 200])
@pytest.mark.parametrize("total", [None, 0, 3])
def test_a_bar_on_a_terminal(columns, total):
    with Terminal(columns) as terminal, stage("make it", total, "events") as shown:
        assert isinstance(shown.line(), str)
        for _ in range(3):
            shown.advance()
        shown.say("another", done=1, total=2)
    assert "\x1b[2K" in terminal.text  # a bar that is wiped away
    assert terminal.text.rstrip().endswith(("\x1b[2K", "\x1b[?25h"))  # nothing of it is left, and the cursor is back
    assert "make" in terminal.text
    assert columns < 80 or "another" in terminal.text
    assert columns < 80 or "1/2 events" in terminal.text


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"TERM": ""}, {"TERM": "unknown"}])
def test_a_terminal_without_a_cursor_gets_lines(variables, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with Terminal(80, **variables) as terminal, stage("make it", 3, "events"):
        terminal.wait_for("make it")
    assert terminal.text == "make it: 0/3 events ...\r\n"


def test_no_colour_where_none_is_wanted():
    with Terminal(80, NO_COLOR="1") as terminal, stage("make it", 3, "events") as shown:
        shown.advance(3)
    assert "make it" in terminal.text
    assert "\x1b[3" not in terminal.text


def test_a_terminal_that_has_ascii_only():
    with Terminal(80, encoding="ascii") as terminal, stage("make it", 3, "events") as shown:
        shown.advance(3)
    assert terminal.text.isascii()
    assert "3/3 events" in terminal.text


class Waiting(io.StringIO):
    """A stream that is no terminal, and that tells when something was written."""

    def wait(self) -> None:
        while "\n" not in self.getvalue():
            time.sleep(0.01)


def test_one_line_for_a_long_stage_elsewhere(monkeypatch):
    stream = Waiting()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with stage("fit", 10, "peaks", done=4):
        stream.wait()
    with stage("count"):
        pass
    assert stream.getvalue().splitlines()[0] == "fit: 4/10 peaks ..."


def test_nothing_for_a_short_stage_nor_where_it_is_not_wanted(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE", 3600.0)
    with stage("fit", 10, "peaks") as shown:
        shown.advance(10)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with Terminal(80) as terminal, stage("fit", show=False):
        pass
    assert stream.getvalue() == terminal.text == ""


def test_an_error_leaves_the_terminal_clean():
    with Terminal(80) as terminal, pytest.raises(KeyboardInterrupt), stage("fit", 3, "events"):
        raise KeyboardInterrupt
    assert "\x1b[?25h" in terminal.text  # the cursor is shown again


def test_no_stderr_at_all(monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 3600.0)
    monkeypatch.setattr(sys, "stderr", None)
    with stage("fit", 3, "events") as shown:
        shown.advance()
    assert shown.done == 1
