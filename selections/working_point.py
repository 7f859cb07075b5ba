"""Working points: which cuts, in which order, with which thresholds, and the box, regions and binning that go with them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, model_validator

from na64mu.common.arguments import file_name
from na64mu.common.table import Shown, Table
from na64mu.common.toml_model import content_hash, read_toml, validate
from na64mu.errors import SelectionError
from na64mu.reconstruction.columns import stored_columns
from na64mu.selections.changes import changed_content, with_registered
from na64mu.selections.cuts import CUTS, Box, Region, Thresholds
from na64mu.selections.histograms import Axis, Histogram
from na64mu.selections.point_cuts import BoundCut, Cut
from na64mu.selections.point_parts import MipRule, MissingEnergy, Part, Spectrum, TailWindow
from na64mu.selections.regions import MASKS
from na64mu.selections.registry import is_recorded

__all__ = (
    "Axis",
    "BoundCut",
    "Cut",
    "MipRule",
    "Spectrum",
    "WorkingPoint",
    "known_working_points",
    "load_working_point",
    "register_selection",
)

FOLDER = Path(__file__).parent

#: Names of the histograms that the search fills itself; spectra have those of their columns.
FILLED = ("plane_before", "plane_after", "momentum_tail", "momentum_tail_below_e_cal")
#: Beginning of the names under which the signal box is counted.
BOX = "box"

#: Working points of a user's own: name -> working point.
SELECTIONS: dict[str, WorkingPoint] = {}

#: Columns that are recorded, not reconstructed: cuts on them may come before `blind_at`.
RECORDED = ("run", "spill", "event", "config", "trigger")


def _thresholds_text(thresholds: Thresholds) -> str:
    """Names and values; windows that a calibration still has to give are left out."""
    shown = {name: value for name, value in thresholds.model_dump().items() if value != {}}
    return ", ".join(f"{name} {' '.join(map(str, value)) if isinstance(value, tuple) else value}" for name, value in shown.items())


class WorkingPoint(Shown, Part):
    """A selection with everything that is filled with it."""

    format_version: int
    name: str
    title: str
    cuts: Annotated[tuple[Cut, ...], Field(min_length=1)]
    plane_cut: str  # the plane is filled before and after this cut (and those behind it)
    blind_at: str = ""  # the first cut on reconstructed columns, found from the cuts: in data, hidden events count as failing it
    box: Box
    regions: tuple[Region, ...]
    plane_p_out: Axis
    plane_e_cal: Axis
    spectra: tuple[Spectrum, ...]
    histograms: tuple[Histogram, ...] = ()
    mip: MipRule
    tail: TailWindow
    missing_energy: MissingEnergy

    @model_validator(mode="before")
    @classmethod
    def _with_what_0_1_0_did_not_write(cls, content: Any) -> Any:
        """A file or a result of 0.1.0 has no [tail] and no [missing_energy]: it was made with those of the Letter's working point."""
        if not isinstance(content, dict):
            return content
        missing = [key for key in ("tail", "missing_energy") if key not in content]
        return content | ({key: _letter()[key] for key in missing} if missing else {})

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        names = self.cut_names
        first = next((cut.name for cut in self.cuts if any(c not in RECORDED for c in stored_columns(cut.thresholds.columns))), names[-1])
        if not self.blind_at:
            object.__setattr__(self, "blind_at", first)
        if self.format_version != 1:
            msg = f"format_version is {self.format_version}, this version of na64mu reads 1"
            raise ValueError(msg)
        lists = {
            "cuts": names,
            "regions": [r.name for r in self.regions],
            "spectra": [s.column for s in self.spectra],
            "histograms": [h.name for h in self.histograms],
        }
        for what, values in lists.items():
            if len(set(values)) != len(values):
                msg = f"{what}: a name is given twice in {list(values)}"
                raise ValueError(msg)
        for key in ("plane_cut", "blind_at"):
            if getattr(self, key) not in names:
                msg = f"{key} = {getattr(self, key)!r} is not one of the cuts {list(names)}"
                raise ValueError(msg)
        if self.blind_at != first and not is_recorded(info):  # a result may have cuts that this process does not know
            msg = (
                f"blind_at = {self.blind_at!r} is not the first cut on reconstructed columns, which is {first!r}: leave blind_at out, it follows from "
                "the cuts"
            )
            raise ValueError(msg)
        if not is_recorded(info):
            self._names_what_exists(lists)
        needed = {q for cut in self.cuts for q in cut.thresholds.mip_quantities}
        fitted = {*self.mip.quantities, *self.mip.upper_bounds}
        if not needed <= fitted:
            msg = f"mip: the cuts need windows of {sorted(needed - fitted)}, which mip.quantities and mip.upper_bounds do not name"
            raise ValueError(msg)
        return self

    def _names_what_exists(self, lists: dict[str, Any]) -> None:
        """Check names of masks, regions and histograms that the fields of this working point rest on."""
        for region in self.regions:
            if region.name.startswith(BOX):
                msg = f"regions: {region.name!r}: names that begin with {BOX!r} belong to the signal box"
                raise ValueError(msg)
            if region.mask and region.mask not in MASKS:
                msg = f"regions: {region.name!r}: no mask {region.mask!r}: name the file that registers it with --user"
                raise ValueError(msg)
        for histogram in self.histograms:
            if histogram.name in (*FILLED, *lists["spectra"]):
                msg = f"histograms: {histogram.name!r} is the name of a histogram of the search; choose another one"
                raise ValueError(msg)
            if histogram.region and histogram.region not in lists["regions"]:
                msg = f"histograms: {histogram.name!r}: no region {histogram.region!r}: the regions are {lists['regions']}"
                raise ValueError(msg)

    def _table(self) -> Table:
        cuts = [(cut.label, cut.name, _thresholds_text(cut.thresholds), cut.source) for cut in self.cuts]
        box = f"p_out <= {self.box.p_out_max:g} GeV/c, E_CAL < {self.box.e_cal_max:g} GeV"
        regions = [(f"region {r.name}", "", r.title, r.source) for r in self.regions]
        rows = (*cuts, ("signal box", "", box, self.box.source), *regions)
        rows = (
            *rows,
            *((f"histogram {h.name}", "", h.title or " x ".join(a.column for a in h.axes), ", ".join(h.stages)) for h in self.histograms),
        )
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
    def columns(self) -> tuple[str, ...]:
        """Columns that its cuts, spectra, histograms and regions look at, stored or derived, in order."""
        names = [column for cut in self.cuts for column in cut.thresholds.columns]
        names += [spectrum.column for spectrum in self.spectra]
        names += [column for histogram in self.histograms for column in histogram.columns]
        names += [column for region in self.regions for column in (*region.ranges, *(MASKS[region.mask].columns if region.mask else ()))]
        return tuple(dict.fromkeys(names))

    def changed(self, **changes: Any) -> WorkingPoint:
        """Return a working point with cuts, regions, histograms or spectra added, replaced, left out or put in another order.

        Parameters
        ----------
        **changes : Any
            The keys of a working point and what a TOML file with `base` can say (see `load_working_point`): `cuts` is a list of tables or of names of your own cuts,
            `drop` the cuts that are left out, or `{"regions": [...]}`, `order` all cuts in their order; `name` and `title` are good to change as well.

        Returns
        -------
        WorkingPoint

        Raises
        ------
        SelectionError
            With one line per wrong key.
        """
        where = f"working point {changes.get('name', self.name)}"
        return validate(WorkingPoint, changed_content(self.model_dump(), changes, where, self.name), where, SelectionError)

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
    msg = f"no working point {str(name)!r}: known are {', '.join((*known_working_points(), *SELECTIONS))}; give one of these or the path of a TOML file"
    raise SelectionError(msg)


