"""Pulses in a waveform: pedestal, then one pulse after the other, all of them fitted together. Times ns, samples ADC counts.

The largest sample above the pulses found so far starts a new pulse, with the time at which its leading edge passes half its height
(E. Depero, thesis (ETH Zurich), appendix D); then heights, times and both pedestals are fitted to all samples by least squares
with the channel's pulse shape (least_squares.py), so that piled-up pulses do not pull each other.
"""

from __future__ import annotations

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.detector.pulse import PulseShape, amplitude
from na64mu.reconstruction.pulses.least_squares import decompose, fit, normal_equations, return_to, solve
from na64mu.reconstruction.pulses.model import MOST_PULSES, Digitizer, Pulses, new_scratch
from na64mu.typing import AnyArray

__all__ = ("find_pulses", "half_height_time")

PEDESTAL_SAMPLES = 8  # at the start, even and odd ones apart (thesis, appendix D)
PEDESTAL_SPREAD = 20.0  # counts: if they differ by more, a pulse is among them, and the smallest counts (thesis, appendix D)
SHAPE_ERROR = 0.02  # of the largest pulse that another one must exceed (inferred: pulse shapes are known to a few per cent)
LEAST_SEPARATION = 6.0  # ns between two pulses: half a sample, below which they are one
BEHIND = 25.0  # ns behind a pulse at which one in its shadow is looked for


