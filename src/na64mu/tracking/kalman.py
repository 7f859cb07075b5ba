"""Kalman filter and modified Bryson-Frazier (MBF) smoother of one track: scalar formulas on tuples of 20 numbers.

A track is (x, y, tx, ty, q/p, c00, c10, c11, c20, c21, c22, c30, ..., c44): parameters in mm, rad, c/GeV and the lower
triangle of their covariance. The adjoint of the smoother is (q0 ... q4, n00, n10, ..., n44): the vector q and matrix N
with which the smoothed parameters anywhere are x + C q, with covariance C - C N C.

The formulas have no loops and no arrays, so that a kernel which calls them for one track after the other (code_generation.py)
is turned into vector instructions by the compiler: several tracks at a time.

References
----------
R. Fruehwirth, Nucl. Instrum. Meth. A 262 (1987) 444 (filter); G. J. Bierman, Automatica 9 (1973) 503 and P. de Jong,
J. Amer. Statist. Assoc. 84 (1989) 1085 (backward recursion without matrix inverse, residuals without the hit itself).
"""

# one line a row of a matrix: the layout is the explanation
# fmt: off
from __future__ import annotations

import math

from na64mu.compiled.kernel import formula

__all__ = (
    "carry", "carry_back", "cross", "cross_back", "drift", "drift_back", "lose", "lose_back", "measure_along", "measure_along_back",
    "measure_x", "measure_x_back", "measure_y", "measure_y_back", "scatter", "scatter_thin", "smoothed", "start", "swap",
)

Track = tuple[float, ...]  # 20 numbers
Gain = tuple[float, ...]  # 7 numbers of one measurement: gain (5), residual [mm], inverse variance of the residual [1/mm2]
Jacobian = tuple[float, ...]  # 12 numbers: d(x, y, tx, ty) / d(tx, ty, q/p) of a field crossing


@formula
def start(x: float, y: float, tx: float, ty: float, k: float, s0: float, s1: float, s2: float, s3: float, s4: float) -> Track:
    """Track with the given parameters and standard deviations, not correlated."""
    return (x, y, tx, ty, k,
            s0 * s0,
            0.0, s1 * s1,
            0.0, 0.0, s2 * s2,
            0.0, 0.0, 0.0, s3 * s3,
            0.0, 0.0, 0.0, 0.0, s4 * s4)


@formula
def swap(t: Track) -> Track:
    """Exchange x and y: a field along x bends y as a field along y bends x."""
    x, y, a, b, k, c00, c10, c11, c20, c21, c22, c30, c31, c32, c33, c40, c41, c42, c43, c44 = t
    return (y, x, b, a, k,
            c11,
            c10, c00,
            c31, c30, c33,
            c21, c20, c32, c22,
            c41, c40, c43, c42, c44)


@formula
def drift(t: Track, length: float) -> Track:
    """Straight step of a given length along z [mm]."""
    x, y, a, b, k, c00, c10, c11, c20, c21, c22, c30, c31, c32, c33, c40, c41, c42, c43, c44 = t
    n20, n21, n30, n31 = c20 + length * c22, c21 + length * c32, c30 + length * c32, c31 + length * c33
    return (x + length * a, y + length * b, a, b, k,
            c00 + length * (c20 + n20),
            c10 + length * (c30 + n21), c11 + length * (c31 + n31),
            n20, n21, c22,
            n30, n31, c32, c33,
            c40 + length * c42, c41 + length * c43, c42, c43, c44)


@formula
def drift_back(adjoint: Track, length: float) -> Track:
    """Adjoint of `drift`."""
    q0, q1, q2, q3, q4, n00, n10, n11, n20, n21, n22, n30, n31, n32, n33, n40, n41, n42, n43, n44 = adjoint
    m20, m21, m30, m31 = n20 + length * n00, n21 + length * n10, n30 + length * n10, n31 + length * n11
    return (q0, q1, q2 + length * q0, q3 + length * q1, q4,
            n00,
            n10, n11,
            m20, m21, n22 + length * (n20 + m20),
            m30, m31, n32 + length * (n21 + m30), n33 + length * (n31 + m31),
            n40, n41, n42 + length * n40, n43 + length * n41, n44)


