"""Background (III): hadrons that leave the calorimeters unseen, extrapolated from region D.

b = D X / Y: D is next to the box in E_CAL, X next to it in p_out, Y in both. It assumes that p_out and E_CAL are independent there: `closure_test` looks
for the contrary in the regions that are not blinded. The counts are small, so the intervals come from the distribution of the counts; the delta method
(first-order propagation) does not cover.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from na64mu.analysis.result import Counts
from na64mu.errors import BackgroundError
from na64mu.typing import FloatArray

__all__ = ("AbcdEstimate", "ClosureTest", "Regions", "abcd_estimate", "closure_test", "coverage", "regions_of", "upper_limit")

#: Draws of the posterior; their seed is fixed, equal counts give equal limits.
DRAWS, SEED = 200_000, 20240521


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


@dataclass(frozen=True)
class AbcdEstimate:
    """Events of background (III).

    Attributes
    ----------
    value : float
        D X / Y; NaN if Y is empty.
    low, high : float
        Central 68 % interval.
    upper_90, upper_95 : float
        Upper limits that cover; quote these.
    regions : Regions
    n_mot : float
        Muons on target that the numbers stand for; 0 if not known.
    """

    value: float
    low: float
    high: float
    upper_90: float
    upper_95: float
    regions: Regions
    n_mot: float

    def scaled(self, n_mot: float) -> AbcdEstimate:
        """The same for another number of muons on target.

        Raises
        ------
        BackgroundError
            If the sample's own number is not known.
        """
        if not self.n_mot > 0:
            msg = "the regions have no muons on target behind them: their events cannot be scaled to an exposure; run over files with bookkeeping"
            raise BackgroundError(msg)
        f = n_mot / self.n_mot
        return AbcdEstimate(f * self.value, f * self.low, f * self.high, f * self.upper_90, f * self.upper_95, self.regions, n_mot)

    def __repr__(self) -> str:
        d, x, y = (region.n for region in self.regions)
        return f"region D: {d} x {x} / {y} = {self.value:.3g} [{self.low:.3g}, {self.high:.3g}], < {self.upper_90:.3g} (90 %)"


def _effective(counts: Counts) -> tuple[float, float]:
    """Effective number of events, and weighted events per effective one."""
    if counts.sumw2 <= 0:
        return 0.0, 1.0
    return counts.sumw**2 / counts.sumw2, counts.sumw2 / counts.sumw


def _draws(d: float, x: float, y: float, prior: float, n_draws: int, seed: int) -> FloatArray:
    """Posterior draws of D X / Y: Gamma(n + prior) for D and X, Gamma(n) for Y, whose smallness is the conservative direction."""
    generator = np.random.default_rng(seed)
    shape_y = y if prior == 1.0 else y + prior
    gammas = [generator.standard_gamma(shape, n_draws) for shape in (d + prior, x + prior, shape_y)]
    return np.asarray(gammas[0] * gammas[1] / gammas[2], dtype=np.float64)


def upper_limit(d: float, x: float, y: float, level: float, *, n_draws: int = DRAWS, seed: int = SEED) -> float:
    """Upper limit on D X / Y from three Poisson counts.

    Parameters
    ----------
    d, x, y : float
        Counts; `y` must be above zero.
    level : float
        Confidence level.
    n_draws, seed : int
        Draws of the gamma distributions Gamma(n + 1) of D and X and Gamma(n) of Y: each is the bound of Garwood on its own mean.

    Returns
    -------
    float
    """
    return float(np.quantile(_draws(d, x, y, 1.0, n_draws, seed), level))


def abcd_estimate(regions: Regions, *, n_mot: float = 0.0) -> AbcdEstimate:
    """Extrapolate region D into the signal box.

    Parameters
    ----------
    regions : Regions
    n_mot : float
        Muons on target behind the counts.

    Returns
    -------
    AbcdEstimate

    Raises
    ------
    BackgroundError
        If region Y is empty: nothing to extrapolate with.
    """
    (d, w_d), (x, w_x), (y, w_y) = (_effective(c) for c in regions)
    if not y > 0:
        msg = "no event with p_out and E_CAL above the signal box: nothing says how E_CAL falls; add events, or take wider regions"
        raise BackgroundError(msg)
    weight = w_d * w_x / w_y if x > 0 else w_d
    low, high = (weight * float(q) for q in np.quantile(_draws(d, x, y, 0.5, DRAWS, SEED), [0.15865, 0.84135]))
    return AbcdEstimate(
        weight * d * x / y, low, high, weight * upper_limit(d, x, y, 0.90), weight * upper_limit(d, x, y, 0.95), regions, n_mot
    )


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
        Of independence: Fisher's exact test on the four effective counts.
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
    """Test the independence of p_out and E_CAL inside region D, where data may be looked at.

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
    effective = np.round([[_effective(cell)[0] for cell in row] for row in cells]).astype(np.int64)
    counts = (float(sums[0, 0]), float(sums[0, 1]), float(sums[1, 0]), float(sums[1, 1]))
    return ClosureTest(float(sums[0, 1] * sums[1, 0] / sums[1, 1]), counts[0], float(fisher_exact(effective).pvalue), counts)


def coverage(means: tuple[float, float, float], *, level: float = 0.90, n_toys: int = 300, seed: int = 1) -> float:
    """Fraction of toys whose upper limit lies above the truth.

    Parameters
    ----------
    means : (float, float, float)
        True means of D, X and Y.
    level : float
        Confidence level of the upper limit.
    n_toys : int
    seed : int

    Returns
    -------
    float
        At least `level` if the limit covers; toys with an empty Y, which have no limit, count as covered.
    """
    generator = np.random.default_rng(seed)
    truth = means[0] * means[1] / means[2]
    counts = generator.poisson(means, size=(n_toys, 3))
    limits = [
        upper_limit(float(n[0]), float(n[1]), float(n[2]), level, n_draws=4000, seed=seed + 1 + i) if n[2] > 0 else np.inf
        for i, n in enumerate(counts)
    ]
    return float(np.mean(np.asarray(limits) >= truth))
