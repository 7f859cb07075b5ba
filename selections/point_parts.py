"""Parts of a working point that are numbers with a source: spectra, the rule of MIP windows, the tail's window, missing energy."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from na64mu.detector.elements import Source
from na64mu.selections.histograms import HistogramAxis

__all__ = ("MipRule", "MissingEnergy", "Part", "Spectrum", "TailWindow")


class Part(BaseModel):
    """Base of the parts: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Spectrum(HistogramAxis):
    """The spectrum of one column of the summary, stored or derived."""

    label: str


class TailWindow(Part):
    """The window of p_in [GeV/c] of the muons whose p_out shows the tail of background (I)."""

    centre: Annotated[float, Field(gt=0)]
    half_width: Annotated[float, Field(gt=0)]
    source: Source


class MissingEnergy(Part):
    """The largest p_out + E_CAL [GeV] at which energy is missing: above lies the band of hard bremsstrahlung."""

    total_max: Annotated[float, Field(gt=0)]
    source: Source


class MipRule(Part):
    """Rule that derives a MIP window from the calibration sample."""

    fit_low: Annotated[float, Field(ge=0, lt=1)]  # lower end of the fit range, in units of the peak
    fit_high: Annotated[float, Field(gt=1)]
    quantile_low: Annotated[float, Field(ge=0, lt=0.5)]  # of the fitted shape
    quantile_high: Annotated[float, Field(gt=0.5, lt=1)]
    min_events: Annotated[int, Field(ge=50)]
    quantities: tuple[str, ...]  # peaks to fit
    upper_bounds: tuple[str, ...]  # most muons deposit nothing: the window has no lower end
    source: Source
