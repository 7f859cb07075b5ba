"""One process of Geant4: `python -m na64mu.simulation.geant4.worker TASK.json`; writes what its muons leave as an npz.

Geant4 can be initialised once per process, and its data directories must be known before it is imported.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import geant4_pybind as g4
import numpy as np

from na64mu.detector import Detector
from na64mu.simulation.beam import beam_spot, carry_back, sample_beam
from na64mu.simulation.geant4.geometry import Geometry
from na64mu.simulation.truth import F_INDEX, F_P_IN, F_P_OUT, F_PROCESS, F_PX, F_TRANSFER, F_TRIGGER, F_VERTEX, F_X_S4, FACTS
from na64mu.typing import FloatArray

__all__ = ("main",)

#: mc_process of Geant4's processes of a muon.
PROCESS = {"muBrems": 1.0, "muPairProd": 2.0, "muonNuclear": 3.0, "muIoni": 4.0}
TRUTH_ABOVE = 5.0  # smallest transfer that names a process [GeV]
V1 = 2
AIM_MARGIN = 6.0  # mm, as in the fast engine


class Event:
    """What the event in flight has left so far."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.clear()

    def clear(self) -> None:
        """Start an event."""
        d = self.detector
        self.hits: list[tuple[float, ...]] = []
        self.counters = np.zeros(len(d.counters))
        self.veto = np.zeros(d.veto.panels)
        self.vhcal = np.zeros((1, *d.vhcal.cells))
        self.p_out = 0.0
        self.transfers: dict[tuple[float, float], float] = {}


class Plane(g4.G4VSensitiveDetector):
    """A tracker, counter or the VETO: crossings of charged particles, or energy."""

    def __init__(self, name: str, event: Event, geometry: Geometry, surface: int) -> None:
        super().__init__(name)
        self.event, self.geometry, self.surface = event, geometry, surface

    def ProcessHits(self, step: Any, _: Any) -> bool:  # noqa: N802
        """Geant4 calls it for every step in the plane."""
        s, event, point = self.geometry.surfaces, self.event, step.GetPreStepPoint()
        if self.surface < s.first_counter:
            if step.IsFirstStepInVolume() and point.GetCharge() != 0.0:
                at, u = point.GetPosition(), point.GetMomentumDirection()
                if u.z > 0.05:
                    event.hits.append((self.surface, at.x, at.y, u.x / u.z, u.y / u.z))
            return True
        deposit, at = step.GetTotalEnergyDeposit(), point.GetPosition()
        if self.surface < s.veto:
            event.counters[self.surface - s.first_counter] += deposit
        else:
            veto = self.event.detector.veto
            panel = int((at.x + veto.half[0]) / (2.0 * veto.half[0]) * veto.panels)
            event.veto[min(max(panel, 0), veto.panels - 1)] += deposit
        return True


class Vhcal(g4.G4VSensitiveDetector):
    """The plates with a hole: energy in the cell of the step [GeV]."""

    def __init__(self, event: Event) -> None:
        super().__init__("vhcal")
        self.event = event

    def ProcessHits(self, step: Any, _: Any) -> bool:  # noqa: N802
        """Geant4 calls it for every step in a plate."""
        v, at = self.event.detector.vhcal, step.GetPreStepPoint().GetPosition()
        ix = int((at.x - v.centre[0]) / v.cell[0] + 0.5 * v.cells[0])
        iy = int((at.y - v.centre[1]) / v.cell[1] + 0.5 * v.cells[1])
        if 0 <= ix < v.cells[0] and 0 <= iy < v.cells[1]:
            self.event.vhcal[0, ix, iy] += 1e-3 * step.GetTotalEnergyDeposit()
        return True


class Gap(g4.G4VSensitiveDetector):
    """The gap of MS2: momentum of the muon that enters."""

    def __init__(self, event: Event) -> None:
        super().__init__("gap")
        self.event = event

    def ProcessHits(self, step: Any, _: Any) -> bool:  # noqa: N802
        """Geant4 calls it for every step in the gap."""
        if self.event.p_out == 0.0 and step.GetTrack().GetTrackID() == 1:
            self.event.p_out = 1e-3 * step.GetPreStepPoint().GetMomentum().mag()
        return True


