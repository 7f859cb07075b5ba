"""Hits of a spectrometer: one coordinate on one measuring plane."""

from __future__ import annotations

from dataclasses import dataclass

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
        Its standard deviation [mm], shape (n_hits,).
    source : IntArray
        Number of the digit or cluster, shape (n_hits,); the two sides of a wire share it, and a cluster that borrows channels
        from a larger one of its plane has the number of that one.
    """

    offsets: IntArray
    u: FloatArray
    sigma: FloatArray
    source: IntArray
