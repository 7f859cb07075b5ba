"""One process of Geant4: `python -m na64mu.simulation.geant4.worker TASK.json`; writes its hits and deposits to an npz file.

Geant4 can be initialised once per process, and its data directories must be known before it is imported. The task names the
detector, physics list, cut, the file of the shots (see shots.py), the choice of events, and the file to write.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import geant4_pybind as g4
import numpy as np

from na64mu.common.processes import end_with
from na64mu.compiled.records import new_record, records
from na64mu.detector import Detector
from na64mu.simulation.geant4.actions import Collector, Gun, Staging, TakeOut
from na64mu.simulation.geant4.geometry import Geometry
from na64mu.simulation.geant4.sensitive import Event, Gap, Plane, Vhcal
from na64mu.simulation.geant4.shots import Choice, Shots
from na64mu.simulation.truth import FACTS, HIT
from na64mu.typing import FloatArray, Record

__all__ = ("Run", "main", "version")

TRUTH_ABOVE = 5.0  # smallest transfer that names a process [GeV]
REPORT_EVERY = 0.5  # s


def version() -> str:
    """Return the version of Geant4."""
    return str(g4.G4Version).replace("$Name: ", "").replace("$", "").strip()


class Run:
    """Geant4, initialised for a set-up; keeps the rows of its events.

    Parameters
    ----------
    detector : Detector
        The description.
    task : dict
        config, physics_list, cut [mm], time_limit [ns], and whether to take_out particles.
    choice : Choice, optional
        Criterion for the events that are tracked to the end.
    """

    def __init__(self, detector: Detector, task: dict[str, Any], choice: Choice | None) -> None:
        self.detector, self.event, self.choice = detector, Event(detector), choice
        self.progress: Any = lambda _: None
        self.rows: dict[str, list[Any]] = {name: [] for name in ("facts", "counters", "veto", "ecal", "vhcal", "hcal", "ends", "chosen")}
        self.hits: list[tuple[float, ...]] = []
        self.offsets = [0]
        self.manager = g4.G4RunManager()
        self.geometry = Geometry(detector, task["config"])
        self.sensitive: list[Any] = []
        self.geometry.attach = self._attach  # type: ignore[method-assign]
        self.manager.SetUserInitialization(self.geometry)
        self.physics = getattr(g4, task["physics_list"])()
        self.physics.SetVerboseLevel(0)
        self.physics.SetDefaultCutValue(task["cut"])
        self.manager.SetUserInitialization(self.physics)
        self.gun = Gun()
        self.actions = [self.gun, Staging(self.event, choice), Collector(self.event, self.take)]
        if task["take_out"]:
            self.actions.append(TakeOut(self.event, self.gun))
        for action in self.actions:
            self.manager.SetUserAction(action)
        self.manager.Initialize()
        commands = g4.G4UImanager.GetUIpointer()
        if commands.ApplyCommand(f"/physics_engine/neutron/timeLimit {task['time_limit']} ns"):
            commands.ApplyCommand("/control/verbose 0")  # the list has no such cut

    def _attach(self) -> None:
        manager, g = g4.G4SDManager.GetSDMpointer(), self.geometry
        for surface, logical in g.planes.items():
            self._sense(manager, logical, Plane(f"plane{surface}", self.event, g, surface))
        self._sense(manager, g.plates["vhcal"], Vhcal(self.event))
        behind = [gap for gap, _, z in g.fields if z > self.detector.ecal.z]
        if behind:
            self._sense(manager, behind[-1], Gap(self.event))
        for name, layers in self._stacks().items():
            calorimeter = self.detector.ecal if name == "ecal" else self.detector.hcal
            detector = g4.G4MultiFunctionalDetector(name)
            scorer = g4.G4PSEnergyDeposit3D("energy", *calorimeter.cells, layers, 3, 2, 1)
            detector.RegisterPrimitive(scorer)
            self.sensitive.append(scorer)
            self._sense(manager, g.plates[name], detector)

    def _sense(self, manager: Any, logical: Any, detector: Any) -> None:
        manager.AddNewDetector(detector)
        logical.SetSensitiveDetector(detector)
        self.sensitive.append(detector)

    def _stacks(self) -> dict[str, int]:
        d = self.detector
        return {"ecal": sum(d.ecal.layers)} | {f"hcal{i}": d.hcal.layers for i in range(len(d.hcal.front))}

    def _cells(self, event: Any) -> tuple[FloatArray, FloatArray]:
        """Energy in the scintillator of the cells [GeV]: ECAL by section, HCAL by module."""
        d, collections = self.detector, event.GetHCofThisEvent()
        manager, out = g4.G4SDManager.GetSDMpointer(), []
        for name, layers in self._stacks().items():
            shape = *(d.ecal.cells if name == "ecal" else d.hcal.cells), layers
            flat = np.zeros(int(np.prod(shape)))
            for index, value in collections.GetHC(manager.GetCollectionID(f"{name}/energy")):
                flat[index] = 1e-3 * value
            out.append(flat.reshape(shape))
        first = d.ecal.layers[0]
        ecal = np.stack([out[0][:, :, :first].sum(axis=2), out[0][:, :, first:].sum(axis=2)])
        return ecal, np.stack([cells.sum(axis=2) for cells in out[1:]])

    def _facts(self, k: int) -> Record:
        left, shots = self.event, self.gun.shots
        x, y, z, tx, ty, p = shots.states[k]
        along = 1.0 / np.sqrt(1.0 + tx * tx + ty * ty)
        facts = new_record(FACTS)
        facts.vertex_z, facts.mass, facts.xfrac, facts.psi, facts.x_s4 = np.nan, np.nan, np.nan, np.nan, np.nan
        facts.index, facts.p_in, facts.p_out = shots.numbers[k], p, left.p_out
        facts.px, facts.py, facts.pz = p * tx * along, p * ty * along, p * along
        facts.x, facts.y, facts.z = x, y, z
        front = self.detector.hcal.front[0]
        inside = {key: transfer for key, transfer in left.transfers.items() if key[1] < front and transfer > TRUTH_ABOVE}
        if inside:
            key = max(inside, key=lambda k: inside[k])
            (facts.process, facts.vertex_z), facts.transfer = key, inside[key]
        return facts

    def take(self, event: Any) -> None:
        """Keep what an event left: all of it, or of an event that was not chosen only that it was there."""
        k, left = self.gun.next - 1, self.event
        self.progress(self.gun.next)
        self.rows["facts"].append(self._facts(k))
        self.rows["counters"].append(left.counters)
        self.rows["ends"].append(left.end)
        chosen = self.choice is None or self.choice.takes(left.transfers)
        self.rows["chosen"].append(chosen)
        if chosen:
            ecal, hcal = self._cells(event)
            for name, cells in (("veto", left.veto), ("ecal", ecal), ("vhcal", left.vhcal), ("hcal", hcal)):
                self.rows[name].append(cells.astype(np.float32))
            self.hits += left.hits
        self.offsets.append(len(self.hits))

    def shoot(self, shots: Shots) -> None:
        """Send particles, one per event."""
        self.gun.load(shots)
        self.manager.BeamOn(len(shots.numbers))

    def arrays(self) -> dict[str, Any]:
        """The columns of Truth, with energies in the scintillator, and the `ends` of particles that were stopped."""
        d = self.detector
        shapes = {
            "counters": (len(d.counters),), "veto": (d.veto.panels,), "ecal": (2, *d.ecal.cells),
            "vhcal": (1, *d.vhcal.cells), "hcal": (len(d.hcal.front), *d.hcal.cells), "ends": (6,), "chosen": (),
        }  # fmt: skip
        out = {name: np.array(self.rows[name], dtype=np.float64).reshape(len(self.rows[name]), *shapes[name]) for name in shapes}
        records_of = {"facts": records(map(tuple, self.rows["facts"]), FACTS), "hits": records(self.hits, HIT)}
        return out | records_of | {"hit_offsets": np.array(self.offsets, dtype=np.int64)}


class _Report:
    """Says in a file how many events are done."""

    def __init__(self, path: Path) -> None:
        self.path, self.last = path, time.monotonic()

    def __call__(self, done: int) -> None:
        if time.monotonic() - self.last > REPORT_EVERY:
            self.last = time.monotonic()
            self.path.write_text(str(done))


def main(task: dict[str, Any]) -> None:
    """Do a task: see the head of this module."""
    end_with(task["parent"])
    detector = Detector.model_validate_json(task["detector"])
    run = Run(detector, task, Choice(*task["choice"]) if task["choice"] else None)
    run.progress = _Report(Path(task["report"]))
    with np.load(task["shots"]) as found:
        run.shoot(Shots(*(found[name] for name in Shots._fields)))
    np.savez(task["out"], version=version(), **run.arrays())


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
    sys.stdout.flush()
    os._exit(0)  # Geant4 and Python would delete one another's objects
