"""Energy-loss straggling by many small knock-on electrons: Vavilov's distribution, sampled without tables. Any single unit of energy.

Knock-on electrons have the spectrum xi / T^2 up to a cut (Rutherford; L. Landau 1944, P. Vavilov 1957). The large ones are drawn
one by one, a handful at most; the small ones together have a distribution that is known by its first three cumulants and close
to a Gaussian (the idea is that of L. Urban, see K. Lassila-Perini and L. Urban, Nucl. Instrum. Meth. A 362 (1995) 416).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from na64mu.compiled.kernel import kernel
from na64mu.simulation.losses import fluctuated
from na64mu.simulation.stream import Stream
from na64mu.typing import FloatArray

__all__ = ("Knocks", "knock_exponent", "straggled")

#: Knock-on electrons above xi / LARGE are drawn one by one: at most this number on average.
LARGE = 4.0


class Knocks(NamedTuple):
    """Knock-on electrons of a medium in units of the signal.

    Attributes
    ----------
    strength : float
        xi of those that stay in the scintillator, per mean signal.
    most : float
        Largest signal of one of them.
    shower_strength : float
        xi of those that cross several plates and are seen as a shower is, per mean signal.
    shower_least, shower_most : float
        Range of their signals.
    sampling : float
        Variance of such a signal over its mean.
    """

    strength: float
    most: float
    shower_strength: float
    shower_least: float
    shower_most: float
    sampling: float


@kernel
def straggled(mean: float, k: Knocks, rng: Stream) -> float:
    """Draw a signal of small losses.

    Parameters
    ----------
    mean : float
        Mean signal.
    k : Knocks
        The knock-on electrons.
    rng : Stream
        Random numbers.

    Returns
    -------
    float
        The signal, not negative.
    """
    if mean <= 0.0:
        return 0.0
    xi, large = k.strength * mean, 0.0
    edge = min(k.most, xi / LARGE)
    variance, third = xi * edge, 0.5 * xi * edge * edge
    rest = mean
    if edge < k.most:
        rest -= xi * math.log(k.most / edge)
        for _ in range(rng.poisson(xi * (1.0 / edge - 1.0 / k.most))):
            large += 1.0 / (1.0 / edge - rng.random() * (1.0 / edge - 1.0 / k.most))
    xi = k.shower_strength * mean
    if xi > 0.0:
        edge = max(k.shower_least, min(k.shower_most, xi / LARGE))
        ratio = math.log(edge / k.shower_least)
        variance += xi * (edge - k.shower_least + k.sampling * ratio)
        third += xi * (0.5 * (edge**2 - k.shower_least**2) + 3.0 * k.sampling * (edge - k.shower_least) + 2.0 * k.sampling**2 * ratio)
        if edge < k.shower_most:
            rest -= xi * math.log(k.shower_most / edge)
            for _ in range(rng.poisson(xi * (1.0 / edge - 1.0 / k.shower_most))):
                t = 1.0 / (1.0 / edge - rng.random() * (1.0 / edge - 1.0 / k.shower_most))
                large += k.sampling * rng.standard_gamma(t / k.sampling) if k.sampling > 0.0 else t
    return fluctuated(rest, variance, third, rng) + large


def knock_exponent(omega: FloatArray, mean: float, k: Knocks, n: int = 400) -> NDArray[np.complex128]:
    """Exponent of the characteristic function E[exp(-i omega s)] of the signal s that `straggled` draws.

    Parameters
    ----------
    omega : FloatArray
        Frequencies.
    mean : float
        Mean signal.
    k : Knocks
        The knock-on electrons.
    n : int
        Points of the integrals over their energies.

    Returns
    -------
    NDArray[np.complex128]
        Shape of omega.
    """
    w = omega[:, None]
    total = np.asarray(-1j * omega * mean, dtype=np.complex128)
    t = np.geomspace(1e-4 * k.most, k.most, n)
    total += k.strength * mean * np.trapezoid((np.exp(-1j * w * t) - 1.0 + 1j * w * t) / t**2, t, axis=1)
    if k.shower_strength > 0.0:
        t = np.geomspace(k.shower_least, k.shower_most, n)
        seen = np.exp(-t / k.sampling * np.log1p(1j * w * k.sampling)) if k.sampling > 0.0 else np.exp(-1j * w * t)
        total += k.shower_strength * mean * np.trapezoid((seen - 1.0 + 1j * w * t) / t**2, t, axis=1)
    return total
