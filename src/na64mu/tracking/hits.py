"""Hits of a spectrometer: one coordinate on one measuring plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from na64mu.errors import ArgumentError
from na64mu.typing import FloatArray, IntArray

__all__ = ("Hits",)


@dataclass(frozen=True)
class Hits:
    """Hits of a batch, sorted by event and plane.

    Attributes
    ----------
    offsets : IntArray
        Shape (n_events * n_planes + 1,): the hits of plane p in event e are
        offsets[e * n_planes + p] : offsets[e * n_planes + p + 1].
    u : FloatArray
        Measured coordinate [mm], shape (n_hits,).
    sigma : FloatArray
        Standard deviation of the coordinate [mm], shape (n_hits,).
    source : IntArray
        Number of the digit or cluster, shape (n_hits,); the two sides of a wire share it, and a cluster that borrows channels
        from a larger one of its plane has the number of that one.
    """

    offsets: IntArray
    u: FloatArray
    sigma: FloatArray
    source: IntArray

    def __post_init__(self) -> None:
        for name in ("u", "sigma"):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype=np.float64))
        for name in ("offsets", "source"):
            column = np.ascontiguousarray(getattr(self, name))
            if column.dtype.kind not in "iu" and column.size:
                msg = f"{name} of hits must be whole numbers; found {column.dtype}"
                raise ArgumentError(msg)
            object.__setattr__(self, name, column.astype(np.int64, copy=False))
        shapes = {name: getattr(self, name).shape for name in ("u", "sigma", "source")}
        if self.u.ndim != 1 or len(set(shapes.values())) > 1:
            msg = f"u, sigma and source of hits must have one shape (n_hits,); found {', '.join(f'{k} {v}' for k, v in shapes.items())}"
            raise ArgumentError(msg)
        rising = self.offsets.ndim == 1 and len(self.offsets) > 0 and bool((self.offsets[1:] >= self.offsets[:-1]).all())
        if not rising or self.offsets[0] != 0 or self.offsets[-1] != len(self.u):
            msg = f"offsets of hits must rise from 0 to the number of hits, {len(self.u)}, one for every plane of every event and one more"
            raise ArgumentError(msg)
