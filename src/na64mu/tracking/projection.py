"""Model of one view of a spectrometer for track finding: linear track model, seeds and their prediction windows.

In one view a track is u(z) = u0 + t z (straight view) or u0 + t z + (q/p) G(z) (bending view), so every choice of
two or three hits predicts the crossing of all other planes, with an error that follows from the resolutions of the
hits and the scattering between the planes.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from na64mu.common.arguments import numbers, one_of
from na64mu.errors import DetectorError
from na64mu.physics.scattering import MODELS, Scattering, scattering_angle
from na64mu.tracking.spectrometer import Plane, Spectrometer, bending_integral, check_spectrometer
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
        d u / d parameters, shape (n, 3): columns 1, z [m], G(z) [mm GeV/c]; G is zero in a straight view.
    sigma, half : FloatArray
        Resolution and half width of each plane [mm], shape (n,).
    scattering : FloatArray
        Variance that scattering adds to the residuals of a fit to all planes [mm2] at 1 GeV/c, shape (n,).
    seeds : IntArray
        Planes of each seed, shape (s, p): first those that any two lost planes leave, then those for tracks that leave the acceptance.
    n_first : int
        Number of the former; the latter are tried where these find nothing.
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
    half: FloatArray
    scattering: FloatArray
    seeds: IntArray
    n_first: int
    weights: FloatArray
    variance: FloatArray
    seed_scattering: FloatArray


def _scatterers(spectrometer: Spectrometer, scattering: str, n_air: int = 40) -> tuple[FloatArray, FloatArray]:
    """Positions [mm] and squared angles at 1 GeV/c of all scatterers, the air cut into slices."""
    z = list(spectrometer.z)
    thickness = [p.x_over_x0 for p in spectrometer.planes]
    start = min(max(z[0], spectrometer.vacuum_until), z[-1])  # no air where the vacuum reaches beyond the last plane
    slices = np.linspace(start, z[-1], n_air + 1)
    z += list(0.5 * (slices[1:] + slices[:-1]))
    thickness += [(slices[1] - slices[0]) / spectrometer.air_x0] * n_air
    return np.array(z), scattering_angle(np.array(thickness), spectrometer.total_x0, scattering) ** 2


def _lost_pairs(planes: list[Plane]) -> list[set[int]]:
    """Inefficiency: any two planes may miss the track."""
    return [set(pair) for size in (0, 1, 2) for pair in combinations(range(len(planes)), size)]


def _lost_ends(planes: list[Plane]) -> list[set[int]]:
    """Acceptance: the track leaves all planes from some z on, or all narrow ones behind the first, and misses any other plane."""
    n, first = len(planes), planes[0]
    gone = [set(range(j, n)) for j in range(n)]
    gone += [{j for j in range(n) if planes[j].z > first.z and planes[j].reach <= r} for r in {p.reach for p in planes} if r >= first.reach]
    return gone + [lost | {j} for lost in gone for j in range(n)]


def _seed_planes(model: FloatArray, planes: list[Plane]) -> list[list[tuple[int, ...]]]:
    """Seeds against inefficiency and those against acceptance: for every set of lost planes the best one without them."""
    n, p = model.shape
    sigma = np.array([plane.sigma for plane in planes])
    quality: dict[tuple[int, ...], float] = {}
    for seed in combinations(range(n), p):
        rows = model[list(seed)]
        if abs(np.linalg.det(rows / np.abs(model).max(axis=0))) < 1e-9:
            continue
        covariance = np.linalg.inv(rows) @ np.diag(sigma[list(seed)] ** 2) @ np.linalg.inv(rows).T
        if p == 3 and np.sqrt(covariance[2, 2]) > MAX_CURVATURE_ERROR / REFERENCE_MOMENTUM:
            continue
        worst = np.sqrt(np.einsum("ij,jk,ik->i", model, covariance, model)) / sigma
        # wires have two sides: a seed of k of them has 2^k combinations to try
        wires = sum(planes[i].two_sided for i in seed)
        quality[seed] = float(np.sqrt(np.mean(worst**2))) * 2.0**wires
    ranked = sorted(quality, key=lambda s: quality[s])

    def best_without(lost_sets: list[set[int]]) -> set[tuple[int, ...]]:
        best = (next((s for s in ranked if not set(s) & lost), None) for lost in lost_sets)
        return {s for s in best if s is not None}

    first = best_without(_lost_pairs(planes))
    second = best_without(_lost_ends(planes)) - first
    return [sorted(group, key=lambda s: quality[s]) for group in (first, second)]


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
        Columns 1, z [m] and G(z) [mm GeV/c], which is zero in a straight view; shape (n, 3).
    """
    check_spectrometer(spectrometer)
    z, view = numbers(z, "z [mm]"), one_of(view, (0, 1), "view")
    bending = bending_integral(z, spectrometer) if view == spectrometer.bend_view else np.zeros_like(z)
    return np.column_stack([np.ones_like(z), z * 1e-3, bending])


