r"""The nucleus in muon scattering: form factor and the flux of equivalent photons (momentum transfer squared t in GeV^2).

Elastic: screening by the atomic electrons and the size of the nucleus; inelastic: scattering off single protons, with the
elastic kinematics (Bjorken, Essig, Schuster and Toro, Phys. Rev. D 80 (2009) 075018, arXiv:0906.0580, eqs. A18 and A19;
Tsai, Rev. Mod. Phys. 46 (1974) 815). The Thomas-Fermi screening lengths hold for Z well above 1, not for hydrogen.
"""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np

from na64mu.common.arguments import choice, number, numbers
from na64mu.compiled.kernel import general_kernel
from na64mu.errors import ArgumentError
from na64mu.physics.constants import ATOMIC_MASS, ELECTRON_MASS, PROTON_MASS, PROTON_MOMENT
from na64mu.typing import FloatArray

__all__ = (
    "FormFactor",
    "check_nucleus",
    "flux",
    "flux_at",
    "form_factor_at",
    "form_factor_squared",
    "mass_of",
    "momentum_scales",
)

DIPOLE = 0.71  # GeV^2, of the proton
MAGNETIC = (PROTON_MOMENT**2 - 1.0) / (4.0 * PROTON_MASS**2)

#: Nodes of the integral over ln t where no closed form is used: relative error of chi below 1e-9 on lead.
NODES, WEIGHTS = (np.ascontiguousarray(v) for v in np.polynomial.legendre.leggauss(64))


class FormFactor(IntEnum):
    """Contributions to the response of the nucleus.

    Attributes
    ----------
    ELASTIC : int
        The coherent response alone, as in the Letter's signal generator (DMG4, arXiv:2101.12192).
    INELASTIC : int
        Coherent response plus that of the protons, arXiv:0906.0580 eq. A19.
    INELASTIC_CORRECTED : int
        As INELASTIC, with the bracket of eq. A19 to the first power, as corrected in arXiv:2401.06843 appendix B.
    """

    ELASTIC = 0
    INELASTIC = 1
    INELASTIC_CORRECTED = 2


def check_nucleus(z: float, a: float) -> None:
    """Refuse values that are not those of a nucleus.

    Parameters
    ----------
    z, a : float
        Charge and mass number.

    Raises
    ------
    ArgumentError
        If not 1 <= Z <= A.
    """
    charge, nucleons = number(z, "z"), number(a, "a")
    if not 1.0 <= charge <= nucleons:
        msg = f"there is no nucleus of Z = {z:g} and A = {a:g}: expected 1 <= Z <= A"
        raise ArgumentError(msg)


def mass_of(a: float) -> float:
    """Mass of a nucleus, A atomic mass units (binding and electrons change the cross-section by less than 1e-4).

    Parameters
    ----------
    a : float
        Mass number (atomic weight).

    Returns
    -------
    float
        [GeV].

    Raises
    ------
    ArgumentError
        If the mass number is not positive.
    """
    return number(a, "a", above=0.0) * ATOMIC_MASS


@general_kernel
def momentum_scales(z: float, a: float) -> tuple[float, float, float]:
    """Scales of t: screening (elastic), size of the nucleus, screening (inelastic).

    t_a = (m_e Z^(1/3) / 111)^2, t_d = 0.164 A^(-2/3) GeV^2, t_a' = (m_e Z^(2/3) / 773)^2; arXiv:0906.0580 eqs. A18, A19.

    Parameters
    ----------
    z, a : float
        Charge and mass number.

    Returns
    -------
    tuple of float
        [GeV^2].
    """
    screening = (ELECTRON_MASS * z ** (1.0 / 3.0) / 111.0) ** 2
    inner = (ELECTRON_MASS * z ** (2.0 / 3.0) / 773.0) ** 2
    return screening, 0.164 * a ** (-2.0 / 3.0), inner


@general_kernel
def form_factor_at(t: float, z: float, screening: float, size: float, inner: float, kind: int) -> float:
    """F^2 of one t, for kernels; see `form_factor_squared`.

    Parameters
    ----------
    t : float
        [GeV^2].
    z : float
        Charge of the nucleus.
    screening, size, inner : float
        Momentum scales, from `momentum_scales`.
    kind : int
        A `FormFactor`.

    Returns
    -------
    float
        Dimensionless.
    """
    value = (z * t / (t + screening) * size / (size + t)) ** 2
    if kind != 0:
        bracket = (1.0 + MAGNETIC * t) / (1.0 + t / DIPOLE) ** 4
        if kind == 1:
            bracket *= bracket
        value += z * (t / (t + inner)) ** 2 * bracket
    return value


