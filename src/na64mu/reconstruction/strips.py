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

from na64mu.compiled.kernel import inlined_kernel, kernel
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.detector.readout import readout_planes
from na64mu.events.batch import Jagged
from na64mu.reconstruction.bit_sets import add, beside, lowest, run_length, without_lowest
from na64mu.typing import AnyArray, BoolArray, FloatArray, IntArray, WordArray

__all__ = ("Clusters", "StripMap", "find_clusters", "gem_clusters", "micromegas_clusters", "raw_columns", "strip_map")

MASKED = -2  # is the row of a channel that is not read
MIN_STRIPS = 2  # smallest cluster (NA64 Micromegas clustering; E. Depero, thesis, chapter 2)
SHARED_FRACTION = (
    0.5  # a run that shares more of its charge with the channels of a larger cluster is a ghost, as is one without MIN_STRIPS of its own
)


#: Numbers of strips and channels: maps of all planes stay in the fastest cache.
SmallArray = np.typing.NDArray[np.int16]


class StripMap(NamedTuple):
    """Strips of the planes of one kind of detector; plane index = 2 * (module - 1) + view (a tuple: kernels take it).

    Attributes
    ----------
    channel : SmallArray
        Electronics channel of every strip, shape (n_planes, n_strips + 2): strip s is at index s + 1, and n_channels,
        which never fires, where there is no strip.
    strips : SmallArray
        Strips of every channel, shape (n_planes, n_channels, multiplexing), -1 beyond its last one.
    origin : FloatArray
        Coordinate of the centre of strip 0 [mm], shape (n_planes,).
    pitch : FloatArray
        Strip pitch [mm], shape (n_planes,).
    masked : BoolArray
        Channels that are not read, shape (n_planes, n_channels + 1); False for n_channels.
    masked_strips : WordArray
        Their strips, one bit each, shape (n_planes, n_words).
    bridged : BoolArray
        Planes that have such channels, shape (n_planes,).
    """

    channel: SmallArray
    strips: SmallArray
    origin: FloatArray
    pitch: FloatArray
    masked: BoolArray
    masked_strips: WordArray
    bridged: BoolArray


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


