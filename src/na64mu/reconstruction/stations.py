"""Hits per tracker station: clusters, doublets of wires, clusters of slabs."""

from __future__ import annotations

import numba
import numpy as np

from na64mu.detector import Detector
from na64mu.events.batch import Jagged, RawBatch
from na64mu.reconstruction.channels import TIME_WINDOW
from na64mu.reconstruction.hits import drift_time
from na64mu.reconstruction.strips import Clusters
from na64mu.typing import BoolArray, IntArray

__all__ = ("count_doublets", "station_hits")


def in_time_wires(straw: Jagged, detector: Detector) -> BoolArray:
    """Wires whose drift time lies between wire and wall, with a margin of TIME_WINDOW resolutions; noisy ones are not read.

    Parameters
    ----------
    straw : Jagged
        The `straw` collection.
    detector : Detector
        The description.

    Returns
    -------
    BoolArray
        Shape (n_rows,).
    """
    time = drift_time(straw, detector)
    good = np.zeros(len(time), dtype=np.bool_)
    for s in detector.straws:
        margin = TIME_WINDOW * s.sigma * s.drift_ns_per_mm
        mine = straw["module"] == s.module
        good |= mine & (time > -margin) & (time < s.inner_radius * s.drift_ns_per_mm + margin)
        for view, layer in ((0, 0), (0, 1), (1, 0), (1, 1)):
            noisy = detector.operation.of(f"st{s.module}_{'xy'[view]}{layer}").noisy
            if noisy:
                good &= ~(mine & (straw["view"] == view) & (straw["layer"] == layer) & np.isin(straw["wire"], noisy))
    return good


def in_time_slabs(bms: Jagged, detector: Detector) -> BoolArray:
    """Slabs of the beam momentum stations within TIME_WINDOW of their time resolution; noisy ones are not read.

    Parameters
    ----------
    bms : Jagged
        The `bms` collection.
    detector : Detector
        The description.

    Returns
    -------
    BoolArray
        Shape (n_rows,).
    """
    good = np.zeros(len(bms["time"]), dtype=np.bool_)
    for station in detector.bms:
        good |= (bms["station"] == station.station) & (np.abs(bms["time"]) < TIME_WINDOW * station.sigma_t)
        noisy = detector.operation.of(f"bms{station.station}").noisy
        if noisy:
            good &= ~((bms["station"] == station.station) & np.isin(bms["channel"], noisy))
    return good


@numba.njit(cache=True, nogil=True)
def _doublets(layers: BoolArray) -> int:
    """Particles in a view of two staggered layers: pairs of touching wires, or 1 if only single wires fired.

    A particle fires one wire of each layer; wire w of layer 0 touches wires w - 1 and w of layer 1.
    Single wires (noise, dead material between the tubes) are not counted beside a pair.
    """
    n_wires = layers.shape[1]
    pairs, single, used = 0, False, -1
    for w in range(n_wires):
        if layers[0, w]:
            partner = w - 1 if w > 0 and layers[1, w - 1] and used != w - 1 else w if layers[1, w] else -1
            if partner >= 0:
                pairs += 1
                used = partner
            else:
                single = True
        elif layers[1, w]:
            single = True
    return pairs if pairs > 0 else int(single)


@numba.njit(cache=True, nogil=True)
def count_doublets(offsets: IntArray, view: IntArray, layer: IntArray, wire: IntArray, good: BoolArray, n_wires: int) -> IntArray:
    """Particles per event in one straw chamber: the larger of its two views.

    Parameters
    ----------
    offsets : IntArray
        Rows of every event, shape (n_events + 1,).
    view, layer, wire : IntArray
        Digits of all chambers, shape (n_rows,).
    good : BoolArray
        Rows of this chamber that are in time, shape (n_rows,).
    n_wires : int
        Wires per layer, of the larger view.

    Returns
    -------
    IntArray
        Shape (n_events,).
    """
    counts = np.zeros(len(offsets) - 1, dtype=np.int64)
    fired = np.zeros((2, 2, n_wires), dtype=np.bool_)
    for event in range(len(counts)):
        any_row = False
        for row in range(offsets[event], offsets[event + 1]):
            if good[row] and wire[row] < n_wires:
                fired[view[row], layer[row], wire[row]] = True
                any_row = True
        if any_row:
            counts[event] = max(_doublets(fired[0]), _doublets(fired[1]))
            fired[:, :, :] = False
    return counts


def _slab_clusters(bms: Jagged, detector: Detector, n_events: int) -> dict[str, IntArray]:
    """Runs of neighbouring rows of slabs in time, per station."""
    good, event = in_time_slabs(bms, detector), bms.event_index
    counts = {}
    for station in detector.bms:
        mine = good & (bms["station"] == station.station) & (bms["channel"] < len(station.channel_row))
        row = station.channel_row[bms["channel"][mine]]
        key = np.unique(event[mine] * 1000 + row)  # far more than the rows of a station
        first = np.append(True, np.diff(key) > 1) if len(key) else np.zeros(0, dtype=np.bool_)
        counts[f"bms{station.station}"] = np.bincount(key[first] // 1000, minlength=n_events)
    return counts


def _cluster_counts(clusters: Clusters, module: int, n_events: int) -> IntArray:
    views = [
        np.bincount(clusters.event[clusters.in_time & (clusters.plane == 2 * (module - 1) + view)], minlength=n_events) for view in (0, 1)
    ]
    return np.maximum(views[0], views[1])


def station_hits(batch: RawBatch, mm: Clusters, gem: Clusters, detector: Detector) -> dict[str, IntArray]:
    """In-time hits of every tracker station: the larger of its two views.

    Parameters
    ----------
    batch : RawBatch
        Raw events.
    mm, gem : Clusters
        Clusters of the same batch.
    detector : Detector
        The description.

    Returns
    -------
    dict[str, IntArray]
        Station ("mm5", "st1", "bms3"...) -> hits, shape (n_events,).
    """
    n = len(batch)
    counts = _slab_clusters(batch.collections["bms"], detector, n)
    counts |= {f"mm{m.module}": _cluster_counts(mm, m.module, n) for m in detector.micromegas}
    counts |= {f"gem{g.module}": _cluster_counts(gem, g.module, n) for g in detector.gem}
    straw = batch.collections["straw"]
    good = in_time_wires(straw, detector)
    view, layer, wire = (straw[f].astype(np.int64) for f in ("view", "layer", "wire"))
    for s in detector.straws:
        counts[f"st{s.module}"] = count_doublets(straw.offsets, view, layer, wire, good & (straw["module"] == s.module), max(s.wires))
    return counts
