"""One view of a spectrometer for track finding: a linear track model, its seeds and their prediction windows.

In one view a track is u(z) = u0 + t z (straight view) or u0 + t z + (q/p) G(z) (bending view), so every choice of
two or three hits predicts the crossing of all other planes, with an error that follows from the resolutions of the
hits and the scattering between the planes.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from na64mu.reconstruction.spectrometer import Spectrometer, bending_integral, highland_angle
from na64mu.typing import FloatArray, IntArray

__all__ = ("Projection", "projection", "track_model")

MAX_CURVATURE_ERROR = 0.1  # a seed must give q/p to 10 % of that at the reference momentum
REFERENCE_MOMENTUM = 160.0  # GeV/c; only ranks the seeds


class Projection(NamedTuple):
    """The planes of one view and the seeds of its tracks; n planes, p = 2 or 3 parameters, s seeds (a tuple: kernels take it).

    Attributes
    ----------
    planes : IntArray
        Index of each plane in the spectrometer, shape (n,).
    model : FloatArray
        d u / d parameters, shape (n, p): columns 1, z [m], G(z) [mm GeV/c].
    sigma : FloatArray
        Resolution of each plane [mm], shape (n,).
    scattering : FloatArray
        Variance that scattering adds to the residuals of a fit to all planes [mm2] at 1 GeV/c, shape (n,).
    seeds : IntArray
        Planes of each seed, shape (s, p), best first.
    weights : FloatArray
        Prediction = sum of weights x seed hits, shape (s, n, p).
    variance : FloatArray
        Variance of the prediction from the resolutions [mm2], shape (s, n).
    seed_scattering : FloatArray
        Variance of hit minus prediction from scattering [mm2] at 1 GeV/c, shape (s, n).
    """

    planes: IntArray
    model: FloatArray
    sigma: FloatArray
    scattering: FloatArray
    seeds: IntArray
    weights: FloatArray
    variance: FloatArray
    seed_scattering: FloatArray


def _scatterers(spectrometer: Spectrometer, n_air: int = 40) -> tuple[FloatArray, FloatArray]:
    """Positions [mm] and squared angles at 1 GeV/c of all scatterers, the air cut into slices."""
    z = list(spectrometer.z)
    thickness = [p.x_over_x0 for p in spectrometer.planes]
    start = max(z[0], spectrometer.vacuum_until)
    slices = np.linspace(start, z[-1], n_air + 1)
    z += list(0.5 * (slices[1:] + slices[:-1]))
    thickness += [(slices[1] - slices[0]) / spectrometer.air_x0] * n_air
    return np.array(z), highland_angle(np.array(thickness), spectrometer.total_x0) ** 2


def _seed_planes(model: FloatArray, sigma: FloatArray, two_sided: IntArray) -> list[tuple[int, ...]]:
    """Seeds such that any two planes may be missing: for every pair of lost planes the best seed without them."""
    n, p = model.shape
    quality: dict[tuple[int, ...], float] = {}
    for planes in combinations(range(n), p):
        rows = model[list(planes)]
        if abs(np.linalg.det(rows / np.abs(model).max(axis=0))) < 1e-9:
            continue
        covariance = np.linalg.inv(rows) @ np.diag(sigma[list(planes)] ** 2) @ np.linalg.inv(rows).T
        if p == 3 and np.sqrt(covariance[2, 2]) > MAX_CURVATURE_ERROR / REFERENCE_MOMENTUM:
            continue
        worst = np.sqrt(np.einsum("ij,jk,ik->i", model, covariance, model)) / sigma
        # wires have two sides: a seed of k of them has 2^k combinations to try
        quality[planes] = float(np.sqrt(np.mean(worst**2))) * 2.0 ** float(two_sided[list(planes)].sum())
    chosen: dict[tuple[int, ...], None] = {}
    ranked = sorted(quality, key=lambda s: quality[s])
    for lost in [(), *combinations(range(n), 1), *combinations(range(n), 2)]:
        best = next((s for s in ranked if not set(s) & set(lost)), None)
        if best is not None:
            chosen[best] = None
    return sorted(chosen, key=lambda s: quality[s])


def track_model(z: FloatArray, spectrometer: Spectrometer, view: int) -> FloatArray:
    """Derivatives of u by the parameters of the linear track model.

    Parameters
    ----------
    z : FloatArray
        Positions [mm], shape (n,).
    spectrometer : Spectrometer
        MS1 or MS2.
    view : int
        0 (x) or 1 (y).

    Returns
    -------
    FloatArray
        Columns 1, z [m] and, in the bending view, G(z) [mm GeV/c]; shape (n, 2 or 3).
    """
    columns = [np.ones_like(z), z * 1e-3]
    if view == spectrometer.bend_view:
        columns.append(bending_integral(z, spectrometer))
    return np.column_stack(columns)


@lru_cache(maxsize=32)
def projection(spectrometer: Spectrometer, view: int) -> Projection:
    """Planes, seeds and windows of one view; made once per spectrometer.

    Parameters
    ----------
    spectrometer : Spectrometer
        MS1 or MS2.
    view : int
        0 (x) or 1 (y).

    Returns
    -------
    Projection
        The compiled view.
    """
    planes = np.array(spectrometer.view(view))
    z = spectrometer.z[planes]
    sigma = np.array([spectrometer.planes[i].sigma for i in planes])
    model = track_model(z, spectrometer, view)

    scatterer_z, angle2 = _scatterers(spectrometer)
    lever = np.clip(z[:, None] - scatterer_z[None, :], 0.0, None)  # deflection at a scatterer moves all planes behind it
    weight = model / sigma[:, None] ** 2
    fitted = model @ np.linalg.solve(model.T @ weight, weight.T)
    scattering = ((lever - fitted @ lever) ** 2) @ angle2

    two_sided = np.array([spectrometer.planes[i].station.startswith("st") for i in planes], dtype=np.int64)
    seeds = np.array(_seed_planes(model, sigma, two_sided))
    weights = np.stack([model @ np.linalg.inv(model[s]) for s in seeds])
    variance = np.stack([w**2 @ sigma[s] ** 2 for w, s in zip(weights, seeds, strict=True)])
    seed_scattering = np.stack([((lever - w @ lever[s]) ** 2) @ angle2 for w, s in zip(weights, seeds, strict=True)])
    return Projection(planes, model, sigma, scattering, seeds, weights, variance, seed_scattering)
