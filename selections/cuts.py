"""Cuts (i) to (iv) of the Letter (PRL 132, 211803; arXiv:2401.01708) as functions `(summary, thresholds) -> mask`.

A summary is a dictionary of columns of shape (n_events,) (see COLUMNS and DERIVED of na64mu.reconstruction.columns); a mask is True where an event
passes. NaN, which marks a quantity that does not exist, never passes. Momenta GeV/c, energies GeV (VETO: MeV).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from na64mu.detector.elements import Source, is_station
from na64mu.events.schema_v1 import TRIGGER_BITS
from na64mu.reconstruction.columns import hits_column, is_column, known_columns
from na64mu.selections.registry import CUTS, CutDefinition, Range, Thresholds, is_recorded, register_cut, source_digest, user_cuts
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
    "register_cut",
    "single_hits_and_mip_cell",
    "single_tracks",
    "source_digest",
    "trigger",
    "user_cuts",
    "within",
)


def _station(name: str) -> str:
    if not is_station(name):
        msg = f"no tracker station {name!r}: a station is named by its kind and its number, such as mm5 or st1"
        raise ValueError(msg)
    return name


Station = Annotated[str, AfterValidator(_station)]
Ranges = dict[str, tuple[float | None, float | None]]
Energy = Literal["e_ecal", "e_preshower", "e_veto", "e_vhcal", "e_hcal1", "e_hcal2", "e_hcal_cell", "e_cal"]


class TriggerBits(Thresholds):
    """Trigger conditions of which at least one is required."""

    bits: Annotated[tuple[Literal["calibration", "physics", "random"], ...], Field(min_length=1)]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut uses."""
        return ("trigger",)


class MomentumWindow(Thresholds):
    """Window of the incoming momentum: centre and half width [GeV/c]."""

    centre: Annotated[float, Field(gt=0)]
    half_width: Annotated[float, Field(gt=0)]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut uses."""
        return ("p_in",)


class TrackNumbers(Thresholds):
    """Number of track candidates required in each spectrometer."""

    ms1: Annotated[int, Field(ge=0)]
    ms2: Annotated[int, Field(ge=0)]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut uses."""
        return ("n_tracks_ms1", "n_tracks_ms2")


class MipWindows(Thresholds):
    """Energies that must lie in their MIP windows; the windows come from a calibration."""

    mip: Annotated[tuple[Energy, ...], Field(min_length=1)]
    windows: dict[str, Range] = Field(default={})

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut uses."""
        return self.mip

    @property
    def mip_quantities(self) -> tuple[str, ...]:
        """Energies whose MIP window this cut needs from the calibration."""
        return self.mip

    def with_windows(self, windows: dict[str, Range]) -> Thresholds:
        """Return the thresholds with the MIP windows of one calibration."""
        return self.model_copy(update={"windows": {name: windows[name] for name in self.mip}})


class HitsAndCell(MipWindows):
    """Largest number of hits in the named stations, and the energy that must be MIP-like."""

    max_hits: Annotated[int, Field(ge=0)]
    stations: Annotated[tuple[Station, ...], Field(min_length=1)]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut uses."""
        return (*(hits_column(station) for station in self.stations), *self.mip)


class Box(BaseModel):
    """The signal box: p_out up to and including `p_out_max` [GeV/c], E_CAL below `e_cal_max` [GeV]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p_out_max: Annotated[float, Field(gt=0)]
    e_cal_max: Annotated[float, Field(gt=0)]
    source: str


class Region(BaseModel):
    """A region of the (p_out, E_CAL) plane: low <= value < high for p_out, E_CAL and their sum [GeV]; no limit where none is given.

    `ranges` limits further columns in the same way, and `mask` names a function of a user's own (na64mu.selections.regions).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    p_out_min: float | None = None
    p_out_max: float | None = None
    e_cal_min: float | None = None
    e_cal_max: float | None = None
    total_min: float | None = None
    total_max: float | None = None
    ranges: Ranges = {}
    mask: str = ""
    source: Source

    @field_validator("ranges")
    @classmethod
    def _finite_limits_of_columns(cls, ranges: Ranges, info: ValidationInfo) -> Ranges:
        unknown = [] if is_recorded(info) else [name for name in ranges if not is_column(name)]
        if unknown:
            msg = f"no column {unknown[0]!r}: the summary has {', '.join(known_columns())}"
            raise ValueError(msg)
        return {name: (_limit(low), _limit(high)) for name, (low, high) in ranges.items()}

    @property
    def has_limits(self) -> bool:
        """Whether it is limited in p_out, E_CAL or their sum: only then it can be drawn in the plane."""
        limits = (self.p_out_min, self.p_out_max, self.e_cal_min, self.e_cal_max, self.total_min, self.total_max)
        return any(limit is not None for limit in limits)


def _limit(value: float | None) -> float | None:
    """A limit; none where TOML writes inf or -inf."""
    return None if value is None or not math.isfinite(value) else value


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
    """Recorded by one of the required triggers; the Letter's search uses the physics trigger S0 x S1 x !V1 x S4 x S_mu."""
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
        mask &= summary[hits_column(station)] <= thresholds.max_hits
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


CUTS.update(
    {
        function.__name__: CutDefinition(function, model)
        for function, model in (
            (trigger, TriggerBits),
            (momentum_in_window, MomentumWindow),
            (single_tracks, TrackNumbers),
            (single_hits_and_mip_cell, HitsAndCell),
            (mip_everywhere, MipWindows),
        )
    }
)
