"""Content of a kernel in memory: its own code, the code of the functions it calls, and the values that numba freezes into it.

The files on disk may be newer than what a process has imported, and a constant may have been computed from something that is no source
file; both are seen here. What is no reference by name (a method of an argument, an instruction) is covered by sources.py.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from numba import types

__all__ = ("Contents", "contents", "modules_of")

_ABSENT = object()


class Contents(NamedTuple):
    """A kernel with all that it uses.

    Attributes
    ----------
    digest : str
        Hash of code and values.
    functions : tuple of FunctionType
        The kernel and all functions that it reaches by name.
    """

    digest: str
    functions: tuple[FunctionType, ...]


def contents(function: FunctionType) -> Contents:
    """Code and frozen values of a kernel, now.

    Parameters
    ----------
    function : FunctionType
        The Python function of a kernel.

    Returns
    -------
    Contents
        Hash, and functions in the order in which they are met.
    """
    digest = hashlib.sha256()
    met: dict[FunctionType, None] = {function: None}
    for user in _growing(met):
        digest.update(f"{user.__module__}.{user.__qualname__} {_code(user.__code__)} {user.__defaults__!r}\n".encode())
        for name, value in _values(user):
            digest.update(f"{name} {_said(value, met, user)}\n".encode())
    return Contents(digest.hexdigest(), tuple(met))


def _growing(met: dict[FunctionType, None]) -> Iterator[FunctionType]:
    """Keys of a dictionary that grows during the iteration."""
    done = 0
    while done < len(met):
        for function in list(met)[done:]:
            done += 1
            yield function


@lru_cache(maxsize=8192)
def _code(code: CodeType) -> str:
    """Hash of instructions and constants, without file and line numbers."""
    digest = hashlib.sha256(code.co_code)
    for constant in code.co_consts:
        digest.update((_code(constant) if isinstance(constant, CodeType) else _said(constant)).encode())
    digest.update(repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)).encode())
    return digest.hexdigest()


@lru_cache(maxsize=8192)
def _names(code: CodeType) -> frozenset[str]:
    """Names that code looks up outside itself, as variables of the module or as attributes."""
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return frozenset(code.co_names).union(*inner)


def _values(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Return what a function refers to: variables of its module, those of other modules by attribute, and the variables of its closure."""
    names, place = _names(function.__code__), function.__globals__
    for name in sorted(names):
        value = place.get(name, _ABSENT)
        if isinstance(value, ModuleType):
            own = _is_own(value.__name__, function)
            yield from ((f"{name}.{part}", getattr(value, part)) for part in sorted(names) if own and hasattr(value, part))
        elif value is not _ABSENT:
            yield name, value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, cell.cell_contents


def _is_own(module: str, function: FunctionType) -> bool:
    """Whether a module is of na64mu or of the package of the function."""
    return module.partition(".")[0] in {"na64mu", str(function.__module__).partition(".")[0]}


def _said(value: Any, met: dict[FunctionType, None] | None = None, user: FunctionType | None = None) -> str:
    """A value as text that is the same in every process; functions are added to those that were met."""
    python = getattr(value, "py_func", None) or getattr(value, "_defn", None) or value
    if isinstance(python, FunctionType):
        compiled = python is not value
        if met is not None and user is not None and (compiled or _is_own(str(python.__module__), user)):
            met.setdefault(python)
        options = getattr(value, "targetoptions", {}) if compiled else {}
        return f"{python.__module__}.{python.__qualname__} {sorted((k, _said(v)) for k, v in options.items())}"
    if isinstance(value, np.ndarray):
        return f"array {value.dtype} {value.shape} {hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}"
    if isinstance(value, enum.Enum):
        return f"{type(value).__qualname__}.{value.name} {value.value!r}"
    if isinstance(value, tuple | list):
        return f"{type(value).__qualname__} {[_said(part, met, user) for part in value]}"
    if isinstance(value, set | frozenset):
        return f"set {sorted(_said(part, met, user) for part in value)}"
    if isinstance(value, int | float | complex | str | bytes | np.generic | None):
        return f"{type(value).__qualname__} {value!r}"
    if isinstance(value, type):
        return f"class {value.__module__}.{value.__qualname__} {getattr(value, '_fields', '')}"
    return type(value).__qualname__


@lru_cache(maxsize=8192)
def modules_of(kind: Any) -> frozenset[str]:
    """Modules in which the parts of the type of an argument are defined: named tuples, and types that numba was taught.

    Parameters
    ----------
    kind : numba type
        Type of an argument.

    Returns
    -------
    frozenset of str
        Names of modules outside numba.
    """
    found, ahead, seen = set(), [kind], set()
    while ahead:
        part = ahead.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, type):
            found.add(part.__module__)
        elif isinstance(part, types.Type):
            ahead += [type(part), *vars(part).values()]
        elif isinstance(part, tuple | list):
            ahead += part
    return frozenset(name for name in found if name.partition(".")[0] not in {"numba", "numpy", "builtins"})
