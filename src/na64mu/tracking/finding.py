"""Track candidates in one view: every seed predicts all planes, hits in the windows are fitted, clones are merged.

The windows follow from the resolutions, the seed and the scattering (projection.py), not from constants. All candidates
are kept, not the best one only: the search asks for exactly one track. Two rules guard the momentum against noise: no
parameter may be determined by a single hit alone, and among clones the one that points to its origin ranks first.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import inlined_kernel, kernel
from na64mu.tracking.clones import MAX_SHARED, insert, move, remove_clones
from na64mu.tracking.fake_rate import CHANCE, accidentals
from na64mu.tracking.hits import Hits
from na64mu.tracking.linear import fit_hits, fitted_coordinate
from na64mu.tracking.projection import Projection
from na64mu.typing import FloatArray, IntArray

__all__ = ("LOST_HIT", "MAX_TRACKS", "Candidates", "Origin", "find_candidates")

MAX_TRACKS = 8  # candidates kept per view and event
MAX_TRIALS = 4096  # seeds tried per view and event: showers in a spectrometer end here (the event has several tracks by then)
WINDOW = 5.0  # half width of a search window in standard deviations
HIT_CHI2 = 16.0  # leave-one-out chi2 above which a hit leaves the candidate
LOST_HIT = 9.0  # what a plane without a hit counts in the ranking: about -2 ln of a few per cent inefficiency
MIN_PLANES = 0.55  # smallest fraction of the planes of the view on a track
MIN_PLANES_EDGE = 0.5  # the same for tracks that leave the acceptance
MAX_CHI2 = 10.0  # largest chi2 per degree of freedom of a candidate
CLEAR_CHI2 = 2.0  # chi2 per degree of freedom up to which a candidate with a hit on every fired plane is taken without a rival
FAR = 2.0 * LOST_HIT  # largest contribution of the distance to the origin: a second muon away from it must win against mixtures of hits
ORIGIN_CHI2 = 36.0  # squared distance to its origin in standard deviations above which a lone candidate is no track of this event
MIN_MOMENTUM = 3.0  # GeV/c; softer particles leave the spectrometer


class Origin(NamedTuple):
    """Origin of the tracks of a view; it ranks candidates and is not part of their fit.

    Attributes
    ----------
    model : FloatArray
        d u / d parameters at the plane of origin, shape (3,).
    u : FloatArray
        Expected coordinate there [mm], NaN where unknown, shape (n_events,).
    slope : FloatArray
        Slope with which the particle came [rad], NaN where unknown, shape (n_events,).
    sigma : float
        Standard deviation of the distance without a kink [mm].
    lever : float
        Half of the depth over which a kink may lie [mm].
    scattering : float
        Standard deviation from scattering on the way out at 1 GeV/c [mm].
    """

    model: FloatArray
    u: FloatArray
    slope: FloatArray
    sigma: float
    lever: float
    scattering: float


class Candidates(NamedTuple):
    """Candidates of one view: at most MAX_TRACKS per event, best first; rows from n on are not set (the first one's hits are -1 where there is none).

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
    score : FloatArray
        Ranking of the candidates: chi2, LOST_HIT for every plane without a hit, distance to the origin, shape (n_events, MAX_TRACKS).
    """

    n: IntArray
    hits: IntArray
    parameters: FloatArray
    chi2: FloatArray
    score: FloatArray


class _Event(NamedTuple):
    """Working arrays of the search in one event.

    Attributes
    ----------
    u, sigma, source : FloatArray, IntArray
        All hits.
    start, stop : IntArray
        Hits of every plane of the view in this event, shape (n_planes,).
    seed : IntArray
        The hits of a seed, shape (2 or 3,).
    hits, parameters, chi2, score : IntArray, FloatArray
        Candidates found; the last row holds the one that is tried.
    """

    u: FloatArray
    sigma: FloatArray
    source: IntArray
    start: IntArray
    stop: IntArray
    seed: IntArray
    hits: IntArray
    parameters: FloatArray
    chi2: FloatArray
    score: FloatArray


@inlined_kernel
def _collect(event, view, s, k2, least, hits):  # type: ignore[no-untyped-def] # kernel
    """Nearest hit in the window of every plane, for seed s; returns the number of planes with a hit, 0 if it cannot reach `least`."""
    n_planes, n_par = view.weights.shape[1:]
    found = 0
    for j in range(n_planes):
        if found + n_planes - j < least:
            return 0
        hits[j] = -1
        for a in range(n_par):
            if view.seeds[s, a] == j:
                hits[j] = event.seed[a]
        if hits[j] < 0 and event.start[j] < event.stop[j]:
            prediction = 0.0
            for a in range(n_par):
                prediction += view.weights[s, j, a] * event.u[event.seed[a]]
            spread = view.variance[s, j] + k2 * view.seed_scattering[s, j]
            nearest = WINDOW * WINDOW
            for i in range(event.start[j], event.stop[j]):
                pull2 = (event.u[i] - prediction) ** 2 / (spread + event.sigma[i] ** 2)
                if pull2 < nearest:
                    nearest, hits[j] = pull2, i
        if hits[j] >= 0:
            found += 1
    return found


@inlined_kernel
def _choose_again(event, view, parameters, hits):  # type: ignore[no-untyped-def] # kernel
    """Where hits compete (the sides of a wire, two hits in a window), take the nearest to the fitted track; True if any changed."""
    changed = False
    for j in range(len(hits)):
        if hits[j] < 0 or event.stop[j] - event.start[j] < 2:
            continue
        fitted, chosen = fitted_coordinate(view.model[j], parameters), hits[j]
        for i in range(event.start[j], event.stop[j]):
            if abs(event.u[i] - fitted) * event.sigma[hits[j]] < abs(event.u[hits[j]] - fitted) * event.sigma[i]:
                hits[j] = i
        changed |= hits[j] != chosen
    return changed


@inlined_kernel
def _grow(event, view, s, k, least, hits, parameters):  # type: ignore[no-untyped-def] # kernel
    """Candidate of one seed, without its outliers: its chi2 (-1: none) and number of planes."""
    found = _collect(event, view, s, k * k, least, hits)
    if found < least:
        return -1.0, found
    chi2, worst, worst_chi2 = fit_hits(hits, event.u, event.sigma, view, k * k, parameters)
    if chi2 >= 0.0 and _choose_again(event, view, parameters, hits):
        chi2, worst, worst_chi2 = fit_hits(hits, event.u, event.sigma, view, k * k, parameters)
    while worst_chi2 > HIT_CHI2 and found > least:
        hits[worst] = -1
        found -= 1
        chi2, worst, worst_chi2 = fit_hits(hits, event.u, event.sigma, view, k * k, parameters)
    if chi2 > MAX_CHI2 * (found - view.seeds.shape[1]):
        return -1.0, found
    return chi2, found


@inlined_kernel
def _distance2(origin, e, parameters, k):  # type: ignore[no-untyped-def] # kernel
    """Squared distance to the origin in standard deviations, 0 where it is unknown.

    The track of the particle that came meets it at the kink, anywhere within the lever: a candidate misses the middle by its
    own kink times the lever at most. Without the slope of the particle only `sigma` counts.
    """
    if not math.isfinite(origin.u[e]):
        return 0.0
    variance = origin.sigma**2
    if math.isfinite(origin.slope[e]):
        kink = 1e-3 * parameters[1] - origin.slope[e]
        variance += (kink * origin.lever) ** 2 / 3.0 + (k * origin.scattering) ** 2
    return (origin.u[e] - fitted_coordinate(origin.model, parameters)) ** 2 / variance


@inlined_kernel
def _known(seed_planes: IntArray, event, n: int) -> bool:  # type: ignore[no-untyped-def] # kernel
    """Whether one of the n candidates holds all hits of a seed, which would only find it again."""
    for i in range(n):
        same = True
        for a in range(len(seed_planes)):
            same &= event.hits[i, seed_planes[a]] == event.seed[a]
        if same:
            return True
    return False


@inlined_kernel
def _settled(event, n: int, n_par: int, least: int) -> bool:  # type: ignore[no-untyped-def] # kernel
    """Whether other seeds can only add clones: all have a hit on every fired plane and a good chi2, and leave few planes."""
    n_planes = event.hits.shape[1]
    free = 0
    for j in range(n_planes):
        own = False
        for h in range(event.start[j], event.stop[j]):
            used = False
            for i in range(n):
                used |= event.hits[i, j] >= 0 and event.source[event.hits[i, j]] == event.source[h]
            own |= not used
        free += own
        for i in range(n):
            if event.hits[i, j] < 0 and event.start[j] < event.stop[j]:
                return False
    if free >= (1.0 - MAX_SHARED) * least:
        return False
    for i in range(n):
        found = 0
        for j in range(n_planes):
            found += event.hits[i, j] >= 0
        if event.chi2[i] > CLEAR_CHI2 * (found - n_par):
            return False
    return True


@inlined_kernel
def _find_event(event, view, k_given, origin, e, least):  # type: ignore[no-untyped-def] # kernel
    """Candidates of one event; returns their number. `least` holds the fewest planes with the first seeds and with the others."""
    n_planes, n_par = view.weights.shape[1:]
    n, trials, min_planes = 0, 0, least[0]
    hits, parameters = event.hits[MAX_TRACKS], event.parameters[MAX_TRACKS]
    for s in range(len(view.seeds)):
        if s == view.n_first:
            if n > 0:
                return n
            min_planes = least[1]
        seed = view.seeds[s]
        for i0 in range(event.start[seed[0]], event.stop[seed[0]]):
            event.seed[0] = i0
            for i1 in range(event.start[seed[1]], event.stop[seed[1]]):
                event.seed[1] = i1
                # in the straight view the innermost loop runs once
                first, last = (event.start[seed[2]], event.stop[seed[2]]) if n_par == 3 else (0, 1)
                for i2 in range(first, last):
                    trials += 1
                    if trials > MAX_TRIALS:
                        return n
                    k = k_given
                    if n_par == 3:
                        event.seed[2] = i2
                        k = _seed_curvature(view.model, seed, event.u, event.seed)
                        if abs(k) > 1.0 / MIN_MOMENTUM:
                            continue
                    if _known(seed, event, n):
                        continue
                    chi2, found = _grow(event, view, s, k, min_planes, hits, parameters)
                    if chi2 < 0.0:
                        continue
                    distance2 = _distance2(origin, e, parameters, parameters[2] if n_par == 3 else k_given)
                    event.chi2[MAX_TRACKS], event.score[MAX_TRACKS] = chi2, chi2 + LOST_HIT * (n_planes - found) + min(distance2, FAR)
                    n = insert(n, event.hits, event.parameters, event.chi2, event.score, event.source)
                    if _settled(event, n, n_par, min_planes):
                        return n
    return n


@inlined_kernel
def _seed_curvature(model: FloatArray, seed: IntArray, u: FloatArray, hits: IntArray) -> float:
    """q/p of the track through three hits: second divided difference of u over that of G."""
    z0, z1, z2 = model[seed[0], 1], model[seed[1], 1], model[seed[2], 1]
    r = (z1 - z0) / (z2 - z0)
    du = u[hits[1]] - u[hits[0]] - r * (u[hits[2]] - u[hits[0]])
    dg = model[seed[1], 2] - model[seed[0], 2] - r * (model[seed[2], 2] - model[seed[0], 2])
    return float(du / dg)


@kernel
def _remove_accidentals(event, view, n):  # type: ignore[no-untyped-def] # kernel
    """Drop candidates other than the best that may be fake; returns the number that remain."""
    kept = 1
    for i in range(1, n):
        if kept < i:
            move(i, kept, event.hits, event.parameters, event.chi2, event.score)
        expected = accidentals(kept, event.hits, event.parameters, event.start, event.stop, event.u, event.sigma, event.source, view)
        kept += expected < CHANCE
    return kept


@kernel
def _find_events(offsets, n_all, event, view, k, origin, least, out):  # type: ignore[no-untyped-def] # kernel
    n_planes = len(view.planes)
    for e in range(len(out.n)):
        for j in range(n_planes):
            event.start[j], event.stop[j] = offsets[e * n_all + view.planes[j]], offsets[e * n_all + view.planes[j] + 1]
            out.hits[e, 0, j] = -1
        n = _find_event(event, view, k[e], origin, e, least)
        if n > 1:
            n = remove_clones(n, event.hits, event.parameters, event.chi2, event.score, event.source)
            n = _remove_accidentals(event, view, n)
        if (
            n == 1
            and _distance2(origin, e, event.parameters[0], event.parameters[0, 2] if view.seeds.shape[1] == 3 else k[e]) > ORIGIN_CHI2
        ):
            n = 0
        for i in range(n):
            for j in range(n_planes):
                out.hits[e, i, j] = event.hits[i, j]
            for a in range(3):
                out.parameters[e, i, a] = event.parameters[i, a]
            out.chi2[e, i], out.score[e, i] = event.chi2[i], event.score[i]
        out.n[e] = n


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
        Origin of the tracks, to rank candidates.

    Returns
    -------
    Candidates
        Best first: least chi2, with LOST_HIT added for every plane without a hit and the distance to the origin.
    """
    n_events = len(curvature)
    if origin is None:
        unknown = np.full(n_events, np.nan)
        origin = Origin(np.zeros(3), unknown, unknown, 1.0, 0.0, 0.0)
    n_view, n_par = view.weights.shape[1:]
    room = MAX_TRACKS + 1
    start, stop = np.empty((2, n_view), dtype=np.int64)
    event = _Event(
        hits.u, hits.sigma, hits.source, start, stop, np.empty(n_par, dtype=np.int64),
        np.empty((room, n_view), dtype=np.int64), np.empty((room, 3)), np.empty(room), np.empty(room),
    )  # fmt: skip
    # in memory all first candidates come first, then all second ones: few events have more than one, and unwritten pages are not allocated
    rows = (MAX_TRACKS, n_events)
    found, (chi2, score) = np.empty((*rows, n_view), dtype=np.int64), np.empty((2, *rows))
    parameters = np.empty((*rows, 3)).swapaxes(0, 1)
    out = Candidates(np.empty(n_events, dtype=np.int64), found.swapaxes(0, 1), parameters, chi2.swapaxes(0, 1), score.swapaxes(0, 1))
    least = (int(np.ceil(MIN_PLANES * n_view)), int(np.ceil(MIN_PLANES_EDGE * n_view)))
    _find_events(hits.offsets, n_planes, event, view, curvature, origin, least, out)
    return out
