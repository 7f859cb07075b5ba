"""Kinds of the steps of a route, and their numbers: the code of a fit depends on the kinds only, the numbers come at run time.

A plane that is moved, a field that is changed or another material changes numbers. Another order of planes and fields, a material
where there was none, or the first plane that is turned changes kinds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from na64mu.tracking.navigation import Cross, Drift, Follow, Lose, Measure, Route, Scatter, Step
from na64mu.typing import FloatArray

__all__ = ("NUMBERS", "Form", "StepKind", "kinds_and_numbers")

#: Numbers of a step of every kind, in the order in which the fit is given them.
NUMBERS: dict[str, tuple[str, ...]] = {
    "measure_x": (),
    "measure_y": (),
    "measure_along": ("hx", "hy"),  # measured direction
    "scatter_thin": ("angle2",),  # squared projected angle at 1 GeV/c [rad2]
    "scatter": ("angle2", "length"),  # the same, over the last mm
    "lose": ("loss",),  # [GeV]
    "drift": ("length",),  # [mm]
    "cross_x": ("length", "bend"),  # [mm], change of the sine of the angle at q/p = 1 c/GeV
    "cross_y": ("length", "bend"),
    "follow": ("z", "length"),  # [mm]
}


class StepKind(NamedTuple):
    """Kind of a step (a name of NUMBERS), and the plane that it measures or the region that it follows, else -1."""

    name: str
    which: int = -1


class Form(NamedTuple):
    """A route without its numbers: what the code of its fit depends on; a tuple, so that it can be a key."""

    n_planes: int
    steps: tuple[StepKind, ...]


def _kind(step: Step, turned: bool) -> tuple[StepKind, tuple[float, ...]]:
    match step:
        case Measure(plane, direction):
            if turned:
                return StepKind("measure_along", plane), direction
            return StepKind("measure_x" if direction[0] == 1.0 else "measure_y", plane), ()
        case Scatter(angle2, length):
            return (StepKind("scatter"), (angle2, length)) if length != 0.0 else (StepKind("scatter_thin"), (angle2,))
        case Lose(loss):
            return StepKind("lose"), (loss,)
        case Drift(length):
            return StepKind("drift"), (length,)
        case Cross(length, view, bend):
            return StepKind("cross_y" if view == 1 else "cross_x"), (length, bend)
        case Follow(region, z, length):
            return StepKind("follow", region), (z, length)


def kinds_and_numbers(path: Route) -> tuple[Form, FloatArray]:
    """Take a route apart.

    Parameters
    ----------
    path : Route
        The route of a spectrometer.

    Returns
    -------
    Form
        The kinds of its steps. If one plane is turned, all are measured along their directions: an alignment, which turns all of
        them by a little, has one form whatever it finds.
    FloatArray
        The numbers of all steps one after the other, in the order of NUMBERS.
    """
    turned = any(isinstance(step, Measure) and step.direction not in {(1.0, 0.0), (0.0, 1.0)} for step in path.steps)
    kinds = [_kind(step, turned) for step in path.steps]
    return Form(path.n_planes, tuple(kind for kind, _ in kinds)), np.array([v for _, values in kinds for v in values], dtype=np.float64)
