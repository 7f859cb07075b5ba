"""Configuration of a selection: working point, detectors, calibrations, layout. Its hash identifies the frozen selection for unblinding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from na64mu.calibration.windows import Calibration, load_calibration
from na64mu.common.toml_model import content_hash
from na64mu.detector import Detector
from na64mu.errors import CalibrationError
from na64mu.results.losses import Loss
from na64mu.selections.parts import parts_of
from na64mu.selections.working_point import WorkingPoint

if TYPE_CHECKING:
    from na64mu.events.layout import Layout

__all__ = ("Configuration", "load_calibrations")


@dataclass(frozen=True)
class Configuration:
    """Configuration of the selection in one run.

    Attributes
    ----------
    working_point : WorkingPoint
    detectors : dict of str to Detector
        Tag -> description.
    calibrations : dict of str to Calibration
        Tag -> calibration.
    layout : Layout or None
        Branch layout of foreign trees.
    """

    working_point: WorkingPoint
    detectors: dict[str, Detector]
    calibrations: dict[str, Calibration]
    layout: Layout | None = None

    @property
    def detector_hashes(self) -> dict[str, str]:
        """Tag -> digest of the description."""
        return {tag: detector.digest for tag, detector in self.detectors.items()}

    @property
    def calibration_hashes(self) -> dict[str, str]:
        """Tag -> SHA-256 of the calibration."""
        return {tag: calibration.hash for tag, calibration in self.calibrations.items()}

    @property
    def content(self) -> dict[str, dict[str, Any]]:
        """Descriptions and calibrations as plain values: "detectors" and "calibrations", each tag -> content."""
        parts: dict[str, Mapping[str, Any]] = {"detectors": self.detectors, "calibrations": self.calibrations}
        return {name: {tag: one.model_dump(mode="json") for tag, one in found.items()} for name, found in parts.items()}

    @property
    def hash(self) -> str:
        """SHA-256 of everything."""
        layout = "" if self.layout is None else content_hash(self.layout.model_dump(mode="json", exclude={"origin"}))
        own = [self.user_cuts] if self.user_cuts else []
        return content_hash([self.working_point.hash, self.detector_hashes, self.calibration_hashes, layout, *own])

    @cached_property
    def user_cuts(self) -> dict[str, str]:
        """Cut that the user registered -> SHA-256 of its source; "variable NAME", "region NAME" and "category NAME" likewise."""
        return {name: part.digest for name, part in parts_of(self.working_point).items()}

    @property
    def windows(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Tag -> energy -> window of a MIP, for the energies that the working point cuts on."""
        wanted = self.working_point.mip_quantities
        return {tag: {q: w for q, w in c.windows.items() if q in wanted} for tag, c in self.calibrations.items()}

    def notes(self) -> list[Loss]:
        """Return notes on the calibrations, and on what alignments know of the momenta."""
        scales = [
            Loss("", tag, "note", f"the alignment of {tag}: {scale.sentence}")
            for tag, detector in self.detectors.items()
            for scale in detector.scales
        ]
        return scales + [
            Loss(
                "",
                tag,
                "note",
                f"the calibration of {tag} was made for another description of its calorimeters, and was accepted because you said so",
            )
            for tag, calibration in self.calibrations.items()
            if not calibration.belongs_to(self.detectors[tag])
        ]


def load_calibrations(
    detectors: Mapping[str, Detector], given: Calibration | str | Path | Iterable[Calibration | str | Path] | None, *, accept: bool = False
) -> dict[str, Calibration]:
    """Calibration of every detector: the user's own where given, else the one that ships with the package.

    Parameters
    ----------
    detectors : mapping of str to Detector
        Tag -> description.
    given : Calibration, str, Path or iterable of them, optional
        Calibrations, or their files.
    accept : bool
        Take a calibration that was made for another description too.

    Returns
    -------
    dict of str to Calibration
        Tag -> calibration.

    Raises
    ------
    CalibrationError
        If one is missing, a given one is of a detector that no file was taken with, or (without `accept`) one was made for another
        description of the calorimeters.
    """
    names = (
        [] if given is None else [given] if isinstance(given, Calibration | str | Path) or not isinstance(given, Iterable) else list(given)
    )
    own = {}
    for name in names:
        calibration = load_calibration(name)
        if calibration.detector not in detectors:
            msg = f"{'' if isinstance(name, Calibration) else f'{name}: '}the calibration is of detector {calibration.detector!r}, the files are of {', '.join(detectors)}: make one with `na64mu calibrate`"
            raise CalibrationError(msg)
        own[calibration.detector] = calibration
    chosen = {tag: own[tag] if tag in own else load_calibration(tag) for tag in detectors}
    stale = [tag for tag, detector in detectors.items() if not chosen[tag].belongs_to(detector)]
    if stale and not accept:
        what = "the given calibration" if stale[0] in own else "the calibration that ships with the package"
        msg = (
            f"{what} was made for another description of {stale[0]!r}, whose calorimeters, VETO or counters differ: make one for this "
            "description with `na64mu calibrate FILES --detector DESCRIPTION -o calibration.toml`, or take it all the same with --accept-calibration"
        )
        raise CalibrationError(msg)
    return chosen
