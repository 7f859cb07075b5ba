"""Output of sentences and tables: control characters in foreign names are escaped, and every output encoding works."""

from __future__ import annotations

import codecs
import logging
import sys
import unicodedata
from typing import TYPE_CHECKING

import click

from na64mu.errors import one_line

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ("LogFormatter", "any_encoding", "note", "table_console")

#: Substitute for a character that the output's encoding lacks.
PLAIN = {"±": "+-", "→": "->", "←": "<-", "×": "x", "…": "...", "−": "-", "–": "-", "—": "-", "·": "*", "≤": "<=", "≥": ">=", "≈": "~"}
GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "Δ": "Delta",
    "ε": "epsilon",
    "θ": "theta",
    "μ": "mu",
    "µ": "u",
    "π": "pi",
} | {
    "ρ": "rho",
    "σ": "sigma",
    "χ": "chi",
    "ψ": "psi",
    "Ω": "Omega",
}
BOX = {"─": "-", "━": "-", "│": "|", "┃": "|", "┼": "+", "╇": "+", "╺": "-", "╸": "-", "╴": "-", "╶": "-"}


def any_encoding() -> None:
    """Let stdout and stderr write a character that their encoding lacks as plain letters, instead of failing."""
    codecs.register_error("na64mu-plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="na64mu-plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = "".join(_letters(c) for c in error.object[error.start : error.end])
    return text, error.end


def _letters(character: str) -> str:
    known = (PLAIN | GREEK | BOX).get(character)
    if known is not None:
        return known
    if unicodedata.category(character) == "Zs":
        return " "
    without_accent = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode("ascii")
    return without_accent or one_line(character).encode("ascii", "backslashreplace").decode("ascii")


def note(text: object) -> None:
    """Print one sentence to stderr; it stays one line.

    Parameters
    ----------
    text : object
        A warning, a loss, what was written.
    """
    click.echo(one_line(text), err=True)


class LogFormatter(logging.Formatter):
    """Messages as one line each; a traceback below one keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (Python's name)
        """The line of a record."""
        record.message = one_line(record.message)
        return super().formatMessage(record)


def table_console(width: int = 130) -> Console:
    """Return the console for tables: stdout, as wide as the terminal, or of a fixed width in a file or pipe.

    Parameters
    ----------
    width : int
        Columns where there is no terminal.

    Returns
    -------
    rich.console.Console
        Control characters in a cell are written out.
    """
    from rich.console import Console

    from na64mu.report.terminal import Written

    console = Console()
    if not console.is_terminal:
        console = Console(file=sys.stdout, width=width)
    console.push_render_hook(Written())
    return console
