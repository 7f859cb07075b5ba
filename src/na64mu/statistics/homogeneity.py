"""Test whether a histogram of counts and one of weights have the same shape."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import chi2

from na64mu.typing import FloatArray

__all__ = ("Homogeneity", "shape_chi2")


class Homogeneity(NamedTuple):
    """A chi2 of homogeneity, its degrees of freedom, and the probability of a larger one."""

    chi2: float
    ndf: int
    p_value: float


def shape_chi2(counts: FloatArray, weights: FloatArray, variances: FloatArray) -> Homogeneity:
    """Chi2 of the shapes of counted and weighted events; their totals do not matter.

    Every bin has the expected counts N p and the expected weights W p, where p is the fraction of both that fits best.

    Parameters
    ----------
    counts : FloatArray
        Events per bin, shape (n_bins,).
    weights, variances : FloatArray
        Sums of weights and of squared weights per bin, shape (n_bins,). Bins without both events and weights are left out, and so are
        bins with events where no weights were simulated: nothing is known of them.

    Returns
    -------
    Homogeneity
        Test with bins - 1 degrees of freedom; NaN with fewer than two bins.

    References
    ----------
    N. D. Gagunashvili, Nucl. Instrum. Meth. A 614 (2010) 287: counts against weights.
    """
    used = variances > 0.0
    n, w, s2 = (np.asarray(a, dtype=np.float64)[used] for a in (counts, weights, variances))
    ndf = len(n) - 1
    if ndf < 1 or n.sum() == 0.0 or w.sum() <= 0.0:
        return Homogeneity(float("nan"), max(ndf, 0), float("nan"))
    total_n, total_w = n.sum(), w.sum()
    head = total_w * w - total_n * s2
    p = (head + np.sqrt(head**2 + 4.0 * total_w**2 * s2 * n)) / (2.0 * total_w**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        counted = np.where(p > 0.0, (n - total_n * p) ** 2 / (total_n * p), 0.0)
    value = float(np.sum(counted + (w - total_w * p) ** 2 / s2))
    return Homogeneity(value, ndf, float(chi2.sf(value, ndf)))
