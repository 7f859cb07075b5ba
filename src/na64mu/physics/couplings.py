r"""Other interpretations of a limit on g: dark photon mixing eps and the thermal-target variable y (dimensionless)."""

from __future__ import annotations

import numpy as np

from na64mu.common.arguments import numbers
from na64mu.physics.constants import ELECTRON_CHARGE
from na64mu.typing import FloatArray

__all__ = ("coupling_from_mixing", "coupling_from_y", "mixing", "y_parameter")


def mixing(coupling: FloatArray | float) -> FloatArray:
    """Kinetic mixing of a dark photon that couples to the muon as a Z' of coupling g, eps = g / e.

    The production is the same (a vector); the reading is valid where the dark photon decays invisibly, alpha_D >> alpha eps^2.
    arXiv:2409.10128; e at Q = 0.

    Parameters
    ----------
    coupling : FloatArray or float
        g.

    Returns
    -------
    FloatArray
        eps.

    Raises
    ------
    ArgumentError
        If a number makes no sense; NaN, for no limit, stays NaN.
    """
    return numbers(coupling, "coupling", gaps=True) / ELECTRON_CHARGE


def coupling_from_mixing(epsilon: FloatArray | float) -> FloatArray:
    """The inverse of `mixing`, g = eps e.

    Parameters
    ----------
    epsilon : FloatArray or float
        Kinetic mixing.

    Returns
    -------
    FloatArray
        g.

    Raises
    ------
    ArgumentError
        If a number makes no sense; NaN, for no limit, stays NaN.
    """
    return numbers(epsilon, "epsilon", gaps=True) * ELECTRON_CHARGE


def y_parameter(
    coupling: FloatArray | float, dark_coupling: FloatArray | float, m_chi: FloatArray | float, mass: FloatArray | float
) -> FloatArray:
    """The combination that sets the relic abundance far from resonance, y = (g g_chi)^2 (m_chi / M)^4.

    Letter, arXiv:2401.01708, text at Fig. 4; Berlin et al., arXiv:1807.01730. For a dark photon, whose y is written
    eps^2 alpha_D (m_chi / M)^4, divide by 4 pi e^2.

    Parameters
    ----------
    coupling, dark_coupling : FloatArray or float
        g and g_chi.
    m_chi, mass : FloatArray or float
        Masses of chi and of the mediator, in the same unit.

    Returns
    -------
    FloatArray
        y.

    Raises
    ------
    ArgumentError
        If a number makes no sense; NaN, for no limit, stays NaN.
    """
    ratio = numbers(m_chi, "m_chi", least=0.0) / numbers(mass, "mass", above=0.0)
    return (numbers(coupling, "coupling", gaps=True) * numbers(dark_coupling, "dark_coupling")) ** 2 * ratio**4


def coupling_from_y(
    y: FloatArray | float, dark_coupling: FloatArray | float, m_chi: FloatArray | float, mass: FloatArray | float
) -> FloatArray:
    """The inverse of `y_parameter`, g = y^(1/2) (M / m_chi)^2 / g_chi.

    Parameters
    ----------
    y : FloatArray or float
        The variable y, as in `y_parameter`.
    dark_coupling : FloatArray or float
        g_chi.
    m_chi, mass : FloatArray or float
        Masses of chi and of the mediator, in the same unit.

    Returns
    -------
    FloatArray
        g.

    Raises
    ------
    ArgumentError
        If a number makes no sense; NaN, for no limit, stays NaN.
    """
    ratio = numbers(mass, "mass", above=0.0) / numbers(m_chi, "m_chi", above=0.0)
    return np.sqrt(numbers(y, "y", least=0.0, gaps=True)) * ratio**2 / numbers(dark_coupling, "dark_coupling", above=0.0)
