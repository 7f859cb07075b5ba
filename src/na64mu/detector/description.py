"""The detector description: all elements of one set-up, read from data/detector/<tag>.toml."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from na64mu.common.arguments import file_name, one_of
from na64mu.common.table import Shown, Table
from na64mu.common.toml_model import content_hash, read_toml, validate
from na64mu.detector.alignment import Alignment, ModuleCorrection, MomentumScale, is_alignment
from na64mu.detector.conditions import Conditions, default_conditions, is_conditions, load_conditions, read_conditions
from na64mu.detector.elements import (
    TRACKERS,
    Beam,
    BmsStation,
    Counter,
    Ecal,
    Gem,
    Hcal,
    Magnet,
    Medium,
    Micromegas,
    Module,
    Source,
    Straw,
    StripResponse,
    Tracker,
    Veto,
    Vhcal,
)
from na64mu.detector.gains import Gain, GainTable, check_gains, named_once
from na64mu.detector.hidden import Hidden, Moved, is_hidden, read_hidden
from na64mu.detector.overview import UNITS, overview
from na64mu.detector.readout import banks, energy_sizes, plane_sizes
from na64mu.errors import DetectorError

__all__ = ("Detector", "DetectorLike", "detector_path", "known_detectors", "load_detector", "read_detector")

DETECTOR_FOLDER = Path(__file__).parent.parent / "data" / "detector"

#: Fields of a description that have tracker modules.
TRACKER_FIELDS = ("bms", "micromegas", "gem", "straws", "modules")


class Detector(Shown, BaseModel):
    """One set-up of the apparatus; frozen, so it can be shared and sent to workers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int
    tag: str
    title: str
    source: Source
    beam: Beam
    medium: Medium
    magnets: tuple[Magnet, ...]
    bms: tuple[BmsStation, ...]
    micromegas: tuple[Micromegas, ...]
    micromegas_response: StripResponse
    gem: tuple[Gem, ...]
    gem_response: StripResponse
    straws: tuple[Straw, ...]
    modules: tuple[Module, ...] = ()  # trackers of further kinds
    counters: tuple[Counter, ...]
    veto: Veto
    ecal: Ecal
    vhcal: Vhcal
    hcal: Hcal
    conditions: Conditions | None = None  # of a run; None: those that ship with the package
    gains: tuple[Gain, ...] = ()  # of calorimeters, VETO and counters, where the conditions have none
    scales: tuple[MomentumScale, ...] = ()  # how well the alignment knows the momenta

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.format_version != 1:
            msg = f"format_version is {self.format_version}, this version of na64mu reads 1"
            raise ValueError(msg)
        named: dict[str, list[Any]] = {
            "bms": [e.station for e in self.bms],
            "micromegas": [e.module for e in self.micromegas],
            "gem": [e.module for e in self.gem],
            "straws": [e.module for e in self.straws],
            "modules": [e.name for e in self.modules],
            "counters": [e.id for e in self.counters],
            "magnets": [e.name for e in self.magnets],
        }
        for kind, names in named.items():
            if len(set(names)) != len(names):
                msg = f"{kind}: an element is named twice in {names}"
                raise ValueError(msg)
        named_once(self.gains)
        if {c.name for c in self.counters} != {"S0", "S1", "V1", "S4", "S_mu"}:
            msg = f"counters: S0, S1, V1, S4 and S_mu are needed, found {[c.name for c in self.counters]}"
            raise ValueError(msg)
        return self

    def _table(self) -> Table:
        rows = tuple((row.name, row.z, row.kind, row.what) for row in overview(self))
        notes = (f"{UNITS}", "numbers with their sources: .ecal, .trackers['mm1'], ..., or `na64mu detector --sources`")
        return Table(f"{self.tag}: {self.title}", ("element", "z", "type", "what it measures or does"), rows, notes)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the whole description: two detectors are the same if and only if their digests are."""
        # of a field map the content counts (map_hash), not where its file lies
        left_out: dict[str, Any] = {"magnets": {"__all__": {"map"}}}
        left_out |= {name: True for name in ("conditions", "modules", "gains", "scales") if not getattr(self, name)}
        if self.conditions is not None and not self.conditions.gains:
            left_out["conditions"] = {"gains"}
        return hashlib.sha256(self.model_dump_json(exclude=left_out).encode()).hexdigest()

    @cached_property
    def energy_digest(self) -> str:
        """SHA-256 of what the energies of a muon depend on, without sources: calorimeters, VETO, counters and their digitisers.

        A calibration of MIP windows belongs to it. Positions, resolutions and dead channels of trackers are no part of it, so an alignment
        leaves a calibration valid; nor are gains, which are taken out of the energies before anything looks at them.
        """
        elements = ("ecal", "vhcal", "hcal", "veto", "counters")
        content = self.model_dump(mode="json", include={*elements})
        energies = [name for name, bank in banks(self).items() if bank.kind not in TRACKERS]
        channels = [c for c in self.operation.channels if c.plane in energies]
        operation = self.operation.model_dump(mode="json", include={"msadc", "counter", "veto", "ecal", "vhcal", "hcal"})
        operation["channels"] = [c.model_dump(mode="json") for c in channels]
        return content_hash(_without_sources([self.tag, content, operation]))

    def __hash__(self) -> int:
        """Hash of the digest, so that what is compiled from a description can be kept."""
        return hash(self.digest)

    @property
    def operation(self) -> Conditions:
        """The conditions of the run, or those that ship with the package."""
        return default_conditions() if self.conditions is None else self.conditions

    @property
    def trackers(self) -> dict[str, Tracker]:
        """Every tracker module by name: bms1, mm5, gem2, st4 ..."""
        return {module.name: module for field in TRACKER_FIELDS for module in getattr(self, field)}

    def replaced(self, modules: Mapping[str, Tracker]) -> Self:
        """Return the set-up with some tracker modules replaced.

        Parameters
        ----------
        modules : mapping of str to Tracker
            Name as in `trackers` -> the new module.

        Returns
        -------
        Detector
            A new description, with its own digest.
        """
        named = self.trackers | dict(modules)
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        fields |= {field: tuple(named[module.name] for module in getattr(self, field)) for field in TRACKER_FIELDS}
        return type(self)(**fields)

    def operated(self, conditions: Conditions | str | Path) -> Self:
        """Return the set-up under other conditions.

        Parameters
        ----------
        conditions : Conditions, str or Path
            Or the TOML file that has them: dead and noisy channels, noise, thresholds, cross-talk, sampling ADCs.

        Returns
        -------
        Detector
            A description with its own digest; it keeps its tag.

        Raises
        ------
        DetectorError
            If the conditions name a plane or a channel that this description does not have.
        """
        conditions = load_conditions(conditions)
        sizes = plane_sizes(self)
        for own in conditions.channels:
            if own.plane not in sizes:
                msg = f"the conditions name the plane {own.plane!r}, detector {self.tag!r} has {', '.join(sizes)}"
                raise DetectorError(msg)
            beyond = [c for c in (*own.dead, *own.noisy) if c >= sizes[own.plane]]
            if beyond:
                msg = f"the conditions name channel {beyond[0]} of {own.plane}, it has 0 to {sizes[own.plane] - 1}"
                raise DetectorError(msg)
        check_gains(conditions.gains, energy_sizes(self), self.tag)
        return type(self)(**({name: getattr(self, name) for name in type(self).model_fields} | {"conditions": conditions}))

    def gain_of(self, plane: str) -> Gain | None:
        """Gain of a bank: that of the conditions, else that of the description; None if neither has one."""
        return next((g for g in (*self.operation.gains, *self.gains) if g.plane == plane), None)

    def with_gains(self, gains: Iterable[Gain]) -> Self:
        """Return the set-up with the gains of a calibration: they take the place of those that it had.

        Parameters
        ----------
        gains : iterable of Gain
            As `na64mu calibrate` finds them; banks that are not named keep theirs.

        Returns
        -------
        Detector
            A description with its own digest; it keeps its tag. Done twice, it is as done once.

        Raises
        ------
        DetectorError
            If they name a bank or a number of channels that this description does not have.
        """
        found = {gain.plane: gain for gain in gains}
        if not found:
            return self
        check_gains(found.values(), energy_sizes(self), self.tag)
        kept = {
            name: tuple(g for g in own if g.plane not in found) for name, own in (("run", self.operation.gains), ("set-up", self.gains))
        }
        fields = {name: getattr(self, name) for name in type(self).model_fields} | {"gains": (*kept["set-up"], *found.values())}
        if self.conditions is not None:
            fields["conditions"] = self.conditions.model_copy(update={"gains": kept["run"]})
        return type(self)(**fields)

    def aligned(self, alignment: Alignment) -> Self:
        """The description with measured positions, resolutions and drift relations.

        Parameters
        ----------
        alignment : Alignment
            Made for exactly this description.

        Returns
        -------
        Detector
            The corrected description; it keeps its tag.

        Raises
        ------
        DetectorError
            If the alignment was made for another description.
        """
        if alignment.digest != self.digest:
            msg = (
                f"the alignment was made for detector {alignment.detector!r} with digest {alignment.digest[:12]}, this description of "
                f"{self.tag!r} has {self.digest[:12]}: take the description it was made for, or make it again with `na64mu align`"
            )
            raise DetectorError(msg)
        trackers = self.trackers
        names = [m.name for m in alignment.modules] + [s.name for s in alignment.straws]
        unknown = sorted(set(names) - set(trackers))
        if unknown:
            msg = f"the alignment names the module {unknown[0]!r}, detector {self.tag!r} has {', '.join(trackers)}"
            raise DetectorError(msg)
        moved = self.replaced({name: _corrected(name, trackers[name], alignment) for name in set(names)})
        return moved.model_copy(update={"scales": alignment.scales}) if alignment.scales else moved

    def displaced(self, hidden: Hidden) -> Self:
        """The apparatus as it really is, of which this description is what analysts have.

        Parameters
        ----------
        hidden : Hidden
            Modules that lie elsewhere, and dead channels; its gains are no part of a description.

        Returns
        -------
        Detector
            A description with its own digest; it keeps its tag.

        Raises
        ------
        DetectorError
            If a module, plane or channel is named that this description does not have.
        """
        if not hidden.moves:
            return self
        trackers = self.trackers
        unknown = sorted({m.name for m in hidden.modules} - set(trackers))
        if unknown:
            msg = f"the hidden apparatus names the module {unknown[0]!r}, detector {self.tag!r} has {', '.join(trackers)}"
            raise DetectorError(msg)
        moved = {m.name: trackers[m.name].model_copy(update=_place(trackers[m.name], m)) for m in hidden.modules}
        return self.replaced(moved).operated(hidden.conditions)

    def counter(self, name: str) -> Counter:
        """The counter called S0, S1, V1, S4 or S_mu."""
        name = one_of(name, [c.name for c in self.counters], "counter", DetectorError)
        return next(c for c in self.counters if c.name == name)

    def magnets_of(self, spectrometer: int) -> tuple[Magnet, ...]:
        """The magnets of MS1 or MS2, in order of z."""
        spectrometer = one_of(spectrometer, (1, 2), "spectrometer", DetectorError)
        return tuple(sorted((m for m in self.magnets if m.spectrometer == spectrometer), key=lambda m: m.z))


#: What every function that asks for a detector takes: the description, its tag, or its file; `load_detector` makes one of the other.
DetectorLike = Detector | str | Path


def _without_sources(content: Any) -> Any:
    """Nested plain values without where each comes from."""
    if isinstance(content, dict):
        return {key: _without_sources(value) for key, value in content.items() if key not in ("source", "sources")}
    if isinstance(content, (list, tuple)):
        return [_without_sources(value) for value in content]
    return content


def _corrected(name: str, module: Tracker, alignment: Alignment) -> Tracker:
    move = next((m for m in alignment.modules if m.name == name), ModuleCorrection(name=name))
    update: dict[str, Any] = _place(module, move)
    resolutions = [p.resolution for p in alignment.planes if p.name.partition("_")[0] == name]
    if resolutions and "sigma" in type(module).model_fields:  # a slab measures with its width
        update["sigma"] = sum(resolutions) / len(resolutions)
    drift = next((s for s in alignment.straws if s.name == name), None)
    if drift is not None:
        update |= {"t0": drift.t0, "drift_ns_per_mm": drift.drift_ns_per_mm}
    tracks = ", ".join(f"{n} tracks in {ms}" for ms, n in alignment.n_tracks.items())
    update["sources"] = module.sources | dict.fromkeys(update, f"inferred: aligned and calibrated with {tracks}")
    return module.model_copy(update=update)


def _place(module: Tracker, move: Moved | ModuleCorrection) -> dict[str, Any]:
    """Fields of a module that is moved."""
    return {"centre": (module.centre[0] + move.dx, module.centre[1] + move.dy), "rotation": module.rotation + move.drotation}


def known_detectors() -> list[str]:
    """Tags of the detector descriptions that ship with the package."""
    return sorted(p.stem for p in DETECTOR_FOLDER.glob("*.toml"))


def detector_path(name: str | Path) -> Path:
    """File of a detector description, given its tag or the path of a user's own TOML file.

    Raises
    ------
    DetectorError
        If there is no such tag or file; the message lists the known tags.
    """
    name = file_name(name, "detector", DetectorError)
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    shipped = DETECTOR_FOLDER / f"{name}.toml"
    if path.name == str(name) and shipped.is_file():
        return shipped
    known = ", ".join(known_detectors())
    msg = f"no detector description {str(name)!r}: known are {known}; give one of these or the path of a TOML file"
    raise DetectorError(msg)


def read_detector(path: Path) -> Detector:
    """Read and validate one description file.

    Parameters
    ----------
    path : Path
        A TOML file: a description, or an alignment (made by `na64mu align`), the conditions, a calibration (`na64mu calibrate`) or the hidden apparatus of one.

    Returns
    -------
    Detector
        The frozen description, with the corrections of the alignment, under the conditions, or with the gains of the calibration.

    Raises
    ------
    DetectorError
        With one line per wrong key: the file, the key, what was expected and what was found.
    """
    content = read_toml(path, DetectorError)
    if is_alignment(content):
        return _read_aligned(content, path)
    if is_conditions(content):
        return _read_operated(content, path)
    if content.get("kind") == "calibration":
        return _read_calibrated(content, path)
    if is_hidden(content):
        return _read_displaced(content, path)
    _find_field_maps(content, path)
    detector = validate(Detector, content, str(path), DetectorError)
    with _naming(path):
        check_gains(detector.gains, energy_sizes(detector), detector.tag)
    return detector


def _read_aligned(content: dict[str, Any], path: Path) -> Detector:
    """The description that an alignment was made for, with its corrections."""
    alignment = validate(Alignment, content, str(path), DetectorError)
    description = _named_in(path, alignment.detector)
    with _naming(path):
        return description.aligned(alignment)


def _read_operated(content: dict[str, Any], path: Path) -> Detector:
    """The description that conditions belong to, under them."""
    conditions = read_conditions(content, path)
    if not conditions.detector:
        msg = f"{path}: the conditions name no detector: add detector = TAG (or a TOML file), or give them beside a description"
        raise DetectorError(msg)
    with _naming(path):
        return _named_in(path, conditions.detector).operated(conditions)


def _read_calibrated(content: dict[str, Any], path: Path) -> Detector:
    """The description that a calibration was made for, with its gains."""
    table = validate(GainTable, content, str(path), DetectorError)
    with _naming(path):
        return _named_in(path, table.reference).with_gains(table.gains)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in front of what is wrong with it."""
    try:
        yield
    except DetectorError as error:
        msg = f"{path}: {error}"
        raise DetectorError(msg) from error


