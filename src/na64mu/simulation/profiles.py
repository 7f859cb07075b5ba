"""Shapes of electromagnetic showers in sampling calorimeters: depth and radius, with their fluctuations from shower to shower.

Depths in radiation lengths, radii in Moliere radii. The parametrisation is that of G. Grindhammer and S. Peters, hep-ex/0001020,
secs. 3 and 4 and appendix A, who fitted it to GEANT 3 for stacks of many materials. Five of its numbers are fitted anew, to
electrons of 10, 20, 40 and 80 GeV (380 in all) in the ECAL of na64mu-2022 in Geant4 11.4 patch-01, FTFP_BERT, production cut
0.7 mm, generated data sets (benchmarks/geant4.py; preshower fraction, its width, and fractions in the central cell and in 3 x 3
cells, of both sections): PEAK_SHIFT, NARROWER, WIDER_CORE, TAIL and CORE_WEIGHT. With the published numbers 9 % of a shower
lie outside the central cell, with Geant4 and the fitted ones 17 %.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from na64mu.compiled.kernel import kernel
from na64mu.simulation.stream import Stream

__all__ = ("TAIL", "TAIL_SPREAD", "RadialProfile", "gamma_cdf", "lateral_integral", "longitudinal", "mean_depth", "radial")


#: Added to the published depth of the maximum [radiation lengths], and factor on the published fluctuations.
PEAK_SHIFT, NARROWER = 0.24, 0.80

#: Factor on the published radius of the core; radius of the tail [Moliere radii] and weight of the core, which replace the
#: published functions of the depth.
WIDER_CORE, TAIL, CORE_WEIGHT = 2.08, 2.23, 0.944

#: The radius of the tail changes from shower to shower: width of its logarithm times sqrt(E / GeV), above 4 GeV. Fitted to the rms of the part in
#: 3 x 3 cells, which is 0.42, 0.29 and 0.24 % at 20, 40 and 80 GeV in the same showers of Geant4 and 0.29, 0.21 and 0.15 % without it.
TAIL_SPREAD = 1.15


class RadialProfile(NamedTuple):
    """Radii of core and tail [Moliere radii], and weight of the core."""

    core: float
    tail: float
    weight: float


@kernel
def gamma_cdf(a: float, x: float) -> float:
    """Regularised lower incomplete gamma function P(a, x).

    Series for x < a + 1, else Lentz's continued fraction (Abramowitz and Stegun 6.5.29, 6.5.31).

    Parameters
    ----------
    a, x : float
        Shape (> 0) and argument.

    Returns
    -------
    float
        P(a, x), from 0 to 1.
    """
    if x <= 0.0:
        return 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        term = total = 1.0 / a
        for n in range(1, 200):
            term *= x / (a + n)
            total += term
            if term < 1e-10 * total:
                break
        return min(1.0, front * total)
    b = x + 1.0 - a
    c, d = 1e300, 1.0 / b
    h = d
    for n in range(1, 200):
        an = n * (a - n)
        b += 2.0
        d = 1.0 / (an * d + b)
        c = b + an / c
        h *= d * c
        if abs(d * c - 1.0) < 1e-10:
            break
    return max(0.0, 1.0 - front * h)


@kernel
def lateral_integral(x: float, y: float, radius: float) -> float:
    """Integral of R^2 / (pi (u^2 + v^2 + R^2)^2) over 0 < u < x, 0 < v < y (odd in both).

    Parameters
    ----------
    x, y : float
        Upper limits [mm].
    radius : float
        R [mm].

    Returns
    -------
    float
        Fraction of the energy, 1/4 for x, y to infinity.
    """
    ax = math.sqrt(x * x + radius * radius)
    ay = math.sqrt(y * y + radius * radius)
    return (x / ax * math.atan(y / ax) + y / ay * math.atan(x / ay)) / (2.0 * math.pi)


@kernel
def longitudinal(log_y: float, z_effective: float, sampling_frequency: float, e_hat: float, rng: Stream) -> tuple[float, float]:
    """Draw the longitudinal profile of a shower of one electron: dE/dt = E beta (beta t)^(alpha - 1) e^(-beta t) / Gamma(alpha).

    The logarithms of alpha and of the depth T of the maximum are Gaussian and correlated.

    Parameters
    ----------
    log_y : float
        ln(E / critical energy).
    z_effective : float
        Nuclear charge of the stack.
    sampling_frequency : float
        Radiation length over the thickness of a layer pair.
    e_hat : float
        Response to electrons over that to minimum ionising particles.
    rng : Stream
        Random numbers.

    Returns
    -------
    tuple of float
        alpha, and T in radiation lengths: beta = (alpha - 1) / T.
    """
    peak = max(log_y - 0.812 - 0.55 / sampling_frequency - 0.69 * (1.0 - e_hat) + PEAK_SHIFT, 0.3)
    alpha = max(0.81 + (0.458 + 2.26 / z_effective) * log_y - 0.476 / sampling_frequency, 1.1)
    sigma_peak = NARROWER / max(-2.5 + 1.25 * log_y, 2.0)
    sigma_alpha = NARROWER / max(-0.82 + 0.79 * log_y, 2.0)
    correlation = 0.784 - 0.023 * log_y
    common = math.sqrt(0.5 * (1.0 + correlation)) * rng.standard_normal()
    opposite = math.sqrt(0.5 * (1.0 - correlation)) * rng.standard_normal()
    return max(1.1, alpha * math.exp(sigma_alpha * (common - opposite))), peak * math.exp(sigma_peak * (common + opposite))


@kernel
def mean_depth(alpha: float, beta: float, first: float, last: float, share: float) -> float:
    """Mean depth of the energy between two depths of a gamma profile.

    Parameters
    ----------
    alpha, beta : float
        Parameters of the gamma profile.
    first, last : float
        Depths [radiation lengths].
    share : float
        Part of the energy between them.

    Returns
    -------
    float
        [radiation lengths].
    """
    # P(alpha + 1, x) = P(alpha, x) - x^alpha e^-x / Gamma(alpha + 1)
    edges = 0.0
    for sign, t in ((1.0, first), (-1.0, last)):
        if t > 0.0:
            edges += sign * math.exp(alpha * math.log(beta * t) - beta * t - math.lgamma(alpha + 1.0))
    return min(max(alpha / beta * (1.0 + edges / max(share, 1e-12)), first), last)


@kernel
def radial(tau: float, log_e: float, z_effective: float, sampling_frequency: float, e_hat: float) -> RadialProfile:
    """Radial profile p 2 r C^2 / (r^2 + C^2)^2 + (1 - p) 2 r T^2 / (r^2 + T^2)^2 at a depth.

    Parameters
    ----------
    tau : float
        Depth over that of the maximum.
    log_e : float
        ln(E / GeV).
    z_effective, sampling_frequency, e_hat : float
        Properties of the stack, as in `longitudinal`.

    Returns
    -------
    RadialProfile
        C, T and p.
    """
    fade = math.exp(-tau) / sampling_frequency
    core = 0.0251 + 0.00319 * log_e + (0.1162 - 0.000381 * z_effective) * tau
    core += -0.0203 * (1.0 - e_hat) + 0.0397 * fade
    return RadialProfile(WIDER_CORE * max(core, 0.02), TAIL, CORE_WEIGHT)