@kernel
def _pedestals(samples, ceiling, s):  # type: ignore[no-untyped-def] # kernel
    """Copy the samples; the mean of the first even and odd ones, or the smallest if they differ too much."""
    for k in range(len(samples)):
        s.value[k] = samples[k]
        s.usable[k] = samples[k] < ceiling
    for parity in range(2):
        total, low, high = 0.0, s.value[parity], s.value[parity]
        for k in range(parity, PEDESTAL_SAMPLES, 2):
            total += s.value[k]
            low, high = min(low, s.value[k]), max(high, s.value[k])
        mean = total / (PEDESTAL_SAMPLES // 2)
        s.start[parity] = s.pedestal[parity] = low if high - low > PEDESTAL_SPREAD else mean


@kernel
def _residuals(n, shape, adc, s):  # type: ignore[no-untyped-def] # kernel
    """Residuals of the samples after n pulses and the pedestals; a saturated sample that the model reaches has residual 0."""
    for k in range(len(s.value)):
        left = s.value[k] - s.pedestal[k % 2]
        at = (k - adc.trigger_sample) * adc.period
        for i in range(n):
            left -= s.height[i] * amplitude(shape, at - s.time[i])
        s.residual[k] = left if s.usable[k] else max(0.0, left)


@kernel
def half_height_time(residual, top, half, period, trigger_sample, to_peak):  # type: ignore[no-untyped-def] # kernel
    """Time at which the leading edge before sample `top` passes a height: a straight line between two samples.

    Parameters
    ----------
    residual : FloatArray
        Samples above the pedestal, shape (n_samples,).
    top : int
        Sample of the peak.
    half : float
        The height.
    period, trigger_sample : float
        See Digitizer.
    to_peak : float
        Time from half the height to the peak, for a pulse that begins before the first sample [ns].

    Returns
    -------
    float
        Time [ns].
    """
    k = top
    while k > 0 and residual[k - 1] > half:
        k -= 1
    if k == 0:
        return (top - trigger_sample) * period - to_peak
    rise = residual[k] - residual[k - 1]
    return (k - 1 - trigger_sample + (half - residual[k - 1]) / rise) * period


@kernel
def _is_one_more(n, adc, s):  # type: ignore[no-untyped-def] # kernel
    """Whether all n pulses are large enough and apart."""
    largest = 0.0
    for i in range(n):
        largest = max(largest, s.height[i])
    for i in range(n):
        if not max(adc.least, SHAPE_ERROR * largest) <= s.height[i]:
            return False
        for j in range(i):
            if abs(s.time[i] - s.time[j]) < LEAST_SEPARATION:
                return False
    return True


@kernel
def _add_pulse(n, top, shape, adc, s):  # type: ignore[no-untyped-def] # kernel
    """Add the pulse that peaks at a sample to n others and fit all; without it again and False if it is none.

    A pulse in the shadow of a larger one leaves its largest residual at another place: it is looked for behind that one too.
    """
    high, nearest = s.residual[top], 0
    for i in range(n):
        s.before.height[i], s.before.time[i] = s.height[i], s.time[i]
        if abs(s.time[i] - (top - adc.trigger_sample) * adc.period) < abs(s.time[nearest] - (top - adc.trigger_sample) * adc.period):
            nearest = i
    for p in range(2):
        s.before.pedestal[p] = s.pedestal[p]
    for attempt in range(1 if n == 0 else 2):
        s.time[n] = half_height_time(s.residual, top, 0.5 * high, adc.period, adc.trigger_sample, shape.peak)
        if attempt == 1:
            s.time[n] = s.before.time[nearest] + BEHIND
        s.height[n] = high
        if fit(n + 1, shape, adc, s) and _is_one_more(n + 1, adc, s):
            return True
        return_to(s.before, n, s)
    return False


@kernel
def _pulses_of(samples, shape, adc, s):  # type: ignore[no-untyped-def] # kernel
    """Find and fit the pulses of one waveform; returns their number."""
    _pedestals(samples, adc.ceiling, s)
    n, largest = 0, 0.0
    while n < MOST_PULSES:
        _residuals(n, shape, adc, s)
        top = 0
        for k in range(1, len(s.residual)):
            if s.residual[k] > s.residual[top]:
                top = k
        high = s.residual[top]
        if high < max(adc.least, SHAPE_ERROR * largest):
            break
        if not _add_pulse(n, top, shape, adc, s):
            break
        n += 1
        for i in range(n):
            largest = max(largest, s.height[i])
    return n


@kernel
def _pulses_of_all(samples, shape, adc, s, out):  # type: ignore[no-untyped-def] # kernel
    """Pulses of all waveforms; returns their number."""
    total = 0
    for row in range(len(samples)):
        n = _pulses_of(samples[row], shape, adc, s)
        saturated = False
        for k in range(len(s.usable)):
            saturated |= not s.usable[k]
        normal_equations(n, shape, adc, s)
        sound = decompose(s.normal, 2 + 2 * n)
        for i in range(n):
            out.waveform[total], out.height[total], out.time[total] = row, s.height[i], s.time[i]
            out.saturated[total], out.time_error[total] = saturated, np.inf
            if sound:  # the diagonal of the inverse
                s.step[: 2 + 2 * n] = 0.0
                s.step[3 + 2 * i] = 1.0
                solve(s.normal, 2 + 2 * n, s.step)
                out.time_error[total] = adc.noise * s.step[3 + 2 * i] ** 0.5
            total += 1
    return total


BLOCK = 4096  # waveforms whose pulses are kept in one set of arrays


def find_pulses(samples: AnyArray, shape: PulseShape, adc: Digitizer) -> Pulses:
    """Pulses of many waveforms of one shape.

    Parameters
    ----------
    samples : AnyArray
        uint16, shape (n_waveforms, 32), contiguous.
    shape : PulseShape
        Shape of their pulses.
    adc : Digitizer
        The ADC.

    Returns
    -------
    Pulses
        None for a waveform without a sample far enough above its pedestal.
    """
    scratch = new_scratch()
    found: list[tuple[AnyArray, ...]] = []
    for first in range(0, max(len(samples), 1), BLOCK):
        block = samples[first : first + BLOCK]
        most = MOST_PULSES * len(block)
        out = Pulses(np.empty(most, dtype=np.int64), np.empty(most), np.empty(most), np.empty(most), np.empty(most, dtype=np.bool_))
        n = _pulses_of_all(block, shape, adc, scratch, out)
        out.waveform[:n] += first
        found.append(tuple(column[:n].copy() for column in out))
    waveform, height, time, error, saturated = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return Pulses(waveform, height, time, error, saturated)
