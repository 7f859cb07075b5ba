"""Fake rate of further tracks: the expected number of similar candidates from random combinations of hits.

The counter-evidence to "exactly one track" must be a particle, not noise. A candidate's own hits, those no better candidate
uses, lie within |residual| of it; hits spread evenly over their planes would do so with a known probability. The number of
accidental candidates (false alarms; A. Desolneux, L. Moisan, J.-M. Morel, From Gestalt Theory to Image Analysis, Springer
2008, chapter 3) must be small. The planes' occupancies are those of the event itself, so no noise level is assumed.
"""

from __future__ import annotations

import math

from na64mu.compiled.kernel import kernel
from na64mu.tracking.linear import fitted_coordinate
from na64mu.tracking.projection import Projection
from na64mu.typing import FloatArray, IntArray

__all__ = ("CHANCE", "accidentals", "log_binomial")

CHANCE = 0.1  # largest expected number of accidental candidates per view and event for one that counts: a lost second track is worse


@kernel
def log_binomial(n: int, k: int) -> float:
    """Natural logarithm of n choose k."""
    return math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)


@kernel
def _is_used(hit: int, plane: int, candidates: IntArray, n: int, source: IntArray) -> bool:
    for i in range(n):
        other = candidates[i, plane]
        if other >= 0 and source[hit] == source[other]:
            return True
    return False


@kernel
def accidentals(
    i: int,
    candidates: IntArray,
    parameters: FloatArray,
    start: IntArray,
    stop: IntArray,
    u: FloatArray,
    sigma: FloatArray,
    source: IntArray,
    view: Projection,
) -> float:
    """Expected number of accidental candidates at least as good as candidate i, given the better ones.

    Parameters
    ----------
    i : int
        Rank of the candidate.
    candidates : IntArray
        Hits of the ranked candidates, -1 for none, shape (n, n_planes).
    parameters : FloatArray
        Parameters of the candidates, shape (n, 3).
    start, stop : IntArray
        Hits of every plane in the event, shape (n_planes,).
    u, sigma, source : FloatArray and IntArray
        Coordinates [mm], errors [mm] and sources of all hits.
    view : Projection
        The view.

    Returns
    -------
    float
        C(n_planes, n_own) x product of (free hits of the plane x probability that one lies as near as the farthest own hit,
        in standard deviations, does), without the probability where own hits fix parameters: the best resolved ones.
    """
    n_planes, n_par = len(start), view.seeds.shape[1]
    n_own, n_shared, farthest = 0, 0, 1.0
    for j in range(n_planes):
        hit = candidates[i, j]
        if hit < 0:
            continue
        if _is_used(hit, j, candidates, i, source):
            n_shared += 1
            continue
        n_own += 1
        farthest = max(farthest, abs(u[hit] - fitted_coordinate(view.model[j], parameters[i])) / sigma[hit])
    log_expected = log_binomial(n_planes, n_own)
    first, second, third = 0.0, 0.0, 0.0  # smallest logarithms of the probabilities
    for j in range(n_planes):
        hit = candidates[i, j]
        if hit < 0 or _is_used(hit, j, candidates, i, source):
            continue
        free = 0
        for h in range(start[j], stop[j]):
            free += not _is_used(h, j, candidates, i, source)
        near = min(0.0, math.log(farthest * sigma[hit] / view.half[j]))
        log_expected += min(0.0, math.log(free) + near)
        if near < first:
            first, second, third = near, first, second
        elif near < second:
            second, third = near, second
        elif near < third:
            third = near
    # shared hits lie where the candidate crosses a better one: any plane, and all parameters but one at most are fixed there
    to_fix = max(1, n_par - n_shared)
    if n_shared > 0:
        log_expected += math.log(n_planes)
    log_expected -= (first if to_fix > 0 else 0.0) + (second if to_fix > 1 else 0.0) + (third if to_fix > 2 else 0.0)
    return math.exp(min(log_expected, 700.0))