class Losses(g4.G4UserTrackingAction):
    """Hard secondaries of the muon: the energy of each of its interactions, by process and place."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event

    def PreUserTrackingAction(self, track: Any) -> None:  # noqa: N802
        """Geant4 calls it for every new particle."""
        if track.GetParentID() == 1 and track.GetKineticEnergy() > 100.0:
            code = PROCESS.get(str(track.GetCreatorProcess().GetProcessName()), 0.0)
            if code:
                key = code, round(track.GetVertexPosition().z, 3)
                self.event.transfers[key] = self.event.transfers.get(key, 0.0) + 1e-3 * track.GetTotalEnergy()


class Gun(g4.G4VUserPrimaryGeneratorAction):
    """One particle per event, from a list."""

    def __init__(self) -> None:
        super().__init__()
        self.gun, self.states, self.next = g4.G4ParticleGun(1), np.zeros((0, 6)), 0

    def load(self, particle: str, states: FloatArray) -> None:
        """States (x, y, z, tx, ty, p) of the next events."""
        self.gun.SetParticleDefinition(g4.G4ParticleTable.GetParticleTable().FindParticle(particle))
        self.mass = self.gun.GetParticleDefinition().GetPDGMass()
        self.states, self.next = states, 0

    def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
        """Geant4 asks for the particle of an event."""
        x, y, z, tx, ty, p = (float(v) for v in self.states[self.next])
        self.next += 1
        self.gun.SetParticlePosition(g4.G4ThreeVector(x, y, z))
        self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(tx, ty, 1.0).unit())
        self.gun.SetParticleEnergy(math.hypot(1e3 * p, self.mass) - self.mass)
        self.gun.GeneratePrimaryVertex(event)


class Collector(g4.G4UserEventAction):
    """Takes every finished event to a function."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event
        self.take: Any = None

    def BeginOfEventAction(self, _: Any) -> None:  # noqa: N802
        """Geant4 begins."""
        self.event.clear()

    def EndOfEventAction(self, event: Any) -> None:  # noqa: N802
        """Geant4 has finished."""
        self.take(event)