@formula
def scatter(t: Track, theta2: float, length: float) -> Track:
    """Multiple scattering by the variance theta2 of the projected angle, evenly over the last `length` mm."""
    x, y, a, b, k, c00, c10, c11, c20, c21, c22, c30, c31, c32, c33, c40, c41, c42, c43, c44 = t
    shift, both = theta2 * length * length * (1.0 / 3.0), 0.5 * theta2 * length
    return (x, y, a, b, k,
            c00 + shift,
            c10, c11 + shift,
            c20 + both, c21, c22 + theta2,
            c30, c31 + both, c32, c33 + theta2,
            c40, c41, c42, c43, c44)


@formula
def scatter_thin(t: Track, theta2: float) -> Track:
    """Multiple scattering in a thin plane: `scatter` over no length."""
    x, y, a, b, k, c00, c10, c11, c20, c21, c22, c30, c31, c32, c33, c40, c41, c42, c43, c44 = t
    return (x, y, a, b, k,
            c00,
            c10, c11,
            c20, c21, c22 + theta2,
            c30, c31, c32, c33 + theta2,
            c40, c41, c42, c43, c44)


@formula
def lose(t: Track, loss: float) -> Track:
    """Mean energy loss [GeV]: p becomes p - loss; negative where the track is followed upstream."""
    x, y, a, b, k, c00, c10, c11, c20, c21, c22, c30, c31, c32, c33, c40, c41, c42, c43, c44 = t
    grow = 1.0 / (1.0 - loss * abs(k))
    d = grow * grow
    return (x, y, a, b, k * grow,
            c00,
            c10, c11,
            c20, c21, c22,
            c30, c31, c32, c33,
            d * c40, d * c41, d * c42, d * c43, d * d * c44)


@formula
def lose_back(adjoint: Track, k: float, loss: float) -> Track:
    """Adjoint of `lose` for a track of q/p = k behind it."""
    q0, q1, q2, q3, q4, n00, n10, n11, n20, n21, n22, n30, n31, n32, n33, n40, n41, n42, n43, n44 = adjoint
    grow = 1.0 + loss * abs(k)
    d = grow * grow
    return (q0, q1, q2, q3, d * q4,
            n00,
            n10, n11,
            n20, n21, n22,
            n30, n31, n32, n33,
            d * n40, d * n41, d * n42, d * n43, d * d * n44)


@formula
def _update(t: Track, projected: Track, residual: float, weight: float, variance: float) -> tuple[Track, float, Gain]:
    """Update with a residual [mm] of weight 1 / sigma^2; `projected` is C h, `variance` h C h, h the measured direction."""
    x, y, a, b, k, c00, c10, c11, c20, c21, c22, c30, c31, c32, c33, c40, c41, c42, c43, c44 = t
    p0, p1, p2, p3, p4 = projected
    g = weight / (1.0 + weight * variance)  # 1 / (sigma^2 + variance), and 0 for a missing hit
    k0, k1, k2, k3, k4 = p0 * g, p1 * g, p2 * g, p3 * g, p4 * g
    updated = (x + k0 * residual, y + k1 * residual, a + k2 * residual, b + k3 * residual, k + k4 * residual,
               c00 - k0 * p0,
               c10 - k1 * p0, c11 - k1 * p1,
               c20 - k2 * p0, c21 - k2 * p1, c22 - k2 * p2,
               c30 - k3 * p0, c31 - k3 * p1, c32 - k3 * p2, c33 - k3 * p3,
               c40 - k4 * p0, c41 - k4 * p1, c42 - k4 * p2, c43 - k4 * p3, c44 - k4 * p4)
    return updated, residual * residual * g, (k0, k1, k2, k3, k4, residual, g)


