"""Regions of the (p_out, E_CAL) plane next to the signal box, and whether p_out and E_CAL are independent there.

Momenta GeV/c, energies GeV; bins of the plane are taken by their centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from na64mu.common.table import Table
from na64mu.errors import BackgroundError
from na64mu.results.run import Counts

__all__ = ("ClosureTest", "Regions", "closure_test", "effective_count", "regions_of")


class Regions(NamedTuple):
    """Counts of the three regions next to the signal box.

    Attributes
    ----------
    d : Counts
        p_out in the box, E_CAL above it.
    x : Counts
        p_out above the box, E_CAL in it.
    y : Counts
        p_out and E_CAL above the box.
    """

    d: Counts
    x: Counts
    y: Counts

    def _table(self) -> Table:
        where = ("D: p_out in the box, E_CAL above it", "X: p_out above the box, E_CAL in it", "Y: both above the box")
        rows = tuple((text, str(c.n), f"{c.sumw:.4g}") for text, c in zip(where, self, strict=True))
        return Table("regions next to the signal box", ("region", "effective events", "sum of weights"), rows)

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


def effective_count(counts: Counts) -> tuple[float, float]:
    """Effective number of events, and weighted events per effective one.

    Parameters
    ----------
    counts : Counts

    Returns
    -------
    (float, float)
        (sum w)^2 / sum w^2 and sum w^2 / sum w; 0 and 1 if there is none.
    """
    if counts.sumw2 <= 0:
        return 0.0, 1.0
    return counts.sumw**2 / counts.sumw2, counts.sumw2 / counts.sumw


def _rectangle(plane: Any, p_out: tuple[float, float], e_cal: tuple[float, float], total_max: float | None) -> Counts:
    """Counts of the bins whose centres lie in low <= p_out < high and low <= E_CAL < high, and below a sum."""
    p, e = (axis.centers for axis in plane.axes)
    inside = ((p >= p_out[0]) & (p < p_out[1]))[:, None] & ((e >= e_cal[0]) & (e < e_cal[1]))[None, :]
    if total_max is not None:
        inside &= p[:, None] + e[None, :] < total_max
    values, variances = plane.values()[inside], plane.variances()[inside]
    sumw, sumw2 = float(values.sum()), float(variances.sum())
    return Counts(round(sumw**2 / sumw2) if sumw2 > 0 else 0, sumw, sumw2)


def regions_of(
    plane: Any,
    *,
    p_out_max: float = 80.0,
    e_cal_max: float = 12.0,
    side_band: float = 100.0,
    total_max: float = 140.0,
) -> Regions:
    """Count the regions next to the signal box in a (p_out, E_CAL) plane.

    Parameters
    ----------
    plane : hist.Hist
        "plane_before" or "plane_after" of an output folder; bins are taken by their centres.
    p_out_max, e_cal_max : float
        Edges of the signal box.
    side_band : float
        Upper end in p_out of X and Y: near the box, so that muons with their whole momentum stay out (inferred: the Letter gives no formula).
    total_max : float
        Largest p_out + E_CAL of D and Y: above it lies hard bremsstrahlung, which loses no energy.

    Returns
    -------
    Regions
        X holds the momentum tail (I) as well, which makes the estimate larger, never smaller.
    """
    inf = float("inf")
    return Regions(
        _rectangle(plane, (0.0, p_out_max), (e_cal_max, inf), total_max),
        _rectangle(plane, (p_out_max, side_band), (0.0, e_cal_max), None),
        _rectangle(plane, (p_out_max, side_band), (e_cal_max, inf), total_max),
    )


@dataclass(frozen=True)
class ClosureTest:
    """Prediction of a sub-region from its three neighbours, all outside the signal box.

    Attributes
    ----------
    predicted, observed : float
        Events.
    p_value : float
        p-value of independence: Fisher's exact test on the four effective counts.
    counts : tuple of float
        The four counts: low/low (predicted), low/high, high/low, high/high in p_out/E_CAL.
    """

    predicted: float
    observed: float
    p_value: float
    counts: tuple[float, float, float, float]

    def __repr__(self) -> str:
        return f"closure: {self.predicted:.3g} predicted, {self.observed:.3g} observed, p = {self.p_value:.3f} for independence"


def closure_test(
    plane: Any, *, p_out: tuple[float, float, float] = (20.0, 50.0, 80.0), e_cal: tuple[float, float, float] = (12.0, 25.0, 50.0)
) -> ClosureTest:
    """Test the independence of p_out and E_CAL inside region D, where data are not blinded.

    Parameters
    ----------
    plane : hist.Hist
        A (p_out, E_CAL) plane.
    p_out, e_cal : tuple of float
        Borders of the two by two sub-regions; their largest sum must stay below the band of hard bremsstrahlung (140 GeV).

    Returns
    -------
    ClosureTest

    Raises
    ------
    BackgroundError
        If a sub-region reaches into the signal box, the band of full energy, or the three neighbours are empty.
    """
    from scipy.stats import fisher_exact

    if e_cal[0] < 12.0 and p_out[0] < 80.0:
        msg = f"closure test from p_out {p_out[0]:g} and E_CAL {e_cal[0]:g} GeV on: it reaches into the signal box; start at E_CAL 12 GeV"
        raise BackgroundError(msg)
    if p_out[2] + e_cal[2] > 140.0:
        msg = (
            f"closure test up to p_out + E_CAL = {p_out[2] + e_cal[2]:g} GeV: above 140 GeV lies hard bremsstrahlung; take smaller regions"
        )
        raise BackgroundError(msg)
    cells = [[_rectangle(plane, (p_out[i], p_out[i + 1]), (e_cal[j], e_cal[j + 1]), None) for j in range(2)] for i in range(2)]
    sums = np.array([[cell.sumw for cell in row] for row in cells])
    if sums[1, 1] <= 0:
        msg = "closure test: no event with high p_out and high E_CAL: nothing to predict with; add events, or take other borders"
        raise BackgroundError(msg)
    effective = np.round([[effective_count(cell)[0] for cell in row] for row in cells]).astype(np.int64)
    counts = (float(sums[0, 0]), float(sums[0, 1]), float(sums[1, 0]), float(sums[1, 1]))
    return ClosureTest(float(sums[0, 1] * sums[1, 0] / sums[1, 1]), counts[0], float(fisher_exact(effective).pvalue), counts)
