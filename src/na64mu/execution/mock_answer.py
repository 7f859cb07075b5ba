"""Answer of a rehearsal: what was hidden in mock data, in one JSON file with a hash that can be published before it is opened."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from na64mu.common.arguments import file_name
from na64mu.common.toml_model import content_hash
from na64mu.common.whole_file import write_whole
from na64mu.errors import InputError

__all__ = ("read_answer", "write_answer")

KIND = "answer of na64mu mock"


def write_answer(path: Path, content: Mapping[str, Any]) -> str:
    """Write an answer.

    Parameters
    ----------
    path : Path
        JSON file.
    content : mapping
        What was hidden, as plain values.

    Returns
    -------
    str
        SHA-256 over all of it; a random salt is part of it, so that nobody can try guesses against the hash.
    """
    made = {"kind": KIND, "format_version": 1, "salt": secrets.token_hex(16), **content}
    digest = content_hash(made)
    write_whole(path, json.dumps(made | {"sha256": digest}, indent=1) + "\n")
    return digest


def read_answer(path: str | Path) -> dict[str, Any]:
    """Read an answer, and check that it is the one whose hash it has.

    Parameters
    ----------
    path : str or Path
        JSON file that `na64mu mock` wrote.

    Returns
    -------
    dict
        `hidden`, `samples` (expected and drawn events), `signal_events`, `files`, `sha256` ...

    Raises
    ------
    InputError
        If it cannot be read, is no answer, or was edited.
    """
    place = Path(file_name(path, "answer"))
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{place}: cannot be read as JSON ({error}); the answer file of `na64mu mock` is wanted"
        raise InputError(msg) from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        msg = f"{place}: not an answer of `na64mu mock`"
        raise InputError(msg)
    if content_hash({name: value for name, value in content.items() if name != "sha256"}) != content.get("sha256"):
        msg = f"{place}: the answer was edited: it does not have the SHA-256 that it states"
        raise InputError(msg)
    return content