@formula
def measure_x(t: Track, u: float, weight: float) -> tuple[Track, float, Gain]:
    """Measurement of x = u [mm] with weight 1 / sigma^2 [1/mm2], 0 for none: track, its chi2, and what the smoother needs."""
    return _update(t, (t[5], t[6], t[8], t[11], t[15]), u - t[0], weight, t[5])


@formula
def measure_y(t: Track, u: float, weight: float) -> tuple[Track, float, Gain]:
    """Measurement of y; see measure_x."""
    return _update(t, (t[6], t[7], t[9], t[12], t[16]), u - t[1], weight, t[7])


@formula
def measure_along(t: Track, u: float, weight: float, hx: float, hy: float) -> tuple[Track, float, Gain]:
    """Measurement of hx x + hy y, along any direction in the plane; see measure_x."""
    p0, p1 = hx * t[5] + hy * t[6], hx * t[6] + hy * t[7]
    projected = (p0, p1, hx * t[8] + hy * t[9], hx * t[11] + hy * t[12], hx * t[15] + hy * t[16])
    return _update(t, projected, u - hx * t[0] - hy * t[1], weight, hx * p0 + hy * p1)


@formula
def _gather(adjoint: Track, gain: Gain) -> tuple[float, float, float, float, float, float, float]:
    """Residual over variance of a hit (u), the variance of u, and N K: what the adjoint of a measurement needs."""
    q0, q1, q2, q3, q4, n00, n10, n11, n20, n21, n22, n30, n31, n32, n33, n40, n41, n42, n43, n44 = adjoint
    k0, k1, k2, k3, k4, residual, g = gain
    v0 = n00 * k0 + n10 * k1 + n20 * k2 + n30 * k3 + n40 * k4
    v1 = n10 * k0 + n11 * k1 + n21 * k2 + n31 * k3 + n41 * k4
    v2 = n20 * k0 + n21 * k1 + n22 * k2 + n32 * k3 + n42 * k4
    v3 = n30 * k0 + n31 * k1 + n32 * k2 + n33 * k3 + n43 * k4
    v4 = n40 * k0 + n41 * k1 + n42 * k2 + n43 * k3 + n44 * k4
    u = g * residual - (k0 * q0 + k1 * q1 + k2 * q2 + k3 * q3 + k4 * q4)
    return u, g + (k0 * v0 + k1 * v1 + k2 * v2 + k3 * v3 + k4 * v4), v0, v1, v2, v3, v4


@formula
def measure_x_back(adjoint: Track, gain: Gain) -> tuple[Track, float, float]:
    """Adjoint of `measure_x`.

    Returns
    -------
    tuple
        The adjoint before the measurement; u and its variance m: u / m is the residual from the track without this hit and
        1 / m its variance, u^2 / m its chi2; u sigma^2 is the residual from the track with it. Both are 0 for a missing hit.
    """
    u, m, v0, v1, v2, v3, v4 = _gather(adjoint, gain)
    q0, q1, q2, q3, q4, n00, n10, n11, n20, n21, n22, n30, n31, n32, n33, n40, n41, n42, n43, n44 = adjoint
    return (q0 + u, q1, q2, q3, q4,
            n00 + m - 2.0 * v0,
            n10 - v1, n11,
            n20 - v2, n21, n22,
            n30 - v3, n31, n32, n33,
            n40 - v4, n41, n42, n43, n44), u, m


@formula
def measure_y_back(adjoint: Track, gain: Gain) -> tuple[Track, float, float]:
    """Adjoint of `measure_y`; see measure_x_back."""
    u, m, v0, v1, v2, v3, v4 = _gather(adjoint, gain)
    q0, q1, q2, q3, q4, n00, n10, n11, n20, n21, n22, n30, n31, n32, n33, n40, n41, n42, n43, n44 = adjoint
    return (q0, q1 + u, q2, q3, q4,
            n00,
            n10 - v0, n11 + m - 2.0 * v1,
            n20, n21 - v2, n22,
            n30, n31 - v3, n32, n33,
            n40, n41 - v4, n42, n43, n44), u, m


