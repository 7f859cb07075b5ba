"""Kalman filter of a track over (x, y, tx, ty, q/p), downstream and upstream, with multiple scattering.

Every measurement is one coordinate on one plane; field boxes are crossed exactly (transport.py). The two filters give the
parameters with all hits at both ends of the spectrometer: downstream for S4 and the HCAL, upstream for the ECAL.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from na64mu.tracking.hits import Hits
from na64mu.tracking.spectrometer import Spectrometer, highland_angle
from na64mu.tracking.transport import cross_box
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("FittedTracks", "fit_tracks")

#: Standard deviations of the start of a filter, wide against every measurement: mm, mm, rad, rad, c/GeV.
PRIOR = np.array([200.0, 200.0, 0.1, 0.1, 0.3])


@dataclass(frozen=True)
class FittedTracks:
    """Fitted tracks; parameters are (x, y, tx, ty, q/p) in mm, rad, c/GeV.

    Attributes
    ----------
    good : BoolArray
        The fit converged, shape (n,).
    chi2 : FloatArray
        Chi2 of the filter, shape (n,).
    ndf : IntArray
        Measurements minus five, shape (n,).
    upstream, downstream : FloatArray
        Parameters at the first and the last plane, shape (n, 5).
    upstream_covariance, downstream_covariance : FloatArray
        Their covariances, shape (n, 5, 5).
    """

    good: BoolArray
    chi2: FloatArray
    ndf: IntArray
    upstream: FloatArray
    downstream: FloatArray
    upstream_covariance: FloatArray
    downstream_covariance: FloatArray


@numba.njit(cache=True, nogil=True)
def update(state: FloatArray, cov: FloatArray, cx: float, cy: float, u: float, variance: float) -> float:
    """Kalman update with one coordinate u = cx x + cy y, in place; returns its chi2.

    Parameters
    ----------
    state, cov : FloatArray
        Parameters, shape (5,), and covariance, shape (5, 5).
    cx, cy : float
        Direction of the measurement in the plane.
    u, variance : float
        Measured coordinate [mm] and its variance [mm2].

    Returns
    -------
    float
        Squared residual over its predicted variance.

    References
    ----------
    R. Fruehwirth, Nucl. Instrum. Meth. A 262 (1987) 444, section 3.
    """
    residual = u - cx * state[0] - cy * state[1]
    projected = np.empty(5)
    for i in range(5):
        projected[i] = cov[i, 0] * cx + cov[i, 1] * cy
    total = variance + cx * projected[0] + cy * projected[1]
    for i in range(5):
        state[i] += projected[i] / total * residual
        for j in range(i + 1):
            cov[i, j] -= projected[i] * projected[j] / total
            cov[j, i] = cov[i, j]
    return residual * residual / total


@numba.njit(cache=True, nogil=True)
def drift(state: FloatArray, cov: FloatArray, length: float) -> None:
    """Straight step of a given length along z [mm], in place."""
    state[0] += length * state[2]
    state[1] += length * state[3]
    for j in range(5):
        cov[0, j] += length * cov[2, j]
        cov[1, j] += length * cov[3, j]
    for j in range(5):
        cov[j, 0] += length * cov[j, 2]
        cov[j, 1] += length * cov[j, 3]


@numba.njit(cache=True, nogil=True)
def scatter(state: FloatArray, cov: FloatArray, angle2: float, length: float) -> None:
    """Multiple scattering over a step of a given length [mm]; angle2 is the squared angle at 1 GeV/c, in place."""
    theta2 = angle2 * state[4] * state[4]
    for i in range(2):
        cov[2 + i, 2 + i] += theta2
        cov[i, i] += theta2 * length * length / 3.0
        cov[i, 2 + i] += 0.5 * theta2 * length
        cov[2 + i, i] += 0.5 * theta2 * length


@numba.njit(cache=True, nogil=True)
def _transport(cov: FloatArray, jacobian: FloatArray, work: FloatArray) -> None:
    """Covariance through a box: J C J^T, in place."""
    for i in range(5):
        for j in range(5):
            total = 0.0
            for k in range(5):
                total += jacobian[i, k] * cov[k, j]
            work[i, j] = total
    for i in range(5):
        for j in range(i + 1):
            total = 0.0
            for k in range(5):
                total += work[i, k] * jacobian[j, k]
            cov[i, j] = total
            cov[j, i] = total


@numba.njit(cache=True, nogil=True)
def _filter(u, sigma, view, plane_angle2, node_planes, steps, step_angle2, downstream, state, cov, jacobian, work):  # type: ignore[no-untyped-def] # kernel
    """One filter over all nodes; node n lies at the start of step n. Returns chi2, or -1 if the track turns around."""
    n_steps = len(steps)
    chi2 = 0.0
    for index in range(n_steps + 1):
        node = index if downstream else n_steps - index
        for position in range(node_planes[node + 1] - node_planes[node]):
            p = node_planes[node] + position if downstream else node_planes[node + 1] - 1 - position
            if sigma[p] > 0.0:
                chi2 += update(state, cov, 1.0 - view[p], float(view[p]), u[p], sigma[p] ** 2)
            scatter(state, cov, plane_angle2[p], 0.0)
        if index == n_steps:
            break
        step = node if downstream else node - 1
        length = steps[step, 1] - steps[step, 0]
        if not downstream:
            length = -length
        bx, by = steps[step, 2], steps[step, 3]
        if bx == 0.0 and by == 0.0:
            drift(state, cov, length)
        else:
            if not cross_box(state, length, bx, by, jacobian):
                return -1.0
            _transport(cov, jacobian, work)
        scatter(state, cov, step_angle2[step], length)
    return chi2


@numba.njit(cache=True, nogil=True)
def _fit_tracks(u, sigma, view, plane_angle2, node_planes, steps, step_angle2, prior, seed, good, chi2, up, up_cov, down, down_cov):  # type: ignore[no-untyped-def] # kernel
    jacobian, work = np.empty((5, 5)), np.empty((5, 5))
    for t in range(len(good)):
        if not good[t]:
            continue
        down[t] = seed[t]
        down_cov[t] = np.diag(prior * prior)
        chi2[t] = _filter(u[t], sigma[t], view, plane_angle2, node_planes, steps, step_angle2, True, down[t], down_cov[t], jacobian, work)
        if chi2[t] < 0.0 or not np.all(np.isfinite(down[t])):
            good[t] = False
            continue
        up[t] = down[t]
        up_cov[t] = np.diag(prior * prior)
        back = _filter(u[t], sigma[t], view, plane_angle2, node_planes, steps, step_angle2, False, up[t], up_cov[t], jacobian, work)
        good[t] = back >= 0.0 and np.all(np.isfinite(up[t]))


def fit_tracks(hits: Hits, chosen: IntArray, seed: FloatArray, spectrometer: Spectrometer) -> FittedTracks:
    """Fit tracks with the chosen hits.

    Parameters
    ----------
    hits : Hits
        Hits of the spectrometer.
    chosen : IntArray
        Hit of every plane of the spectrometer (both views), -1 for none, shape (n, n_planes); a row of -1 is no track.
    seed : FloatArray
        Parameters at the first plane to start from, shape (n, 5).
    spectrometer : Spectrometer
        MS1 or MS2.

    Returns
    -------
    FittedTracks
        One per row; `good` is False where there was nothing to fit or the particle turns around in the field.
    """
    n = len(chosen)
    safe = np.clip(chosen, 0, None)
    present = chosen >= 0
    u = np.where(present, hits.u[safe] if len(hits.u) else 0.0, 0.0)
    sigma = np.where(present, hits.sigma[safe] if len(hits.u) else 0.0, 0.0)
    steps = spectrometer.steps()
    nodes = np.append(steps[:, 0], steps[-1, 1])
    node_planes = np.searchsorted(spectrometer.z, np.append(nodes, np.inf), side="left")
    thickness = np.array([p.x_over_x0 for p in spectrometer.planes])
    good = present.sum(axis=1) > 5
    chi2 = np.full(n, np.nan)
    up, down = np.full((n, 5), np.nan), np.full((n, 5), np.nan)
    up_cov, down_cov = np.full((n, 5, 5), np.nan), np.full((n, 5, 5), np.nan)
    _fit_tracks(
        u, sigma, np.array([p.view for p in spectrometer.planes], dtype=np.int64),
        highland_angle(thickness, spectrometer.total_x0) ** 2, node_planes, steps,
        highland_angle(steps[:, 4], spectrometer.total_x0) ** 2, PRIOR, np.ascontiguousarray(seed, dtype=np.float64), good, chi2, up, up_cov, down, down_cov,
    )  # fmt: skip
    ndf = np.where(good, present.sum(axis=1) - 5, 0)
    return FittedTracks(good, chi2, ndf, up, down, up_cov, down_cov)