def form_factor_squared(t: FloatArray, z: float, a: float, kind: FormFactor | str = FormFactor.ELASTIC) -> FloatArray:
    r"""F^2(t) = Z^2 [t / (t + t_a)]^2 [t_d / (t + t_d)]^2, and with the protons + Z [t / (t + t_a')]^2 b^n.

    b = [1 + t (mu_p^2 - 1) / (4 m_p^2)] / (1 + t / 0.71 GeV^2)^4, n = 2 (arXiv:0906.0580 eq. A19) or 1 (arXiv:2401.06843).

    Parameters
    ----------
    t : FloatArray
        Momentum transfer squared [GeV^2], any shape.
    z, a : float
        Charge number and mass number of the nucleus.
    kind : FormFactor or str
        Responses of the nucleus that are included.

    Returns
    -------
    FloatArray
        Dimensionless, Z^2 between the two scales.

    Raises
    ------
    ArgumentError
        If there is no such nucleus, t is negative, or the kind is unknown.
    """
    kind = choice(kind, FormFactor, "kind")
    check_nucleus(z, a)
    flat = np.ravel(numbers(t, "t [GeV^2]", least=0.0))
    scales = momentum_scales(float(z), float(a))
    return np.array([form_factor_at(value, float(z), *scales, int(kind)) for value in flat]).reshape(np.shape(t))


@general_kernel
def _elastic_flux(t_min: float, t_max: float, z: float, a: float) -> float:
    """Chi of the elastic form factor in closed form."""
    if t_min >= t_max:
        return 0.0
    ta, td, _ = momentum_scales(z, a)
    rational = (ta - td) * (ta + td + 2.0 * t_max) * (t_max - t_min) / ((ta + t_max) * (td + t_max))
    logarithm = (ta + td + 2.0 * t_min) * math.log((ta + t_max) * (td + t_min) / ((td + t_max) * (ta + t_min)))
    return max(-(z * z) * td * td / (ta - td) ** 3 * (rational + logarithm), 0.0)


@general_kernel
def _numeric_flux(t_min: float, t_max: float, z: float, a: float, kind: int) -> float:
    """Chi by Gauss-Legendre quadrature in ln t, in panels at the scales of the form factor."""
    top = min(t_max, 1e4)  # the integrand falls at least as t^-2 above 1 GeV^2
    if t_min >= top:
        return 0.0
    edges = (math.log(t_min), math.log(min(max(1e-6, t_min), top)), math.log(min(max(1e-2, t_min), top)), math.log(top))
    screening, size, inner = momentum_scales(z, a)
    total = 0.0
    for i in range(3):
        half = 0.5 * (edges[i + 1] - edges[i])
        if half <= 0.0:
            continue
        for j in range(NODES.size):
            t = math.exp(edges[i] + half * (1.0 + NODES[j]))
            total += half * WEIGHTS[j] * (1.0 - t_min / t) * form_factor_at(t, z, screening, size, inner, kind)
    return total


@general_kernel
def flux_at(t_min: float, t_max: float, z: float, a: float, kind: int) -> float:
    """Chi of one t_min, for kernels; see `flux`.

    Parameters
    ----------
    t_min, t_max : float
        [GeV^2].
    z, a : float
        Charge number and mass number of the nucleus.
    kind : int
        A `FormFactor`.

    Returns
    -------
    float
        Dimensionless.
    """
    if kind == 0:
        return _elastic_flux(t_min, t_max, z, a)
    return _numeric_flux(t_min, t_max, z, a, kind)


@general_kernel
def _fluxes(t_min: FloatArray, t_max: float, z: float, a: float, kind: int, out: FloatArray) -> None:
    for i in range(t_min.size):
        out[i] = flux_at(t_min[i], t_max, z, a, kind)


def flux(t_min: FloatArray, t_max: float, z: float, a: float, kind: FormFactor | str = FormFactor.ELASTIC) -> FloatArray:
    r"""Flux of equivalent photons, chi = int_{t_min}^{t_max} (t - t_min) / t^2 F^2(t) dt.

    arXiv:0906.0580 eq. A17. Elastic: closed form; otherwise quadrature in ln t.

    Parameters
    ----------
    t_min : FloatArray
        Smallest momentum transfer squared [GeV^2], any shape.
    t_max : float
        Largest one [GeV^2].
    z, a : float
        Charge and mass number.
    kind : FormFactor or str
        Responses of the nucleus that are included.

    Returns
    -------
    FloatArray
        chi, zero where t_min exceeds t_max.

    Raises
    ------
    ArgumentError
        If there is no such nucleus, a transfer is not positive, or the kind is unknown.
    """
    kind = choice(kind, FormFactor, "kind")
    check_nucleus(z, a)
    flat = np.ascontiguousarray(numbers(t_min, "t_min [GeV^2]", above=0.0)).ravel()
    t_max = number(t_max, "t_max [GeV^2]", above=0.0)
    out = np.empty_like(flat)
    _fluxes(flat, float(t_max), float(z), float(a), int(kind), out)
    return out.reshape(np.shape(t_min))
