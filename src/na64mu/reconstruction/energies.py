"""Energies of calorimeters, VETO and counters: sums of cells in and out of the time window."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Self

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.detector import DetectorLike, load_detector
from na64mu.detector.readout import time_window
from na64mu.events.batch import Jagged
from na64mu.reconstruction.strips import raw_columns
from na64mu.typing import AnyArray, BoolArray, FloatArray

__all__ = ("InOut", "calorimeter_energy", "counter_energy", "in_window", "pointed_cell_energy", "veto_energy")

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
    return np.abs(digits["time"]) < time_window(sigma_t)[1]


class _Rows(NamedTuple):
    """Columns of a collection that are summed, in the types of the raw tree; `window` has the type of `time`."""

    offsets: AnyArray
    energy: AnyArray
    time: AnyArray
    window: Any

    @classmethod
    def of(cls, digits: Jagged, sigma_t: float) -> Self:
        energy, time = raw_columns(digits, "energy", "time")
        return cls(digits.offsets, energy, time, time.dtype.type(time_window(sigma_t)[1]))


@kernel
def _sums(rows, selected, inside, outside):  # type: ignore[no-untyped-def] # kernel
    """Energies of every event in and out of the time window; no `selected` means all rows."""
    window = rows.window
    for e in range(len(inside)):
        inside[e] = outside[e] = 0.0
        for i in range(rows.offsets[e], rows.offsets[e + 1]):
            energy = np.float64(rows.energy[i]) if len(selected) == 0 or selected[i] else 0.0
            near = abs(rows.time[i]) < window
            inside[e] += energy * near
            outside[e] += energy * (not near)


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
    inside, outside = np.empty((2, len(digits)))
    _sums(_Rows.of(digits, sigma_t), np.empty(0, dtype=np.bool_) if selected is None else selected, inside, outside)
    return InOut(inside, outside)


def counter_energy(digits: Jagged, identity: int, sigma_t: float) -> FloatArray:
    """In-time energy of one counter [MeV], shape (n_events,).

    Parameters
    ----------
    digits : Jagged
        The `counter` collection.
    identity : int
        Number of the counter: S0=0, S1=1, V1=2, S4=3, S_mu=4.
    sigma_t : float
        Time resolution of the counter [ns].

    Returns
    -------
    FloatArray
        Sum of its in-time rows [MeV].
    """
    return calorimeter_energy(digits, sigma_t, digits["id"] == identity).in_time


@kernel
def _panel(low: float, high: float, end_ratio: float) -> float:
    """Energy of a panel from its two ends."""
    if high < low:
        low, high = high, low
    return high if low < end_ratio * high else math.sqrt(low * high)


@kernel
def _panels(rows, end, end_ratio, ends, inside, outside):  # type: ignore[no-untyped-def] # kernel
    """Energies in and out of time of all events; `ends` is scratch of shape (2, n_panels, 2)."""
    window = rows.window
    for e in range(len(inside)):
        ends[:] = 0.0
        for i in range(rows.offsets[e], rows.offsets[e + 1]):
            panel, side = divmod(np.int64(end[i]), 2)
            if panel < ends.shape[1]:
                ends[0 if abs(rows.time[i]) < window else 1, panel, side] += np.float64(rows.energy[i])
        inside[e] = outside[e] = 0.0
        for p in range(ends.shape[1]):
            inside[e] += _panel(ends[0, p, 0], ends[0, p, 1], end_ratio)
            outside[e] += _panel(ends[1, p, 0], ends[1, p, 1], end_ratio)


def veto_energy(digits: Jagged, detector: DetectorLike) -> InOut:
    """Energy in the VETO: per panel the geometric mean of its two ends, summed over the panels.

    Each end is calibrated to the energy of the whole panel. Where one end is below `end_ratio` of the other, the larger counts alone.

    Parameters
    ----------
    digits : Jagged
        The `veto` collection.
    detector : Detector, str or Path
        The description.

    Returns
    -------
    InOut
        Energies [MeV].

    References
    ----------
    E. Depero, thesis (ETH Zurich), section on the VETO: sqrt(a1 a2), 0.3.
    """
    detector = load_detector(detector)
    veto = detector.veto
    inside, outside = np.empty((2, len(digits)))
    _panels(_Rows.of(digits, veto.sigma_t), *raw_columns(digits, "id"), veto.end_ratio, np.empty((2, veto.panels, 2)), inside, outside)
    return InOut(inside, outside)


class _Cells(NamedTuple):
    """Cells of a calorimeter in one view: centres [mm], shape (n_cells,), and width [mm]."""

    centre: FloatArray
    width: float


class _Track(NamedTuple):
    """Crossing point of a track in one view and its standard deviation [mm], each of shape (n_events,)."""

    position: FloatArray
    error: FloatArray


@kernel
def _crossed(cells, track, e, cell):  # type: ignore[no-untyped-def] # kernel
    """Whether the track of event e crosses a cell in one view, borders widened by BORDER standard deviations."""
    if cell < 0 or cell >= len(cells.centre):
        return False
    return abs(track.position[e] - cells.centre[cell]) < 0.5 * cells.width + BORDER * track.error[e]


@kernel
def _pointed(rows, module, ix, iy, columns, lines, x, y, out):  # type: ignore[no-untyped-def] # kernel
    """In-time energy of HCAL1 in the cells that the track crosses, for all events."""
    window = rows.window
    for e in range(len(out)):
        out[e] = 0.0
        for i in range(rows.offsets[e], rows.offsets[e + 1]):
            if module[i] != 1 or not abs(rows.time[i]) < window:
                continue
            if _crossed(columns, x, e, np.int64(ix[i])) and _crossed(lines, y, e, np.int64(iy[i])):
                out[e] += np.float64(rows.energy[i])


def pointed_cell_energy(
    digits: Jagged, detector: DetectorLike, x: FloatArray, y: FloatArray, x_error: FloatArray, y_error: FloatArray
) -> FloatArray:
    """In-time energy of HCAL1 in the cell the track points to; near a border its neighbour counts too.

    Parameters
    ----------
    digits : Jagged
        The `hcal` collection.
    detector : Detector, str or Path
        The description.
    x, y : FloatArray
        Track in the middle of HCAL1, half of its length behind the front face [mm], NaN without a track, shape (n_events,): the cell that it
        crosses there holds most of its energy (find them as `reconstruct` does, front[0] + length / 2 along z).
    x_error, y_error : FloatArray
        Standard deviations of the crossing point [mm], with the scattering inside the module, shape (n_events,).

    Returns
    -------
    FloatArray
        Energies [GeV], NaN where there is no track or it misses the HCAL, shape (n_events,).
    """
    detector = load_detector(detector)
    hcal = detector.hcal
    cells = [_Cells(np.ascontiguousarray(hcal.cell_centre(view), dtype=np.float64), float(hcal.cell[view])) for view in (0, 1)]
    tracks = [_Track(*(np.ascontiguousarray(column) for column in track)) for track in ((x, x_error), (y, y_error))]
    energy = np.empty(len(digits))
    _pointed(_Rows.of(digits, hcal.sigma_t), *raw_columns(digits, "module", "ix", "iy"), *cells, *tracks, energy)
    hit = np.isfinite(x) & np.isfinite(y)
    for view, position in enumerate((x, y)):
        hit &= np.abs(position - hcal.centre[view]) < 0.5 * hcal.cells[view] * hcal.cell[view]
    return np.where(hit, energy, np.nan)
