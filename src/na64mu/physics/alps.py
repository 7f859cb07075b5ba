r"""Axion-like particles a that couple to muons: their decay to two photons by a muon loop, and how many leave the detector before they decay.

L = -i g a mubar gamma5 mu (pseudoscalar), or g_amumu (d_alpha a) mubar gamma^alpha gamma5 mu (derivative). With muons on both sides that are on their mass shell and
couple to photons besides, the second is the first with g = 2 m_mu g_amumu: production is the same. The loop is not: the derivative coupling adds the anomaly
(the function B_1 of Bauer, Neubert and Thamm, arXiv:1708.00443; Eberhart et al., arXiv:2504.05873, has both).
Gamma(a -> gamma gamma) = alpha^2 g_amumu^2 m_a^3 |B|^2 / 16 pi^3, B = 1 - tau f^2 (derivative) or tau f^2 (pseudoscalar), tau = 4 m_mu^2 / m_a^2,
f = arcsin(tau^(-1/2)) below the threshold of two muons. Above it a decays to muons at once, and is seen.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from na64mu.common.arguments import number
from na64mu.errors import ArgumentError
from na64mu.physics.bosons import Mediator
from na64mu.physics.constants import ALPHA, MUON_MASS
from na64mu.physics.cross_section import dsigma_dx, x_nodes
from na64mu.typing import FloatArray

__all__ = ("HEAVIEST", "leaving", "photon_width", "spectrum")

#: Above this mass [GeV] the decay to two muons is open.
HEAVIEST = 2.0 * MUON_MASS
METRES_PER_INVERSE_GEV = 1.97326980e-16
#: Fraction of the muon's energy above which a signal is looked for, and the nucleus of the target.
HARD, LEAD = 0.5, (82.0, 207.2)
NODES = 24


def photon_width(mass: float, coupling: float, *, is_derivative: bool = False) -> float:
    """Width to two photons by a muon loop (formula and source: module docstring).

    Parameters
    ----------
    mass : float
        m_a [GeV], below 2 m_mu.
    coupling : float
        g of the pseudoscalar coupling; 2 m_mu g_amumu for a derivative one.
    is_derivative : bool
        Which coupling.

    Returns
    -------
    float
        [GeV].

    Raises
    ------
    ArgumentError
        If the decay to two muons is open, or a number makes no sense.
    """
    mass, coupling = number(mass, "mass [GeV]", above=0.0), number(coupling, "coupling")
    if mass >= HEAVIEST:
        msg = f"an axion-like particle of {mass:g} GeV decays to two muons: a mass below {HEAVIEST:g} GeV is wanted"
        raise ArgumentError(msg)
    small = (mass / HEAVIEST) ** 2  # 1 / tau
    loop = math.asin(math.sqrt(small)) ** 2 / small
    if is_derivative:  # 1 - loop, with its series where it cancels
        loop = -small * (1.0 / 3.0 + 8.0 / 45.0 * small) if small < 1e-3 else 1.0 - loop
    return ALPHA**2 * (coupling / HEAVIEST) ** 2 * mass**3 * loop**2 / (16.0 * math.pi**3)


@lru_cache(maxsize=256)
def spectrum(mass: float, energy: float) -> tuple[FloatArray, FloatArray]:
    """Momenta of hard axion-like particles, x > 0.5, in mu Pb -> mu Pb a, and their shares.

    Parameters
    ----------
    mass : float
        m_a [GeV].
    energy : float
        Energy of the muon [GeV].

    Returns
    -------
    momenta : FloatArray
        [GeV], shape (n,).
    shares : FloatArray
        Their sum is one, shape (n,).

    Raises
    ------
    ArgumentError
        If the particle cannot be produced.
    """
    x, weights = x_nodes(HARD, 1.0 - MUON_MASS / energy, NODES)
    weights = weights * dsigma_dx(x, energy, mass, 1.0, *LEAD, mediator=Mediator.PSEUDOSCALAR)
    return np.sqrt((x * energy) ** 2 - mass**2), weights / weights.sum()


def leaving(mass: float, width: float, energy: float, length: float) -> float:
    """Part of the hard axion-like particles that travel at least some length.

    Parameters
    ----------
    mass : float
        m_a [GeV].
    width : float
        Total width [GeV].
    energy : float
        Energy of the muon [GeV].
    length : float
        From the vertex to the end of the detector [m].

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ArgumentError
        If the particle cannot be produced.
    """
    momenta, shares = spectrum(mass, energy)
    return float(shares @ np.exp(-length * mass * width / (momenta * METRES_PER_INVERSE_GEV)))