@formula
def measure_along_back(adjoint: Track, gain: Gain, hx: float, hy: float) -> tuple[Track, float, float]:
    """Adjoint of `measure_along`; see measure_x_back."""
    u, m, v0, v1, v2, v3, v4 = _gather(adjoint, gain)
    q0, q1, q2, q3, q4, n00, n10, n11, n20, n21, n22, n30, n31, n32, n33, n40, n41, n42, n43, n44 = adjoint
    return (q0 + hx * u, q1 + hy * u, q2, q3, q4,
            n00 + hx * (hx * m - 2.0 * v0),
            n10 + hx * hy * m - hy * v0 - hx * v1, n11 + hy * (hy * m - 2.0 * v1),
            n20 - hx * v2, n21 - hy * v2, n22,
            n30 - hx * v3, n31 - hy * v3, n32, n33,
            n40 - hx * v4, n41 - hy * v4, n42, n43, n44), u, m


@formula
def _mean_inverse_cosine(sa: float, sb: float) -> tuple[float, float, float]:
    """(asin sb - asin sa) / (sb - sa) and its derivatives, by the Taylor series of the arc sine about the middle."""
    s, d = 0.5 * (sa + sb), sb - sa
    c2 = 1.0 - s * s
    first = 1.0 / math.sqrt(c2)
    third = first * (1.0 + 2.0 * s * s) / (c2 * c2)
    fifth = first * (9.0 + s * s * (72.0 + 24.0 * s * s)) / (c2 * c2 * c2 * c2)
    middle, edge = 0.5 * s * first / c2, d * third * (1.0 / 12.0)
    return first + d * d * (third * (1.0 / 24.0) + d * d * fifth * (1.0 / 1920.0)), middle - edge, middle + edge


