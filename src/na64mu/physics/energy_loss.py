r"""Differential cross-sections of muon energy loss: delta rays, bremsstrahlung, pair production, muon-nuclear.

`spectrum` gives dSigma/dT per length [1 / (mm GeV)] for a muon of energy E [GeV] and a transfer T [GeV]. Formulas:
delta rays of a spin-1/2 particle (B. Rossi 1952; PDG Review sec. 34) with the photons that the struck electron radiates
(Kelner, Kokoulin and Petrukhin, Phys. At. Nucl. 60 (1997) 576); bremsstrahlung of Kelner, Kokoulin and Petrukhin
(MEPhI 024-95, 1995, with electrons: Phys. At. Nucl. 62 (1999) 1894); pairs of Kokoulin and Petrukhin (ICRC 1971) with
the inelastic term of Kelner (Phys. At. Nucl. 61 (1998) 448); nuclear interaction of Borog and Petrukhin (ICRC 1975).
The same set is tabulated by Groom, Mokhov and Striganov, At. Data Nucl. Data Tables 78 (2001) 183.
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.common.arguments import number, numbers, one_of
from na64mu.physics.constants import ALPHA, ELECTRON_MASS, MUON_MASS, PROTON_MASS
from na64mu.physics.materials import Substance
from na64mu.typing import FloatArray

__all__ = ("BREMSSTRAHLUNG", "DELTA", "NUCLEAR", "PAIR", "PROCESSES", "density_effect", "restricted_ionisation", "spectrum", "upper_limit")

DELTA, BREMSSTRAHLUNG, PAIR, NUCLEAR = range(4)
PROCESSES = (DELTA, BREMSSTRAHLUNG, PAIR, NUCLEAR)

RE = 2.8179403262e-12  # classical electron radius [mm]
AVOGADRO = 6.02214076e23
SQRT_E = math.sqrt(math.e)
NUCLEAR_THRESHOLD = 0.2  # lowest transfer of the Borog-Petrukhin formula [GeV]


def _atoms(density: float, weight: float, a: float) -> float:
    """Atoms per mm3."""
    return AVOGADRO * density * weight / a * 1e-3


def _energy(energy: float) -> float:
    return number(energy, "muon energy [GeV]", above=MUON_MASS)


def upper_limit(process: int, energy: float, substance: Substance) -> float:
    """Largest transfer of a process.

    Parameters
    ----------
    process : int
        DELTA, BREMSSTRAHLUNG, PAIR or NUCLEAR.
    energy : float
        Muon energy [GeV].
    substance : Substance
        Substance that the muon crosses.

    Returns
    -------
    float
        [GeV].

    Raises
    ------
    ArgumentError
        If the process is unknown, or the energy below the muon's mass.
    """
    process, energy = one_of(process, PROCESSES, "process"), _energy(energy)
    if process == DELTA:
        gamma = energy / MUON_MASS
        ratio = ELECTRON_MASS / MUON_MASS
        return 2.0 * ELECTRON_MASS * (gamma * gamma - 1.0) / (1.0 + 2.0 * gamma * ratio + ratio * ratio)
    if process == NUCLEAR:
        return energy - 0.5 * PROTON_MASS
    z = max(z for z, _, _ in substance.elements)
    return energy - 0.75 * SQRT_E * MUON_MASS * z ** (1.0 / 3.0)


#: Softer delta rays radiate nothing worth a correction [GeV].
RADIATING = 1e-4


def _radiative(energy: float, t: FloatArray) -> FloatArray:
    """Photons radiated by a struck electron: share of the cross-section without them (Kelner et al. 1997, eq. 9)."""
    first = np.log1p(2.0 * t / ELECTRON_MASS)
    other = np.log(np.maximum(4.0 * energy * np.maximum(energy - t, 0.0), 1e-12) / MUON_MASS**2)
    return np.where(t > RADIATING, ALPHA / (2.0 * math.pi) * first * (other - first), 0.0)


def _delta(energy: float, t: FloatArray, substance: Substance) -> FloatArray:
    beta2 = 1.0 - (MUON_MASS / energy) ** 2
    t_max = upper_limit(DELTA, energy, substance)
    electrons = AVOGADRO * substance.density * substance.z_over_a * 1e-3
    shape = 1.0 - beta2 * t / t_max + 0.5 * (t / energy) ** 2
    shape = shape * (1.0 + _radiative(energy, t))
    return np.where(t < t_max, 2.0 * math.pi * RE**2 * ELECTRON_MASS * electrons / beta2 * shape / t**2, 0.0)


def _bremsstrahlung(energy: float, t: FloatArray, z: float, a: float) -> FloatArray:
    b, b_electron = (202.4, 446.0) if z == 1.0 else (182.7, 1429.0)
    v = t / energy
    delta = MUON_MASS**2 * v / (2.0 * energy * np.maximum(1.0 - v, 1e-9))
    nucleus = (1.54 * a**0.27) ** (1.0 - 1.0 / z)
    z13 = z ** (-1.0 / 3.0)
    screened = ELECTRON_MASS + delta * SQRT_E * b * z13
    phi_n = np.log(np.maximum(b * z13 * (MUON_MASS + delta * (nucleus * SQRT_E - 2.0)) / (nucleus * screened), 1.0))
    recoil = 1.0 + delta * MUON_MASS / (ELECTRON_MASS**2 * SQRT_E)
    phi_e = np.log(np.maximum(b_electron * z13**2 * MUON_MASS / (recoil * (ELECTRON_MASS + delta * SQRT_E * b_electron * z13**2)), 1.0))
    limit = energy / (1.0 + MUON_MASS**2 / (2.0 * ELECTRON_MASS * energy))
    phi_e = np.where(t < limit, phi_e, 0.0)
    factor = 16.0 / 3.0 * ALPHA * (RE * ELECTRON_MASS / MUON_MASS) ** 2
    return factor / t * z * (z * phi_n + phi_e) * (1.0 - v + 0.75 * v * v)


def _pair_zeta(energy: float, z: float) -> float:
    gamma = energy / MUON_MASS
    if gamma < 35.0:
        return 0.0
    g1, g2 = (4.4e-5, 4.8e-5) if z == 1.0 else (1.95e-5, 5.3e-5)
    above = 0.073 * math.log(gamma / (1.0 + g1 * z ** (2.0 / 3.0) * gamma)) - 0.26
    below = 0.058 * math.log(gamma / (1.0 + g2 * z ** (1.0 / 3.0) * gamma)) - 0.14
    return max(0.0, above / below)


def _pair(energy: float, t: FloatArray, z: float) -> FloatArray:
    v = t / energy
    allowed = (t > 4.0 * ELECTRON_MASS) & (1.0 - v > 6.0 * (MUON_MASS / energy) ** 2)
    safe = np.where(allowed, t, 0.5 * energy)
    v = (safe / energy)[:, None]
    rho_max = (1.0 - 6.0 * MUON_MASS**2 / (energy**2 * (1.0 - v))) * np.sqrt(1.0 - 4.0 * ELECTRON_MASS / (energy * v))
    # Gauss-Legendre in ln(1 - rho), because the integrand peaks at rho -> rho_max
    nodes, weights = np.polynomial.legendre.leggauss(32)
    span = np.log1p(-rho_max)
    one_minus = np.exp(0.5 * span * (nodes + 1.0))
    rho2 = (1.0 - one_minus) ** 2
    beta = v * v / (2.0 * (1.0 - v))
    xi = (MUON_MASS * v / (2.0 * ELECTRON_MASS)) ** 2 * (1.0 - rho2) / (1.0 - v)
    ye = (5.0 - rho2 + 4.0 * beta * (1.0 + rho2)) / (2.0 * (1.0 + 3.0 * beta) * np.log(3.0 + 1.0 / xi) - rho2 - 2.0 * beta * (2.0 - rho2))
    ym = (4.0 + rho2 + 3.0 * beta * (1.0 + rho2)) / ((1.0 + rho2) * (1.5 + 2.0 * beta) * np.log(3.0 + xi) + 1.0 - 1.5 * rho2)
    screening = 183.0 * z ** (-1.0 / 3.0)
    common = 2.0 * ELECTRON_MASS * SQRT_E * screening * (1.0 + xi) / (energy * v * (1.0 - rho2))
    size = (1.5 * ELECTRON_MASS / MUON_MASS * z ** (1.0 / 3.0)) ** 2
    le = np.log(screening * np.sqrt((1.0 + xi) * (1.0 + ye)) / (1.0 + common * (1.0 + ye))) - 0.5 * np.log(
        1.0 + size * (1.0 + xi) * (1.0 + ye)
    )
    lm = np.log(2.0 / 3.0 * MUON_MASS / ELECTRON_MASS * screening * z ** (-1.0 / 3.0) / (1.0 + common * (1.0 + ym)))
    be = ((2.0 + rho2) * (1.0 + beta) + xi * (3.0 + rho2)) * np.log1p(1.0 / xi) + (1.0 - rho2 - beta) / (1.0 + xi) - (3.0 + rho2)
    be = np.where(xi > 1e3, 0.5 / xi * ((3.0 - rho2) + 2.0 * beta * (1.0 + rho2)), be)
    bm = ((1.0 + rho2) * (1.0 + 1.5 * beta) - (1.0 + 2.0 * beta) * (1.0 - rho2) / xi) * np.log1p(xi)
    bm = bm + xi * (1.0 - rho2 - beta) / (1.0 + xi) + (1.0 + 2.0 * beta) * (1.0 - rho2)
    bm = np.where(xi < 1e-3, 0.5 * xi * ((5.0 - rho2) + beta * (3.0 + rho2)), bm)
    g = np.maximum(be * le, 0.0) + (ELECTRON_MASS / MUON_MASS) ** 2 * np.maximum(bm * lm, 0.0)
    integral = np.sum(weights * g * one_minus, axis=1) * (-0.5 * span[:, 0])
    factor = 4.0 / (3.0 * math.pi) * z * (z + _pair_zeta(energy, z)) * (ALPHA * RE) ** 2
    return np.where(allowed, factor * (1.0 - v[:, 0]) / safe * integral, 0.0)


def _nuclear(energy: float, t: FloatArray, a: float) -> FloatArray:
    lambda2 = 0.4
    v = np.minimum(t / energy, 1.0 - 1e-9)
    sigma = 1e-28 * (49.2 + 11.1 * np.log(t) + 151.8 / np.sqrt(t))  # photon-nucleon, 1e-30 cm2 in mm2
    effective = 0.22 * a + 0.78 * a**0.89
    above = energy**2 * (1.0 - v) / MUON_MASS**2 * (1.0 + MUON_MASS**2 * v * v / (lambda2 * (1.0 - v)))
    lam = math.sqrt(lambda2)
    below = 1.0 + energy * v / lam * (1.0 + lam / (2.0 * PROTON_MASS) + energy * v / lam)
    phi = v - 1.0 + (1.0 - v + 0.5 * v * v * (1.0 + 2.0 * MUON_MASS**2 / lambda2)) * np.log(above / below)
    return np.where(t >= NUCLEAR_THRESHOLD, ALPHA / math.pi * effective * sigma / t * np.maximum(phi, 0.0), 0.0)


def spectrum(process: int, energy: float, transfer: FloatArray, substance: Substance) -> FloatArray:
    """Differential macroscopic cross-section of a process.

    Parameters
    ----------
    process : int
        DELTA, BREMSSTRAHLUNG, PAIR or NUCLEAR.
    energy : float
        Muon energy [GeV].
    transfer : FloatArray
        Energy given away [GeV], shape (n,).
    substance : Substance
        Substance that the muon crosses.

    Returns
    -------
    FloatArray
        dSigma/dT [1 / (mm GeV)], shape (n,).

    Raises
    ------
    ArgumentError
        If the process is unknown, or a number makes no sense.
    """
    process, energy = one_of(process, PROCESSES, "process"), _energy(energy)
    transfer = np.atleast_1d(numbers(transfer, "transfer [GeV]", above=0.0))
    if process == DELTA:
        return _delta(energy, transfer, substance)
    total = np.zeros_like(transfer)
    for z, a, weight in substance.elements:
        if process == BREMSSTRAHLUNG:
            per_atom = _bremsstrahlung(energy, transfer, z, a)
        elif process == PAIR:
            per_atom = _pair(energy, transfer, z)
        else:
            per_atom = _nuclear(energy, transfer, a)
        total += _atoms(substance.density, weight, a) * per_atom
    return np.where(transfer < upper_limit(process, energy, substance), total, 0.0)


def density_effect(beta_gamma: float, substance: Substance) -> float:
    """Density effect delta of the Bethe formula (PDG Review eq. 34.7).

    Parameters
    ----------
    beta_gamma : float
        Momentum of the muon in units of its mass times c.
    substance : Substance
        Substance that it crosses.

    Returns
    -------
    float
        delta.

    Raises
    ------
    ArgumentError
        If beta gamma is not positive.
    """
    beta_gamma = number(beta_gamma, "beta_gamma", above=0.0)
    c, x0, x1, a, k = substance.sternheimer
    x = math.log10(beta_gamma)
    if x < x0:
        return 0.0
    return 2.0 * math.log(10.0) * x - c + (a * (x1 - x) ** k if x < x1 else 0.0)


def restricted_ionisation(energy: float, cut: float, substance: Substance) -> tuple[float, float, float]:
    """Ionisation loss with transfers below a cut: mean (PDG Review eq. 34.12), variance and third cumulant.

    The terms of the muon's spin and of the electron's radiation come on top of the Bethe formula, as in Groom, Mokhov and
    Striganov (2001), eqs. 4 and 5. Variance and third cumulant are the integrals of T^2 and T^3 over the delta rays below
    the cut.

    Parameters
    ----------
    energy : float
        Muon energy [GeV].
    cut : float
        Largest transfer that counts [GeV].
    substance : Substance
        Substance that the muon crosses.

    Returns
    -------
    tuple of float
        Mean [GeV/mm], variance [GeV^2/mm] and third cumulant [GeV^3/mm].

    Raises
    ------
    ArgumentError
        If the energy is below the muon's mass, or the cut not positive.
    """
    energy = _energy(energy)
    if cut != math.inf:
        cut = number(cut, "cut [GeV]", above=0.0)
    gamma = energy / MUON_MASS
    beta2 = 1.0 - 1.0 / gamma**2
    beta_gamma = math.sqrt(gamma**2 - 1.0)
    t_max = upper_limit(DELTA, energy, substance)
    cut = min(cut, t_max)
    strength = 2.0 * math.pi * RE**2 * ELECTRON_MASS * AVOGADRO * substance.density * substance.z_over_a * 1e-3 / beta2
    excitation = substance.excitation * 1e-9
    logarithm = math.log(2.0 * ELECTRON_MASS * beta_gamma**2 * cut / excitation**2)
    mean = logarithm - beta2 * (1.0 + cut / t_max) - density_effect(beta_gamma, substance) + 0.25 * (cut / energy) ** 2
    if cut > RADIATING:
        t = np.geomspace(RADIATING, cut, 400)
        shape = 1.0 - beta2 * t / t_max + 0.5 * (t / energy) ** 2
        mean += float(np.trapezoid(_radiative(energy, t * (1.0 - 1e-12)) * shape / t, t))
    third = 0.5 * strength * cut**2 * (1.0 - 2.0 / 3.0 * beta2 * cut / t_max)
    return strength * mean, strength * cut * (1.0 - 0.5 * beta2 * cut / t_max), third
