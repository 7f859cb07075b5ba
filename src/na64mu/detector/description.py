"""The detector description: all elements of one set-up, read from data/detector/<tag>.toml."""

from __future__ import annotations

import hashlib
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from na64mu.detector.elements import (
    Beam,
    BmsStation,
    Counter,
    Ecal,
    Gem,
    Hcal,
    Magnet,
    Medium,
    Micromegas,
    Source,
    Straw,
    StripResponse,
    Veto,
    Vhcal,
)
from na64mu.errors import DetectorError
from na64mu.tomlmodel import read_toml, validate

__all__ = ("Detector", "detector_path", "known_detectors", "load_detector", "read_detector")

DETECTOR_FOLDER = Path(__file__).parent.parent / "data" / "detector"


class Detector(BaseModel):
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
    counters: tuple[Counter, ...]
    veto: Veto
    ecal: Ecal
    vhcal: Vhcal
    hcal: Hcal

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
            "counters": [e.id for e in self.counters],
            "magnets": [e.name for e in self.magnets],
        }
        for kind, names in named.items():
            if len(set(names)) != len(names):
                msg = f"{kind}: an element stands twice in {names}"
                raise ValueError(msg)
        if {c.name for c in self.counters} != {"S0", "S1", "V1", "S4", "S_mu"}:
            msg = f"counters: S0, S1, V1, S4 and S_mu are needed, found {[c.name for c in self.counters]}"
            raise ValueError(msg)
        return self

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the whole description: two detectors are the same if and only if their digests are."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def __hash__(self) -> int:
        """Hash of the digest, so that what is compiled from a description can be kept."""
        return hash(self.digest)

    def counter(self, name: str) -> Counter:
        """The counter called S0, S1, V1, S4 or S_mu."""
        return next(c for c in self.counters if c.name == name)

    def magnets_of(self, spectrometer: int) -> tuple[Magnet, ...]:
        """The magnets of MS1 or MS2, in order of z."""
        return tuple(sorted((m for m in self.magnets if m.spectrometer == spectrometer), key=lambda m: m.z))


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
        A TOML file.

    Returns
    -------
    Detector
        The frozen description.

    Raises
    ------
    DetectorError
        With one line per wrong key: the file, the key, what was expected and what was found.
    """
    return validate(Detector, read_toml(path, DetectorError), str(path), DetectorError)


@lru_cache(maxsize=16)
def load_detector(name: str) -> Detector:
    """The detector description of a tag, or of a TOML file of the user's own.

    Parameters
    ----------
    name : str
        Tag (for example "na64mu-2022") or path of a TOML file.

    Returns
    -------
    Detector
        The frozen description, read once per process.
    """
    return read_detector(detector_path(name))