def load_working_point(name: str | Path | WorkingPoint) -> WorkingPoint:
    """Read a working point.

    Parameters
    ----------
    name : str, Path or WorkingPoint
        Name of one that ships with the package ("prl2024"), or path of a TOML file. A file with `base = "<name>"` (or a TOML
        file beside it) takes everything from that one and replaces the top-level keys it has. Of `cuts`, `spectra`, `regions` and `histograms` it replaces those of
        the same name; a cut with `after = "<cut>"` is added behind that one, the others at the end; `drop = ["<cut>"]`
        leaves cuts out, a table `[drop]` with `cuts`, `spectra`, `regions` or `histograms` these; `order` lists all cuts in their order.
        Or the name of one of your own (`register_selection`). Histograms and regions that were registered before are added to what the file says.
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
    if isinstance(name, str) and name in SELECTIONS:
        return SELECTIONS[name]
    path = _path(file_name(name, "selection", SelectionError, "a WorkingPoint, its name, or the path of its TOML file is wanted"))
    return validate(WorkingPoint, _content(path), str(path), SelectionError)


def register_selection(point: Any) -> WorkingPoint:
    """Give a working point of your own a name that `--selection` and `selection=` know.

    Parameters
    ----------
    point : WorkingPoint
        Its `name` is used; one of your own of the same name is replaced.

    Returns
    -------
    WorkingPoint
        The same.

    Raises
    ------
    SelectionError
        If it is none, or the name is that of one of the package.
    """
    if not isinstance(point, WorkingPoint):
        msg = f"register_selection: a WorkingPoint is wanted, such as load_working_point('prl2024').changed(name='mine'); found {type(point).__name__}"
        raise SelectionError(msg)
    if point.name in known_working_points():
        msg = f"register_selection: {point.name!r} is a working point of the package; choose another name with changed(name=...)"
        raise SelectionError(msg)
    chosen: WorkingPoint = point
    SELECTIONS[chosen.name] = chosen
    return chosen


@lru_cache(maxsize=1)
def _letter() -> dict[str, Any]:
    return read_toml(FOLDER / "prl2024.toml", SelectionError)


def _content(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    content = read_toml(path, SelectionError)
    base = content.pop("base", None)
    if base is None:
        return with_registered(content)
    if not isinstance(base, str) or base in (path.stem, path.name):
        msg = f"{path}: base: the name of another working point is wanted, found {base!r}"
        raise SelectionError(msg)
    if base in SELECTIONS:
        return changed_content(SELECTIONS[base].model_dump(), content, str(path), base)
    beside = path.parent / base
    below = _path(beside if beside.suffix == ".toml" and beside.is_file() else base)
    if below.resolve() in above:
        msg = f"{path}: base: {base!r} has this file as its base again: name a working point that rests on itself"
        raise SelectionError(msg)
    return changed_content(_content(below, (*above, path.resolve())), content, str(path), base)
