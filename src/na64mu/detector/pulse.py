"""Shape of a pulse behind the shaper of a sampling ADC, shared by simulation and reconstruction of waveforms. Times ns."""

from __future__ import annotations

import math
from typing import NamedTuple

from na64mu.compiled.kernel import kernel

__all__ = ("PulseShape", "amplitude", "edge", "pulse_shape")


class PulseShape(NamedTuple):
    """A pulse of height 1 whose leading edge passes half its height at time 0 (a tuple: kernels take it).

    Attributes
    ----------
    rise, fall : float
        Time constants [ns].
    norm : float
        Height of the shape before it is divided by it.
    onset : float
        Time from the onset to half the height [ns].
    peak : float
        Time from half the height to the peak [ns].
    """

    rise: float
    fall: float
    norm: float
    onset: float
    peak: float


def _raw(t: float, rise: float, fall: float) -> float:
    return (1.0 - math.exp(-t / rise)) ** 2 * math.exp(-t / fall)


def pulse_shape(rise: float, fall: float) -> PulseShape:
    """The shape (1 - exp(-t / rise))^2 exp(-t / fall), normalised, its zero of time at half the height of the leading edge.

    It starts without a kink, as behind a shaper of two stages, and decays with the light and the cable.

    Parameters
    ----------
    rise, fall : float
        Time constants [ns].

    Returns
    -------
    PulseShape
        For `amplitude` and `edge`.
    """
    top = rise * math.log(1.0 + 2.0 * fall / rise)  # where the derivative is zero
    norm = _raw(top, rise, fall)
    low, high = 0.0, top
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _raw(middle, rise, fall) < 0.5 * norm else (low, middle)
    return PulseShape(rise, fall, norm, low, top - low)


@kernel
def amplitude(shape, time):  # type: ignore[no-untyped-def] # kernel
    """Height of a pulse of height 1 at a time after half the height of its leading edge [ns].

    Parameters
    ----------
    shape : PulseShape
        The shape.
    time : float
        Time [ns].

    Returns
    -------
    float
        0 before the onset, 1 at the peak.
    """
    t = time + shape.onset
    if t <= 0.0:
        return 0.0
    grown = 1.0 - math.exp(-t / shape.rise)
    return grown * grown * math.exp(-t / shape.fall) / shape.norm


@kernel
def edge(shape, time):  # type: ignore[no-untyped-def] # kernel
    """`amplitude` and its derivative with time [1/ns]; arguments as there.

    Returns
    -------
    tuple of float
        Both 0 before the onset.
    """
    t = time + shape.onset
    if t <= 0.0:
        return 0.0, 0.0
    left, decay = math.exp(-t / shape.rise), math.exp(-t / shape.fall) / shape.norm
    grown = 1.0 - left
    return grown * grown * decay, grown * (2.0 * left / shape.rise - grown / shape.fall) * decay
