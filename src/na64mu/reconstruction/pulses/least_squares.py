"""Pedestals, heights and times of all pulses of a waveform by least squares. Times ns, samples ADC counts.

Parameters are the pedestals of even and odd samples, then height and time of every pulse. Samples at the ceiling of the ADC are
left out: a saturated pulse is measured on its flanks.
"""

from __future__ import annotations

from na64mu.compiled.kernel import kernel
from na64mu.detector.pulse import edge

__all__ = ("decompose", "fit", "normal_equations", "return_to", "solve")

PEDESTAL_PRIOR = 5.0  # counts that the pedestal may move in the fit: where pulses cover all samples it is not known better
ITERATIONS = 25
LARGEST_STEP = 8.0  # ns of a time in one iteration
PRECISION = 0.01  # ns at which the iterations end
LEAST_DAMPING = 0.01  # of a step after one that led away


@kernel
def decompose(normal, n):  # type: ignore[no-untyped-def] # kernel
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
def solve(normal, n, x):  # type: ignore[no-untyped-def] # kernel
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
def normal_equations(n, shape, adc, s):  # type: ignore[no-untyped-def] # kernel
    """Fill the normal equations of two pedestals and n pulses (height, time); returns the sum of squared residuals."""
    m = 2 + 2 * n
    s.step[:m], s.normal[:m, :m] = 0.0, 0.0
    weight, total = (adc.noise / PEDESTAL_PRIOR) ** 2, 0.0
    for p in range(2):
        off = s.start[p] - s.pedestal[p]
        s.normal[p, p], s.step[p] = weight, weight * off
        total += weight * off * off
    for k in range(len(s.value)):
        if not s.usable[k]:
            continue
        s.gradient[:m] = 0.0
        s.gradient[k % 2] = 1.0
        left, at = s.value[k] - s.pedestal[k % 2], (k - adc.trigger_sample) * adc.period
        for i in range(n):
            high, rate = edge(shape, at - s.time[i])
            s.gradient[2 + 2 * i], s.gradient[3 + 2 * i] = high, -s.height[i] * rate
            left -= s.height[i] * high
        total += left * left
        for a in range(m):
            if s.gradient[a] != 0.0:
                s.step[a] += s.gradient[a] * left
                for b in range(a + 1):
                    s.normal[a, b] += s.gradient[a] * s.gradient[b]
    return total


@kernel
def _move(n, s):  # type: ignore[no-untyped-def] # kernel
    """Keep the parameters and take the step, within limits; returns the largest change of a time."""
    largest = 0.0
    for p in range(2):
        s.kept.pedestal[p] = s.pedestal[p]
        s.pedestal[p] += s.step[p]
    for i in range(n):
        s.kept.height[i], s.kept.time[i] = s.height[i], s.time[i]
        s.height[i] = min(max(s.height[i] + s.step[2 + 2 * i], 0.3 * s.height[i]), 3.0 * s.height[i])
        change = min(max(s.step[3 + 2 * i], -LARGEST_STEP), LARGEST_STEP)
        s.time[i] += change
        largest = max(largest, abs(change))
    return largest


@kernel
def return_to(kept, n, s):  # type: ignore[no-untyped-def] # kernel
    """Parameters of n pulses as they were kept."""
    for p in range(2):
        s.pedestal[p] = kept.pedestal[p]
    for i in range(n):
        s.height[i], s.time[i] = kept.height[i], kept.time[i]


@kernel
def fit(n, shape, adc, s):  # type: ignore[no-untyped-def] # kernel
    """Pedestals and n pulses by least squares (Levenberg, Marquardt); False if there is no solution."""
    m, damping = 2 + 2 * n, 0.0
    chi2 = normal_equations(n, shape, adc, s)
    for _ in range(ITERATIONS):
        for a in range(m):
            s.normal[a, a] *= 1.0 + damping
        if not decompose(s.normal, m):
            return False
        solve(s.normal, m, s.step)
        largest = _move(n, s)
        after = normal_equations(n, shape, adc, s)
        if after > chi2:
            return_to(s.kept, n, s)
            if largest < PRECISION:
                return True
            damping = max(10.0 * damping, LEAST_DAMPING)
            normal_equations(n, shape, adc, s)
            continue
        chi2 = after
        if largest < PRECISION:
            return True
        damping = 0.1 * damping if damping > LEAST_DAMPING else 0.0
    return True
