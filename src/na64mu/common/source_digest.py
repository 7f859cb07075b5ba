"""SHA-256 of the source of functions and classes of the user's own: part of the configuration that a result names."""

from __future__ import annotations

import hashlib
import inspect
from typing import Any

__all__ = ("digest_of_sources",)


def digest_of_sources(*items: Any) -> str:
    """SHA-256 of the source of functions and classes, of the functions, classes and numbers of the same module they name, and of what is bound to them.

    Parameters
    ----------
    *items : callable or type
        Functions and classes.

    Returns
    -------
    str
        Hexadecimal; of the byte code where there is no source.
    """
    digest = hashlib.sha256()
    seen: set[int] = set()
    waiting: list[Any] = list(items)
    while waiting:
        item = waiting.pop(0)
        if id(item) in seen:
            continue
        seen.add(id(item))
        code = getattr(item, "__code__", None)
        try:
            text = inspect.getsource(item)
        except (OSError, TypeError):
            text = repr(getattr(item, "__qualname__", item)) + (code.co_code.hex() + repr(code.co_consts) if code is not None else "")
        digest.update(text.encode())
        for value in _bound(item):
            digest.update(repr(value).encode())
        for name in sorted(code.co_names) if code is not None else ():
            value = getattr(item, "__globals__", {}).get(name)
            if isinstance(value, bool | int | float | str | tuple):
                digest.update(f"{name} = {value!r}".encode())
            elif getattr(value, "__module__", None) == item.__module__ and callable(value):
                waiting.append(value)
    return digest.hexdigest()


def _bound(item: Any) -> list[Any]:
    """Defaults of a function, and what a function that was made by another one took from it, as far as these are plain values."""
    if not hasattr(item, "__code__"):
        return []
    cells = [cell.cell_contents for cell in item.__closure__ or ()]
    values = [*(item.__defaults__ or ()), *(item.__kwdefaults__ or {}).items(), *cells]
    return [value for value in values if isinstance(value, bool | int | float | str | tuple)]
