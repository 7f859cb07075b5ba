r"""Decay widths and branching ratios, above all of the Z' of L_mu - L_tau with a dark current (tree level, masses and widths GeV).

L = g Z'_a (mubar gamma^a mu - taubar gamma^a tau + nubar_mu gamma^a P_L nu_mu - nubar_tau gamma^a P_L nu_tau) + g_chi Z'_a J^a;
Letter (arXiv:2401.01708); Kahn, Krnjaic, Tran and Whitbeck, arXiv:1804.03144; Berlin, Blinov, Krnjaic, Schuster
and Toro, arXiv:1807.01730. Kinetic mixing, hence electrons and quarks, is neglected.
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np

from na64mu.common.arguments import choice, number, numbers, whole
from na64mu.physics.bosons import Mediator
from na64mu.physics.constants import MUON_MASS, TAU_MASS
from na64mu.typing import FloatArray

__all__ = ("DarkMatter", "dark_width", "invisible_fraction", "lepton_width", "neutrino_width", "total_width", "visible_width")


class DarkMatter(StrEnum):
    """Nature of the dark-matter particle chi.

    Attributes
    ----------
    SCALAR : str
        Complex scalar, J = i (chi* d chi - d chi* chi).
    DIRAC : str
        J = chibar gamma chi.
    PSEUDO_DIRAC : str
        J = i chibar_1 gamma chi_2 in the limit of no mass splitting: the same widths as Dirac.
    MAJORANA : str
        J = 1/2 chibar gamma gamma5 chi.
    """

    SCALAR = "scalar"
    DIRAC = "dirac"
    PSEUDO_DIRAC = "pseudo-dirac"
    MAJORANA = "majorana"


def _mass(mass: FloatArray | float) -> FloatArray:
    return numbers(mass, "mass [GeV]", above=0.0)


def _beta_squared(mass: FloatArray | float, daughter: float) -> FloatArray:
    """1 - 4 m^2 / M^2, zero below threshold."""
    return np.asarray(np.maximum(1.0 - 4.0 * (daughter / np.asarray(mass, dtype=np.float64)) ** 2, 0.0))


def neutrino_width(mass: FloatArray | float, coupling: float, flavours: int = 2) -> FloatArray:
    """Width to nu nubar, g^2 M / 24 pi for each left-handed flavour (nu_mu and nu_tau).

    Parameters
    ----------
    mass : FloatArray or float
        M [GeV].
    coupling : float
        g.
    flavours : int
        Number of flavours.

    Returns
    -------
    FloatArray
        [GeV].

    Raises
    ------
    ArgumentError
        If a number makes no sense, or a choice is unknown.
    """
    return whole(flavours, "flavours") * number(coupling, "coupling") ** 2 * _mass(mass) / (24.0 * math.pi)


def lepton_width(
    mass: FloatArray | float, coupling: float, lepton: float = MUON_MASS, mediator: Mediator | str = Mediator.VECTOR
) -> FloatArray:
    """Width to l+ l-, r = m^2 / M^2; zero below threshold.

    Vector g^2 M / 12 pi (1 + 2r) (1 - 4r)^(1/2); axial vector g^2 M / 12 pi (1 - 4r)^(3/2); scalar g^2 M / 8 pi (1 - 4r)^(3/2);
    pseudoscalar g^2 M / 8 pi (1 - 4r)^(1/2).

    Parameters
    ----------
    mass : FloatArray or float
        M [GeV].
    coupling : float
        g.
    lepton : float
        Mass of the lepton [GeV].
    mediator : Mediator or str
        Spin and parity of what decays.

    Returns
    -------
    FloatArray
        [GeV].

    Raises
    ------
    ArgumentError
        If a number makes no sense, or a choice is unknown.
    """
    mediator, masses, coupling = choice(mediator, Mediator, "mediator"), _mass(mass), number(coupling, "coupling")
    beta2 = _beta_squared(masses, number(lepton, "mass of the lepton [GeV]", least=0.0))
    beta = np.sqrt(beta2)
    if mediator in (Mediator.SCALAR, Mediator.PSEUDOSCALAR):
        return coupling**2 * masses / (8.0 * math.pi) * (beta * beta2 if mediator is Mediator.SCALAR else beta)
    return coupling**2 * masses / (12.0 * math.pi) * (beta * beta2 if mediator is Mediator.AXIAL else beta * (1.5 - 0.5 * beta2))


def dark_width(mass: FloatArray | float, dark_coupling: float, m_chi: float, kind: DarkMatter | str) -> FloatArray:
    """Width to chi chibar, r = m_chi^2 / M^2; zero below threshold.

    Scalar g_chi^2 M / 48 pi (1 - 4r)^(3/2); Dirac and pseudo-Dirac g_chi^2 M / 12 pi (1 + 2r) (1 - 4r)^(1/2); Majorana
    g_chi^2 M / 24 pi (1 - 4r)^(3/2).

    Parameters
    ----------
    mass : FloatArray or float
        M [GeV].
    dark_coupling : float
        g_chi.
    m_chi : float
        [GeV].
    kind : DarkMatter or str
        Nature of chi.

    Returns
    -------
    FloatArray
        [GeV].

    Raises
    ------
    ArgumentError
        If a number makes no sense, or a choice is unknown.
    """
    kind, m_chi = choice(kind, DarkMatter, "kind"), number(m_chi, "m_chi [GeV]", least=0.0)
    dark_coupling = number(dark_coupling, "dark_coupling")
    if kind in (DarkMatter.DIRAC, DarkMatter.PSEUDO_DIRAC):
        return lepton_width(mass, dark_coupling, m_chi)
    masses = _mass(mass)
    states = 48.0 if kind is DarkMatter.SCALAR else 24.0
    return dark_coupling**2 * masses / (states * math.pi) * _beta_squared(masses, m_chi) ** 1.5


def visible_width(mass: FloatArray | float, coupling: float) -> FloatArray:
    """Width to mu+ mu- and tau+ tau-.

    Parameters
    ----------
    mass : FloatArray or float
        M [GeV].
    coupling : float
        g.

    Returns
    -------
    FloatArray
        [GeV].

    Raises
    ------
    ArgumentError
        If a number makes no sense, or a choice is unknown.
    """
    return lepton_width(mass, coupling, MUON_MASS) + lepton_width(mass, coupling, TAU_MASS)


def total_width(
    mass: FloatArray | float, coupling: float, dark_coupling: float = 0.0, m_chi: float = 0.0, kind: DarkMatter | str = DarkMatter.DIRAC
) -> FloatArray:
    """Width to everything: neutrinos, muons, taus and chi.

    Parameters
    ----------
    mass : FloatArray or float
        M [GeV].
    coupling, dark_coupling : float
        g and g_chi (0: no dark matter).
    m_chi : float
        [GeV].
    kind : DarkMatter or str
        Nature of chi.

    Returns
    -------
    FloatArray
        [GeV].

    Raises
    ------
    ArgumentError
        If a number makes no sense, or a choice is unknown.
    """
    kind = choice(kind, DarkMatter, "kind")
    return neutrino_width(mass, coupling) + visible_width(mass, coupling) + dark_width(mass, dark_coupling, m_chi, kind)


def invisible_fraction(
    mass: FloatArray | float, coupling: float, dark_coupling: float = 0.0, m_chi: float = 0.0, kind: DarkMatter | str = DarkMatter.DIRAC
) -> FloatArray:
    """Branching ratio to neutrinos and chi: what a missing-energy search sees.

    Without dark matter 1 below 2 m_mu = 211 MeV and 1 / [1 + (1 + 2r) (1 - 4r)^(1/2)] above.

    Parameters
    ----------
    mass : FloatArray or float
        M [GeV].
    coupling, dark_coupling : float
        g and g_chi (0: no dark matter).
    m_chi : float
        [GeV].
    kind : DarkMatter or str
        Nature of chi.

    Returns
    -------
    FloatArray
        Between 0 and 1.

    Raises
    ------
    ArgumentError
        If a number makes no sense, or a choice is unknown.
    """
    kind = choice(kind, DarkMatter, "kind")
    hidden = neutrino_width(mass, coupling) + dark_width(mass, dark_coupling, m_chi, kind)
    return hidden / (hidden + visible_width(mass, coupling))
