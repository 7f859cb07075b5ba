"""Cuts (i) to (iv) of the Letter (PRL 132, 211803; arXiv:2401.01708) as functions `(summary, thresholds) -> mask`.

A summary is a dictionary of columns of shape (n_events,) (see COLUMNS and DERIVED of na64mu.reconstruction.columns); a mask is True where an event
passes. NaN, which marks a quantity that does not exist, never passes. Momenta GeV/c, energies GeV (VETO: MeV).
"""

from __future__ import annotations

import hashlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from na64mu.detector.elements import is_station
from na64mu.errors import SelectionError
from na64mu.events.schema_v1 import TRIGGER_BITS
from na64mu.reconstruction.columns import hits_column
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
    "digest_of_sources",
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
Energy = Literal["e_ecal", "e_preshower", "e_veto", "e_vhcal", "e_hcal1", "e_hcal2", "e_hcal_cell", "e_cal"]
Range = tuple[float, float]


class Thresholds(BaseModel, ABC):
    """Base of the thresholds of one cut: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that the cut uses."""

    def with_windows(self, windows: dict[str, Range]) -> Thresholds:  # noqa: ARG002  # most cuts need no calibration
        """Return the thresholds with the MIP windows of one calibration."""
        return self

    @property
    def mip_quantities(self) -> tuple[str, ...]:
        """Energies whose MIP window this cut needs from the calibration."""
        return ()


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
    windows: dict[str, Range] = {}

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


@dataclass(frozen=True)
class CutDefinition:
    """A cut function and the model of its thresholds."""

    function: Callable[[Summary, Any], BoolArray]  # each function takes its own thresholds
    thresholds: type[Thresholds]


#: All cuts that a working point can name; `register_cut` adds one of your own.
CUTS: dict[str, CutDefinition] = {
    function.__name__: CutDefinition(function, model)
    for function, model in (
        (trigger, TriggerBits),
        (momentum_in_window, MomentumWindow),
        (single_tracks, TrackNumbers),
        (single_hits_and_mip_cell, HitsAndCell),
        (mip_everywhere, MipWindows),
    )
}

#: Names of the cuts of the package.
SHIPPED = frozenset(CUTS)

Cutting = TypeVar("Cutting", bound=Callable[..., BoolArray])


def register_cut(thresholds: Any, *, name: str | None = None) -> Callable[[Cutting], Cutting]:
    """Make a function of your own a cut that a working point can name.

    Use it as a decorator, in a script, a notebook, or a file that is given with ``--user`` (``user=`` in Python). The function and what it
    needs of your files travel to the workers of every executor; the hash of its source is part of the configuration and of the provenance::

        from na64mu.selections import Thresholds, register_cut

        class Slow(Thresholds):
            largest: float                      # [GeV/c]

            @property
            def columns(self):
                return ("p_in",)

        @register_cut(Slow)
        def slow(summary, thresholds):
            return summary["p_in"] < thresholds.largest

    The working point then has ``[[cuts]]`` with ``name = "slow"``, a label, a source, and ``[cuts.thresholds]`` with ``largest``.

    Parameters
    ----------
    thresholds : type
        Model of its thresholds, a subclass of `Thresholds`; its property `columns` names the columns of the summary that the function reads.
    name : str, optional
        Name of the cut; that of the function by default. A cut of your own of the same name is replaced, as a notebook does.

    Returns
    -------
    callable
        Takes the function `(summary, thresholds) -> mask of shape (n_events,)`, and returns it.

    Raises
    ------
    SelectionError
        If the name is that of a cut of the package, or `thresholds` is no such model.
    """
    if not (isinstance(thresholds, type) and issubclass(thresholds, Thresholds)):
        msg = f"register_cut: the model of the thresholds must be a subclass of na64mu.selections.Thresholds, found {thresholds!r}"
        raise SelectionError(msg)

    def register(function: Cutting) -> Cutting:
        own = name or function.__name__
        if own in SHIPPED:
            msg = f"register_cut: {own!r} is a cut of the package; choose another name"
            raise SelectionError(msg)
        CUTS[own] = CutDefinition(function, thresholds)
        return function

    return register


def user_cuts(names: Iterable[str]) -> dict[str, CutDefinition]:
    """Return the cuts among the named ones that a user defined.

    Parameters
    ----------
    names : iterable of str
        Names of cuts.

    Returns
    -------
    dict of str to CutDefinition
        Name -> definition, in order; without those of the package.
    """
    return {name: CUTS[name] for name in names if name in CUTS and CUTS[name].function.__module__ != __name__}


def source_digest(definition: CutDefinition) -> str:
    """SHA-256 of the source of a cut: its function, its thresholds, and the functions, classes and numbers of the same module they name.

    Parameters
    ----------
    definition : CutDefinition
        The cut.

    Returns
    -------
    str
        Hexadecimal; of the byte code where there is no source.
    """
    return digest_of_sources(definition.function, definition.thresholds)


def digest_of_sources(*items: Any) -> str:
    """SHA-256 of the source of functions and classes, and of the functions, classes and numbers of the same module they name.

    Parameters
    ----------
    *items : callable or type
        Functions and classes.

    Returns
    -------
    str
        Hexadecimal; of the byte code where there is no source.
    """
    digest = hashlib.sha256()
    seen: set[int] = set()
    waiting: list[Any] = list(items)
    while waiting:
        item = waiting.pop(0)
        if id(item) in seen:
            continue
        seen.add(id(item))
        code = getattr(item, "__code__", None)
        try:
            text = inspect.getsource(item)
        except (OSError, TypeError):
            text = repr(getattr(item, "__qualname__", item)) + (code.co_code.hex() + repr(code.co_consts) if code is not None else "")
        digest.update(text.encode())
        for name in sorted(code.co_names) if code is not None else ():
            value = getattr(item, "__globals__", {}).get(name)
            if isinstance(value, bool | int | float | str | tuple):
                digest.update(f"{name} = {value!r}".encode())
            elif getattr(value, "__module__", None) == item.__module__ and callable(value):
                waiting.append(value)
    return digest.hexdigest()
