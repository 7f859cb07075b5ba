"""Working points: which cuts, in which order, with which thresholds, and the box, regions and binning that go with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationInfo, model_validator

from na64mu.common.arguments import file_name
from na64mu.common.table import Shown, Table
from na64mu.common.toml_model import content_hash, read_toml, validate
from na64mu.detector.elements import Source
from na64mu.errors import SelectionError
from na64mu.reconstruction.columns import is_column, known_columns, with_derived
from na64mu.selections.cuts import CUTS, Box, Region, Thresholds
from na64mu.typing import BoolArray, Summary

__all__ = ("Axis", "BoundCut", "Cut", "MipRule", "Spectrum", "WorkingPoint", "known_working_points", "load_working_point")

FOLDER = Path(__file__).parent

#: Columns that are recorded, not reconstructed: cuts on them may come before `blind_at`.
RECORDED = ("run", "spill", "event", "config", "trigger")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Axis(_Model):
    """A regular histogram axis."""

    bins: Annotated[int, Field(ge=1)]
    low: float
    high: float

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if not self.low < self.high:
            msg = f"low = {self.low} must lie below high = {self.high}"
            raise ValueError(msg)
        return self


class Spectrum(Axis):
    """The spectrum of one column of the summary, stored or derived."""

    column: str
    label: str

    @model_validator(mode="after")
    def _is_a_column(self) -> Self:
        if not is_column(self.column):
            msg = f"no column {self.column!r}: the summary has {', '.join(known_columns())}"
            raise ValueError(msg)
        return self


class MipRule(_Model):
    """Rule that derives a MIP window from the calibration sample."""

    fit_low: Annotated[float, Field(ge=0, lt=1)]  # lower end of the fit range, in units of the peak
    fit_high: Annotated[float, Field(gt=1)]
    quantile_low: Annotated[float, Field(ge=0, lt=0.5)]  # of the fitted shape
    quantile_high: Annotated[float, Field(gt=0.5, lt=1)]
    min_events: Annotated[int, Field(ge=50)]
    quantities: tuple[str, ...]  # peaks to fit
    upper_bounds: tuple[str, ...]  # most muons deposit nothing: the window has no lower end
    source: Source


class RecordedThresholds(Thresholds):
    """Thresholds of a user's cut as a result recorded them, where the cut itself is not known."""

    model_config = ConfigDict(frozen=True, extra="allow")

    @property
    def columns(self) -> tuple[str, ...]:
        """No result says which columns the cut used."""
        return ()


class Cut(_Model):
    """A cut of a working point."""

    name: str
    label: str
    thresholds: SerializeAsAny[Thresholds]
    source: Source

    @model_validator(mode="wrap")
    @classmethod
    def _thresholds_of_its_function(cls, content: Any, handler: Any, info: ValidationInfo) -> Self:
        if isinstance(content, dict) and isinstance(content.get("thresholds"), dict):
            definition = CUTS.get(content.get("name", ""))
            recorded = bool((info.context or {}).get("recorded"))  # a result names cuts that this process need not know
            if definition is None and not recorded:
                msg = f"no cut {content.get('name')!r}: known are {sorted(CUTS)}; name the file that registers one of your own with --user"
                raise ValueError(msg)
            model = RecordedThresholds if definition is None else definition.thresholds
            content = content | {"thresholds": model.model_validate(content["thresholds"])}
        cut: Self = handler(content)
        return cut


