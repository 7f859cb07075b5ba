"""Which freeze files hold for some files of data: those that are named, those that the environment names, and those that lie beside the data.

All of them hold together with the floor of the package (na64mu.selections.floor): one more freeze file hides more, and never less. So whoever leaves one
out sees no more than before it was made, and nobody sees more by bringing one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from na64mu.detector import Detector, known_detectors, load_detector
from na64mu.errors import BlindedError
from na64mu.results.freeze import Freeze
from na64mu.selections.floor import Floor, Floors
from na64mu.selections.working_point import WorkingPoint

__all__ = ("PATTERNS", "VARIABLE", "Freezes", "floor_of_freeze", "floors_for")

log = logging.getLogger(__name__)

#: What may be given as `freeze`.
Freezes = str | Path | Freeze | Iterable[str | Path | Freeze] | None

#: Names of freeze files that hold for the data beside them.
PATTERNS = ("freeze.json", "*.freeze.json")
#: Environment variable that names freeze files, as PATH does folders: for data at an address, or for a whole group.
VARIABLE = "NA64MU_FREEZE"
_SAID: set[str] = set()


def floors_for(data: Iterable[str | Path], freeze: Freezes = None, *, any_data: bool | None = None) -> Floors:
    """Everything that is hidden in some files of data, whatever is selected.

    Parameters
    ----------
    data : iterable of str or Path
        Files of data; no freeze is looked for where there are none. A link is followed too, so that it lies in two folders.
    freeze : str, Path, Freeze or iterable of them, optional
        Freeze files that hold beside those that are found.
    any_data : bool, optional
        Whether there are data at all; by default, whether there are files of them.

    Returns
    -------
    Floors
        The floor of the package, and one for each freeze.

    Raises
    ------
    InputError, BlindedError
        If a freeze file cannot be read, was edited, or is not understood.
    """
    paths = [str(path) for path in data]
    given = [freeze] if isinstance(freeze, str | Path | Freeze) else list(freeze or ())
    found = [Freeze.read(one) for one in given]  # one that is named is looked at in any case
    origins = ["" if isinstance(one, Freeze) else str(one) for one in given]
    if not (bool(paths) if any_data is None else any_data):
        return Floors.of()
    named = [Path(name) for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    for path in dict.fromkeys((*named, *_beside(paths))):
        found.append(Freeze.read(path))
        origins.append(str(path))
    return Floors.of(_said(floor_of_freeze(one, origin)) for one, origin in zip(found, origins, strict=True))


def floor_of_freeze(freeze: Freeze, origin: str = "") -> Floor:
    """What a frozen search hides.

    Parameters
    ----------
    freeze : Freeze
    origin : str
        Its file, for messages.

    Returns
    -------
    Floor
        Without the descriptions that ship with the package, which hold anyway.

    Raises
    ------
    BlindedError
        If this version of the package would hide other events than those that the freeze file says.
    """
    words = f"{Path(origin).name + ' ' if origin else ''}{freeze.hash[:12]}"
    point = WorkingPoint.model_validate(freeze.selection.content, context={"recorded": True})
    detectors = {tag: Detector.model_validate(part.content) for tag, part in freeze.detectors.items()}
    floor = Floor.of_freeze(point, detectors, replaces=freeze.detector_given, origin=f"freeze {words}")
    if floor.hash != freeze.floor.hash:
        msg = (
            f"{origin or 'freeze'}: this version of na64mu does not hide what this freeze file says (it was made with {freeze.version}): "
            "use that version, or freeze again with this one"
        )
        raise BlindedError(msg)
    return floor if floor.replaces else replace(floor, detectors={t: d for t, d in detectors.items() if not _ships(t, d)})


def _ships(tag: str, detector: Detector) -> bool:
    return tag in known_detectors() and load_detector(tag).digest == detector.digest


def _beside(paths: list[str]) -> list[Path]:
    """Freeze files in the folders of some files, and of those that links lead to."""
    folders: dict[Path, Any] = {}
    for path in paths:
        if "://" not in path:
            folders |= dict.fromkeys((Path(path).absolute().parent, Path(path).resolve().parent))
    return sorted({own.resolve() for folder in folders if folder.is_dir() for name in PATTERNS for own in folder.glob(name)})


def _said(floor: Floor) -> Floor:
    """Say once in a process that a freeze holds, where it hides something of its own."""
    if floor.hash != Floors.of().hash and floor.origin not in _SAID:
        _SAID.add(floor.origin)
        box = f"p_out <= {floor.box.p_out_max:g} GeV/c, E_CAL < {floor.box.e_cal_max:g} GeV"
        log.info("%s: the box of %s (%s) is hidden in data", floor.origin, floor.name, box)
    return floor
