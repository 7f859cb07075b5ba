"""Progress on stderr: a bar on a terminal; elsewhere one line for a stage that takes longer than two seconds."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ("Stage", "stage")

#: Seconds after which a stage is named where there is no bar.
PATIENCE = 2.0


class Stage:
    """A piece of work that is under way.

    Attributes
    ----------
    words : str
        Name of the current work.
    total : int or None
        Total amount; None if it is not known.
    done : int
        Amount done so far.
    """

    def __init__(self, words: str, total: int | None, unit: str, done: int) -> None:
        self.words, self.total, self.unit, self.done = words, total, unit, done
        self.rate = 0.0
        self._at = time.perf_counter()
        self._bar: tuple[Progress, Any] | None = None

    def advance(self, n: int = 1) -> None:
        """So much more is done."""
        now = time.perf_counter()
        if n > 0 and now > self._at:
            self.rate, self._at = n / (now - self._at), now
        self.done += n
        self._show()

    def say(self, words: str, done: int | None = None, total: int | None = None) -> None:
        """Other work has begun; optionally how much is done, of how much."""
        self.words = words
        self.done = self.done if done is None else done
        self.total = self.total if total is None else total
        self._show()

    def amount(self) -> str:
        """Return the amount done, as text."""
        if self.total is None:
            return ""
        rate = f", {self.rate:.0f} {self.unit}/s" if self.rate and self.unit == "events" else ""
        return f"{self.done}/{self.total} {self.unit}{rate}".strip()

    def line(self) -> str:
        """The stage as one line."""
        size = "" if self.total is None else f": {self.amount()}"
        return f"{self.words}{size} ..."

    def _show(self) -> None:
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, description=self.words, completed=self.done, total=self.total, amount=self.amount())


@contextmanager
def stage(words: str, total: int | None = None, unit: str = "", *, done: int = 0, show: bool = True) -> Iterator[Stage]:
    """Show work that is under way, on stderr.

    Parameters
    ----------
    words : str
        Name of the work.
    total : int, optional
        Total amount; None if it is not known.
    unit : str
        Unit of the total: events, samples, ...
    done : int
        Amount done before.
    show : bool
        False shows nothing.

    Yields
    ------
    Stage
        Object to which the progress is reported.
    """
    own = Stage(words, total, unit, done)
    if not show or type(sys.stderr).__module__.partition(".")[0] == "ipykernel":  # a notebook keeps what is said on stderr
        yield own
    elif _has_bar():
        with _bar() as bar:
            own._bar = bar, bar.add_task(words, total=total, completed=done, amount=own.amount())
            yield own
    else:
        timer = threading.Timer(PATIENCE, _say, (own,))
        timer.daemon = True
        timer.start()
        try:
            yield own
        finally:
            timer.cancel()


def _say(own: Stage) -> None:
    sys.stderr.write(f"{own.line()}\n")
    sys.stderr.flush()


def _has_bar() -> bool:
    """Whether stderr is a terminal that can move its cursor."""
    stream = sys.stderr
    return stream is not None and stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # it would send what is written to stdout, which may be a file, to the terminal
    )
