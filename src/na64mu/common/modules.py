"""Imports every module of a folder, so that what registers itself there is registered."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable

__all__ = ("import_modules",)


def import_modules(package: str, folders: Iterable[str]) -> None:
    """Import the modules of a package in the order of their names.

    Parameters
    ----------
    package : str
        Its `__name__`.
    folders : iterable of str
        Its `__path__`.
    """
    for name in sorted(module.name for module in pkgutil.iter_modules(folders)):
        importlib.import_module(f"{package}.{name}")
