"""Runs a processor over files: coffea plans the chunks and its executors run them. Nothing is lost silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from na64mu.execution.options import RunOptions as RunOptions
    from na64mu.execution.run import run_search as run_search

__all__ = ("RunOptions", "run_search")

#: Name -> module that has it: they are imported when they are first used, so that the names of the executors cost the command line nothing.
_PLACES = {"RunOptions": "na64mu.execution.options", "run_search": "na64mu.execution.run"}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        msg = f"module 'na64mu.execution' has no attribute {name!r}"
        raise AttributeError(msg)
    import importlib

    return getattr(importlib.import_module(_PLACES[name]), name)
