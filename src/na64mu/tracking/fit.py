"""Fit of tracks over (x, y, tx, ty, q/p): Kalman filter, smoother, and the residual of every hit.

The formulas stand in kalman.py; a spectrometer's fit is written out and compiled once (source.py, engine.py) and
then runs on several tracks at a time. The charge is free: q/p may change its sign in the fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numba
import numpy as np

from na64mu.table import Shown, Table
from na64mu.tracking.engine import Kernel, kernel
from na64mu.tracking.hits import Hits
from na64mu.tracking.route import Scattering, route
from na64mu.tracking.source import Kind
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = (
    "WIDE",
    "FittedTracks",
    "first_look",
    "fit_kernel",
    "fit_measurements",
    "fit_tracks",
    "loose_prior",
    "read_tracks",
    "unpacked_covariance",
)

#: Standard deviations of a start that knows nothing, wide against every measurement: mm, mm, rad, rad, c/GeV.
WIDE = np.array([200.0, 200.0, 0.1, 0.1, 0.3])

#: Places of the five variances among the 20 numbers of a track.
VARIANCES = [5, 7, 10, 14, 19]

#: A seed's q/p is believed to its own size and this much more [c/GeV].
MARGIN = 0.01

#: The smoother starts from the result of the filter with its errors this many times larger: its formula loses digits when the
#: start is wider than needed by many orders of magnitude, and this start weighs 1 / 40 000 of the measurements.
LOOSE = 200.0


@dataclass(frozen=True, repr=False)
class FittedTracks(Shown):
    """Fitted tracks; parameters are (x, y, tx, ty, q/p) in mm, rad, c/GeV.

    Attributes
    ----------
    good : BoolArray
        The fit converged, shape (n,).
    chi2 : FloatArray
        Chi2 of the filter, shape (n,).
    ndf : IntArray
        Measurements minus five, shape (n,).
    upstream, downstream : FloatArray
        Parameters at the first and behind the last plane, shape (n, 5).
    upstream_covariance, downstream_covariance : FloatArray
        Their covariances, shape (n, 5, 5).
    weight : FloatArray
        1 / sigma^2 of every measurement in the fit [1/mm2], 0 for none, shape (n, n_planes).
    score : FloatArray
        Unbiased residual over its variance [1/mm], shape (n, n_planes).
    information : FloatArray
        1 / variance of the unbiased residual [1/mm2], shape (n, n_planes).
    removed : BoolArray
        Measurements that were taken out as outliers, shape (n, n_planes).
    """

    good: BoolArray
    chi2: FloatArray
    ndf: IntArray
    upstream: FloatArray
    downstream: FloatArray
    upstream_covariance: FloatArray
    downstream_covariance: FloatArray
    weight: FloatArray
    score: FloatArray
    information: FloatArray
    removed: BoolArray

    def __len__(self) -> int:
        return len(self.good)

    def __getitem__(self, rows: slice | IntArray | BoolArray) -> Self:
        """Some of the tracks."""
        return replace(self, **{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    def _table(self) -> Table:
        rows = []
        for i in range(min(len(self), 20)):
            (x, y, tx, ty, k), chi2 = self.upstream[i], f"{self.chi2[i]:.1f}/{self.ndf[i]}"
            numbers = (f"{1 / abs(k):.2f}", f"{np.sign(k):+.0f}", f"{x:.2f}", f"{y:.2f}", f"{1e3 * tx:.3f}", f"{1e3 * ty:.3f}", chi2)
            rows.append((str(i), *numbers) if self.good[i] else (str(i), *[""] * 6, "no fit"))
        more = (f"{len(self) - len(rows)} more tracks",) if len(rows) < len(self) else ()
        headings = ("track", "p [GeV/c]", "charge", "x [mm]", "y [mm]", "tx [mrad]", "ty [mrad]", "chi2/ndf")
        return Table(f"{len(self)} fitted tracks, {np.count_nonzero(self.good)} good; at the first plane", headings, tuple(rows), more)

    @property
    def momentum_upstream(self) -> Any:
        """Momentum at the first plane as vectors (px, py, pz) of the vector package [GeV/c], NaN where the fit failed, shape (n,)."""
        return self._momentum(self.upstream)

    @property
    def momentum_downstream(self) -> Any:
        """Momentum behind the last plane as vectors [GeV/c], NaN where the fit failed, shape (n,)."""
        return self._momentum(self.downstream)

    def _momentum(self, parameters: FloatArray) -> Any:
        import vector

        tx, ty, k = np.where(self.good[:, None], parameters[:, 2:5], np.nan).T
        pz = 1.0 / (np.abs(k) * np.sqrt(1.0 + tx**2 + ty**2))
        return vector.array({"px": tx * pz, "py": ty * pz, "pz": pz})

    def _where_measured(self, numerator: FloatArray, denominator: FloatArray) -> FloatArray:
        present = (self.weight > 0.0) & self.good[:, None]
        return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=present & (denominator > 0.0))

    @property
    def biased_residual(self) -> FloatArray:
        """Hit minus the track with all hits [mm], NaN where there is none, shape (n, n_planes)."""
        return self._where_measured(self.score, self.weight)

    @property
    def unbiased_residual(self) -> FloatArray:
        """Hit minus the track of all other hits [mm], NaN where there is none, shape (n, n_planes)."""
        return self._where_measured(self.score, self.information)

    @property
    def unbiased_sigma(self) -> FloatArray:
        """Standard deviation of the unbiased residual [mm], shape (n, n_planes)."""
        return self._where_measured(np.ones_like(self.weight), np.sqrt(self.information))

    @property
    def pull(self) -> FloatArray:
        """Residual over its standard deviation, the same biased or unbiased, shape (n, n_planes)."""
        return self._where_measured(self.score, np.sqrt(self.information))

    @property
    def hit_chi2(self) -> FloatArray:
        """Leave-one-out chi2 of every hit: its distance from the track of all others, one degree of freedom, shape (n, n_planes)."""
        return self.pull**2


def unpacked_covariance(packed: FloatArray) -> FloatArray:
    """Full matrices of lower triangles.

    Parameters
    ----------
    packed : FloatArray
        c00, c10, c11, c20, ..., shape (n, 15).

    Returns
    -------
    FloatArray
        Shape (n, 5, 5).
    """
    full = np.empty((len(packed), 5, 5))
    _unfold(np.ascontiguousarray(packed), full)
    return full


@numba.njit("void(float64[:, ::1], float64[:, :, ::1])", cache=True, nogil=True)
def _unfold(packed: FloatArray, full: FloatArray) -> None:
    for t in range(len(packed)):
        for i in range(5):
            for j in range(i + 1):
                full[t, i, j] = full[t, j, i] = packed[t, i * (i + 1) // 2 + j]


def fit_kernel(spectrometer: Spectrometer, scattering: Scattering = "highland", kind: Kind = "smooth") -> Kernel:
    """Compiled fit of a spectrometer, with its fields.

    Parameters
    ----------
    spectrometer : Spectrometer
        MS1, MS2 or any other.
    scattering : Scattering
        Model of multiple scattering.
    kind : Kind
        "filter", "smooth" or "states"; see source.py.

    Returns
    -------
    Kernel
        Its fit_blocks takes blocks alone.
    """
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
        One per track.
    """
    rows = fitted.rows
    down, up = fitted.unpack(blocks, rows.downstream, 20, n), fitted.unpack(blocks, rows.upstream, 20, n)
    good = ((weight > 0.0).sum(axis=1) > 5) & np.isfinite(down).all(axis=1) & np.isfinite(up).all(axis=1)
    good &= (down[:, VARIANCES] > 0.0).all(axis=1) & (up[:, VARIANCES] > 0.0).all(axis=1)
    down[~good], up[~good] = np.nan, np.nan
    chi2 = np.where(good, fitted.unpack(blocks, rows.chi2, 1, n)[:, 0], np.nan)
    if rows.kind == "filter":
        score = information = np.full_like(weight, np.nan)
    else:
        score, information = (fitted.unpack(blocks, row, rows.n_planes, n) for row in (rows.score, rows.information))
    ndf = np.where(good, (weight > 0.0).sum(axis=1) - 5, 0)
    return FittedTracks(
        good, chi2, ndf, up[:, :5], down[:, :5], unpacked_covariance(up[:, 5:]), unpacked_covariance(down[:, 5:]),
        weight, score, information, np.zeros(weight.shape, dtype=np.bool_),
    )  # fmt: skip


