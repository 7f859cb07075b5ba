"""Digits: from crossings and deposits to the rows of the raw tree.

Inputs are the truth of the written events (crossings in mm, counter energies in MeV, calorimeter energies in GeV) and the
particles piled up on them, which come early or late: their digits carry the time, their APV pulses are sampled off peak;
outputs are row matrices, one per collection, with the fields of na64mu.events.form in order.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from na64mu.events.batch import Jagged
from na64mu.events.form import COLLECTIONS
from na64mu.simulation.line import Surfaces
from na64mu.simulation.readout import Readout
from na64mu.simulation.truth import PileUp, Truth, no_pile_up
from na64mu.typing import FloatArray, IntArray

__all__ = ("SAMPLE_RATIOS", "digitise", "moyal")

#: q0 / q1 and q2 / q1 of an in-time pulse, CR-RC of 30 ns peaking time (inferred: the thesis gives the 25 ns samples,
#: the raw-tree form that q1 is the largest) sampled at its peak: t/tau exp(1 - t/tau) at -25, 0 and +25 ns.
PEAKING, SAMPLING = 30.0, 25.0
SAMPLE_RATIOS = ((1.0 - 25.0 / 30.0) * math.exp(25.0 / 30.0), (1.0 + 25.0 / 30.0) * math.exp(-25.0 / 30.0))

OVERFLOW = 32767


@njit(cache=True, nogil=True)
def moyal(mode: float, width: float, rng: np.random.Generator) -> float:
    """Draw from the Moyal distribution: mode - width ln(z^2) with z normal (J. E. Moyal, Phil. Mag. 46 (1955) 263).

    Parameters
    ----------
    mode, width : float
        Most probable value and width.
    rng : Generator
        Random numbers.

    Returns
    -------
    float
        The value.
    """
    z = rng.standard_normal()
    return mode - width * math.log(z * z + 1e-12)


@njit(cache=True, nogil=True)
def _pulse(time: float, samples: FloatArray) -> None:
    """The three samples of a pulse of height 1 that comes at a time after the trigger's [ns]."""
    for k in range(3):
        t = (PEAKING + SAMPLING * (k - 1) - time) / PEAKING
        samples[k] = t * math.exp(1.0 - t) if t > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _room(rows: FloatArray, used: int) -> FloatArray:
    """Rows with space for one more event."""
    if used + MOST_ROWS <= len(rows):
        return rows
    grown = np.empty((2 * len(rows) + MOST_ROWS, rows.shape[1]))
    grown[:used] = rows[:used]
    return grown


#: More rows than one event can have in one collection.
MOST_ROWS = 6000


@njit(cache=True, nogil=True)
def _digitise_bms(r: Readout, x: float, y: float, i: int, time: float, rows: FloatArray, n: int, rng: np.random.Generator) -> int:
    station, y0, pitch, x_centre, x_half, sigma_t, efficiency = r.bms[i]
    row = math.floor((y - y0) / pitch + 0.5)
    if row < 0 or row >= r.bms_slabs.shape[1] or r.bms_slabs[i, row] < 0 or abs(x - x_centre) >= x_half or rng.random() >= efficiency:
        return n
    slab = int((x - x_centre + x_half) / (2.0 * x_half) * r.bms_slabs[i, row])
    rows[n, 0], rows[n, 1], rows[n, 2] = station, r.bms_first[i, row] + slab, time + sigma_t * rng.standard_normal()
    return n + 1


@njit(cache=True, nogil=True)
def _noise_bms(r: Readout, i: int, rows: FloatArray, n: int, rng: np.random.Generator) -> int:
    channels = 0
    for k in range(r.bms_slabs.shape[1]):
        channels += max(0, r.bms_slabs[i, k])
    for _ in range(rng.poisson(r.noise_hits)):
        rows[n, 0], rows[n, 1], rows[n, 2] = r.bms[i, 0], int(rng.random() * channels), r.bms[i, 5] * rng.standard_normal()
        n += 1
    return n


