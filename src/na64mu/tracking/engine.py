"""Compiled fits: the source of a spectrometer's fit is written once to a folder of the user, imported, and cached by numba."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import get_args

import numba
import numpy as np

from na64mu.arguments import one_of
from na64mu.errors import ArgumentError
from na64mu.tracking import field, follow, kalman, nystrom
from na64mu.tracking.field import FieldRegion
from na64mu.tracking.route import Measure, Route
from na64mu.tracking.source import LANES, Kind, Rows, kernel_source
from na64mu.typing import FloatArray

__all__ = ("Kernel", "kernel", "kernel_folder")


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
            Their standard deviations, shape (n, 5) or (5,) for all tracks alike.
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


@numba.njit("void(float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1])", cache=True, nogil=True)
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


@numba.njit("void(float64[:, ::1], int64, float64[:, ::1])", cache=True, nogil=True)
def _unpack(blocks: FloatArray, row: int, out: FloatArray) -> None:
    for t in range(len(out)):
        block, lane = blocks[t // LANES], t % LANES
        for i in range(out.shape[1]):
            out[t, i] = block[(row + i) * LANES + lane]


def kernel_folder() -> Path:
    """Folder of the written kernels: $NA64MU_CACHE, else na64mu in the user's cache folder, else a temporary one.

    Returns
    -------
    Path
        An existing folder that can be written.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    for folder in (os.environ.get("NA64MU_CACHE"), Path(home) / "na64mu", Path(tempfile.gettempdir()) / f"na64mu-{os.getuid()}"):
        if folder is None:
            continue
        try:
            Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return Path(folder)
    return Path(tempfile.mkdtemp(prefix="na64mu-"))


def _written(source: str) -> Path:
    """File with exactly this source; its name changes with the formulas, because numba's cache looks at this file only."""
    formulas = b"".join(Path(str(module.__file__)).read_bytes() for module in (kalman, follow, nystrom, field))
    name = hashlib.sha256(source.encode() + formulas + numba.__version__.encode()).hexdigest()[:20]
    path = kernel_folder() / f"na64mu_fit_{name}.py"
    if not path.is_file() or path.read_text(encoding="utf-8") != source:
        # several processes may write at once: each its own file, then renamed
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".py", delete=False) as part:
            part.write(source)
        Path(part.name).replace(path)
    return path


@lru_cache(maxsize=64)
def _module(source: str) -> ModuleType:
    """Compile a source; some ten seconds the first time, from numba's cache afterwards."""
    file = _written(source)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        msg = f"{file}: cannot be imported; remove it, it is written again"
        raise ImportError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # numba's cache finds a function by the name of its module
    spec.loader.exec_module(module)
    return module


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
    return Kernel(Rows(path.n_planes, form), _module(kernel_source(path, form)), directions)
