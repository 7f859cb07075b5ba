"""Checks that efficiencies and counts were made with the same set-up, selection and windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from na64mu.calibration.windows import load_calibration
from na64mu.errors import Na64muError

__all__ = ("Origin", "disagreements")

#: How efficiencies for another set-up are made; they are never corrected for one.
ADVICE = "make them for yours with `na64mu efficiency --like OUT -o own.json`, where OUT is the output folder of the counts, and give --efficiency own.json"


@dataclass(frozen=True)
class Origin:
    """Set-up, selection and windows with which counts were made.

    Attributes
    ----------
    selection : str
        Hash of the working point; empty if not known.
    detectors, calibrations : mapping of str to str
        Tag -> digest of the description, and hash of the calibration.
    """

    selection: str = ""
    detectors: Mapping[str, str] = field(default_factory=dict)
    calibrations: Mapping[str, str] = field(default_factory=dict)


def disagreements(provenance: Mapping[str, Any], origin: Origin) -> list[str]:
    """List the differences in set-up, selection and windows between a table of efficiencies and the counts of a run.

    Parameters
    ----------
    provenance : mapping
        Provenance of the table; parts that are not in it are not compared. A table that names no calibration was made with the shipped one.
    origin : Origin
        Origin of the counts.

    Returns
    -------
    list of str
        One sentence for each difference, with what to do.
    """
    made, found = provenance.get("detector", {}), []
    tag, digest = made.get("tag", ""), made.get("digest", "")
    if digest and origin.detectors and digest not in origin.detectors.values():
        found.append(
            f"the efficiencies were simulated with another version of the detector description {tag} than the counts: after an alignment or other changes of it, {ADVICE}"
        )
    selection = provenance.get("selection", {})
    if selection.get("hash") and origin.selection and selection["hash"] != origin.selection:
        found.append(f"the efficiencies are of the selection {selection.get('name', '')}, the counts of another one: {ADVICE}")
    calibration = provenance.get("calibration") or _shipped(tag)
    if calibration and origin.calibrations and calibration not in origin.calibrations.values():
        found.append(f"the efficiencies were made with other windows of a MIP than the counts (another calibration): {ADVICE}")
    return found


def _shipped(tag: str) -> str:
    """Hash of the calibration that ships with the package; empty where none does."""
    try:
        return load_calibration(tag).hash if tag else ""
    except Na64muError:
        return ""
