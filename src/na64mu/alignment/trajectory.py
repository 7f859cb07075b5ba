"""Intersections of tracks with all planes of a spectrometer, and their derivatives with respect to the track parameters.

Parameters are (x, y, tx, ty, q/p) at the first plane: mm, rad, c/GeV. A spectrometer without field has no boxes. Fringe fields
and field maps are replaced by a box of the same field integral: the difference of the paths is degenerate with a common movement
along the bend.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.physics.scattering import highland_angle
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.tracking.transport import cross_box
from na64mu.typing import FloatArray, IntArray

__all__ = ("NO_BEND", "follow", "scattering", "without_field")

NO_BEND = -1  # bend_view of a spectrometer without field
AIR_SLICES = 4  # scatterers that represent a step through air: the variance behind it is correct to 1 / 16 of the step's own contribution


def without_field(spectrometer: Spectrometer) -> Spectrometer:
    """Return the spectrometer with the magnets off: tracks are straight in both views."""
    return replace(spectrometer, bend_view=NO_BEND, boxes=np.zeros((0, 4)), regions=())


@general_kernel
def _follow(states, steps, node_planes, positions, derivatives):  # type: ignore[no-untyped-def] # kernel; shapes in follow
    n_steps = len(steps)
    total, jacobian, work = np.empty((5, 5)), np.empty((5, 5)), np.empty((5, 5))
    state = np.empty(5)
    for t in range(len(states)):
        state[:] = states[t]
        total[:, :] = np.eye(5)
        for node in range(n_steps + 1):
            for p in range(node_planes[node], node_planes[node + 1]):
                for i in range(2):
                    positions[t, p, i] = state[i]
                    derivatives[t, p, i] = total[i]
            if node == n_steps:
                break
            length, bx, by = steps[node, 1] - steps[node, 0], steps[node, 2], steps[node, 3]
            if bx == 0.0 and by == 0.0:
                for i in range(2):
                    state[i] += length * state[2 + i]
                    total[i] += length * total[2 + i]
                continue
            if not cross_box(state, length, bx, by, jacobian):
                positions[t, :, :] = np.nan
                break
            for i in range(5):
                for j in range(5):
                    work[i, j] = 0.0
                    for k in range(5):
                        work[i, j] += jacobian[i, k] * total[k, j]
            total[:, :] = work


def _nodes(spectrometer: Spectrometer) -> tuple[FloatArray, IntArray]:
    steps = spectrometer.steps()
    nodes = np.append(steps[:, 0], steps[-1, 1])
    return steps, np.searchsorted(spectrometer.z, np.append(nodes, np.inf), side="left")


def follow(states: FloatArray, spectrometer: Spectrometer) -> tuple[FloatArray, FloatArray]:
    """Positions on all planes, exactly through the fields, without scattering.

    Parameters
    ----------
    states : FloatArray
        Parameters at the first plane, shape (n, 5).
    spectrometer : Spectrometer
        MS1 or MS2, with or without field.

    Returns
    -------
    positions : FloatArray
        x, y [mm] on every plane, shape (n, n_planes, 2); NaN for a particle that turns around.
    derivatives : FloatArray
        Derivatives of the positions with respect to the parameters, shape (n, n_planes, 2, 5).
    """
    steps, node_planes = _nodes(spectrometer)
    n, n_planes = len(states), len(spectrometer.planes)
    positions, derivatives = np.empty((n, n_planes, 2)), np.zeros((n, n_planes, 2, 5))
    _follow(np.ascontiguousarray(states, dtype=np.float64), steps, node_planes, positions, derivatives)
    return positions, derivatives


def scattering(spectrometer: Spectrometer) -> FloatArray:
    """Covariance that multiple scattering adds to the coordinates of a track of 1 GeV/c; it falls as 1 / p^2.

    A kick at a scatterer moves all planes behind it by angle x lever arm, in x and in y; planes measure along their directions.

    Parameters
    ----------
    spectrometer : Spectrometer
        MS1 or MS2.

    Returns
    -------
    FloatArray
        [mm2], shape (n_planes, n_planes).
    """
    z = spectrometer.z
    where, thickness = [z], [np.array([p.x_over_x0 for p in spectrometer.planes])]
    for start, end, _, _, x_over_x0 in spectrometer.steps():
        if x_over_x0 > 0.0:
            where.append(start + (end - start) * (np.arange(AIR_SLICES) + 0.5) / AIR_SLICES)
            thickness.append(np.full(AIR_SLICES, x_over_x0 / AIR_SLICES))
    angle2 = highland_angle(np.concatenate(thickness), spectrometer.total_x0) ** 2
    lever = np.clip(z[:, None] - np.concatenate(where)[None, :], 0.0, None)
    direction = np.array([p.direction for p in spectrometer.planes])
    return (lever * angle2) @ lever.T * (direction @ direction.T)
