"""Geant4 user actions: primary generation, secondary filtering, kill conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import geant4_pybind as g4

from na64mu.simulation.geant4.sensitive import Event
from na64mu.simulation.geant4.shots import Choice, Shots

__all__ = ("Collector", "Gun", "Staging", "TakeOut")

#: mc_process of Geant4's processes of a muon.
PROCESS = {"muBrems": 1.0, "muPairProd": 2.0, "muonNuclear": 3.0, "muIoni": 4.0}
SOFTEST = 10.0  # kinetic energy of a secondary that counts in a transfer [MeV]
LIGHT = 299.792458  # mm / ns


class Gun(g4.G4VUserPrimaryGeneratorAction):
    """Primary generator: one particle per event, from a list; each event begins with its own seed.

    Time zero is when a particle at the speed of light is at the ECAL face, so that cuts in time mean the same for all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gun, self.next = g4.G4ParticleGun(1), 0
        self.shots: Any = None

    def load(self, shots: Shots) -> None:
        """Take the particles of the next events."""
        self.shots, self.next = shots, 0

    def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
        """Geant4 asks for the particle of an event."""
        k, self.next = self.next, self.next + 1
        g4.G4Random.setTheSeed(int(self.shots.seeds[k]))
        particle = g4.G4ParticleTable.GetParticleTable().FindParticle(str(self.shots.particles[k]))
        x, y, z, tx, ty, p = (float(v) for v in self.shots.states[k])
        mass = particle.GetPDGMass()
        self.gun.SetParticleDefinition(particle)
        self.gun.SetParticlePosition(g4.G4ThreeVector(x, y, z))
        self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(tx, ty, 1.0).unit())
        self.gun.SetParticleEnergy(math.hypot(1e3 * p, mass) - mass)
        self.gun.SetParticleTime(z / LIGHT)
        self.gun.GeneratePrimaryVertex(event)


class Staging(g4.G4UserStackingAction):
    """Notes what the first particle makes, and with a choice follows secondaries of the chosen events only.

    Geant4 carries the first particle to its end before any secondary. With a choice they wait until then; if no interaction
    was hard enough, all are dropped. Nothing is biased: the events that remain are unchanged.

    Parameters
    ----------
    event : Event
        Changed in place.
    choice : Choice, optional
        Criterion for the events that are tracked to the end.
    """

    def __init__(self, event: Event, choice: Choice | None) -> None:
        super().__init__()
        self.event, self.choice, self.waiting = event, choice, choice is not None

    def PrepareNewEvent(self) -> None:  # noqa: N802
        """Geant4 begins."""
        self.waiting = self.choice is not None

    def ClassifyNewTrack(self, track: Any) -> Any:  # noqa: N802
        """Geant4 calls it for every new particle."""
        if track.GetParentID() == 1 and track.GetKineticEnergy() > SOFTEST:
            code = PROCESS.get(str(track.GetCreatorProcess().GetProcessName()), 0.0)
            if code:
                # nucleons were there before
                made = track.GetTotalEnergy() - track.GetDefinition().GetBaryonNumber() * g4.proton_mass_c2
                key = code, round(track.GetPosition().z, 3)
                self.event.transfers[key] = self.event.transfers.get(key, 0.0) + 1e-3 * made
        return g4.fWaiting if self.waiting and track.GetParentID() > 0 else g4.fUrgent

    def NewStage(self) -> None:  # noqa: N802
        """Geant4 has no urgent particle left."""
        if not self.waiting or self.choice is None:
            return
        self.waiting = False
        if not self.choice.takes(self.event.transfers):
            g4.G4EventManager.GetEventManager().GetStackManager().clear()


class TakeOut(g4.G4UserSteppingAction):
    """Stops the primary at its planned vertex: the next event continues from there.

    Parameters
    ----------
    event : Event
        Changed in place.
    gun : Gun
        Knows the event.
    """

    def __init__(self, event: Event, gun: Gun) -> None:
        super().__init__()
        self.event, self.gun = event, gun

    def UserSteppingAction(self, step: Any) -> None:  # noqa: N802
        """Geant4 calls it for every step."""
        track = step.GetTrack()
        if track.GetTrackID() != 1:
            return
        point = step.GetPostStepPoint()
        at = point.GetPosition()
        if at.z >= self.gun.shots.ends[self.gun.next - 1]:
            p = point.GetMomentum()
            self.event.end = at.x, at.y, at.z, p.x / p.z, p.y / p.z, 1e-3 * p.mag()
            track.SetTrackStatus(g4.fStopAndKill)


class Collector(g4.G4UserEventAction):
    """Takes every finished event to a function.

    Parameters
    ----------
    event : Event
        Cleared before every event.
    take : callable
        Called with the G4Event.
    """

    def __init__(self, event: Event, take: Callable[[Any], None]) -> None:
        super().__init__()
        self.event, self.take = event, take

    def BeginOfEventAction(self, _: Any) -> None:  # noqa: N802
        """Geant4 begins."""
        self.event.clear()

    def EndOfEventAction(self, event: Any) -> None:  # noqa: N802
        """Geant4 has finished."""
        self.take(event)