@dataclass(frozen=True)
class BoundCut:
    """A cut with all its thresholds, ready to be applied: `mask = cut(summary)`."""

    name: str
    label: str
    thresholds: Thresholds
    function: Callable[[Summary, Any], BoolArray]

    def __call__(self, summary: Summary) -> BoolArray:
        """Events that pass, shape (n_events,)."""
        try:
            mask = np.asarray(self.function(with_derived(summary, self.columns), self.thresholds))
        except KeyError as error:
            if error.args[:1] in [(name,) for name in summary]:
                raise
            msg = f"the cut {self.name!r} looks at {error}, which the event summary does not have; it has {', '.join(summary)}"
            raise SelectionError(msg) from error
        n = len(next(iter(summary.values())))
        if mask.dtype != np.bool_ or mask.shape != (n,):
            msg = f"the cut {self.name!r} returns {mask.dtype} of shape {mask.shape}, one truth value for each of {n} events is wanted"
            raise SelectionError(msg)
        return mask

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that it uses."""
        return self.thresholds.columns


def _thresholds_text(thresholds: Thresholds) -> str:
    """Names and values; windows that a calibration still has to give are left out."""
    shown = {name: value for name, value in thresholds.model_dump().items() if value != {}}
    return ", ".join(f"{name} {' '.join(map(str, value)) if isinstance(value, tuple) else value}" for name, value in shown.items())


class WorkingPoint(Shown, _Model):
    """A selection with everything that is filled with it."""

    format_version: int
    name: str
    title: str
    cuts: Annotated[tuple[Cut, ...], Field(min_length=1)]
    plane_cut: str  # the plane is filled before and after this cut (and those behind it)
    blind_at: str  # the first cut on reconstructed columns: in data, events of the box count as failing it
    box: Box
    regions: tuple[Region, ...]
    plane_p_out: Axis
    plane_e_cal: Axis
    spectra: tuple[Spectrum, ...]
    mip: MipRule

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = self.cut_names
        if self.format_version != 1:
            msg = f"format_version is {self.format_version}, this version of na64mu reads 1"
            raise ValueError(msg)
        for what, values in (("cuts", names), ("regions", [r.name for r in self.regions]), ("spectra", [s.column for s in self.spectra])):
            if len(set(values)) != len(values):
                msg = f"{what}: a name is given twice in {list(values)}"
                raise ValueError(msg)
        for key in ("plane_cut", "blind_at"):
            if getattr(self, key) not in names:
                msg = f"{key} = {getattr(self, key)!r} is not one of the cuts {list(names)}"
                raise ValueError(msg)
        for cut in self.cuts[: names.index(self.blind_at)]:
            seen = [column for column in cut.thresholds.columns if column not in RECORDED]
            if seen:
                msg = (
                    f"cuts: {cut.name!r} looks at {seen[0]} and comes before blind_at = {self.blind_at!r}: what it keeps would count "
                    "events of the signal box; put it behind"
                )
                raise ValueError(msg)
        needed = {q for cut in self.cuts for q in cut.thresholds.mip_quantities}
        fitted = {*self.mip.quantities, *self.mip.upper_bounds}
        if not needed <= fitted:
            msg = f"mip: the cuts need windows of {sorted(needed - fitted)}, which mip.quantities and mip.upper_bounds do not name"
            raise ValueError(msg)
        return self

    def _table(self) -> Table:
        cuts = [(cut.label, cut.name, _thresholds_text(cut.thresholds), cut.source) for cut in self.cuts]
        box = f"p_out <= {self.box.p_out_max:g} GeV/c, E_CAL < {self.box.e_cal_max:g} GeV"
        regions = [(f"region {r.name}", "", r.title, r.source) for r in self.regions]
        rows = (*cuts, ("signal box", "", box, self.box.source), *regions)
        return Table(f"selection {self.name}: {self.title}", ("what", "function", "thresholds", "source"), rows)

    @property
    def cut_names(self) -> tuple[str, ...]:
        """Names of the cuts in order."""
        return tuple(cut.name for cut in self.cuts)

    @property
    def mip_quantities(self) -> tuple[str, ...]:
        """Energies whose MIP windows the cuts need, in order."""
        return tuple(dict.fromkeys(q for cut in self.cuts for q in cut.thresholds.mip_quantities))

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical content: changes with every number."""
        return content_hash(self.model_dump(mode="json"))

    def bind(self, windows: dict[str, tuple[float, float]]) -> tuple[BoundCut, ...]:
        """The cuts with the MIP windows of one detector.

        Parameters
        ----------
        windows : dict of str to (float, float)
            Energy -> lowest and highest value of a MIP [GeV; VETO MeV].

        Returns
        -------
        tuple of BoundCut
            In order.

        Raises
        ------
        SelectionError
            If the calibration lacks a window.
        """
        missing = [q for q in self.mip_quantities if q not in windows]
        if missing:
            msg = f"working point {self.name}: the calibration has no MIP window of {', '.join(missing)} (it has {sorted(windows)}): make one with `na64mu calibrate`"
            raise SelectionError(msg)
        unknown = [cut.name for cut in self.cuts if cut.name not in CUTS]
        if unknown:
            msg = f"working point {self.name}: no cut {unknown[0]!r}: known are {sorted(CUTS)}; name the file that registers it with --user"
            raise SelectionError(msg)
        return tuple(BoundCut(c.name, c.label, c.thresholds.with_windows(windows), CUTS[c.name].function) for c in self.cuts)

    def before_plane_cut(self) -> tuple[str, ...]:
        """Names of the cuts before the plane cut."""
        return self.cut_names[: self.cut_names.index(self.plane_cut)]


