"""Hits of a spectrometer: one coordinate on one measuring plane, from clusters, wires and slabs."""

from __future__ import annotations

import numpy as np

from na64mu.detector import Detector
from na64mu.events.batch import Jagged, RawBatch
from na64mu.reconstruction.strips import Clusters
from na64mu.tracking.hits import Hits
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("in_time_slabs", "in_time_wires", "spectrometer_hits")

TIME_WINDOW = 4.0  # standard deviations around the trigger time (NA64 analysis drivers cut at 4)
SHARED_ERROR = 2.0  # a cluster with channels of a larger one is pulled by up to a strip: its error is doubled


def in_time_wires(straw: Jagged, detector: Detector) -> BoolArray:
    """Wires whose drift time lies between wire and wall, with a margin of TIME_WINDOW resolutions.

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
    good = np.zeros(len(straw["time"]), dtype=np.bool_)
    for s in detector.straws:
        margin = TIME_WINDOW * s.sigma * s.drift_ns_per_mm
        mine = straw["module"] == s.module
        good |= mine & (straw["time"] > -margin) & (straw["time"] < s.inner_radius * s.drift_ns_per_mm + margin)
    return good


def in_time_slabs(bms: Jagged, detector: Detector) -> BoolArray:
    """Slabs of the beam momentum stations within TIME_WINDOW of their time resolution.

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
    return good


Column = tuple[IntArray, IntArray, FloatArray, FloatArray, IntArray]  # event, plane, u, sigma, source


def _slab_hits(digits: Jagged, detector: Detector, planes: dict[tuple[str, int, int], int]) -> list[Column]:
    good, event = in_time_slabs(digits, detector), digits.event_index
    columns = []
    for station in detector.bms:
        rows = np.flatnonzero(good & (digits["station"] == station.station) & (digits["channel"] < len(station.channel_row)))
        row = station.channel_row[digits["channel"][rows]]
        _, first = np.unique(event[rows] * 100_000 + row, return_index=True)  # slabs of one row measure the same y
        rows, row = rows[first], row[first]
        plane = planes[f"bms{station.station}", 1, 0]
        columns.append((event[rows], np.full(len(rows), plane), station.row_y[row], np.full(len(rows), station.sigma), rows))
    return columns


def _wire_hits(digits: Jagged, detector: Detector, planes: dict[tuple[str, int, int], int]) -> list[Column]:
    good, event = in_time_wires(digits, detector), digits.event_index
    columns = []
    for s in detector.straws:
        for view in (0, 1):
            for layer in (0, 1):
                plane = planes.get((f"st{s.module}", view, layer))
                if plane is None:
                    continue
                mine = (digits["module"] == s.module) & (digits["view"] == view) & (digits["layer"] == layer)
                rows = np.flatnonzero(good & mine & (digits["wire"] < s.wires[view]))
                radius = np.clip(digits["time"][rows] / s.drift_ns_per_mm, 0.0, s.inner_radius)
                wire = s.wire_position(view, layer)[digits["wire"][rows]]
                for side in (-1.0, 1.0):
                    u = wire + side * radius
                    columns.append((event[rows], np.full(len(rows), plane), u, np.full(len(rows), s.sigma), rows))
    return columns


def _cluster_hits(clusters: Clusters, station: str, modules: dict[int, float], planes: dict[tuple[str, int, int], int]) -> list[Column]:
    columns = []
    for module, sigma in modules.items():
        for view in (0, 1):
            rows = np.flatnonzero(clusters.in_time & (clusters.plane == 2 * (module - 1) + view))
            error = sigma * np.where(clusters.shared[rows] > 0.0, SHARED_ERROR, 1.0)
            plane = planes[f"{station}{module}", view, 0]
            columns.append((clusters.event[rows], np.full(len(rows), plane), clusters.position[rows], error, rows))
    return columns


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
        Sorted by event and plane.
    """
    planes = {(p.station, p.view, p.layer): i for i, p in enumerate(spectrometer.planes)}
    stations = {p.station for p in spectrometer.planes}
    columns = _wire_hits(batch.collections["straw"], detector, planes)
    if "bms1" in stations:
        columns += _slab_hits(batch.collections["bms"], detector, planes)
    columns += _cluster_hits(mm, "mm", {m.module: m.sigma for m in detector.micromegas if f"mm{m.module}" in stations}, planes)
    columns += _cluster_hits(gem, "gem", {g.module: g.sigma for g in detector.gem if f"gem{g.module}" in stations}, planes)
    event, plane, u, sigma, source = (np.concatenate(c) for c in zip(*columns, strict=True))
    u = u + np.array([p.offset for p in spectrometer.planes])[plane]
    n_planes = len(spectrometer.planes)
    key = event * n_planes + plane
    order = np.lexsort((u, key))  # by coordinate inside a plane: the order of the rows in the file does not matter
    offsets = np.zeros(len(batch) * n_planes + 1, dtype=np.int64)
    np.cumsum(np.bincount(key, minlength=len(batch) * n_planes), out=offsets[1:])
    return Hits(offsets, u[order].astype(np.float64), sigma[order].astype(np.float64), source[order].astype(np.int64))
