"""Residuals of tracks, their weights and their derivatives with respect to the alignment: the input of the global chi2.

For the hits of one track, with residuals r, derivatives J by its parameters and covariance V (resolution and multiple
scattering), the fit minimises (r - J a)^T V^-1 (r - J a). With W = V^-1 the matrix

    P = W - W J (J^T W J)^-1 J^T W

projects out the track parameters: r^T P r is the chi2 of the fit, (P r)_i / P_ii the residual of hit i to the
track fitted without it, and 1 / P_ii its variance. With derivatives G by the global parameters, sum G^T P G and sum G^T P r
are matrix and right side of the reduced normal equations: the Schur complement of the tracks in the matrix of all
parameters, local and global.

References
----------
V. Blobel, C. Kleinwort, "A new method for the high-precision alignment of track detectors", hep-ex/0208021.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from na64mu.alignment.trajectory import NO_BEND, follow
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("TrackHits", "TrackResiduals", "residuals", "spread_globals")

#: Sizes of the track parameters, so that matrices are well conditioned: mm, mm, mrad, mrad, 1 / (100 GeV/c).
SCALE = np.array([1.0, 1.0, 1e-3, 1e-3, 1e-2])


@dataclass(frozen=True)
class TrackHits:
    """Hits of selected tracks, one per plane at most.

    Attributes
    ----------
    u, sigma : FloatArray
        Coordinate in the frame of the module, from its centre, and its resolution [mm], shape (n, n_planes).
    used : BoolArray
        Whether there is one, shape (n, n_planes).
    time : FloatArray
        Drift time of a wire [ns], NaN for other hits, shape (n, n_planes).
    state : FloatArray
        Parameters of the track at the first plane, shape (n, 5).
    event : IntArray
        Event of every track, shape (n,).
    """

    u: FloatArray
    sigma: FloatArray
    used: BoolArray
    time: FloatArray
    state: FloatArray
    event: IntArray

    def __len__(self) -> int:
        return len(self.event)

    def __getitem__(self, rows: slice | BoolArray | IntArray) -> TrackHits:
        return TrackHits(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class TrackResiduals:
    """Residuals of n tracks on m planes; rows and columns of hits that are not used are zero.

    Attributes
    ----------
    r : FloatArray
        Hit minus fitted track [mm], shape (n, m).
    state : FloatArray
        Fitted parameters at the first plane, shape (n, 5).
    covariance : FloatArray
        V [mm2], shape (n, m, m); 1 on the diagonal of hits that are not used.
    local : FloatArray
        J, in units of SCALE, shape (n, m, 5), or 4 without field.
    projected : FloatArray
        P [1/mm2], shape (n, m, m).
    along : FloatArray
        Derivatives of r by (dx, dy, drotation) of the module, shape (n, m, 3).
    crossing, across : FloatArray
        Crossing of the track with every plane, along the plane's direction and across it, from the centre of the module [mm], shape (n, m).
    used : BoolArray
        Hits of the fit, shape (n, m).
    gain : FloatArray
        Change of the fitted q/p per change of each residual [c/GeV/mm], shape (n, m); 0 without field.
    curvature_variance : FloatArray
        Variance of the fitted q/p [c2/GeV2], shape (n,); 0 without field.
    """

    r: FloatArray
    state: FloatArray
    covariance: FloatArray
    local: FloatArray
    projected: FloatArray
    along: FloatArray
    crossing: FloatArray
    across: FloatArray
    used: BoolArray
    gain: FloatArray
    curvature_variance: FloatArray

    def __getitem__(self, rows: BoolArray) -> TrackResiduals:
        return TrackResiduals(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @property
    def weighted(self) -> FloatArray:
        """P r [1/mm], shape (n, m)."""
        return np.asarray((self.projected @ self.r[:, :, None])[:, :, 0])

    @property
    def chi2(self) -> FloatArray:
        """Chi2 of every track, shape (n,)."""
        return np.sum(self.r * self.weighted, axis=1)

    @property
    def ndf(self) -> IntArray:
        """Degrees of freedom of every track, shape (n,)."""
        return self.used.sum(axis=1) - self.local.shape[2]

    @property
    def freedom(self) -> FloatArray:
        """P_ii, 1 where there is no hit or where a track parameter is determined by this hit alone, shape (n, m)."""
        diagonal = np.einsum("nii->ni", self.projected)
        variance = np.einsum("nii->ni", self.covariance)
        return np.where(self.used & (diagonal * variance > 1e-6), diagonal, 1.0)

    @property
    def unbiased(self) -> FloatArray:
        """Residual to the track fitted without the hit [mm], NaN where there is no hit, shape (n, m)."""
        return np.where(self.used, self.weighted / self.freedom, np.nan)

    @property
    def pull(self) -> FloatArray:
        """Unbiased residual over its standard deviation, 0 where there is no hit, shape (n, m)."""
        return np.where(self.used, self.weighted / np.sqrt(self.freedom), 0.0)


def _geometry(spectrometer: Spectrometer, detector: Detector) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Direction, its derivative by the rotation, and centre of the module of every plane; each of shape (m, 2)."""
    direction = np.array([p.direction for p in spectrometer.planes])
    turned = np.column_stack([-direction[:, 1], direction[:, 0]])
    return direction, turned, np.array([detector.trackers[p.station].centre for p in spectrometer.planes])


