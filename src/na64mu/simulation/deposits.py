"""Energies of counters, VETO ends and calorimeter cells as they are read out: rows of address, energy and time.

Counters and VETO MeV, calorimeters GeV, times ns. A row that is below its threshold is not written, but its random numbers are
drawn all the same: what follows does not depend on thresholds and time resolutions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import general_kernel, kernel
from na64mu.compiled.records import new_record, record_kind
from na64mu.compiled.reference import by_reference
from na64mu.simulation.parameter_rows import room
from na64mu.simulation.readout import EnergyReadout
from na64mu.simulation.stream import Stream
from na64mu.simulation.truth import PileUp, Truth
from na64mu.typing import FloatArray, IntArray, Record, RecordArray

__all__ = ("CELL", "SIGNAL", "energy_rows", "read_cells", "read_counters", "read_veto")

#: A row of counters or of VETO ends, and one of a calorimeter, whose section is a module in the HCAL.
SIGNAL, CELL = record_kind("id energy time", id="i8"), record_kind("section ix iy energy time", section="i8", ix="i8", iy="i8")

#: Rows of every collection, so far or before an event.
COUNTS = record_kind("counter veto ecal vhcal hcal", "i8")


class _Rows(NamedTuple):
    """Rows of every collection; those behind COUNTS are free."""

    counter: RecordArray
    veto: RecordArray
    ecal: RecordArray
    vhcal: RecordArray
    hcal: RecordArray


@kernel
def read_counters(r: EnergyReadout, deposits: FloatArray, time: float, rows: RecordArray, n: int, rng: Stream) -> int:
    """Rows of the trigger counters; their resolution is in the deposits. Returns the number of rows."""
    for c in range(len(deposits)):
        if deposits[c] > 0.0:
            at = time + r.counter_sigma_t[c] * rng.standard_normal()
            if r.counter[c] > 0.0:
                out = rows[n]
                out.id, out.energy, out.time = c, deposits[c] * r.counter[c], at
                n += 1
    return n


@kernel
def read_veto(r: EnergyReadout, panels: FloatArray, time: float, rows: RecordArray, n: int, rng: Stream) -> int:
    """Rows of the VETO ends; returns the number of rows."""
    own = r.veto_response
    for end in range(2 * len(panels)):
        if panels[end // 2] <= 0.0:
            continue
        energy = panels[end // 2] * (1.0 + own.resolution * rng.standard_normal()) * r.veto[end]
        at = time + own.sigma_t * rng.standard_normal()
        if energy > own.threshold and r.veto[end] > 0.0:
            out = rows[n]
            out.id, out.energy, out.time = end, energy, at
            n += 1
    return n


@kernel
def read_cells(
    response: Record, gains: FloatArray, cells: FloatArray, first: int, time: float, rows: RecordArray, n: int, rng: Stream
) -> int:
    """Rows of one calorimeter.

    Parameters
    ----------
    response : Record
        Resolution of a cell, threshold [GeV] and time resolution [ns], see readout.RESPONSE.
    gains : FloatArray
        Gain of every cell, 0 of a dead one, shape (n_sections, n_x, n_y).
    cells : FloatArray
        Visible energy [GeV], of the same shape.
    first : int
        Number of section 0.
    time : float
        When the particle comes [ns].
    rows : RecordArray
        Receives records of the kind CELL from n on.
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
                    out = rows[n]
                    out.section, out.ix, out.iy, out.energy, out.time = section + first, ix, iy, energy, at
                    n += 1
    return n


@general_kernel
def _energy_rows(
    readout: EnergyReadout, truth: Truth, more: PileUp, rows: _Rows, n: Record, offsets: RecordArray, key: np.uint64, rng: Stream
) -> _Rows:
    """See energy_rows; offsets receive the counts before every event."""
    r, t, o = by_reference(readout), by_reference(truth), more.truth
    ids, ends, em, ring, had = rows.counter, rows.veto, rows.ecal, rows.vhcal, rows.hcal
    for e in range(len(t.counters)):
        rng.restart(key, np.uint64(e))
        ids, ends = room(ids, n.counter), room(ends, n.veto)
        em, ring, had = room(em, n.ecal), room(ring, n.vhcal), room(had, n.hcal)
        n.counter = read_counters(r, t.counters[e], 0.0, ids, n.counter, rng)
        n.veto = read_veto(r, t.veto[e], 0.0, ends, n.veto, rng)
        n.ecal = read_cells(r.ecal_response, r.ecal, t.ecal[e], 0, 0.0, em, n.ecal, rng)
        n.vhcal = read_cells(r.vhcal_response, r.vhcal, t.vhcal[e], 0, 0.0, ring, n.vhcal, rng)
        n.hcal = read_cells(r.hcal_response, r.hcal, t.hcal[e], 1, 0.0, had, n.hcal, rng)
        for k in range(more.offsets[e], more.offsets[e + 1]):
            time = more.times[k]
            n.counter = read_counters(r, o.counters[k], time, ids, n.counter, rng)
            n.veto = read_veto(r, o.veto[k], time, ends, n.veto, rng)
            n.ecal = read_cells(r.ecal_response, r.ecal, o.ecal[k], 0, time, em, n.ecal, rng)
            n.vhcal = read_cells(r.vhcal_response, r.vhcal, o.vhcal[k], 0, time, ring, n.vhcal, rng)
            n.hcal = read_cells(r.hcal_response, r.hcal, o.hcal[k], 1, time, had, n.hcal, rng)
        offsets[e + 1] = n
    return _Rows(ids[: n.counter], ends[: n.veto], em[: n.ecal], ring[: n.vhcal], had[: n.hcal])


def energy_rows(readout: EnergyReadout, truth: Truth, more: PileUp, key: np.uint64, rng: Stream) -> dict[str, tuple[IntArray, RecordArray]]:
    """Rows of counters, VETO and calorimeters of all events: those of the trigger's particle, then those piled up.

    Parameters
    ----------
    readout : EnergyReadout
        The read-out.
    truth : Truth
        Deposits of the particles of the triggers.
    more : PileUp
        Particles piled up.
    key : np.uint64
        Key of the random numbers.
    rng : Stream
        Random numbers; the stream is restarted with the key for every event.

    Returns
    -------
    dict of str to (IntArray, RecordArray)
        Collection -> first row of every event, shape (n_events + 1,), and rows, of the kind SIGNAL (counters, VETO) or CELL.
    """
    offsets, empty = np.zeros(len(truth.counters) + 1, COUNTS), (SIGNAL, SIGNAL, CELL, CELL, CELL)
    rows = _Rows(*(np.empty(0, kind) for kind in empty))
    found = _energy_rows(readout, truth, more, rows, new_record(COUNTS), offsets, key, rng)
    return {name: (offsets[name].copy(), getattr(found, name)) for name in _Rows._fields}
