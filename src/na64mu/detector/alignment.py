"""Alignment file: corrections to a detector description and the performance of its trackers, measured with tracks, kept as TOML.

Lengths mm, angles rad, times ns. It is made by `na64mu align` and can be given wherever a detector description is asked for:
the description it was made for is loaded and corrected. Its content depends on the events only: no dates, no paths.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from na64mu.common.toml_model import read_toml, toml_lines, validate
from na64mu.common.whole_file import write_whole
from na64mu.errors import DetectorError, writing

__all__ = (
    "Alignment",
    "AlignmentInput",
    "AlignmentMode",
    "DriftRelation",
    "ModuleCorrection",
    "MomentumScale",
    "PlanePerformance",
    "is_alignment",
)

Fraction = Annotated[float, Field(ge=0, le=1)]
Error = Annotated[float, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AlignmentInput(_Model):
    """A file that went into an alignment."""

    file: str
    uuid: str
    entries: int
    field: bool  # taken with the magnets on


class ModuleCorrection(_Model):
    """Corrections added to centre and rotation of one module. A missing error means that the value of the description is kept.

    Errors are those inside the frame that the modes of the file fix; `shift` and the like of the whole spectrometer come on top.
    """

    name: str  # bms1, mm5, gem2, st4 ...
    dx: float = 0.0
    dy: float = 0.0
    drotation: float = 0.0
    dx_error: Error | None = None
    dy_error: Error | None = None
    drotation_error: Error | None = None
    n_hits: int = 0


class AlignmentMode(_Model):
    """A common movement of the modules of a spectrometer, and how well the tracks know it."""

    spectrometer: str
    name: str
    unit: str
    held: bool  # kept as the description has it, for most modules
    error: Error | None = None  # what the tracks alone would give; missing where it is no better than the survey
    size: Error | None = None  # its error with all that is known
    held_by: str = ""  # tracks, straight tracks, p_in = p_out, survey
    momentum: Error | None = None  # relative error of 1/p that the size implies


class MomentumScale(_Model):
    """An error of 1/p that all tracks of a spectrometer share: what is left of the movements that tracks cannot see."""

    spectrometer: str
    error: Error  # relative
    held_by: str
    n_muons: int = 0  # MIP muons compared with p_in
    offset: float | None = None  # relative: 1/p expected from p_in and the ECAL, over the fitted one, minus 1
    offset_error: Error | None = None
    accepted: str = ""  # why it was to be refused, where somebody took it all the same

    @property
    def sentence(self) -> str:
        """What it means for the momenta."""
        side = {"ms1": "p_in", "ms2": "p_out"}.get(self.spectrometer, f"the momentum in {self.spectrometer.upper()}")
        text = f"the scale of {side} is known to {100 * self.error:.2g} % (held by: {self.held_by})"
        return f"{text}; it was accepted although {self.accepted}" if self.accepted else text


class PlanePerformance(_Model):
    """Resolution, efficiency and noise of one measuring plane."""

    name: str  # mm5_x, st4_y1 ...
    resolution: Error
    resolution_error: Error
    efficiency: Fraction
    efficiency_low: Fraction  # Clopper-Pearson, 68.3 %
    efficiency_high: Fraction
    n_probes: int
    noise: Error  # hits per event away from every track
    noise_error: Error


class DriftRelation(_Model):
    """Drift time of one straw chamber: time = t0 + drift_ns_per_mm x distance, and the measured relation point by point."""

    name: str
    t0: float
    t0_error: Error
    drift_ns_per_mm: Annotated[float, Field(gt=0)]
    drift_error: Error
    chi2: float
    ndf: int
    time: tuple[float, ...]
    distance: tuple[float, ...]
    distance_error: tuple[float, ...]


class Alignment(_Model):
    """Corrections for one detector description."""

    format_version: int
    kind: str = "alignment"
    detector: str  # tag, or a TOML file as seen from the folder of this one
    digest: str  # of the description that the corrections are added to
    version: str
    n_tracks: dict[str, int]
    chi2_ndf: dict[str, float] = {}
    fixed: tuple[str, ...] = ()
    survey_shift: float
    survey_rotation: float
    modules: tuple[ModuleCorrection, ...]
    modes: tuple[AlignmentMode, ...] = ()
    scales: tuple[MomentumScale, ...] = ()
    planes: tuple[PlanePerformance, ...] = ()
    straws: tuple[DriftRelation, ...] = ()
    inputs: tuple[AlignmentInput, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.format_version != 1 or self.kind != "alignment":
            msg = f"an alignment has kind 'alignment' and format_version 1, found {self.kind!r} and {self.format_version}"
            raise ValueError(msg)
        for what, names in (("modules", [m.name for m in self.modules]), ("straws", [s.name for s in self.straws])):
            if len(set(names)) != len(names):
                msg = f"{what}: a name is given twice in {names}"
                raise ValueError(msg)
        return self

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read an alignment file.

        Parameters
        ----------
        path : str or Path
            TOML file made by `na64mu align`.

        Returns
        -------
        Alignment
            The validated content.

        Raises
        ------
        DetectorError
            With one line per wrong key.
        """
        return validate(cls, read_toml(Path(path), DetectorError), str(path), DetectorError)

    def write(self, path: str | Path) -> Path:
        """Write the TOML file.

        Parameters
        ----------
        path : str or Path
            Target, with the ending .toml.

        Returns
        -------
        Path
            The file.
        """
        target = Path(path)
        with writing(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            "# Alignment, made by `na64mu align`: do not edit by hand, make it again.",
            *toml_lines(self.model_dump(mode="json", exclude_none=True)),
        ]
        return write_whole(target, "\n".join(lines) + "\n")


def is_alignment(content: dict[str, Any]) -> bool:
    """Whether the content of a TOML file is an alignment and not a description."""
    return content.get("kind") == "alignment"
