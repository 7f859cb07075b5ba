"""The record of openings: who opened which frozen search, when and why, and what came of it. Lines are only ever added.

One line is one JSON object. Each holds its own hash and that of the line before, so that a line that is edited, removed from the
middle, or put in later shows. Lines that are cut off at the end show where a copy has them: every folder that took part has one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from na64mu.common.people import host_name, user_name
from na64mu.errors import BlindedError, writing
from na64mu.results.opening_line import BEGUN, DONE, FAILED, OPENING, Line, openings_of

__all__ = ("NAME", "append_line", "copy_lines", "read_lines")

NAME = "unblinding.jsonl"

#: Event -> events of the same opening, after which it does not come.
ENDS = {BEGUN: (BEGUN, DONE, FAILED), DONE: (DONE, FAILED), FAILED: (DONE, FAILED)}


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
    if line.hash in known or any(one.previous == line.previous for one in before if line.previous):
        msg = f"{where} has two lines that follow the same one: one was put in later; restore it from a copy in an opened folder"
        raise BlindedError(msg)
    if not follows:
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
        Opening, begun, done or failed.
    **content : str or int
        Attributes of the line but number, event, time, user, host, how often, and hashes.

    Returns
    -------
    Line

    Raises
    ------
    BlindedError
        If the record is damaged, or this opening was begun, or has ended, already.
    OutputError
        If it cannot be written.
    """
    file = Path(path)
    is_new = not file.exists()
    with writing(file), file.open("ab") as stream:
        _lock(stream.fileno())
        before = read_lines(file)
        if event == OPENING:
            content["times"] = len(openings_of(before, str(content["freeze"]), str(content["inputs"]))) + 1
        elif any(one.opening == content["opening"] and one.event in ENDS[event] for one in before):
            msg = f"{file}: this opening was used already: open the box again with `na64mu unblind`, which is recorded again"
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
