"""Hints for messages about a mistyped word: the nearest known word."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, get_args

import click

from na64mu.common.deprecation import renamed

__all__ = ("Known", "nearest", "suggestion", "with_hint")

#: A word in quotes at the beginning of click's message about a choice.
QUOTED = re.compile(r"^'([^']*)' is not one of ")
#: Form in which a message of the library names an unknown word and the known ones.
UNKNOWN = re.compile(r"'([^']*)'(?: in the output folder)?[:;,] (?:known are|there are) ([^;:()]+)")


def nearest(word: str, known: list[str] | tuple[str, ...] | dict[str, str]) -> str:
    """The known word that the typed one is probably meant to be.

    Parameters
    ----------
    word : str
        The word as typed.
    known : sequence of str
        Known words.

    Returns
    -------
    str
        One of the known words, or an empty string.
    """
    import difflib

    found = difflib.get_close_matches(word.lower(), [k.lower() for k in known], n=1)
    return next((k for k in known if found and k.lower() == found[0]), "")


def suggestion(message: str) -> str:
    """Suggest the nearest known name for a message about an unknown detector, selection, process or dataset.

    Parameters
    ----------
    message : str
        Message such as "no detector description 'na64-2022': known are g4raw-indep-1, na64mu-2022".

    Returns
    -------
    str
        A question with the nearest of the known names, with a space before it; nothing if the message is another or no name is near.
    """
    found = UNKNOWN.search(message)
    near = nearest(found[1], [name.strip(" '[]") for name in found[2].split(",")]) if found else ""
    return f" Did you mean {near!r}?" if near else ""


def with_hint(error: click.BadParameter) -> click.BadParameter:
    """Return the error with the nearest choice added, if the option takes one of several words.

    Parameters
    ----------
    error : click.BadParameter
        From the parsing of a command line.

    Returns
    -------
    click.BadParameter
        The error itself where nothing is near.
    """
    kind = None if error.param is None else error.param.type
    typed = QUOTED.match(error.message)
    if isinstance(kind, click.Choice) and typed:
        near = nearest(typed[1], [str(choice) for choice in kind.choices])
        if near:
            return click.BadParameter(f"{error.message} Did you mean {near!r}?", error.ctx, error.param, error.param_hint)
    return error


class Known(click.Choice[str]):
    """A choice of what a registry holds; the registry is imported when the choices are asked for, and what a user's file adds to it is known.

    Parameters
    ----------
    place : str
        Module and name of a dictionary with the choices as keys, a sequence, an enumeration, or a Literal: "na64mu.physics.bosons:BOSONS".
    old : mapping of str to str
        Old name -> new name: it is still taken, with a warning that says the new one.
    """

    def __init__(self, place: str, old: Mapping[str, str] | None = None) -> None:
        self.place, self.old, self.case_sensitive = place, dict(old or {}), True

    @property
    def choices(self) -> Sequence[str]:  # type: ignore[override]  # click keeps a tuple
        """The names now."""
        module, _, name = self.place.partition(":")
        found = getattr(importlib.import_module(module), name)
        if isinstance(found, type) and issubclass(found, Enum):
            return tuple(member.name.lower() for member in found)
        return tuple(get_args(found) or found)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name now."""
        if value in self.old:
            click.echo(f"Warning: {renamed(value, self.old[value])}", err=True)
            value = self.old[value]
        return str(super().convert(value, param, ctx))
