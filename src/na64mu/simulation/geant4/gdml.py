"""The geometry as GDML, for other Geant4 programs; runs in a separate process: `python -m na64mu.simulation.geant4.gdml TASK.json`.

Every volume is checked for overlaps before it is written, and the file is read back. GDML has no fields and no sensitive
detectors: they are written as auxiliary information of the volumes, "Field" (Bx By Bz in tesla) and "SensDet" (a name).
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from na64mu.common.processes import end_with
from na64mu.common.whole_file import whole_file
from na64mu.detector import Detector
from na64mu.errors import Na64muError, writing
from na64mu.simulation.geant4.processes import run_module

__all__ = ("GdmlCheck", "write_gdml")

POINTS = 1000  # on the surface of every volume, for overlaps
SAME_MASS = 1e-6  # relative


class GdmlCheck(NamedTuple):
    """Result of a check of the geometry.

    Attributes
    ----------
    volumes : int
        Placements and replicas below the world.
    overlaps : list of str
        Volumes that overlap with others.
    masses : dict[str, float]
        Mass of ECAL, VHCAL plates and HCAL modules, as built [kg].
    read_back : dict[str, float]
        The same masses, from the file [kg].
    version : str
        Version of Geant4.
    """

    volumes: int
    overlaps: list[str]
    masses: dict[str, float]
    read_back: dict[str, float]
    version: str


def write_gdml(detector: Detector, config: int, path: Path) -> GdmlCheck:
    """Write the geometry of a set-up as GDML and check it.

    No data sets are needed for this.

    Parameters
    ----------
    detector : Detector
        The description.
    config : int
        Trigger configuration: it moves the counters S4 and S_mu.
    path : Path
        File to write; an existing file is replaced.

    Returns
    -------
    GdmlCheck
        Number of volumes, and masses before and after.

    Raises
    ------
    Na64muError
        If geant4-pybind is not installed, volumes overlap, or the file does not read back as it was.
    """
    if importlib.util.find_spec("geant4_pybind") is None:
        msg = "writing GDML needs the package geant4-pybind: install na64mu[geant4]"
        raise Na64muError(msg)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # without this variable the package asks for a download when it is imported
        environment = {"GEANT4_DATA_DIR": os.environ.get("GEANT4_DATA_DIR") or name}
        task: dict[str, Any] = {"detector": detector.model_dump_json(), "config": config, "gdml": str(folder / "apparatus.gdml")}
        tasks = [task | {"read": read, "out": str(folder / f"{read}.json")} for read in (False, True)]
        found = []
        for one in tasks:
            run_module("gdml", [one], environment, folder / f"{one['read']}", lambda: None)
            found.append(json.loads(Path(one["out"]).read_text()))
        check = _checked(detector, path, *found)
        with whole_file(path) as part:
            shutil.copyfile(folder / "apparatus.gdml", part)
    return check


def _checked(detector: Detector, path: Path, built: dict[str, Any], back: dict[str, Any]) -> GdmlCheck:
    """Compare what was built with what was read back."""
    check = GdmlCheck(built["volumes"], built["overlaps"], built["masses"], back["masses"], built["version"])
    if check.overlaps:
        msg = f"{detector.tag}: the volumes {', '.join(check.overlaps)} overlap with others: correct their places in the description"
        raise Na64muError(msg)
    same = back["volumes"] == built["volumes"] and back["masses"].keys() == built["masses"].keys()
    if not same or any(abs(back["masses"][k] / mass - 1.0) > SAME_MASS for k, mass in built["masses"].items()):
        msg = f"{path}: Geant4 reads back {back['volumes']} volumes of {back['masses']} kg, written were {built['volumes']} of {built['masses']} kg"
        raise Na64muError(msg)
    return check


def _below(logical: Any) -> Iterator[Any]:
    """Physical volumes below a logical one."""
    for i in range(logical.GetNoDaughters()):
        physical = logical.GetDaughter(i)
        yield physical
        yield from _below(physical.GetLogicalVolume())


def _masses(volumes: list[Any], g4: Any) -> dict[str, float]:
    out: dict[str, float] = {}
    for physical in volumes:
        logical = physical.GetLogicalVolume()
        name = str(logical.GetName())
        if name in ("ecal", "vhcal_copper", "vhcal_plastic") or (name.startswith("hcal") and name[4:].isdigit()):
            out[name] = out.get(name, 0.0) + logical.GetMass(True) / g4.kg
    return out


def main(task: dict[str, Any]) -> None:
    """Write or read a file: see the head of this module."""
    import geant4_pybind as g4

    from na64mu.simulation.geant4.geometry import Geometry
    from na64mu.simulation.geant4.worker import version

    end_with(task["parent"])

    parser, overlaps = g4.G4GDMLParser(), []
    if task["read"]:
        parser.Read(task["gdml"], False)
        top = parser.GetWorldVolume()
    else:
        geometry = Geometry(Detector.model_validate_json(task["detector"]), task["config"])
        top = geometry.Construct()
        overlaps = [str(v.GetName()) for v in _below(top.GetLogicalVolume()) if v.CheckOverlaps(POINTS, 0.0, False)]
        for logical, text in geometry.notes():
            for kind, value in text.items():
                note = g4.G4GDMLAuxStructType()
                note.type, note.value, note.unit = kind, value, ""
                parser.AddVolumeAuxiliary(note, logical)
        parser.SetSDExport(False)
        parser.Write(task["gdml"], top, True)
    volumes = list(_below(top.GetLogicalVolume()))
    report = {"volumes": len(volumes), "overlaps": overlaps, "masses": _masses(volumes, g4), "version": version()}
    Path(task["out"]).write_text(json.dumps(report))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
    sys.stdout.flush()
    os._exit(0)  # Geant4 and Python would delete one another's objects
