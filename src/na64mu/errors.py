"""The errors a user can meet: one sentence that says what, where, what was expected and what to do."""

from __future__ import annotations

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
    "InputError",
    "LayoutError",
    "Na64muError",
    "SelectionError",
    "StatisticsError",
    "WorkerError",
)


class Na64muError(Exception):
    """Base of every error that na64mu raises on purpose; the command line prints it and exits with `exit_code`."""

    exit_code: int = 1


class ArgumentError(Na64muError, ValueError):
    """An argument of a function is not one of its choices, or a number that makes no sense."""


class ColumnError(Na64muError, KeyError, AttributeError):
    """A table of events has no such column, or was asked for something else than columns and rows."""

    def __str__(self) -> str:
        """The sentence as it is; KeyError would quote it."""
        return str(self.args[0])


class DetectorError(Na64muError):
    """A detector description is missing, unknown or wrong."""


class CalibrationError(Na64muError):
    """A calibration file is missing or wrong, or a fit to make one failed."""


class CheckpointError(Na64muError):
    """What an interrupted run has finished belongs to something else, or cannot be read."""


class CompilerError(Na64muError):
    """The installed numba lacks something that kernels need."""


class InputError(Na64muError):
    """An input file cannot be read or does not have the raw-tree form."""


class LayoutError(Na64muError):
    """A layout file that maps foreign branch names onto the raw tree is wrong."""


class SelectionError(Na64muError):
    """A working point is missing, names an unknown cut, or has a wrong threshold."""


class CutFlowMismatchError(Na64muError):
    """Two cut-flows with different steps cannot be added."""


class BlindedError(Na64muError):
    """Something asked for events of the signal box before they were unblinded."""


class BackgroundError(Na64muError):
    """A background cannot be estimated from what was given."""


class StatisticsError(Na64muError):
    """A statistical model is inconsistent, or a limit cannot be computed from it."""


class WorkerError(Na64muError):
    """A worker of the cluster cannot run this version of the package."""
