"""Wires of the straw chambers: both sides of every wire in time are hits; pairs of touching wires are counted as one particle."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import inlined_kernel, kernel
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.detector.elements import Straw
from na64mu.detector.readout import modules_of
from na64mu.events.batch import Jagged
from na64mu.reconstruction.bit_sets import add, has, lowest, without_lowest, words
from na64mu.reconstruction.hit_makers.hit_maker import MODULES, HitMaker, PlaneHits, is_in_time, planes_of, put, windows_of
from na64mu.reconstruction.strips import raw_columns
from na64mu.typing import AnyArray, BoolArray, FloatArray, IntArray

__all__ = ("WIRES", "WireMap", "count_doublets", "drift_time", "in_time_wires", "wire_map")

KIND = "straw"


class WireMap(NamedTuple):
    """Wires of all chambers, by the number of the module; a tuple: kernels take it.

    Attributes
    ----------
    plane : IntArray
        Plane of every layer, -1 where there is none, shape (n_modules, 2 views, 2 layers).
    u : FloatArray
        Coordinate of every wire [mm], NaN where it is not read and beyond the last, shape (n_modules, 2, 2, n_wires).
    sigma, radius, drift : FloatArray
        Resolution [mm], inner radius [mm] and drift time [ns/mm] of a module, shape (n_modules,).
    n_wires : IntArray
        Wires per layer, of the larger view, 0 where there is no chamber, shape (n_modules,).
    """

    plane: IntArray
    u: FloatArray
    sigma: FloatArray
    radius: FloatArray
    drift: FloatArray
    n_wires: IntArray


class _Found(NamedTuple):
    """Rows of the `straw` collection in the types of the raw tree, and those that are in time and read; axis is the view, a name that kernels cannot have."""

    offsets: IntArray
    module: AnyArray
    axis: AnyArray
    layer: AnyArray
    wire: AnyArray
    time: AnyArray
    good: BoolArray


@lru_cache(maxsize=8)
def wire_map(detector: Detector) -> WireMap:
    """Wires of all chambers of a set-up under its conditions."""
    planes = planes_of(detector, KIND)
    n = 1 + max((p.number for _, p in planes), default=-1)
    most = max((len(p.coordinate) for _, p in planes), default=0)
    found = WireMap(
        np.full((n, 2, 2), -1, dtype=np.int64), np.full((n, 2, 2, most), np.nan), np.zeros(n), np.zeros(n), np.ones(n), np.zeros(n, np.int64)
    )  # fmt: skip
    for i, p in planes:
        found.plane[p.number, p.view, p.layer] = i
        found.u[p.number, p.view, p.layer, : len(p.coordinate)] = p.read_coordinate
        found.n_wires[p.number] = max(found.n_wires[p.number], len(p.coordinate))
    for s in modules_of(detector, KIND):
        assert isinstance(s, Straw)
        found.sigma[s.module], found.radius[s.module], found.drift[s.module] = s.sigma, s.inner_radius, s.drift_ns_per_mm
    return found


def drift_time(straw: Jagged, detector: DetectorLike) -> AnyArray:
    """Time from the passage of a particle to its signal on the wire [ns].

    Parameters
    ----------
    straw : Jagged
        The `straw` collection.
    detector : Detector, str or Path
        The description, with the t0 of every chamber.

    Returns
    -------
    AnyArray
        Shape (n_rows,), in the type of the raw tree.
    """
    detector = load_detector(detector)
    (time,) = raw_columns(straw, "time")
    t0 = np.zeros(MODULES, dtype=time.dtype)
    for s in detector.straws:
        t0[s.module] = s.t0
    return time - t0[straw["module"]] if t0.any() else time


@kernel
def _good_wires(found, windows, wires):  # type: ignore[no-untyped-def] # kernel
    for i in range(len(found.good)):
        m, w = np.int64(found.module[i]), np.int64(found.wire[i])
        good = is_in_time(found.time[i], windows, m) and found.axis[i] < 2 and found.layer[i] < 2
        found.good[i] = good and w < wires.u.shape[3] and not math.isnan(wires.u[m, found.axis[i], found.layer[i], w])


def _find(straw: Jagged, detector: Detector) -> _Found:
    time = drift_time(straw, detector)
    module, axis, layer, wire = raw_columns(straw, "module", "view", "layer", "wire")
    found = _Found(straw.offsets, module, axis, layer, wire, time, np.empty(len(time), dtype=np.bool_))
    _good_wires(found, windows_of(planes_of(detector, KIND), time), wire_map(detector))
    return found


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
    return _find(straw, load_detector(detector)).good


@kernel
def _wire_hits(found, wires, offset, hits):  # type: ignore[no-untyped-def] # kernel
    """Both sides of every good wire; returns the number of hits."""
    n = 0
    for event in range(len(found.offsets) - 1):
        for row in range(found.offsets[event], found.offsets[event + 1]):
            if found.good[row]:
                m, axis, layer = np.int64(found.module[row]), found.axis[row], found.layer[row]
                p, centre = wires.plane[m, axis, layer], wires.u[m, axis, layer, np.int64(found.wire[row])]
                radius = min(max(found.time[row] / wires.drift[m], 0.0), wires.radius[m])
                for side in (-1.0, 1.0):
                    n = put(hits, n, p, centre + side * radius + offset[p], wires.sigma[m], row)
        hits.offsets[event + 1] = n
    return n


def _hits(found: _Found, detector: Detector) -> PlaneHits:
    hits = PlaneHits.empty(len(found.offsets) - 1, 2 * len(found.good))
    planes = planes_of(detector, KIND)
    offset = np.zeros(1 + max((i for i, _ in planes), default=-1))
    for i, p in planes:
        offset[i] = p.offset
    return hits.first(_wire_hits(found, wire_map(detector), offset, hits))


@inlined_kernel
def _doublets(first, second):  # type: ignore[no-untyped-def] # kernel
    """Particles in a view of two staggered layers: pairs of touching wires, or 1 if only single wires fired.

    A particle fires one wire of each layer; wire w of layer 0 touches wires w - 1 and w of layer 1. Single wires (noise, dead
    material between the tubes) are not counted if there is a pair. The wires of a layer are a set of bits.
    """
    pairs, used, fired = 0, -1, False
    for k in range(len(first)):
        left = first[k]
        fired |= (left | second[k]) != np.uint64(0)
        while left != np.uint64(0):
            w = lowest(left, k)
            left = without_lowest(left)
            partner = w - 1 if w > 0 and used != w - 1 and has(second, w - 1) else w if has(second, w) else -1
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
                add(bits[m, view[i], layer[i]], w)
        for chamber in range(len(seen)):
            counts[chamber, e] = 0
            if seen[chamber]:
                most = 0
                for v in range(bits.shape[1]):
                    most = max(most, _doublets(bits[chamber, v, 0], bits[chamber, v, 1]))
                counts[chamber, e] = most
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
    n_modules, n_words = len(n_wires), words(int(n_wires.max(initial=0)))
    counts = np.empty((n_modules, len(straw)), dtype=np.int64)
    bits, seen = np.zeros((n_modules, 2, 2, n_words), dtype=np.uint64), np.zeros(n_modules, dtype=np.bool_)
    _count_doublets(straw.offsets, *raw_columns(straw, "module", "view", "layer", "wire"), good, n_wires, bits, seen, counts)
    return counts


def _count(found: _Found, detector: Detector) -> dict[str, IntArray]:
    """Particles per chamber, the larger of its two views."""
    fields = {"module": found.module, "view": found.axis, "layer": found.layer, "wire": found.wire}
    particles = count_doublets(Jagged(found.offsets, fields), found.good, wire_map(detector).n_wires)
    return {module.name: particles[module.number] for module in modules_of(detector, KIND)}


WIRES = HitMaker(("module", "view", "layer", "wire", "time"), _find, _hits, _count)
