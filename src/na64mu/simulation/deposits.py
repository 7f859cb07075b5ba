"""Energies of counters, VETO ends and calorimeter cells as they are read out: rows of address, energy and time.

Counters and VETO MeV, calorimeters GeV, times ns. A row that is below its threshold is not written, but its random numbers are
drawn all the same: what follows does not depend on thresholds and time resolutions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from na64mu.compiled.kernel import general_kernel, kernel
from na64mu.compiled.reference import by_reference
from na64mu.simulation.parameter_rows import room
from na64mu.simulation.readout import EnergyReadout
from na64mu.simulation.stream import Stream
from na64mu.simulation.truth import PileUp
from na64mu.typing import FloatArray, IntArray

__all__ = ("energy_rows", "read_cells", "read_counters", "read_veto")


@kernel
def read_counters(r: EnergyReadout, deposits: FloatArray, time: float, rows: FloatArray, n: int, rng: Stream) -> int:
    """Rows (id, energy, time) of the trigger counters; their resolution is in the deposits. Returns the number of rows."""
    for c in range(len(deposits)):
        if deposits[c] > 0.0:
            at = time + r.counter_sigma_t[c] * rng.standard_normal()
            if r.counter[c] > 0.0:
                rows[n, 0], rows[n, 1], rows[n, 2] = c, deposits[c] * r.counter[c], at
                n += 1
    return n


@kernel
def read_veto(r: EnergyReadout, panels: FloatArray, time: float, rows: FloatArray, n: int, rng: Stream) -> int:
    """Rows (end, energy, time) of the VETO; returns the number of rows."""
    own = r.response[0]
    for end in range(2 * len(panels)):
        if panels[end // 2] <= 0.0:
            continue
        energy = panels[end // 2] * (1.0 + own.resolution * rng.standard_normal()) * r.veto[end]
        at = time + own.sigma_t * rng.standard_normal()
        if energy > own.threshold and r.veto[end] > 0.0:
            rows[n, 0], rows[n, 1], rows[n, 2] = end, energy, at
            n += 1
    return n


@kernel
def read_cells(response: Any, gains: FloatArray, cells: FloatArray, first: int, time: float, rows: FloatArray, n: int, rng: Stream) -> int:
    """Rows (section or module, ix, iy, energy, time) of one calorimeter.

    Parameters
    ----------
    response : record
        Resolution of a cell, threshold [GeV] and time resolution [ns], see readout.RESPONSE.
    gains : FloatArray
        Gain of every cell, 0 of a dead one, shape (n_sections, n_x, n_y).
    cells : FloatArray
        Visible energy [GeV], of the same shape.
    first : int
        Number of section 0.
    time : float
        When the particle comes [ns].
    rows : FloatArray
        Receives the rows from n on.
    n : int
        Rows so far.
    rng : Stream
        Random numbers.

    Returns
    -------
    int
        Rows with this calorimeter.
    """
    for section in range(cells.shape[0]):
        for ix in range(cells.shape[1]):
            for iy in range(cells.shape[2]):
                if cells[section, ix, iy] <= 0.0:
                    continue
                energy = cells[section, ix, iy] * (1.0 + response.resolution * rng.standard_normal()) * gains[section, ix, iy]
                at = time + response.sigma_t * rng.standard_normal()
                if energy > response.threshold and gains[section, ix, iy] > 0.0:
                    rows[n, 0], rows[n, 1], rows[n, 2] = section + first, ix, iy
                    rows[n, 3], rows[n, 4] = energy, at
                    n += 1
    return n


@general_kernel
def energy_rows(
    readout: EnergyReadout,
    counters: FloatArray,
    veto: FloatArray,
    ecal: FloatArray,
    vhcal: FloatArray,
    hcal: FloatArray,
    more: PileUp,
    key: np.uint64,
    rng: Stream,
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Rows of counters, VETO and calorimeters of all events: those of the trigger's particle, then those piled up.

    Parameters
    ----------
    readout : EnergyReadout
        The read-out.
    counters, veto, ecal, vhcal, hcal : FloatArray
        Deposits of the particles of the triggers, see Truth.
    more : PileUp
        Particles piled up.
    key : np.uint64
        Key of the random numbers.
    rng : Stream
        Random numbers; the stream is restarted with the key for every event.

    Returns
    -------
    offsets : IntArray
        First rows of every event in each of the five tables, shape (5, n_events + 1).
    counters, veto, ecal, vhcal, hcal : FloatArray
        Rows of the five tables; cells have (section or module, ix, iy, energy, time), the VHCAL a section 0.
    """
    r = by_reference(readout)
    n_events = len(counters)
    offsets, n = np.zeros((5, n_events + 1), dtype=np.int64), np.zeros(5, dtype=np.int64)
    ends, ids = np.empty((0, 3)), np.empty((0, 3))
    em, ring, had = np.empty((0, 5)), np.empty((0, 5)), np.empty((0, 5))
    o, at_ecal, at_vhcal, at_hcal = more.truth, r.response[1], r.response[2], r.response[3]
    for e in range(n_events):
        rng.restart(key, np.uint64(e))
        ids, ends, em, ring, had = room(ids, n[0]), room(ends, n[1]), room(em, n[2]), room(ring, n[3]), room(had, n[4])
        n[0] = read_counters(r, counters[e], 0.0, ids, n[0], rng)
        n[1] = read_veto(r, veto[e], 0.0, ends, n[1], rng)
        n[2] = read_cells(at_ecal, r.ecal, ecal[e], 0, 0.0, em, n[2], rng)
        n[3] = read_cells(at_vhcal, r.vhcal, vhcal[e], 0, 0.0, ring, n[3], rng)
        n[4] = read_cells(at_hcal, r.hcal, hcal[e], 1, 0.0, had, n[4], rng)
        for k in range(more.offsets[e], more.offsets[e + 1]):
            time = more.times[k]
            n[0] = read_counters(r, o.counters[k], time, ids, n[0], rng)
            n[1] = read_veto(r, o.veto[k], time, ends, n[1], rng)
            n[2] = read_cells(at_ecal, r.ecal, o.ecal[k], 0, time, em, n[2], rng)
            n[3] = read_cells(at_vhcal, r.vhcal, o.vhcal[k], 0, time, ring, n[3], rng)
            n[4] = read_cells(at_hcal, r.hcal, o.hcal[k], 1, time, had, n[4], rng)
        offsets[:, e + 1] = n
    return offsets, ids[: n[0]], ends[: n[1]], em[: n[2]], ring[: n[3]], had[: n[4]]
