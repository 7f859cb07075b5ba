"""Forms of the low-momentum tail: cumulative distributions below a threshold u, in momentum and in curvature.

Every form gives F(p), the fraction of the events below u that lie below p; F(u) = 1. The spectrometer measures curvature, so each form exists in
p and in k = c / p; which one the data follow is a question for the goodness of fit. Momenta GeV/c; c is the centre of the peak, so that k is 1 there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.typing import FloatArray

__all__ = ("EXPONENTIAL", "FORMS", "GPD", "POWER", "TailForm")

Variable = Literal["p", "k"]


@dataclass(frozen=True)
class TailForm:
    """One form.

    Attributes
    ----------
    name : str
        Name of the form, such as "exponential in p".
    variable : "p" or "k"
        Momentum or curvature.
    survival : callable
        (excess, distance of u) and parameters -> fraction beyond the excess.
    grid : tuple of FloatArray
        Values of every parameter on which the likelihood is searched, in units of the distance from centre to threshold.
    """

    name: str
    variable: Variable
    survival: Callable[[FloatArray, FloatArray], FloatArray]
    grid: tuple[FloatArray, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "variable", one_of(self.variable, get_args(Variable), "variable"))

    def excess(self, p: FloatArray, threshold: float, centre: float) -> FloatArray:
        """Distance beyond the threshold in units of the distance from centre to threshold, shape of p; infinite for curvature at p = 0."""
        if self.variable == "p":
            return (threshold - p) / (centre - threshold)
        with np.errstate(divide="ignore"):
            return (centre / p - centre / threshold) / (centre / threshold - 1.0)

    def fraction_below(self, p: FloatArray, threshold: float, centre: float, parameters: FloatArray) -> FloatArray:
        """F(p).

        Parameters
        ----------
        p : FloatArray
            Momenta at most `threshold`, shape (n,).
        threshold, centre : float
            u and c [GeV/c].
        parameters : FloatArray
            Shape (n_sets, n_parameters).

        Returns
        -------
        FloatArray
            Shape (n_sets, n).
        """
        return self.survival(self.excess(p, threshold, centre), parameters)

    def parameter_sets(self) -> FloatArray:
        """All combinations on the grid, shape (n_sets, n_parameters)."""
        return np.stack([g.ravel() for g in np.meshgrid(*self.grid, indexing="ij")], axis=1)


def _exponential(y: FloatArray, parameters: FloatArray) -> FloatArray:
    """exp(-y / scale)."""
    return np.exp(-y[None, :] / parameters[:, :1])


def _power(y: FloatArray, parameters: FloatArray) -> FloatArray:
    """(1 + y)^-a: a power of the distance from the centre of the peak (B. M. Hill, Ann. Stat. 3 (1975) 1163)."""
    return (1.0 + y[None, :]) ** -parameters[:, :1]


def _generalised_pareto(y: FloatArray, parameters: FloatArray) -> FloatArray:
    """(1 + xi y / scale)^(-1/xi): the limit of every distribution far beyond a threshold (J. Pickands, Ann. Stat. 3 (1975) 119); zero beyond its end if xi < 0."""
    xi, scale = parameters[:, :1], parameters[:, 1:2]
    ratio = y[None, :] / scale
    flat = np.abs(xi) < 1e-9
    safe = np.where(flat, 1.0, xi)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        power = np.maximum(1.0 + safe * ratio, 0.0) ** (-1.0 / safe)
        return np.where(flat, np.exp(-ratio), power)


#: Steps of 0.25 %: in the logarithm of the extrapolation 0.03 for a slope of 3 GeV/c, less than any statistical error.
_SCALES = np.geomspace(0.01, 20.0, 3000)
_XI = np.linspace(-0.6, 1.6, 111)

EXPONENTIAL = (TailForm("exponential in p", "p", _exponential, (_SCALES,)), TailForm("exponential in k", "k", _exponential, (_SCALES,)))
POWER = (
    TailForm("power in p", "p", _power, (np.geomspace(0.1, 100.0, 3000),)),
    TailForm("power in k", "k", _power, (np.geomspace(0.1, 100.0, 3000),)),
)
GPD = (
    TailForm("Generalised Pareto in p", "p", _generalised_pareto, (_XI, np.geomspace(0.01, 20.0, 120))),
    TailForm("Generalised Pareto in k", "k", _generalised_pareto, (_XI, np.geomspace(0.01, 20.0, 120))),
)
#: Every form by its name.
FORMS = {form.name: form for form in (*EXPONENTIAL, *POWER, *GPD)}
