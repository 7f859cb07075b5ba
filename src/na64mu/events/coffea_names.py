"""The inner names of coffea that na64mu needs, and the releases that are known to have them.

coffea documents its executors, its Runner and `NanoEventsFactory`. What a schema of one's own needs beyond these moves between releases;
it is imported here and nowhere else, so that a release that lacks a name is met with one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import metadata
from typing import Any

from na64mu.errors import Na64muError

__all__ = (
    "BaseSchema",
    "NanoCollection",
    "NanoEvents",
    "NanoEventsFactory",
    "base_behavior",
    "console",
    "counts_to_offsets",
    "file_meta",
    "register_form_step",
    "unknown_release",
    "zip_forms",
)

#: Oldest and newest release that passed the tests (year, month).
TRIED = ((2026, 5), (2026, 9))


def _missing(error: Exception) -> Na64muError:
    """Return the message about a release that lacks a name."""
    (first_year, first_month), (last_year, last_month) = TRIED
    tried = f"{first_year}.{first_month} to {last_year}.{last_month}"
    msg = f"coffea {metadata.version('coffea')} lacks a name that na64mu needs ({error}): install one that was tried, {tried}"
    return Na64muError(msg)


try:
    from coffea.nanoevents import NanoEventsFactory, transforms
    from coffea.nanoevents.methods.base import NanoCollection, NanoEvents
    from coffea.nanoevents.methods.base import behavior as base_behavior
    from coffea.nanoevents.schemas.base import BaseSchema, zip_forms

    counts_to_offsets = transforms.counts2offsets_form
except (ImportError, AttributeError) as missing:
    raise _missing(missing) from missing


def unknown_release(version: str | None = None) -> str | None:
    """Return the warning about a release of coffea that was not tried.

    Parameters
    ----------
    version : str, optional
        Version of coffea; the installed one if it is not given.

    Returns
    -------
    str or None
        One sentence, or None for a release that was tried.
    """
    version = metadata.version("coffea") if version is None else version
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is not None and TRIED[0] <= (int(found[1]), int(found[2])) <= TRIED[1]:
        return None
    (first_year, first_month), (last_year, last_month) = TRIED
    return f"coffea {version} was not tried with this release of na64mu: {first_year}.{first_month} to {last_year}.{last_month} are known to work"


def register_form_step(name: str, step: Callable[[list[Any]], None]) -> None:
    """Add a step that the form keys of a schema can name.

    coffea looks the steps of its form keys up in one of its modules; there is no other way to give it one.

    Parameters
    ----------
    name : str
        Name of the step, without its exclamation mark.
    step : callable
        Takes the stack of a form key and changes it in place.
    """
    setattr(transforms, name, step)


def file_meta(dataset: str, path: str, tree: str) -> Any:
    """Key of a file in the cache of metadata of coffea's Runner.

    Parameters
    ----------
    dataset, path, tree : str
        Dataset, path and tree of the file in the fileset.

    Returns
    -------
    FileMeta
        The key.
    """
    try:
        from coffea.processor.executor import FileMeta
    except ImportError as error:
        raise _missing(error) from error
    return FileMeta(dataset, path, tree)


def console() -> Any:
    """The console that coffea shows progress on.

    Returns
    -------
    coffea.util.CoffeaConsole
        It has the attributes stderr, quiet and is_jupyter.
    """
    try:
        from coffea.util import coffea_console
    except ImportError as error:
        raise _missing(error) from error
    return coffea_console
