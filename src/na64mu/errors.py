"""The errors a user can meet: one sentence that says what, where, what was expected and what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from na64mu.common.text import one_line

__all__ = (
    "ArgumentError",
    "BackgroundError",
    "BlindedError",
    "CalibrationError",
    "CheckpointError",
    "ColumnError",
    "CompilerError",
    "CutFlowMismatchError",
    "DetectorError",
    "FolderInUseError",
    "InputError",
    "LayoutError",
    "Na64muError",
    "OutputError",
    "ProcessorError",
    "SelectionError",
    "SignatureError",
    "StatisticsError",
    "WorkerError",
    "one_line",
    "reason_of_os",
    "writing",
)

#: What to do about an error of the operating system, by its number.
ADVICE = {
    errno.ENOSPC: "make room there, or choose another place",
    errno.EDQUOT: "your quota there is used up: make room, or choose another place",
    errno.EROFS: "choose another place",
    errno.EACCES: "choose a place that you may write to",
    errno.EPERM: "choose a place that you may write to",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EFBIG: "choose a place for larger files (`ulimit -f` may say what is allowed)",
}


class Na64muError(Exception):
    """Base of every error that na64mu raises on purpose; the command line prints it and exits with `exit_code`.

    Each argument is one line of the message: a line end inside of one, from the name of a file, is never shown as one.
    """

    exit_code: int = 1

    def __str__(self) -> str:
        return "\n".join(str(line) for line in self.args)


class ArgumentError(Na64muError, ValueError):
    """An argument of a function is not one of its choices, or a number that makes no sense."""


class ColumnError(Na64muError, KeyError, AttributeError):
    """A table of events has no such column, or was indexed with something else than columns and rows."""

    def __str__(self) -> str:
        """The sentence as it is; KeyError would quote it."""
        return str(self.args[0])


class DetectorError(Na64muError):
    """A detector description is missing, unknown or wrong."""


class CalibrationError(Na64muError):
    """A calibration file is missing or wrong, or a fit to make one failed."""


class CheckpointError(Na64muError):
    """The finished part of an interrupted run belongs to another run, or cannot be read."""


class CompilerError(Na64muError):
    """The installed numba lacks something that kernels need."""


class InputError(Na64muError):
    """An input file cannot be read or does not have the raw-tree form."""


class LayoutError(Na64muError):
    """A layout file that maps foreign branch names onto the raw tree is wrong."""


class OutputError(Na64muError):
    """A file or folder cannot be written."""


class FolderInUseError(OutputError):
    """An output folder is being written by another process."""


class ProcessorError(Na64muError):
    """A processor of the user's own cannot be run, failed, or returned what cannot be added up."""


class SelectionError(Na64muError):
    """A working point is missing, names an unknown cut, or has a wrong threshold."""


class CutFlowMismatchError(Na64muError):
    """Two cut-flows with different steps cannot be added."""


class BlindedError(Na64muError):
    """Events of the signal box were requested before they were unblinded."""


class SignatureError(Na64muError):
    """A file cannot be signed, or its signature is missing or wrong."""


class BackgroundError(Na64muError):
    """A background cannot be estimated from what was given."""


class StatisticsError(Na64muError):
    """A statistical model is inconsistent, or a limit cannot be computed from it."""


class WorkerError(Na64muError):
    """A worker of the cluster cannot run this version of the package."""


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Around what writes a file: an error of the operating system becomes one sentence with the path.

    Parameters
    ----------
    path : str or path
        File that is written; the error of a full disk does not name it.

    Raises
    ------
    OutputError
        Instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, "")
        msg = f"{os.fspath(path)}: cannot be written: {reason_of_os(error)}{'; ' if advice else ''}{advice}"
        raise OutputError(msg) from error


def reason_of_os(error: OSError) -> str:
    """Return the operating system's own message, with a lower-case first letter.

    Parameters
    ----------
    error : OSError

    Returns
    -------
    str
        Such as "no space left on device".
    """
    words = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
    return words[:1].lower() + words[1:] if words[1:2].islower() else words
