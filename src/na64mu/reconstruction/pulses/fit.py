"""Pulses in a waveform: pedestal, then one pulse after the other, all of them fitted together. Times ns, samples ADC counts.

The largest sample above what is known already starts a pulse, with the time at which its leading edge passes half its height
(E. Depero, thesis (ETH Zurich), appendix D); then heights, times and both pedestals are fitted to all samples by least squares
with the channel's pulse shape, so that piled-up pulses do not pull each other. Samples at the ceiling of the ADC are left out:
a saturated pulse is measured on its flanks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from na64mu.detector.conditions import SAMPLES
from na64mu.detector.pulse import PulseShape, amplitude, slope
from na64mu.kernel import kernel
from na64mu.typing import AnyArray, BoolArray, FloatArray, IntArray

__all__ = ("MOST_PULSES", "Digitizer", "Pulses", "find_pulses", "half_height_time")

MOST_PULSES = 6  # in one waveform: 32 samples hold no more than that
PEDESTAL_SAMPLES = 8  # at the start, even and odd ones apart (thesis, appendix D)
PEDESTAL_SPREAD = 20.0  # counts: if they differ by more, a pulse is among them, and the smallest counts (thesis, appendix D)
PEDESTAL_PRIOR = 5.0  # counts that the pedestal may move in the fit: where pulses cover all samples it is known no better
SHAPE_ERROR = 0.02  # of the largest pulse that another one must exceed (inferred: pulse shapes are known to a few per cent)
LEAST_SEPARATION = 6.0  # ns between two pulses: half a sample, below which they are one
ITERATIONS = 12
LARGEST_STEP = 8.0  # ns of a time in one iteration
PRECISION = 0.01  # ns at which the iterations end


class Digitizer(NamedTuple):
    """The ADC of a collection (a tuple: kernels take it).

    Attributes
    ----------
    period : float
        Of the samples [ns].
    trigger_sample : float
        Sample at which time is 0.
    ceiling : int
        Largest value of a sample.
    noise : float
        Of one sample, with its rounding [counts].
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


class _Scratch(NamedTuple):
    """What the fit of one waveform works on: values and residuals of the samples, and pulses; index 0 of `before` heights, 1 times."""

    value: FloatArray
    residual: FloatArray
    usable: BoolArray
    pedestal: FloatArray
    start: FloatArray
    height: FloatArray
    time: FloatArray
    before: FloatArray
    gradient: FloatArray
    normal: FloatArray
    step: FloatArray


def _scratch() -> _Scratch:
    n = 2 + 2 * MOST_PULSES
    one = (np.empty(SAMPLES), np.empty(SAMPLES), np.empty(SAMPLES, dtype=np.bool_), np.empty(2), np.empty(2))
    return _Scratch(
        *one, np.empty(MOST_PULSES), np.empty(MOST_PULSES), np.empty((3, MOST_PULSES)), np.empty(n), np.empty((n, n)), np.empty(n)
    )


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
    """What n pulses and the pedestals leave; a sample at the ceiling that they reach leaves nothing."""
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
def _decompose(normal, n):  # type: ignore[no-untyped-def] # kernel
    """Cholesky decomposition in place of the lower half of a symmetric matrix; False if it is not positive."""
    for i in range(n):
        for j in range(i + 1):
            total = normal[i, j]
            for k in range(j):
                total -= normal[i, k] * normal[j, k]
            if i == j:
                if total <= 0.0:
                    return False
                normal[i, i] = total**0.5
            else:
                normal[i, j] = total / normal[j, j]
    return True


@kernel
def _solve(normal, n, x):  # type: ignore[no-untyped-def] # kernel
    """Solve for x in place with a decomposed matrix."""
    for i in range(n):
        for k in range(i):
            x[i] -= normal[i, k] * x[k]
        x[i] /= normal[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            x[i] -= normal[k, i] * x[k]
        x[i] /= normal[i, i]


@kernel
def _normal_equations(n, shape, adc, s):  # type: ignore[no-untyped-def] # kernel
    """Fill and decompose the normal equations of two pedestals and n pulses (height, time); False if they have no solution."""
    m = 2 + 2 * n
    s.step[:m], s.normal[:m, :m] = 0.0, 0.0
    weight = (adc.noise / PEDESTAL_PRIOR) ** 2
    for p in range(2):
        s.normal[p, p], s.step[p] = weight, weight * (s.start[p] - s.pedestal[p])
    for k in range(len(s.value)):
        if not s.usable[k]:
            continue
        s.gradient[:m] = 0.0
        s.gradient[k % 2] = 1.0
        left, at = s.value[k] - s.pedestal[k % 2], (k - adc.trigger_sample) * adc.period
        for i in range(n):
            high = amplitude(shape, at - s.time[i])
            s.gradient[2 + 2 * i], s.gradient[3 + 2 * i] = high, -s.height[i] * slope(shape, at - s.time[i])
            left -= s.height[i] * high
        for a in range(m):
            if s.gradient[a] != 0.0:
                s.step[a] += s.gradient[a] * left
                for b in range(a + 1):
                    s.normal[a, b] += s.gradient[a] * s.gradient[b]
    return _decompose(s.normal, m)


@kernel
def _fit(n, shape, adc, s):  # type: ignore[no-untyped-def] # kernel
    """Gauss-Newton for the pedestals and n pulses; False if it leads nowhere."""
    for _ in range(ITERATIONS):
        if not _normal_equations(n, shape, adc, s):
            return False
        _solve(s.normal, 2 + 2 * n, s.step)
        largest = 0.0
        s.pedestal[0] += s.step[0]
        s.pedestal[1] += s.step[1]
        for i in range(n):
            s.height[i] = min(max(s.height[i] + s.step[2 + 2 * i], 0.3 * s.height[i]), 3.0 * s.height[i])
            move = min(max(s.step[3 + 2 * i], -LARGEST_STEP), LARGEST_STEP)
            s.time[i] += move
            largest = max(largest, abs(move))
        if largest < PRECISION:
            return True
    return True


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
        for i in range(n):
            s.before[0, i], s.before[1, i] = s.height[i], s.time[i]
        s.before[2, 0], s.before[2, 1] = s.pedestal[0], s.pedestal[1]
        s.time[n] = half_height_time(s.residual, top, 0.5 * high, adc.period, adc.trigger_sample, shape.peak)
        s.height[n] = high
        if not _fit(n + 1, shape, adc, s) or not _is_one_more(n + 1, adc, s):
            for i in range(n):
                s.height[i], s.time[i] = s.before[0, i], s.before[1, i]
            s.pedestal[0], s.pedestal[1] = s.before[2, 0], s.before[2, 1]
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
        sound = n > 0 and _normal_equations(n, shape, adc, s)
        for i in range(n):
            out.waveform[total], out.height[total], out.time[total] = row, s.height[i], s.time[i]
            out.saturated[total], out.time_error[total] = saturated, np.inf
            if sound:  # the diagonal of the inverse
                s.step[: 2 + 2 * n] = 0.0
                s.step[3 + 2 * i] = 1.0
                _solve(s.normal, 2 + 2 * n, s.step)
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
        Of their pulses.
    adc : Digitizer
        The ADC.

    Returns
    -------
    Pulses
        None for a waveform without a sample far enough above its pedestal.
    """
    scratch = _scratch()
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