def projection(spectrometer: Spectrometer, view: int, scattering: Scattering | str = "highland") -> Projection:
    """Planes, seeds and windows of one view; made once per spectrometer.

    Parameters
    ----------
    spectrometer : Spectrometer
        MS1 or MS2.
    view : int
        0 (x) or 1 (y).
    scattering : Scattering or str
        Model of multiple scattering, a name of physics.scattering.MODELS.

    Returns
    -------
    Projection
        The compiled view.

    Raises
    ------
    ArgumentError
        If there is no such view or model.
    DetectorError
        If the spectrometer makes no sense, or the planes of the view do not determine a track.
    """
    scattering = one_of(scattering, MODELS, "scattering")
    check_spectrometer(spectrometer)
    return _projection(spectrometer, one_of(view, (0, 1), "view"), scattering)


@lru_cache(maxsize=32)
def _projection(spectrometer: Spectrometer, view: int, model_name: str) -> Projection:
    planes = np.array(spectrometer.view(view), dtype=np.int64)
    z = spectrometer.z[planes]
    sigma, half = (np.array([getattr(spectrometer.planes[i], name) for i in planes]) for name in ("sigma", "half"))
    padded = track_model(z, spectrometer, view)
    model = padded if view == spectrometer.bend_view else padded[:, :2]
    scale = np.maximum(np.abs(model).max(axis=0, initial=0.0), 1e-300)
    if len(planes) < model.shape[1] or np.linalg.matrix_rank(model / scale) < model.shape[1]:
        msg = f"{spectrometer.name}: the {len(planes)} planes that measure {'xy'[view]} do not determine {'position, slope and curvature' if model.shape[1] == 3 else 'position and slope'} of a track: tracks cannot be found in this view, only fitted"
        raise DetectorError(msg)

    scatterer_z, angle2 = _scatterers(spectrometer, model_name)
    lever = np.clip(z[:, None] - scatterer_z[None, :], 0.0, None)  # deflection at a scatterer moves all planes behind it
    weight = model / sigma[:, None] ** 2
    fitted = model @ np.linalg.solve(model.T @ weight, weight.T)
    scattering = ((lever - fitted @ lever) ** 2) @ angle2

    first, second = _seed_planes(model, [spectrometer.planes[i] for i in planes])
    seeds = np.array(first + second)
    if not len(seeds):
        msg = f"{spectrometer.name}: no choice of planes that measure {'xy'[view]} gives the curvature to {MAX_CURVATURE_ERROR:.0%} at {REFERENCE_MOMENTUM:g} GeV/c: tracks cannot be found in this view, only fitted"
        raise DetectorError(msg)
    weights = np.stack([model @ np.linalg.inv(model[s]) for s in seeds])
    variance = np.stack([w**2 @ sigma[s] ** 2 for w, s in zip(weights, seeds, strict=True)])
    seed_scattering = np.stack([((lever - w @ lever[s]) ** 2) @ angle2 for w, s in zip(weights, seeds, strict=True)])
    return Projection(planes, padded, sigma, half, scattering, seeds, len(first), weights, variance, seed_scattering)
