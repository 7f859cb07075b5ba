"""The record of openings: who opened which frozen search, when and why, and what came of it. Lines are only ever added.

One line is one JSON object. Each holds its own hash and that of the line before, so that a line that is edited, removed from the
middle, or put in later shows. Lines that are cut off at the end show where a copy has them: every folder that took part has one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from na64mu.common.people import host_name, user_name
from na64mu.common.toml_model import content_hash
from na64mu.errors import BlindedError, writing

__all__ = ("DONE", "FAILED", "NAME", "OPENING", "Line", "append_line", "copy_lines", "lines_text", "openings_of", "read_lines")

NAME = "unblinding.jsonl"

OPENING, DONE, FAILED = "opening", "done", "failed"


class Line(BaseModel):
    """One line of the record.

    Attributes
    ----------
    n : int
        Number of the line, from 1.
    event : str
        "opening", written before the box is opened; "done" or "failed", written after.
    time, user, host : str
        When (UTC), by whom and where.
    freeze, inputs : str
        Hash of the freeze, and of the data it is about.
    opening : str
        In an outcome, the hash of the line of its opening.
    reason : str
        Why; of a failure, what happened.
    blind, opened : str
        Folders.
    result : str
        SHA-256 of the manifest of the opened folder.
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


def read_lines(path: str | Path) -> tuple[Line, ...]:
    """Read a record and check it.

    Parameters
    ----------
    path : str or Path
        The record, or the copy of one in a folder.

    Returns
    -------
    tuple of Line
        None if there is no file.

    Raises
    ------
    BlindedError
        If a line is none, was edited, or the one before it was removed; the message names it.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        msg = f"{file}: the record of openings cannot be read ({error})"
        raise BlindedError(msg) from error
    found: list[Line] = []
    for number, row in enumerate(text.splitlines(keepends=True), 1):
        found.append(_checked(file, number, row if row.endswith("\n") else "", found))  # one without an end was cut off
    return tuple(found)


def _checked(file: Path, number: int, row: str, before: list[Line]) -> Line:
    where = f"{file}, line {number}: the record of openings"
    try:
        line = Line.model_validate_json(row)
    except ValidationError as error:
        msg = f"{where} was damaged here: this is no line of one; restore it from a copy in an opened folder"
        raise BlindedError(msg) from error
    if line.hash != line.computed_hash:
        msg = f"{where} was edited here; restore it from a copy in an opened folder"
        raise BlindedError(msg)
    known = {one.hash: one for one in before}
    follows = line.n == 1 if not line.previous else line.previous in known and known[line.previous].n == line.n - 1
    if not follows or any(one.previous == line.previous for one in before if line.previous):
        msg = f"{where} lacks the line before this one, number {line.n - 1}: it was removed; restore it from a copy in an opened folder"
        raise BlindedError(msg)
    return line


def append_line(path: str | Path, event: str, **content: str | int) -> Line:
    """Add a line to a record; it is on the disk when this returns.

    Parameters
    ----------
    path : str or Path
        The record; made if there is none.
    event : str
        Opening, done or failed.
    **content : str or int
        Attributes of the line but number, event, time, user, host and hashes.

    Returns
    -------
    Line

    Raises
    ------
    BlindedError
        If the record is damaged, or has an outcome of this opening already.
    OutputError
        If it cannot be written.
    """
    file = Path(path)
    is_new = not file.exists()
    with writing(file), file.open("ab") as stream:
        _lock(stream.fileno())
        before = read_lines(file)
        if event != OPENING and any(one.opening == content["opening"] for one in before):
            msg = f"{file}: this opening has ended already: open the box again with `na64mu unblind`, which is recorded again"
            raise BlindedError(msg)
        last = before[-1] if before else None
        head = {"n": last.n + 1 if last else 1, "event": event, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        who = {"user": user_name(), "host": host_name(), "previous": last.hash if last else ""}
        line = Line.model_validate(head | who | content)
        line = line.model_copy(update={"hash": line.computed_hash})
        _write(stream.fileno(), line.text.encode())
    if is_new:
        _sync_folder(file.parent)
    return line


def copy_lines(source: str | Path, target: str | Path) -> None:
    """Add the lines of a record that a copy of it lacks.

    Parameters
    ----------
    source : str or Path
        The record.
    target : str or Path
        The copy; what it has stays.

    Raises
    ------
    BlindedError
        If one of them is damaged.
    OutputError
        If the copy cannot be written.
    """
    lines, there = read_lines(source), {line.hash for line in read_lines(target)}
    with writing(target), Path(target).open("ab") as stream:
        _write(stream.fileno(), "".join(line.text for line in lines if line.hash not in there).encode())


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
    ended = {line.opening for line in lines}
    texts = []
    for line in lines:
        what = f"{line.n}  {line.time}  {line.user}@{line.host}  {line.event}"
        if line.event == OPENING:
            no_end = "" if line.hash in ended else " (it has no outcome: it runs still, or was interrupted)"
            texts.append(f"{what}, number {line.times} of these data, freeze {line.freeze[:12]}: {line.reason}{no_end}")
        else:
            texts.append(f"{what}{': ' if line.reason else ''}{line.reason}")
    return texts


def _lock(descriptor: int) -> None:
    """Wait until nobody else writes into the file; it is free again when it is closed."""
    with suppress(ImportError, OSError):  # no locks on this system, or on this file system
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _write(descriptor: int, text: bytes) -> None:
    """Write to the end of a file and to the disk, all or nothing."""
    size = os.fstat(descriptor).st_size
    try:
        left = text
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except BaseException:
        os.ftruncate(descriptor, size)
        raise


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some file systems know nothing of it
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
