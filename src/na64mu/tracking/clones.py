"""Clones: candidates that share most of their hits with better ones are the same track.

Hits are compared by their source: both sides of a wire are one, and so is a ghost cluster with the cluster that it borrows from.
"""

from __future__ import annotations

from na64mu.compiled.kernel import kernel
from na64mu.typing import FloatArray, IntArray

__all__ = ("MAX_SHARED", "insert", "move", "remove_clones", "shared_fraction")

MAX_SHARED = 0.5  # candidates that share a larger fraction of their hits are one track


@kernel
def shared_fraction(hits: IntArray, others: IntArray, source: IntArray) -> float:
    """Fraction of the hits of a candidate that at least one of the other candidates uses too.

    Parameters
    ----------
    hits : IntArray
        Hit of every plane, -1 for none, shape (n_planes,).
    others : IntArray
        Hits of the other candidates, shape (n, n_planes).
    source : IntArray
        Source of all hits.

    Returns
    -------
    float
        Fraction from 0 to 1.
    """
    n, same = 0, 0
    for j in range(len(hits)):
        if hits[j] < 0:
            continue
        n += 1
        for i in range(len(others)):
            if others[i, j] >= 0 and source[hits[j]] == source[others[i, j]]:
                same += 1
                break
    return same / n


@kernel
def move(i: int, to: int, hits: IntArray, parameters: FloatArray, chi2: FloatArray, score: FloatArray) -> None:
    """Copy candidate i over candidate `to`; arrays as in insert."""
    for j in range(hits.shape[1]):
        hits[to, j] = hits[i, j]
    for a in range(3):
        parameters[to, a] = parameters[i, a]
    chi2[to], score[to] = chi2[i], score[i]


@kernel
def insert(n: int, hits: IntArray, parameters: FloatArray, chi2: FloatArray, score: FloatArray, source: IntArray) -> int:
    """Put the candidate in the last row into the ranked list above it, unless it is a clone of a better one; drop its worse clones.

    Parameters
    ----------
    n : int
        Candidates in the list, at most one less than there are rows.
    hits, parameters, chi2, score : IntArray and FloatArray
        Candidates, the new one in the last row; shapes (n_rows, n_planes), (n_rows, 3), (n_rows,), (n_rows,).
    source : IntArray
        Source of all hits.

    Returns
    -------
    int
        Candidates in the list.
    """
    new = len(score) - 1
    rank = 0
    while rank < n and score[rank] <= score[new]:
        if shared_fraction(hits[new], hits[rank : rank + 1], source) > MAX_SHARED:
            return n
        rank += 1
    kept = rank
    for i in range(rank, n):
        if shared_fraction(hits[i], hits[new:], source) <= MAX_SHARED:
            move(i, kept, hits, parameters, chi2, score)
            kept += 1
    if rank == new:  # the list is full of better ones
        return n
    kept = min(kept, new - 1)
    for i in range(kept, rank, -1):
        move(i - 1, i, hits, parameters, chi2, score)
    move(new, rank, hits, parameters, chi2, score)
    return kept + 1


@kernel
def remove_clones(n: int, hits: IntArray, parameters: FloatArray, chi2: FloatArray, score: FloatArray, source: IntArray) -> int:
    """Drop the candidates of a ranked list that owe most of their hits to all better ones together; returns how many are left."""
    kept = 1
    for i in range(1, n):
        if shared_fraction(hits[i], hits[:kept], source) <= MAX_SHARED:
            move(i, kept, hits, parameters, chi2, score)
            kept += 1
    return min(n, kept)
