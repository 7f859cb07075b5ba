"""Propagation of track parameters and their derivatives through any magnetic field by Runge-Kutta-Nystroem in z: scalar formulas.

Parameters are (x, y, tx, ty, q/p): position [mm], slopes dx/dz and dy/dz, charge over momentum [c/GeV]. The force on a
charge q is dp/dt = q v x B, so with c = 0.2998e-3 GeV/c per (T mm) and R = sqrt(1 + tx^2 + ty^2)

    x'' = c (q/p) R [tx ty Bx - (1 + tx^2) By + ty Bz]
    y'' = c (q/p) R [(1 + ty^2) Bx - tx ty By - tx Bz]

References
----------
J. Myrheim and L. Bugge, Nucl. Instrum. Meth. 160 (1979) 43; L. Bugge and J. Myrheim, Nucl. Instrum. Meth. 179 (1981) 365:
Nystroem's fourth-order method for tracks and the derivatives carried along with the same stages.
E. Lund, L. Bugge, I. Gavrilenko, A. Strandlie, JINST 4 (2009) P04001 (propagation) and P04016 (transport of covariances).
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.tracking.field import Components, FieldRegion, field_at
from na64mu.tracking.spectrometer import C_FIELD
from na64mu.typing import FloatArray

__all__ = ("cross_map", "crossed_map")

STEEPEST = 5.0  # a slope beyond it (79 degrees to z) means that the particle turns around in the field

Stage = tuple[float, float, float, float, float, float, float, float, float, float, float, float]


@general_kernel
def _stage(field: Components, tx: float, ty: float, k: float) -> Stage:
    """Second derivatives (x'', y'') and their derivatives by x, y, tx, ty and q/p: x'' by all five, then y'' by all five."""
    bx, by, bz, b_xx, b_xy, b_yx, b_yy, b_zx, b_zy = field
    c = C_FIELD * 1e-3
    r = math.sqrt(1.0 + tx * tx + ty * ty)
    gx = tx * ty * bx - (1.0 + tx * tx) * by + ty * bz
    gy = (1.0 + ty * ty) * bx - tx * ty * by - tx * bz
    ckr, ck_r = c * k * r, c * k / r
    return (
        ckr * gx,
        ckr * gy,
        ckr * (tx * ty * b_xx - (1.0 + tx * tx) * b_yx + ty * b_zx),
        ckr * (tx * ty * b_xy - (1.0 + tx * tx) * b_yy + ty * b_zy),
        ck_r * tx * gx + ckr * (ty * bx - 2.0 * tx * by),
        ck_r * ty * gx + ckr * (tx * bx + bz),
        c * r * gx,
        ckr * ((1.0 + ty * ty) * b_xx - tx * ty * b_yx - tx * b_zx),
        ckr * ((1.0 + ty * ty) * b_xy - tx * ty * b_yy - tx * b_zy),
        ck_r * tx * gy - ckr * (ty * by + bz),
        ck_r * ty * gy + ckr * (2.0 * ty * bx - tx * by),
        c * r * gy,
    )


@general_kernel
def _varied(s: Stage, dx: float, dy: float, dtx: float, dty: float, dk: float) -> tuple[float, float]:
    """Change of (x'', y'') at a stage for a change of the parameters."""
    return (
        s[2] * dx + s[3] * dy + s[4] * dtx + s[5] * dty + s[6] * dk,
        s[7] * dx + s[8] * dy + s[9] * dtx + s[10] * dty + s[11] * dk,
    )


@general_kernel
def _step(state: FloatArray, z: float, h: float, region: FieldRegion, jacobian: FloatArray) -> None:
    """One Nystroem step of length h, in place; the columns of the jacobian are variations of the path, carried by the same stages."""
    x, y, tx, ty, k = state[0], state[1], state[2], state[3], state[4]
    half, eighth, sixth = 0.5 * h, 0.125 * h * h, h / 6.0
    s1 = _stage(field_at(region, x, y, z), tx, ty, k)
    xm, ym = x + half * tx + eighth * s1[0], y + half * ty + eighth * s1[1]
    field = field_at(region, xm, ym, z + half)
    s2 = _stage(field, tx + half * s1[0], ty + half * s1[1], k)
    s3 = _stage(field, tx + half * s2[0], ty + half * s2[1], k)
    xe, ye = x + h * tx + 0.5 * h * h * s3[0], y + h * ty + 0.5 * h * h * s3[1]
    s4 = _stage(field_at(region, xe, ye, z + h), tx + h * s3[0], ty + h * s3[1], k)
    state[0] = x + h * tx + h * sixth * (s1[0] + s2[0] + s3[0])
    state[1] = y + h * ty + h * sixth * (s1[1] + s2[1] + s3[1])
    state[2] = tx + sixth * (s1[0] + 2.0 * (s2[0] + s3[0]) + s4[0])
    state[3] = ty + sixth * (s1[1] + 2.0 * (s2[1] + s3[1]) + s4[1])
    for j in range(5):
        dx, dy, dtx, dty, dk = jacobian[0, j], jacobian[1, j], jacobian[2, j], jacobian[3, j], jacobian[4, j]
        x1, y1 = _varied(s1, dx, dy, dtx, dty, dk)
        dxm, dym = dx + half * dtx + eighth * x1, dy + half * dty + eighth * y1
        x2, y2 = _varied(s2, dxm, dym, dtx + half * x1, dty + half * y1, dk)
        x3, y3 = _varied(s3, dxm, dym, dtx + half * x2, dty + half * y2, dk)
        dxe, dye = dx + h * dtx + 0.5 * h * h * x3, dy + h * dty + 0.5 * h * h * y3
        x4, y4 = _varied(s4, dxe, dye, dtx + h * x3, dty + h * y3, dk)
        jacobian[0, j] = dx + h * dtx + h * sixth * (x1 + x2 + x3)
        jacobian[1, j] = dy + h * dty + h * sixth * (y1 + y2 + y3)
        jacobian[2, j] = dtx + sixth * (x1 + 2.0 * (x2 + x3) + x4)
        jacobian[3, j] = dty + sixth * (y1 + 2.0 * (y2 + y3) + y4)


@general_kernel
def _next_stop(z: float, end: float, region: FieldRegion) -> float:
    """End of the next step: the end of the way, an edge of the field, or a multiple of its step from the entrance."""
    if end > z:
        if z >= region.z_out:
            return end
        stop = region.z_in
        if z >= region.z_in:
            stop = min(region.z_in + (math.floor((z - region.z_in) / region.step + 1e-6) + 1.0) * region.step, region.z_out)
        return min(stop, end)
    if z <= region.z_in:
        return end
    stop = region.z_out
    if z <= region.z_out:
        stop = max(region.z_in + (math.ceil((z - region.z_in) / region.step - 1e-6) - 1.0) * region.step, region.z_in)
    return max(stop, end)


@general_kernel
def cross_map(state: FloatArray, z: float, length: float, region: FieldRegion, jacobian: FloatArray) -> bool:
    """Carry a state through a field in place, as cross_box does through a uniform one.

    Steps end at the edges of the field and at the grid planes of a map; parts of the way outside the field are straight.

    Parameters
    ----------
    state : FloatArray
        (x, y, tx, ty, q/p) at z, shape (5,); overwritten by the state at z + length.
    z, length : float
        Start and way along z [mm]; a negative length runs backwards.
    region : FieldRegion
        The field.
    jacobian : FloatArray
        Shape (5, 5); overwritten by d(state after) / d(state before).

    Returns
    -------
    bool
        False if the particle turns around in the field (comes to 79 degrees to z); then the state is not changed.
    """
    x, y, tx, ty = state[0], state[1], state[2], state[3]
    jacobian[:, :] = 0.0
    for i in range(5):
        jacobian[i, i] = 1.0
    end = z + length
    while z != end:
        stop = _next_stop(z, end, region)
        h = stop - z
        middle = 0.5 * (z + stop)
        if region.z_in < middle < region.z_out:
            _step(state, z, h, region, jacobian)
            if not state[2] * state[2] + state[3] * state[3] < STEEPEST * STEEPEST:
                state[0], state[1], state[2], state[3] = x, y, tx, ty
                return False
        else:
            for i in range(2):
                state[i] += h * state[2 + i]
                for j in range(5):
                    jacobian[i, j] += h * jacobian[2 + i, j]
        z = stop
    return True


def crossed_map(state: FloatArray, z: float, length: float, region: FieldRegion) -> tuple[FloatArray, FloatArray]:
    """State and derivatives behind a field; see cross_map.

    Parameters
    ----------
    state : FloatArray
        (x, y, tx, ty, q/p) at z, shape (5,).
    z, length : float
        Start and way along z [mm].
    region : FieldRegion
        The field.

    Returns
    -------
    tuple of FloatArray
        State at z + length, shape (5,) (NaN if the particle turns around), and jacobian, shape (5, 5).
    """
    out, jacobian = np.array(state, dtype=np.float64), np.empty((5, 5))
    if not cross_map(out, z, length, region, jacobian):
        out[:] = np.nan
    return out, jacobian
