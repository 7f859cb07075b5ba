"""Propagation of track parameters and their derivatives through drift spaces and field boxes: scalar formulas.

Parameters are (x, y, tx, ty, q/p): position [mm], slopes dx/dz and dy/dz, charge over momentum [c/GeV].
The force on a charge q is dp/dt = q v x B.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.tracking.spectrometer import C_FIELD
from na64mu.typing import FloatArray

__all__ = ("cross_box", "mean_inverse_cosine")

SMALL_ANGLE = 1e-4  # below it the series of the arc length is exact to double precision


@general_kernel
def mean_inverse_cosine(sa: float, sb: float, ca: float, cb: float) -> tuple[float, float, float]:
    """Arc length per unit of z of a circle between two directions, and its derivatives.

    Parameters
    ----------
    sa, sb, ca, cb : float
        Sines and cosines of the angles to z at both ends.

    Returns
    -------
    tuple of float
        m = (phi_b - phi_a) / (sb - sa), dm/dsa, dm/dsb.
    """
    if abs(sb - sa) > SMALL_ANGLE:
        m = (math.asin(sb) - math.asin(sa)) / (sb - sa)
        return m, (m - 1.0 / ca) / (sb - sa), (1.0 / cb - m) / (sb - sa)
    s = 0.5 * (sa + sb)
    c = math.sqrt(1.0 - s * s)
    slope = 0.5 * s / (c * c * c)
    return 1.0 / c + (sb - sa) ** 2 * (1.0 + 2.0 * s * s) / (24.0 * c**5), slope, slope


@general_kernel
def cross_box(state: FloatArray, length: float, bx: float, by: float, jacobian: FloatArray) -> bool:
    """Carry a state through a box of uniform transverse field, exactly, in place.

    The motion across the field is a circle: with the sine s of the angle to z in the plane across the field,
    s_b = s_a + c L |B| (q / p_across), and the displacement is L (s_a + s_b) / (c_a + c_b).

    Parameters
    ----------
    state : FloatArray
        (x, y, tx, ty, q/p) at the entrance, shape (5,); overwritten by the state at the exit.
    length : float
        Length of the box along z [mm]; negative runs backwards.
    bx, by : float
        Field [T].
    jacobian : FloatArray
        Shape (5, 5); overwritten by d(state after) / d(state before).

    Returns
    -------
    bool
        False if the particle turns around in the field; then nothing is changed.
    """
    strength = math.hypot(bx, by)
    ux, uy = bx / strength, by / strength  # along the field
    wx, wy = -uy, ux  # across it: a positive charge is pushed to +w
    tw = wx * state[2] + wy * state[3]
    tu = ux * state[2] + uy * state[3]
    one = 1.0 + tw * tw
    h = math.sqrt((one + tu * tu) / one)  # p / p_across
    bend = C_FIELD * 1e-3 * strength * length
    ca = 1.0 / math.sqrt(one)
    sa = tw * ca
    sb = sa + bend * state[4] * h
    if abs(sb) >= 1.0:
        return False
    cb = math.sqrt(1.0 - sb * sb)
    m, dm_dsa, dm_dsb = mean_inverse_cosine(sa, sb, ca, cb)

    # derivatives of the sines by (tw, tu, q/p)
    dsa_dtw = ca * ca * ca
    dsb_dtw = dsa_dtw - bend * state[4] * tw * tu * tu / (h * one * one)
    dsb_dtu = bend * state[4] * tu / (h * one)
    dsb_dk = bend * h
    # derivatives of the step across the field by the sines
    sum_c = ca + cb
    dw_dsa = length * (1.0 / sum_c + (sa + sb) * (sa / ca) / (sum_c * sum_c))
    dw_dsb = length * (1.0 / sum_c + (sa + sb) * (sb / cb) / (sum_c * sum_c))
    dtw_dsb = 1.0 / (cb * cb * cb)

    # in the frame (w, u, tw, tu, k)
    dw = length * (sa + sb) / sum_c
    du = tu * ca * length * m
    dw_dtw, dw_dtu, dw_dk = dw_dsa * dsa_dtw + dw_dsb * dsb_dtw, dw_dsb * dsb_dtu, dw_dsb * dsb_dk
    dca_dtw = -sa * ca * ca
    du_dtw = tu * length * (dca_dtw * m + ca * (dm_dsa * dsa_dtw + dm_dsb * dsb_dtw))
    du_dtu = ca * length * (m + tu * dm_dsb * dsb_dtu)
    du_dk = tu * ca * length * dm_dsb * dsb_dk
    ratio = ca / cb
    dratio_dsb = ca * sb / (cb * cb * cb)
    tw_out, tu_out = sb / cb, tu * ratio
    a_ww, a_wu, a_wk = dtw_dsb * dsb_dtw, dtw_dsb * dsb_dtu, dtw_dsb * dsb_dk
    a_uw = tu * (dca_dtw / cb + dratio_dsb * dsb_dtw)
    a_uu = ratio + tu * dratio_dsb * dsb_dtu
    a_uk = tu * dratio_dsb * dsb_dk

    state[0] += wx * dw + ux * du
    state[1] += wy * dw + uy * du
    state[2] = wx * tw_out + ux * tu_out
    state[3] = wy * tw_out + uy * tu_out
    jacobian[:, :] = 0.0
    for i in range(5):
        jacobian[i, i] = 1.0
    for row, (ax, bx_) in enumerate(((wx, ux), (wy, uy))):
        for col, (cx, dx) in enumerate(((wx, ux), (wy, uy))):
            jacobian[row, 2 + col] = ax * (dw_dtw * cx + dw_dtu * dx) + bx_ * (du_dtw * cx + du_dtu * dx)
            jacobian[2 + row, 2 + col] = ax * (a_ww * cx + a_wu * dx) + bx_ * (a_uw * cx + a_uu * dx)
        jacobian[row, 4] = ax * dw_dk + bx_ * du_dk
        jacobian[2 + row, 4] = ax * a_wk + bx_ * a_uk
    return True


def crossed(state: FloatArray, length: float, field: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """State and derivatives behind a field box; see cross_box.

    Parameters
    ----------
    state : FloatArray
        (x, y, tx, ty, q/p) at the entrance, shape (5,).
    length : float
        Length along z [mm].
    field : tuple of float
        (Bx, By) [T].

    Returns
    -------
    tuple of FloatArray
        State at the exit, shape (5,), and jacobian, shape (5, 5).
    """
    out: Any = np.array(state, dtype=np.float64)
    jacobian = np.empty((5, 5))
    cross_box(out, length, field[0], field[1], jacobian)
    return out, jacobian
