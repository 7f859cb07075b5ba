"""Response of the sensitive volumes to a particle: crossings of planes, energy in counters and the VHCAL, the muon in MS2.

The plates of ECAL and HCAL are scored inside Geant4 (see worker.py). Lengths mm, momenta and calorimeter energies GeV,
counter and VETO energies MeV.
"""

from __future__ import annotations

from typing import Any

import geant4_pybind as g4
import numpy as np

from na64mu.detector import Detector
from na64mu.simulation.geant4.geometry import Geometry

__all__ = ("Event", "Gap", "Plane", "Vhcal")

FLATTEST = 0.05  # smallest cosine to the beam of a particle that a plane records


class Event:
    """Hits and deposits of the current event so far.

    Parameters
    ----------
    detector : Detector
        The description, for the shapes.
    """

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
        #: Energy of each hard interaction of the first particle by (mc_process, z) [GeV].
        self.transfers: dict[tuple[float, float], float] = {}
        #: State of the primary where it was stopped: x, y, z, tx, ty, p.
        self.end = (np.nan,) * 6


class Plane(g4.G4VSensitiveDetector):
    """A tracker, counter or the VETO: crossings of charged particles, or energy.

    Parameters
    ----------
    name : str
        For Geant4.
    event : Event
        Changed in place.
    geometry : Geometry
        The set-up.
    surface : int
        Number of the surface (see simulation/geometry.py).
    """

    def __init__(self, name: str, event: Event, geometry: Geometry, surface: int) -> None:
        super().__init__(name)
        self.event, self.geometry, self.surface = event, geometry, surface

    def ProcessHits(self, step: Any, _: Any) -> bool:  # noqa: N802
        """Geant4 calls it for every step in the plane."""
        s, event, point = self.geometry.surfaces, self.event, step.GetPreStepPoint()
        if self.surface < s.first_counter:
            if step.IsFirstStepInVolume() and point.GetCharge() != 0.0:
                at, u = point.GetPosition(), point.GetMomentumDirection()
                if u.z > FLATTEST:
                    event.hits.append((self.surface, at.x, at.y, u.x / u.z, u.y / u.z))
            return True
        deposit, at = step.GetTotalEnergyDeposit(), point.GetPosition()
        if self.surface < s.veto:
            event.counters[self.surface - s.first_counter] += deposit
        else:
            veto = event.detector.veto
            panel = int((at.x + veto.half[0]) / (2.0 * veto.half[0]) * veto.panels)
            event.veto[min(max(panel, 0), veto.panels - 1)] += deposit
        return True


class Vhcal(g4.G4VSensitiveDetector):
    """The plates with a hole: energy in the cell of the step [GeV].

    Parameters
    ----------
    event : Event
        Changed in place.
    """

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
    """The gap of MS2: momentum of the first particle when it enters.

    Parameters
    ----------
    event : Event
        Changed in place.
    """

    def __init__(self, event: Event) -> None:
        super().__init__("gap")
        self.event = event

    def ProcessHits(self, step: Any, _: Any) -> bool:  # noqa: N802
        """Geant4 calls it for every step in the gap."""
        if self.event.p_out == 0.0 and step.GetTrack().GetTrackID() == 1:
            self.event.p_out = 1e-3 * step.GetPreStepPoint().GetMomentum().mag()
        return True
