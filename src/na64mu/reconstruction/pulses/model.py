"""Model of the waveform fit: the ADC, the pulses that are found, and the arrays of one fit. Times ns, samples ADC counts."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from na64mu.detector.conditions import SAMPLES
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("MOST_PULSES", "Digitizer", "Pulses", "Scratch", "new_scratch")

MOST_PULSES = 6  # in one waveform: 32 samples hold no more than that


class Digitizer(NamedTuple):
    """The ADC of a collection (a tuple: kernels take it).

    Attributes
    ----------
    period : float
        Sampling period [ns].
    trigger_sample : float
        Sample at which time is 0.
    ceiling : int
        Largest value of a sample.
    noise : float
        Standard deviation of the noise of one sample, including its rounding [counts].
    least : float
        Smallest pulse [counts].
    """

    period: float
    trigger_sample: float
    ceiling: int
    noise: float
    least: float


class Pulses(NamedTuple):
    """Pulses in order of waveform and size found; all of shape (n_pulses,).

    Attributes
    ----------
    waveform : IntArray
        Row of its waveform.
    height : FloatArray
        Above the pedestal [counts].
    time : FloatArray
        At which the leading edge passes half the height [ns].
    time_error : FloatArray
        Its standard deviation for the noise of the channel [ns].
    saturated : BoolArray
        Whether the waveform has samples at the ceiling.
    """

    waveform: IntArray
    height: FloatArray
    time: FloatArray
    time_error: FloatArray
    saturated: BoolArray


class Parameters(NamedTuple):
    """Pedestals of even and odd samples, shape (2,), heights and times of the pulses, shape (MOST_PULSES,)."""

    pedestal: FloatArray
    height: FloatArray
    time: FloatArray

    @classmethod
    def empty(cls) -> Self:
        """Space for the most pulses."""
        return cls(np.empty(2), np.empty(MOST_PULSES), np.empty(MOST_PULSES))


class Scratch(NamedTuple):
    """Working arrays of the fit of one waveform: values and residuals of the samples, and pulses; `before` a pulse is added, `kept` in a step."""

    value: FloatArray
    residual: FloatArray
    usable: BoolArray
    pedestal: FloatArray
    start: FloatArray
    height: FloatArray
    time: FloatArray
    before: Parameters
    kept: Parameters
    gradient: FloatArray
    normal: FloatArray
    step: FloatArray


def new_scratch() -> Scratch:
    """Arrays for the fit of one waveform after the other."""
    n = 2 + 2 * MOST_PULSES
    samples = np.empty(SAMPLES), np.empty(SAMPLES), np.empty(SAMPLES, dtype=np.bool_)
    pulses = np.empty(2), np.empty(2), np.empty(MOST_PULSES), np.empty(MOST_PULSES)
    kept = Parameters.empty(), Parameters.empty()
    return Scratch(*samples, *pulses, *kept, np.empty(n), np.empty((n, n)), np.empty(n))
