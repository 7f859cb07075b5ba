"""Text from elsewhere (names of files, branches, titles) as it is shown: nothing in it can colour, delete or forge a line."""

from __future__ import annotations

import unicodedata
from html import escape

__all__ = ("in_html", "one_line")

#: Kinds of characters (Unicode) that a terminal obeys or that break a line: controls, formats, lone surrogates, line and paragraph ends.
OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def one_line(text: object) -> str:
    r"""Return a text as it is shown: control characters and line ends are escaped.

    Names of files, branches and titles may come from other people: they must not colour, delete or forge lines.

    Parameters
    ----------
    text : object
        Text of a message or of a cell of a table.

    Returns
    -------
    str
        Without control characters and line ends: an escape character is shown as ``\x1b``.
    """
    return "".join(_written_out(c) if unicodedata.category(c) in OBEYED else c for c in str(text))


def in_html(text: object) -> str:
    """Return a text as it is written into a page: as by `one_line`, and no tag or quotation mark of it counts.

    Parameters
    ----------
    text : object
        Text of a message or of a cell of a table.

    Returns
    -------
    str
    """
    return escape(one_line(text))


def _written_out(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is no text
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
