"""Weighted fit of the linear track model of one view: u(z) = u0 + slope z + (q/p) G(z).

In a straight view G is zero everywhere and q/p stays zero. Scalar formulas for the finding, which calls them for every seed.
"""

from __future__ import annotations

from na64mu.compiled.kernel import kernel
from na64mu.tracking.projection import Projection
from na64mu.typing import FloatArray, IntArray

__all__ = ("MIN_FREEDOM", "fit_hits", "fitted_coordinate")

# smallest part of a hit's variance that it does not determine itself: 0 means that a fit parameter is determined by this hit alone
MIN_FREEDOM = 1e-3


@kernel
def fitted_coordinate(model: FloatArray, parameters: FloatArray) -> float:
    """Coordinate [mm] of a track where the derivatives of its model are `model`, shape (3,)."""
    return float(model[0] * parameters[0] + model[1] * parameters[1] + model[2] * parameters[2])


@kernel
def fit_hits(
    hits: IntArray, u: FloatArray, sigma: FloatArray, view: Projection, k2: float, parameters: FloatArray
) -> tuple[float, int, float]:
    """Least-squares fit of the hits of a candidate.

    Parameters
    ----------
    hits : IntArray
        Hit of every plane of the view, -1 for none, shape (n_planes,).
    u, sigma : FloatArray
        Coordinates and errors of all hits [mm].
    view : Projection
        The view.
    k2 : float
        (q/p)^2 that sets the scattering [(c/GeV)^2].
    parameters : FloatArray
        Filled with u0 [mm], slope [1e-3], q/p [c/GeV], shape (3,).

    Returns
    -------
    tuple of float, int, float
        Chi2 (-1: the hits do not determine all parameters), plane of the worst hit and its leave-one-out chi2.
    """
    s1, sz, sg, szz, szg, sgg, r1, rz, rg = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(len(hits)):
        if hits[j] < 0:
            continue
        w = 1.0 / (sigma[hits[j]] ** 2 + k2 * view.scattering[j])
        z, g, wu = view.model[j, 1], view.model[j, 2], w * u[hits[j]]
        s1 += w
        sz += w * z
        sg += w * g
        szz += w * z * z
        szg += w * z * g
        sgg += w * g * g
        r1 += wu
        rz += wu * z
        rg += wu * g
    if view.seeds.shape[1] == 2:
        sgg = 1.0  # straight: fixes q/p at zero
    # inverse of the symmetric matrix ((s1, sz, sg), (sz, szz, szg), (sg, szg, sgg)) by its cofactors
    c00, c01, c02 = szz * sgg - szg * szg, sg * szg - sz * sgg, sz * szg - sg * szz
    det = s1 * c00 + sz * c01 + sg * c02
    if det <= 0.0:
        return -1.0, -1, 0.0
    c00, c01, c02 = c00 / det, c01 / det, c02 / det
    c11, c12, c22 = (s1 * sgg - sg * sg) / det, (sg * sz - s1 * szg) / det, (s1 * szz - sz * sz) / det
    parameters[0] = c00 * r1 + c01 * rz + c02 * rg
    parameters[1] = c01 * r1 + c11 * rz + c12 * rg
    parameters[2] = c02 * r1 + c12 * rz + c22 * rg
    chi2, worst, worst_chi2 = 0.0, -1, 0.0
    for j in range(len(hits)):
        if hits[j] < 0:
            continue
        v = sigma[hits[j]] ** 2 + k2 * view.scattering[j]
        z, g = view.model[j, 1], view.model[j, 2]
        residual = u[hits[j]] - fitted_coordinate(view.model[j], parameters)
        fitted = c00 + 2.0 * (c01 * z + c02 * g + c12 * z * g) + c11 * z * z + c22 * g * g
        chi2 += residual * residual / v
        left = 1.0 - fitted / v  # what the hit does not determine itself
        if left < MIN_FREEDOM:
            return -1.0, -1, 0.0
        if residual * residual / (v * left) > worst_chi2:
            worst, worst_chi2 = j, residual * residual / (v * left)
    return chi2, worst, worst_chi2
