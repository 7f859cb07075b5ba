r"""Pairs of invisible particles from an off-shell vector, mu N -> mu N chi chibar: light mediators, small charges, contact operators.

A current of chi that is conserved closes on itself, so that the phase space of the pair factorises exactly:
dsigma/dM^2 = sigma_V(M) M Gamma_V(M) / [pi (M^2 - m_V^2)^2], with sigma_V(M) the cross-section of a vector of mass M and Gamma_V(M) its width to the pair
(N. M. Kroll and W. Wada, Phys. Rev. 98 (1955) 1355, for the photon; Gninenko, Kirpichnikov and Krasnikov, arXiv:1810.06856, for small charges).
With Gamma_V = g_chi^2 M / 12 pi (1 + 2r) (1 - 4r)^(1/2), r = m_chi^2 / M^2. For a contact operator 1 / (M^2 - m_V^2)^2 is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from na64mu.common.arguments import number, numbers
from na64mu.physics.bosons import Mediator
from na64mu.typing import FloatArray

__all__ = ("Pairs",)


@dataclass(frozen=True)
class Pairs:
    """A pair of Dirac particles by a current.

    Attributes
    ----------
    strength : float
        Square of what multiplies the coupling that is quoted: e^2 of the muon's charge times e^2 of the unit of the pair's, or 1.
    is_contact : bool
        Whether the mediator is heavy: without a propagator, so that the coupling has the unit 1/GeV^2.
    is_chiral : bool
        Whether both currents have one chirality. The divergence of the axial currents, of order m_chi^2 / M^2 of the rate, is neglected.
    """

    strength: float = 1.0
    is_contact: bool = False
    is_chiral: bool = False

    @property
    def parts(self) -> tuple[tuple[Mediator, float], ...]:
        """Vector and axial vector of unit coupling that make up the muon's current, each with the square of its share; they do not interfere in unpolarised totals."""
        return ((Mediator.VECTOR, 0.25), (Mediator.AXIAL, 0.25)) if self.is_chiral else ((Mediator.VECTOR, 1.0),)

    def density(self, mass: FloatArray | float, m_chi: float) -> FloatArray:
        """[dsigma / dln M^2] / sigma_V(M; g = 1) for a unit of the coupling that is quoted; zero below threshold.

        Parameters
        ----------
        mass : FloatArray or float
            M, the invariant mass of the pair [GeV].
        m_chi : float
            [GeV].

        Returns
        -------
        FloatArray
            Dimensionless for a light mediator, [GeV^4] for a contact operator.

        Raises
        ------
        ArgumentError
            If a mass makes no sense.
        """
        masses, m_chi = numbers(mass, "mass of the pair [GeV]", above=0.0), number(m_chi, "m_chi [GeV]", least=0.0)
        beta2 = np.maximum(1.0 - 4.0 * (m_chi / masses) ** 2, 0.0)
        beta = np.sqrt(beta2)
        current = beta * (1.5 - 0.5 * beta2)  # (1 + 2r) (1 - 4r)^(1/2)
        if self.is_chiral:
            current = 0.25 * (current + beta * beta2)
        propagator = masses**4 if self.is_contact else 1.0
        return np.asarray(self.strength * propagator * current / (12.0 * math.pi**2), dtype=np.float64)
