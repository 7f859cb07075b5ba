r"""Relic abundance of chi from freeze-out through the Z', and the coupling that gives the observed one.

Boltzmann equation of Gondolo and Gelmini, Nucl. Phys. B 360 (1991) 145, with `plasma` for the degrees of freedom and the
thermal average of `annihilation`. chi is in kinetic equilibrium with the photons' temperature throughout: for m_chi below about
20 MeV, which freezes out near the decoupling of neutrinos, this and the missing feedback on N_eff are an approximation.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import root_scalar
from scipy.special import kve

from na64mu.common.arguments import choice, number, numbers, whole
from na64mu.compiled.kernel import general_kernel
from na64mu.errors import ArgumentError
from na64mu.physics.annihilation import Model
from na64mu.physics.constants import PLANCK_MASS
from na64mu.physics.couplings import y_parameter
from na64mu.physics.plasma import entropy_freedom, root_freedom
from na64mu.physics.widths import DarkMatter
from na64mu.typing import FloatArray

__all__ = ("OMEGA_H2", "abundance", "equilibrium_yield", "target", "target_y")

OMEGA_H2 = 0.120  # Planck 2018, arXiv:1807.06209: 0.1200 +- 0.0012
ENTROPY_TODAY = 2891.2  # 1/cm3 (PDG 2024)
CRITICAL_DENSITY = 1.053672e-5  # h^2 GeV/cm3 (PDG 2024)
START, END = 3.0, 1e5  # range of x = m_chi / T that is followed; stopping there leaves 1e-4
N_X = 200
N_STEPS = 20001


def equilibrium_yield(x: FloatArray | float, m_chi: float, freedom: int) -> FloatArray:
    """Number per entropy in equilibrium, Y_eq = 45 d x^2 K_2(x) / (4 pi^4 h(m_chi / x)).

    Parameters
    ----------
    x : FloatArray or float
        m_chi / T.
    m_chi : float
        [GeV].
    freedom : int
        d, of chi and antichi.

    Returns
    -------
    FloatArray
        Dimensionless.

    Raises
    ------
    ArgumentError
        If a number makes no sense.
    """
    xs, m_chi, freedom = numbers(x, "x", above=0.0), number(m_chi, "m_chi [GeV]", above=0.0), whole(freedom, "freedom", least=1)
    return 45.0 * freedom / (4.0 * math.pi**4) * xs**2 * kve(2, xs) * np.exp(-xs) / entropy_freedom(m_chi / xs)


@general_kernel
def _freeze_out(rate: FloatArray, equilibrium: FloatArray, step: float) -> float:
    """Last Y of dY/dv = -rate (Y^2 - Y_eq^2) on an even grid of v, from equilibrium: backward differences of second order.

    Each step solves its quadratic equation exactly, so that the stiff start needs no small steps.
    """
    before, now = equilibrium[0], equilibrium[1]
    for i in range(2, rate.size):
        a = 2.0 / 3.0 * step * rate[i]
        c = (4.0 * now - before) / 3.0 + a * equilibrium[i] * equilibrium[i]
        before, now = now, 2.0 * c / (1.0 + math.sqrt(1.0 + 4.0 * a * c))
    return now


def abundance(model: Model) -> float:
    """Omega h^2 of chi and antichi.

    dY/dx = -(pi/45)^(1/2) g_*^(1/2) m_chi M_Planck <sigma v> / x^2 (Y^2 - Y_eq^2), with half of <sigma v> where chi is not its own
    antiparticle; solved in ln x from x = 3 to 10^5 with a relative error below 3e-4.

    Parameters
    ----------
    model : Model
        Masses, couplings and kind of chi.

    Returns
    -------
    float
        Omega h^2.
    """
    nodes = np.linspace(math.log(START), math.log(END), N_X)
    x = np.exp(nodes)
    share = 1.0 if model.own_antiparticle else 0.5
    # lambda x, the rate per unit of ln x
    rate = math.sqrt(math.pi / 45.0) * root_freedom(model.m_chi / x) * model.m_chi * PLANCK_MASS * share * model.thermal_average(x) / x
    fine = np.linspace(nodes[0], nodes[-1], N_STEPS)
    rates = np.exp(CubicSpline(nodes, np.log(rate))(fine))
    equilibrium = equilibrium_yield(np.exp(fine), model.m_chi, model.freedom)
    last = _freeze_out(rates, equilibrium, float(fine[1] - fine[0]))
    return float(last) * model.m_chi * ENTROPY_TODAY / CRITICAL_DENSITY


def target(m_chi: float, mass: float, dark_coupling: float, kind: DarkMatter | str, omega_h2: float = OMEGA_H2) -> float:
    """The coupling g that gives a relic abundance.

    Parameters
    ----------
    m_chi, mass : float
        Masses of chi and of the Z' [GeV].
    dark_coupling : float
        g_chi.
    kind : DarkMatter or str
        Nature of chi.
    omega_h2 : float
        The abundance.

    Returns
    -------
    float
        g.

    Raises
    ------
    ArgumentError
        If no coupling below 1 gives so little dark matter, the masses are out of range (see `Model`), or the kind is unknown.
    RuntimeError
        If the search does not converge.
    """
    kind, omega_h2 = choice(kind, DarkMatter, "kind"), number(omega_h2, "omega_h2", above=0.0)
    model = Model(m_chi, mass, 1e-4, dark_coupling, kind)

    def excess(log_g: float) -> float:
        return math.log(abundance(replace(model, coupling=math.exp(min(log_g, 0.0)))) / omega_h2)

    if excess(0.0) > 0.0:
        msg = f"no coupling g below 1 brings chi of {m_chi:g} GeV down to Omega h^2 = {omega_h2:g}"
        raise ArgumentError(msg)
    # Omega ~ 1/g^2 while chi dominates the width of the Z'
    first = math.log(model.coupling)
    found = root_scalar(excess, method="secant", x0=first, x1=min(first + 0.5 * excess(first), 0.0), xtol=1e-6, maxiter=40)
    if not found.converged:
        msg = f"the search for the coupling of chi of {m_chi:g} GeV did not converge: {found.flag}"
        raise RuntimeError(msg)
    return math.exp(found.root)


def target_y(m_chi: float, dark_coupling: float, kind: DarkMatter | str, ratio: float = 3.0, omega_h2: float = OMEGA_H2) -> float:
    """The variable y of the relic target, for a given M / m_chi.

    Parameters
    ----------
    m_chi : float
        [GeV].
    dark_coupling : float
        g_chi.
    kind : DarkMatter or str
        Nature of chi.
    ratio : float
        M / m_chi.
    omega_h2 : float
        The abundance.

    Returns
    -------
    float
        y = (g g_chi)^2 (m_chi / M)^4.

    Raises
    ------
    ArgumentError, RuntimeError
        See `target`.
    """
    kind = choice(kind, DarkMatter, "kind")
    mass = number(ratio, "ratio", above=0.0) * number(m_chi, "m_chi [GeV]", above=0.0)
    return float(y_parameter(target(m_chi, mass, dark_coupling, kind, omega_h2), dark_coupling, m_chi, mass))
