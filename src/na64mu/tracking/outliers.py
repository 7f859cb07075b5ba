"""Outlier removal: the hit farthest from the track fitted to all others is removed, and the track is fitted again.

The distance is the leave-one-out chi2 of the smoother: a bad hit cannot hide by pulling the track towards itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from na64mu.common.arguments import number, one_of, whole
from na64mu.compiled.kernel import typed_kernel
from na64mu.errors import ArgumentError
from na64mu.physics.scattering import MODELS, Scattering
from na64mu.tracking.checks import checked_hit_of, checked_measurements
from na64mu.tracking.compiled_fit import Kernel
from na64mu.tracking.fit import fit_kernel, loose_prior, read_tracks
from na64mu.tracking.fitted import FittedTracks
from na64mu.tracking.rows import LANES
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import FloatArray, IntArray

__all__ = ("Removal", "fit_without_outliers", "remove_outliers")

BATCH = 32  # blocks cleaned together: they fit into the cache of a core
MIN_FREEDOM = 1e-3  # a hit that determines itself to more than 1 - this has no leave-one-out chi2 worth the name


@dataclass(frozen=True)
class Removal:
    """Criteria for the removal of a hit; benchmarks/outliers.py compares these values with others.

    Attributes
    ----------
    probability : float
        A hit goes if its leave-one-out chi2 is less probable than this.
    max_removed : int
        Largest number of hits removed from one track.
    min_ndf : int
        Fewest degrees of freedom left.
    """

    probability: float = 1e-4
    max_removed: int = 5
    min_ndf: int = 3

    def __post_init__(self) -> None:
        number(self.probability, "probability", above=0.0, below=1.0)
        whole(self.max_removed, "max_removed")
        whole(self.min_ndf, "min_ndf")

    def cuts(self, n_coordinates: int) -> FloatArray:
        """Largest chi2 of a hit with 0, 1, ... n coordinates, shape (n + 1,)."""
        return np.append(np.inf, chi2_distribution.isf(self.probability, np.arange(1, n_coordinates + 1)))


@typed_kernel(None)
def _worst(blocks, rows, hit_of, cuts, min_ndf, worst):  # type: ignore[no-untyped-def] # kernel
    """Number of the hit most above its cut, -1 for none or where too few would be left, of every track."""
    n_hits = hit_of[-1] + 1
    chi2, count = np.empty((n_hits, LANES)), np.empty((n_hits, LANES))
    for b in range(len(blocks)):
        block = blocks[b]
        chi2[:], count[:] = 0.0, 0.0
        for p in range(rows.n_planes):
            for lane in range(LANES):
                weight = block[(rows.weight + p) * LANES + lane]
                score, information = block[(rows.score + p) * LANES + lane], block[(rows.information + p) * LANES + lane]
                fair = information > MIN_FREEDOM * weight
                chi2[hit_of[p], lane] += score * score / information if fair else 0.0
                count[hit_of[p], lane] += 1.0 if weight > 0.0 else 0.0
        for lane in range(min(LANES, len(worst) - b * LANES)):
            most, at, total = 1.0, -1, 0.0
            for h in range(n_hits):
                total += count[h, lane]
                excess = chi2[h, lane] / cuts[int(count[h, lane])]
                if excess > most:
                    most, at = excess, h
            worst[b * LANES + lane] = at if at >= 0 and total - count[at, lane] - 5.0 >= min_ndf else -1


@typed_kernel("void(float64[:, ::1], int64[::1], float64[:, ::1], int64, int64)")
def _copy(source: FloatArray, tracks: IntArray, target: FloatArray, first_row: int, last_row: int) -> None:
    """Rows of the named tracks of `source` side by side into `target`."""
    for row in range(first_row, last_row):
        for i in range(len(tracks)):
            target[i // LANES, row * LANES + i % LANES] = source[tracks[i] // LANES, row * LANES + tracks[i] % LANES]


@typed_kernel("void(float64[:, ::1], int64[::1], float64[:, ::1], int64, int64)")
def _put_back(source: FloatArray, tracks: IntArray, target: FloatArray, first_row: int, last_row: int) -> None:
    """Inverse of `_copy`."""
    for row in range(first_row, last_row):
        for i in range(len(tracks)):
            target[tracks[i] // LANES, row * LANES + tracks[i] % LANES] = source[i // LANES, row * LANES + i % LANES]


@typed_kernel("void(float64[:, ::1], int64, int64[::1], int64[::1])")
def _take_out(blocks: FloatArray, weight_row: int, hit_of: IntArray, worst: IntArray) -> None:
    for i in range(len(worst)):
        for p in range(len(hit_of)):
            if hit_of[p] == worst[i]:
                blocks[i // LANES, (weight_row + p) * LANES + i % LANES] = 0.0


def _remove(fitted: Kernel, blocks: FloatArray, n: int, hit_of: IntArray, cuts: FloatArray, removal: Removal) -> None:
    """Rounds of removal; every round fits only the tracks that lost a hit in it."""
    rows = fitted.rows
    part, tracks = blocks, np.arange(n)
    for _ in range(removal.max_removed):
        worst = np.empty(len(tracks), dtype=np.int64)
        _worst(part, rows, hit_of, cuts, removal.min_ndf, worst)
        bad = np.flatnonzero(worst >= 0)
        if len(bad) == 0:
            break
        smaller = np.zeros((-(-len(bad) // LANES), part.shape[1]))
        _copy(part, bad, smaller, 0, rows.downstream)
        part, tracks = smaller, tracks[bad]
        _take_out(part, rows.weight, hit_of, worst[bad])
        fitted.fit_blocks(part)
        _put_back(part, tracks, blocks, rows.weight, rows.total)


def remove_outliers(fitted: Kernel, blocks: FloatArray, n: int, hit_of: IntArray, removal: Removal) -> None:
    """Take out the outliers of fitted blocks, in place.

    Parameters
    ----------
    fitted : Kernel
        The fit that filled them, of kind "smooth".
    blocks : FloatArray
        Shape (n_blocks, rows.total * LANES); removed hits have weight 0 afterwards.
    n : int
        Number of tracks.
    hit_of : IntArray
        Hit of every plane's coordinate, shape (n_planes,); see fit_without_outliers.
    removal : Removal
        Criteria for the removal of a hit.

    Raises
    ------
    ArgumentError
        If the blocks are not those of the fit, or the numbers of the hits make no sense.
    """
    fitted.check(blocks)
    hit_of = checked_hit_of(hit_of, fitted.rows.n_planes)
    if fitted.rows.score < 0 or not 0 <= n <= len(blocks) * LANES:
        kind = "filter" if fitted.rows.score < 0 else "smooth"
        msg = f"outliers are taken out of a fit of kind 'smooth' with at most {len(blocks) * LANES} tracks; found {kind!r} and {n}"
        raise ArgumentError(msg)
    cuts = removal.cuts(int(np.bincount(hit_of).max()))
    for first in range(0, len(blocks), BATCH):
        _remove(fitted, blocks[first : first + BATCH], min(n - first * LANES, BATCH * LANES), hit_of, cuts, removal)


def fit_without_outliers(
    seed: FloatArray,
    u: FloatArray,
    weight: FloatArray,
    spectrometer: Spectrometer,
    removal: Removal | None = None,
    *,
    prior: FloatArray | None = None,
    hit_of: IntArray | None = None,
    scattering: Scattering | str = "highland",
) -> FittedTracks:
    """Fit tracks, taking out the worst hit as long as there is an outlier.

    Parameters
    ----------
    seed, u, weight, spectrometer, prior, scattering
        Seeds, measurements, their weights, spectrometer and prior, as in fit.fit_measurements.
    removal : Removal, optional
        Criteria for the removal of a hit.
    hit_of : IntArray, optional
        Number of the hit to which each plane's coordinate belongs, 0, 1, ... without gaps and rising, shape (n_planes,):
        the two coordinates of a pixel are removed together, their correlation is not part of their chi2. By default each is its own.

    Returns
    -------
    FittedTracks
        `removed` marks the removed measurements; their weight is 0.

    Raises
    ------
    ArgumentError, DetectorError
        See fit.fit_measurements; also if `hit_of` has another length or gaps.
    """
    scattering = one_of(scattering, MODELS, "scattering")
    seed, prior, u, weight = checked_measurements(seed, u, weight, spectrometer, prior)
    hit_of = checked_hit_of(hit_of, u.shape[1])
    if prior is None:
        # the seed itself is kept: a track drawn away by its outliers would have the wrong scattering
        prior = loose_prior(seed, u, weight, spectrometer, scattering)
    fitted = fit_kernel(spectrometer, scattering)
    blocks = fitted.pack(seed, prior, u, weight)
    fitted.fit_blocks(blocks)
    remove_outliers(fitted, blocks, len(seed), hit_of, removal or Removal())
    left = fitted.unpack(blocks, fitted.rows.weight, fitted.rows.n_planes, len(seed))
    return replace(read_tracks(fitted, blocks, len(seed), left), removed=left < weight)
