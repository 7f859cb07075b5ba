r"""The muon's anomalous magnetic moment: one-loop contribution of X, and the measured minus predicted value.

Leveille, Nucl. Phys. B 137 (1978) 63; Queiroz and Shepherd, Phys. Rev. D 89 (2014) 095024 (arXiv:1403.2309). Masses GeV.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.common.arguments import choice, number, numbers
from na64mu.errors import ArgumentError
from na64mu.physics.bosons import Mediator
from na64mu.physics.constants import MUON_MASS
from na64mu.typing import FloatArray

__all__ = ("LETTER", "PRESETS", "UPDATE_2025", "UPDATE_2026", "Deviation", "coupling_of", "moment")

NODES, WEIGHTS = np.polynomial.legendre.leggauss(60)


class Deviation(NamedTuple):
    """Measured and predicted a_mu.

    Attributes
    ----------
    measured, measured_error : float
        World average.
    predicted, predicted_error : float
        Standard Model.
    source : str
        Source of both values.
    """

    measured: float
    measured_error: float
    predicted: float
    predicted_error: float
    source: str

    @property
    def value(self) -> float:
        """Measured minus predicted."""
        return self.measured - self.predicted

    @property
    def error(self) -> float:
        """Both errors in quadrature."""
        return math.hypot(self.measured_error, self.predicted_error)

    def at(self, sigmas: float) -> float:
        """Value a number of standard deviations up.

        Parameters
        ----------
        sigmas : float
            May be negative.

        Returns
        -------
        float
            Value + sigmas x error.
        """
        return self.value + sigmas * self.error


#: What the Letter's band is drawn from: (249 +- 48) x 10^-11.
LETTER = Deviation(
    116592059e-11, 22e-11, 116591810e-11, 43e-11, "measured: arXiv:2308.06230 (FNAL runs 1-3 and BNL); predicted: arXiv:2006.04822 (WP20)"
)
#: The same measurement against the prediction of 2025 from lattice QCD: (26 +- 66) x 10^-11, no deviation.
UPDATE_2025 = Deviation(
    116592059e-11, 22e-11, 116592033e-11, 62e-11, "measured: arXiv:2308.06230 (FNAL runs 1-3 and BNL); predicted: arXiv:2505.21476 (WP25)"
)
#: World average with all runs of Fermilab against the same prediction: (38.5 +- 63.7) x 10^-11. No deviation, so an upper edge and no band.
UPDATE_2026 = Deviation(
    116592071.5e-11, 14.5e-11, 116592033e-11, 62e-11, "measured: arXiv:2506.03069 (world average); predicted: arXiv:2505.21476 (WP25)"
)
#: Measurements and predictions by name: that of the Letter, and the state of 2025/26.
PRESETS = {"Letter": LETTER, "2025/26": UPDATE_2026}


def _nodes() -> tuple[FloatArray, FloatArray, FloatArray]:
    """x, 1 - x and weights of dx on (0, 1), logarithmic towards both ends."""
    depth = math.log(1e14)
    small = 0.5 * np.exp(-0.5 * depth * (NODES + 1.0))
    weights = 0.5 * depth * WEIGHTS * small
    return np.concatenate([small, 1.0 - small]), np.concatenate([1.0 - small, small]), np.concatenate([weights, weights])


def moment(mass: FloatArray | float, coupling: FloatArray | float, mediator: Mediator | str = Mediator.VECTOR) -> FloatArray:
    r"""One-loop contribution of X to a_mu = (g - 2) / 2, with r = M^2 / m^2.

    V: g^2 / 4 pi^2 int x^2 (1 - x) / D, D = x^2 + (1 - x) r; limits g^2 / 8 pi^2 (M -> 0), g^2 m^2 / (12 pi^2 M^2) (M >> m);
    S: g^2 / 8 pi^2 int x^2 (2 - x) / D; P: -g^2 / 8 pi^2 int x^3 / D;
    A: g^2 / 4 pi^2 int [x (1 - x) (x - 4) - 2 x^3 / r] / D, limit -5 g^2 m^2 / (12 pi^2 M^2).

    Relative error of the quadrature below 1e-9 for M above 1 MeV. For the axial vector a small M is outside perturbation theory (the
    longitudinal mode couples with 2 m g / M).

    Parameters
    ----------
    mass : FloatArray or float
        M [GeV], above 0.
    coupling : FloatArray or float
        g, broadcast with the mass.
    mediator : Mediator or str
        Spin and parity of X.

    Returns
    -------
    FloatArray
        Dimensionless.

    Raises
    ------
    ArgumentError
        If a mass is not positive, the coupling is not finite, or the mediator is unknown.
    """
    mediator = choice(mediator, Mediator, "mediator")
    masses, couplings = numbers(mass, "mass of the boson in the loop [GeV]", above=0.0), numbers(coupling, "coupling")
    r = (masses[..., None] / MUON_MASS) ** 2
    x, y, weights = _nodes()
    total = np.sum(_integrand(x, y, r, mediator) * weights, axis=-1)
    scale = 4.0 if mediator in (Mediator.VECTOR, Mediator.AXIAL) else 8.0
    return couplings**2 / (scale * math.pi**2) * total


def _integrand(x: FloatArray, y: FloatArray, r: FloatArray, mediator: Mediator) -> FloatArray:
    denominator = x * x + y * r
    if mediator is Mediator.VECTOR:
        return x * x * y / denominator
    if mediator is Mediator.SCALAR:
        return x * x * (1.0 + y) / denominator
    if mediator is Mediator.PSEUDOSCALAR:
        return -(x**3) / denominator
    return (x * y * (x - 4.0) - 2.0 * x**3 / r) / denominator


def coupling_of(deviation: float, mass: FloatArray | float, mediator: Mediator | str = Mediator.VECTOR) -> FloatArray:
    """The coupling with which X makes a given deviation.

    Parameters
    ----------
    deviation : float
        Delta a_mu; of the sign of the contribution of X.
    mass : FloatArray or float
        M [GeV].
    mediator : Mediator or str
        Spin and parity of X.

    Returns
    -------
    FloatArray
        g.

    Raises
    ------
    ArgumentError
        If X contributes with the other sign, a mass is not positive, or the mediator is unknown.
    """
    mediator, deviation = choice(mediator, Mediator, "mediator"), number(deviation, "deviation")
    ratio = deviation / moment(mass, 1.0, mediator)
    if np.any(ratio < 0.0):
        msg = f"a {mediator.name.lower()} boson shifts a_mu the other way: no coupling gives Delta a_mu = {deviation:g}"
        raise ArgumentError(msg)
    return np.sqrt(ratio)
