"""A user's own file: executed once, so that the cuts, variables, histograms, regions and processors in it can be named."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle  # type: ignore[import-untyped]  # comes without types

from na64mu.errors import Na64muError, SelectionError
from na64mu.reconstruction.columns import DERIVED
from na64mu.selections.histograms import CATEGORIES, HISTOGRAMS
from na64mu.selections.regions import MASKS, REGIONS
from na64mu.selections.registry import CUTS
from na64mu.selections.working_point import SELECTIONS

__all__ = ("as_in_a_new_process", "load_user_file")

#: File -> its content when it was executed, and what it became.
_EXECUTED: dict[Path, tuple[bytes, ModuleType]] = {}


def load_user_file(path: str | Path) -> ModuleType:
    """Execute a Python file that registers cuts, variables, histograms, regions, or holds processors.

    A file that was executed already, and has not changed since, is not executed again. The file is code: it can do whatever you can.
    What is defined in it travels to workers by value, under coffea's own Runner too.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    module
        What the file defines.

    Raises
    ------
    SelectionError
        If it cannot be read, or ends with an error; the message names the line.
    """
    file = Path(path).resolve()
    try:
        content = file.read_bytes()
    except OSError as error:
        msg = f"{path}: your own file cannot be read ({error.strerror})"
        raise SelectionError(msg) from error
    if file in _EXECUTED and _EXECUTED[file][0] == content:
        return _EXECUTED[file][1]
    name = "na64mu_user_" + re.sub(r"\W", "_", file.stem)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        msg = f"{path}: your own file must end in .py"
        raise SelectionError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(file.parent)
    sys.path.insert(0, folder)  # modules next to it that it imports
    try:
        spec.loader.exec_module(module)
    except Na64muError:
        raise
    except Exception as error:
        line = next((f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == str(file)), None)
        where = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else line
        msg = f"{path}: your own file ends with an error{f' in line {where}' if where else ''}: {type(error).__name__}: {error}"
        raise SelectionError(msg) from error
    finally:
        sys.path.remove(folder)
    cloudpickle.register_pickle_by_value(module)
    _EXECUTED[file] = (content, module)
    return module


@contextmanager
def as_in_a_new_process() -> Iterator[None]:
    """Know nothing of a user's own within: no cut, variable, category, histogram, region or selection; afterwards all is as before."""
    registries: tuple[dict[str, Any], ...] = (CUTS, DERIVED, CATEGORIES, HISTOGRAMS, MASKS, REGIONS, SELECTIONS)
    before, executed = [dict(registry) for registry in registries], dict(_EXECUTED)
    for registry in registries:
        for name in [name for name, value in registry.items() if _is_own(value)]:
            del registry[name]
    _EXECUTED.clear()
    try:
        yield
    finally:
        _EXECUTED.clear()
        _EXECUTED.update(executed)
        for registry, content in zip(registries, before, strict=True):
            registry.clear()
            registry.update(content)


def _is_own(value: Any) -> bool:
    """Whether a registered value is not of the package: histograms, regions and selections are registered by users only."""
    function = getattr(value, "function", None)
    return function is None or not str(function.__module__).startswith("na64mu.")
