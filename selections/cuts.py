"""Cuts (i) to (iv) of the Letter (PRL 132, 211803; arXiv:2401.01708) as functions `(summary, thresholds) -> mask`.

A summary is a dictionary of columns of shape (n_events,) (see COLUMNS and DERIVED of na64mu.reconstruction.columns); a mask is True where an event
passes. NaN, which stands for a quantity that does not exist, never passes. Momenta GeV/c, energies GeV (VETO: MeV).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from na64mu.events.form import TRIGGER_BITS
from na64mu.reconstruction.columns import TRACKER_STATIONS
from na64mu.typing import AnyArray, BoolArray, Summary

__all__ = (
    "CUTS",
    "Box",
    "CutDefinition",
    "HitsAndCell",
    "MipWindows",
    "MomentumWindow",
    "Region",
    "Thresholds",
    "TrackNumbers",
    "TriggerBits",
    "in_box",
    "in_region",
    "mip_everywhere",
    "momentum_in_window",
    "single_hits_and_mip_cell",
    "single_tracks",
    "trigger",
    "within",
)

Station = Literal[TRACKER_STATIONS]  # type: ignore[valid-type]  # a Literal of names that stand in a tuple
Energy = Literal["e_ecal", "e_preshower", "e_veto", "e_vhcal", "e_hcal1", "e_hcal2", "e_hcal_cell", "e_cal"]
Range = tuple[float, float]


class Thresholds(BaseModel, ABC):
    """Base of the thresholds of one cut: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut looks at."""

    def with_windows(self, windows: dict[str, Range]) -> Thresholds:  # noqa: ARG002  # most cuts need no calibration
        """The same thresholds with the MIP windows of one calibration."""
        return self

    @property
    def mip_quantities(self) -> tuple[str, ...]:
        """Energies whose MIP window this cut needs from the calibration."""
        return ()


class TriggerBits(Thresholds):
    """Trigger conditions of which at least one is wanted."""

    bits: Annotated[tuple[Literal["calibration", "physics", "random"], ...], Field(min_length=1)]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut looks at."""
        return ("trigger",)


class MomentumWindow(Thresholds):
    """Window of the incoming momentum: centre and half width [GeV/c]."""

    centre: Annotated[float, Field(gt=0)]
    half_width: Annotated[float, Field(gt=0)]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut looks at."""
        return ("p_in",)


class TrackNumbers(Thresholds):
    """Number of track candidates wanted in each spectrometer."""

    ms1: Annotated[int, Field(ge=0)]
    ms2: Annotated[int, Field(ge=0)]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut looks at."""
        return ("n_tracks_ms1", "n_tracks_ms2")


class MipWindows(Thresholds):
    """Energies that must lie in their MIP windows; the windows come from a calibration."""

    mip: Annotated[tuple[Energy, ...], Field(min_length=1)]
    windows: dict[str, Range] = {}

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut looks at."""
        return self.mip

    @property
    def mip_quantities(self) -> tuple[str, ...]:
        """Energies whose MIP window this cut needs from the calibration."""
        return self.mip

    def with_windows(self, windows: dict[str, Range]) -> Thresholds:
        """The same thresholds with the MIP windows of one calibration."""
        return self.model_copy(update={"windows": {name: windows[name] for name in self.mip}})


class HitsAndCell(MipWindows):
    """Largest number of hits in the named stations, and the energy that must be MIP-like."""

    max_hits: Annotated[int, Field(ge=0)]
    stations: Annotated[tuple[Station, ...], Field(min_length=1)]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut looks at."""
        return (*(f"n_hits_{station}" for station in self.stations), *self.mip)


class Box(BaseModel):
    """The signal box: p_out up to and including `p_out_max` [GeV/c], E_CAL below `e_cal_max` [GeV]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p_out_max: Annotated[float, Field(gt=0)]
    e_cal_max: Annotated[float, Field(gt=0)]
    source: str


class Region(BaseModel):
    """A region of the (p_out, E_CAL) plane: low <= value < high for p_out, E_CAL and their sum [GeV]; no limit where none is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    p_out_min: float | None = None
    p_out_max: float | None = None
    e_cal_min: float | None = None
    e_cal_max: float | None = None
    total_min: float | None = None
    total_max: float | None = None
    source: str


