"""Hits of a spectrometer: one coordinate on one measuring plane, from clusters, wires and slabs."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import inlined_kernel, kernel
from na64mu.detector import Detector
from na64mu.events.batch import Jagged, RawBatch
from na64mu.reconstruction.channels import TIME_WINDOW, channel_map
from na64mu.reconstruction.strips import Clusters, raw_columns
from na64mu.tracking.hits import Hits
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import AnyArray, FloatArray, IntArray

__all__ = ("drift_time", "is_drift_time", "spectrometer_hits")

SHARED_ERROR = 2.0  # a cluster with channels of a larger one is pulled by up to a strip: its error is doubled


@kernel
def is_drift_time(time: float, sigma: float, radius: float, drift: float) -> bool:
    """Whether a time [ns] lies between wire and wall, with a margin of TIME_WINDOW resolutions.

    Parameters
    ----------
    time : float
        Drift time [ns].
    sigma, radius : float
        Resolution and inner radius of the straw [mm].
    drift : float
        Drift time per distance [ns/mm].

    Returns
    -------
    bool
        True for a wire in time.
    """
    margin = TIME_WINDOW * sigma * drift
    return -margin < time < radius * drift + margin


def drift_time(straw: Jagged, detector: Detector) -> AnyArray:
    """Time from the passage of a particle to its signal on the wire [ns].

    Parameters
    ----------
    straw : Jagged
        The `straw` collection.
    detector : Detector
        The description, with the t0 of every chamber.

    Returns
    -------
    AnyArray
        Shape (n_rows,), in the type of the raw tree.
    """
    (time,) = raw_columns(straw, "time")
    t0 = np.zeros(256, dtype=time.dtype)  # modules are 8-bit numbers in the raw tree
    for s in detector.straws:
        t0[s.module] = s.t0
    return time - t0[straw["module"]] if t0.any() else time


class _Slabs(NamedTuple):
    """Rows of the `bms` collection in the types of the raw tree."""

    offsets: IntArray
    station: AnyArray
    channel: AnyArray
    time: AnyArray


class _Wires(NamedTuple):
    """Rows of the `straw` collection in the types of the raw tree; axis is its view (a name that kernels cannot have)."""

    offsets: IntArray
    module: AnyArray
    axis: AnyArray
    layer: AnyArray
    wire: AnyArray
    time: AnyArray


class _Columns(NamedTuple):
    """Hits of one event in any order."""

    plane: IntArray
    u: FloatArray
    sigma: FloatArray
    source: IntArray


@inlined_kernel
def _put(hits, n, plane, u, sigma, source):  # type: ignore[no-untyped-def] # kernel
    hits.plane[n], hits.u[n], hits.sigma[n], hits.source[n] = plane, u, sigma, source
    return n + 1


@inlined_kernel
def _put_slabs(slabs, event, channels, hits, n):  # type: ignore[no-untyped-def] # kernel
    """Slabs in time; slabs of one row measure the same y and count once."""
    begin = n
    for row in range(slabs.offsets[event], slabs.offsets[event + 1]):
        s, c = np.int64(slabs.station[row]), np.int64(slabs.channel[row])
        if s >= len(channels.slab_plane) or c >= channels.slab_u.shape[1] or math.isnan(channels.slab_u[s, c]):
            continue
        p = channels.slab_plane[s]
        if p < 0 or abs(slabs.time[row]) >= channels.slab_window[s]:
            continue
        u, known = channels.slab_u[s, c] + channels.offset[p], False
        for i in range(begin, n):
            known |= hits.plane[i] == p and hits.u[i] == u
        if not known:
            n = _put(hits, n, p, u, channels.slab_sigma[s], row)
    return n


@inlined_kernel
def _put_wires(wires, event, channels, hits, n):  # type: ignore[no-untyped-def] # kernel
    """Both sides of the wires in time."""
    for row in range(wires.offsets[event], wires.offsets[event + 1]):
        m, wire = np.int64(wires.module[row]), np.int64(wires.wire[row])
        if m >= len(channels.wire_sigma) or wire >= channels.wire_u.shape[3] or wires.axis[row] > 1 or wires.layer[row] > 1:
            continue
        p = channels.wire_plane[m, wires.axis[row], wires.layer[row]]
        centre = channels.wire_u[m, wires.axis[row], wires.layer[row], wire]
        if (
            p < 0
            or math.isnan(centre)
            or not is_drift_time(wires.time[row], channels.wire_sigma[m], channels.wire_radius[m], channels.wire_drift[m])
        ):
            continue
        radius = min(max(wires.time[row] / channels.wire_drift[m], 0.0), channels.wire_radius[m])
        for side in (-1.0, 1.0):
            n = _put(hits, n, p, centre + side * radius + channels.offset[p], channels.wire_sigma[m], row)
    return n


@inlined_kernel
def _put_clusters(clusters, event, planes, channels, hits, n):  # type: ignore[no-untyped-def] # kernel
    """Clusters in time; one that shares channels with a larger one has no hit of its own: it counts as the larger one's."""
    for i in range(clusters.offsets[event], clusters.offsets[event + 1]):
        p = planes[clusters.plane[i]]
        if p >= 0 and clusters.in_time[i]:
            sigma = channels.sigma[p] * (SHARED_ERROR if clusters.shared[i] > 0.0 else 1.0)
            n = _put(hits, n, p, clusters.position[i] + channels.offset[p], sigma, clusters.lender[i])
    return n


