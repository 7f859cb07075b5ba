"""One line of the record of openings: who opened which frozen search, when and why, or what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from na64mu.common.toml_model import content_hash

__all__ = ("BEGUN", "DONE", "FAILED", "OPENING", "Line", "earlier_sentence", "lines_text", "openings_of")

OPENING, BEGUN, DONE, FAILED = "opening", "begun", "done", "failed"


class Line(BaseModel):
    """One line of the record.

    Attributes
    ----------
    n : int
        Number of the line, from 1.
    event : str
        "opening", written before the box is opened; "begun", when a run takes it up; "done" or "failed", written after.
    time, user, host : str
        When (UTC), by whom and where.
    freeze, inputs : str
        Hash of the freeze, and of the data it is about.
    opening : str
        In all but openings, the hash of the line of the opening.
    reason : str
        Why; of a failure, what happened.
    blind, opened : str
        Folders.
    result : str
        SHA-256 of summary.json in the opened folder.
    times : int
        In an opening, how often these data were opened now, this time included.
    version, commit : str
        Version of the code.
    previous, hash : str
        Hash of the line before (empty in the first), and of this one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int
    event: str
    time: str
    user: str
    host: str
    freeze: str
    inputs: str
    opening: str = ""
    reason: str = ""
    blind: str = ""
    opened: str = ""
    result: str = ""
    times: int = 0
    version: str = ""
    commit: str = ""
    previous: str = ""
    hash: str = ""

    @property
    def computed_hash(self) -> str:
        """SHA-256 of the canonical content without the hash itself."""
        return content_hash(self.model_dump(mode="json", exclude={"hash"}))

    @property
    def text(self) -> str:
        """The line as it is in the file."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True)) + "\n"


def openings_of(lines: Iterable[Line], freeze: str, inputs: str) -> tuple[Line, ...]:
    """Lines of openings of a frozen search, or of the same data under another freeze.

    Parameters
    ----------
    lines : iterable of Line
    freeze, inputs : str
        Hashes.

    Returns
    -------
    tuple of Line
        Each once, in order of time.
    """
    found = {line.hash: line for line in lines if line.event == OPENING and (line.freeze == freeze or line.inputs == inputs)}
    return tuple(sorted(found.values(), key=lambda line: line.time))


def lines_text(lines: Iterable[Line]) -> list[str]:
    """A record as it is printed: one line of text for each.

    Parameters
    ----------
    lines : iterable of Line

    Returns
    -------
    list of str
    """
    lines = tuple(lines)
    ended = {line.opening for line in lines if line.event in (DONE, FAILED)}
    texts = []
    for line in lines:
        what = f"{line.n}  {line.time}  {line.user}@{line.host}  {line.event}"
        if line.event == OPENING:
            no_end = "" if line.hash in ended else " (it has no outcome: it runs still, or was interrupted)"
            texts.append(f"{what}, number {line.times} of these data, freeze {line.freeze[:12]}: {line.reason}{no_end}")
        else:
            texts.append(f"{what}{': ' if line.reason else ''}{line.reason}")
    return texts


def earlier_sentence(earlier: tuple[Line, ...]) -> str:
    """Say how often and when data were opened before.

    Parameters
    ----------
    earlier : tuple of Line
        At least one.

    Returns
    -------
    str
    """
    times = "once" if len(earlier) == 1 else f"{len(earlier)} times"
    when = "; ".join(f"{line.time} by {line.user}: {line.reason}" for line in earlier)
    return f"THE BOX OF THESE DATA WAS OPENED {times} BEFORE ({when}): what comes out now is no blind result"
