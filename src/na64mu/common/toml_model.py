"""Reading a TOML file into a frozen pydantic model, with errors that name the file and the key."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from na64mu.errors import Na64muError

__all__ = ("content_hash", "key_of", "read_toml", "toml_lines", "validate")

Model = TypeVar("Model", bound=BaseModel)

#: How a text of a TOML file writes a zero byte.
ZERO = re.compile(r"\\(u0000|U00000000)")


def key_of(location: tuple[Any, ...]) -> str:
    """A place in a nested structure as a reader writes it: cuts[2].thresholds.centre."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "(top level)"


def read_toml(path: Path, error: type[Na64muError]) -> dict[str, Any]:
    """Content of a TOML file.

    Parameters
    ----------
    path : Path
        The file.
    error : type
        Exception to raise if it cannot be read.

    Returns
    -------
    dict
        The tables.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (OSError, ValueError) as cause:  # a path with a zero byte, bytes that are no text, and text that is no TOML, are values
        msg = f"{path}: cannot be read as TOML: {cause}"
        raise error(msg) from cause
    except RecursionError as cause:
        msg = f"{path}: cannot be read as TOML: its tables or lists are nested too deeply"
        raise error(msg) from cause
    if ZERO.search(text):
        msg = f"{path}: a text in it has a zero byte, which no name or path can have: remove it"
        raise error(msg)
    return content


def validate(model: type[Model], content: dict[str, Any], where: str, error: type[Na64muError]) -> Model:
    """Build a model from the content of a file.

    Parameters
    ----------
    model : type
        A pydantic model.
    content : dict
        Its fields.
    where : str
        Name of the file, for messages.
    error : type
        Exception to raise: one line per wrong key, with what was expected and what was found.

    Returns
    -------
    BaseModel
        The validated model.
    """
    try:
        return model.model_validate(content)
    except ValidationError as cause:
        lines = []
        for e in cause.errors():
            found = "" if e["type"] == "missing" or isinstance(e["input"], dict) else f", found {e['input']!r}"
            lines += [f"{where}: {key_of(e['loc'])}: {line}{found}" for line in e["msg"].removeprefix("Value error, ").splitlines()]
        raise error(*lines) from cause


def content_hash(content: Any) -> str:
    """SHA-256 of the canonical JSON (sorted keys, no blanks) of plain values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def toml_lines(table: dict[str, Any], prefix: tuple[str, ...] = ()) -> list[str]:
    """Plain values as lines of TOML, values before tables.

    Parameters
    ----------
    table : dict
        Strings, numbers, lists and tables; no None.
    prefix : tuple of str
        Keys that lead to the table, outermost first.

    Returns
    -------
    list of str
        Without line ends; `read_toml` gives the same table back.
    """
    lines = [f"{key} = {_toml_value(value)}" for key, value in table.items() if not _is_table(value)]
    for key, value in table.items():
        name = (*prefix, key)
        if isinstance(value, dict):
            only_tables = value and all(_is_table(v) for v in value.values())  # their own headers name it
            lines += [*([] if only_tables else ["", f"[{'.'.join(name)}]"]), *toml_lines(value, name)]
        elif _is_table(value):
            for entry in value:
                lines += ["", f"[[{'.'.join(name)}]]", *toml_lines(entry, name)]
    return lines


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and len(value) > 0 and isinstance(value[0], dict))


def _toml_value(value: Any) -> str:
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)  # strings, integers, lists read the same
