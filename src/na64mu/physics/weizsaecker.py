r"""mu N -> mu N X in the Weizsaecker-Williams approximations: the nucleus as a beam of equivalent photons.

WW: chi from the smallest t of each (x, angle), small angles, E much larger than the masses. Kirpichnikov, Sieber, Molina Bueno,
Crivelli and Kirsanov, Phys. Rev. D 104 (2021) 076012 (arXiv:2107.13297, vector), Sieber et al., arXiv:2305.09015 (scalar).
Totals are 0.4 to 1 % above the exact tree level between 10 MeV and 1 GeV at 160 GeV on lead; at fixed x the muon angle is off
by up to 11 % (psi -> 0) and by -13 to -52 % between 0.1 and 0.2 rad.

IWW ("improved"): chi frozen at t_min = M^4 / 4E^2, the angle integrated in closed form (Liu and Miller, arXiv:1705.01633,
eq. 30). Poor for muons, whose t_min is larger: +20 % at 10 MeV, a factor 2.5 at 1 GeV; here for comparison only.
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.common.arguments import choice, number, numbers
from na64mu.compiled.kernel import general_kernel
from na64mu.physics.bosons import Mediator
from na64mu.physics.constants import ALPHA, MUON_MASS, PB_PER_GEV2
from na64mu.physics.mediator import reduced
from na64mu.physics.nucleus import FormFactor, check_nucleus, flux_at
from na64mu.typing import FloatArray

__all__ = ("dsigma_dx_dcos_mediator", "dsigma_dx_dcos_muon", "dsigma_dx_improved")

M2 = MUON_MASS**2
ALPHA_X = 0.25 / math.pi  # of g = 1


@general_kernel
def _matrix_element(mediator: int, x: float, u: float, x2: float) -> float:
    a, b = reduced(mediator, x, x2)
    return a + b * (u * x + x2 * (1.0 - x) + M2 * x * x) / (u * u)


@general_kernel
def ww_mediator(x: float, theta: float, energy: float, mass: float, z: float, a: float, mediator: int, form_factor: int) -> float:
    """d^2 sigma / dx dcos(theta) for g = 1, for kernels; see `dsigma_dx_dcos_mediator`.

    Parameters
    ----------
    x, theta : float
        Energy fraction and angle of X [rad].
    energy, mass : float
        Energy of the muon and mass of X [GeV].
    z, a : float
        Charge number and mass number of the nucleus.
    mediator, form_factor : int
        A `Mediator` and a `FormFactor`.

    Returns
    -------
    float
        [GeV^-2].
    """
    x2, e2 = mass * mass, energy * energy
    if x * energy <= mass or x >= 1.0:
        return 0.0
    u = -x * e2 * theta * theta - x2 * (1.0 - x) / x - M2 * x
    chi = flux_at((0.5 * u / (energy * (1.0 - x))) ** 2, e2, z, a, form_factor)
    momentum = math.sqrt(x * x - x2 / e2)
    return 2.0 * ALPHA * ALPHA * ALPHA_X * e2 * momentum * (1.0 - x) * chi / (u * u) * _matrix_element(mediator, x, u, x2)


@general_kernel
def ww_muon(x: float, psi: float, energy: float, mass: float, z: float, a: float, mediator: int, form_factor: int) -> float:
    """d^2 sigma / dx dcos(psi) for g = 1, for kernels; see `dsigma_dx_dcos_muon`.

    Parameters
    ----------
    x, psi : float
        1 - E'/E and angle of the recoil muon [rad].
    energy, mass : float
        Energy of the muon and mass of X [GeV].
    z, a : float
        Charge number and mass number of the nucleus.
    mediator, form_factor : int
        A `Mediator` and a `FormFactor`.

    Returns
    -------
    float
        [GeV^-2].
    """
    x2, e2, y = mass * mass, energy * energy, 1.0 - x
    if y * energy <= MUON_MASS or x <= 0.0:
        return 0.0
    t = x2 - M2 + y * e2 * psi * psi + M2 * x / y + M2 * y
    chi = flux_at((0.5 * t / (energy * x)) ** 2, e2, z, a, form_factor)
    momentum = math.sqrt(y * y - M2 / e2)
    u = -t * y / x
    return 2.0 * ALPHA * ALPHA * ALPHA_X * e2 * momentum * x * chi / (t * t) * _matrix_element(mediator, x, u, x2)


@general_kernel
def _values(muon: bool, x: FloatArray, angle: FloatArray, parameters: FloatArray, mediator: int, form_factor: int, out: FloatArray) -> None:
    energy, mass, z, a = parameters
    for i in range(x.size):
        if muon:
            out[i] = ww_muon(x[i], angle[i], energy, mass, z, a, mediator, form_factor)
        else:
            out[i] = ww_mediator(x[i], angle[i], energy, mass, z, a, mediator, form_factor)


def _evaluate(
    muon: bool, x: FloatArray, angle: FloatArray, parameters: tuple[float, ...], mediator: Mediator | str, form_factor: FormFactor | str
) -> FloatArray:
    mediator, form_factor = choice(mediator, Mediator, "mediator"), choice(form_factor, FormFactor, "form_factor")
    check_nucleus(parameters[2], parameters[3])
    number(parameters[0], "energy [GeV]", above=0.0)
    number(parameters[1], "mass [GeV]", above=0.0)
    xs, angles = (np.array(v) for v in np.broadcast_arrays(numbers(x, "x"), numbers(angle, "angle [rad]")))
    out = np.empty(xs.size)
    _values(muon, xs.ravel(), angles.ravel(), np.array(parameters, dtype=np.float64), int(mediator), int(form_factor), out)
    return out.reshape(xs.shape)


def dsigma_dx_dcos_mediator(
    x: FloatArray,
    theta: FloatArray,
    energy: float,
    mass: float,
    coupling: float,
    z: float,
    a: float,
    mediator: Mediator | str = Mediator.VECTOR,
    form_factor: FormFactor | str = FormFactor.ELASTIC,
) -> FloatArray:
    r"""d^2 sigma / dx dcos(theta) with the angle theta of X.

    2 alpha^2 alpha_X E^2 sqrt(x^2 - M^2/E^2) (1 - x) chi / u^2 {a + b [u x + M^2 (1 - x) + m^2 x^2] / u^2}, u = -x E^2 theta^2
    - M^2 (1 - x) / x - m^2 x, t_min = [u / (2 E (1 - x))]^2, t_max = E^2; a and b of `mediator.reduced`.
    arXiv:2107.13297 (vector), arXiv:2305.09015 (scalar); small angles (theta < 0.3).

    Parameters
    ----------
    x, theta : FloatArray
        Energy fraction and angle of X [rad], broadcast together.
    energy, mass : float
        Energy of the muon and mass of X [GeV].
    coupling : float
        g.
    z, a : float
        Charge number and mass number of the nucleus.
    mediator : Mediator or str
        Spin and parity of X.
    form_factor : FormFactor or str
        Responses of the nucleus that are included.

    Returns
    -------
    FloatArray
        [pb].

    Raises
    ------
    ArgumentError
        If a number makes no sense, or a choice is unknown.
    """
    values = _evaluate(False, x, theta, (energy, mass, z, a), mediator, form_factor)
    return values * number(coupling, "coupling") ** 2 * PB_PER_GEV2


def dsigma_dx_dcos_muon(
    x: FloatArray,
    psi: FloatArray,
    energy: float,
    mass: float,
    coupling: float,
    z: float,
    a: float,
    mediator: Mediator | str = Mediator.VECTOR,
    form_factor: FormFactor | str = FormFactor.ELASTIC,
) -> FloatArray:
    r"""d^2 sigma / dx dcos(psi) with the recoil angle psi of the muon.

    2 alpha^2 alpha_X E^2 sqrt(y^2 - m^2/E^2) x chi / T^2 {a + b [u x + M^2 (1 - x) + m^2 x^2] / u^2}, y = 1 - x, u = -T y / x,
    T = M^2 - m^2 + y E^2 psi^2 + m^2 (1 - y) / y + m^2 y, t_min = [T / (2 E x)]^2, t_max = E^2; a and b of `mediator.reduced`.
    arXiv:2107.13297 (vector); small angles.

    Parameters
    ----------
    x, psi : FloatArray
        Energy fraction of X and angle of the muon [rad], broadcast together.
    energy, mass : float
        Energy of the muon and mass of X [GeV].
    coupling : float
        g.
    z, a : float
        Charge number and mass number of the nucleus.
    mediator : Mediator or str
        Spin and parity of X.
    form_factor : FormFactor or str
        Responses of the nucleus that are included.

    Returns
    -------
    FloatArray
        [pb].

    Raises
    ------
    ArgumentError
        If a number makes no sense, or a choice is unknown.
    """
    values = _evaluate(True, x, psi, (energy, mass, z, a), mediator, form_factor)
    return values * number(coupling, "coupling") ** 2 * PB_PER_GEV2


@general_kernel
def _improved(x: float, energy: float, x2: float, chi: float, mediator: int) -> float:
    """Spectrum of IWW for g = 1 [GeV^-2]."""
    square = x * x - x2 / (energy * energy)
    if square <= 0.0 or x >= 1.0:
        return 0.0
    um = -x2 * (1.0 - x) / x - M2 * x
    a, b = reduced(mediator, x, x2)
    return ALPHA * ALPHA * ALPHA_X * chi * math.sqrt(square) * (1.0 - x) / x * (-a / um - b * x / (6.0 * um * um))


@general_kernel
def _improved_values(x: FloatArray, energy: float, x2: float, chi: float, mediator: int, out: FloatArray) -> None:
    for i in range(x.size):
        out[i] = _improved(x[i], energy, x2, chi, mediator)


def dsigma_dx_improved(
    x: FloatArray,
    energy: float,
    mass: float,
    coupling: float,
    z: float,
    a: float,
    mediator: Mediator | str = Mediator.VECTOR,
    form_factor: FormFactor | str = FormFactor.ELASTIC,
) -> FloatArray:
    r"""Spectrum d sigma / dx with the flux frozen (IWW).

    alpha^2 alpha_X chi sqrt(x^2 - M^2/E^2) (1 - x) / x {-a / u_m - b x / (6 u_m^2)}, chi of t_min = M^4 / 4E^2 and t_max = M^2 + m^2,
    u_m = -M^2 (1 - x) / x - m^2 x; a and b of `mediator.reduced`. The integral of the WW form over all angles; for a vector
    equation 30 of arXiv:1705.01633.

    Parameters
    ----------
    x : FloatArray
        Energy fraction of X, any shape.
    energy, mass : float
        Energy of the muon and mass of X [GeV].
    coupling : float
        g.
    z, a : float
        Charge number and mass number of the nucleus.
    mediator : Mediator or str
        Spin and parity of X.
    form_factor : FormFactor or str
        Responses of the nucleus that are included.

    Returns
    -------
    FloatArray
        [pb].

    Raises
    ------
    ArgumentError
        If a number makes no sense, or a choice is unknown.
    """
    mediator, form_factor = choice(mediator, Mediator, "mediator"), choice(form_factor, FormFactor, "form_factor")
    check_nucleus(z, a)
    energy, coupling = number(energy, "energy [GeV]", above=0.0), number(coupling, "coupling")
    x2 = number(mass, "mass [GeV]", above=0.0) ** 2
    chi = flux_at(x2**2 / (4.0 * energy**2), x2 + M2, float(z), float(a), int(form_factor))
    xs = np.array(numbers(x, "x"))
    out = np.empty(xs.size)
    _improved_values(xs.ravel(), float(energy), x2, chi, int(mediator), out)
    return out.reshape(xs.shape) * coupling**2 * PB_PER_GEV2