@formula
def cross(t: Track, length: float, bend: float) -> tuple[Track, Jacobian]:
    """Cross a box of uniform field along y, exactly; transport.cross_box is the same step with loops and for any direction.

    Parameters
    ----------
    t : Track
        At the entrance.
    length : float
        Length along z [mm], negative upstream.
    bend : float
        Change of the sine of the angle in the plane of bending for q/p = 1 c/GeV: - C_FIELD x By x length.

    Returns
    -------
    tuple
        Track at the exit, NaN if the particle curls back inside the field; and its derivatives.
    """
    x, y, a, b, k, c00, c10, c11, c20, c21, c22, c30, c31, c32, c33, c40, c41, c42, c43, c44 = t
    one = 1.0 + a * a
    ca = 1.0 / math.sqrt(one)
    h = math.sqrt(one + b * b) * ca  # p / momentum across the field
    sa = a * ca
    sb = sa + bend * k * h
    cb = math.sqrt(1.0 - sb * sb)
    inv_cb, inv_sum = 1.0 / cb, 1.0 / (ca + cb)
    m, dm_dsa, dm_dsb = _mean_inverse_cosine(sa, sb)
    ratio, b_h = ca * inv_cb, b / (h * one)

    # derivatives of the sines, of the step across the field and of the slopes behind it
    dsa_da, dca_da = ca * ca * ca, -sa * ca * ca
    dsb_da, dsb_db, dsb_dk = dsa_da - bend * k * a * b * b_h / one, bend * k * b_h, bend * h
    dx_dsa = length * inv_sum * (1.0 + (sa + sb) * (sa / ca) * inv_sum)
    dx_dsb = length * inv_sum * (1.0 + (sa + sb) * (sb * inv_cb) * inv_sum)
    da_dsb = inv_cb * inv_cb * inv_cb
    dratio_dsb = ca * sb * da_dsb
    j = (dx_dsa * dsa_da + dx_dsb * dsb_da, dx_dsb * dsb_db, dx_dsb * dsb_dk,
         b * length * (dca_da * m + ca * (dm_dsa * dsa_da + dm_dsb * dsb_da)), ca * length * (m + b * dm_dsb * dsb_db), b * ca * length * dm_dsb * dsb_dk,
         da_dsb * dsb_da, da_dsb * dsb_db, da_dsb * dsb_dk,
         b * (dca_da * inv_cb + dratio_dsb * dsb_da), ratio + b * dratio_dsb * dsb_db, b * dratio_dsb * dsb_dk)
    j02, j03, j04, j12, j13, j14, j22, j23, j24, j32, j33, j34 = j

    # J C, then (J C) J^T
    m00, m10 = c00 + j02 * c20 + j03 * c30 + j04 * c40, c10 + j12 * c20 + j13 * c30 + j14 * c40
    m11 = c11 + j12 * c21 + j13 * c31 + j14 * c41
    m02, m12 = c20 + j02 * c22 + j03 * c32 + j04 * c42, c21 + j12 * c22 + j13 * c32 + j14 * c42
    m03, m13 = c30 + j02 * c32 + j03 * c33 + j04 * c43, c31 + j12 * c32 + j13 * c33 + j14 * c43
    m04, m14 = c40 + j02 * c42 + j03 * c43 + j04 * c44, c41 + j12 * c42 + j13 * c43 + j14 * c44
    m20, m30 = j22 * c20 + j23 * c30 + j24 * c40, j32 * c20 + j33 * c30 + j34 * c40
    m21, m31 = j22 * c21 + j23 * c31 + j24 * c41, j32 * c21 + j33 * c31 + j34 * c41
    m22, m32 = j22 * c22 + j23 * c32 + j24 * c42, j32 * c22 + j33 * c32 + j34 * c42
    m23, m33 = j22 * c32 + j23 * c33 + j24 * c43, j32 * c32 + j33 * c33 + j34 * c43
    m24, m34 = j22 * c42 + j23 * c43 + j24 * c44, j32 * c42 + j33 * c43 + j34 * c44
    return (x + length * (sa + sb) * inv_sum, y + b * ca * length * m, sb * inv_cb, b * ratio, k,
            m00 + m02 * j02 + m03 * j03 + m04 * j04,
            m10 + m12 * j02 + m13 * j03 + m14 * j04, m11 + m12 * j12 + m13 * j13 + m14 * j14,
            m20 + m22 * j02 + m23 * j03 + m24 * j04, m21 + m22 * j12 + m23 * j13 + m24 * j14, m22 * j22 + m23 * j23 + m24 * j24,
            m30 + m32 * j02 + m33 * j03 + m34 * j04, m31 + m32 * j12 + m33 * j13 + m34 * j14, m32 * j22 + m33 * j23 + m34 * j24,
            m32 * j32 + m33 * j33 + m34 * j34,
            m04, m14, m24, m34, c44), j


