"""Figures drawn by the program: to files only, and a figure that fails is a warning. matplotlib is not imported here: that can fail too."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from na64mu.errors import Na64muError

__all__ = ("attempt", "for_files", "is_for_files")

T = TypeVar("T")

log = logging.getLogger(__name__)

_FOR_FILES: ContextVar[bool] = ContextVar("na64mu_figures_for_files", default=False)


def is_for_files() -> bool:
    """Whether figures are made for files now, see `for_files`."""
    return _FOR_FILES.get()


@contextmanager
def for_files() -> Iterator[None]:
    """Figures that are made within are for files: pyplot, which wants the user's display or notebook, never hears of them."""
    token = _FOR_FILES.set(True)
    try:
        yield
    finally:
        _FOR_FILES.reset(token)


def attempt(what: str, draw: Callable[[], T], otherwise: T) -> T:
    """Draw for files; a figure that fails is a warning, and everything else continues.

    Parameters
    ----------
    what : str
        Name of the figure.
    draw : callable
        Makes and writes it.
    otherwise : T
        Value that is returned if it fails.

    Returns
    -------
    T
        Return value of `draw`.

    Raises
    ------
    Na64muError
        An error that na64mu raises on purpose, such as a full disk, is no failure of drawing.
    """
    try:
        with for_files():
            return draw()
    except Na64muError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever a library of figures and fonts raises
        log.warning("the figure %s could not be drawn (%s: %s); everything else is written", what, type(error).__name__, error)
        return otherwise
