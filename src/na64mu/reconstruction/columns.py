"""Columns of the event summary: one row per event, the only interface between reconstruction and selection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from na64mu.detector import DetectorLike, load_detector
from na64mu.detector.elements import is_station
from na64mu.detector.readout import stations
from na64mu.errors import ColumnError
from na64mu.typing import AnyArray, FloatArray, Summary

__all__ = (
    "COLUMNS",
    "DERIVED",
    "HITS",
    "STANDARD",
    "Derived",
    "column",
    "derived_columns",
    "hits_column",
    "is_column",
    "known_columns",
    "stored_columns",
    "summary_columns",
    "with_derived",
)

_F, _I = np.dtype(np.float64), np.dtype(np.int32)

#: Type, unit and meaning of a column.
Column = tuple[np.dtype, str, str]

#: Columns that every set-up has, in the order they are written. Numbers that do not exist are NaN. Those of the stations come before HITS_BEFORE.
COLUMNS: dict[str, Column] = {
    "run": (np.dtype(np.uint32), "", "run number"),
    "spill": (np.dtype(np.uint32), "", "spill of the run"),
    "event": (np.dtype(np.uint64), "", "event of the run"),
    "config": (np.dtype(np.uint8), "", "trigger configuration, 1 or 2"),
    "trigger": (np.dtype(np.uint32), "", "trigger bits: 0 calibration, 1 physics, 2 random"),
    "n_tracks_ms1": (_I, "", "track candidates in MS1"),
    "n_tracks_ms2": (_I, "", "track candidates in MS2"),
    "p_in": (_F, "GeV/c", "momentum of the best MS1 track"),
    "p_in_error": (_F, "GeV/c", "its standard deviation from the fit"),
    "charge_in": (_I, "e", "its charge: -1, +1, 0 without a track"),
    "chi2_ms1": (_F, "", "chi2 of its fit"),
    "ndf_ms1": (_I, "", "degrees of freedom of its fit"),
    "p_out": (_F, "GeV/c", "momentum of the best MS2 track"),
    "p_out_error": (_F, "GeV/c", "its standard deviation from the fit"),
    "charge_out": (_I, "e", "its charge: -1, +1, 0 without a track"),
    "chi2_ms2": (_F, "", "chi2 of its fit"),
    "ndf_ms2": (_I, "", "degrees of freedom of its fit"),
    "x_ecal": (_F, "mm", "MS1 track at the ECAL front face"),
    "y_ecal": (_F, "mm", "MS1 track at the ECAL front face"),
    "tx_in": (_F, "rad", "slope dx/dz of the MS1 track at the ECAL front face"),
    "ty_in": (_F, "rad", "slope dy/dz of the MS1 track at the ECAL front face"),
    "tx_out": (_F, "rad", "slope dx/dz of the MS2 track upstream of the magnet"),
    "ty_out": (_F, "rad", "slope dy/dz of the MS2 track upstream of the magnet"),
    "x_s4": (_F, "mm", "MS2 track at S4"),
    "y_s4": (_F, "mm", "MS2 track at S4"),
    "x_hcal": (_F, "mm", "MS2 track at the HCAL front face"),
    "y_hcal": (_F, "mm", "MS2 track at the HCAL front face"),
    "x_hcal_error": (_F, "mm", "standard deviation of x_hcal"),
    "y_hcal_error": (_F, "mm", "standard deviation of y_hcal"),
    "x_smu": (_F, "mm", "MS2 track at S_mu, straight through the HCAL"),
    "y_smu": (_F, "mm", "MS2 track at S_mu, straight through the HCAL"),
    "e_ecal": (_F, "GeV", "in-time energy in the ECAL, preshower and main"),
    "e_preshower": (_F, "GeV", "in-time energy in the ECAL preshower"),
    "e_veto": (_F, "MeV", "in-time energy in the VETO, sum of the panels"),
    "e_vhcal": (_F, "GeV", "in-time energy in the VHCAL"),
    "e_hcal1": (_F, "GeV", "in-time energy in HCAL1"),
    "e_hcal2": (_F, "GeV", "in-time energy in HCAL2"),
    "e_hcal_cell": (_F, "GeV", "in-time energy of HCAL1 in the cell that the MS2 track points to (NaN without a track)"),
    "e_cal": (_F, "GeV", "E_CAL = ECAL + VHCAL + HCAL1 + HCAL2, in time"),
    "e_ecal_out_of_time": (_F, "GeV", "energy in the ECAL outside the time window"),
    "e_veto_out_of_time": (_F, "MeV", "energy in the VETO outside the time window"),
    "e_vhcal_out_of_time": (_F, "GeV", "energy in the VHCAL outside the time window"),
    "e_hcal_out_of_time": (_F, "GeV", "energy in HCAL1 and HCAL2 outside the time window"),
    "e_s4": (_F, "MeV", "in-time energy in S4"),
    "e_smu": (_F, "MeV", "in-time energy in S_mu"),
}

HITS, HITS_BEFORE = "n_hits_", "e_ecal"

#: The set-up whose columns are named where no description is given.
STANDARD = "na64mu-2022"


def hits_column(station: str) -> str:
    """Column with the hits of a tracker station, such as mm5."""
    return f"{HITS}{station}"


def summary_columns(detector: DetectorLike = STANDARD) -> dict[str, Column]:
    """Columns of the event summary of a set-up, in the order they are written.

    Parameters
    ----------
    detector : Detector, str or Path
        The description.

    Returns
    -------
    dict of str to tuple
        COLUMNS, with one column for each tracker station in the order of the beam: name -> (type, unit, meaning).
    """
    hits: dict[str, Column] = {
        hits_column(s): (_I, "", f"in-time hits in {s.upper()}: the larger of its views") for s in stations(load_detector(detector))
    }
    names = list(COLUMNS)
    behind = names.index(HITS_BEFORE)
    return {n: COLUMNS[n] for n in names[:behind]} | hits | {n: COLUMNS[n] for n in names[behind:]}


@dataclass(frozen=True)
class Derived:
    """A column that is computed from stored ones on request; it is not written to any file.

    Attributes
    ----------
    needs : tuple of str
        Columns that it is made of, stored or derived.
    function : callable
        Summary -> values, shape (n_events,); NaN where it does not exist. It is given the columns that it needs, and no others.
    unit, meaning : str
        Unit and meaning of the column, as in COLUMNS.
    """

    needs: tuple[str, ...]
    function: Callable[[Summary], AnyArray]
    unit: str
    meaning: str

    def of(self, summary: Summary, name: str) -> AnyArray:
        """The values in a summary, shape (n_events,); `name` is that of the column, for messages.

        Raises
        ------
        ColumnError
            If the function fails, or does not return one number for each event.
        """
        given = {needed: column(summary, needed) for needed in self.needs}
        n = len(next(iter(given.values())))
        try:
            values = np.asarray(self.function(given))
        except KeyError as error:
            msg = f"the variable {name!r} looks at {error}, which is not among the columns that it says it needs: {', '.join(self.needs)}"
            raise ColumnError(msg) from error
        if values.shape != (n,) or values.dtype.kind not in "biuf":
            msg = f"the variable {name!r} returns {values.dtype} of shape {values.shape}, one number for each of {n} events is wanted"
            raise ColumnError(msg)
        return values


def _reduced_chi2(spectrometer: str) -> Derived:
    chi2, ndf = f"chi2_{spectrometer}", f"ndf_{spectrometer}"

    def ratio(summary: Summary) -> FloatArray:
        freedom = np.asarray(summary[ndf], dtype=np.float64)
        return np.divide(summary[chi2], freedom, out=np.full(len(freedom), np.nan), where=freedom > 0)

    return Derived((chi2, ndf), ratio, "", f"chi2 per degree of freedom of the best {spectrometer.upper()} track")


#: Columns that cuts and spectra can name as they name those of COLUMNS: name -> how it is made.
DERIVED: dict[str, Derived] = {f"chi2_ndf_{ms}": _reduced_chi2(ms) for ms in ("ms1", "ms2")}


def known_columns() -> tuple[str, ...]:
    """Names that a cut or a spectrum can use: those of the standard set-up, and derived ones; `is_column` knows other stations too."""
    return (*summary_columns(), *DERIVED)


def is_column(name: str) -> bool:
    """Whether a set-up can have a column of this name, stored or derived: the hits of any station of a known kind are among them."""
    return name in COLUMNS or name in DERIVED or (name.startswith(HITS) and is_station(name.removeprefix(HITS)))


def derived_columns(names: Iterable[str]) -> dict[str, Derived]:
    """How the derived columns among some names are made, with those that they are made of themselves, each behind what it needs."""
    found: dict[str, Derived] = {}
    for name in names:
        if name in DERIVED:
            found |= derived_columns(DERIVED[name].needs) | {name: DERIVED[name]}
    return found


def stored_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Columns of a file that some columns are made of.

    Parameters
    ----------
    names : iterable of str
        Stored or derived columns.

    Returns
    -------
    tuple of str
        Each once, in order.
    """
    stored: dict[str, None] = {}
    for name in names:
        stored |= dict.fromkeys(stored_columns(DERIVED[name].needs) if name in DERIVED else (name,))
    return tuple(stored)


def column(summary: Summary, name: str) -> AnyArray:
    """A column of a summary, stored or derived; shape (n_events,)."""
    if name in DERIVED and name not in summary.keys():  # noqa: SIM118  # an EventSummary makes derived columns itself
        return DERIVED[name].of(summary, name)
    return summary[name]


def with_derived(summary: Summary, names: Iterable[str]) -> Summary:
    """A summary that has the derived columns among some names; the columns themselves are shared, not copied."""
    made = {name: column(summary, name) for name in names if name in DERIVED}
    return {**summary, **made} if made else summary
