"""Fit of tracks over (x, y, tx, ty, q/p): Kalman filter, smoother, and the residual of every hit.

The formulas are in kalman.py; a spectrometer's fit is generated and compiled once (code_generation.py, compiled_fit.py) and
then runs on several tracks at a time. The charge is free: q/p may change its sign in the fit.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.compiled.kernel import inner_kernel
from na64mu.compiled.kernel import kernel as scalar_kernel
from na64mu.errors import ArgumentError
from na64mu.physics.scattering import MODELS, Scattering
from na64mu.tracking.checks import checked_chosen, checked_hits, checked_measurements, real_array
from na64mu.tracking.compiled_fit import Kernel, kernel, pack_tracks
from na64mu.tracking.fitted import FittedTracks
from na64mu.tracking.hits import Hits
from na64mu.tracking.navigation import route
from na64mu.tracking.rows import LANES, Kind
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import FloatArray, IntArray

__all__ = (
    "WIDE",
    "first_look",
    "fit_kernel",
    "fit_measurements",
    "fit_tracks",
    "loose_prior",
    "read_tracks",
)

#: Standard deviations of a start without prior knowledge, wide compared with every measurement: mm, mm, rad, rad, c/GeV.
WIDE = np.array([200.0, 200.0, 0.1, 0.1, 0.3])

#: Prior uncertainty of the seed's q/p: its magnitude plus this margin [c/GeV].
MARGIN = 0.01

#: Blocks that are processed from the first filter to the result at a time: they fit into the cache of a core.
BATCH = 8

#: The smoother starts from the result of the filter with its errors this many times larger: its formula loses digits when the
#: start is wider than needed by many orders of magnitude, and this start weighs 1 / 40 000 of the measurements.
LOOSE = 200.0


def fit_kernel(spectrometer: Spectrometer, scattering: Scattering | str = "highland", kind: Kind | str = "smooth") -> Kernel:
    """Compiled fit of a spectrometer, with its fields.

    Parameters
    ----------
    spectrometer : Spectrometer
        MS1, MS2 or any other.
    scattering : Scattering or str
        Model of multiple scattering.
    kind : Kind or str
        "filter", "smooth" or "states"; see rows.py.

    Returns
    -------
    Kernel
        Its fit_blocks takes blocks alone.
    """
    kind = one_of(kind, get_args(Kind), "kind")
    return replace(kernel(route(spectrometer, scattering), kind), regions=spectrometer.regions)


def read_tracks(fitted: Kernel, blocks: FloatArray, n: int, weight: FloatArray) -> FittedTracks:
    """Tracks of filled blocks.

    Parameters
    ----------
    fitted : Kernel
        The fit that filled them.
    blocks : FloatArray
        Shape (n_blocks, rows.total * LANES).
    n : int
        Number of tracks.
    weight : FloatArray
        The weights in the fit, shape (n, n_planes).

    Returns
    -------
    FittedTracks
        Fit results, one per track.

    Raises
    ------
    ArgumentError
        If the blocks are not those of the fit, or hold fewer tracks.
    """
    fitted.check(blocks)
    weight = real_array(weight, "weight", (n, fitted.rows.n_planes), f"({n}, {fitted.rows.n_planes})")
    if n > len(blocks) * LANES:
        msg = f"{len(blocks)} blocks hold {len(blocks) * LANES} tracks; {n} are asked for"
        raise ArgumentError(msg)
    out = _empty(n, fitted.rows.n_planes)
    _read_into(out, fitted, blocks, slice(0, n), weight)
    return replace(out, weight=weight)


def _read_into(out: FittedTracks, fitted: Kernel, blocks: FloatArray, part: slice, weight: FloatArray) -> None:
    """Fill some tracks of `out` from the blocks of a fit."""
    _read(blocks, weight[part], fitted.rows, out.good[part], out.chi2[part], out.ndf[part], out.upstream[part], out.downstream[part],
          out.upstream_covariance[part], out.downstream_covariance[part], out.score[part], out.information[part])  # fmt: skip


def _empty(n: int, n_planes: int) -> FittedTracks:
    """Tracks to fill."""
    up, down = np.empty((2, n, 5))
    up_covariance, down_covariance = np.empty((2, n, 5, 5))
    weight, score, information = np.empty((3, n, n_planes))
    return FittedTracks(
        np.empty(n, dtype=np.bool_), np.empty(n), np.empty(n, dtype=np.int64), up, down, up_covariance, down_covariance,
        weight, score, information, np.zeros((n, n_planes), dtype=np.bool_),
    )  # fmt: skip


@inner_kernel
def _is_track(block: FloatArray, row: int, lane: int) -> bool:
    """Whether the 20 numbers from a row on are finite, and the variances among them positive."""
    good = True
    for i in range(20):
        good &= math.isfinite(block[(row + i) * LANES + lane])
    for i in range(5):
        good &= block[(row + 5 + i * (i + 3) // 2) * LANES + lane] > 0.0
    return good


@scalar_kernel
def _read(blocks, weight, rows, good, chi2, ndf, up, down, up_covariance, down_covariance, score, information):  # type: ignore[no-untyped-def] # kernel
    """Unpack the tracks of the blocks one after the other; failed fits are filled with NaN."""
    n_planes = weight.shape[1]
    for t in range(len(good)):
        block, lane = blocks[t // LANES], t % LANES
        n_hits = 0
        for p in range(n_planes):
            n_hits += weight[t, p] > 0.0
            score[t, p] = block[(rows.score + p) * LANES + lane] if rows.score >= 0 else np.nan
            information[t, p] = block[(rows.information + p) * LANES + lane] if rows.information >= 0 else np.nan
        good[t] = n_hits > 5 and _is_track(block, rows.downstream, lane) and _is_track(block, rows.upstream, lane)
        chi2[t] = block[rows.chi2 * LANES + lane] if good[t] else np.nan
        ndf[t] = n_hits - 5 if good[t] else 0
        for row, parameters, covariance in ((rows.downstream, down[t], down_covariance[t]), (rows.upstream, up[t], up_covariance[t])):
            for i in range(5):
                parameters[i] = block[(row + i) * LANES + lane] if good[t] else np.nan
                for j in range(i + 1):
                    c = block[(row + 5 + i * (i + 1) // 2 + j) * LANES + lane] if good[t] else np.nan
                    covariance[i, j] = covariance[j, i] = c


@scalar_kernel
def _look_again(first, n, look, second, rows):  # type: ignore[no-untyped-def] # kernel
    """Blocks of another fit from those of the filter `look`: the same hits, a better seed, and loose errors of it."""
    for t in range(n):
        a, b, lane = first[t // LANES], second[t // LANES], t % LANES
        n_hits = 0
        for p in range(rows.n_planes):
            weight = a[(look.weight + p) * LANES + lane]
            b[(rows.u + p) * LANES + lane], b[(rows.weight + p) * LANES + lane] = a[(look.u + p) * LANES + lane], weight
            n_hits += weight > 0.0
        good = _is_track(a, look.upstream, lane)
        widen = max(1.0, a[look.chi2 * LANES + lane] / max(n_hits - 5, 1))
        for i in range(5):
            b[(rows.seed + i) * LANES + lane] = a[((look.upstream if good else look.seed) + i) * LANES + lane]
            sigma = LOOSE * math.sqrt(widen * a[(look.upstream + 5 + i * (i + 3) // 2) * LANES + lane]) if good else WIDE[i]
            b[(rows.sigma + i) * LANES + lane] = min(sigma, WIDE[i])


def _wide(seed: FloatArray) -> FloatArray:
    """Standard deviations for the first filter.

    Planes in a weak fringe field would draw a free q/p far off before the magnet fixes it, beyond what is linear.
    """
    return np.where(np.arange(5) == 4, np.minimum(np.abs(seed) + MARGIN, WIDE), WIDE)


def first_look(
    seed: FloatArray, u: FloatArray, weight: FloatArray, spectrometer: Spectrometer, scattering: Scattering | str = "highland"
) -> tuple[FloatArray, FloatArray]:
    """A better seed and loose standard deviations of it, from the two filters; outliers widen them.

    Parameters
    ----------
    seed, u, weight, spectrometer, scattering
        Seeds, measurements, their weights and the spectrometer, as in fit_measurements.

    Returns
    -------
    tuple of FloatArray
        Parameters at the first plane and their standard deviations, each of shape (n, 5).

    Raises
    ------
    ArgumentError, DetectorError
        See fit_measurements.
    """
    scattering = one_of(scattering, MODELS, "scattering")
    seed, _, u, weight = checked_measurements(seed, u, weight, spectrometer)
    return _first_look(seed, u, weight, spectrometer, scattering)


def _first_look(
    seed: FloatArray, u: FloatArray, weight: FloatArray, spectrometer: Spectrometer, scattering: Scattering | str
) -> tuple[FloatArray, FloatArray]:
    look = fit_kernel(spectrometer, scattering, "filter")
    blocks = look.pack(seed, _wide(seed), u, weight)
    again = np.zeros_like(blocks)
    look.fit_blocks(blocks)
    _look_again(blocks, len(seed), look.rows, again, look.rows)
    return look.unpack(again, look.rows.seed, 5, len(seed)), look.unpack(again, look.rows.sigma, 5, len(seed))


def loose_prior(
    seed: FloatArray, u: FloatArray, weight: FloatArray, spectrometer: Spectrometer, scattering: Scattering | str = "highland"
) -> FloatArray:
    """Standard deviations of a seed that hold the track loosely where outliers may draw it away.

    Parameters
    ----------
    seed, u, weight, spectrometer, scattering
        Seeds, measurements, their weights and the spectrometer, as in fit_measurements.

    Returns
    -------
    FloatArray
        Shape (n, 5).

    Raises
    ------
    ArgumentError, DetectorError
        See fit_measurements.
    """
    scattering = one_of(scattering, MODELS, "scattering")
    seed, _, u, weight = checked_measurements(seed, u, weight, spectrometer)
    first, loose = _first_look(seed, u, weight, spectrometer, scattering)
    return np.minimum(loose + 10.0 * np.abs(first - seed), WIDE)


def _fit(
    seed: FloatArray,
    prior: FloatArray | None,
    u: FloatArray,
    weight: FloatArray,
    spectrometer: Spectrometer,
    scattering: Scattering | str,
) -> FittedTracks:
    """Fit checked measurements, a few blocks at a time; without a prior after a first look."""
    smooth, look = fit_kernel(spectrometer, scattering), fit_kernel(spectrometer, scattering, "filter") if prior is None else None
    n, n_planes = u.shape
    sigma = _wide(seed) if prior is None else np.broadcast_to(prior, seed.shape)
    seed, sigma, u, weight = (np.require(column, np.float64, ["C", "W"]) for column in (seed, sigma, u, weight))
    out = replace(_empty(n, n_planes), weight=weight)
    blocks = np.zeros((BATCH, smooth.rows.total * LANES))
    first = None if look is None else np.zeros((BATCH, look.rows.total * LANES))
    for low in range(0, n, BATCH * LANES):
        part = slice(low, min(low + BATCH * LANES, n))
        n_blocks = -(-(part.stop - low) // LANES)
        if look is None or first is None:
            pack_tracks(seed[part], sigma[part], u[part], weight[part], smooth.rows, blocks)
        else:
            pack_tracks(seed[part], sigma[part], u[part], weight[part], look.rows, first)
            look.fit_blocks(first[:n_blocks])
            _look_again(first, part.stop - low, look.rows, blocks, smooth.rows)
        smooth.fit_blocks(blocks[:n_blocks])
        _read_into(out, smooth, blocks, part, weight)
    return out


def fit_measurements(
    seed: FloatArray,
    u: FloatArray,
    weight: FloatArray,
    spectrometer: Spectrometer,
    *,
    prior: FloatArray | None = None,
    scattering: Scattering | str = "highland",
) -> FittedTracks:
    """Fit tracks with the given measurements.

    Parameters
    ----------
    seed : FloatArray
        Parameters at the first plane to start from, shape (n, 5); its q/p sets the width of the scattering.
    u : FloatArray
        Measured coordinate of every plane, along its direction [mm], shape (n, n_planes).
    weight : FloatArray
        1 / sigma^2 [1/mm2], 0 for no measurement, shape (n, n_planes).
    spectrometer : Spectrometer
        MS1, MS2 or any other.
    prior : FloatArray, optional
        Standard deviations of the seed, shape (n, 5) or (5,); without them a first fit makes a better seed, and the
        fit is repeated about it. That start is never wider than WIDE: of q/p 0.3 c/GeV, so a track that the measurements know
        worse than that (below about 0.3 GeV/c, or without field) gets too small an error; give a wider prior there.
    scattering : Scattering or str
        Model of multiple scattering.

    Returns
    -------
    FittedTracks
        One per row; `good` is False with less than six measurements, where the particle turns around in the field, and where
        the seed is NaN.

    Raises
    ------
    ArgumentError
        If a shape is wrong, a weight is negative, a coordinate with a weight is NaN, or the model is unknown.
    DetectorError
        If the spectrometer makes no sense: planes out of order, fields that overlap or have two components.
    """
    scattering = one_of(scattering, MODELS, "scattering")
    seed, prior, u, weight = checked_measurements(seed, u, weight, spectrometer, prior)
    return _fit(seed, prior, u, weight, spectrometer, scattering)


def fit_tracks(
    hits: Hits, chosen: IntArray, seed: FloatArray, spectrometer: Spectrometer, scattering: Scattering | str = "highland"
) -> FittedTracks:
    """Fit tracks with the chosen hits.

    Parameters
    ----------
    hits : Hits
        Hits of the spectrometer.
    chosen : IntArray
        Hit of every plane of the spectrometer (both views), -1 for none, shape (n, n_planes); a row of -1 is no track.
    seed : FloatArray
        Parameters at the first plane to start from, shape (n, 5).
    spectrometer : Spectrometer
        MS1 or MS2.
    scattering : Scattering or str
        Model of multiple scattering.

    Returns
    -------
    FittedTracks
        One per row; see fit_measurements.

    Raises
    ------
    ArgumentError
        If a shape is wrong, a hit is named that there is not, or the model is unknown.
    DetectorError
        If the spectrometer makes no sense.
    """
    scattering = one_of(scattering, MODELS, "scattering")
    checked_hits(hits, spectrometer)
    chosen = checked_chosen(chosen, len(hits.u), len(spectrometer.planes))
    seed = np.ascontiguousarray(real_array(seed, "seed", (len(chosen), 5), f"({len(chosen)}, 5): x, y, tx, ty, q/p of every row of chosen"))
    u, weight = (np.empty(chosen.shape) for _ in range(2))
    _gather(chosen, hits.u, hits.sigma**-2.0, u, weight)
    return _fit(seed, None, u, weight, spectrometer, scattering)


@scalar_kernel
def _gather(chosen, hit_u, hit_weight, u, weight):  # type: ignore[no-untyped-def] # kernel
    """Coordinates and weights of the chosen hits."""
    for t in range(chosen.shape[0]):
        for p in range(chosen.shape[1]):
            hit = chosen[t, p]
            u[t, p] = hit_u[hit] if hit >= 0 else 0.0
            weight[t, p] = hit_weight[hit] if hit >= 0 else 0.0
