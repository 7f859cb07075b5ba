"""Location of the Geant4 data: a directory of the user (GEANT4_DATA_DIR) with the data sets of its version.

Official sets come from CERN. Sets generated from formulas can replace them in tests; a file made with them says so.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from na64mu.errors import Na64muError

__all__ = ("data_environment", "data_label")

#: Environment variable -> prefix of its folder.
SETS = {
    "G4ENSDFSTATEDATA": "G4ENSDFSTATE",
    "G4LEDATA": "G4EMLOW",
    "G4PARTICLEXSDATA": "G4PARTICLEXS",
    "G4LEVELGAMMADATA": "PhotonEvaporation",
    "G4RADIOACTIVEDATA": "RadioactiveDecay",
    "G4NEUTRONHPDATA": "G4NDL",
    "G4PIIDATA": "G4PII",
    "G4SAIDXSDATA": "G4SAIDDATA",
    "G4ABLADATA": "G4ABLA",
    "G4INCLDATA": "G4INCL",
    "G4REALSURFACEDATA": "RealSurface",
    "G4CHANNELINGDATA": "G4CHANNELING",
}

#: Sets that the physics list cannot run without.
NEEDED = ("G4ENSDFSTATEDATA", "G4LEDATA", "G4PARTICLEXSDATA")


def data_environment() -> dict[str, str]:
    """Environment variables of Geant4's data sets.

    Returns
    -------
    dict[str, str]
        Variables that are set already, and those whose folder is in GEANT4_DATA_DIR.

    Raises
    ------
    Na64muError
        If there is no directory, or it lacks a set that cannot be done without.
    """
    root = os.environ.get("GEANT4_DATA_DIR", "")
    if not root or not Path(root).is_dir():
        msg = "the geant4 engine needs Geant4's data sets: set GEANT4_DATA_DIR to the directory that has G4EMLOW..., G4PARTICLEXS... and all others"
        raise Na64muError(msg)
    found = {"GEANT4_DATA_DIR": root}
    for variable, prefix in SETS.items():
        folders = sorted(path for path in Path(root).iterdir() if path.is_dir() and path.name.startswith(prefix))
        if variable in os.environ:
            found[variable] = os.environ[variable]
        elif folders:
            found[variable] = str(folders[-1])
        elif variable in NEEDED:
            msg = f"GEANT4_DATA_DIR={root} has no folder {prefix}...: the geant4 engine cannot run without it"
            raise Na64muError(msg)
    return found


def data_label(environment: dict[str, str]) -> str:
    """Return the label of the data sets: "official", or "generated-" and a hash of the names and sizes of their files.

    The official nuclear levels (PhotonEvaporation) have a file for every nucleus; generated sets have none.

    Parameters
    ----------
    environment : dict[str, str]
        Environment variables, from `data_environment`.

    Returns
    -------
    str
        Written into every file.
    """
    levels = environment.get("G4LEVELGAMMADATA")
    if levels is not None and Path(levels).is_dir() and any(Path(levels).iterdir()):
        return "official"
    digest = hashlib.sha256()
    for variable in NEEDED:
        for path in sorted(Path(environment[variable]).rglob("*")):
            if path.is_file():
                digest.update(f"{path.name} {path.stat().st_size}\n".encode())
    return f"generated-{digest.hexdigest()[:12]}"
