"""Endings of a verb that does not finish (interrupted, terminated, or an error of the operating system), and how to continue.

Also what a verb finds around it and puts back: the handler of a signal, a variable of the environment.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ("INTERRUPTED", "TERMINATED", "TerminatedError", "VerbParameters", "goes_on", "listen", "own_backend")

#: Exit codes that shells give to programs ended by these signals.
INTERRUPTED, TERMINATED = 130, 143

VerbParameters = Mapping[str, Any]


class TerminatedError(BaseException):
    """Somebody asked this program to end (SIGTERM): a batch system, a shutdown. No `except Exception` holds it up."""


def listen() -> Callable[[], None]:
    """Turn a request to end into an exception, so that workers and half-written files are cleaned up.

    Returns
    -------
    callable
        Restores what was there before.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    before = signal.signal(signal.SIGTERM, _terminated)
    return lambda: _restore(before)


def own_backend() -> Callable[[], None]:
    """Let matplotlib draw without a display, whatever backend an IDE or a notebook has set in the environment.

    Returns
    -------
    callable
        Restores what was there before.
    """
    before = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "agg"

    def restore() -> None:
        os.environ.pop("MPLBACKEND", None)
        if before is not None:
            os.environ["MPLBACKEND"] = before

    return restore


def _restore(before: Any) -> None:
    signal.signal(signal.SIGTERM, before)


def _terminated(number: int, frame: object) -> None:  # noqa: ARG001 (Python's signature)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second request ends it at once
    raise TerminatedError


def goes_on(verb: str, parameters: VerbParameters) -> str:
    """Say how to continue after an interruption.

    Parameters
    ----------
    verb : str
        Name of the verb.
    parameters : mapping
        Parameters of the command line, as the verb receives them.

    Returns
    -------
    str
        One sentence that says what is kept and how to continue; empty if nothing is kept.
    """
    way = WAYS.get(verb)
    return "" if way is None else way(parameters)


def _run(parameters: VerbParameters) -> str:
    from na64mu.execution.checkpoint import FOLDER

    folder = Path(parameters["output"])
    if not any((folder / FOLDER).glob("*.json")):
        return "No chunk is finished yet; the same command, with or without --resume, begins again."
    return f"Finished chunks are kept in {folder}: the same command with --resume goes on from there."


def _paper(parameters: VerbParameters) -> str:
    folder = Path(parameters["output"])
    if not any((folder / "steps").glob("*.json")):
        return ""
    return f"Finished steps are kept in {folder}: the same command with --resume goes on from there."


def _efficiency(parameters: VerbParameters) -> str:
    folder = parameters["samples"]
    if folder is None or not any(Path(folder).glob("*.root")):
        return ""
    return f"Finished samples are kept in {folder}: the same command goes on with the others."


WAYS: dict[str, Callable[[VerbParameters], str]] = {"run": _run, "paper": _paper, "efficiency": _efficiency}