@formula
def cross_back(adjoint: Track, j: Jacobian) -> Track:
    """Adjoint of `cross`, with its derivatives."""
    q0, q1, q2, q3, q4, n00, n10, n11, n20, n21, n22, n30, n31, n32, n33, n40, n41, n42, n43, n44 = adjoint
    j02, j03, j04, j12, j13, j14, j22, j23, j24, j32, j33, j34 = j
    # N J: columns 2, 3, 4
    m02, m03 = n00 * j02 + n10 * j12 + n20 * j22 + n30 * j32, n00 * j03 + n10 * j13 + n20 * j23 + n30 * j33
    m12, m13 = n10 * j02 + n11 * j12 + n21 * j22 + n31 * j32, n10 * j03 + n11 * j13 + n21 * j23 + n31 * j33
    m22, m23 = n20 * j02 + n21 * j12 + n22 * j22 + n32 * j32, n20 * j03 + n21 * j13 + n22 * j23 + n32 * j33
    m32, m33 = n30 * j02 + n31 * j12 + n32 * j22 + n33 * j32, n30 * j03 + n31 * j13 + n32 * j23 + n33 * j33
    m42, m43 = n40 * j02 + n41 * j12 + n42 * j22 + n43 * j32, n40 * j03 + n41 * j13 + n42 * j23 + n43 * j33
    m04, m14 = n00 * j04 + n10 * j14 + n20 * j24 + n30 * j34 + n40, n10 * j04 + n11 * j14 + n21 * j24 + n31 * j34 + n41
    m24, m34 = n20 * j04 + n21 * j14 + n22 * j24 + n32 * j34 + n42, n30 * j04 + n31 * j14 + n32 * j24 + n33 * j34 + n43
    m44 = n40 * j04 + n41 * j14 + n42 * j24 + n43 * j34 + n44
    return (q0, q1, j02 * q0 + j12 * q1 + j22 * q2 + j32 * q3, j03 * q0 + j13 * q1 + j23 * q2 + j33 * q3,
            j04 * q0 + j14 * q1 + j24 * q2 + j34 * q3 + q4,
            n00,
            n10, n11,
            m02, m12, j02 * m02 + j12 * m12 + j22 * m22 + j32 * m32,
            m03, m13, j03 * m02 + j13 * m12 + j23 * m22 + j33 * m32, j03 * m03 + j13 * m13 + j23 * m23 + j33 * m33,
            m04, m14, j04 * m02 + j14 * m12 + j24 * m22 + j34 * m32 + m42, j04 * m03 + j14 * m13 + j24 * m23 + j34 * m33 + m43,
            j04 * m04 + j14 * m14 + j24 * m24 + j34 * m34 + m44)


@formula
def carry(t: Track, after: tuple[float, ...], j: tuple[float, ...]) -> Track:
    """Track with the parameters `after` behind any field and the derivatives j (rows x, y, tx, ty by all five parameters)."""
    k, c00, c10, c11, c20, c21, c22, c30, c31, c32, c33, c40, c41, c42, c43, c44 = t[4:]
    c0, c1, c2, c3, c4 = (c00, c10, c20, c30, c40), (c10, c11, c21, c31, c41), (c20, c21, c22, c32, c42), (c30, c31, c32, c33, c43), (c40, c41, c42, c43, c44)
    j0, j1, j2, j3 = j[0:5], j[5:10], j[10:15], j[15:20]
    # rows of J C
    m0 = (_dot(j0, c0), _dot(j0, c1), _dot(j0, c2), _dot(j0, c3), _dot(j0, c4))
    m1 = (_dot(j1, c0), _dot(j1, c1), _dot(j1, c2), _dot(j1, c3), _dot(j1, c4))
    m2 = (_dot(j2, c0), _dot(j2, c1), _dot(j2, c2), _dot(j2, c3), _dot(j2, c4))
    m3 = (_dot(j3, c0), _dot(j3, c1), _dot(j3, c2), _dot(j3, c3), _dot(j3, c4))
    return (after[0], after[1], after[2], after[3], k,
            _dot(m0, j0),
            _dot(m1, j0), _dot(m1, j1),
            _dot(m2, j0), _dot(m2, j1), _dot(m2, j2),
            _dot(m3, j0), _dot(m3, j1), _dot(m3, j2), _dot(m3, j3),
            m0[4], m1[4], m2[4], m3[4], c44)


