"""Muons through Geant4, in processes of their own: the counterpart of `simulate_events`."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from na64mu.detector import Detector
from na64mu.errors import Na64muError
from na64mu.simulation.geant4.data import data_environment, data_label
from na64mu.simulation.truth import Truth

__all__ = ("CUT", "PHYSICS_LIST", "Geant4Result", "Geant4Settings", "run_geant4")

PHYSICS_LIST = "FTFP_BERT"
CUT = 0.7  # production cut [mm], Geant4's default


class Geant4Settings(NamedTuple):
    """How Geant4 runs.

    Attributes
    ----------
    physics_list : str
        A reference list of Geant4.
    cut : float
        Production cut [mm].
    electrons, pions : int
        Showers of 10 GeV electrons in the ECAL and of 50 GeV pions in VHCAL and HCAL that set the energy scales.
    scales : tuple of float, optional
        Signal per energy in the scintillator of ECAL, VHCAL and HCAL, instead of these showers.
    gdml : Path, optional
        Where to write the geometry.
    """

    physics_list: str = PHYSICS_LIST
    cut: float = CUT
    electrons: int = 40
    pions: int = 30
    scales: tuple[float, float, float] | None = None
    gdml: Path | None = None


class Geant4Result(NamedTuple):
    """What came back: muons on target, the written events, the scales used, and a line on how it was made."""

    n_mot: int
    truth: Truth
    scales: tuple[float, float, float]
    made_with: str


def _work(task: dict[str, Any], environment: dict[str, str], folder: Path) -> Any:
    """One process; its output."""
    path = folder / "task.json"
    path.write_text(json.dumps(task))
    command = [sys.executable, "-m", "na64mu.simulation.geant4.worker", str(path)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode or not Path(task["out"]).is_file():
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        msg = f"Geant4 ended with code {done.returncode}: {last}"
        raise Na64muError(msg)
    with np.load(task["out"]) as found:
        return {name: found[name] for name in found.files}


def run_geant4(
    detector: Detector, config: int, n_events: int, prescale: int, seed: int, settings: Geant4Settings | None = None
) -> Geant4Result:
    """Send beam muons through the set-up with Geant4 and keep the triggered ones.

    Parameters
    ----------
    detector : Detector
        The description.
    config : int
        Trigger configuration.
    n_events : int
        Beam muons to generate; those that do not aim at S0 and S1 are not followed.
    prescale : int
        Every prescale-th calibration trigger is kept, and all physics triggers; 0: only these.
    seed : int
        Equal seeds give equal events.
    settings : Geant4Settings, optional
        Physics list, cut and scales.

    Returns
    -------
    Geant4Result
        In the form of the fast engine.

    Raises
    ------
    Na64muError
        If geant4-pybind is not installed, there are no data sets, or Geant4 fails.
    """
    settings = Geant4Settings() if settings is None else settings
    if importlib.util.find_spec("geant4_pybind") is None:
        msg = "the geant4 engine needs the package geant4-pybind: install na64mu[geant4]"
        raise Na64muError(msg)
    environment = data_environment()
    with tempfile.TemporaryDirectory() as name:
        task = {
            "detector": detector.model_dump_json(), "config": config, "n_events": n_events, "prescale": prescale, "seed": seed,
            "physics_list": settings.physics_list, "cut": settings.cut, "electrons": settings.electrons, "pions": settings.pions,
            "scales": settings.scales, "gdml": str(settings.gdml) if settings.gdml else "", "out": str(Path(name) / "out.npz"),
        }  # fmt: skip
        found = _work(task, environment, Path(name))
    truth = Truth(*(found[field] for field in Truth._fields))
    made_with = f"{found['version']};{settings.physics_list};cut={settings.cut:g} mm;g4data={data_label(environment)}"
    first, second, third = (float(v) for v in found["scales"])
    return Geant4Result(int(found["n_mot"]), truth, (first, second, third), made_with)
