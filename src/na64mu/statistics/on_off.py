"""A count beside a sideband: n_off events where tau times the background of the search region is expected.

Exact: given n_on + n_off, the count in the search region is binomial with probability 1 / (1 + tau) if there is no signal; the same number follows
from an average over the gamma distribution that n_off events leave for the background (R. D. Cousins, J. T. Linnemann and J. Tucker, NIM A 595
(2008) 480, equation 14). Asymptotic: T.-P. Li and Y.-Q. Ma, Astrophys. J. 272 (1983) 317, equation 17.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from na64mu.common.arguments import number, whole
from na64mu.statistics.discovery import significance_of_p

__all__ = ("OnOff", "on_off")


class OnOff(NamedTuple):
    """Test of no signal beside a sideband.

    Attributes
    ----------
    p_value, significance : float
        Exact (binomial).
    asymptotic_significance : float
        By the likelihood ratio; 0 where nothing is in excess.
    """

    p_value: float
    significance: float
    asymptotic_significance: float


def on_off(n_on: int, n_off: int, tau: float) -> OnOff:
    """Significance of an excess over a background that was counted in a sideband.

    Parameters
    ----------
    n_on, n_off : int
        Events of the search region and of the sideband.
    tau : float
        Background of the sideband over that of the search region.

    Returns
    -------
    OnOff

    Raises
    ------
    ArgumentError
        If a count is negative or not whole, or tau is not positive.
    """
    from scipy.stats import binom

    n_on, n_off, tau = whole(n_on, "n_on"), whole(n_off, "n_off"), number(tau, "tau", above=0.0)
    p = float(binom.sf(n_on - 1, n_on + n_off, 1.0 / (1.0 + tau)))
    q0 = 0.0
    if n_on * tau > n_off:
        total = n_on + n_off
        q0 = 2.0 * n_on * math.log((1.0 + tau) * n_on / total)
        q0 += 2.0 * n_off * math.log((1.0 + tau) * n_off / (tau * total)) if n_off else 0.0
    return OnOff(p, significance_of_p(p), math.sqrt(q0))