@formula
def carry_back(adjoint: Track, j: tuple[float, ...]) -> Track:
    """Adjoint of `carry`."""
    q0, q1, q2, q3, q4, n00, n10, n11, n20, n21, n22, n30, n31, n32, n33, n40, n41, n42, n43, n44 = adjoint
    n0, n1, n2, n3, n4 = (n00, n10, n20, n30, n40), (n10, n11, n21, n31, n41), (n20, n21, n22, n32, n42), (n30, n31, n32, n33, n43), (n40, n41, n42, n43, n44)
    q = (q0, q1, q2, q3, q4)
    # columns of J
    j0, j1, j2, j3 = (j[0], j[5], j[10], j[15], 0.0), (j[1], j[6], j[11], j[16], 0.0), (j[2], j[7], j[12], j[17], 0.0), (j[3], j[8], j[13], j[18], 0.0)
    j4 = (j[4], j[9], j[14], j[19], 1.0)
    # rows of J^T N
    m0 = (_dot(j0, n0), _dot(j0, n1), _dot(j0, n2), _dot(j0, n3), _dot(j0, n4))
    m1 = (_dot(j1, n0), _dot(j1, n1), _dot(j1, n2), _dot(j1, n3), _dot(j1, n4))
    m2 = (_dot(j2, n0), _dot(j2, n1), _dot(j2, n2), _dot(j2, n3), _dot(j2, n4))
    m3 = (_dot(j3, n0), _dot(j3, n1), _dot(j3, n2), _dot(j3, n3), _dot(j3, n4))
    m4 = (_dot(j4, n0), _dot(j4, n1), _dot(j4, n2), _dot(j4, n3), _dot(j4, n4))
    return (_dot(j0, q), _dot(j1, q), _dot(j2, q), _dot(j3, q), _dot(j4, q),
            _dot(m0, j0),
            _dot(m1, j0), _dot(m1, j1),
            _dot(m2, j0), _dot(m2, j1), _dot(m2, j2),
            _dot(m3, j0), _dot(m3, j1), _dot(m3, j2), _dot(m3, j3),
            _dot(m4, j0), _dot(m4, j1), _dot(m4, j2), _dot(m4, j3), _dot(m4, j4))


@formula
def smoothed(t: Track, adjoint: Track) -> Track:
    """Track with all hits: x + C q and C - C N C, from the filtered track and the adjoint at the same place."""
    x, y, a, b, k, c00, c10, c11, c20, c21, c22, c30, c31, c32, c33, c40, c41, c42, c43, c44 = t
    q0, q1, q2, q3, q4, n00, n10, n11, n20, n21, n22, n30, n31, n32, n33, n40, n41, n42, n43, n44 = adjoint
    r0, r1, r2, r3, r4 = (c00, c10, c20, c30, c40), (c10, c11, c21, c31, c41), (c20, c21, c22, c32, c42), (c30, c31, c32, c33, c43), (c40, c41, c42, c43, c44)
    s0, s1, s2, s3, s4 = (n00, n10, n20, n30, n40), (n10, n11, n21, n31, n41), (n20, n21, n22, n32, n42), (n30, n31, n32, n33, n43), (n40, n41, n42, n43, n44)
    q = (q0, q1, q2, q3, q4)
    # rows of C N
    m0 = (_dot(r0, s0), _dot(r0, s1), _dot(r0, s2), _dot(r0, s3), _dot(r0, s4))
    m1 = (_dot(r1, s0), _dot(r1, s1), _dot(r1, s2), _dot(r1, s3), _dot(r1, s4))
    m2 = (_dot(r2, s0), _dot(r2, s1), _dot(r2, s2), _dot(r2, s3), _dot(r2, s4))
    m3 = (_dot(r3, s0), _dot(r3, s1), _dot(r3, s2), _dot(r3, s3), _dot(r3, s4))
    m4 = (_dot(r4, s0), _dot(r4, s1), _dot(r4, s2), _dot(r4, s3), _dot(r4, s4))
    return (x + _dot(r0, q), y + _dot(r1, q), a + _dot(r2, q), b + _dot(r3, q), k + _dot(r4, q),
            c00 - _dot(m0, r0),
            c10 - _dot(m1, r0), c11 - _dot(m1, r1),
            c20 - _dot(m2, r0), c21 - _dot(m2, r1), c22 - _dot(m2, r2),
            c30 - _dot(m3, r0), c31 - _dot(m3, r1), c32 - _dot(m3, r2), c33 - _dot(m3, r3),
            c40 - _dot(m4, r0), c41 - _dot(m4, r1), c42 - _dot(m4, r2), c43 - _dot(m4, r3), c44 - _dot(m4, r4))


@formula
def _dot(v: Track, w: Track) -> float:
    return v[0] * w[0] + v[1] * w[1] + v[2] * w[2] + v[3] * w[3] + v[4] * w[4]
