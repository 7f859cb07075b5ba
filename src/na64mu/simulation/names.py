"""Names of what a simulation can make, and how: for the command line, which does not import the simulation to print them."""

from __future__ import annotations

from typing import Literal

from na64mu.physics.bosons import BOSONS

__all__ = ("PROCESSES", "Engine", "Tier")

#: Form of the calorimeters and counters: energy and time, or sampled pulses.
Tier = Literal["energy", "waveform"]
#: What carries the muons.
Engine = Literal["fast", "geant4"]

#: Process -> what happens in the target.
PROCESSES = {
    "beam": "what comes by itself, with halo",
    **{name: f"a boson of the given mass is radiated: {boson.title}" for name, boson in BOSONS.items()},
    "hardloss": "a loss of more than 20 GeV in the ECAL",
    "nuclear": "the same, only muon-nuclear",
    "hadron": "a beam hadron in the place of the muon",
    "decay": "a pion or kaon of the beam decays to a muon",
    "kaon": "the same, only kaons",
}