def _read_displaced(content: dict[str, Any], path: Path) -> Detector:
    """The description that a hidden apparatus belongs to, displaced."""
    hidden = read_hidden(content, path)
    try:
        return _named_in(path, hidden.detector).displaced(hidden)
    except DetectorError as error:
        msg = f"{path}: {error}"
        raise DetectorError(msg) from error


def _named_in(path: Path, name: str) -> Detector:
    """The description of a tag, or of a TOML file as seen from the folder of the file that names it."""
    beside = path.parent / name
    return read_detector(detector_path(beside if beside.suffix == ".toml" else name))


def _find_field_maps(content: dict[str, Any], path: Path) -> None:
    """Resolve the field maps of a description against its folder and hash them, in place."""
    magnets = content.get("magnets")
    for i, magnet in enumerate(magnets if isinstance(magnets, list) else []):
        if not (isinstance(magnet, dict) and isinstance(magnet.get("map"), str)):
            continue
        field_map = (path.parent / magnet["map"]).resolve()
        if not field_map.is_file():
            msg = f"{path}: magnets[{i}].map: there is no file {field_map}; the path of a field map is relative to the description"
            raise DetectorError(msg)
        digest = hashlib.sha256(field_map.read_bytes()).hexdigest()
        stated = magnet.setdefault("map_hash", digest)
        if stated != digest:
            msg = f"{path}: magnets[{i}].map: {field_map} has the SHA-256 {digest}, map_hash says {stated}; correct one of them"
            raise DetectorError(msg)
        magnet["map"] = str(field_map)


def load_detector(name: DetectorLike) -> Detector:
    """The detector description of a tag, or of a TOML file of the user's own.

    Parameters
    ----------
    name : str, Path or Detector
        Tag (for example "na64mu-2022") or path of a TOML file: a description, or an alignment, whose corrections are then applied. A description
        comes back as it is.

    Returns
    -------
    Detector
        The frozen description, read once per process.

    Raises
    ------
    DetectorError
        If there is no such tag or file, or with one line per wrong key.
    """
    if isinstance(name, Detector):
        return name
    return _load(file_name(name, "detector", DetectorError, "a Detector, its tag, or the path of its TOML file is wanted"))


@lru_cache(maxsize=16)
def _load(name: str | Path) -> Detector:
    return read_detector(detector_path(name))
