"""The right to open a box once: it comes from a freeze file and a reason, is recorded before it is given, and ends with an outcome.

`na64mu.run` takes nothing else for `unblind`. It looks whether the record on the disk has the opening, and whether what it is about to
run is what was frozen.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from na64mu import __version__
from na64mu.errors import BlindedError, InputError, Na64muError
from na64mu.results.freeze import Freeze
from na64mu.results.freeze_differences import differences
from na64mu.results.opening_line import BEGUN, DONE, FAILED, OPENING, Line, earlier_sentence, openings_of
from na64mu.results.openings import NAME, append_line, copy_lines, read_lines
from na64mu.results.provenance import repository_state

if TYPE_CHECKING:
    from na64mu.execution.plan import Plan

__all__ = ("Opening", "checked_opening", "open_box", "record_of")

log = logging.getLogger(__name__)

#: How a box is opened, for whoever tries it as it was done in version 0.1.0.
HOW = (
    "make a freeze file with `na64mu freeze FILES -o freeze.json`, the same files and options as in the blind run, and open with "
    "`na64mu unblind OUT --freeze freeze.json --reason REASON -o OPENED`"
)

#: Hashes of the openings whose outcome somebody further out in this process writes.
_UNDER_WAY: set[str] = set()


@dataclass(frozen=True)
class Opening:
    """An opening that is recorded; made by `open_box`.

    Attributes
    ----------
    freeze : Freeze
        What was frozen.
    record : Path
        The record of openings.
    line : str
        Hash of the line of this opening in it.
    earlier : tuple of Line
        Openings of the same data before this one.
    """

    freeze: Freeze
    record: Path
    line: str
    earlier: tuple[Line, ...] = ()

    def must_be_recorded(self) -> Line:
        """The line of this opening.

        Raises
        ------
        BlindedError
            If the record does not have it, or says that it was used.
        """
        lines = read_lines(self.record)
        found = next((line for line in lines if line.hash == self.line and line.event == OPENING), None)
        if found is None or found.freeze != self.freeze.hash:
            msg = f"the box stays closed: {self.record} has no line of this opening: {HOW}"
            raise BlindedError(msg)
        if any(line.opening == self.line for line in lines):
            msg = f"the box stays closed: this opening was used already ({self.record}); each run needs one of its own: {HOW}"
            raise BlindedError(msg)
        return found

    def must_fit(self, plan: Plan) -> None:
        """Look whether what is about to be run is what was frozen.

        Parameters
        ----------
        plan : Plan
            With hashes of its files.

        Raises
        ------
        BlindedError
            If anything differs; the message names it.
        """
        from na64mu.execution.freezing import freeze_of

        differing = differences(self.freeze, freeze_of(plan))
        if differing:
            msg = f"the box stays closed: {', '.join(differing)}: not what was frozen"
            raise BlindedError(msg)

    @contextmanager
    def outcome(self) -> Iterator[dict[str, str]]:
        """Around what opens the box: at its end, the record says whether it was done or what it failed with.

        Yields
        ------
        dict of str to str
            Filled with what the line of the outcome is to hold besides. Within another one of the same opening, nothing is written.

        Raises
        ------
        BlindedError
            As `must_be_recorded`.
        """
        if self.line in _UNDER_WAY:
            yield {}
            return
        opening = self.must_be_recorded()
        about: dict[str, Any] = {"freeze": opening.freeze, "inputs": opening.inputs, "opening": self.line}
        said: dict[str, str] = {}
        append_line(self.record, BEGUN, **about)
        _UNDER_WAY.add(self.line)
        try:
            yield said
        except BaseException as error:
            reason = str(error) if isinstance(error, Na64muError) else f"{type(error).__name__}: {error}".rstrip(": ")
            with suppress(Na64muError):  # the error itself is what has to be said
                append_line(self.record, FAILED, **about, **said, reason=reason)
            raise
        finally:
            _UNDER_WAY.discard(self.line)
        append_line(self.record, DONE, **about, **said)


def open_box(
    freeze: str | Path | Freeze,
    *,
    reason: str,
    record: str | Path | None = None,
    blind: str | Path | None = None,
    opened: str | Path | None = None,
) -> Opening:
    """Record that a box is opened, and give the right to do it once.

    Parameters
    ----------
    freeze : str, Path or Freeze
        The freeze file.
    reason : str
        Why it is opened.
    record : str or Path, optional
        The record of openings; by default `unblinding.jsonl` beside the freeze file, one for all freezes of that folder.
    blind, opened : str or Path, optional
        Folders of the blind and of the opened result, for the record; what the blind one knows of earlier openings must be in the record.

    Returns
    -------
    Opening
        For `na64mu.run(..., unblind=)`.

    Raises
    ------
    BlindedError
        If the freeze file or the record was edited, or lacks lines that a folder has.
    InputError
        If the reason is empty, or nobody says where the record is.
    OutputError
        If the record cannot be written: the box stays closed.
    """
    frozen = Freeze.read(freeze)
    if not str(reason or "").strip():
        msg = "reason: say why the box is opened; it is kept in the record of openings"
        raise InputError(msg)
    home = record_of(freeze, record)
    lines = read_lines(home)
    _must_have(home, lines, blind)
    beside = () if isinstance(freeze, Freeze) else read_lines(record_of(freeze))  # it counts, whatever record is given
    earlier = openings_of([*lines, *beside], frozen.hash, frozen.inputs_hash)
    if earlier:  # critical: it is said with -q too
        log.critical("%s", earlier_sentence(earlier))
    commit, _ = repository_state()
    line = append_line(
        home,
        OPENING,
        freeze=frozen.hash,
        inputs=frozen.inputs_hash,
        reason=reason.strip(),
        blind="" if blind is None else str(blind),
        opened="" if opened is None else str(opened),
        version=__version__,
        commit=commit,
    )
    if blind is not None:
        copy_lines(home, Path(blind) / NAME)
    return Opening(frozen, home, line.hash, earlier)


def record_of(freeze: str | Path | Freeze, record: str | Path | None = None) -> Path:
    """Return the place of the record of openings of a freeze.

    Parameters
    ----------
    freeze : str, Path or Freeze
    record : str or Path, optional
        Where the user says it is.

    Returns
    -------
    Path
        By default beside the freeze file.

    Raises
    ------
    InputError
        If the freeze is no file, and nobody says where its record is.
    """
    if record is not None:
        return Path(record).absolute()
    if isinstance(freeze, Freeze):
        msg = "record: give the path of the record of openings, or the freeze as the file that it was written to"
        raise InputError(msg)
    return Path(freeze).resolve().parent / NAME


def checked_opening(value: Any) -> Opening | None:
    """What was given as `unblind`.

    Parameters
    ----------
    value : Any

    Returns
    -------
    Opening or None

    Raises
    ------
    BlindedError
        If it is something else, such as the hash of a configuration.
    """
    if value is None or isinstance(value, Opening):
        return value
    what = f"the hash {value!r}" if isinstance(value, str) else f"a {type(value).__name__}"
    msg = f"the box stays closed: unblind: {what} opens nothing; {HOW}, or give `na64mu.open_box('freeze.json', reason=...)`"
    raise BlindedError(msg)


def _must_have(home: Path, lines: tuple[Line, ...], folder: str | Path | None) -> None:
    """Look whether a record has all lines that a folder has a copy of."""
    if folder is None:
        return
    copy = Path(folder) / NAME
    missing = {line.hash: line for line in read_lines(copy)}.keys() - {line.hash for line in lines}
    if missing:
        msg = (
            f"the box stays closed: {home} lacks {len(missing)} lines that {copy} has: it was shortened or replaced, or the freeze file "
            "was moved without it; put the record back beside the freeze file"
        )
        raise BlindedError(msg)
