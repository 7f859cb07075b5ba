"""Clusters on the strips of Micromegas (after de-multiplexing) and GEMs.

A Micromegas channel reads several strips, so every fired channel lights all of its strips; only true hits light
neighbours. Runs of neighbouring strips are clusters, isolated strips are dropped, and where two runs claim the
same channels the one with the larger charge wins (ghosts).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from na64mu.detector import Detector
from na64mu.detector.elements import Gem, Micromegas
from na64mu.events.batch import Jagged
from na64mu.typing import AnyArray, FloatArray, IntArray

__all__ = ("Clusters", "StripMap", "find_clusters", "gem_map", "micromegas_map")

MIN_STRIPS = 2  # smallest cluster (NA64 Micromegas clustering; E. Depero, thesis, chapter 2)
MAX_CLUSTERS = 64  # per plane and event; a plane has at most 960 strips and a cluster at least 2
SHARED_FRACTION = (
    0.5  # a run that owes more of its charge to a larger cluster's channels is a ghost, as is one without MIN_STRIPS of its own
)


@dataclass(frozen=True)
class StripMap:
    """Strips of the planes of one kind of detector; plane index = 2 * (module - 1) + view.

    Attributes
    ----------
    channel : IntArray
        Electronics channel of every strip, shape (n_planes, n_strips_max), -1 beyond the last strip.
    n_channels : int
        Largest number of channels of a plane.
    origin : FloatArray
        Coordinate of the centre of strip 0 [mm], shape (n_planes,).
    pitch : FloatArray
        Strip pitch [mm], shape (n_planes,).
    """

    channel: IntArray
    n_channels: int
    origin: FloatArray
    pitch: FloatArray


@dataclass(frozen=True)
class Clusters:
    """Clusters of a batch in order of event and plane; every array has shape (n_clusters,).

    Attributes
    ----------
    event, plane : IntArray
        Event of the batch; plane index = 2 * (module - 1) + view.
    position : FloatArray
        Charge-weighted centre along the strip axis [mm].
    charge : FloatArray
        Sum of the central samples [ADC].
    size : IntArray
        Number of strips.
    shared : FloatArray
        Fraction of its charge on channels that a larger cluster uses too.
    in_time : AnyArray
        True where the central sample is the largest of the three.
    """

    event: IntArray
    plane: IntArray
    position: FloatArray
    charge: FloatArray
    size: IntArray
    shared: FloatArray
    in_time: AnyArray


def _strip_map(planes: list[tuple[int, IntArray, float, float]]) -> StripMap:
    n_planes = max(p[0] for p in planes) + 1
    channel = np.full((n_planes, max(len(p[1]) for p in planes)), -1, dtype=np.int64)
    origin, pitch = np.zeros(n_planes), np.ones(n_planes)
    for index, strip_channel, centre, strip_pitch in planes:
        channel[index, : len(strip_channel)] = strip_channel
        origin[index] = centre - 0.5 * (len(strip_channel) - 1) * strip_pitch
        pitch[index] = strip_pitch
    return StripMap(channel, int(channel.max()) + 1, origin, pitch)


def micromegas_map(modules: tuple[Micromegas, ...]) -> StripMap:
    """Strips of all Micromegas planes, from the multiplexing multipliers of the description."""
    return _strip_map([(2 * (m.module - 1) + v, m.strip_channel(v), m.centre[v], m.pitch) for m in modules for v in (0, 1)])


def gem_map(modules: tuple[Gem, ...]) -> StripMap:
    """Strips of all GEM planes: every strip is its own channel."""
    return _strip_map([(2 * (m.module - 1) + v, np.arange(m.strips), m.centre[v], m.pitch) for m in modules for v in (0, 1)])


@numba.njit(cache=True, nogil=True)
def _find_runs(fired: FloatArray, strip_channel: IntArray, first: IntArray, last: IntArray, total: FloatArray) -> int:
    """Runs of at least MIN_STRIPS neighbouring fired strips: their first and last strip and their charge."""
    n = 0
    start = -1
    charge = 0.0
    for strip in range(len(strip_channel) + 1):
        channel = strip_channel[strip] if strip < len(strip_channel) else -1
        q = fired[channel] if channel >= 0 else 0.0
        if q > 0.0:
            if start < 0:
                start, charge = strip, 0.0
            charge += q
        elif start >= 0:
            if strip - start >= MIN_STRIPS and n < MAX_CLUSTERS:
                first[n], last[n], total[n] = start, strip - 1, charge
                n += 1
            start = -1
        if channel < 0:
            break
    return n


@numba.njit(cache=True, nogil=True)
def _cluster_events(  # type: ignore[no-untyped-def] # kernel over raw buffers; types stand in find_clusters
    offsets, plane, channel, q0, q1, q2, strip_channel, origin, pitch, n_channels, threshold, out_index, out
):
    """Fill out_index (event, plane, size) and out (position, charge, shared, early, late); return the number of clusters."""
    n_planes = strip_channel.shape[0]
    charge = np.zeros((n_planes, n_channels))
    early = np.zeros((n_planes, n_channels))
    late = np.zeros((n_planes, n_channels))
    rows = np.zeros(n_planes, dtype=np.int64)
    used = np.zeros(n_channels, dtype=np.bool_)
    first = np.empty(MAX_CLUSTERS, dtype=np.int64)
    last = np.empty(MAX_CLUSTERS, dtype=np.int64)
    total = np.empty(MAX_CLUSTERS)
    n_out = 0
    for event in range(len(offsets) - 1):
        for row in range(offsets[event], offsets[event + 1]):
            p, c = plane[row], channel[row]
            if p < n_planes and c < n_channels and q1[row] > threshold:
                charge[p, c] = q1[row]
                early[p, c] = q0[row]
                late[p, c] = q2[row]
                rows[p] += 1
        for p in range(n_planes):
            if rows[p] == 0:
                continue
            n = _find_runs(charge[p], strip_channel[p], first, last, total)
            used[:] = False
            for _ in range(n):
                best = 0
                for i in range(1, n):
                    if total[i] > total[best]:
                        best = i
                q_sum, q_used, moment, q_early, q_late, own = 0.0, 0.0, 0.0, 0.0, 0.0, 0
                for strip in range(first[best], last[best] + 1):
                    c = strip_channel[p, strip]
                    q = charge[p, c]
                    q_sum += q
                    moment += q * strip
                    q_early += early[p, c]
                    q_late += late[p, c]
                    if used[c]:
                        q_used += q
                    else:
                        own += 1
                total[best] = -1.0
                if own < MIN_STRIPS or q_used > SHARED_FRACTION * q_sum or n_out == len(out):
                    continue
                for strip in range(first[best], last[best] + 1):
                    used[strip_channel[p, strip]] = True
                out_index[n_out, 0], out_index[n_out, 1] = event, p
                out_index[n_out, 2] = last[best] - first[best] + 1
                out[n_out, 0] = origin[p] + pitch[p] * moment / q_sum
                out[n_out, 1], out[n_out, 2] = q_sum, q_used / q_sum
                out[n_out, 3], out[n_out, 4] = q_early, q_late
                n_out += 1
            rows[p] = 0
            charge[p, :] = 0.0
            early[p, :] = 0.0
            late[p, :] = 0.0
    return n_out


def find_clusters(digits: Jagged, strips: StripMap, noise: float, channel_field: str) -> Clusters:
    """Clusters of strips in every plane of every event.

    Parameters
    ----------
    digits : Jagged
        The `mm` or `gem` collection.
    strips : StripMap
        Strips of its planes.
    noise : float
        Noise of a channel [ADC]; a channel counts above two of it (E. Depero, thesis, chapter 2).
    channel_field : str
        "channel" (Micromegas) or "strip" (GEM).

    Returns
    -------
    Clusters
        In order of event and plane, larger charge first.
    """
    n_rows = len(digits[channel_field])
    plane = 2 * (digits["module"].astype(np.int64) - 1) + digits["view"].astype(np.int64)
    # a cluster has two strips or more, but one channel can serve several runs
    capacity = 5 * n_rows
    index, values = np.empty((capacity, 3), dtype=np.int64), np.empty((capacity, 5))
    n = _cluster_events(
        digits.offsets,
        plane,
        digits[channel_field].astype(np.int64),
        digits["q0"].astype(np.float64),
        digits["q1"].astype(np.float64),
        digits["q2"].astype(np.float64),
        strips.channel,
        strips.origin,
        strips.pitch,
        strips.n_channels,
        2.0 * noise,
        index,
        values,
    )
    index, values = index[:n], values[:n]
    in_time = (values[:, 1] >= values[:, 3]) & (values[:, 1] >= values[:, 4])
    return Clusters(index[:, 0], index[:, 1], values[:, 0], values[:, 1], index[:, 2], values[:, 2], in_time)


def micromegas_clusters(digits: Jagged, detector: Detector) -> Clusters:
    """Clusters of the `mm` collection; see find_clusters."""
    return find_clusters(digits, micromegas_map(detector.micromegas), detector.micromegas_response.noise, "channel")


def gem_clusters(digits: Jagged, detector: Detector) -> Clusters:
    """Clusters of the `gem` collection; see find_clusters."""
    return find_clusters(digits, gem_map(detector.gem), detector.gem_response.noise, "strip")
