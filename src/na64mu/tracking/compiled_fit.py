"""Compiled fits: the source of a spectrometer's fit is generated and imported; like any kernel it is compiled once and cached."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import get_args

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.compiled.kernel import typed_kernel
from na64mu.compiled.written import import_source
from na64mu.errors import ArgumentError
from na64mu.tracking.code_generation import LANES, Kind, Rows, kernel_source
from na64mu.tracking.field import FieldRegion
from na64mu.tracking.navigation import Measure, Route
from na64mu.typing import FloatArray

__all__ = ("Kernel", "kernel")


@dataclass(frozen=True)
class Kernel:
    """A compiled fit.

    Attributes
    ----------
    rows : Rows
        Rows of its blocks.
    compiled : ModuleType
        The written module: `fit_blocks`, and `fit_block`, whose instructions are vectorised.
    directions : FloatArray
        Measured direction of every plane, shape (n_planes, 2).
    regions : tuple of FieldRegion
        Fringe fields and maps of the route.
    """

    rows: Rows
    compiled: ModuleType
    directions: FloatArray
    regions: tuple[FieldRegion, ...] = ()

    def check(self, blocks: object) -> None:
        """Refuse what are not blocks of this fit: the kernel does not look where it reads and writes."""
        wanted = self.rows.total * LANES
        if not isinstance(blocks, np.ndarray) or blocks.dtype != np.float64 or blocks.ndim != 2 or blocks.shape[1] != wanted:
            msg = f"blocks must be float64 of shape (n_blocks, {wanted}), as `pack` makes them; found {getattr(blocks, 'shape', type(blocks).__name__)}"
            raise ArgumentError(msg)

    def fit_blocks(self, blocks: FloatArray) -> None:
        """Fit the tracks of blocks of shape (n_blocks, rows.total * LANES), in place."""
        self.check(blocks)
        fields = (self.regions,) if self.regions else ()
        self.compiled.fit_blocks(blocks, self.directions, *fields)

    def pack(self, seed: FloatArray, prior: FloatArray, u: FloatArray, weight: FloatArray) -> FloatArray:
        """Blocks for tracks.

        Parameters
        ----------
        seed : FloatArray
            Parameters at the first plane to start from, shape (n, 5).
        prior : FloatArray
            Standard deviations of the seeds, shape (n, 5), or (5,) for all tracks alike.
        u, weight : FloatArray
            Measured coordinates [mm] and 1 / sigma^2 [1/mm2], 0 for none, shape (n, n_planes).

        Returns
        -------
        FloatArray
            Shape (n_blocks, rows.total * LANES); the last block is filled up with tracks without hits.
        """
        wanted = (len(seed), self.rows.n_planes)
        if np.shape(seed) != (len(seed), 5) or np.shape(u) != wanted or np.shape(weight) != wanted:
            msg = f"seed must have the shape ({len(seed)}, 5), u and weight {wanted}; found {np.shape(seed)}, {np.shape(u)} and {np.shape(weight)}"
            raise ArgumentError(msg)
        n_blocks = -(-len(seed) // LANES)
        blocks = np.zeros((n_blocks, self.rows.total * LANES))
        wide = np.broadcast_to(prior, seed.shape)
        _pack(*(np.require(column, np.float64, ["C", "W"]) for column in (seed, wide, u, weight)), blocks)
        return blocks

    def unpack(self, blocks: FloatArray, row: int, n_rows: int, n: int) -> FloatArray:
        """Some rows of the first n tracks, shape (n, n_rows)."""
        self.check(blocks)
        if not (0 <= row <= row + n_rows <= self.rows.total and 0 <= n <= len(blocks) * LANES):
            msg = f"rows {row} to {row + n_rows} of {n} tracks: the blocks have {self.rows.total} rows of {len(blocks) * LANES} tracks"
            raise ArgumentError(msg)
        out = np.empty((n, n_rows))
        _unpack(blocks, row, out)
        return out


@typed_kernel("void(float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1])")
def _pack(seed: FloatArray, prior: FloatArray, u: FloatArray, weight: FloatArray, blocks: FloatArray) -> None:
    n_planes = u.shape[1]
    for t in range(len(seed)):
        block, lane = blocks[t // LANES], t % LANES
        for i in range(5):
            block[i * LANES + lane] = seed[t, i]
            block[(5 + i) * LANES + lane] = prior[t, i]
        for p in range(n_planes):
            block[(10 + p) * LANES + lane] = u[t, p]
            block[(10 + n_planes + p) * LANES + lane] = weight[t, p]


@typed_kernel("void(float64[:, ::1], int64, float64[:, ::1])")
def _unpack(blocks: FloatArray, row: int, out: FloatArray) -> None:
    for t in range(len(out)):
        block, lane = blocks[t // LANES], t % LANES
        for i in range(out.shape[1]):
            out[t, i] = block[(row + i) * LANES + lane]


@lru_cache(maxsize=64)
def kernel(path: Route, kind: Kind | str) -> Kernel:
    """Fit of a spectrometer; without the fields of fringes and maps, see fit.fit_kernel.

    Parameters
    ----------
    path : Route
        The spectrometer; see route.route.
    kind : Kind or str
        "filter", "smooth" or "states".

    Returns
    -------
    Kernel
        The compiled fit.
    """
    form: Kind = one_of(kind, get_args(Kind), "kind")
    directions = np.zeros((path.n_planes, 2))
    for step in path.steps:
        if isinstance(step, Measure):
            directions[step.plane] = step.direction
    return Kernel(Rows(path.n_planes, form), import_source("na64mu_fit", kernel_source(path, form)), directions)
