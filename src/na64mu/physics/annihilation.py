r"""chi chibar -> Z' -> nu nubar, mu mu, tau tau: cross-section and its thermal average (natural units, GeV).

Only the s-channel: valid for M above 1.5 m_chi, where chi chibar -> Z' Z' in the thermal tail is negligible for g_chi < 1.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from scipy.special import k1e, kve

from na64mu.common.arguments import choice, number, numbers
from na64mu.errors import ArgumentError
from na64mu.physics.constants import MUON_MASS, TAU_MASS
from na64mu.physics.widths import DarkMatter, dark_width, neutrino_width, total_width, visible_width
from na64mu.typing import FloatArray

__all__ = ("Model",)

LOWEST_RATIO = 1.5
REACH = 60.0  # kinetic energy [T] beyond which the Boltzmann factor leaves nothing
NODES, WEIGHTS = (0.5 * v for v in np.polynomial.legendre.leggauss(48))
NODES = NODES + 0.5  # on (0, 1)


@dataclass(frozen=True)
class Model:
    """A Z' and the dark matter it couples to.

    Attributes
    ----------
    m_chi, mass : float
        Masses of chi and of the Z' [GeV].
    coupling, dark_coupling : float
        g and g_chi.
    kind : DarkMatter or str
        Nature of chi.

    Raises
    ------
    ArgumentError
        If a mass or coupling is not positive, the kind is unknown, or the Z' is lighter than 1.5 m_chi.
    """

    m_chi: float
    mass: float
    coupling: float
    dark_coupling: float
    kind: DarkMatter

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", choice(self.kind, DarkMatter, "kind"))
        for name in ("m_chi", "mass", "coupling", "dark_coupling"):
            object.__setattr__(self, name, number(getattr(self, name), f"{name} of the dark sector", above=0.0))
        if self.mass < LOWEST_RATIO * self.m_chi:
            msg = (
                f"a Z' of {self.mass:g} GeV is lighter than 1.5 m_chi = {LOWEST_RATIO * self.m_chi:g} GeV: "
                "chi chi -> Z' Z' would matter and is not in this calculation"
            )
            raise ArgumentError(msg)

    @property
    def freedom(self) -> int:
        """Degrees of freedom of chi and its antiparticle."""
        return 4 if self.kind in (DarkMatter.DIRAC, DarkMatter.PSEUDO_DIRAC) else 2

    @property
    def own_antiparticle(self) -> bool:
        """Whether chi annihilates with all of itself (else only with the half that is its antiparticle)."""
        return self.kind is DarkMatter.MAJORANA

    @property
    def width(self) -> float:
        """Total width of the Z' [GeV]."""
        return float(total_width(self.mass, self.coupling, self.dark_coupling, self.m_chi, self.kind))

    def cross_section(self, s: FloatArray | float) -> FloatArray:
        """Annihilation cross-section, averaged over the spins of both chi.

        sigma = n 12 pi s G_in G_out / {(2S + 1)^2 p^2 [(s - M^2)^2 + M^2 G^2]}, p^2 = s/4 - m_chi^2, with the widths of a
        Z' of mass s^(1/2) in the numerator; (2S + 1)^2 = 1 (scalar) or 4, n = 2 for identical chi (Majorana).

        Parameters
        ----------
        s : FloatArray or float
            Squared energy in the centre of mass [GeV^2], above 4 m_chi^2.

        Returns
        -------
        FloatArray
            [GeV^-2].

        Raises
        ------
        ArgumentError
            If the energy is below the threshold.
        """
        s = numbers(s, "s [GeV^2]", above=4.0 * self.m_chi**2)
        return self._reduced(s) / (0.25 * s - self.m_chi**2)

    def _reduced(self, s: FloatArray) -> FloatArray:
        """Cross-section times p^2."""
        energy = np.sqrt(s)
        out = neutrino_width(energy, self.coupling) + visible_width(energy, self.coupling)
        into = dark_width(energy, self.dark_coupling, self.m_chi, self.kind)
        spins = 1.0 if self.kind is DarkMatter.SCALAR else 4.0
        identical = 2.0 if self.own_antiparticle else 1.0
        pole = (s - self.mass**2) ** 2 + (self.mass * self.width) ** 2
        return identical * 12.0 * math.pi * s * into * out / (spins * pole)

    def _nodes(self, temperature: float) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights of an integral over the energy in the centre of mass.

        Panels end where the integrand has a kink (thresholds of muon and tau) and open with the square at threshold, with the logarithm of
        the distance from the pole, and with the tangent of the phase on the pole itself, however narrow it is.
        """
        threshold, pole, half = 2.0 * self.m_chi, self.mass, 0.5 * self.width
        top = threshold + REACH * temperature
        distance = abs(pole - threshold)
        inner = min(20.0 * half, 0.25 * distance)
        near = 0.5 * distance if pole > threshold else max(distance, half, 0.05 * temperature)
        kinks = (threshold + near, pole - inner, pole + inner, 2.0 * MUON_MASS, 2.0 * TAU_MASS)
        edges = sorted({threshold, top, *(e for e in kinks if threshold < e < top)})
        energy, weights = [], []
        for a, b in itertools.pairwise(edges):
            if b <= threshold + near:
                energy.append(a + (b - a) * NODES**2)
                weights.append(2.0 * (b - a) * NODES * WEIGHTS)
            elif a >= pole - inner and b <= pole + inner:
                first, last = math.atan((a - pole) / half), math.atan((b - pole) / half)
                angle = first + (last - first) * NODES
                energy.append(pole + half * np.tan(angle))
                weights.append((last - first) * WEIGHTS * half / np.cos(angle) ** 2)
            else:
                span = math.log((b - pole) / (a - pole))
                step = (a - pole) * np.exp(span * NODES)
                energy.append(pole + step)
                weights.append(span * WEIGHTS * step)
        return np.concatenate(energy), np.concatenate(weights)

    def thermal_average(self, x: FloatArray | float) -> FloatArray:
        r"""<sigma v> over Maxwell-Boltzmann distributions, x = m_chi / T.

        1 / (8 m^4 T K_2^2(x)) int sigma (s - 4 m^2) s^(1/2) K_1(s^(1/2) / T) ds; Gondolo and Gelmini, Nucl. Phys. B 360 (1991)
        145, eq. 3.8. The nodes follow the pole, however narrow; relative error below 1e-6 for x between 2 and 1000.

        Parameters
        ----------
        x : FloatArray or float
            Shape (n,) or a number.

        Returns
        -------
        FloatArray
            [GeV^-2], of the shape of x.

        Raises
        ------
        ArgumentError
            If x is not positive.
        """
        xs = numbers(x, "x", above=0.0)
        out = np.empty(xs.size)
        for i, value in enumerate(xs.ravel()):
            t = self.m_chi / value
            energy, weights = self._nodes(t)
            # (s - 4 m^2) sigma = 4 p^2 sigma, ds = 2 E dE
            integrand = 8.0 * self._reduced(energy**2) * energy**2 * k1e(energy / t) * np.exp(-(energy - 2.0 * self.m_chi) / t)
            out[i] = np.sum(weights * integrand) / (8.0 * self.m_chi**4 * t * kve(2, value) ** 2)
        return out.reshape(xs.shape)
