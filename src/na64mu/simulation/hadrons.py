"""Hadrons from muon-nuclear interactions: how they share the energy, where they shower and how they escape.

A parametrisation, to be replaced by a shower library when the region of missing energy matters:

* the transfer breaks up one hadron at a time, each taking a fraction z with density 2 (1 - z), until 0.5 GeV is left;
  a third are neutral pions (their photons shower at once), the rest are charged (two thirds of them) or neutral;
* transverse momenta are exponential in p_T with mean 0.35 GeV (inferred: the universal limited p_T of soft hadrons);
* charged and neutral hadrons shower in the stack and what is left of them flies on (flight.py);
* the signal of the deposited energy has the published resolution of the HCAL, 65 % / sqrt(E) (+) 6 %; in the ECAL, which
  is calibrated with electrons, hadrons are seen with pi/e < 1;
* outside the calorimeters hadrons fly on through VETO, hole or VHCAL, the field of MS2 (which sweeps the soft ones out
  of the line), S4 and the HCAL. Units mm, GeV.
"""

from __future__ import annotations

import math

from na64mu.kernel import inner_kernel
from na64mu.simulation.flight import HADRON, SOFTEST_HADRON, fly, hadron_shower
from na64mu.simulation.leakage import electromagnetic_shower, step_behind
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.showers import Calorimeter, deposit_point, smeared_response
from na64mu.simulation.stream import Stream
from na64mu.typing import FloatArray

__all__ = ("nuclear_shower",)

MEAN_PT = 0.35  # [GeV/c]


@inner_kernel
def nuclear_shower(
    setup: Setup,
    scratch: Scratch,
    c: Calorimeter,
    cells: FloatArray,
    step: int,
    state: FloatArray,
    z: float,
    transfer: float,
    rng: Stream,
) -> None:
    """Break up the energy of a muon-nuclear interaction into hadrons and follow each one.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    c : Calorimeter
        Where it happens.
    cells : FloatArray
        Its cells.
    step : int
        Its step.
    state : FloatArray
        The muon (x, y, tx, ty, p).
    z : float
        Where [mm].
    transfer : float
        Energy given to the nucleus [GeV].
    rng : Stream
        Random numbers.
    """
    left = transfer
    hadron = scratch.hadron
    behind = step_behind(setup, c, step)
    section = 0
    while section < len(c.ends) - 1 and z >= c.ends[section]:
        section += 1
    while left > 0.0:
        energy = left * (1.0 - math.sqrt(rng.random())) if left > SOFTEST_HADRON else left
        left -= energy
        if left < SOFTEST_HADRON:
            energy += left
            left = 0.0
        if energy < SOFTEST_HADRON:
            deposit_point(c, cells, section, state[0], state[1], smeared_response(energy, c.hadron_stochastic, c.hadron_constant, rng))
            continue
        angle = min(1.0, MEAN_PT * rng.standard_exponential() / energy)
        phi = 2.0 * math.pi * rng.random()
        hadron[0], hadron[1] = state[0], state[1]
        hadron[2], hadron[3] = state[2] + angle * math.cos(phi), state[3] + angle * math.sin(phi)
        hadron[4] = energy
        kind = rng.random()
        if kind < 1.0 / 3.0:
            electromagnetic_shower(setup, scratch, c, cells, step, hadron, z, energy, True, rng)
            continue
        charge = -1.0 if kind < 5.0 / 9.0 else (1.0 if kind < 7.0 / 9.0 else 0.0)
        hadron_shower(c, cells, hadron, z, c.ends[-1], section, rng)
        fly(setup, scratch, behind, c.ends[-1], hadron, HADRON, charge, rng)
