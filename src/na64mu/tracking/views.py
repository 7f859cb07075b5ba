"""Hits of one view: for modules rotated about z, the coordinates are corrected for the contribution of the other view.

A rotated module measures u = direction . (x, y). The finding looks at one view at a time, so the other coordinate is taken
from the hits of the other view on the same module (a slab has none: on the nearest plane), and what they leave open widens the
error. The fit takes the hits as they are. Where nothing is rotated the hits are returned untouched.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.tracking.hits import Hits
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import FloatArray, IntArray

__all__ = ("hits_in_views",)


class _Turned(NamedTuple):
    """Rotated planes; n of them.

    Attributes
    ----------
    plane : IntArray
        Numbers of the planes, shape (n,).
    partners : IntArray
        Planes of the other view, on the same module or nearest to it, -1 beyond the last, shape (n, 2).
    along, across : FloatArray
        Coefficients of the coordinates of the own and of the other view in the measurement, shape (n,).
    spread : FloatArray
        Standard deviation of the other coordinate where no partner has a hit [mm]: even over its width, shape (n,).
    """

    plane: IntArray
    partners: IntArray
    along: FloatArray
    across: FloatArray
    spread: FloatArray


@lru_cache(maxsize=16)
def _turned(spectrometer: Spectrometer) -> _Turned:
    planes = spectrometer.planes
    turned = [i for i, p in enumerate(planes) if p.rotation != 0.0]
    partners = np.full((len(turned), 2), -1, dtype=np.int64)
    for row, i in enumerate(turned):
        others = [j for j, p in enumerate(planes) if p.view != planes[i].view]
        same = [j for j in others if planes[j].station == planes[i].station]
        nearest = same or sorted(others, key=lambda j: abs(planes[j].z - planes[i].z))[:1]
        partners[row, : len(nearest)] = nearest
    view = np.array([planes[i].view for i in turned], dtype=np.int64)
    direction = np.array([planes[i].direction for i in turned]).reshape(-1, 2)
    rows = np.arange(len(turned))
    spread = np.array([planes[j].half / math.sqrt(3.0) for j in partners[:, 0]])
    return _Turned(np.array(turned, dtype=np.int64), partners, direction[rows, view], direction[rows, 1 - view], spread)


@kernel
def _mean_and_spread(offsets, base, partners, u):  # type: ignore[no-untyped-def] # kernel
    """Mean and standard deviation of the hits of the partner planes in the event whose planes start at `base`; -1: no hits."""
    n, total, squares = 0, 0.0, 0.0
    for j in partners:
        if j >= 0:
            for i in range(offsets[base + j], offsets[base + j + 1]):
                n += 1
                total += u[i]
                squares += u[i] * u[i]
    if n == 0:
        return 0.0, -1.0
    mean = total / n
    return mean, math.sqrt(max(0.0, squares / n - mean * mean))


@kernel
def _straighten(offsets, n_planes, u, sigma, turned, out_u, out_sigma):  # type: ignore[no-untyped-def] # kernel
    """Write the hits of rotated planes as their view sees them."""
    for base in range(0, len(offsets) - 1, n_planes):
        for k in range(len(turned.plane)):
            p = base + turned.plane[k]
            if offsets[p] == offsets[p + 1]:
                continue
            other, spread = _mean_and_spread(offsets, base, turned.partners[k], u)
            if spread < 0.0:
                spread = turned.spread[k]
            for i in range(offsets[p], offsets[p + 1]):
                out_u[i] = (u[i] - turned.across[k] * other) / turned.along[k]
                out_sigma[i] = math.hypot(sigma[i], turned.across[k] * spread) / turned.along[k]


def hits_in_views(hits: Hits, spectrometer: Spectrometer) -> Hits:
    """Hits with the coordinate of their view in place of the one that a rotated module measures.

    Parameters
    ----------
    hits : Hits
        Hits of the spectrometer.
    spectrometer : Spectrometer
        MS1 or MS2.

    Returns
    -------
    Hits
        The same hits in the same order; the same object where no plane is rotated.
    """
    turned = _turned(spectrometer)
    if len(turned.plane) == 0:
        return hits
    u, sigma = hits.u.copy(), hits.sigma.copy()
    _straighten(hits.offsets, len(spectrometer.planes), hits.u, hits.sigma, turned, u, sigma)
    return replace(hits, u=u, sigma=sigma)