def _inverse(normal: FloatArray) -> FloatArray:
    """Inverse of the normal matrices of tracks; a parameter without any hit stays at 0 instead of stopping the others."""
    n = normal.shape[1]
    normal = normal.copy()
    normal[:, np.arange(n), np.arange(n)] *= 1.0 + 1e-12
    normal[:, np.arange(n), np.arange(n)] += 1e-12
    return np.asarray(np.linalg.inv(normal), dtype=np.float64)


def residuals(
    hits: TrackHits, spectrometer: Spectrometer, detector: DetectorLike, scatter: FloatArray, *, iterations: int = 1
) -> TrackResiduals:
    """Fit tracks to their hits.

    Parameters
    ----------
    hits : TrackHits
        Hits of the tracks and the start of the fit.
    spectrometer : Spectrometer
        MS1 or MS2, with or without field.
    detector : Detector, str or Path
        The description it was made of.
    scatter : FloatArray
        Scattering covariance, from `scattering`.
    iterations : int
        Gauss-Newton steps; the track model is almost linear, and the start is close.

    Returns
    -------
    TrackResiduals
        Residuals, weights and derivatives at the fitted parameters.
    """
    detector = load_detector(detector)
    direction, turned, centre = _geometry(spectrometer, detector)
    n_local = 4 if spectrometer.bend_view == NO_BEND else 5
    m, used = len(spectrometer.planes), hits.used
    both = used[:, :, None] & used[:, None, :]
    curvature2 = hits.state[:, 4] ** 2
    covariance = np.where(both, curvature2[:, None, None] * scatter, 0.0)
    covariance[:, np.arange(m), np.arange(m)] = np.where(used, hits.sigma**2 + curvature2[:, None] * np.diag(scatter), 1.0)
    weight = np.where(both, np.linalg.inv(covariance), 0.0)
    state = hits.state.copy()
    for last in [False] * iterations + [True]:
        position, derivative = follow(state, spectrometer)
        r = np.where(used, hits.u - np.einsum("mi,nmi->nm", direction, position - centre), 0.0)
        local = np.where(used[:, :, None], np.einsum("mi,nmik->nmk", direction, derivative)[:, :, :n_local] * SCALE[:n_local], 0.0)
        weighted_local = weight @ local
        inverse = _inverse(local.transpose(0, 2, 1) @ weighted_local)
        if not last:
            step = inverse @ (weighted_local.transpose(0, 2, 1) @ r[:, :, None])
            state[:, :n_local] += SCALE[:n_local] * step[:, :, 0]
    projected = weight - weighted_local @ inverse @ weighted_local.transpose(0, 2, 1)
    # r = u - d . (p - c): moving the centre moves the hit along d, turning the module turns d
    crossing, across = (np.einsum("mi,nmi->nm", axis, position - centre) for axis in (direction, turned))
    along = np.concatenate([np.broadcast_to(direction, (len(r), m, 2)), -across[:, :, None]], axis=2)
    gain, curvature_variance = np.zeros_like(r), np.zeros(len(r))
    if n_local == len(SCALE):
        gain = SCALE[4] * (inverse[:, 4:5] @ weighted_local.transpose(0, 2, 1))[:, 0]
        curvature_variance = SCALE[4] ** 2 * inverse[:, 4, 4]
    along = np.where(used[:, :, None], along, 0.0)
    return TrackResiduals(r, state, covariance, local, projected, along, crossing, across, used, gain, curvature_variance)


def spread_globals(along: FloatArray, columns: IntArray, n_parameters: int) -> FloatArray:
    """Derivatives by all global parameters from those by the parameters of each plane's module.

    Parameters
    ----------
    along : FloatArray
        Shape (n, m, 3).
    columns : IntArray
        Parameter of every plane and component, -1 where it is not free, shape (m, 3).
    n_parameters : int
        Number of parameters.

    Returns
    -------
    FloatArray
        G, shape (n, m, n_parameters).
    """
    selector = np.zeros((*columns.shape, n_parameters))
    plane, component = np.nonzero(columns >= 0)
    selector[plane, component, columns[plane, component]] = 1.0
    return np.einsum("nmc,mcg->nmg", along, selector)
