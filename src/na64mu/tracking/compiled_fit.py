"""Compiled fits: the source of a fit is generated and imported; like any kernel it is compiled once and cached.

Spectrometers whose steps are of the same kinds share it: another position, field or material compiles nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import get_args

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.compiled.kernel import kernel as scalar_kernel
from na64mu.compiled.written import import_source
from na64mu.errors import ArgumentError
from na64mu.tracking.code_generation import kernel_source
from na64mu.tracking.field import FieldRegion
from na64mu.tracking.navigation import Route
from na64mu.tracking.rows import LANES, Kind, Rows, block_rows
from na64mu.tracking.step_kinds import Form, kinds_and_numbers
from na64mu.typing import FloatArray

__all__ = ("Kernel", "kernel", "pack_tracks")


@dataclass(frozen=True)
class Kernel:
    """A compiled fit.

    Attributes
    ----------
    rows : Rows
        Rows of its blocks.
    compiled : ModuleType
        The written module with the function `fit_blocks`.
    numbers : FloatArray
        Lengths, angles, losses, fields and directions of all steps, see step_kinds.py.
    regions : tuple of FieldRegion
        Fringe fields and maps of the route.
    """

    rows: Rows
    compiled: ModuleType
    numbers: FloatArray
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
        self.compiled.fit_blocks(blocks, self.numbers, *fields)

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
        pack_tracks(*(np.require(column, np.float64, ["C", "W"]) for column in (seed, wide, u, weight)), self.rows, blocks)
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


@scalar_kernel
def pack_tracks(seed, prior, u, weight, rows, blocks):  # type: ignore[no-untyped-def] # kernel
    """Seeds, their standard deviations and measurements of tracks, all arrays of rows, to the blocks of a fit."""
    for t in range(len(seed)):
        block, lane = blocks[t // LANES], t % LANES
        for i in range(5):
            block[(rows.seed + i) * LANES + lane] = seed[t, i]
            block[(rows.sigma + i) * LANES + lane] = prior[t, i]
        for p in range(rows.n_planes):
            block[(rows.u + p) * LANES + lane] = u[t, p]
            block[(rows.weight + p) * LANES + lane] = weight[t, p]


@scalar_kernel
def _unpack(blocks, row, out):  # type: ignore[no-untyped-def] # kernel
    for t in range(len(out)):
        block, lane = blocks[t // LANES], t % LANES
        for i in range(out.shape[1]):
            out[t, i] = block[(row + i) * LANES + lane]


@lru_cache(maxsize=64)
def _compiled(form: Form, kind: Kind) -> ModuleType:
    return import_source("na64mu_fit", kernel_source(form, kind))


@lru_cache(maxsize=64)
def kernel(path: Route, kind: Kind | str) -> Kernel:
    """Fit of a spectrometer; without the fields of fringes and maps, see fit.fit_kernel.

    Parameters
    ----------
    path : Route
        The spectrometer; see navigation.route.
    kind : Kind or str
        "filter", "smooth" or "states".

    Returns
    -------
    Kernel
        The compiled fit.
    """
    wanted: Kind = one_of(kind, get_args(Kind), "kind")
    form, numbers = kinds_and_numbers(path)
    return Kernel(block_rows(form.n_planes, wanted), _compiled(form, wanted), numbers)
