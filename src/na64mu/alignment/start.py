"""Where modules are before any track is found: differences of hits on pairs of planes, and the path of the beam through most of them.

The middle of u_i - u_j over events with one hit on both planes does not need a track. Beam particles have on average a straight path, or the bent
one of some momentum: three numbers, fitted to the differences with the least sum of absolute values, so that a few modules that are far off stay
far off and do not move the others.
"""

from __future__ import annotations

import numpy as np

from na64mu.alignment.gauge import least_absolute
from na64mu.alignment.parameters import FreeParameters
from na64mu.alignment.sample import Sample
from na64mu.detector import Detector
from na64mu.tracking.spectrometer import Spectrometer, bending_integral
from na64mu.typing import BoolArray, FloatArray

__all__ = ("far_modules", "pair_differences")

FAR = 1.5  # survey errors, and mm: the windows of the track search are wide enough for less
SIGNIFICANT = 5.0
MIN_PAIRS = 100


def _single(sample: Sample, detector: Detector) -> FloatArray:
    """Coordinate on every plane of events with one hit there [mm], NaN without, shape (n_events, n_planes); of a wire the wire itself."""
    ms = sample.planes(detector)
    n_planes = len(ms.planes)
    sides = np.array([2 if p.two_sided else 1 for p in ms.planes])
    u = sample.hits_of(detector).u
    first, counts = sample.hits.offsets[:-1].reshape(-1, n_planes), np.diff(sample.hits.offsets).reshape(-1, n_planes)
    last = np.minimum(first + counts - 1, len(u) - 1)
    middle = 0.5 * (u[np.minimum(first, len(u) - 1)] + u[last])
    return np.where(counts == sides, middle, np.nan)


def pair_differences(single: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Median of every coordinate over that of one plane of the same view, and its error.

    Parameters
    ----------
    single : FloatArray
        Coordinates of the planes of one view [mm], NaN without a hit, shape (n_events, n_planes).

    Returns
    -------
    difference, error : FloatArray
        [mm], shape (n_planes,); NaN with fewer than MIN_PAIRS events.
    """
    reference = int(np.argmax(np.isfinite(single).sum(axis=0)))
    off = single - single[:, reference : reference + 1]
    difference, error = np.full(off.shape[1], np.nan), np.full(off.shape[1], np.nan)
    for p in range(off.shape[1]):
        own = off[np.isfinite(off[:, p]), p]
        if len(own) >= MIN_PAIRS:
            low, difference[p], high = np.percentile(own, [15.87, 50.0, 84.13])
            error[p] = 1.2533 * 0.5 * (high - low) / np.sqrt(len(own))
    return difference, error


def _paths(ms: Spectrometer, chosen: BoolArray, view: int) -> FloatArray:
    """What the path of the mean particle is made of at the planes of a view, shape (n_planes, 2 or 3)."""
    z = ms.z[chosen]
    paths = [np.ones_like(z), (z - z.mean()) / max(np.ptp(z), 1.0)]
    if ms.bend_view == view:
        path = bending_integral(z, ms)
        paths.append(path / max(np.abs(path).max(), 1e-12))
    return np.column_stack(paths)


def far_modules(sample: Sample, detector: Detector, parameters: FreeParameters) -> FloatArray:
    """First corrections of modules that are so far off that no track would be found through them.

    Parameters
    ----------
    sample : Sample
        Some thousand events.
    detector : Detector
        The description.
    parameters : FreeParameters
        What may move.

    Returns
    -------
    FloatArray
        Correction of every parameter [mm or rad], 0 where none is needed, shape (g,).
    """
    correction = np.zeros(len(parameters))
    if not len(sample.hits.u):
        return correction
    ms, single = sample.planes(detector), _single(sample, detector)
    index = {key: j for j, key in enumerate(parameters.free)}
    for view, component in ((0, "dx"), (1, "dy")):
        chosen = np.array([p.view == view for p in ms.planes])
        if not chosen.any():
            continue
        difference, error = pair_differences(single[:, chosen])
        paths, known = _paths(ms, chosen, view), np.isfinite(difference)
        if np.count_nonzero(known) <= paths.shape[1]:
            continue
        amplitude = least_absolute(difference[known], paths[known])
        off = difference + paths @ amplitude
        stations = [p.station for p, c in zip(ms.planes, chosen, strict=True) if c]
        for name in dict.fromkeys(stations):
            own = np.array([s == name for s in stations]) & known
            j = index.get((parameters.modules.index(name), component), -1)
            if j >= 0 and own.any():
                value, uncertain = float(np.mean(off[own])), float(np.max(error[own]))
                if abs(value) > max(FAR, FAR * parameters.survey[j], SIGNIFICANT * uncertain):
                    correction[j] = -value
    return correction
