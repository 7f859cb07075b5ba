"""Straight-line extrapolation of track parameters to other planes, with errors from the fit and the scattering on the way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from na64mu.common.arguments import number
from na64mu.tracking.checks import real_array
from na64mu.typing import FloatArray

__all__ = ("Crossing", "cross_plane")


class Crossing(NamedTuple):
    """A track at a plane: x, y [mm] and their standard deviations [mm], each of shape (n,); NaN without a track."""

    x: FloatArray
    y: FloatArray
    x_error: FloatArray
    y_error: FloatArray


def cross_plane(parameters: FloatArray, covariance: FloatArray, distance: float, angle2: float = 0.0) -> Crossing:
    """Straight extrapolation.

    Parameters
    ----------
    parameters : FloatArray
        (x, y, tx, ty, q/p), shape (n, 5).
    covariance : FloatArray
        Shape (n, 5, 5).
    distance : float
        Distance along z [mm], negative upstream.
    angle2 : float
        Squared scattering angle on the way at 1 GeV/c (spectrometer.highland_angle), spread evenly over the distance.

    Returns
    -------
    Crossing
        Position and errors at the plane.

    Raises
    ------
    ArgumentError
        If a shape is wrong, or a number makes no sense.
    """
    parameters = real_array(parameters, "parameters", (None, 5), "(n, 5): x, y, tx, ty, q/p")
    covariance = real_array(covariance, "covariance", (len(parameters), 5, 5), f"({len(parameters)}, 5, 5)")
    distance, angle2 = number(distance, "distance [mm]"), number(angle2, "angle2", least=0.0)
    position, error = [], []
    for i in (0, 1):
        position.append(parameters[:, i] + distance * parameters[:, 2 + i])
        variance = covariance[:, i, i] + 2.0 * distance * covariance[:, i, 2 + i] + distance**2 * covariance[:, 2 + i, 2 + i]
        scattering = angle2 * parameters[:, 4] ** 2 * distance**2 / 3.0
        error.append(np.sqrt(variance + scattering))
    return Crossing(position[0], position[1], error[0], error[1])
