"""Fitted tracks as columns: parameters at both ends, their covariances, and the residual of every hit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from na64mu.common.table import Shown, Table
from na64mu.compiled.kernel import typed_kernel
from na64mu.tracking.momentum import momentum_vector
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("FittedTracks", "unpacked_covariance")


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
        Covariances of the parameters, shape (n, 5, 5).
    weight : FloatArray
        1 / sigma^2 of every measurement in the fit [1/mm2], 0 for none, shape (n, n_planes).
    score : FloatArray
        Unbiased residual over its variance [1/mm], shape (n, n_planes).
    information : FloatArray
        1 / variance of the unbiased residual [1/mm2], shape (n, n_planes).
    removed : BoolArray
        Measurements that were removed as outliers, shape (n, n_planes).
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
        tx, ty, k = np.where(self.good[:, None], parameters[:, 2:5], np.nan).T
        return momentum_vector(1.0 / np.abs(k), tx, ty)

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


@typed_kernel("void(float64[:, ::1], float64[:, :, ::1])")
def _unfold(packed: FloatArray, full: FloatArray) -> None:
    for t in range(len(packed)):
        for i in range(5):
            for j in range(i + 1):
                full[t, i, j] = full[t, j, i] = packed[t, i * (i + 1) // 2 + j]
