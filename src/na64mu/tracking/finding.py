"""Track candidates in one view: every seed predicts all planes, hits in the windows are fitted, clones are merged.

The windows follow from the resolutions, the seed and the scattering (projection.py), not from constants. All candidates
are kept, not the best one only: the search asks for exactly one track. Two rules guard the momentum against noise: no
parameter may hang on a single hit, and among clones the one that points to its origin ranks first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from na64mu.tracking.hits import Hits
from na64mu.tracking.projection import Projection
from na64mu.typing import FloatArray, IntArray

__all__ = ("MAX_TRACKS", "Candidates", "Origin", "find_candidates")

MAX_TRACKS = 8  # candidates kept per view and event
MAX_TRIALS = 4096  # seeds tried per view and event: showers in a spectrometer end here (the event has several tracks by then)
WINDOW = 5.0  # half width of a search window in standard deviations
HIT_CHI2 = 16.0  # leave-one-out chi2 above which a hit leaves the candidate
LOST_HIT = 9.0  # what a plane without a hit counts in the ranking: about -2 ln of a few per cent inefficiency
MIN_PLANES = 0.55  # smallest fraction of the planes of the view on a track
MIN_PLANES_EDGE = 0.5  # the same for tracks that leave the acceptance
MAX_CHI2 = 10.0  # largest chi2 per degree of freedom of a candidate
MAX_SHARED = 0.5  # candidates that share a larger fraction of their hits are one track
MIN_FREEDOM = 1e-3  # smallest part of a hit's variance that it does not determine itself: 0 means a parameter hangs on it alone
MIN_MOMENTUM = 3.0  # GeV/c; softer particles leave the spectrometer


class Origin(NamedTuple):
    """Where the tracks of a view come from; it ranks candidates and is not part of their fit.

    Attributes
    ----------
    model : FloatArray
        d u / d parameters at the plane of origin, shape (n_parameters,).
    u : FloatArray
        Expected coordinate there [mm], NaN where unknown, shape (n_events,).
    sigma : float
        Its standard deviation [mm].
    """

    model: FloatArray
    u: FloatArray
    sigma: float


@dataclass(frozen=True)
class Candidates:
    """Candidates of one view: at most MAX_TRACKS per event, best first.

    Attributes
    ----------
    n : IntArray
        Number of candidates, shape (n_events,).
    hits : IntArray
        Hit of each plane of the view, -1 where it has none, shape (n_events, MAX_TRACKS, n_planes).
    parameters : FloatArray
        Fitted u0 [mm], slope [1e-3] and, in the bending view, q/p [c/GeV], shape (n_events, MAX_TRACKS, 3).
    chi2 : FloatArray
        Chi2 of the fit in the view, shape (n_events, MAX_TRACKS).
    """

    n: IntArray
    hits: IntArray
    parameters: FloatArray
    chi2: FloatArray


@numba.njit(cache=True, nogil=True)
def _invert(a: FloatArray, n: int, out: FloatArray) -> bool:
    """Inverse of a symmetric positive 2 x 2 or 3 x 3 matrix."""
    if n == 2:
        det = a[0, 0] * a[1, 1] - a[0, 1] * a[0, 1]
        if det <= 0.0:
            return False
        out[0, 0], out[1, 1] = a[1, 1] / det, a[0, 0] / det
        out[0, 1] = out[1, 0] = -a[0, 1] / det
        return True
    c00 = a[1, 1] * a[2, 2] - a[1, 2] * a[1, 2]
    c01 = a[0, 2] * a[1, 2] - a[0, 1] * a[2, 2]
    c02 = a[0, 1] * a[1, 2] - a[0, 2] * a[1, 1]
    det = a[0, 0] * c00 + a[0, 1] * c01 + a[0, 2] * c02
    if det <= 0.0:
        return False
    out[0, 0], out[0, 1], out[0, 2] = c00 / det, c01 / det, c02 / det
    out[1, 1] = (a[0, 0] * a[2, 2] - a[0, 2] * a[0, 2]) / det
    out[1, 2] = (a[0, 1] * a[0, 2] - a[0, 0] * a[1, 2]) / det
    out[2, 2] = (a[0, 0] * a[1, 1] - a[0, 1] * a[0, 1]) / det
    out[1, 0], out[2, 0], out[2, 1] = out[0, 1], out[0, 2], out[1, 2]
    return True


@numba.njit(cache=True, nogil=True)
def _fit(hits, u, sigma, view, k2, normal, covariance, parameters):  # type: ignore[no-untyped-def] # kernel
    """Weighted fit of the hits of a candidate: chi2 (-1: no unique fit), plane and leave-one-out chi2 of its worst hit."""
    model, scattering = view.model, view.scattering
    n_planes, n_par = model.shape
    normal[:, :] = 0.0
    rhs0, rhs1, rhs2 = 0.0, 0.0, 0.0
    for j in range(n_planes):
        if hits[j] < 0:
            continue
        w = 1.0 / (sigma[hits[j]] ** 2 + k2 * scattering[j])
        for a in range(n_par):
            for b in range(n_par):
                normal[a, b] += w * model[j, a] * model[j, b]
        rhs0 += w * model[j, 0] * u[hits[j]]
        rhs1 += w * model[j, 1] * u[hits[j]]
        if n_par == 3:
            rhs2 += w * model[j, 2] * u[hits[j]]
    if not _invert(normal, n_par, covariance):
        return -1.0, -1, 0.0
    for a in range(n_par):
        parameters[a] = covariance[a, 0] * rhs0 + covariance[a, 1] * rhs1
        if n_par == 3:
            parameters[a] += covariance[a, 2] * rhs2
    chi2, worst, worst_chi2 = 0.0, -1, 0.0
    for j in range(n_planes):
        if hits[j] < 0:
            continue
        v = sigma[hits[j]] ** 2 + k2 * scattering[j]
        residual, fitted = u[hits[j]], 0.0
        for a in range(n_par):
            residual -= model[j, a] * parameters[a]
            for b in range(n_par):
                fitted += model[j, a] * covariance[a, b] * model[j, b]
        chi2 += residual * residual / v
        left = 1.0 - fitted / v  # what the hit does not determine itself
        if left < MIN_FREEDOM:
            return -1.0, -1, 0.0
        if residual * residual / (v * left) > worst_chi2:
            worst, worst_chi2 = j, residual * residual / (v * left)
    return chi2, worst, worst_chi2


@numba.njit(cache=True, nogil=True)
def _shared(first: IntArray, second: IntArray, source: IntArray) -> float:
    """Fraction of the hits of the first candidate that the second one uses too."""
    n, same = 0, 0
    for j in range(len(first)):
        if first[j] >= 0:
            n += 1
            if second[j] >= 0 and source[first[j]] == source[second[j]]:
                same += 1
    return same / n


@numba.njit(cache=True, nogil=True)
def _insert(hits, parameters, score, chi2, source, n, best_hits, best_par, best_score, best_chi2):  # type: ignore[no-untyped-def] # kernel
    """Put a candidate into the ranked list unless it is a clone of a better one; drop its worse clones."""
    for i in range(n):
        if best_score[i] <= score and _shared(hits, best_hits[i], source) > MAX_SHARED:
            return n
    kept = 0
    for i in range(n):
        clone = best_score[i] > score and _shared(best_hits[i], hits, source) > MAX_SHARED
        if not clone:
            if kept != i:
                best_hits[kept], best_par[kept] = best_hits[i], best_par[i]
                best_score[kept], best_chi2[kept] = best_score[i], best_chi2[i]
            kept += 1
    n = kept
    if n == MAX_TRACKS:
        if best_score[n - 1] <= score:
            return n
        n -= 1
    at = n
    while at > 0 and best_score[at - 1] > score:
        best_hits[at], best_par[at] = best_hits[at - 1], best_par[at - 1]
        best_score[at], best_chi2[at] = best_score[at - 1], best_chi2[at - 1]
        at -= 1
    best_hits[at], best_par[at], best_score[at], best_chi2[at] = hits, parameters, score, chi2
    return n + 1


@numba.njit(cache=True, nogil=True)
def _collect(start, u, sigma, view, s, seed_hits, k2, hits):  # type: ignore[no-untyped-def] # kernel
    """Nearest hit in the window of every plane, for seed s; returns the number of planes with a hit."""
    n_planes, n_par = view.model.shape
    found = 0
    for j in range(n_planes):
        hits[j] = -1
        prediction = 0.0
        for a in range(n_par):
            prediction += view.weights[s, j, a] * u[seed_hits[a]]
            if view.seeds[s, a] == j:
                hits[j] = seed_hits[a]
        if hits[j] < 0:
            spread = view.variance[s, j] + k2 * view.seed_scattering[s, j]
            nearest = WINDOW * WINDOW
            for i in range(start[view.planes[j]], start[view.planes[j] + 1]):
                pull2 = (u[i] - prediction) ** 2 / (spread + sigma[i] ** 2)
                if pull2 < nearest:
                    nearest, hits[j] = pull2, i
        if hits[j] >= 0:
            found += 1
    return found


@numba.njit(cache=True, nogil=True)
def _grow(start, u, sigma, view, s, seed_hits, k, min_planes, hits, normal, covariance, parameters):  # type: ignore[no-untyped-def] # kernel
    """Candidate of one seed, without its outliers: its hits, parameters and chi2 (-1: none) and number of planes."""
    found = _collect(start, u, sigma, view, s, seed_hits, k * k, hits)
    if found < min_planes:
        return -1.0, found
    chi2, worst, worst_chi2 = _fit(hits, u, sigma, view, k * k, normal, covariance, parameters)
    while worst_chi2 > HIT_CHI2 and found > min_planes:
        hits[worst] = -1
        found -= 1
        chi2, worst, worst_chi2 = _fit(hits, u, sigma, view, k * k, normal, covariance, parameters)
    if chi2 > MAX_CHI2 * (found - view.model.shape[1]):
        return -1.0, found
    return chi2, found


@numba.njit(cache=True, nogil=True)
def _distance2(model: FloatArray, parameters: FloatArray, u: float, sigma: float) -> float:
    """Squared distance to the origin in standard deviations, 0 where it is unknown."""
    if not math.isfinite(u):
        return 0.0
    for a in range(len(model)):
        u -= model[a] * parameters[a]
    return (u / sigma) ** 2


@numba.njit(cache=True, nogil=True)
def _known(seed: IntArray, seed_hits: IntArray, best_hits: IntArray, n: int) -> bool:
    """Whether one of the n candidates holds all hits of a seed, which would only find it again."""
    for i in range(n):
        same = True
        for a in range(len(seed)):
            same &= best_hits[i, seed[a]] == seed_hits[a]
        if same:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _find_event(start, u, sigma, source, view, k_given, origin_model, origin_u, origin_sigma, least, best_hits, best_par, best_chi2):  # type: ignore[no-untyped-def] # kernel
    """Candidates of one event; returns their number. `least` holds the fewest planes with the first seeds and with the others."""
    n_planes, n_par = view.model.shape
    hits = np.empty(n_planes, dtype=np.int64)
    seed_hits = np.empty(n_par, dtype=np.int64)
    parameters = np.zeros(3)
    normal, covariance = np.zeros((n_par, n_par)), np.zeros((n_par, n_par))
    best_score = np.empty(MAX_TRACKS)
    n, trials, min_planes = 0, 0, least[0]
    for s in range(len(view.seeds)):
        if s == view.n_first:
            if n > 0:
                return n
            min_planes = least[1]
        plane = view.planes[view.seeds[s]]
        for i0 in range(start[plane[0]], start[plane[0] + 1]):
            for i1 in range(start[plane[1]], start[plane[1] + 1]):
                # in the straight view the innermost loop runs once
                first2, last2 = (start[plane[2]], start[plane[2] + 1]) if n_par == 3 else (0, 1)
                for i2 in range(first2, last2):
                    trials += 1
                    if trials > MAX_TRIALS:
                        return n
                    seed_hits[0], seed_hits[1] = i0, i1
                    k = k_given
                    if n_par == 3:
                        seed_hits[2] = i2
                        k = _seed_curvature(view.model, view.seeds[s], u, seed_hits)
                        if abs(k) > 1.0 / MIN_MOMENTUM:
                            continue
                    if _known(view.seeds[s], seed_hits, best_hits, n):
                        continue
                    chi2, found = _grow(start, u, sigma, view, s, seed_hits, k, min_planes, hits, normal, covariance, parameters)
                    if chi2 < 0.0:
                        continue
                    score = chi2 + LOST_HIT * (n_planes - found) + _distance2(origin_model, parameters, origin_u, origin_sigma)
                    n = _insert(hits, parameters, score, chi2, source, n, best_hits, best_par, best_score, best_chi2)
    return n


@numba.njit(cache=True, nogil=True)
def _seed_curvature(model: FloatArray, seed: IntArray, u: FloatArray, hits: IntArray) -> float:
    """q/p of the track through three hits: second divided difference of u over that of G."""
    z0, z1, z2 = model[seed[0], 1], model[seed[1], 1], model[seed[2], 1]
    r = (z1 - z0) / (z2 - z0)
    du = u[hits[1]] - u[hits[0]] - r * (u[hits[2]] - u[hits[0]])
    dg = model[seed[1], 2] - model[seed[0], 2] - r * (model[seed[2], 2] - model[seed[0], 2])
    return du / dg


@numba.njit(cache=True, nogil=True)
def _find_events(offsets, n_all, u, sigma, source, view, k, origin, least, n, hits, par, chi2):  # type: ignore[no-untyped-def] # kernel
    for event in range(len(n)):
        start = offsets[event * n_all : (event + 1) * n_all + 1]
        n[event] = _find_event(
            start, u, sigma, source, view, k[event], origin.model, origin.u[event], origin.sigma, least, hits[event], par[event], chi2[event]
        )  # fmt: skip


def find_candidates(hits: Hits, view: Projection, n_planes: int, curvature: FloatArray, origin: Origin | None = None) -> Candidates:
    """All track candidates of one view.

    Parameters
    ----------
    hits : Hits
        Hits of the spectrometer, of both views.
    view : Projection
        The view.
    n_planes : int
        Planes of the spectrometer in both views.
    curvature : FloatArray
        q/p [c/GeV] that sets the scattering in a straight view, shape (n_events,); a bending view finds its own.
    origin : Origin, optional
        Where the tracks come from, to rank candidates.

    Returns
    -------
    Candidates
        Best first: least chi2, with LOST_HIT added for every plane without a hit and the distance to the origin.
    """
    if origin is None:
        origin = Origin(np.zeros(view.model.shape[1]), np.full(len(curvature), np.nan), 1.0)
    n_events = len(curvature)
    n = np.zeros(n_events, dtype=np.int64)
    chosen = np.full((n_events, MAX_TRACKS, len(view.planes)), -1, dtype=np.int64)
    parameters = np.zeros((n_events, MAX_TRACKS, 3))
    chi2 = np.zeros((n_events, MAX_TRACKS))
    least = (int(np.ceil(MIN_PLANES * len(view.planes))), int(np.ceil(MIN_PLANES_EDGE * len(view.planes))))
    _find_events(
        hits.offsets, n_planes, hits.u, hits.sigma, hits.source, view, curvature, origin, least, n, chosen, parameters, chi2
    )  # fmt: skip
    return Candidates(n, chosen, parameters, chi2)
