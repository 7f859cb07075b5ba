"""Straws and the slabs of the beam momentum stations: which wire or slab fires, and when. Lengths mm, times ns."""

from __future__ import annotations

import math

from na64mu.compiled.kernel import kernel
from na64mu.simulation.readout import Readout
from na64mu.simulation.stream import Stream
from na64mu.typing import Float32Array, FloatArray

__all__ = ("chord_efficiency", "noise_slabs", "noise_wires", "read_slab", "read_wires")


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
def read_slab(r: Readout, i: int, x: float, y: float, time: float, rows: Float32Array, n: int, rng: Stream) -> int:
    """The slab of station i at (x, y): row (station, channel, time); returns the number of rows."""
    station, y0, pitch, x_centre, x_half, sigma_t, efficiency = r.bms[i]
    row = math.floor((y - y0) / pitch + 0.5)
    if row < 0 or row >= r.bms_slabs.shape[1] or r.bms_slabs[i, row] < 0 or abs(x - x_centre) >= x_half:
        return n
    channel = r.bms_first[i, row] + int((x - x_centre + x_half) / (2.0 * x_half) * r.bms_slabs[i, row])
    if rng.random() >= efficiency * r.channels.slab_alive[i, channel]:
        return n
    rows[n, 0], rows[n, 1], rows[n, 2] = station, channel, time + sigma_t * rng.standard_normal()
    return n + 1


@kernel
def noise_slabs(r: Readout, i: int, rows: Float32Array, n: int, rng: Stream) -> int:
    """Noise of station i: anywhere, and in its noisy slabs."""
    for _ in range(rng.poisson(r.noise_hits)):
        channel = int(rng.random() * r.channels.n_slabs[i])
        if r.channels.slab_alive[i, channel] > 0.0:
            rows[n, 0], rows[n, 1], rows[n, 2] = r.bms[i, 0], channel, r.bms[i, 5] * rng.standard_normal()
            n += 1
    for j in range(len(r.channels.noisy_slabs)):
        if r.channels.noisy_slabs[j, 0] == i:
            for _ in range(rng.poisson(r.channels.noisy_slabs[j, 2])):
                rows[n, 0], rows[n, 1] = r.bms[i, 0], r.channels.noisy_slabs[j, 1]
                rows[n, 2] = r.bms[i, 5] * rng.standard_normal()
                n += 1
    return n


@kernel
def read_wires(
    r: Readout,
    k: int,
    position: float,
    slope: float,
    along: float,
    slope_along: float,
    time: float,
    rows: Float32Array,
    n: int,
    rng: Stream,
) -> int:
    """The wires of both layers of straw view k that a track meets: rows (module, view, layer, wire, drift time)."""
    view = r.straw[k]
    wire0, pitch, n_wires, radius, drift, sigma = view[2], view[3], int(view[6]), view[7], view[8], view[9]
    if abs(along - view[12]) > view[11]:
        return n
    for layer in range(2):
        at = position + (layer - 0.5) * view[5] * slope
        first = wire0 + layer * view[4]
        wire = math.floor((at - first) / pitch + 0.5)
        distance = abs(at - first - wire * pitch)
        if wire < 0 or wire >= n_wires or distance >= radius:
            continue
        efficiency = view[10] * r.channels.wire_alive[k, layer, wire]
        if rng.random() >= efficiency * chord_efficiency(distance, radius, slope_along, r.channels.clusters_per_mm):
            continue
        rows[n, 0], rows[n, 1], rows[n, 2], rows[n, 3] = view[0], view[1], layer, wire
        rows[n, 4] = view[13] + time + drift * (distance + sigma * rng.standard_normal())
        n += 1
    return n


@kernel
def _noise_hit(view: FloatArray, layer: float, wire: float, rows: Float32Array, n: int, rng: Stream) -> int:
    rows[n, 0], rows[n, 1], rows[n, 2], rows[n, 3] = view[0], view[1], layer, wire
    rows[n, 4] = view[13] + rng.random() * view[7] * view[8]
    return n + 1


@kernel
def noise_wires(r: Readout, k: int, rows: Float32Array, n: int, rng: Stream) -> int:
    """Noise of straw view k: anywhere, and on its noisy wires; times anywhere between wire and wall."""
    view = r.straw[k]
    for _ in range(rng.poisson(r.noise_hits)):
        layer, wire = int(rng.random() * 2.0), int(rng.random() * view[6])
        if r.channels.wire_alive[k, layer, wire] > 0.0:
            n = _noise_hit(view, layer, wire, rows, n, rng)
    for j in range(len(r.channels.noisy_wires)):
        if r.channels.noisy_wires[j, 0] == k:
            for _ in range(rng.poisson(r.channels.noisy_wires[j, 3])):
                n = _noise_hit(view, r.channels.noisy_wires[j, 1], r.channels.noisy_wires[j, 2], rows, n, rng)
    return n
