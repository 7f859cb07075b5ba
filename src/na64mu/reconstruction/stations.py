"""Hits per tracker station: clusters, doublets of wires, clusters of slabs."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.compiled.intrinsics import trailing_zeros
from na64mu.compiled.kernel import inlined_kernel, kernel
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.events.batch import Jagged, RawBatch
from na64mu.reconstruction.channels import TIME_WINDOW
from na64mu.reconstruction.hits import drift_time
from na64mu.reconstruction.strips import Clusters, raw_columns
from na64mu.typing import BoolArray, Float32Array, IntArray

__all__ = ("count_doublets", "in_time_slabs", "in_time_wires", "station_hits")

MODULES = 256  # numbers of modules and stations have 8 bits in the raw tree


class _Wires(NamedTuple):
    """Straw chambers by their number; times are in the type of the raw tree, which they are compared in.

    Attributes
    ----------
    low, high : Float32Array
        A drift time in time lies between them [ns]; NaN where there is no chamber, shape (MODULES,).
    n_wires : IntArray
        Wires per layer, of the larger view, shape (MODULES,).
    read : BoolArray
        Wires that are read, shape (n_modules, 2 views, 2 layers, n_wires).
    """

    low: Float32Array
    high: Float32Array
    n_wires: IntArray
    read: BoolArray


class _Slabs(NamedTuple):
    """Beam momentum stations by their number.

    Attributes
    ----------
    window : Float32Array
        Largest time [ns], NaN where there is no station, shape (MODULES,).
    row : IntArray
        Row of every slab, -1 beyond the last, shape (n_stations, n_channels).
    read : BoolArray
        Slabs that are read, of the same shape.
    """

    window: Float32Array
    row: IntArray
    read: BoolArray


@lru_cache(maxsize=8)
def _wires(detector: Detector) -> _Wires:
    low, high = np.full((2, MODULES), np.nan, dtype=np.float32)
    n_wires = np.zeros(MODULES, dtype=np.int64)
    for s in detector.straws:
        margin = TIME_WINDOW * s.sigma * s.drift_ns_per_mm
        low[s.module], high[s.module] = -margin, s.inner_radius * s.drift_ns_per_mm + margin
        n_wires[s.module] = max(s.wires)
    read = np.ones((1 + max((s.module for s in detector.straws), default=0), 2, 2, max(int(n_wires.max()), 1)), dtype=np.bool_)
    for s in detector.straws:
        for view, layer in ((0, 0), (0, 1), (1, 0), (1, 1)):
            read[s.module, view, layer, list(detector.operation.of(f"st{s.module}_{'xy'[view]}{layer}").noisy)] = False
    return _Wires(low, high, n_wires, read)


@lru_cache(maxsize=8)
def _slabs(detector: Detector) -> _Slabs:
    window = np.full(MODULES, np.nan, dtype=np.float32)
    shape = 1 + max((s.station for s in detector.bms), default=0), max((len(s.channel_row) for s in detector.bms), default=0)
    row, read = np.full(shape, -1, dtype=np.int64), np.ones(shape, dtype=np.bool_)
    for s in detector.bms:
        window[s.station] = TIME_WINDOW * s.sigma_t
        row[s.station, : len(s.channel_row)] = s.channel_row
        read[s.station, list(detector.operation.of(f"bms{s.station}").noisy)] = False
    return _Slabs(window, row, read)


@kernel
def _good_wires(module, view, layer, wire, time, wires, good):  # type: ignore[no-untyped-def] # kernel
    for i in range(len(good)):
        m, w = module[i], np.int64(wire[i])
        good[i] = wires.low[m] < time[i] < wires.high[m] and view[i] < 2 and layer[i] < 2
        if good[i] and w < wires.read.shape[3]:
            good[i] = wires.read[m, view[i], layer[i], w]


def in_time_wires(straw: Jagged, detector: DetectorLike) -> BoolArray:
    """Wires whose drift time lies between wire and wall, with a margin of TIME_WINDOW resolutions; noisy ones are not read.

    Parameters
    ----------
    straw : Jagged
        The `straw` collection.
    detector : Detector, str or Path
        The description.

    Returns
    -------
    BoolArray
        Shape (n_rows,).
    """
    detector = load_detector(detector)
    good = np.empty(len(straw["time"]), dtype=np.bool_)
    _good_wires(*raw_columns(straw, "module", "view", "layer", "wire"), drift_time(straw, detector), _wires(detector), good)
    return good


@kernel
def _good_slabs(station, channel, time, slabs, good):  # type: ignore[no-untyped-def] # kernel
    for i in range(len(good)):
        s, c = np.int64(station[i]), np.int64(channel[i])
        good[i] = abs(time[i]) < slabs.window[s] and (c >= slabs.read.shape[1] or slabs.read[s, c])


def in_time_slabs(bms: Jagged, detector: DetectorLike) -> BoolArray:
    """Slabs of the beam momentum stations within TIME_WINDOW of their time resolution; noisy ones are not read.

    Parameters
    ----------
    bms : Jagged
        The `bms` collection.
    detector : Detector, str or Path
        The description.

    Returns
    -------
    BoolArray
        Shape (n_rows,).
    """
    detector = load_detector(detector)
    good = np.empty(len(bms["time"]), dtype=np.bool_)
    _good_slabs(*raw_columns(bms, "station", "channel", "time"), _slabs(detector), good)
    return good


@inlined_kernel
def _is_set(bits, i):  # type: ignore[no-untyped-def] # kernel
    return (bits[i >> 6] >> np.uint64(i & 63)) & np.uint64(1) != np.uint64(0)


@inlined_kernel
def _set(bits, i):  # type: ignore[no-untyped-def] # kernel
    bits[i >> 6] |= np.uint64(1) << np.uint64(i & 63)


@inlined_kernel
def _doublets(layers):  # type: ignore[no-untyped-def] # kernel
    """Particles in a view of two staggered layers: pairs of touching wires, or 1 if only single wires fired.

    A particle fires one wire of each layer; wire w of layer 0 touches wires w - 1 and w of layer 1. Single wires (noise, dead
    material between the tubes) are not counted if there is a pair. Wires are bits, shape (2, n_words).
    """
    pairs, used, fired = 0, -1, False
    for k in range(layers.shape[1]):
        left = layers[0, k]
        fired |= (left | layers[1, k]) != np.uint64(0)
        while left != np.uint64(0):
            w = 64 * k + trailing_zeros(left)
            left &= left - np.uint64(1)
            partner = w - 1 if w > 0 and used != w - 1 and _is_set(layers[1], w - 1) else w if _is_set(layers[1], w) else -1
            if partner >= 0:
                pairs += 1
                used = partner
    return pairs if pairs > 0 else int(fired)


@kernel
def _count_doublets(offsets, module, view, layer, wire, good, n_wires, bits, seen, counts):  # type: ignore[no-untyped-def] # kernel
    """Particles per chamber and event; `bits` and `seen` are scratch of shape (n_modules, 2, 2, n_words) and (n_modules,), cleared."""
    for e in range(counts.shape[1]):
        for i in range(offsets[e], offsets[e + 1]):
            m, w = np.int64(module[i]), np.int64(wire[i])
            if good[i] and w < n_wires[m]:
                seen[m] = True
                _set(bits[m, view[i], layer[i]], w)
        for chamber in range(len(seen)):
            counts[chamber, e] = 0
            if seen[chamber]:
                counts[chamber, e] = max(_doublets(bits[chamber, 0]), _doublets(bits[chamber, 1]))
                bits[chamber, :, :, :] = np.uint64(0)
                seen[chamber] = False


def count_doublets(straw: Jagged, good: BoolArray, n_wires: IntArray) -> IntArray:
    """Particles per event in every straw chamber: the larger of its two views.

    Parameters
    ----------
    straw : Jagged
        The `straw` collection.
    good : BoolArray
        Rows that are in time, shape (n_rows,).
    n_wires : IntArray
        Wires per layer of every chamber, 0 where there is none, shape (n_modules,): more than the modules in the rows that are good.

    Returns
    -------
    IntArray
        Shape (n_modules, n_events).
    """
    n_modules, n_words = len(n_wires), max(1, -(-int(n_wires.max(initial=0)) // 64))
    counts = np.empty((n_modules, len(straw)), dtype=np.int64)
    bits, seen = np.zeros((n_modules, 2, 2, n_words), dtype=np.uint64), np.zeros(n_modules, dtype=np.bool_)
    _count_doublets(straw.offsets, *raw_columns(straw, "module", "view", "layer", "wire"), good, n_wires, bits, seen, counts)
    return counts


@kernel
def _count_slabs(offsets, station, channel, good, row, bits, counts):  # type: ignore[no-untyped-def] # kernel
    """Runs of neighbouring rows of slabs per station and event; `bits` is scratch of shape (n_stations, n_words)."""
    for e in range(counts.shape[1]):
        bits[:, :] = np.uint64(0)
        for i in range(offsets[e], offsets[e + 1]):
            s, c = np.int64(station[i]), np.int64(channel[i])
            if good[i] and c < row.shape[1] and row[s, c] >= 0:
                _set(bits[s], row[s, c])
        for place in range(len(bits)):
            counts[place, e] = 0
            before = np.uint64(0)  # the highest row of the word before
            for k in range(bits.shape[1]):
                first = bits[place, k] & ~(bits[place, k] << np.uint64(1) | before)
                before = bits[place, k] >> np.uint64(63)
                while first != np.uint64(0):
                    first &= first - np.uint64(1)
                    counts[place, e] += 1


def _slab_clusters(bms: Jagged, detector: Detector) -> dict[str, IntArray]:
    """Runs of neighbouring rows of slabs in time, per station."""
    row = _slabs(detector).row
    counts = np.empty((len(row), len(bms)), dtype=np.int64)
    bits = np.empty((len(row), int(row.max(initial=0)) // 64 + 1), dtype=np.uint64)
    _count_slabs(bms.offsets, *raw_columns(bms, "station", "channel"), in_time_slabs(bms, detector), row, bits, counts)
    return {f"bms{s.station}": counts[s.station] for s in detector.bms}


@kernel
def _count_clusters(clusters, views, counts):  # type: ignore[no-untyped-def] # kernel
    """Clusters in time per module and event, the larger of the two views; `views` is scratch of shape (2 * n_modules,)."""
    for e in range(counts.shape[1]):
        views[:] = 0
        for i in range(clusters.offsets[e], clusters.offsets[e + 1]):
            views[clusters.plane[i]] += clusters.in_time[i]
        for m in range(len(counts)):
            counts[m, e] = max(views[2 * m], views[2 * m + 1])


def _cluster_counts(kind: str, clusters: Clusters, modules: list[int]) -> dict[str, IntArray]:
    n_modules = max(modules, default=0)
    counts = np.empty((n_modules, len(clusters.offsets) - 1), dtype=np.int64)
    _count_clusters(clusters, np.empty(2 * n_modules, dtype=np.int64), counts)
    return {f"{kind}{m}": counts[m - 1] for m in modules}


def station_hits(batch: RawBatch, mm: Clusters, gem: Clusters, detector: DetectorLike) -> dict[str, IntArray]:
    """In-time hits of every tracker station: the larger of its two views.

    Parameters
    ----------
    batch : RawBatch
        Raw events.
    mm, gem : Clusters
        Clusters of the same batch.
    detector : Detector, str or Path
        The description.

    Returns
    -------
    dict[str, IntArray]
        Station ("mm5", "st1", "bms3"...) -> hits, shape (n_events,).
    """
    detector = load_detector(detector)
    counts = _slab_clusters(batch.collections["bms"], detector)
    counts |= _cluster_counts("mm", mm, [m.module for m in detector.micromegas])
    counts |= _cluster_counts("gem", gem, [g.module for g in detector.gem])
    straw, wires = batch.collections["straw"], _wires(detector)
    particles = count_doublets(straw, in_time_wires(straw, detector), wires.n_wires[: len(wires.read)])
    return counts | {f"st{s.module}": particles[s.module] for s in detector.straws}