class Run:
    """Geant4, initialised for a set-up."""

    def __init__(self, detector: Detector, config: int, physics: str, cut: float, seed: int) -> None:
        self.detector, self.event = detector, Event(detector)
        self.manager = g4.G4RunManager()
        self.geometry = Geometry(detector, config)
        self.sensitive: list[Any] = []
        self.geometry.attach = self._attach  # type: ignore[method-assign]
        self.manager.SetUserInitialization(self.geometry)
        self.physics = getattr(g4, physics)()
        self.physics.SetVerboseLevel(0)
        self.physics.SetDefaultCutValue(cut)
        self.manager.SetUserInitialization(self.physics)
        self.gun, self.losses, self.collector = Gun(), Losses(self.event), Collector(self.event)
        for action in (self.gun, self.losses, self.collector):
            self.manager.SetUserAction(action)
        g4.G4Random.setTheSeed(seed + 1)
        self.manager.Initialize()

    def _attach(self) -> None:
        manager, g = g4.G4SDManager.GetSDMpointer(), self.geometry
        for surface, logical in g.planes.items():
            self._sense(manager, logical, Plane(f"plane{surface}", self.event, g, surface))
        self._sense(manager, g.plates["vhcal"], Vhcal(self.event))
        for k, (gap, _, z) in enumerate(g.fields):
            if z > self.detector.ecal.z and k == len(g.fields) - 1:
                self._sense(manager, gap, Gap(self.event))
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

    def cells(self, event: Any) -> tuple[FloatArray, FloatArray]:
        """Energy in the scintillator of the cells [GeV]: ECAL by section, HCAL by module."""
        d, collections = self.detector, event.GetHCofThisEvent()
        manager, out = g4.G4SDManager.GetSDMpointer(), []
        for name, layers in self._stacks().items():
            shape = *(d.ecal.cells if name == "ecal" else d.hcal.cells), layers
            flat = np.zeros(int(np.prod(shape)))
            found = collections.GetHC(manager.GetCollectionID(f"{name}/energy"))
            for index, value in found:
                flat[index] = 1e-3 * value
            out.append(flat.reshape(shape))
        first = d.ecal.layers[0]
        ecal = np.stack([out[0][:, :, :first].sum(axis=2), out[0][:, :, first:].sum(axis=2)])
        return ecal, np.stack([cells.sum(axis=2) for cells in out[1:]])

    def shoot(self, particle: str, states: FloatArray, take: Any) -> None:
        """Send particles from (x, y, z, tx, ty, p) and hand every event to a function."""
        self.gun.load(particle, states)
        self.collector.take = take
        self.manager.BeamOn(len(states))

    def scales(self, electrons: int, pions: int) -> tuple[float, float, float]:
        """Signal per scintillator energy of ECAL (electrons of 10 GeV), VHCAL and HCAL (pions of 50 GeV), from showers in them."""
        d, sums = self.detector, [0.0, 0.0, 0.0]

        def take(event: Any) -> None:
            ecal, hcal = self.cells(event)
            for k, cells in enumerate((ecal, self.event.vhcal, hcal)):
                sums[k] += float(cells.sum())

        aims = (
            ("e-", 10.0, electrons, d.ecal.cell_centre(0)[d.ecal.cells[0] // 2], d.ecal.cell_centre(1)[d.ecal.cells[1] // 2], d.ecal.z),
            ("pi-", 50.0, pions, 0.5 * (d.vhcal.half_hole[0] + 0.5 * d.vhcal.cells[0] * d.vhcal.cell[0]), 0.0, d.vhcal.z),
            ("pi-", 50.0, pions, d.hcal.cell_centre(0)[d.hcal.cells[0] // 2], d.hcal.centre[1], d.hcal.front[0]),
        )
        scales = []
        for k, (particle, p, n, x, y, z) in enumerate(aims):
            sums[k] = 0.0
            self.shoot(particle, np.tile([x, y, z - 0.005, 0.0, 0.0, p], (n, 1)), take)
            scales.append(p * n / sums[k])
        return scales[0], scales[1], scales[2]


def primaries(run: Run, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Beam muons that aim at S0 and S1: states at the start of the line, and their numbers among the generated."""
    d, line = run.detector, run.geometry.line
    spot, states, numbers = beam_spot(d), [], []
    discs = [c for c in d.counters if c.shape == "disc"]
    for i in range(n):
        state = np.empty(5)
        sample_beam(spot, state, rng)
        if all(math.hypot(state[0] + state[2] * c.z, state[1] + state[3] * c.z) < c.radius + AIM_MARGIN for c in discs):
            carry_back(line, state, spot.charge)
            states.append([state[0], state[1], float(line.z_in[0]), *state[2:]])
            numbers.append(i)
    return np.array(states).reshape(-1, 6), np.array(numbers, dtype=np.float64)


class Output:
    """Triggered events, with the trigger of the fast engine."""

    def __init__(self, run: Run, scales: tuple[float, float, float], prescale: int, rng: np.random.Generator) -> None:
        self.run, self.scales, self.prescale, self.rng = run, scales, prescale, rng
        self.n_mot = 0
        self.rows: dict[str, list[FloatArray]] = {name: [] for name in ("facts", "counters", "veto", "ecal", "vhcal", "hcal")}
        self.hits: list[tuple[float, ...]] = []
        self.offsets = [0]
        self.states, self.numbers = np.zeros((0, 6)), np.zeros(0)

    def take(self, event: Any) -> None:
        """Keep the event if it has met a trigger."""
        left, number = self.run.event, self.run.gun.next - 1
        counters = sorted(self.run.detector.counters, key=lambda c: c.id)
        noise = 1.0 + np.array([c.energy_resolution for c in counters]) * self.rng.standard_normal(len(counters))
        measured = np.maximum(0.0, left.counters * noise)
        fired = [bool(e > c.threshold) for e, c in zip(measured, counters, strict=True)]
        if not (fired[0] and fired[1]) or fired[V1]:
            return
        self.n_mot += 1
        physics = fired[3] and fired[4]
        if not physics and not (self.prescale > 0 and self.n_mot % self.prescale == 0):
            return
        ecal, hcal = self.run.cells(event)
        self.rows["facts"].append(self._facts(left, number, physics))
        self.rows["counters"].append(measured)
        self.rows["veto"].append(left.veto)
        self.rows["ecal"].append(self.scales[0] * ecal)
        self.rows["vhcal"].append(self.scales[1] * left.vhcal)
        self.rows["hcal"].append(self.scales[2] * hcal)
        self.hits += left.hits
        self.offsets.append(len(self.hits))

    def _facts(self, left: Event, number: int, physics: bool) -> FloatArray:
        x, y, z, tx, ty, p = self.states[number]
        norm = 1.0 / math.sqrt(1.0 + tx * tx + ty * ty)
        facts = np.zeros(len(FACTS))
        facts[F_VERTEX:F_INDEX] = math.nan
        facts[F_X_S4] = math.nan
        facts[F_TRIGGER], facts[F_INDEX], facts[F_P_IN], facts[F_P_OUT] = 1.0 + 2.0 * physics, self.numbers[number], p, left.p_out
        facts[F_PX : F_PX + 6] = p * tx * norm, p * ty * norm, p * norm, x, y, z
        front = self.run.detector.hcal.front[0]
        inside = {key: transfer for key, transfer in left.transfers.items() if key[1] < front and transfer > TRUTH_ABOVE}
        if inside:
            key = max(inside, key=lambda k: inside[k])
            facts[F_PROCESS], facts[F_VERTEX], facts[F_TRANSFER] = *key, inside[key]
        return facts

    def arrays(self) -> dict[str, FloatArray]:
        """The columns of Truth."""
        d = self.run.detector
        shapes = {
            "facts": (len(FACTS),), "counters": (len(d.counters),), "veto": (d.veto.panels,), "ecal": (2, *d.ecal.cells),
            "vhcal": (1, *d.vhcal.cells), "hcal": (len(d.hcal.front), *d.hcal.cells),
        }  # fmt: skip
        out = {name: np.array(rows, dtype=np.float64).reshape(len(rows), *shapes[name]) for name, rows in self.rows.items()}
        return out | {"hits": np.array(self.hits, dtype=np.float64).reshape(-1, 5), "hit_offsets": np.array(self.offsets, dtype=np.int64)}


def main(task: dict[str, Any]) -> None:
    """Do a task: see backend.py."""
    detector = Detector.model_validate_json(task["detector"])
    run = Run(detector, task["config"], task["physics_list"], task["cut"], task["seed"])
    rng = np.random.default_rng([task["seed"], 4])
    if task["gdml"]:
        navigator = g4.G4TransportationManager.GetTransportationManager().GetNavigatorForTracking()
        g4.G4GDMLParser().Write(task["gdml"], navigator.GetWorldVolume())
    scales = tuple(task["scales"]) if task["scales"] else run.scales(task["electrons"], task["pions"])
    output = Output(run, scales, task["prescale"], rng)
    output.states, output.numbers = primaries(run, task["n_events"], rng)
    run.shoot(detector.beam.particle, output.states, output.take)
    version = str(g4.G4Version).replace("$Name: ", "").replace("$", "").strip()
    columns: dict[str, Any] = output.arrays()
    np.savez(task["out"], n_mot=output.n_mot, scales=np.array(scales), version=version, **columns)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
    sys.stdout.flush()
    os._exit(0)  # Geant4 and Python would delete one another's objects
