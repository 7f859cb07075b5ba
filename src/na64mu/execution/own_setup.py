"""Set-up of a run for what is made after it: selection, description and calibration out of its output folder or its freeze file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from na64mu.calibration.windows import Calibration
from na64mu.common.arguments import file_name
from na64mu.common.toml_model import validate
from na64mu.detector import Detector
from na64mu.errors import CalibrationError, DetectorError, InputError
from na64mu.results.freeze import Freeze
from na64mu.results.run import RunResult
from na64mu.results.setup import SETUP
from na64mu.selections.working_point import WorkingPoint

__all__ = ("OwnSetup", "own_setup")


class OwnSetup(NamedTuple):
    """Working point, description (with its alignment and conditions) and calibration of a run."""

    working_point: WorkingPoint
    detector: Detector
    calibration: Calibration


def own_setup(source: RunResult | Freeze | str | Path) -> OwnSetup:
    """Selection, description and calibration that a run used.

    Parameters
    ----------
    source : RunResult, Freeze, str or Path
        Output folder of `na64mu run` or `na64mu unblind`, or freeze file.

    Returns
    -------
    OwnSetup

    Raises
    ------
    InputError
        If it does not hold them, holds several, or does not have the hashes that it states.
    """
    if isinstance(source, str | Path):
        place = Path(file_name(source, "like"))
        source = Freeze.read(place) if place.is_file() else RunResult.read(place)
        where = str(place)
    else:
        where = "the result"
    if isinstance(source, Freeze):
        point: Any = source.selection.content
        detectors = {tag: (part.content, part.hash) for tag, part in source.detectors.items()}
        calibrations = {tag: (part.content, part.hash) for tag, part in source.calibrations.items()}
    else:
        made = source.provenance
        if not source.setup:
            msg = f"{where}: has no {SETUP} with descriptions and calibrations, it is of an earlier version: make it again with `na64mu run`, or name the freeze file"
            raise InputError(msg)
        point = source.working_point
        detectors = {tag: (content, made.detectors.get(tag, "")) for tag, content in source.setup["detectors"].items()}
        calibrations = {tag: (content, made.calibrations.get(tag, "")) for tag, content in source.setup["calibrations"].items()}
    return _checked(where, point, detectors, calibrations)


def _checked(where: str, point: Any, detectors: Mapping[str, tuple[Any, str]], calibrations: Mapping[str, tuple[Any, str]]) -> OwnSetup:
    if len(detectors) != 1 or set(detectors) != set(calibrations):
        msg = f"{where}: has the set-ups {', '.join(sorted(detectors)) or 'none'}: efficiencies are of one, name it with --detector, --selection and --calibration"
        raise InputError(msg)
    (tag,) = detectors
    detector = validate(Detector, detectors[tag][0], f"{where}: description of {tag}", DetectorError)
    calibration = validate(Calibration, calibrations[tag][0], f"{where}: calibration of {tag}", CalibrationError)
    for what, found, stated in (
        ("description", detector.digest, detectors[tag][1]),
        ("calibration", calibration.hash, calibrations[tag][1]),
    ):
        if found != stated:
            msg = f"{where}: the {what} of {tag} was edited: it does not have the hash that is stated"
            raise InputError(msg)
    if not isinstance(point, WorkingPoint):
        point = WorkingPoint.model_validate(point, context={"recorded": True})
    return OwnSetup(point, detector, calibration)
