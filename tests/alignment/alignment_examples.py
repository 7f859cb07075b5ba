"""Hits of exact tracks through a description: scattering and resolution are drawn, nothing else is in the events."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from na64mu.alignment.sample import Sample
from na64mu.alignment.trajectory import follow, scattering, without_field
from na64mu.detector import Detector, load_detector
from na64mu.detector.elements import BmsStation, Straw
from na64mu.tracking.hits import Hits
from na64mu.tracking.spectrometer import spectrometer

BEAM = 1.0 / 160.0


@lru_cache(maxsize=1)
def true_detector() -> Detector:
    return load_detector("na64mu-2022")


def beam_states(number: int, n: int, rng: np.random.Generator, *, field: bool) -> np.ndarray:
    """Parameters at the first plane of beam muons with a round spot at the ECAL."""
    ms = spectrometer(true_detector(), number)
    states = np.zeros((n, 5))
    states[:, 4] = -BEAM / (1.0 + 0.0375 * rng.standard_normal(n))
    slopes = rng.normal(0.0, [2e-4, 3e-4], (n, 2))
    spot = rng.normal(0.0, 9.0, (n, 2))
    states[:, :2], states[:, 2:4] = spot + slopes * ms.z[0], slopes
    if number == 1 and field:  # on the path of the beam momentum through the stations upstream
        _, derivative = follow(np.array([[0.0, 0.0, 0.0, 0.0, -BEAM]]), ms)
        last, before = len(ms.planes) - 1, len(ms.planes) - 4
        path = derivative[0, :, 1, 4] * states[0, 4]
        slope = (path[last] - path[before]) / (ms.z[last] - ms.z[before])
        states[:, 3] -= slope * states[:, 4] / states[0, 4]
        states[:, 1] -= (path[last] + slope * (ms.z[0] - ms.z[last])) * states[:, 4] / states[0, 4]
    return states


def toy_sample(
    number: int, n: int, seed: int, described: Detector, *, truth: Detector | None = None, field: bool = True, efficiency: float = 1.0, noise: float = 0.0, t0: float = 0.0
) -> Sample:  # fmt: skip
    """Hits of n beam muons as `truth` makes them and `described` reads them; t0 is that of the straws in truth."""
    truth = true_detector() if truth is None else truth
    rng = np.random.default_rng(seed)
    ms = spectrometer(truth, number) if field else without_field(spectrometer(truth, number))
    states = beam_states(number, n, rng, field=field)
    position, _ = follow(states, ms)
    kicks = rng.standard_normal((n, len(ms.planes))) @ _root(scattering(ms)).T * np.abs(states[:, 4:5])
    rows = []  # event, plane, local coordinate, time, source
    for p, plane in enumerate(ms.planes):
        module = truth.trackers[plane.station]
        local = (position[:, p] - np.array(module.centre)) @ np.array(plane.direction) + kicks[:, p]
        across = (position[:, p] - np.array(module.centre)) @ np.array([-plane.direction[1], plane.direction[0]])
        alive = (rng.random(n) < efficiency) & (np.abs(across) < 90.0)
        time = np.full(n, np.nan)
        hits = [local + plane.sigma * rng.standard_normal(n)]
        if isinstance(module, BmsStation):
            row = np.rint((local - module.row_y[0] + module.centre[1]) / module.row_pitch)
            alive &= (row >= 0) & (row < len(module.row_y))
            hits = [module.row_y[np.clip(row, 0, len(module.row_y) - 1).astype(int)] - module.centre[1]]
        elif isinstance(module, Straw):
            first = module.wire_position(plane.view, plane.layer)[0] - module.centre[plane.view]
            wire = np.rint((local - first) / module.pitch)
            distance = np.abs(local - first - wire * module.pitch)
            alive &= distance < module.inner_radius
            time = t0 + module.drift_ns_per_mm * (distance + module.sigma * rng.standard_normal(n))
            radius = np.clip(time / module.drift_ns_per_mm, 0.0, module.inner_radius)
            hits = [first + wire * module.pitch + side * radius for side in (-1.0, 1.0)]
        number_of_hit = p * n + np.arange(n)
        rows += [np.column_stack([np.arange(n), np.full(n, p), u, time, number_of_hit])[alive] for u in hits]
        if noise and not isinstance(module, Straw | BmsStation):
            extra = np.flatnonzero(rng.random(n) < noise)
            u = rng.uniform(-35.0, 35.0, len(extra))
            rows.append(np.column_stack([extra, np.full(len(extra), p), u, np.full(len(extra), np.nan), 10**6 + extra * 50 + p]))
    table = np.concatenate(rows)
    table = table[np.lexsort((table[:, 2], table[:, 1], table[:, 0]))]
    event, plane_index = table[:, 0].astype(int), table[:, 1].astype(int)
    as_described = spectrometer(described, number)
    origin = np.array([np.dot(p.direction, described.trackers[p.station].centre) for p in as_described.planes])
    offsets = np.zeros(n * len(ms.planes) + 1, dtype=np.int64)
    np.cumsum(np.bincount(event * len(ms.planes) + plane_index, minlength=n * len(ms.planes)), out=offsets[1:])
    sigma = np.array([p.sigma for p in as_described.planes])[plane_index]
    hits_of_sample = Hits(offsets, table[:, 2] + origin[plane_index], sigma, table[:, 4].astype(np.int64))
    return Sample(described, number, field, hits_of_sample, table[:, 3])


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.clip(values, 0.0, None))
