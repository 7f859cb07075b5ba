r"""Photons and electrons from an MeV up: mean free paths and energy loss, for showers that are tracked particle by particle. GeV, mm.

Photons: Compton scattering (Klein and Nishina) and pair production. The photoelectric effect is left out: above 0.5 MeV it is less than 1 %
of the attenuation in iron and copper; in lead it is 30 % at 1 MeV and 7 % at 3 MeV.
Electrons: collision loss (PDG Review eq. 34.24), and photons by the screened cross-section of Bethe and Heitler.
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.common.arguments import number
from na64mu.compiled.kernel import kernel
from na64mu.physics.constants import ELECTRON_MASS
from na64mu.physics.energy_loss import AVOGADRO, RE, density_effect
from na64mu.physics.materials import Substance

__all__ = ("bethe_heitler", "collision_loss", "compton", "klein_nishina", "pair_production", "radiated_share", "screening_constants")

#: Pair production per atom in microbarn: Z (Z + 1) (F_1(X) + F_2(X) Z + F_3(X) / Z), F_i a polynomial of X = ln(E / m): the fit to the tables of
#: Hubbell, Gimm and Overbo (J. Phys. Chem. Ref. Data 9 (1980) 1023) in the Geant4 Physics Reference Manual, "Gamma conversion": 5 % from
#: 1.5 MeV to 100 GeV.
PAIR_FIT = np.array([
    [8.7842e2, -1.9625e3, 1.2949e3, -2.0028e2, 1.2575e1, -2.8333e-1],
    [-1.0342e1, 1.7692e1, -8.2381, 1.3063, -9.0815e-2, 2.3586e-3],
    [-4.5263e2, 1.1161e3, -8.6749e2, 2.1773e2, -2.0467e1, 6.5372e-1],
])  # fmt: skip
LOWEST_FIT, HIGHEST_FIT = 1.5e-3, 100.0  # [GeV]
MICROBARN = 1e-28  # mm2


def klein_nishina(energy: float) -> float:
    """Compton cross-section of an electron (Klein and Nishina, Z. Phys. 52 (1929) 853).

    Parameters
    ----------
    energy : float
        Energy of the photon [GeV].

    Returns
    -------
    float
        [mm2].

    Raises
    ------
    ArgumentError
        If the energy is not positive.
    """
    energy = number(energy, "energy [GeV]", above=0.0)
    k = energy / ELECTRON_MASS
    log = math.log1p(2.0 * k)
    first = (1.0 + k) / k**2 * (2.0 * (1.0 + k) / (1.0 + 2.0 * k) - log / k)
    return 2.0 * math.pi * RE**2 * (first + 0.5 * log / k - (1.0 + 3.0 * k) / (1.0 + 2.0 * k) ** 2)


def compton(energy: float, substance: Substance) -> float:
    """Compton scatterings per length.

    Parameters
    ----------
    energy : float
        Energy of the photon [GeV].
    substance : Substance
        Substance that it crosses.

    Returns
    -------
    float
        [1/mm].

    Raises
    ------
    ArgumentError
        If the energy is not positive.
    """
    energy = number(energy, "energy [GeV]", above=0.0)
    return klein_nishina(energy) * AVOGADRO * substance.density * substance.z_over_a * 1e-3


def pair_production(energy: float, substance: Substance) -> float:
    """Pairs made per length, see PAIR_FIT; towards the threshold the fit goes on as the square of the kinetic energy.

    Parameters
    ----------
    energy : float
        Energy of the photon [GeV].
    substance : Substance
        Substance that it crosses.

    Returns
    -------
    float
        [1/mm].

    Raises
    ------
    ArgumentError
        If the energy is not positive.
    """
    energy = number(energy, "energy [GeV]", above=0.0)
    threshold = 2.0 * ELECTRON_MASS
    if energy <= threshold:
        return 0.0
    x = math.log(min(max(energy, LOWEST_FIT), HIGHEST_FIT) / ELECTRON_MASS)
    below = ((energy - threshold) / (LOWEST_FIT - threshold)) ** 2 if energy < LOWEST_FIT else 1.0
    f = PAIR_FIT @ x ** np.arange(6)
    total = 0.0
    for z, a, weight in substance.elements:
        per_atom = z * (z + 1.0) * (f[0] + f[1] * z + f[2] / z) * MICROBARN
        total += AVOGADRO * substance.density * weight / a * 1e-3 * float(per_atom)
    return below * max(total, 0.0)


def collision_loss(kinetic: float, substance: Substance) -> float:
    """Energy that an electron loses by collisions (PDG Review eq. 34.24).

    Parameters
    ----------
    kinetic : float
        Kinetic energy of the electron [GeV].
    substance : Substance
        Substance that it crosses.

    Returns
    -------
    float
        [GeV/mm].

    Raises
    ------
    ArgumentError
        If the energy is not positive.
    """
    kinetic = number(kinetic, "kinetic [GeV]", above=0.0)
    gamma = 1.0 + kinetic / ELECTRON_MASS
    beta2 = 1.0 - 1.0 / gamma**2
    logarithm = math.log(ELECTRON_MASS**2 * (gamma**2 - 1.0) * (gamma - 1.0) / 2.0 / (substance.excitation * 1e-9) ** 2)
    bracket = logarithm + 1.0 - beta2 - (2.0 * gamma - 1.0) / gamma**2 * math.log(2.0) + 0.125 * ((gamma - 1.0) / gamma) ** 2
    bracket -= density_effect(math.sqrt(gamma**2 - 1.0), substance)
    strength = 2.0 * math.pi * RE**2 * ELECTRON_MASS * AVOGADRO * substance.density * substance.z_over_a * 1e-3
    return strength / beta2 * bracket


def screening_constants(z: float) -> tuple[float, float]:
    """Screening and Coulomb constants of a nucleus in the Bethe-Heitler cross-section.

    Parameters
    ----------
    z : float
        Charge number of the nucleus.

    Returns
    -------
    screening : float
        136 Z^(-1/3) m [GeV]: the screening parameter is this over E times y / (1 - y).
    correction : float
        4/3 ln Z and 4 times the Coulomb correction (Davies, Bethe and Maximon, Phys. Rev. 93 (1954) 788; PDG Review eq. 34.26).

    Raises
    ------
    ArgumentError
        If the charge is not positive.
    """
    z = number(z, "z", above=0.0)
    fine = (z / 137.036) ** 2
    coulomb = fine * (1.0 / (1.0 + fine) + 0.20206 - 0.0369 * fine + 0.0083 * fine**2 - 0.002 * fine**3)
    return 136.0 * z ** (-1.0 / 3.0) * ELECTRON_MASS, 4.0 / 3.0 * math.log(z) + 4.0 * coulomb


@kernel
def bethe_heitler(y: float, delta: float, correction: float) -> float:
    """Photons of an electron, y dN/dy up to a constant: screening functions of Butcher and Messel (Nucl. Phys. 20 (1960) 15).

    Parameters
    ----------
    y : float
        Energy of the photon over that of the electron.
    delta : float
        Screening parameter: 0 for complete screening.
    correction : float
        See screening_constants.

    Returns
    -------
    float
        Not negative.
    """
    if delta < 1.0:
        phi1, phi2 = 20.867 - 3.242 * delta + 0.625 * delta * delta, 20.209 - 1.930 * delta - 0.086 * delta * delta
    else:
        phi1 = phi2 = 21.12 - 4.184 * math.log(delta + 0.952)
    rest = 1.0 - y
    return max(0.0, (1.0 + rest * rest) * (phi1 - correction) - 2.0 / 3.0 * rest * (phi2 - correction))


def _radiated(energy: float, z: float) -> float:
    """Radiative loss of an electron over its energy, up to a constant."""
    screening, correction = screening_constants(z)
    middles = (np.arange(200) + 0.5) / 200.0
    return float(np.mean([bethe_heitler(y, screening / energy * y / (1.0 - y), correction) for y in middles]))


def radiated_share(kinetic: float, substance: Substance) -> float:
    """Radiative loss of an electron over that with complete screening, E / X0.

    The integral of `bethe_heitler` over y.

    Parameters
    ----------
    kinetic : float
        Kinetic energy of the electron [GeV].
    substance : Substance
        Substance that it crosses.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ArgumentError
        If the energy is not positive.
    """
    kinetic = number(kinetic, "kinetic [GeV]", above=0.0)
    energy = kinetic + ELECTRON_MASS
    weights = [(z, weight * z * (z + 1.0) / a) for z, a, weight in substance.elements]
    whole = sum(w * _radiated(1e6, z) for z, w in weights)
    return min(1.0, sum(w * _radiated(energy, z) for z, w in weights) / whole)