@njit(cache=True, nogil=True)
def _share_charge(
    r: Readout, k: int, position: float, along: float, samples: FloatArray, charges: FloatArray, rng: np.random.Generator
) -> None:
    """Add the charge of one particle to the three samples of the channels of a strip view."""
    view = r.strips[k]
    first, pitch, n_strips, sigma, gem = view[2], view[3], int(view[4]), view[8], int(view[10])
    if abs(along - view[7]) > view[6] or position < first or position > first + n_strips * pitch or rng.random() >= view[9]:
        return
    mode, width, spread, spread_sigma = r.response[gem, 0], r.response[gem, 1], r.response[gem, 2], r.response[gem, 3]
    charge = max(0.2 * mode, moyal(mode, width, rng))
    cluster = max(0.5, spread + spread_sigma * rng.standard_normal())
    centre = (position + sigma * rng.standard_normal() - first) / pitch
    low = max(0, math.floor(centre - 5.0 * cluster))
    high = min(n_strips - 1, math.floor(centre + 5.0 * cluster))
    scale = 1.0 / (math.sqrt(2.0) * cluster)
    below = math.erf((low - centre) * scale)
    for strip in range(low, high + 1):
        above = math.erf((strip + 1 - centre) * scale)
        for s in range(3):
            charges[r.channel[k, strip], s] += 0.5 * charge * (above - below) * samples[s]
        below = above


@njit(cache=True, nogil=True)
def _read_strips(r: Readout, k: int, charges: FloatArray, rows: FloatArray, n: int, rng: np.random.Generator) -> int:
    """Noise and zero suppression of one strip view; clears its channels."""
    view = r.strips[k]
    n_channels, gem = int(view[5]), int(view[10])
    noise, threshold = r.response[gem, 4], r.response[gem, 5]
    samples = np.empty(3)
    _pulse(0.0, samples)
    for _ in range(rng.poisson(r.noise_hits)):
        channel, charge = int(rng.random() * n_channels), threshold + 3.0 * noise * rng.standard_exponential()
        for s in range(3):
            charges[channel, s] += charge * samples[s]
    for channel in range(n_channels):
        peak = 1  # the largest sample decides; an in-time pulse has it in the middle
        for s in (0, 2):
            if charges[channel, s] > charges[channel, peak]:
                peak = s
        largest = charges[channel, peak]
        kept = largest >= threshold - 5.0 * noise and largest > 0.0
        largest += noise * rng.standard_normal() if kept else 0.0
        if kept and largest >= threshold:
            rows[n, 0], rows[n, 1], rows[n, 2] = view[0], view[1], channel
            for s in range(3):
                charge = largest if s == peak else charges[channel, s] + noise * rng.standard_normal()
                rows[n, 3 + s] = math.floor(min(OVERFLOW, charge) + 0.5)
            n += 1
        charges[channel] = 0.0
    return n


@njit(cache=True, nogil=True)
def _digitise_straw(
    r: Readout, k: int, position: float, slope: float, along: float, time: float, rows: FloatArray, n: int, rng: np.random.Generator
) -> int:
    view = r.straw[k]
    wire0, pitch, n_wires, drift, sigma = view[2], view[3], int(view[6]), view[8], view[9]
    if abs(along - view[12]) > view[11]:
        return n
    for layer in range(2):
        at = position + (layer - 0.5) * view[5] * slope
        first = wire0 + layer * view[4]
        wire = math.floor((at - first) / pitch + 0.5)
        distance = abs(at - first - wire * pitch)
        if wire < 0 or wire >= n_wires or distance >= view[7] or rng.random() >= view[10]:
            continue
        rows[n, 0], rows[n, 1], rows[n, 2], rows[n, 3] = view[0], view[1], layer, wire
        rows[n, 4] = view[13] + time + drift * (distance + sigma * rng.standard_normal())
        n += 1
    return n


@njit(cache=True, nogil=True)
def _noise_straw(r: Readout, k: int, rows: FloatArray, n: int, rng: np.random.Generator) -> int:
    view = r.straw[k]
    for _ in range(rng.poisson(r.noise_hits)):
        rows[n, 0], rows[n, 1], rows[n, 2] = view[0], view[1], int(rng.random() * 2.0)
        rows[n, 3], rows[n, 4] = int(rng.random() * view[6]), view[13] + rng.random() * view[7] * view[8]
        n += 1
    return n


@njit(cache=True, nogil=True)
def _digitise_counters(r: Readout, deposits: FloatArray, time: float, rows: FloatArray, n: int, rng: np.random.Generator) -> int:
    for c in range(len(deposits)):
        energy = deposits[c]
        if energy > 0.0:
            rows[n, 0], rows[n, 1], rows[n, 2] = c, energy, time + r.counter[c, 1] * rng.standard_normal()
            n += 1
    return n


