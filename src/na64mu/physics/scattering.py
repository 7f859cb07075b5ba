"""Multiple scattering through small angles: Highland's formula, and the models that a track fit can choose from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from na64mu.common.arguments import number, numbers, one_of
from na64mu.compiled.kernel import small_kernel
from na64mu.typing import FloatArray

__all__ = ("MODELS", "Scattering", "highland", "highland_angle", "scattering_angle")

#: Highland's constant for a particle of unit charge [GeV].
HIGHLAND = 13.6e-3
#: The factor with the logarithm is not taken below this: the formula was fitted from 0.001 to 100 radiation lengths.
LEAST_FACTOR = 0.1


def _highland(x_over_x0: Any, total: Any) -> Any:
    """Width of the projected angle times beta p [GeV], from numbers or arrays."""
    return HIGHLAND * np.sqrt(x_over_x0) * np.maximum(LEAST_FACTOR, 1.0 + 0.038 * np.log(total))


#: The same for kernels: `highland(x_over_x0, total)` of two numbers.
highland: Any = small_kernel(_highland)


def highland_angle(x_over_x0: FloatArray | float, total_x0: float) -> FloatArray:
    """Width of the projected scattering angle of a muon of 1 GeV/c [rad]; it falls as 1 / p.

    Parameters
    ----------
    x_over_x0 : FloatArray or float
        Thickness of the scatterer in radiation lengths.
    total_x0 : float
        Thickness for the logarithm: that of the whole spectrometer, so that widths add in quadrature.

    Returns
    -------
    FloatArray
        13.6 MeV / p sqrt(x / X0) (1 + 0.038 ln(x / X0)), beta = 1.

    Raises
    ------
    ArgumentError
        If a thickness is negative, or the total one not positive.

    References
    ----------
    Particle Data Group, "Passage of particles through matter", eq. (34.16).
    """
    thickness, total = numbers(x_over_x0, "x_over_x0", least=0.0), number(total_x0, "total_x0", above=0.0)
    return _highland(thickness, total)


#: How wide multiple scattering is: Highland's formula with the logarithm of the whole spectrometer ("highland", widths add in
#: quadrature), with that of each scatterer alone ("highland-each", as GenFit), without logarithm ("rossi"), or not at all ("none").
Scattering = Literal["highland", "highland-each", "rossi", "none"]

#: Model -> width of the projected angle at 1 GeV/c [rad], from the thicknesses of scatterers, shape (n,), and that of everything
#: together, in radiation lengths. A further model is a further entry.
MODELS: dict[str, Callable[[FloatArray, float], FloatArray]] = {
    "highland": _highland,
    "highland-each": lambda x, _: _highland(x, np.where(x > 0.0, x, 1.0)),
    "rossi": lambda x, _: HIGHLAND * np.sqrt(x),
    "none": lambda x, _: np.zeros_like(x),
}


def scattering_angle(x_over_x0: FloatArray | float, total_x0: float, model: Scattering | str = "highland") -> FloatArray:
    """Width of the projected scattering angle of a muon of 1 GeV/c [rad] in one of the models.

    Parameters
    ----------
    x_over_x0 : FloatArray or float
        Thickness of each scatterer in radiation lengths.
    total_x0 : float
        Thickness of all scatterers together.
    model : Scattering or str
        A name of MODELS.

    Returns
    -------
    FloatArray
        In the shape of `x_over_x0`; it falls as 1 / p.

    Raises
    ------
    ArgumentError
        If the model is unknown, a thickness is negative, or the total one not positive.
    """
    formula = MODELS[one_of(model, MODELS, "model")]
    thickness, total = numbers(x_over_x0, "x_over_x0", least=0.0), number(total_x0, "total_x0", above=0.0)
    return formula(thickness, total)
