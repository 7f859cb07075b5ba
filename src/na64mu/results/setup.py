"""Set-up of a run in its output folder: descriptions and calibrations as they were used, so that what follows can use the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from na64mu.errors import InputError

__all__ = ("SETUP", "read_setup")

#: File of an output folder.
SETUP = "setup.json"


def read_setup(folder: Path) -> dict[str, dict[str, Any]]:
    """Read descriptions and calibrations of a run.

    Parameters
    ----------
    folder : Path
        Output folder.

    Returns
    -------
    dict
        "detectors" and "calibrations": tag -> plain content. Empty for a folder of an earlier version.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    place = folder / SETUP
    if not place.is_file():
        return {}
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{place}: cannot be read ({error}): make the folder again with `na64mu run`"
        raise InputError(msg) from error
    if not isinstance(content, Mapping) or not all(isinstance(content.get(name), dict) for name in ("detectors", "calibrations")):
        msg = f"{place}: not what `na64mu run` writes: make the folder again"
        raise InputError(msg)
    return {name: content[name] for name in ("detectors", "calibrations")}