@lru_cache(maxsize=16)
def strip_map(detector: Detector, kind: str) -> StripMap:
    """Strips of all planes of a kind ("mm", "gem"), from the channel that the description gives each of them.

    Parameters
    ----------
    detector : Detector
        The description.
    kind : str
        Collection of the raw tree.

    Returns
    -------
    StripMap
        Under the conditions of the description: dead and noisy channels are masked.
    """
    planes = [p for p in readout_planes(detector) if p.kind == kind]
    n_planes = 2 * max((p.number for p in planes), default=0)
    n_strips = max((len(p.channel) for p in planes), default=0)
    n_channels = 1 + max((int(p.channel.max()) for p in planes), default=-1)
    multiplexing = max((int(np.bincount(p.channel).max()) for p in planes), default=1)
    channel = np.full((n_planes, n_strips + 2), n_channels, dtype=np.int16)
    strips = np.full((n_planes, n_channels, multiplexing), -1, dtype=np.int16)
    origin, pitch = np.zeros(n_planes), np.ones(n_planes)
    masked, masked_strips = np.zeros((n_planes, n_channels + 1), dtype=np.bool_), np.zeros((n_planes, -(-n_strips // 64)), dtype=np.uint64)
    for p in planes:
        index, off = 2 * (p.number - 1) + p.view, (*p.bank.dead, *p.bank.noisy)
        channel[index, 1 : len(p.channel) + 1] = p.channel
        for c in np.unique(p.channel):
            mine = np.flatnonzero(p.channel == c)
            strips[index, c, : len(mine)] = mine
        origin[index], pitch[index] = p.coordinate[0], p.pitch
        masked[index, list(off)] = True
        for strip in np.flatnonzero(np.isin(p.channel, off)):
            add(masked_strips[index], int(strip))
    return StripMap(channel, strips, origin, pitch, masked, masked_strips, np.array([own.any() for own in masked], dtype=np.bool_))


def raw_columns(digits: Jagged, *fields: str) -> list[AnyArray]:
    """Columns of a collection as kernels take them: contiguous, writable, in their own types."""
    columns = (digits[f] for f in fields)
    return [c if c.flags.c_contiguous and c.flags.writeable else np.require(c, requirements=["C", "W"]) for c in columns]


class _Digits(NamedTuple):
    """Rows of the `mm` or `gem` collection in the types of the raw tree; axis is its view (a name that kernels cannot have)."""

    module: AnyArray
    axis: AnyArray
    channel: AnyArray
    q0: AnyArray
    q1: AnyArray
    q2: AnyArray


class _Event(NamedTuple):
    """Working arrays of the clustering of one event; they are not cleared before the next.

    Rows and clusters are numbered on and on, so what an earlier event or plane left behind has smaller numbers than the first of this one.

    Attributes
    ----------
    row_of : IntArray
        Latest row of every channel that fired, MASKED if it is not read, -1 at first, shape (n_planes, n_channels + 1); the last channel
        belongs to no strip.
    lit : WordArray
        Strips of the channels that fired, one bit each, shape (n_planes, n_words); 0 between events.
    bridges : WordArray
        Masked strips of the plane at hand between two that fired, shape (n_words,).
    seen : BoolArray
        Planes where a channel fired, shape (n_planes,).
    user : IntArray
        Latest cluster that uses a channel, shape (n_channels + 1,).
    first, last, total : IntArray and FloatArray
        Runs of the plane at hand: strips and charge, shape (n_strips // 2,).
    """

    row_of: IntArray
    lit: WordArray
    bridges: WordArray
    seen: BoolArray
    user: IntArray
    first: IntArray
    last: IntArray
    total: FloatArray

    @classmethod
    def of(cls, strips: StripMap) -> Self:
        """Arrays for a kind of detector."""
        n_planes, n_channels, _ = strips.strips.shape
        n_words, most = strips.masked_strips.shape[1], strips.channel.shape[1] // 2
        return cls(
            np.where(strips.masked, MASKED, -1).astype(np.int64),
            np.zeros((n_planes, n_words), dtype=np.uint64),
            np.empty(n_words, dtype=np.uint64),
            np.zeros(n_planes, dtype=np.bool_),
            np.full(n_channels + 1, -1, dtype=np.int64),
            np.empty(most, dtype=np.int64),
            np.empty(most, dtype=np.int64),
            np.empty(most),
        )


@inlined_kernel
def _light(digits, begin, end, threshold, strip_map, event):  # type: ignore[no-untyped-def] # kernel
    """Note the row of every channel above threshold of one event, and light its strips."""
    n_planes, n_channels, multiplexing = strip_map.strips.shape
    for row in range(begin, end):
        p, c = 2 * (np.int64(digits.module[row]) - 1) + np.int64(digits.axis[row]), np.int64(digits.channel[row])
        if 0 <= p < n_planes and c < n_channels and digits.q1[row] > threshold and event.row_of[p, c] != MASKED:
            if event.row_of[p, c] < begin:
                event.seen[p] = True
                for copy in range(multiplexing):
                    strip = np.int64(strip_map.strips[p, c, copy])
                    if strip >= 0:
                        add(event.lit[p], strip)
            event.row_of[p, c] = row


@inlined_kernel
def _bridge(lit, masked, bridges):  # type: ignore[no-untyped-def] # kernel
    """Light the masked strips between two that are lit."""
    for w in range(len(lit)):
        bridges[w] = masked[w] & beside(lit, w, True) & beside(lit, w, False)
    for w in range(len(lit)):
        lit[w] |= bridges[w]


@inlined_kernel
def _find_runs(p, q1, strip_map, event, begin):  # type: ignore[no-untyped-def] # kernel
    """Runs of at least MIN_STRIPS neighbouring lit strips, larger charge first; returns their number.

    A run starts at a lit strip whose upper neighbour is lit and whose lower one is not. A masked strip between two that fired
    belongs to it.
    """
    row_of, channel, first, last, total, lit = event.row_of[p], strip_map.channel[p], event.first, event.last, event.total, event.lit[p]
    n = 0
    for w in range(len(lit)):
        starts = lit[w] & beside(lit, w, False) & ~beside(lit, w, True)
        while starts != np.uint64(0):
            start = lowest(starts, w)
            starts = without_lowest(starts)
            end = start + run_length(lit, start)
            charge = 0.0
            for strip in range(start, end):
                row = row_of[channel[strip + 1]]
                if row >= begin:
                    charge += q1[row]
            at = n
            while at > 0 and (total[at - 1] < charge or (total[at - 1] == charge and first[at - 1] > start)):
                first[at], last[at], total[at] = first[at - 1], last[at - 1], total[at - 1]
                at -= 1
            first[at], last[at], total[at] = start, end - 1, charge
            n += 1
    return n


@inlined_kernel
def _cluster(run, p, digits, strip_map, event, begin, plane_begin, n, out):  # type: ignore[no-untyped-def] # kernel
    """Make cluster n of a run unless it is a ghost of larger clusters; returns the number of clusters.

    `begin` is the first row of the event, `plane_begin` the first cluster of the plane.
    """
    first, last = event.first[run], event.last[run]
    own, lender = 0, n
    for strip in range(first, last + 1):
        c = strip_map.channel[p, strip + 1]
        if event.user[c] >= plane_begin:
            lender = event.user[c]
        elif event.row_of[p, c] != MASKED:
            own += 1
    if own < MIN_STRIPS:
        return n
    charge, moment, bridged, early, late, shared = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for strip in range(first, last + 1):
        c = strip_map.channel[p, strip + 1]
        row = event.row_of[p, c]
        if row == MASKED:  # the neighbours fired: the mean that a Gaussian has between them, but for its width
            before, after = event.row_of[p, strip_map.channel[p, strip]], event.row_of[p, strip_map.channel[p, strip + 2]]
            q = math.sqrt(np.float64(digits.q1[before]) * np.float64(digits.q1[after]))
            bridged += q
        else:
            q = np.float64(digits.q1[row])
            early += digits.q0[row]
            late += digits.q2[row]
        if event.user[c] >= plane_begin:
            shared += q
        charge += q
        moment += q * strip
    if shared > SHARED_FRACTION * charge:
        return n
    for strip in range(first, last + 1):
        if event.row_of[p, strip_map.channel[p, strip + 1]] >= begin:
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
        begin = offsets[e]
        _light(digits, begin, offsets[e + 1], threshold, strip_map, event)
        for p in range(len(event.seen)):
            if not event.seen[p]:
                continue
            if strip_map.bridged[p]:
                _bridge(event.lit[p], strip_map.masked_strips[p], event.bridges)
            plane_begin = n
            for run in range(_find_runs(p, digits.q1, strip_map, event, begin)):
                n = _cluster(run, p, digits, strip_map, event, begin, plane_begin, n, out)
            for i in range(plane_begin, n):
                out.event[i] = e
            event.seen[p] = False
            for w in range(event.lit.shape[1]):
                event.lit[p, w] = 0
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


def micromegas_clusters(digits: Jagged, detector: DetectorLike) -> Clusters:
    """Clusters of the `mm` collection; see find_clusters."""
    detector = load_detector(detector)
    return find_clusters(digits, strip_map(detector, "mm"), detector.micromegas_response.noise, "channel")


def gem_clusters(digits: Jagged, detector: DetectorLike) -> Clusters:
    """Clusters of the `gem` collection; see find_clusters."""
    detector = load_detector(detector)
    return find_clusters(digits, strip_map(detector, "gem"), detector.gem_response.noise, "strip")