def known_working_points() -> list[str]:
    """Names of the working points that ship with the package."""
    return sorted(p.stem for p in FOLDER.glob("*.toml"))


def _path(name: str | Path) -> Path:
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    shipped = FOLDER / f"{name}.toml"
    if path.name == str(name) and shipped.is_file():
        return shipped
    msg = f"no working point {str(name)!r}: known are {', '.join(known_working_points())}; give one of these or the path of a TOML file"
    raise SelectionError(msg)


def load_working_point(name: str | Path | WorkingPoint) -> WorkingPoint:
    """Read a working point.

    Parameters
    ----------
    name : str, Path or WorkingPoint
        Name of one that ships with the package ("prl2024"), or path of a TOML file. A file with `base = "<name>"` (or a TOML
        file beside it) takes everything from that one and replaces the top-level keys it has. Of `cuts` and `spectra` it replaces those of
        the same name; a cut with `after = "<cut>"` is added behind that one, a spectrum of another column at the end; `drop = ["<cut>"]`
        leaves cuts out.
        A working point comes back as it is.

    Returns
    -------
    WorkingPoint
        The frozen selection.

    Raises
    ------
    SelectionError
        If there is no such working point, or with one line per wrong key.
    """
    if isinstance(name, WorkingPoint):
        return name
    path = _path(file_name(name, "selection", SelectionError, "a WorkingPoint, its name, or the path of its TOML file is wanted"))
    return validate(WorkingPoint, _content(path), str(path), SelectionError)


def _content(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    content = read_toml(path, SelectionError)
    base = content.pop("base", None)
    if base is None:
        return content
    if not isinstance(base, str) or base in (path.stem, path.name):
        msg = f"{path}: base: the name of another working point is wanted, found {base!r}"
        raise SelectionError(msg)
    beside = path.parent / base
    below = _path(beside if beside.suffix == ".toml" and beside.is_file() else base)
    if below.resolve() in above:
        msg = f"{path}: base: {base!r} has this file as its base again: name a working point that rests on itself"
        raise SelectionError(msg)
    inherited = _content(below, (*above, path.resolve()))
    cuts = _without(inherited["cuts"], content.pop("drop", []), path, base)
    for own in _tables(content, "cuts", path):
        cuts = _with_cut(cuts, own, path, base)
    spectra = {s.get("column"): s for s in (*inherited["spectra"], *_tables(content, "spectra", path))}
    return inherited | content | {"cuts": cuts, "spectra": list(spectra.values())}


def _tables(content: dict[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    """The tables `[[key]]` of a file, taken out of its content."""
    found = content.pop(key, [])
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        msg = f"{path}: {key}: tables [[{key}]] are wanted, found {found!r}"
        raise SelectionError(msg)
    return found


def _named(name: Any, cuts: list[dict[str, Any]], path: Path, key: str, base: str, advice: str = "") -> int:
    """Position of a cut; an error if there is none of this name."""
    names = [cut.get("name") for cut in cuts]
    if name not in names:
        msg = f"{path}: {key}: {name!r} is not a cut of the base {base!r}, which has {names}{advice}"
        raise SelectionError(msg)
    return names.index(name)


def _without(cuts: list[dict[str, Any]], dropped: Any, path: Path, base: str) -> list[dict[str, Any]]:
    """The cuts of the base without those that `drop` names."""
    if not isinstance(dropped, list):
        msg = f'{path}: drop: a list of cuts is wanted, as in drop = ["single_tracks"], found {dropped!r}'
        raise SelectionError(msg)
    gone = {_named(name, cuts, path, "drop", base) for name in dropped}
    return [cut for i, cut in enumerate(cuts) if i not in gone]


def _with_cut(cuts: list[dict[str, Any]], own: dict[str, Any], path: Path, base: str) -> list[dict[str, Any]]:
    """The cuts with one more (`after` says behind which), or with one replaced in its place."""
    new = {key: value for key, value in own.items() if key != "after"}
    name = new.get("name")
    if "after" not in own:
        i = _named(name, cuts, path, "cuts", base, advice='; after = "NAME" adds it behind a cut')
        return [*cuts[:i], new, *cuts[i + 1 :]]
    if name in [cut.get("name") for cut in cuts]:
        msg = f"{path}: cuts: {name!r} is a cut of the base {base!r} already: leave out `after` to replace it in its place"
        raise SelectionError(msg)
    i = _named(own["after"], cuts, path, f"cuts: {name}: after", base)
    return [*cuts[: i + 1], new, *cuts[i + 1 :]]
