"""A processor by its name: of the search, or of a user's own file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from na64mu.errors import ProcessorError
from na64mu.processors.base import takes_events
from na64mu.selections.user import load_user_file

__all__ = ("SEARCH", "processor_named")

#: Name of the search.
SEARCH = "search"


def processor_named(name: str, user: Iterable[str | Path] = ()) -> Any:
    """Find a processor in a user's own files.

    Parameters
    ----------
    name : str
        "search"; the name of a function, an instance or a class in one of the files; or "FILE.py:NAME". A class is instantiated without arguments.
    user : iterable of str or Path
        The files that are looked at, in order.

    Returns
    -------
    Any
        The processor; None for the search.

    Raises
    ------
    ProcessorError
        If there is none of this name; the message lists those that there are.
    """
    if name == SEARCH:
        return None
    file, colon, own = name.rpartition(":")
    files = [file] if colon else [str(each) for each in user]
    if not files:
        msg = (
            f"no processor {name!r}: name the file that holds it with --user FILE, or write FILE.py:{name}; known without a file: {SEARCH}"
        )
        raise ProcessorError(msg)
    known: list[str] = []
    for each in files:
        module = load_user_file(each)
        if hasattr(module, own):
            return _instance(getattr(module, own), own, each)
        known += [key for key, value in vars(module).items() if not key.startswith("_") and _is_one(value, module.__name__)]
    msg = f"no processor {own!r} in {', '.join(files)}: known are {', '.join(known) or 'none'}"
    raise ProcessorError(msg)


def _instance(found: Any, name: str, file: str) -> Any:
    if not isinstance(found, type):
        return found
    try:
        return found()
    except TypeError as error:
        msg = f"{file}: the processor {name} cannot be made without arguments ({error}): write {name.lower()} = {name}(...) in the file, and give that name"
        raise ProcessorError(msg) from error


def _is_one(value: Any, module: str) -> bool:
    """Whether something in a file looks like a processor: a class or an instance with `process`, or a function that is defined there."""
    if takes_events(value) or callable(getattr(value, "process", None)):
        return getattr(value, "__module__", type(value).__module__) == module or not isinstance(value, type)
    return hasattr(value, "__code__") and value.__module__ == module