@inlined_kernel
def _sort(hits, n, begin, offsets, filled, out):  # type: ignore[no-untyped-def] # kernel
    """Write the n hits of an event from `begin` on, by plane and in a plane by coordinate; offsets of shape (n_planes + 1,)."""
    offsets[0], offsets[1:], filled[:] = begin, 0, 0
    for i in range(n):
        offsets[hits.plane[i] + 1] += 1
    for p in range(len(filled)):
        offsets[p + 1] += offsets[p]
    for i in range(n):
        p = hits.plane[i]
        at = offsets[p] + filled[p]
        while at > offsets[p] and out.u[at - 1] > hits.u[i]:
            out.u[at], out.sigma[at], out.source[at] = out.u[at - 1], out.sigma[at - 1], out.source[at - 1]
            at -= 1
        out.u[at], out.sigma[at], out.source[at] = hits.u[i], hits.sigma[i], hits.source[i]
        filled[p] += 1


@kernel
def _hits_of_events(slabs, wires, mm, gem, channels, hits, filled, out):  # type: ignore[no-untyped-def] # kernel
    """Hits of all events, sorted; returns their number."""
    n_planes = len(channels.sigma)
    total = 0
    for event in range(len(slabs.offsets) - 1):
        n = _put_slabs(slabs, event, channels, hits, 0)
        n = _put_wires(wires, event, channels, hits, n)
        n = _put_clusters(mm, event, channels.mm_plane, channels, hits, n)
        n = _put_clusters(gem, event, channels.gem_plane, channels, hits, n)
        _sort(hits, n, total, out.offsets[event * n_planes : (event + 1) * n_planes + 1], filled, out)
        total += n
    return total


class _Sorted(NamedTuple):
    """Arrays of Hits to fill."""

    offsets: IntArray
    u: FloatArray
    sigma: FloatArray
    source: IntArray


def spectrometer_hits(batch: RawBatch, mm: Clusters, gem: Clusters, detector: Detector, spectrometer: Spectrometer) -> Hits:
    """All in-time hits of one spectrometer.

    Parameters
    ----------
    batch : RawBatch
        Raw events; its `bms` and `straw` collections are used.
    mm, gem : Clusters
        Clusters of the same batch.
    detector : Detector
        The description.
    spectrometer : Spectrometer
        MS1 or MS2 of the same description.

    Returns
    -------
    Hits
        Sorted by event and plane, in a plane by coordinate: the order of the rows in the file does not matter.
    """
    bms, straw = batch.collections["bms"], batch.collections["straw"]
    station, channel, time = raw_columns(bms, "station", "channel", "time")
    slabs = _Slabs(bms.offsets, station, channel, time)
    module, view, layer, wire = raw_columns(straw, "module", "view", "layer", "wire")
    wires = _Wires(straw.offsets, module, view, layer, wire, drift_time(straw, detector))
    rows = bms.offsets + 2 * straw.offsets + mm.offsets + gem.offsets  # a wire makes two hits
    most, one = int(rows[-1]), int(np.diff(rows).max(initial=0))
    scratch = _Columns(np.empty(one, dtype=np.int64), np.empty(one), np.empty(one), np.empty(one, dtype=np.int64))
    offsets = np.zeros(len(batch) * len(spectrometer.planes) + 1, dtype=np.int64)
    out = _Sorted(offsets, np.empty(most), np.empty(most), np.empty(most, dtype=np.int64))
    filled = np.empty(len(spectrometer.planes), dtype=np.int64)
    n = _hits_of_events(slabs, wires, mm, gem, channel_map(detector, spectrometer), scratch, filled, out)
    return Hits(offsets, out.u[:n], out.sigma[:n], out.source[:n])