@njit(cache=True, nogil=True)
def _digitise_veto(r: Readout, panels: FloatArray, time: float, rows: FloatArray, n: int, rng: np.random.Generator) -> int:
    for end in range(2 * len(panels)):
        energy = panels[end // 2] * (1.0 + r.veto[1] * rng.standard_normal())
        if energy > r.veto[0]:
            rows[n, 0], rows[n, 1], rows[n, 2] = end, energy, time + r.veto[2] * rng.standard_normal()
            n += 1
    return n


@njit(cache=True, nogil=True)
def _digitise_cells(
    response: FloatArray, cells: FloatArray, first: int, time: float, rows: FloatArray, n: int, rng: np.random.Generator
) -> int:
    """Rows (section or module, ix, iy, energy, time) of one calorimeter; `first` is the number of section 0."""
    for section in range(cells.shape[0]):
        for ix in range(cells.shape[1]):
            for iy in range(cells.shape[2]):
                energy = cells[section, ix, iy]
                if energy <= 0.0:
                    continue
                energy *= 1.0 + response[0] * rng.standard_normal()
                if energy > response[1]:
                    rows[n, 0], rows[n, 1], rows[n, 2] = section + first, ix, iy
                    rows[n, 3], rows[n, 4] = energy, time + response[2] * rng.standard_normal()
                    n += 1
    return n


@njit(cache=True, nogil=True)
def _to_module(r: Readout, surface: int, hit: FloatArray, local: FloatArray) -> None:
    """A crossing (surface, x, y, tx, ty) as the module sees it, which may be turned about its centre."""
    local[:] = hit
    x, y, c, s = r.turn[surface]
    if s == 0.0:
        return
    local[1] = x + c * (hit[1] - x) + s * (hit[2] - y)
    local[2] = y - s * (hit[1] - x) + c * (hit[2] - y)
    local[3] = c * hit[3] + s * hit[4]
    local[4] = -s * hit[3] + c * hit[4]


@njit(cache=True, nogil=True)
def _digitise_trackers(
    r: Readout,
    s: Surfaces,
    hits: FloatArray,
    time: float,
    charges: FloatArray,
    bms: FloatArray,
    straws: FloatArray,
    used: IntArray,
    rng: np.random.Generator,
) -> None:
    """Trackers for one beam particle; hits are rows (surface, x, y, tx, ty) of it and of its secondaries."""
    local, samples = np.empty(hits.shape[1]), np.empty(3)
    _pulse(time, samples)
    for h in range(len(hits)):
        surface = int(hits[h, 0])
        if surface >= s.first_counter:
            continue
        _to_module(r, surface, hits[h], local)
        if surface < s.first_mm:
            used[0] = _digitise_bms(r, local[1], local[2], surface, time, bms, used[0], rng)
        elif surface < s.first_straw:
            k = 2 * (surface - s.first_mm)
            _share_charge(r, k, local[1], local[2], samples, charges[k], rng)
            _share_charge(r, k + 1, local[2], local[1], samples, charges[k + 1], rng)
        else:
            k = surface - s.first_straw
            v = k % 2
            used[3] = _digitise_straw(r, k, local[1 + v], local[3 + v], local[2 - v], time, straws, used[3], rng)


@njit(cache=True, nogil=True)
def _noise(r: Readout, bms: FloatArray, straws: FloatArray, used: IntArray, rng: np.random.Generator) -> None:
    """Noise of the trackers without strips."""
    for i in range(len(r.bms)):
        used[0] = _noise_bms(r, i, bms, used[0], rng)
    for k in range(len(r.straw)):
        used[3] = _noise_straw(r, k, straws, used[3], rng)


@njit(cache=True, nogil=True)
def _digitise_events(
    r: Readout,
    s: Surfaces,
    hits: FloatArray,
    hit_offsets: IntArray,
    counters: FloatArray,
    veto: FloatArray,
    ecal: FloatArray,
    vhcal: FloatArray,
    hcal: FloatArray,
    more: PileUp,
    rng: np.random.Generator,
) -> tuple[
    IntArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray
]:  # fmt: skip
    n_events = len(hit_offsets) - 1
    offsets = np.zeros((9, n_events + 1), dtype=np.int64)
    charges = np.zeros((r.channel.shape[0], r.channel.shape[1], 3), dtype=np.float64)
    start = MOST_ROWS
    counter_rows, veto_rows, bms_rows = np.empty((start, 3)), np.empty((start, 3)), np.empty((start, 3))
    mm_rows, gem_rows, straw_rows = np.empty((start, 6)), np.empty((start, 6)), np.empty((start, 5))
    ecal_rows, vhcal_rows, hcal_rows = np.empty((start, 5)), np.empty((start, 5)), np.empty((start, 5))
    used = np.zeros(4, dtype=np.int64)
    n_mm_views = 2 * (s.first_gem - s.first_mm)
    n = np.zeros(9, dtype=np.int64)
    for e in range(n_events):
        counter_rows, veto_rows, bms_rows = _room(counter_rows, n[0]), _room(veto_rows, n[1]), _room(bms_rows, n[2])
        mm_rows, gem_rows, straw_rows = _room(mm_rows, n[3]), _room(gem_rows, n[4]), _room(straw_rows, n[5])
        ecal_rows, vhcal_rows, hcal_rows = _room(ecal_rows, n[6]), _room(vhcal_rows, n[7]), _room(hcal_rows, n[8])
        first, last = more.offsets[e], more.offsets[e + 1]
        others = more.truth
        for k in range(first - 1, last):  # the particle of the trigger, then those piled up
            time = 0.0 if k < first else more.times[k]
            used[0], used[3] = n[2], n[5]
            if k < first:
                n[0] = _digitise_counters(r, counters[e], time, counter_rows, n[0], rng)
                n[1] = _digitise_veto(r, veto[e], time, veto_rows, n[1], rng)
                here = hits[hit_offsets[e] : hit_offsets[e + 1]]
            else:
                n[0] = _digitise_counters(r, others.counters[k], time, counter_rows, n[0], rng)
                n[1] = _digitise_veto(r, others.veto[k], time, veto_rows, n[1], rng)
                here = others.hits[others.hit_offsets[k] : others.hit_offsets[k + 1]]
            _digitise_trackers(r, s, here, time, charges, bms_rows, straw_rows, used, rng)
            n[2], n[5] = used[0], used[3]
        used[0], used[3] = n[2], n[5]
        _noise(r, bms_rows, straw_rows, used, rng)
        n[2], n[5] = used[0], used[3]
        for k in range(len(r.strips)):
            if k < n_mm_views:
                n[3] = _read_strips(r, k, charges[k], mm_rows, n[3], rng)
            else:
                n[4] = _read_strips(r, k, charges[k], gem_rows, n[4], rng)
        n[6] = _digitise_cells(r.calorimeter[0], ecal[e], 0, 0.0, ecal_rows, n[6], rng)
        n[7] = _digitise_cells(r.calorimeter[1], vhcal[e], 0, 0.0, vhcal_rows, n[7], rng)
        n[8] = _digitise_cells(r.calorimeter[2], hcal[e], 1, 0.0, hcal_rows, n[8], rng)
        for k in range(first, last):
            n[6] = _digitise_cells(r.calorimeter[0], others.ecal[k], 0, more.times[k], ecal_rows, n[6], rng)
            n[7] = _digitise_cells(r.calorimeter[1], others.vhcal[k], 0, more.times[k], vhcal_rows, n[7], rng)
            n[8] = _digitise_cells(r.calorimeter[2], others.hcal[k], 1, more.times[k], hcal_rows, n[8], rng)
        offsets[:, e + 1] = n
    return (
        offsets,
        counter_rows[: n[0]],
        veto_rows[: n[1]],
        bms_rows[: n[2]],
        mm_rows[: n[3]],
        gem_rows[: n[4]],
        straw_rows[: n[5]],
        ecal_rows[: n[6]],
        vhcal_rows[: n[7]],
        hcal_rows[: n[8]],
    )


def digitise(truth: Truth, surfaces: Surfaces, readout: Readout, rng: np.random.Generator, more: PileUp | None = None) -> dict[str, Jagged]:
    """Digits of every collection for the written events.

    Parameters
    ----------
    truth : Truth
        Crossings and deposits.
    surfaces : Surfaces
        Recording surfaces.
    readout : Readout
        The read-out.
    rng : Generator
        Random numbers.
    more : PileUp, optional
        Particles piled up on the events.

    Returns
    -------
    dict[str, Jagged]
        Collection name -> rows with the types of the raw tree.
    """
    more = no_pile_up(truth) if more is None else more
    offsets, *rows = _digitise_events(
        readout, surfaces, truth.hits, truth.hit_offsets, truth.counters, truth.veto, truth.ecal, truth.vhcal, truth.hcal, more, rng
    )
    collections = {}
    for i, (name, fields) in enumerate(COLLECTIONS.items()):
        # the VHCAL kernel writes a section in front, which this collection does not have
        skip = 1 if name == "vhcal" else 0
        columns = {field: rows[i][:, skip + j].astype(kind) for j, (field, kind) in enumerate(fields.items())}
        collections[name] = Jagged(offsets[i].copy(), columns)
    return collections
