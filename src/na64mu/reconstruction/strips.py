"""Clusters on the strips of Micromegas (after de-multiplexing) and GEMs.

A Micromegas channel reads several strips, so every fired channel lights all of its strips; only true hits light
neighbours. Runs of neighbouring strips are clusters, isolated strips are dropped, and where two runs claim the
same channels the one with the larger charge wins (ghosts).

Channels that the conditions of the run call dead or noisy are not read. One of them between two strips that fired does not split
a cluster: it would be two hits of one particle. Its charge is taken from its neighbours.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np

from na64mu.detector import Detector
from na64mu.events.batch import Jagged
from na64mu.kernel import kernel
from na64mu.typing import AnyArray, BoolArray, FloatArray, IntArray

__all__ = ("Clusters", "StripMap", "find_clusters", "gem_clusters", "gem_map", "micromegas_clusters", "micromegas_map", "raw_columns")

MASKED = -2  # stands for the row of a channel that is not read
MIN_STRIPS = 2  # smallest cluster (NA64 Micromegas clustering; E. Depero, thesis, chapter 2)
SHARED_FRACTION = (
    0.5  # a run that owes more of its charge to a larger cluster's channels is a ghost, as is one without MIN_STRIPS of its own
)


class StripMap(NamedTuple):
    """Strips of the planes of one kind of detector; plane index = 2 * (module - 1) + view (a tuple: kernels take it).

    Attributes
    ----------
    channel : IntArray
        Electronics channel of every strip, shape (n_planes, n_strips + 2): strip s stands at s + 1, and n_channels,
        which never fires, where there is no strip.
    strips : IntArray
        Strips of every channel, shape (n_planes, n_channels, multiplexing), -1 beyond its last one.
    left, right : IntArray
        Channel of the strips beside each of them, n_channels where there is none, of the same shape.
    origin : FloatArray
        Coordinate of the centre of strip 0 [mm], shape (n_planes,).
    pitch : FloatArray
        Strip pitch [mm], shape (n_planes,).
    masked : BoolArray
        Channels that are not read, shape (n_planes, n_channels + 1); False for n_channels.
    """

    channel: IntArray
    strips: IntArray
    left: IntArray
    right: IntArray
    origin: FloatArray
    pitch: FloatArray
    masked: BoolArray


class Clusters(NamedTuple):
    """Clusters of a batch in order of event and plane, larger charge first; arrays but offsets have shape (n_clusters,).

    Attributes
    ----------
    offsets : IntArray
        Clusters of event e: offsets[e] : offsets[e + 1], shape (n_events + 1,).
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
    lender : IntArray
        The larger cluster whose channels it shares, its own number where it shares none.
    in_time : BoolArray
        True where the central sample is the largest of the three.
    """

    offsets: IntArray
    event: IntArray
    plane: IntArray
    position: FloatArray
    charge: FloatArray
    size: IntArray
    shared: FloatArray
    lender: IntArray
    in_time: BoolArray


def _strip_map(planes: list[tuple[int, IntArray, float, float]], masks: list[tuple[int, ...]]) -> StripMap:
    n_planes = max(p[0] for p in planes) + 1
    n_strips = max(len(p[1]) for p in planes)
    n_channels = 1 + max(int(p[1].max()) for p in planes)
    multiplexing = max(int(np.bincount(p[1]).max()) for p in planes)
    channel = np.full((n_planes, n_strips + 2), n_channels, dtype=np.int64)
    strips = np.full((n_planes, n_channels, multiplexing), -1, dtype=np.int64)
    origin, pitch = np.zeros(n_planes), np.ones(n_planes)
    for index, strip_channel, centre, strip_pitch in planes:
        channel[index, 1 : len(strip_channel) + 1] = strip_channel
        for c in np.unique(strip_channel):
            mine = np.flatnonzero(strip_channel == c)
            strips[index, c, : len(mine)] = mine
        origin[index] = centre - 0.5 * (len(strip_channel) - 1) * strip_pitch
        pitch[index] = strip_pitch
    plane = np.arange(n_planes)[:, None, None]
    left, right = (np.where(strips >= 0, channel[plane, strips + beside], n_channels) for beside in (0, 2))
    masked = np.zeros((n_planes, n_channels + 1), dtype=np.bool_)
    for (index, *_), channels in zip(planes, masks, strict=True):
        masked[index, list(channels)] = True
    return StripMap(channel, strips, left, right, origin, pitch, masked)


def _masks(detector: Detector, kind: str, modules: list[int]) -> list[tuple[int, ...]]:
    """Dead and noisy channels of both views of modules."""
    specials = [detector.operation.of(f"{kind}{module}_{view}") for module in modules for view in ("x", "y")]
    return [(*own.dead, *own.noisy) for own in specials]


@lru_cache(maxsize=8)
def micromegas_map(detector: Detector) -> StripMap:
    """Strips of all Micromegas planes, from the multiplexing multipliers of the description."""
    planes = [(2 * (m.module - 1) + v, m.strip_channel(v), m.centre[v], m.pitch) for m in detector.micromegas for v in (0, 1)]
    return _strip_map(planes, _masks(detector, "mm", [m.module for m in detector.micromegas]))


@lru_cache(maxsize=8)
def gem_map(detector: Detector) -> StripMap:
    """Strips of all GEM planes: every strip is its own channel."""
    planes = [(2 * (m.module - 1) + v, np.arange(m.strips), m.centre[v], m.pitch) for m in detector.gem for v in (0, 1)]
    return _strip_map(planes, _masks(detector, "gem", [m.module for m in detector.gem]))


def raw_columns(digits: Jagged, *fields: str) -> list[AnyArray]:
    """Columns of a collection as kernels take them: contiguous, writable, in their own types."""
    return [np.require(digits[f], requirements=["C", "W"]) for f in fields]


class _Digits(NamedTuple):
    """Rows of the `mm` or `gem` collection in the types of the raw tree; axis is its view (a name that kernels cannot have)."""

    module: AnyArray
    axis: AnyArray
    channel: AnyArray
    q0: AnyArray
    q1: AnyArray
    q2: AnyArray


class _Event(NamedTuple):
    """What the clustering of one event works on; cleared before the next.

    Attributes
    ----------
    row_of : IntArray
        Row of every channel that fired, MASKED if it is not read, else -1, shape (n_planes, n_channels + 1); the last channel
        stands for no strip.
    fired : IntArray
        Channels that fired, shape (n_planes, n_channels).
    n_fired : IntArray
        Their number, shape (n_planes,).
    user : IntArray
        Cluster that uses a channel of the plane at hand, else -1, shape (n_channels + 1,).
    first, last, total : IntArray and FloatArray
        Runs of the plane at hand: strips and charge, shape (n_strips // 2,).
    """

    row_of: IntArray
    fired: IntArray
    n_fired: IntArray
    user: IntArray
    first: IntArray
    last: IntArray
    total: FloatArray

    @classmethod
    def of(cls, strips: StripMap) -> Self:
        """Cleared arrays for a kind of detector."""
        n_planes, n_channels, _ = strips.strips.shape
        most = strips.channel.shape[1] // 2
        return cls(
            np.where(strips.masked, MASKED, -1).astype(np.int64),
            np.empty((n_planes, n_channels), dtype=np.int64),
            np.zeros(n_planes, dtype=np.int64),
            np.full(n_channels + 1, -1, dtype=np.int64),
            np.empty(most, dtype=np.int64),
            np.empty(most, dtype=np.int64),
            np.empty(most),
        )


@kernel
def _sort_by_plane(digits, begin, end, threshold, strip_map, event):  # type: ignore[no-untyped-def] # kernel
    """Note the row of every channel above threshold of one event."""
    n_planes, n_channels, _ = strip_map.strips.shape
    for row in range(begin, end):
        p, c = 2 * (np.int64(digits.module[row]) - 1) + np.int64(digits.axis[row]), np.int64(digits.channel[row])
        if 0 <= p < n_planes and c < n_channels and digits.q1[row] > threshold and event.row_of[p, c] != MASKED:
            if event.row_of[p, c] < 0:
                event.fired[p, event.n_fired[p]] = c
                event.n_fired[p] += 1
            event.row_of[p, c] = row


@kernel
def _clear(p, event):  # type: ignore[no-untyped-def] # kernel
    for k in range(event.n_fired[p]):
        event.row_of[p, event.fired[p, k]] = -1
        event.user[event.fired[p, k]] = -1
    event.n_fired[p] = 0


@kernel
def _find_runs(p, q1, strip_map, event):  # type: ignore[no-untyped-def] # kernel
    """Runs of at least MIN_STRIPS neighbouring fired strips, larger charge first; returns their number.

    Only the strips of fired channels are looked at: one whose left neighbour did not fire starts a run. A masked strip between two
    that fired belongs to it.
    """
    row_of, channel, first, last, total = event.row_of[p], strip_map.channel[p], event.first, event.last, event.total
    n = 0
    for k in range(event.n_fired[p]):
        c = event.fired[p, k]
        for copy in range(strip_map.strips.shape[2]):
            right, left = row_of[strip_map.right[p, c, copy]], row_of[strip_map.left[p, c, copy]]
            if right == -1 or left >= 0:
                continue
            start = end = strip_map.strips[p, c, copy]
            if right == MASKED and row_of[channel[start + 3]] < 0:
                continue
            if left == MASKED and row_of[channel[start - 1]] >= 0:
                continue
            charge = 0.0
            while True:
                row = row_of[channel[end + 1]]
                if row >= 0:
                    charge += q1[row]
                elif row != MASKED or row_of[channel[end + 2]] < 0:
                    break
                end += 1
            at = n
            while at > 0 and (total[at - 1] < charge or (total[at - 1] == charge and first[at - 1] > start)):
                first[at], last[at], total[at] = first[at - 1], last[at - 1], total[at - 1]
                at -= 1
            first[at], last[at], total[at] = start, end - 1, charge
            n += 1
    return n


@kernel
def _cluster(run, p, digits, strip_map, event, n, out):  # type: ignore[no-untyped-def] # kernel
    """Make cluster n of a run unless it is a ghost of larger clusters; returns the number of clusters."""
    first, last = event.first[run], event.last[run]
    charge, moment, bridged, early, late, shared, own, lender = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, n
    for strip in range(first, last + 1):
        c = strip_map.channel[p, strip + 1]
        row = event.row_of[p, c]
        if row == MASKED:  # the neighbours fired: the mean that a Gaussian has between them, but for its width
            before, after = event.row_of[p, strip_map.channel[p, strip]], event.row_of[p, strip_map.channel[p, strip + 2]]
            q = math.sqrt(np.float64(digits.q1[before]) * np.float64(digits.q1[after]))
            charge += q
            moment += q * strip
            bridged += q
            continue
        q = np.float64(digits.q1[row])
        charge += q
        moment += q * strip
        early += digits.q0[row]
        late += digits.q2[row]
        if event.user[c] >= 0:
            shared += q
            lender = event.user[c]
        else:
            own += 1
    if own < MIN_STRIPS or shared > SHARED_FRACTION * charge:
        return n
    for strip in range(first, last + 1):
        if event.row_of[p, strip_map.channel[p, strip + 1]] >= 0:
            event.user[strip_map.channel[p, strip + 1]] = n
    out.plane[n], out.size[n], out.lender[n] = p, last - first + 1, lender
    out.position[n] = strip_map.origin[p] + strip_map.pitch[p] * moment / charge
    out.charge[n], out.shared[n] = charge, shared / charge
    out.in_time[n] = charge - bridged >= early and charge - bridged >= late
    return n + 1


@kernel
def _cluster_events(offsets, digits, strip_map, threshold, event, out):  # type: ignore[no-untyped-def] # kernel
    """Clusters of all events; returns their number."""
    n = 0
    for e in range(len(offsets) - 1):
        _sort_by_plane(digits, offsets[e], offsets[e + 1], threshold, strip_map, event)
        for p in range(len(event.n_fired)):
            if event.n_fired[p] == 0:
                continue
            before = n
            for run in range(_find_runs(p, digits.q1, strip_map, event)):
                n = _cluster(run, p, digits, strip_map, event, n, out)
            for i in range(before, n):
                out.event[i] = e
            _clear(p, event)
        out.offsets[e + 1] = n
    return n


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
    columns = _Digits(*raw_columns(digits, "module", "view", channel_field, "q0", "q1", "q2"))
    most = len(columns.q1) // MIN_STRIPS  # every cluster has as many channels that no larger one uses
    offsets = np.zeros(len(digits.offsets), dtype=np.int64)
    event, plane, size, lender = np.empty((4, most), dtype=np.int64)
    position, charge, shared = np.empty((3, most))
    out = Clusters(offsets, event, plane, position, charge, size, shared, lender, np.empty(most, dtype=np.bool_))
    n = _cluster_events(digits.offsets, columns, strips, 2.0 * noise, _Event.of(strips), out)
    return Clusters(offsets, event[:n], plane[:n], position[:n], charge[:n], size[:n], shared[:n], lender[:n], out.in_time[:n])


def micromegas_clusters(digits: Jagged, detector: Detector) -> Clusters:
    """Clusters of the `mm` collection; see find_clusters."""
    return find_clusters(digits, micromegas_map(detector), detector.micromegas_response.noise, "channel")


def gem_clusters(digits: Jagged, detector: Detector) -> Clusters:
    """Clusters of the `gem` collection; see find_clusters."""
    return find_clusters(digits, gem_map(detector), detector.gem_response.noise, "strip")
