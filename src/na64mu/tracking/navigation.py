"""Route of a track through a spectrometer: planes, fields and material in order of z, as a list of steps for the fit."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.errors import DetectorError
from na64mu.physics.scattering import MODELS, Scattering, scattering_angle
from na64mu.tracking.spectrometer import C_FIELD, LOSS_PER_X0, Spectrometer, check_spectrometer

__all__ = ("Cross", "Drift", "Follow", "Lose", "Measure", "Route", "Scatter", "route")


class Measure(NamedTuple):
    """A plane measures direction . (x, y); `plane` is its index in the spectrometer."""

    plane: int
    direction: tuple[float, float]


class Scatter(NamedTuple):
    """Multiple scattering over the last `length` mm; `angle2` is the squared projected angle at 1 GeV/c [rad2]."""

    angle2: float
    length: float


class Lose(NamedTuple):
    """Mean energy loss [GeV]."""

    loss: float


class Drift(NamedTuple):
    """Straight step along z [mm]."""

    length: float


class Cross(NamedTuple):
    """Box of uniform field: length along z [mm], view of the bend, change of the sine of the angle at q/p = 1 c/GeV."""

    length: float
    view: int
    bend: float


class Follow(NamedTuple):
    """Part of a fringe field or map: its number, start z and length along z [mm]."""

    region: int
    z: float
    length: float


Step = Measure | Scatter | Lose | Drift | Cross | Follow


class Route(NamedTuple):
    """Steps from the first plane to the last; a tuple, so that it can be a key."""

    n_planes: int
    steps: tuple[Step, ...]


def _angle2(x_over_x0: float, total: float, model: str) -> float:
    return float(scattering_angle(x_over_x0, total, model)) ** 2 if x_over_x0 > 0.0 else 0.0


def _field_step(length: float, bx: float, by: float, where: str) -> Step:
    if bx == 0.0 and by == 0.0:
        return Drift(length)
    if bx != 0.0 and by != 0.0:
        msg = f"{where}: a magnet bends in x or in y, found the field ({bx}, {by}) T; describe it with one component"
        raise DetectorError(msg)
    # the force on a positive charge flying along z: B along x pushes to +y, B along y to -x
    view, field = (1, bx) if by == 0.0 else (0, -by)
    return Cross(length, view, C_FIELD * 1e-3 * field * length)


def route(spectrometer: Spectrometer, scattering: Scattering | str = "highland") -> Route:
    """Compile the steps of a spectrometer.

    Parameters
    ----------
    spectrometer : Spectrometer
        MS1, MS2 or any other.
    scattering : Scattering or str
        Model of multiple scattering, a name of physics.scattering.MODELS.

    Returns
    -------
    Route
        Its steps: at each plane the measurement, then scattering and energy loss in its material; between planes drifts and fields.

    Raises
    ------
    ArgumentError
        If the model is unknown.
    DetectorError
        If the spectrometer makes no sense, see spectrometer.check_spectrometer, or a field has two components.
    """
    return _route(spectrometer, one_of(scattering, MODELS, "scattering"))


@lru_cache(maxsize=32)
def _route(spectrometer: Spectrometer, scattering: str) -> Route:
    check_spectrometer(spectrometer)
    total = spectrometer.total_x0
    steps: list[Step] = []
    legs = spectrometer.legs()
    borders = np.append(legs[:, 0], legs[-1, 1])
    first = np.searchsorted(spectrometer.z, np.append(borders, np.inf), side="left")
    for i in range(len(borders)):
        for p in range(first[i], first[i + 1]):
            plane = spectrometer.planes[p]
            steps.append(Measure(p, plane.direction))
            if (angle2 := _angle2(plane.x_over_x0, total, scattering)) > 0.0:
                steps.append(Scatter(angle2, 0.0))
            if plane.energy_loss > 0.0:
                steps.append(Lose(plane.energy_loss))
        if i < len(legs):
            start, end, bx, by, thickness, region = (float(v) for v in legs[i])
            field = _field_step(end - start, bx, by, spectrometer.name)
            steps.append(Follow(int(region), start, end - start) if region >= 0 else field)
            if (angle2 := _angle2(thickness, total, scattering)) > 0.0:
                steps.append(Scatter(angle2, end - start))
            if thickness > 0.0:
                steps.append(Lose(LOSS_PER_X0 * thickness))
    return Route(len(spectrometer.planes), tuple(steps))
