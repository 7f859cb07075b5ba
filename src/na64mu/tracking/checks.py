"""Checks of the tracking's input before it reaches a kernel: kernels do not check the bounds of arrays.

Shapes cost nothing, numbers one pass over the array.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from na64mu.errors import ArgumentError
from na64mu.tracking.hits import Hits
from na64mu.tracking.spectrometer import Spectrometer, check_spectrometer
from na64mu.typing import AnyArray, FloatArray, IntArray

__all__ = ("Measured", "checked_chosen", "checked_hit_of", "checked_hits", "checked_measurements", "real_array")


class Measured(NamedTuple):
    """Tracks to fit: seed (n, 5), its standard deviations or None, and coordinates and weights of shape (n, n_planes, ...)."""

    seed: FloatArray
    prior: FloatArray | None
    u: FloatArray
    weight: FloatArray


def real_array(value: Any, name: str, shape: tuple[int | None, ...], meaning: str) -> FloatArray:
    """Numbers of a given shape.

    Parameters
    ----------
    value : array_like
        The numbers.
    name : str
        Name of the argument, for the message.
    shape : tuple of int or None
        Expected shape; None for any length.
    meaning : str
        The shape in words.

    Returns
    -------
    FloatArray
        The same, as float64.

    Raises
    ------
    ArgumentError
        If they are not numbers, or of another shape.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{name} must be numbers of shape {meaning}; found {type(value).__name__}: {error}"
        raise ArgumentError(msg) from error
    if array.ndim != len(shape) or any(want is not None and have != want for have, want in zip(array.shape, shape, strict=False)):
        msg = f"{name} must have the shape {meaning}; found {array.shape}"
        raise ArgumentError(msg)
    return array


def checked_measurements(
    seed: Any, u: Any, weight: Any, spectrometer: Spectrometer, prior: Any = None, *, competing: bool = False
) -> Measured:
    """Tracks to fit, as arrays of the right shapes.

    Parameters
    ----------
    seed, u, weight, spectrometer, prior
        Arguments as in fit.fit_measurements, or (competing) as in annealing.fit_competing.
    competing : bool
        Whether every plane has several hits.

    Returns
    -------
    Measured
        Arrays of float64; a coordinate that is NaN and has weight 0 is set to 0, it is not used.

    Raises
    ------
    ArgumentError
        If a shape is wrong, a weight is negative or not finite, or a coordinate with a weight is NaN.
    DetectorError
        If the spectrometer makes no sense.
    """
    check_spectrometer(spectrometer)
    start = real_array(seed, "seed", (None, 5), "(n_tracks, 5): x, y, tx, ty, q/p")
    n, n_planes = len(start), len(spectrometer.planes)
    wanted = (n, n_planes, None) if competing else (n, n_planes)
    each = f"{'(' + ', '.join(str(v) for v in wanted[:2]) + (', n_competing)' if competing else ')')}: {n} tracks on the {n_planes} planes of {spectrometer.name}"
    hits, weights = real_array(u, "u", wanted, each), real_array(weight, "weight", wanted, each)
    if hits.shape != weights.shape:
        msg = f"u and weight must have the same shape; found {hits.shape} and {weights.shape}"
        raise ArgumentError(msg)
    if not (np.isfinite(weights) & (weights >= 0.0)).all():
        at = _first(~(np.isfinite(weights) & (weights >= 0.0)))
        msg = f"weight must be 1 / sigma^2, 0 for no measurement; found {weights[at]:g} at {list(at)}"
        raise ArgumentError(msg)
    known = np.isfinite(hits)
    if not known.all():
        if (~known & (weights > 0.0)).any():
            at = _first(~known & (weights > 0.0))
            msg = f"u must be a number where weight is not 0; found {hits[at]} with the weight {weights[at]:g} at {list(at)}: give it weight 0"
            raise ArgumentError(msg)
        hits = np.where(known, hits, 0.0)
    return Measured(start, _prior(prior, n), hits, weights)


def _prior(prior: Any, n: int) -> FloatArray | None:
    if prior is None:
        return None
    meaning = f"(5,) or ({n}, 5): standard deviations of x, y, tx, ty, q/p"
    one = np.ndim(prior) == 1
    sigma = real_array(prior, "prior", (5,) if one else (n, 5), meaning)
    if (sigma < 0.0).any():
        msg = f"prior must be standard deviations, not negative; found {sigma[sigma < 0.0].flat[0]:g}"
        raise ArgumentError(msg)
    return sigma


def _first(bad: AnyArray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(bad)[0])


def checked_hit_of(hit_of: Any, n_planes: int) -> IntArray:
    """Hit of every plane's coordinate.

    Parameters
    ----------
    hit_of : IntArray or None
        0, 1, ... without gaps and rising, shape (n_planes,); None: each coordinate is its own hit.
    n_planes : int
        Number of planes.

    Returns
    -------
    IntArray
        The checked array.

    Raises
    ------
    ArgumentError
        If it is not that.
    """
    if hit_of is None:
        return np.arange(n_planes)
    found = np.asarray(hit_of)
    steps = np.diff(found) if found.ndim == 1 and found.dtype.kind in "iu" else None
    if steps is None or len(found) != n_planes or found[0] != 0 or not np.isin(steps, (0, 1)).all():
        msg = f"hit_of must name the hit of each of the {n_planes} planes by whole numbers 0, 1, ... without gaps and rising; found {np.array2string(found, threshold=10)}"
        raise ArgumentError(msg)
    return np.ascontiguousarray(found, dtype=np.int64)


def checked_hits(hits: object, spectrometer: Spectrometer) -> int:
    """Number of events of hits that belong to a spectrometer.

    Parameters
    ----------
    hits : Hits
        The hits.
    spectrometer : Spectrometer
        Spectrometer with the planes.

    Returns
    -------
    int
        Events.

    Raises
    ------
    ArgumentError
        If they are no hits, or of another number of planes.
    DetectorError
        If the spectrometer makes no sense.
    """
    check_spectrometer(spectrometer)
    if not isinstance(hits, Hits):
        msg = f"hits must be Hits of na64mu.tracking.hits; found {type(hits).__name__}"
        raise ArgumentError(msg)
    n_events, rest = divmod(len(hits.offsets) - 1, len(spectrometer.planes))
    if rest:
        msg = f"offsets of hits must have n_events x {len(spectrometer.planes)} + 1 numbers for the planes of {spectrometer.name}; found {len(hits.offsets)}"
        raise ArgumentError(msg)
    return n_events


def checked_chosen(chosen: Any, n_hits: int, n_planes: int) -> IntArray:
    """Hits chosen for tracks.

    Parameters
    ----------
    chosen : IntArray
        Chosen hit of every plane, as in fit.fit_tracks.
    n_hits, n_planes : int
        Number of hits and of planes.

    Returns
    -------
    IntArray
        The checked array.

    Raises
    ------
    ArgumentError
        If its shape is wrong, or it names a hit that there is not.
    """
    found = np.asarray(chosen)
    if found.ndim != 2 or found.shape[1] != n_planes or found.dtype.kind not in "iu":
        msg = f"chosen must be whole numbers of shape (n_tracks, {n_planes}); found {found.dtype} of shape {found.shape}"
        raise ArgumentError(msg)
    if found.size and not -1 <= found.min() <= found.max() < n_hits:
        msg = f"chosen must name hits 0 to {n_hits - 1}, or -1 for none; found {found.min()} to {found.max()}"
        raise ArgumentError(msg)
    return np.ascontiguousarray(found, dtype=np.int64)
