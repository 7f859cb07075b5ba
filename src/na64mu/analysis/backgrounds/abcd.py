"""Background (III): hadrons that escape detection in the calorimeters, extrapolated from region D.

b = D X / Y: D is next to the box in E_CAL, X next to it in p_out, Y in both. It assumes that p_out and E_CAL are independent there: `closure_test` looks
for the contrary in the regions that are not blinded. The counts are small, so the intervals come from the distribution of the counts; the delta method
(first-order propagation) does not cover.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from na64mu.analysis.backgrounds.regions import Regions, effective_count
from na64mu.common.arguments import number, whole
from na64mu.errors import BackgroundError
from na64mu.typing import FloatArray

__all__ = ("AbcdEstimate", "abcd_estimate", "coverage", "upper_limit")

#: Draws of the posterior; their seed is fixed, equal counts give equal limits.
DRAWS, SEED = 200_000, 20240521


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
        Muons on target that the numbers correspond to; 0 if not known.
    """

    value: float
    low: float
    high: float
    upper_90: float
    upper_95: float
    regions: Regions
    n_mot: float

    def scaled(self, n_mot: float) -> AbcdEstimate:
        """Return the estimate scaled to another number of muons on target.

        Raises
        ------
        BackgroundError
            If the sample's own number is not known.
        """
        if not self.n_mot > 0:
            msg = "the regions have no muons on target behind them: their events cannot be scaled to an exposure; run over files with bookkeeping"
            raise BackgroundError(msg)
        f = number(n_mot, "n_mot", least=0.0, error=BackgroundError) / self.n_mot
        return AbcdEstimate(f * self.value, f * self.low, f * self.high, f * self.upper_90, f * self.upper_95, self.regions, n_mot)

    def __repr__(self) -> str:
        d, x, y = (region.n for region in self.regions)
        return f"region D: {d} x {x} / {y} = {self.value:.3g} [{self.low:.3g}, {self.high:.3g}], < {self.upper_90:.3g} (90 %)"


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

    Raises
    ------
    BackgroundError
        If a count is negative, `y` is not above zero, or the level is not between 0 and 1.
    """
    d, x = (number(v, f"count of region {name}", least=0.0, error=BackgroundError) for name, v in (("D", d), ("X", x)))
    y = number(y, "count of region Y, without which nothing says how E_CAL falls,", above=0.0, error=BackgroundError)
    level = number(level, "level", above=0.0, below=1.0, error=BackgroundError)
    n_draws, seed = whole(n_draws, "n_draws", least=1, error=BackgroundError), whole(seed, "seed", error=BackgroundError)
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
    n_mot = number(n_mot, "n_mot", least=0.0, error=BackgroundError)
    (d, w_d), (x, w_x), (y, w_y) = (effective_count(c) for c in regions)
    if not y > 0:
        msg = "no event with p_out and E_CAL above the signal box: nothing says how E_CAL falls; add events, or take wider regions"
        raise BackgroundError(msg)
    weight = w_d * w_x / w_y if x > 0 else w_d
    low, high = (weight * float(q) for q in np.quantile(_draws(d, x, y, 0.5, DRAWS, SEED), [0.15865, 0.84135]))
    return AbcdEstimate(
        weight * d * x / y, low, high, weight * upper_limit(d, x, y, 0.90), weight * upper_limit(d, x, y, 0.95), regions, n_mot
    )


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

    Raises
    ------
    BackgroundError
        If a mean is not positive (D and X: negative), or a number of toys or a level makes no sense.
    """
    d, x = (number(v, f"mean of region {name}", least=0.0, error=BackgroundError) for name, v in zip("DX", means[:2], strict=True))
    means = (d, x, number(means[2], "mean of region Y", above=0.0, error=BackgroundError))
    level, n_toys = (
        number(level, "level", above=0.0, below=1.0, error=BackgroundError),
        whole(n_toys, "n_toys", least=1, error=BackgroundError),
    )
    generator = np.random.default_rng(seed)
    truth = means[0] * means[1] / means[2]
    counts = generator.poisson(means, size=(n_toys, 3))
    limits = [
        upper_limit(float(n[0]), float(n[1]), float(n[2]), level, n_draws=4000, seed=seed + 1 + i) if n[2] > 0 else np.inf
        for i, n in enumerate(counts)
    ]
    return float(np.mean(np.asarray(limits) >= truth))
