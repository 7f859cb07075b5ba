r"""A light Z' in the early Universe: as it becomes non-relativistic, it heats the neutrinos and raises N_eff (natural units, GeV).

Kamada and Yu, Phys. Rev. D 92 (2015) 113004 (arXiv:1504.00711): a Z' of L_mu - L_tau is in equilibrium with nu_mu and nu_tau when these decouple from electrons
and photons at T_D; its entropy then goes to them alone. Instantaneous decoupling, no kinetic mixing; true for couplings of the g - 2 band, far above those (1e-9) at which the
Z' is not in equilibrium.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq

from na64mu.common.arguments import number, numbers
from na64mu.errors import ArgumentError
from na64mu.typing import FloatArray

__all__ = ("DECOUPLING", "extra_neutrinos", "lightest_mass")

#: Temperature at which the neutrinos decouple [GeV] (arXiv:1504.00711).
DECOUPLING = 1.5e-3
NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)
#: Momenta beyond this many temperatures are empty.
REACH = 40.0
VECTOR_STATES = 3.0
#: Two flavours, neutrino and antineutrino: entropy density over T^3.
NEUTRINO_ENTROPY = 2.0 * math.pi**2 / 45.0 * 7.0 / 8.0 * 4.0


def _entropy(ratio: float) -> float:
    """Entropy density over T^3 of a vector of mass ratio x T: g / (2 pi^2) int du u^2 (e + u^2 / 3 e) / (exp(e) - 1)."""
    u = 0.5 * REACH * (NODES + 1.0)
    e = np.sqrt(u * u + ratio * ratio)
    return float(VECTOR_STATES / (2.0 * math.pi**2) * 0.5 * REACH * np.sum(WEIGHTS * u * u * (e + u * u / (3.0 * e)) / np.expm1(e)))


def extra_neutrinos(masses: FloatArray, decoupling: float = DECOUPLING) -> FloatArray:
    """Rise of N_eff by a Z' in equilibrium with nu_mu and nu_tau, 2 [(1 + s_Z' / s_nu)^(4/3) - 1] (arXiv:1504.00711, section IV).

    Parameters
    ----------
    masses : FloatArray
        Masses of the Z' [GeV], shape (n,).
    decoupling : float
        Temperature at which neutrinos decouple [GeV].

    Returns
    -------
    FloatArray
        Delta N_eff, shape (n,).

    Raises
    ------
    ArgumentError
        If a mass is negative, or the temperature not positive.
    """
    decoupling = number(decoupling, "decoupling [GeV]", above=0.0)
    ratios = np.atleast_1d(numbers(masses, "masses [GeV]", least=0.0)) / decoupling
    return np.array([2.0 * ((1.0 + _entropy(float(r)) / NEUTRINO_ENTROPY) ** (4.0 / 3.0) - 1.0) for r in ratios])


def lightest_mass(bound: float = 0.5, decoupling: float = DECOUPLING) -> float:
    """Mass below which a Z' raises N_eff by more than a bound.

    Parameters
    ----------
    bound : float
        Largest rise allowed, between 0 and that of a massless Z'.
    decoupling : float
        Temperature at which neutrinos decouple [GeV].

    Returns
    -------
    float
        [GeV].

    Raises
    ------
    ArgumentError
        If even a massless Z' is allowed, or no mass is.
    """
    bound = number(bound, "bound on the rise of N_eff")
    if not 0.0 < bound < float(extra_neutrinos(np.array([1e-9]), decoupling)[0]):
        msg = f"bound of {bound:g} on the rise of N_eff: between 0 and that of a massless Z' (2.57) a mass belongs to it"
        raise ArgumentError(msg)
    return float(brentq(lambda m: float(extra_neutrinos(np.array([m]), decoupling)[0]) - bound, 1e-9, 50.0 * decoupling))
