"""Modules with generated source: imported from memory, so that no file of code has to be trusted."""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from types import ModuleType

__all__ = ("import_source",)


class _Loader(importlib.abc.InspectLoader):
    """Has the source of one module; debuggers and the cache of kernels ask it for the text."""

    def __init__(self, source: str) -> None:
        self._source = source

    def get_source(self, fullname: str) -> str:  # noqa: ARG002 (what importlib calls)
        """The text."""
        return self._source


def import_source(name: str, source: str) -> ModuleType:
    """Import a source text as a module.

    Parameters
    ----------
    name : str
        Its name begins with this and goes on with a hash of the text: the same text is the same module.
    source : str
        Python.

    Returns
    -------
    ModuleType
        The module, which `sys.modules` has too.
    """
    full = f"{name}_{hashlib.sha256(source.encode()).hexdigest()[:20]}"
    if full in sys.modules:
        return sys.modules[full]
    loader = _Loader(source)
    module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(full, loader, origin=f"<{full}>"))
    sys.modules[full] = module  # by its name, the cache finds what a function belongs to
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[full]
        raise
    return module