def first_look(
    seed: FloatArray, u: FloatArray, weight: FloatArray, spectrometer: Spectrometer, scattering: Scattering = "highland"
) -> tuple[FloatArray, FloatArray]:
    """A better seed and loose standard deviations of it, from the two filters; outliers widen them.

    Parameters
    ----------
    seed, u, weight, spectrometer, scattering
        As in fit_measurements.

    Returns
    -------
    tuple of FloatArray
        Parameters at the first plane and their standard deviations, each of shape (n, 5).
    """
    # planes in a weak fringe field would draw a free q/p far off before the magnet fixes it, beyond what is linear
    wide = np.where(np.arange(5) == 4, np.minimum(np.abs(seed) + MARGIN, WIDE), WIDE)
    fitted = fit_kernel(spectrometer, scattering, "filter")
    blocks = fitted.pack(seed, wide, u, weight)
    fitted.fit_blocks(blocks)
    first = fitted.unpack(blocks, fitted.rows.upstream, 20, len(seed))
    chi2 = fitted.unpack(blocks, fitted.rows.chi2, 1, len(seed))
    variance = first[:, VARIANCES]
    good = np.asarray(np.isfinite(first).all(axis=1) & (variance > 0.0).all(axis=1))
    ndf = np.maximum((weight > 0.0).sum(axis=1) - 5, 1)[:, None]
    sigma = LOOSE * np.sqrt(np.maximum(1.0, chi2 / ndf) * np.where(good[:, None], variance, 1.0))
    return np.where(good[:, None], first[:, :5], seed), np.where(good[:, None], np.minimum(sigma, WIDE), WIDE)


