"""Plain English: what a docstring or a comment describes is, holds or represents something, and a parameter is described in full."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "processors", "selections")

STAND = re.compile(r"\b(?:stands?|standing|stood)\b", re.IGNORECASE)
#: Uses that are right: a name with its own hyphen, a rule that holds, and what a person must not do.
RIGHT = re.compile(r"\bstand-(?:alone|in)\b|\bas it stands\b|\bstand(?:s|ing)? still\b|\bstanding waves?\b", re.IGNORECASE)
#: A description that is cut off: "Of the nucleus." where the charge and mass number of the nucleus are meant.
FRAGMENT = re.compile(r"(?:Of|As of|That of|Those of)\s")
#: An entry of a numpydoc section: `name : type`, a type alone, or `**options`.
ENTRY = re.compile(r"[\w*, ]+ : \S.*|\*{0,2}\w[\w.\[\], ]*")


#: Modules whose text is still to be rewritten; it only ever gets shorter.
REMAINING: set[str] = set()


def sources() -> list[Path]:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in paths if path.relative_to(ROOT).as_posix() not in REMAINING]


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Line of a definition, and its docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and (text := ast.get_docstring(node)):
            yield getattr(node, "lineno", 1), text


def comments(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every comment."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def standing(source: str) -> list[str]:
    """Lines of docstrings and comments with "stands" where "is", "holds" or "represents" is meant."""
    lines = [(number, line) for number, text in (*docstrings(source), *comments(source)) for line in text.splitlines()]
    return [f"{number}: {line.strip()}" for number, line in lines if STAND.search(RIGHT.sub("", line))]


def fragments(source: str) -> list[str]:
    """Summaries and descriptions of parameters that begin with "Of", "As of", "That of" or "Those of"."""
    found = []
    for number, text in docstrings(source):
        lines = text.splitlines()
        for before, line in zip(["", *lines], lines, strict=False):
            is_described = line.startswith("    ") and ENTRY.fullmatch(before.strip()) and not before.startswith("    ")
            if FRAGMENT.match(line.strip()) and (line is lines[0] or is_described):
                found.append(f"{number}: {line.strip()}")
    return found


@pytest.mark.parametrize("rule", [standing, fragments])
def test_docstrings_and_comments_are_plain_english(rule):
    files = sources()
    assert len(files) > 250
    found = [f"{path.relative_to(ROOT)}:{place}" for path in files for place in rule(path.read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


def test_a_word_out_of_place_is_seen():
    source = '"""Units stand in the header."""\n\nX = 1  # stands for a stand-alone file\nY = "it stands"  # understand the standard\n'
    assert standing(source) == ["1: Units stand in the header.", "3: # stands for a stand-alone file"]
    assert standing('def f():\n    """A stand-alone file, used as it stands."""\n') == []


def test_a_description_that_is_cut_off_is_seen():
    source = '''
def f(z, path, **options):
    """Cross-section.

    Of all that is here this paragraph says nothing.

    Parameters
    ----------
    z : float
        Of the nucleus.
    path : str or Path
        Charge number
        Of the nucleus.
    **options
        As of `g`.

    Returns
    -------
    float
        Those of g.
    """


def g():
    """Of the nucleus."""


def h(z):
    """Office hours.

    Parameters
    ----------
    z : float
        Charge number of the nucleus.
    """
'''
    assert fragments(source) == ["2: Of the nucleus.", "2: As of `g`.", "2: Those of g.", "24: Of the nucleus."]
