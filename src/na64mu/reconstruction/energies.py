"""Energies of calorimeters, VETO and counters: sums of cells in and out of the time window."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from na64mu.detector import Detector
from na64mu.events.batch import Jagged
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("InOut", "calorimeter_energy", "counter_energy", "in_window", "pointed_cell_energy", "veto_energy")

TIME_WINDOW = 4.0  # standard deviations around the trigger time (NA64 analysis drivers cut at 4)
BORDER = 3.0  # a neighbour cell counts too if the track passes its border within so many standard deviations


class InOut(NamedTuple):
    """Energy in and out of the time window, each of shape (n_events,)."""

    in_time: FloatArray
    out_of_time: FloatArray


def in_window(digits: Jagged, sigma_t: float) -> BoolArray:
    """Rows within TIME_WINDOW standard deviations of time 0.

    Parameters
    ----------
    digits : Jagged
        A collection with a `time` field [ns].
    sigma_t : float
        Time resolution [ns].

    Returns
    -------
    BoolArray
        Shape (n_rows,).
    """
    return np.abs(digits["time"]) < TIME_WINDOW * sigma_t


def _event_sum(digits: Jagged, weights: FloatArray) -> FloatArray:
    return np.bincount(digits.event_index, weights=weights, minlength=len(digits)).astype(np.float64)


def calorimeter_energy(digits: Jagged, sigma_t: float, selected: BoolArray | None = None) -> InOut:
    """Sum of the cells of every event.

    Parameters
    ----------
    digits : Jagged
        The `ecal`, `vhcal` or `hcal` collection.
    sigma_t : float
        Time resolution of a cell [ns].
    selected : BoolArray, optional
        Rows to take (one section or module), shape (n_rows,); all without it.

    Returns
    -------
    InOut
        Energies [GeV].
    """
    energy = digits["energy"].astype(np.float64)
    if selected is not None:
        energy = np.where(selected, energy, 0.0)
    inside = in_window(digits, sigma_t)
    return InOut(_event_sum(digits, energy * inside), _event_sum(digits, energy * ~inside))


def counter_energy(digits: Jagged, identity: int, sigma_t: float) -> FloatArray:
    """In-time energy of one counter [MeV], shape (n_events,).

    Parameters
    ----------
    digits : Jagged
        The `counter` collection.
    identity : int
        Its number: S0=0, S1=1, V1=2, S4=3, S_mu=4.
    sigma_t : float
        Its time resolution [ns].

    Returns
    -------
    FloatArray
        Sum of its in-time rows [MeV].
    """
    return calorimeter_energy(digits, sigma_t, digits["id"] == identity).in_time


def veto_energy(digits: Jagged, detector: Detector) -> InOut:
    """Energy in the VETO: per panel the geometric mean of its two ends, summed over the panels.

    Each end stands on the scale of the whole panel. Where one end is below `end_ratio` of the other, the larger counts alone.

    Parameters
    ----------
    digits : Jagged
        The `veto` collection.
    detector : Detector
        The description.

    Returns
    -------
    InOut
        Energies [MeV].

    References
    ----------
    E. Depero, thesis (ETH Zurich), section on the VETO: sqrt(a1 a2), 0.3.
    """
    veto = detector.veto
    n_ends = 2 * veto.panels
    inside = in_window(digits, veto.sigma_t)
    index = digits.event_index * n_ends + digits["id"].astype(np.int64)
    sums = []
    for chosen in (inside, ~inside):
        ends = np.bincount(index, weights=digits["energy"].astype(np.float64) * chosen, minlength=len(digits) * n_ends)
        ends = ends.reshape(len(digits), veto.panels, 2)
        low, high = ends.min(axis=2), ends.max(axis=2)
        panel = np.where(low < veto.end_ratio * high, high, np.sqrt(low * high))
        sums.append(panel.sum(axis=1))
    return InOut(sums[0], sums[1])


def _crossed(position: FloatArray, error: FloatArray, centres: FloatArray, size: float, cell: IntArray) -> BoolArray:
    """Rows whose cell the track crosses in one view, borders widened by BORDER standard deviations."""
    distance = np.abs(position - centres[np.clip(cell, 0, len(centres) - 1)])
    return (distance < 0.5 * size + BORDER * error) & (cell < len(centres))


def pointed_cell_energy(
    digits: Jagged, detector: Detector, x: FloatArray, y: FloatArray, x_error: FloatArray, y_error: FloatArray
) -> FloatArray:
    """In-time energy of HCAL1 in the cell the track points to; near a border its neighbour counts too.

    Parameters
    ----------
    digits : Jagged
        The `hcal` collection.
    detector : Detector
        The description.
    x, y : FloatArray
        Track at the HCAL front face [mm], NaN without a track, shape (n_events,).
    x_error, y_error : FloatArray
        Their standard deviations [mm], with the scattering inside the module, shape (n_events,).

    Returns
    -------
    FloatArray
        Energies [GeV], NaN where there is no track or it misses the HCAL, shape (n_events,).
    """
    hcal, event = detector.hcal, digits.event_index
    mine = (digits["module"] == 1) & in_window(digits, hcal.sigma_t)
    for view, (position, error, cell) in enumerate(((x, x_error, digits["ix"]), (y, y_error, digits["iy"]))):
        mine &= _crossed(position[event], error[event], hcal.cell_centre(view), hcal.cell[view], cell.astype(np.int64))
    energy = _event_sum(digits, np.where(mine, digits["energy"].astype(np.float64), 0.0))
    hit = np.isfinite(x) & np.isfinite(y)
    for view, position in enumerate((x, y)):
        hit &= np.abs(position - hcal.centre[view]) < 0.5 * hcal.cells[view] * hcal.cell[view]
    return np.where(hit, energy, np.nan)