def loose_prior(
    seed: FloatArray, u: FloatArray, weight: FloatArray, spectrometer: Spectrometer, scattering: Scattering = "highland"
) -> FloatArray:
    """Standard deviations of a seed that hold the track loosely where outliers may draw it away.

    Parameters
    ----------
    seed, u, weight, spectrometer, scattering
        As in fit_measurements.

    Returns
    -------
    FloatArray
        Shape (n, 5).
    """
    first, loose = first_look(seed, u, weight, spectrometer, scattering)
    return np.minimum(loose + 10.0 * np.abs(first - seed), WIDE)


def _run(
    seed: FloatArray, prior: FloatArray, u: FloatArray, weight: FloatArray, spectrometer: Spectrometer, scattering: Scattering, kind: Kind
) -> FittedTracks:
    fitted = fit_kernel(spectrometer, scattering, kind)
    blocks = fitted.pack(seed, prior, u, weight)
    fitted.fit_blocks(blocks)
    return read_tracks(fitted, blocks, len(seed), weight)


def fit_measurements(
    seed: FloatArray,
    u: FloatArray,
    weight: FloatArray,
    spectrometer: Spectrometer,
    *,
    prior: FloatArray | None = None,
    scattering: Scattering = "highland",
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
        fit is repeated about it.
    scattering : Scattering
        Model of multiple scattering.

    Returns
    -------
    FittedTracks
        One per row; `good` is False with less than six measurements or where the particle turns around in the field.
    """
    if prior is None:
        seed, prior = first_look(seed, u, weight, spectrometer, scattering)
    return _run(seed, prior, u, weight, spectrometer, scattering, "smooth")


def fit_tracks(hits: Hits, chosen: IntArray, seed: FloatArray, spectrometer: Spectrometer) -> FittedTracks:
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

    Returns
    -------
    FittedTracks
        One per row; see fit_measurements.
    """
    present = chosen >= 0
    u, weight = np.zeros(chosen.shape), np.zeros(chosen.shape)
    u[present] = hits.u[chosen[present]]
    weight[present] = hits.sigma[chosen[present]] ** -2.0
    return fit_measurements(seed, u, weight, spectrometer)
