"""Arguments of public functions: converted to the type that the function needs, or refused in one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from na64mu.errors import ArgumentError, InputError, Na64muError
from na64mu.typing import FloatArray

__all__ = ("choice", "file_name", "file_names", "number", "numbers", "one_of", "whole")

Member = TypeVar("Member", bound=Enum)
INFINITY = float("inf")


def _plain(name: object) -> str:
    return str(name).strip().casefold().replace("_", "-").replace(" ", "-")


def choice(value: object, kind: type[Member], name: str) -> Member:
    """A member of an enumeration.

    Parameters
    ----------
    value : object
        A member, its value, or its name in any case, with - or _.
    kind : type
        The enumeration.
    name : str
        Name of the argument, for the message.

    Returns
    -------
    Enum
        The member.

    Raises
    ------
    ArgumentError
        If there is no such member; the message lists them.
    """
    if isinstance(value, kind):
        return value
    if isinstance(value, str):
        for member in kind:
            if _plain(value) == _plain(member.name) or (isinstance(member.value, str) and _plain(value) == _plain(member.value)):
                return member
    elif isinstance(value, int | np.integer) and not isinstance(value, bool):
        for member in kind:
            if member.value == int(value):
                return member
    listed = ", ".join(_plain(m.name) + (f" ({m.value})" if isinstance(m.value, int) else "") for m in kind)
    msg = f"there is no {name} {_short(value)}: known are {listed}"
    raise ArgumentError(msg)


def one_of(value: Any, choices: Iterable[Any], name: str, error: type[Na64muError] = ArgumentError) -> Any:
    """Check that a value is one of a few plain values, such as the strings or numbers of a Literal.

    Parameters
    ----------
    value : object
        One of them; a string in any case, with - or _.
    choices : iterable
        The plain values.
    name : str
        Name of the argument, for the message.
    error : type
        Exception to raise.

    Returns
    -------
    object
        The choice itself.

    Raises
    ------
    ArgumentError
        If it is none of them; the message lists them.
    """
    known = tuple(choices)
    for each in known:
        if isinstance(each, str):
            if isinstance(value, str) and _plain(value) == _plain(each):
                return each
        elif isinstance(value, int | np.integer) and not isinstance(value, bool) and each == int(value):
            return each
    msg = f"there is no {name} {_short(value)}: known are {', '.join(map(str, known))}"
    raise error(msg)


def _short(value: object) -> str:
    """Return a wrong value as it is shown in a message: itself if it is short, else its type."""
    text = repr(value) if isinstance(value, str | bytes | int | float | list | tuple | dict | type(None)) else ""
    return text if 0 < len(text) < 80 else f"a value of type {type(value).__name__}"


def _outside(name: str, above: float, least: float, below: float, most: float, found: str) -> str:
    limits = [
        text
        for text, is_set in (
            (f"above {above:g}", above > -INFINITY),
            (f"at least {least:g}", least > -INFINITY),
            (f"below {below:g}", below < INFINITY),
            (f"at most {most:g}", most < INFINITY),
        )
        if is_set
    ]
    wanted = f"a number {' and '.join(limits)}" if limits else "a finite number"
    return f"{name} must be {wanted}; found {found}"


def numbers(
    value: Any,
    name: str,
    *,
    above: float = -INFINITY,
    least: float = -INFINITY,
    below: float = INFINITY,
    most: float = INFINITY,
    gaps: bool = False,
    error: type[Na64muError] = ArgumentError,
) -> FloatArray:
    """Finite numbers within limits, checked in one pass.

    Parameters
    ----------
    value : FloatArray or float
        A number or numbers, of any shape.
    name : str
        Name of the argument with its unit, for the message.
    above, below : float
        Limits that are not allowed themselves.
    least, most : float
        Limits that are allowed themselves.
    gaps : bool
        Whether NaN is allowed where there is no number, as in a limit that is blinded.
    error : type
        Exception to raise.

    Returns
    -------
    FloatArray
        The same, as float64.

    Raises
    ------
    ArgumentError
        If one of them is not finite or outside.
    """
    try:
        given = np.asarray(value)
    except (TypeError, ValueError) as cause:
        raise error(_outside(name, above, least, below, most, _short(value))) from cause
    if given.dtype.kind not in "iuf" and given.size:  # text, True, None, objects
        raise error(_outside(name, above, least, below, most, _short(value)))
    array = given.astype(np.float64, copy=False)
    good = np.isfinite(array) & (array > above) & (array >= least) & (array < below) & (array <= most)
    if gaps:
        good |= np.isnan(array)
    if not good.all():
        raise error(_outside(name, above, least, below, most, f"{array[~good].flat[0]:g}"))
    return array


def number(value: Any, name: str, **limits: Any) -> float:
    """Return one finite number within limits; see `numbers`."""
    array = numbers(value, name, **limits)
    if array.ndim > 0:
        msg = f"{name} must be one number; found an array of shape {array.shape}"
        raise limits.get("error", ArgumentError)(msg)
    return float(array)


def whole(value: Any, name: str, *, least: int = 0, most: int | None = None, error: type[Na64muError] = ArgumentError) -> int:
    """A whole number within limits.

    Parameters
    ----------
    value : int
        The number; 3.0 is one, 3.5 and True are none.
    name : str
        Name of the argument, for the message.
    least, most : int
        Limits, which are allowed themselves.
    error : type
        Exception to raise.

    Returns
    -------
    int
        The same.

    Raises
    ------
    ArgumentError
        If it is not whole or outside.
    """
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not is_number or not np.isfinite(value) or value != int(value) or value < least or (most is not None and value > most):
        msg = f"{name} must be a whole number from {least}{'' if most is None else f' to {most}'}; found {_short(value)}"
        raise error(msg)
    return int(value)


NAME = "the name of a file is wanted, as str or Path"


def file_name(value: Any, name: str, error: type[Na64muError] = InputError, wanted: str = NAME) -> str | Path:
    """The name of one file, folder or address, with ~ replaced by the home folder.

    Parameters
    ----------
    value : str or os.PathLike
        The name.
    name : str
        Name of the argument, for the message.
    error : type
        Exception to raise.
    wanted : str
        Description of the expected value, for the message.

    Returns
    -------
    str or Path
        A name without ~ comes back as it is.

    Raises
    ------
    InputError
        If it is no name, or an empty one.
    """
    if isinstance(value, os.PathLike) and not isinstance(value, Path):
        value = value.__fspath__()
    if not isinstance(value, str | Path) or not str(value).strip():
        msg = f"{name}: {wanted}; found {_short(value)}"
        raise error(msg)
    if not str(value).startswith("~"):
        return value
    try:
        return type(value)(Path(value).expanduser())
    except RuntimeError as cause:
        msg = f"{name}: {value} names the home folder of a user that this machine does not know; write the whole path"
        raise error(msg) from cause


def file_names(value: Any, name: str, error: type[Na64muError] = InputError, *, may_be_none: bool = False) -> list[str | Path]:
    """Names of files: one name is a list of one, never its letters.

    Parameters
    ----------
    value : str, os.PathLike or iterable of them
        One name, or a list, tuple, set, generator ... of names.
    name : str
        Name of the argument, for the message.
    error : type
        Exception to raise.
    may_be_none : bool
        Whether an empty list is allowed.

    Returns
    -------
    list of str or Path
        Each as `file_name` gives it.

    Raises
    ------
    InputError
        If there is no name, or one of them is none.
    """
    if isinstance(value, str | os.PathLike):
        return [file_name(value, name, error)]
    if isinstance(value, bytes) or not isinstance(value, Iterable):
        msg = f"{name}: the name of a file or a list of names is wanted; found {_short(value)}"
        raise error(msg)
    found = [file_name(each, name, error) for each in value]
    if not found and not may_be_none:
        msg = f"{name}: no file was named"
        raise error(msg)
    return found
