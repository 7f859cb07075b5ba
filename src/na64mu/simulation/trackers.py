"""Digits of the trackers: every crossing of every particle, then noise, event by event. Lengths mm, times ns."""

from __future__ import annotations

import numpy as np

from na64mu.compiled.kernel import general_kernel, inner_kernel, kernel
from na64mu.compiled.reference import by_reference
from na64mu.simulation.geometry import Surfaces
from na64mu.simulation.parameter_rows import room
from na64mu.simulation.readout import Readout
from na64mu.simulation.straw_digits import noise_slabs, noise_wires, read_slab, read_wires
from na64mu.simulation.stream import Stream
from na64mu.simulation.strips import Strips, read_strips, sample_pulse, share_charge
from na64mu.simulation.truth import PileUp
from na64mu.typing import Float32Array, FloatArray, IntArray

__all__ = ("tracker_rows",)

ROWS_PER_EVENT = 64  # space at the start (twice as much for strips); it grows


@kernel
def _to_module(r: Readout, surface: int, hit: FloatArray, local: FloatArray) -> None:
    """A crossing (surface, x, y, tx, ty) as the module sees it, which may be turned about its centre."""
    for i in range(len(hit)):
        local[i] = hit[i]
    x, y, c, s = r.turn[surface]
    if s == 0.0:
        return
    local[1] = x + c * (hit[1] - x) + s * (hit[2] - y)
    local[2] = y - s * (hit[1] - x) + c * (hit[2] - y)
    local[3] = c * hit[3] + s * hit[4]
    local[4] = -s * hit[3] + c * hit[4]


@inner_kernel
def _digitise_particle(
    r: Readout,
    s: Surfaces,
    hits: FloatArray,
    first: int,
    last: int,
    time: float,
    local: FloatArray,
    samples: FloatArray,
    strips: Strips,
    bms: Float32Array,
    straws: Float32Array,
    n: IntArray,
    rng: Stream,
) -> None:
    """Trackers for one beam particle; hits first to last - 1 are rows (surface, x, y, tx, ty) of it and of its secondaries."""
    sample_pulse(time, samples)
    for h in range(first, last):
        surface = int(hits[h, 0])
        if surface >= s.first_counter:
            continue
        _to_module(r, surface, hits[h], local)
        if surface < s.first_mm:
            n[0] = read_slab(r, surface, local[1], local[2], time, bms, n[0], rng)
        elif surface < s.first_straw:
            k = 2 * (surface - s.first_mm)
            share_charge(r, k, local[1], local[2], samples, strips, rng)
            share_charge(r, k + 1, local[2], local[1], samples, strips, rng)
        else:
            k = surface - s.first_straw
            v = k % 2
            n[3] = read_wires(r, k, local[1 + v], local[3 + v], local[2 - v], local[4 - v], time, straws, n[3], rng)


@inner_kernel
def _noise(r: Readout, bms: Float32Array, straws: Float32Array, n: IntArray, rng: Stream) -> None:
    """Noise of the trackers without strips."""
    for i in range(len(r.bms)):
        n[0] = noise_slabs(r, i, bms, n[0], rng)
    for k in range(len(r.straw)):
        n[3] = noise_wires(r, k, straws, n[3], rng)


@general_kernel
def tracker_rows(
    readout: Readout, surfaces: Surfaces, hits: FloatArray, hit_offsets: IntArray, more: PileUp, key: np.uint64, rng: Stream
) -> tuple[IntArray, Float32Array, Float32Array, Float32Array, Float32Array]:
    """Rows of the trackers of all events.

    Parameters
    ----------
    readout : Readout
        The read-out.
    surfaces : Surfaces
        Recording surfaces.
    hits : FloatArray
        Crossings (surface, x, y, tx, ty) of the particles of the triggers, shape (n_hits, 5).
    hit_offsets : IntArray
        First crossing of every event, shape (n_events + 1,).
    more : PileUp
        Particles piled up.
    key : np.uint64
        Key of the random numbers.
    rng : Stream
        Random numbers; the stream is restarted with the key for every event.

    Returns
    -------
    offsets : IntArray
        First rows of every event in the tables of BMS, Micromegas, GEM and straws, shape (4, n_events + 1).
    bms, mm, gem, straws : Float32Array
        Rows of the four tables, with the fields of the raw tree in order.
    """
    r, s = by_reference(readout), by_reference(surfaces)
    local, samples = np.empty(hits.shape[1]), np.empty(3)
    n_events = len(hit_offsets) - 1
    offsets, n = np.zeros((4, n_events + 1), dtype=np.int64), np.zeros(4, dtype=np.int64)
    shape = readout.channel.shape
    strips = Strips(np.zeros((shape[0], shape[1], 3)), np.zeros(shape, np.uint8), np.zeros(shape, np.int64), np.zeros(shape[0], np.int64))
    most = ROWS_PER_EVENT * n_events
    bms, straws = np.empty((most, 3), np.float32), np.empty((most, 5), np.float32)
    mm, gem = np.empty((2 * most, 6), np.float32), np.empty((2 * most, 6), np.float32)
    n_mm_views = 2 * (s.first_gem - s.first_mm)
    others = more.truth
    for e in range(n_events):
        bms, mm, gem, straws = room(bms, n[0]), room(mm, n[1]), room(gem, n[2]), room(straws, n[3])
        rng.restart(key, np.uint64(e))
        first, last = hit_offsets[e], hit_offsets[e + 1]
        _digitise_particle(r, s, hits, first, last, 0.0, local, samples, strips, bms, straws, n, rng)
        for k in range(more.offsets[e], more.offsets[e + 1]):
            first, last = others.hit_offsets[k], others.hit_offsets[k + 1]
            _digitise_particle(r, s, others.hits, first, last, more.times[k], local, samples, strips, bms, straws, n, rng)
        _noise(r, bms, straws, n, rng)
        sample_pulse(0.0, samples)
        for k in range(len(r.strips)):
            if k < n_mm_views:
                n[1] = read_strips(r, k, strips, samples, mm, n[1], rng)
            else:
                n[2] = read_strips(r, k, strips, samples, gem, n[2], rng)
        offsets[:, e + 1] = n
    return offsets, bms[: n[0]], mm[: n[1]], gem[: n[2]], straws[: n[3]]
