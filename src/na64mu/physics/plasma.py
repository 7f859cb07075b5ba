r"""The plasma of the early Universe: effective degrees of freedom of energy and entropy, expansion rate (natural units, GeV).

Fit of Saikawa and Shirai, JCAP 05 (2018) 035 (arXiv:1803.01038), appendix C, table 1, for the Standard Model: lattice QCD, neutrino
decoupling and e+e- annihilation included, valid from 10 keV to 10^16 GeV. Below 10 keV the values of 10 keV hold (nothing is
left to annihilate); neutrinos are colder than photons there, T is that of the photons.
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.common.arguments import numbers
from na64mu.physics.constants import PLANCK_MASS
from na64mu.typing import FloatArray

__all__ = ("energy_freedom", "entropy_density", "entropy_freedom", "expansion_rate", "root_freedom")

LOWEST, JOINT, HIGHEST = 1e-5, 0.120, 1e16  # GeV

# coefficients of (ln T)^i above 120 MeV
A = (
    1.0,
    1.11724,
    3.12672e-1,
    -4.68049e-2,
    -2.65004e-2,
    -1.19760e-3,
    1.82812e-4,
    1.36436e-4,
    8.55051e-5,
    1.22840e-5,
    3.82259e-7,
    -6.87035e-9,
)
B = (
    *(1.43382e-2, 1.37559e-2, 2.92108e-3, -5.38533e-4, -1.62496e-4, -2.87906e-5),
    *(-3.84278e-6, 2.78776e-6, 7.40342e-7, 1.17210e-7, 3.72499e-9, -6.74107e-11),
)
C = (
    *(1.0, 6.07869e-1, -1.54485e-1, -2.24034e-1, -2.82147e-2, 2.90620e-2),
    *(6.86778e-3, -1.00005e-3, -1.69104e-4, 1.06301e-5, 1.69528e-6, -9.33311e-8),
)
D = (
    *(7.07388e1, 9.18011e1, 3.31892e1, -1.39779, -1.52558, -1.97857e-2),
    *(-1.60146e-1, 8.22615e-5, 2.02651e-2, -1.82134e-5, 7.83943e-5, 7.13518e-5),
)

# below: masses [GeV] and weights of bosons (pions and four effective resonances) and of the muon
ELECTRON, MUON = 511e-6, 0.1056
BOSONS = (0.135, 0.140, 0.5, 0.77, 1.2, 2.0)
ENERGY_WEIGHTS = (1.05, 2.08, 4.165, 30.55, 89.4, 8209.0)
ENTROPY_WEIGHTS = (1.034, 2.068, 4.16, 30.55, 90.0, 6209.0)


def _decay(x: FloatArray, rate: float, one: float, two: float, three: float) -> FloatArray:
    """Suppression of a species with x = m / T that becomes non-relativistic: exp(-rate x) (1 + one x + two x^2 + three x^3)."""
    return np.exp(-rate * x) * (1.0 + x * (one + x * (two + x * three)))


def _fermion_energy(x: FloatArray) -> FloatArray:
    return _decay(x, 1.04855, 1.03757, 0.508630, 0.0893988)


def _boson_energy(x: FloatArray) -> FloatArray:
    return _decay(x, 1.03149, 1.03317, 0.398264, 0.0648056)


def _fermion_entropy(x: FloatArray) -> FloatArray:
    return _decay(x, 1.04190, 1.03400, 0.456426, 0.0595249)


def _boson_entropy(x: FloatArray) -> FloatArray:
    return _decay(x, 1.03365, 1.03397, 0.342548, 0.0506182)


def _log_polynomial(coefficients: tuple[float, ...], temperature: FloatArray) -> FloatArray:
    return np.asarray(np.polynomial.polynomial.polyval(np.log(temperature), np.array(coefficients)))


def _checked(temperature: FloatArray | float) -> FloatArray:
    return numbers(temperature, "temperature [GeV]", above=0.0)


def _clipped(temperature: FloatArray | float) -> FloatArray:
    return np.clip(_checked(temperature), LOWEST, HIGHEST)


def energy_freedom(temperature: FloatArray | float) -> FloatArray:
    """Effective number of degrees of freedom of the energy density, g = 30 rho / (pi^2 T^4).

    arXiv:1803.01038 appendix C: a ratio of polynomials in ln T above 120 MeV, eq. C.3 below.

    Parameters
    ----------
    temperature : FloatArray or float
        T [GeV].

    Returns
    -------
    FloatArray
        g, 3.38 today; 105 to 107 above the electroweak scale (106.75 without interactions).

    Raises
    ------
    ArgumentError
        If a temperature is not positive.
    """
    t = _clipped(temperature)
    cold, hot = np.minimum(t, JOINT), np.maximum(t, JOINT)
    neutrinos = 1.353 * (1.0 + 1.75 * _fermion_entropy(ELECTRON / cold)) ** (4.0 / 3.0)
    low = 2.030 + neutrinos + 3.495 * _fermion_energy(ELECTRON / cold) + 3.446 * _fermion_energy(MUON / cold)
    for mass, weight in zip(BOSONS, ENERGY_WEIGHTS, strict=True):
        low = low + weight * _boson_energy(mass / cold)
    return np.where(t < JOINT, low, _log_polynomial(A, hot) / _log_polynomial(B, hot))


def entropy_freedom(temperature: FloatArray | float) -> FloatArray:
    """Effective number of degrees of freedom of the entropy density, h = 45 s / (2 pi^2 T^3).

    arXiv:1803.01038 appendix C: a ratio of polynomials in ln T above 120 MeV, eq. C.4 below.

    Parameters
    ----------
    temperature : FloatArray or float
        T [GeV].

    Returns
    -------
    FloatArray
        h, 3.93 today; 105 to 107 above the electroweak scale (106.75 without interactions).

    Raises
    ------
    ArgumentError
        If a temperature is not positive.
    """
    t = _clipped(temperature)
    cold, hot = np.minimum(t, JOINT), np.maximum(t, JOINT)
    neutrinos = 1.923 * (1.0 + 1.75 * _fermion_entropy(ELECTRON / cold))
    low = 2.008 + neutrinos + 3.442 * _fermion_entropy(ELECTRON / cold) + 3.468 * _fermion_entropy(MUON / cold)
    for mass, weight in zip(BOSONS, ENTROPY_WEIGHTS, strict=True):
        low = low + weight * _boson_entropy(mass / cold)
    return np.where(t < JOINT, low, energy_freedom(hot) / (1.0 + _log_polynomial(C, hot) / _log_polynomial(D, hot)))


def root_freedom(temperature: FloatArray | float) -> FloatArray:
    """The combination g_*^(1/2) = h / g^(1/2) [1 + (1/3) dln h / dln T] of the Boltzmann equation.

    Gondolo and Gelmini, Nucl. Phys. B 360 (1991) 145. The derivative is a central difference over 2 % in T.

    Parameters
    ----------
    temperature : FloatArray or float
        T [GeV].

    Returns
    -------
    FloatArray
        Dimensionless.

    Raises
    ------
    ArgumentError
        If a temperature is not positive.
    """
    t = _checked(temperature)
    slope = np.log(entropy_freedom(1.01 * t) / entropy_freedom(t / 1.01)) / (2.0 * math.log(1.01))
    return entropy_freedom(t) / np.sqrt(energy_freedom(t)) * (1.0 + slope / 3.0)


def expansion_rate(temperature: FloatArray | float) -> FloatArray:
    """Hubble rate of the radiation era, H = (4 pi^3 g / 45)^(1/2) T^2 / M_Planck.

    Parameters
    ----------
    temperature : FloatArray or float
        T [GeV].

    Returns
    -------
    FloatArray
        [GeV].

    Raises
    ------
    ArgumentError
        If a temperature is not positive.
    """
    t = _checked(temperature)
    return np.sqrt(4.0 * math.pi**3 * energy_freedom(t) / 45.0) * t**2 / PLANCK_MASS


def entropy_density(temperature: FloatArray | float) -> FloatArray:
    """Entropy density, s = 2 pi^2 h T^3 / 45.

    Parameters
    ----------
    temperature : FloatArray or float
        T [GeV].

    Returns
    -------
    FloatArray
        [GeV^3].

    Raises
    ------
    ArgumentError
        If a temperature is not positive.
    """
    t = _checked(temperature)
    return 2.0 * math.pi**2 / 45.0 * entropy_freedom(t) * t**3