def within(values: AnyArray, limits: Range) -> BoolArray:
    """Events with low <= value <= high.

    Parameters
    ----------
    values : AnyArray
        Shape (n_events,).
    limits : (float, float)
        Lowest and highest value that passes.

    Returns
    -------
    BoolArray
        Shape (n_events,); False for NaN.
    """
    return np.asarray((values >= limits[0]) & (values <= limits[1]), dtype=np.bool_)


def trigger(summary: Summary, thresholds: TriggerBits) -> BoolArray:
    """Recorded by one of the wanted triggers; the Letter's search uses the physics trigger S0 x S1 x !V1 x S4 x S_mu."""
    wanted = sum(1 << TRIGGER_BITS[bit] for bit in thresholds.bits)
    return np.asarray((summary["trigger"] & wanted) != 0, dtype=np.bool_)


def momentum_in_window(summary: Summary, thresholds: MomentumWindow) -> BoolArray:
    """Cut (i): the incoming momentum p_in is in 160 +- 20 GeV/c (edges included)."""
    return np.asarray(np.abs(summary["p_in"] - thresholds.centre) <= thresholds.half_width, dtype=np.bool_)


def single_tracks(summary: Summary, thresholds: TrackNumbers) -> BoolArray:
    """Cut (ii): exactly one track in MS1 and one in MS2."""
    return np.asarray((summary["n_tracks_ms1"] == thresholds.ms1) & (summary["n_tracks_ms2"] == thresholds.ms2), dtype=np.bool_)


def single_hits_and_mip_cell(summary: Summary, thresholds: HitsAndCell) -> BoolArray:
    """Cut (iii): at most one hit in each of MM5, MM6, MM7 and ST1, and a MIP in the HCAL cell that the MS2 track points to."""
    mask = mip_everywhere(summary, thresholds)
    for station in thresholds.stations:
        mask &= summary[f"n_hits_{station}"] <= thresholds.max_hits
    return mask


def mip_everywhere(summary: Summary, thresholds: MipWindows) -> BoolArray:
    """Cut (iv): the energies in all calorimeters and in the VETO are those of a minimum ionising particle."""
    mask = np.ones(len(summary["p_in"]), dtype=np.bool_)
    for name in thresholds.mip:
        mask &= within(summary[name], thresholds.windows[name])
    return mask


def in_box(summary: Summary, box: Box) -> BoolArray:
    """Events in the signal box of the Letter: p_out <= 80 GeV/c and E_CAL < 12 GeV."""
    return np.asarray((summary["p_out"] <= box.p_out_max) & (summary["e_cal"] < box.e_cal_max), dtype=np.bool_)


def in_region(summary: Summary, region: Region) -> BoolArray:
    """Events in one of the regions A to D of Fig. 3 of the Letter, low <= value < high."""
    p_out, e_cal = summary["p_out"], summary["e_cal"]
    mask = np.isfinite(p_out) & np.isfinite(e_cal)
    limits = (
        (p_out, region.p_out_min, region.p_out_max),
        (e_cal, region.e_cal_min, region.e_cal_max),
        (p_out + e_cal, region.total_min, region.total_max),
    )
    for values, low, high in limits:
        if low is not None:
            mask &= values >= low
        if high is not None:
            mask &= values < high
    return np.asarray(mask, dtype=np.bool_)


@dataclass(frozen=True)
class CutDefinition:
    """A cut function and the model of its thresholds."""

    function: Callable[[Summary, Thresholds], BoolArray]
    thresholds: type[Thresholds]


#: All cuts that a working point can name; add a function here to make it known.
CUTS: dict[str, CutDefinition] = {
    function.__name__: CutDefinition(function, model)  # type: ignore[arg-type]  # each function takes its own thresholds
    for function, model in (
        (trigger, TriggerBits),
        (momentum_in_window, MomentumWindow),
        (single_tracks, TrackNumbers),
        (single_hits_and_mip_cell, HitsAndCell),
        (mip_everywhere, MipWindows),
    )
}
