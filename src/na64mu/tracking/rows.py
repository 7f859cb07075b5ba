"""Layout of a block of tracks: the rows of LANES numbers that a fit reads and writes, one lane a track.

This is the one place that knows it; kernels are given the row numbers as a named tuple.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from na64mu.common.arguments import one_of

__all__ = ("LANES", "Kind", "Rows", "block_rows")

LANES = 64  # tracks per block

#: "filter": filters downstream and upstream; "smooth": filter downstream, smoother upstream with every hit's residual;
#: "states": as "smooth", with the smoothed track at every plane.
Kind = Literal["filter", "smooth", "states"]

#: Numbers of a track: five parameters and the lower triangle of their covariance.
TRACK = 20


class Rows(NamedTuple):
    """Numbers of the rows of a block; -1 for rows that the kind of fit does not have.

    Attributes
    ----------
    n_planes : int
        Number of measuring planes n.
    seed : int
        First of 5 rows: parameters to start from, at the first plane.
    sigma : int
        First of 5 rows: their standard deviations.
    u : int
        First of n rows: measured coordinates [mm].
    weight : int
        First of n rows: 1 / sigma^2 [1/mm2], 0 for a missing hit.
    downstream : int
        First of 20 rows: track at the last plane.
    upstream : int
        First of 20 rows: track at the first plane.
    chi2 : int
        Chi2 of the filter.
    score : int
        First of n rows: residual of the track without the hit over its variance [1/mm].
    information : int
        First of n rows: 1 / variance of the residual of the track without the hit [1/mm2].
    states : int
        First of 20 n rows: smoothed track at every plane.
    total : int
        Number of rows.
    """

    n_planes: int
    seed: int
    sigma: int
    u: int
    weight: int
    downstream: int
    upstream: int
    chi2: int
    score: int
    information: int
    states: int
    total: int


def block_rows(n_planes: int, kind: Kind | str) -> Rows:
    """Rows of a block for a spectrometer of n planes.

    Parameters
    ----------
    n_planes : int
        Number of measuring planes.
    kind : Kind or str
        "filter", "smooth" or "states".

    Returns
    -------
    Rows
        Their numbers.

    Raises
    ------
    ArgumentError
        If the kind is unknown.
    """
    kind = one_of(kind, get_args(Kind), "kind")
    sizes = {
        "seed": 5, "sigma": 5, "u": n_planes, "weight": n_planes, "downstream": TRACK, "upstream": TRACK, "chi2": 1,
        "score": 0 if kind == "filter" else n_planes,
        "information": 0 if kind == "filter" else n_planes,
        "states": TRACK * n_planes if kind == "states" else 0,
    }  # fmt: skip
    first, total = {}, 0
    for name, size in sizes.items():
        first[name] = total if size else -1
        total += size
    return Rows(n_planes, **first, total=total)
