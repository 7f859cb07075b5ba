"""Geant4 in separate processes: shots are distributed, their results come back in order. Any number of processes gives the same result."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from na64mu.detector import Detector
from na64mu.errors import Na64muError
from na64mu.simulation.geant4.data import data_environment
from na64mu.simulation.geant4.shots import Choice, Shots
from na64mu.simulation.truth import FACTS, HIT
from na64mu.typing import FloatArray, IntArray, RecordArray

__all__ = ("CUT", "PHYSICS_LIST", "TIME_LIMIT", "Deposits", "Geant4Settings", "checked_environment", "run_module", "shoot")

PHYSICS_LIST = "FTFP_BERT"
CUT = 0.7  # production cut [mm], Geant4's default

#: Neutrons are dropped this long after the beam is at the ECAL face [ns]: half of the recorded 400 ns (32 samples of 12.5 ns),
#: with the pulse in the middle (inferred: the place of the pulse in the window is not published).
TIME_LIMIT = 200.0

POLL = 0.1  # s


class Geant4Settings(NamedTuple):
    """Options of the Geant4 processes.

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
    workers : int
        Processes.
    """

    physics_list: str = PHYSICS_LIST
    cut: float = CUT
    electrons: int = 40
    pions: int = 30
    scales: tuple[float, float, float] | None = None
    workers: int = 1


class Deposits(NamedTuple):
    """Deposits of the particles: the columns of `Truth`, with energies in the scintillator [GeV], and the end of every event.

    Events that were not chosen (see `Choice`) have a row in `facts`, `counters` and `ends` only; `chosen` are the others.
    """

    facts: RecordArray
    counters: FloatArray
    ends: FloatArray
    chosen: IntArray
    hits: RecordArray
    hit_offsets: IntArray
    veto: FloatArray
    ecal: FloatArray
    vhcal: FloatArray
    hcal: FloatArray
    version: str


def checked_environment() -> dict[str, str]:
    """Variables for a process of Geant4.

    Returns
    -------
    dict[str, str]
        From `data_environment`.

    Raises
    ------
    Na64muError
        If geant4-pybind is not installed, or there are no data sets.
    """
    if importlib.util.find_spec("geant4_pybind") is None:
        msg = "the geant4 engine needs the package geant4-pybind: install na64mu[geant4]"
        raise Na64muError(msg)
    return data_environment()


def _last_words(folder: Path) -> str:
    texts = [(folder / name).read_text(errors="replace").strip() for name in ("stderr", "stdout") if (folder / name).is_file()]
    return next((text.splitlines()[-1] for text in texts if text), "no message")


def run_module(module: str, tasks: list[dict[str, Any]], environment: dict[str, str], folder: Path, watch: Callable[[], object]) -> None:
    """Run tasks of a module of this package side by side, one process each.

    Parameters
    ----------
    module : str
        "worker" or "gdml".
    tasks : list of dict
        Task of each process; "out" is the file that it must write.
    environment : dict[str, str]
        Variables on top of those of this process.
    folder : Path
        Folder for the tasks and the output of Geant4.
    watch : callable
        Called while they run.

    Raises
    ------
    Na64muError
        If one of them fails; the others are ended.
    """
    running: list[tuple[subprocess.Popen[bytes], Path, dict[str, Any]]] = []
    try:
        for i, task in enumerate(tasks):
            place = folder / str(i)
            place.mkdir(parents=True)
            (place / "task.json").write_text(json.dumps({**task, "parent": os.getpid()}))
            command = [sys.executable, "-m", f"na64mu.simulation.geant4.{module}", str(place / "task.json")]
            with (place / "stdout").open("wb") as out, (place / "stderr").open("wb") as err:
                process = subprocess.Popen(command, env=os.environ | environment, stdout=out, stderr=err)
            running.append((process, place, task))
        while running:
            for entry in list(running):
                process, place, task = entry
                if process.poll() is None:
                    continue
                if process.returncode or not Path(task["out"]).is_file():
                    msg = f"Geant4 ended with code {process.returncode}: {_last_words(place)}"
                    raise Na64muError(msg)
                running.remove(entry)
            watch()
            time.sleep(POLL)
    finally:
        for process, _, _ in running:
            process.kill()
            process.wait()


def _merged(parts: list[dict[str, Any]]) -> Deposits:
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name not in ("version", "hit_offsets")}
    columns |= {"facts": columns["facts"].view(FACTS), "hits": columns["hits"].view(HIT)}
    chosen = np.flatnonzero(columns.pop("chosen"))
    lengths = np.concatenate([np.diff(part["hit_offsets"]) for part in parts])[chosen]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Deposits(**columns, chosen=chosen, hit_offsets=offsets, version=str(parts[0]["version"]))


def shoot(
    detector: Detector,
    config: int,
    shots: Shots,
    settings: Geant4Settings,
    choice: Choice | None = None,
    progress: Callable[[int], object] | None = None,
) -> Deposits:
    """Send particles through the set-up.

    Parameters
    ----------
    detector : Detector
        The description.
    config : int
        Trigger configuration.
    shots : Shots
        The particles.
    settings : Geant4Settings
        Physics list, cut, workers.
    choice : Choice, optional
        Criterion for the events that are tracked to the end.
    progress : callable, optional
        Called with the number of events done since the last call.

    Returns
    -------
    Deposits
        One event per shot, in their order.

    Raises
    ------
    Na64muError
        If geant4-pybind is not installed, there are no data sets, or Geant4 fails.
    """
    environment = checked_environment()
    n = len(shots.numbers)
    n_workers = max(1, min(settings.workers, n))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks: list[dict[str, Any]] = []
        for i in range(n_workers):
            path = folder / f"shots{i}.npz"
            np.savez(path, **shots.part(slice(i * n // n_workers, (i + 1) * n // n_workers))._asdict())
            tasks.append({
                "detector": detector.model_dump_json(), "config": config, "physics_list": settings.physics_list, "cut": settings.cut,
                "time_limit": TIME_LIMIT, "take_out": bool(np.isfinite(shots.ends).any()), "choice": choice, "shots": str(path),
                "report": str(folder / f"done{i}"), "out": str(folder / f"out{i}.npz"),
            })  # fmt: skip
        told = 0

        def watch() -> None:
            nonlocal told
            reports = [Path(task["report"]) for task in tasks]
            done = sum(int(path.read_text() or 0) for path in reports if path.is_file())
            if progress is not None and done > told:
                progress(done - told)
                told = done

        run_module("worker", tasks, environment, folder, watch)
        parts = []
        for task in tasks:
            with np.load(task["out"]) as found:
                parts.append({key: found[key] for key in found.files})
    if progress is not None:
        progress(n - told)
    return _merged(parts)
