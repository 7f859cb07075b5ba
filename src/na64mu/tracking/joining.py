"""Tracks in three dimensions: the candidates of both views are joined, and every candidate is used.

Neither the charge of a cluster nor its efficiency is common to the two views of a module (measured: the correlation of the
charges is below 0.1 for every Micromegas and GEM), so what tells which x belongs to which y is the acceptance: a particle
that misses a module misses both of its views.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.errors import ArgumentError
from na64mu.tracking.finding import LOST_HIT, MAX_TRACKS, Candidates
from na64mu.tracking.spectrometer import Spectrometer, check_spectrometer
from na64mu.typing import BoolArray, IntArray

__all__ = ("Pairs", "join", "modules_of")


class Pairs(NamedTuple):
    """Tracks of a batch as pairs of candidates, best first.

    Attributes
    ----------
    offsets : IntArray
        Tracks of event e: offsets[e] : offsets[e + 1], shape (n_events + 1,).
    bend, straight : IntArray
        Candidate of the view in its event, shape (n_tracks,).
    """

    offsets: IntArray
    bend: IntArray
    straight: IntArray


class _Scratch(NamedTuple):
    """Flags of joined candidates of an event, shape (MAX_TRACKS,); cost of joining every pair, shape (MAX_TRACKS, MAX_TRACKS)."""

    bend_used: BoolArray
    straight_used: BoolArray
    cost: np.typing.NDArray[np.float64]


@lru_cache(maxsize=16)
def modules_of(spectrometer: Spectrometer) -> IntArray:
    """Planes that one particle meets together: place of the two planes of every module in the list of its view.

    Parameters
    ----------
    spectrometer : Spectrometer
        MS1 or MS2.

    Returns
    -------
    IntArray
        Places in the bending and in the straight view, shape (n_modules, 2); slabs measure one view and have no partner.
    """
    bend = spectrometer.bend_view
    views = [[(p.station, p.layer) for p in spectrometer.planes if p.view == v] for v in (bend, 1 - bend)]
    shared = [(views[0].index(name), views[1].index(name)) for name in views[0] if name in views[1]]
    return np.array(shared, dtype=np.int64).reshape(-1, 2)


@kernel
def _discord(bend: IntArray, straight: IntArray, modules: IntArray) -> int:
    """Modules where a candidate of one view has a hit and that of the other view has none."""
    n = 0
    for m in range(len(modules)):
        n += (bend[modules[m, 0]] >= 0) != (straight[modules[m, 1]] >= 0)
    return n


@kernel
def _cheapest(n_bend, n_straight, scratch):  # type: ignore[no-untyped-def] # kernel
    """The cheapest pair of unused candidates; where a view has none left, of its used ones with an unused partner."""
    bend_left = straight_left = False
    for i in range(n_bend):
        bend_left |= not scratch.bend_used[i]
    for j in range(n_straight):
        straight_left |= not scratch.straight_used[j]
    best_i, best_j = -1, -1
    for i in range(n_bend):
        for j in range(n_straight):
            if (bend_left and scratch.bend_used[i]) or (straight_left and scratch.straight_used[j]):
                continue
            if best_i < 0 or scratch.cost[i, j] < scratch.cost[best_i, best_j]:
                best_i, best_j = i, j
    return best_i, best_j


@kernel
def _join(bend, straight, modules, scratch, out):  # type: ignore[no-untyped-def] # kernel
    """Pairs of all events; returns their number."""
    n = 0
    for e in range(len(bend.n)):
        n_bend, n_straight = bend.n[e], straight.n[e]
        for i in range(n_bend):
            for j in range(n_straight):
                discord = _discord(bend.hits[e, i], straight.hits[e, j], modules) if n_bend * n_straight > 1 else 0
                scratch.cost[i, j] = bend.score[e, i] + straight.score[e, j] + LOST_HIT * discord
                scratch.bend_used[i] = scratch.straight_used[j] = False
        n_tracks = max(n_bend, n_straight) if min(n_bend, n_straight) > 0 else 0
        for _ in range(n_tracks):
            i, j = _cheapest(n_bend, n_straight, scratch)
            scratch.bend_used[i] = scratch.straight_used[j] = True
            out.bend[n], out.straight[n] = i, j
            n += 1
        out.offsets[e + 1] = n
    return n


def join(bend: Candidates, straight: Candidates, spectrometer: Spectrometer) -> Pairs:
    """Join the candidates of both views to tracks.

    Parameters
    ----------
    bend, straight : Candidates
        Candidates of the bending and the straight view.
    spectrometer : Spectrometer
        MS1 or MS2.

    Returns
    -------
    Pairs
        One pair per candidate of the view with more candidates, none if a view has none: two muons may share their hits in one
        view, so the best partner serves again when a view has none left.

    Raises
    ------
    ArgumentError
        If the candidates are of different events, or on other planes.
    DetectorError
        If the spectrometer makes no sense.
    """
    check_spectrometer(spectrometer)
    n_events = len(bend.n)
    wanted = [len(spectrometer.view(v)) for v in (spectrometer.bend_view, 1 - spectrometer.bend_view)]
    found = [bend.hits.shape[2], straight.hits.shape[2]]
    if len(straight.n) != n_events or found != wanted:
        msg = f"candidates of both views must be of the same events and on {wanted} planes; found {n_events} and {len(straight.n)} events on {found} planes"
        raise ArgumentError(msg)
    most = int(np.where((bend.n > 0) & (straight.n > 0), np.maximum(bend.n, straight.n), 0).sum())
    out = Pairs(np.zeros(n_events + 1, dtype=np.int64), np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64))
    scratch = _Scratch(np.zeros(MAX_TRACKS, dtype=np.bool_), np.zeros(MAX_TRACKS, dtype=np.bool_), np.zeros((MAX_TRACKS, MAX_TRACKS)))
    _join(bend, straight, modules_of(spectrometer), scratch, out)
    return out
