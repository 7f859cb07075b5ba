"""Pixels of silicon planes: a hit is the centroid of a cluster of touching pixels, with an error that depends on its size."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.detector import Detector
from na64mu.detector.elements.pixels import PixelPlane
from na64mu.detector.readout import modules_of
from na64mu.events.batch import Jagged
from na64mu.reconstruction.hit_makers.hit_maker import MODULES, HitMaker, PlaneHits, is_in_time, planes_of, put, windows_of
from na64mu.reconstruction.strips import raw_columns
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("PIXELS", "PixelClusters", "PixelMap", "find_pixel_clusters", "pixel_map")

KIND = "pixel"
LARGEST = 3  # clusters of as many columns or rows or more have one error


class PixelMap(NamedTuple):
    """Pixel planes by the number of the module; a tuple: kernels take it.

    Attributes
    ----------
    plane : IntArray
        Planes of both views, -1 where there is no module, shape (MODULES, 2).
    first, pitch, offset : FloatArray
        Coordinate of column and row 0, their distance, and what turns a coordinate of the module into one along the plane's direction
        [mm], shape (MODULES, 2).
    sigma : FloatArray
        Error of a cluster of 0, 1, 2 ... columns or rows [mm], shape (MODULES, 2, LARGEST + 1).
    size : IntArray
        Columns and rows, shape (MODULES, 2).
    start : IntArray
        First pixel of every module in `read`, shape (MODULES,).
    read : BoolArray
        Pixels that are neither noisy nor dead, module by module, column by column.
    """

    plane: IntArray
    first: FloatArray
    pitch: FloatArray
    offset: FloatArray
    sigma: FloatArray
    size: IntArray
    start: IntArray
    read: BoolArray


class PixelClusters(NamedTuple):
    """Clusters in time of a batch, in order of event; arrays but offsets have shape (n_clusters,) or (n_clusters, 2 views).

    Attributes
    ----------
    offsets : IntArray
        Clusters of event e: offsets[e] : offsets[e + 1], shape (n_events + 1,).
    module : IntArray
        Number of the module.
    position : FloatArray
        Centroid in x and y, in the frame of the module [mm].
    size : IntArray
        Columns and rows that it reaches over.
    charge : FloatArray
        Sum [ADC].
    """

    offsets: IntArray
    module: IntArray
    position: FloatArray
    size: IntArray
    charge: FloatArray

    def first_of_all(self, n: int) -> PixelClusters:
        """The first n clusters."""
        return PixelClusters(self.offsets, self.module[:n], self.position[:n], self.size[:n], self.charge[:n])


@lru_cache(maxsize=8)
def pixel_map(detector: Detector) -> PixelMap:
    """The pixel planes of a set-up under its conditions."""
    plane, size, start = (
        np.full((MODULES, 2), -1, dtype=np.int64),
        np.zeros((MODULES, 2), dtype=np.int64),
        np.zeros(MODULES, dtype=np.int64),
    )
    first, pitch, offset = np.zeros((MODULES, 2)), np.ones((MODULES, 2)), np.zeros((MODULES, 2))
    sigma, read, n = np.zeros((MODULES, 2, LARGEST + 1)), [], 0
    for i, p in planes_of(detector, KIND):
        plane[p.number, p.view], size[p.number, p.view] = i, len(p.coordinate)
        first[p.number, p.view], pitch[p.number, p.view], offset[p.number, p.view] = p.coordinate[0], p.pitch, p.offset
        if p.view == 0:
            start[p.number] = n
            read.append(p.bank.read & p.bank.alive)
            n += p.bank.size
    for module in modules_of(detector, KIND):
        assert isinstance(module, PixelPlane)
        for view in (0, 1):
            sigma[module.module, view] = module.cluster_sigma(view)
    return PixelMap(plane, first, pitch, offset, sigma, size, start, np.concatenate([*read, np.empty(0, dtype=np.bool_)]))


@kernel
def _good_pixels(module, col, row, time, windows, pixels, good):  # type: ignore[no-untyped-def] # kernel
    """Rows in time, on pixels that exist and are read."""
    for i in range(len(good)):
        m, c, r = np.int64(module[i]), np.int64(col[i]), np.int64(row[i])
        known = c < pixels.size[m, 0] and r < pixels.size[m, 1] and is_in_time(time[i], windows, m)
        good[i] = known and pixels.read[pixels.start[m] + c * pixels.size[m, 1] + r]


@kernel
def _cluster_pixels(offsets, module, col, row, charge, good, pixels, todo, out):  # type: ignore[no-untyped-def] # kernel
    """Join good pixels of one module that touch, at corners too; `todo` is scratch of shape (n_rows,). Returns the number of clusters."""
    n = 0
    for event in range(len(offsets) - 1):
        begin, end = offsets[event], offsets[event + 1]
        for seed in range(begin, end):
            if not good[seed]:
                continue
            m = np.int64(module[seed])
            good[seed] = False
            todo[0], found, done = seed, 1, 0
            total, x, y = 0.0, 0.0, 0.0
            low_c, high_c, low_r, high_r = np.int64(col[seed]), np.int64(col[seed]), np.int64(row[seed]), np.int64(row[seed])
            while done < found:
                i = todo[done]
                done += 1
                c, r, q = np.int64(col[i]), np.int64(row[i]), np.float64(charge[i])
                total, x, y = total + q, x + q * c, y + q * r
                low_c, high_c, low_r, high_r = min(low_c, c), max(high_c, c), min(low_r, r), max(high_r, r)
                for j in range(begin, end):
                    if good[j] and module[j] == m and abs(np.int64(col[j]) - c) <= 1 and abs(np.int64(row[j]) - r) <= 1:
                        good[j] = False
                        todo[found] = j
                        found += 1
            if total <= 0.0:
                continue
            out.module[n], out.charge[n] = m, total
            out.position[n, 0] = pixels.first[m, 0] + pixels.pitch[m, 0] * x / total
            out.position[n, 1] = pixels.first[m, 1] + pixels.pitch[m, 1] * y / total
            out.size[n, 0], out.size[n, 1] = high_c - low_c + 1, high_r - low_r + 1
            n += 1
        out.offsets[event + 1] = n
    return n


def find_pixel_clusters(pixel: Jagged, detector: Detector) -> PixelClusters:
    """Clusters in time of the `pixel` collection.

    Parameters
    ----------
    pixel : Jagged
        The collection.
    detector : Detector
        The description.

    Returns
    -------
    PixelClusters
        In order of event.
    """
    module, col, row, charge, time = raw_columns(pixel, "module", "col", "row", "charge", "time")
    n, pixels = len(time), pixel_map(detector)
    good = np.empty(n, dtype=np.bool_)
    _good_pixels(module, col, row, time, windows_of(planes_of(detector, KIND), time), pixels, good)
    out = PixelClusters(
        np.zeros(len(pixel) + 1, dtype=np.int64), np.empty(n, dtype=np.int64), np.empty((n, 2)), np.empty((n, 2), dtype=np.int64), np.empty(n)
    )  # fmt: skip
    return out.first_of_all(
        _cluster_pixels(pixel.offsets, module, col, row, charge, good, pixels, np.empty(max(n, 1), dtype=np.int64), out)
    )


@kernel
def _pixel_hits(clusters, pixels, hits):  # type: ignore[no-untyped-def] # kernel
    """A hit in each view for every cluster; returns the number of hits."""
    n = 0
    for event in range(len(clusters.offsets) - 1):
        for i in range(clusters.offsets[event], clusters.offsets[event + 1]):
            m = clusters.module[i]
            for v in range(2):
                error = pixels.sigma[m, v, min(clusters.size[i, v], LARGEST)]
                n = put(hits, n, pixels.plane[m, v], clusters.position[i, v] + pixels.offset[m, v], error, i)
        hits.offsets[event + 1] = n
    return n


def _hits(clusters: PixelClusters, detector: Detector) -> PlaneHits:
    hits = PlaneHits.empty(len(clusters.offsets) - 1, 2 * len(clusters.module))
    return hits.first(_pixel_hits(clusters, pixel_map(detector), hits))


def _count(clusters: PixelClusters, detector: Detector) -> dict[str, IntArray]:
    n_events = len(clusters.offsets) - 1
    event = np.repeat(np.arange(n_events), np.diff(clusters.offsets))
    return {m.name: np.bincount(event[clusters.module == m.number], minlength=n_events) for m in modules_of(detector, KIND)}


PIXELS = HitMaker(("module", "col", "row", "charge", "time"), find_pixel_clusters, _hits, _count)
