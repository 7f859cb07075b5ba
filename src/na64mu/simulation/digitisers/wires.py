"""Straws: which wires fire, and when. Lengths mm, times ns."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.compiled.records import record_kind, records
from na64mu.detector import Detector
from na64mu.detector.elements import Straw
from na64mu.detector.readout import VIEWS, banks, modules_of
from na64mu.simulation.digitisers.digitiser import noisy_channels, padded
from na64mu.simulation.stream import Stream
from na64mu.typing import FloatArray, RecordArray

__all__ = ("ROW", "Wires", "build_wires", "chord_efficiency", "noise_wires", "read_wires")

#: A view of a chamber: module and axis (the view: a name that kernels cannot have), first wire of layer 0, distance of wires, shift and distance of the layers, wires per layer,
#: radius of the tubes, drift time per distance, resolution, efficiency, half length of the wires and their middle, start time.
VIEW = record_kind("module axis first pitch shift spacing n radius drift sigma efficiency half middle t0", n="i8")

#: A row of the collection.
ROW = record_kind("module axis layer wire time", "f4")


class Wires(NamedTuple):
    """The straw chambers of a set-up, view by view.

    Attributes
    ----------
    table : RecordArray
        Records of the kind VIEW, shape (n_views,).
    alive : FloatArray
        1 for a wire that lives, shape (n_views, 2 layers, most wires).
    noisy : RecordArray
        Records of the kind Noisy.
    clusters_per_mm : float
        Primary ionisation.
    noise_hits : float
        Mean number of noise hits per view.
    """

    table: RecordArray
    alive: FloatArray
    noisy: RecordArray
    clusters_per_mm: float
    noise_hits: float


def build_wires(detector: Detector) -> Wires:
    """The straw chambers of a set-up under its conditions."""
    rows: list[tuple[float, ...]] = []
    alive, firing = [], []
    for s in modules_of(detector, "straw"):
        assert isinstance(s, Straw)
        for v in s.views:
            for layer in (0, 1):
                bank = banks(detector)[f"{s.name}_{VIEWS[v]}{layer}"]
                alive.append(bank.alive.astype(np.float64))
                firing.append((len(rows), layer, bank.firing))
            first, tube = float(s.wire_position(v, 0)[0]), (s.inner_radius, s.drift_ns_per_mm, s.sigma, s.efficiency)
            along = 0.5 * s.wires[1 - v] * s.pitch, s.centre[1 - v]
            rows.append((s.module, v, first, s.pitch, s.layer_shift, s.layer_spacing, s.wires[v], *tube, *along, s.t0))
    table = padded(alive, 0.0)
    gas = detector.operation.straw_gas
    return Wires(
        records(rows, VIEW), table.reshape(len(rows), 2, -1), noisy_channels(firing), gas.clusters_per_mm, detector.medium.noise_hits
    )  # fmt: skip


@kernel
def chord_efficiency(distance: float, radius: float, slope: float, clusters_per_mm: float) -> float:
    """Probability that a track leaves at least one cluster of primary ionisation in a straw: 1 - exp(-n L).

    L = 2 sqrt(R^2 - d^2) sqrt(1 + slope^2) is the track's length in the tube: near the wall it is short.

    Parameters
    ----------
    distance : float
        Distance of the track from the wire [mm].
    radius : float
        Inner radius of the straw [mm].
    slope : float
        Slope of the track along the wire.
    clusters_per_mm : float
        Primary ionisation.

    Returns
    -------
    float
        0 outside the straw.
    """
    if distance >= radius:
        return 0.0
    length = 2.0 * math.sqrt((radius * radius - distance * distance) * (1.0 + slope * slope))
    return 1.0 - math.exp(-clusters_per_mm * length)


@kernel
def read_wires(
    wires: Wires,
    k: int,
    position: float,
    slope: float,
    along: float,
    slope_along: float,
    time: float,
    rows: RecordArray,
    n: int,
    rng: Stream,
) -> int:
    """The wires of both layers of view k that a track meets, as records of the kind ROW; returns the number of rows."""
    view = wires.table[k]
    if abs(along - view.middle) > view.half:
        return n
    for layer in range(2):
        at = position + (layer - 0.5) * view.spacing * slope
        first = view.first + layer * view.shift
        wire = math.floor((at - first) / view.pitch + 0.5)
        distance = abs(at - first - wire * view.pitch)
        if wire < 0 or wire >= view.n or distance >= view.radius:
            continue
        efficiency = view.efficiency * wires.alive[k, layer, wire]
        if rng.random() >= efficiency * chord_efficiency(distance, view.radius, slope_along, wires.clusters_per_mm):
            continue
        out = rows[n]
        out.module, out.axis, out.layer, out.wire = view.module, view.axis, layer, wire
        out.time = view.t0 + time + view.drift * (distance + view.sigma * rng.standard_normal())
        n += 1
    return n


@kernel
def _noise_hit(wires: Wires, k: int, layer: int, wire: int, rows: RecordArray, n: int, rng: Stream) -> int:
    view = wires.table[k]
    out = rows[n]
    out.module, out.axis, out.layer, out.wire = view.module, view.axis, layer, wire
    out.time = view.t0 + rng.random() * view.radius * view.drift
    return n + 1


@kernel
def noise_wires(wires: Wires, k: int, rows: RecordArray, n: int, rng: Stream) -> int:
    """Noise of view k: anywhere, and on its noisy wires; times anywhere between wire and wall. Returns the number of rows."""
    for _ in range(rng.poisson(wires.noise_hits)):
        layer, wire = int(rng.random() * 2.0), int(rng.random() * wires.table[k].n)
        if wires.alive[k, layer, wire] > 0.0:
            n = _noise_hit(wires, k, layer, wire, rows, n, rng)
    for j in range(len(wires.noisy)):
        noisy = wires.noisy[j]
        if noisy.plane == k:
            for _ in range(rng.poisson(noisy.rate)):
                n = _noise_hit(wires, k, noisy.layer, noisy.channel, rows, n, rng)
    return n
