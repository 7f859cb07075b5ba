"""A muon in a calorimeter: transport from one hard loss to the next, with the forced interactions. Lengths mm, energies GeV."""

from __future__ import annotations

import math

import numpy as np

from na64mu.compiled.kernel import inner_kernel
from na64mu.physics.constants import MUON_MASS
from na64mu.physics.energy_loss import BREMSSTRAHLUNG, DELTA, NUCLEAR
from na64mu.simulation.geometry import HCAL
from na64mu.simulation.hadrons import SOFTEST_HADRON, nuclear_shower
from na64mu.simulation.leakage import DEEPEST, electromagnetic_shower, leak_electrons
from na64mu.simulation.losses import fluctuated, rate, sample_loss, sample_process, share_above
from na64mu.simulation.recoil import deflect, recoil_angle
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.showers import Calorimeter, deposit_point
from na64mu.simulation.soft_secondaries import delta_direction, spray_delta_rays
from na64mu.simulation.straggling import straggled
from na64mu.simulation.stream import Stream
from na64mu.simulation.transport import drift, inverse_p_beta, scatter, scattering
from na64mu.simulation.truth import F_MASS, F_PROCESS, F_PSI, F_TRANSFER, F_VERTEX, F_XFRAC
from na64mu.typing import FloatArray

__all__ = ("BEAM", "DECAY", "HADRON", "HARD_LOSS", "PILE_UP", "TRUTH_HADRON", "TRUTH_KAON", "TRUTH_PION", "ZPRIME", "cross_stack")

#: What is sent: beam muons, muons that radiate a Z' in the ECAL or lose more than a threshold there, beam hadrons, beam hadrons that
#: decay before the ECAL, and beam muons without a trigger.
BEAM, ZPRIME, HARD_LOSS, HADRON, DECAY, PILE_UP = range(6)

#: mc_process of delta ray, bremsstrahlung, pair, muon-nuclear (raw tree), and of the forced interactions.
TRUTH_PROCESS = np.array([4.0, 1.0, 2.0, 3.0])
TRUTH_KAON, TRUTH_PION, TRUTH_HADRON, TRUTH_ZPRIME = 5.0, 6.0, 7.0, 20.0
TRUTH_ABOVE = 5.0  # smallest transfer that names a process [GeV]

#: Electrons and positrons from showers below this energy cannot meet S4: MS2 bends 1 GeV by 0.42 rad, which is 1.9 m at S4, four widths
#: of the largest angle that such a particle leaves the stack with [GeV].
HARDEST_SWEPT = 1.0

SLOWEST = 0.3  # a muon below this momentum is stopped [GeV/c]

#: Electrons of 1 to 10 MeV that accompany a muon out of a dense stack: delta rays in equilibrium, K/2 <Z/A> ln(10) over a
#: range of T / (1.5 MeV cm2 / g), with <Z/A> = 0.44.
EQUILIBRIUM = 0.5 * 0.307 * 0.44 * math.log(10.0) / 1.5


@inner_kernel
def lose(
    setup: Setup,
    scratch: Scratch,
    c: Calorimeter,
    cells: FloatArray,
    step: int,
    state: FloatArray,
    z: float,
    process: int,
    transfer: float,
    whole: bool,
    track: Stream,
    rest: Stream,
) -> None:
    """A hard loss: shower in the calorimeter, electrons behind it, recoil of the muon, truth."""
    energy = math.sqrt(state[4] ** 2 + MUON_MASS**2)
    if whole and process == NUCLEAR:
        nuclear_shower(setup, scratch, step, state, z, transfer, False, rest)
    elif whole and process == DELTA and setup.line.kind[step] == HCAL:
        delta_direction(state, transfer, scratch.hard, rest)
        electromagnetic_shower(setup, scratch, c, cells, step, scratch.hard, z, transfer, False, rest)
    elif whole:
        electromagnetic_shower(setup, scratch, c, cells, step, state, z, transfer, process == BREMSSTRAHLUNG, rest)
    elif process == NUCLEAR:
        scratch.n[1] += transfer > SOFTEST_HADRON
    else:
        scratch.n[1] += transfer > HARDEST_SWEPT and c.ends[-1] - z < DEEPEST * c.x0
    deflect(state, recoil_angle(process, energy, transfer, track), track)
    left = energy - transfer
    state[4] = math.sqrt(max(left * left - MUON_MASS**2, 1e-6))
    facts = scratch.facts
    named = transfer > TRUTH_ABOVE and setup.line.kind[step] != HCAL and facts[F_PROCESS] < TRUTH_KAON
    if named and transfer > facts[F_TRANSFER]:
        facts[F_PROCESS], facts[F_VERTEX], facts[F_TRANSFER] = TRUTH_PROCESS[process], z, transfer


@inner_kernel
def force(
    setup: Setup,
    scratch: Scratch,
    c: Calorimeter,
    cells: FloatArray,
    step: int,
    state: FloatArray,
    z: float,
    mode: int,
    plan: FloatArray,
    whole: bool,
    track: Stream,
    rest: Stream,
) -> None:
    """Apply the interaction planned for this event: a Z' (plan: depth, x, psi, mass) or a loss (depth, process, smallest energy)."""
    energy = math.sqrt(state[4] ** 2 + MUON_MASS**2)
    if mode == ZPRIME:
        deflect(state, plan[2], track)
        left = (1.0 - plan[1]) * energy
        state[4] = math.sqrt(max(left * left - MUON_MASS**2, 1e-6))
        scratch.facts[F_PROCESS], scratch.facts[F_VERTEX] = TRUTH_ZPRIME, z
        scratch.facts[F_XFRAC], scratch.facts[F_PSI], scratch.facts[F_MASS] = plan[1], plan[2], plan[3]
    else:
        process = int(plan[1])
        transfer = sample_loss(c.losses, process, energy, share_above(c.losses, process, energy, plan[2]), track)
        lose(setup, scratch, c, cells, step, state, z, process, transfer, whole, track, rest)


@inner_kernel
def cross_stack(
    setup: Setup,
    scratch: Scratch,
    c: Calorimeter,
    cells: FloatArray,
    step: int,
    state: FloatArray,
    planned: float,
    mode: int,
    plan: FloatArray,
    whole: bool,
    track: Stream,
    rest: Stream,
) -> bool:
    """Walk the muon through a calorimeter, from one hard loss to the next; False if it stops.

    The muon draws from `track` alone: without the `whole` (deposits, showers, which draw from `rest`) it goes the same way,
    and scratch.n[1] counts the losses that may send something to S4.
    """
    z, z_out = setup.line.z_in[step], setup.line.z_out[step]
    thickness = (z_out - z) / c.x0
    core, tail = scattering(thickness, c.z_nucleus)
    section = setup.line.number[step]
    while True:
        while section < len(c.ends) - 1 and z >= c.ends[section]:
            section += 1
        energy = math.sqrt(state[4] ** 2 + MUON_MASS**2)
        per_length, continuous, straggling, third = rate(c.losses, energy)
        length = track.standard_exponential() / per_length
        stop = min(z_out, c.ends[section])
        at_plan = planned < min(z + length, stop)
        at_loss = z + length < stop and not at_plan
        length = (planned if at_plan else (z + length if at_loss else stop)) - z
        before_x, before_y = state[0], state[1]
        drift(state, length)
        scatter(state, length, length / (c.x0 * thickness), core, tail, c.z_nucleus, inverse_p_beta(state[4]), track)
        mean = continuous * length
        if whole:
            visible = straggled(c.mip_scale * mean, c.knocks, rest)
            deposit_point(c, cells, section, 0.5 * (before_x + state[0]), 0.5 * (before_y + state[1]), visible)
        energy -= fluctuated(mean, straggling * length, third * length, track)
        if energy < SLOWEST:
            return False
        state[4] = math.sqrt(energy * energy - MUON_MASS**2)
        z += length
        if at_plan:
            planned = math.inf
            force(setup, scratch, c, cells, step, state, z, mode, plan, whole, track, rest)
        elif at_loss:
            process = sample_process(c.losses, energy, track)
            transfer = sample_loss(c.losses, process, energy, 1.0, track)
            lose(setup, scratch, c, cells, step, state, z, process, transfer, whole, track, rest)
        elif stop >= z_out:
            break
        if state[4] < SLOWEST:
            return False
    if whole and setup.line.kind[step] == HCAL and z_out >= c.ends[-1]:
        spray_delta_rays(setup, scratch, c, step + 1, state, rest)
    elif whole and z_out >= c.ends[-1]:  # not between preshower and main section, nor between modules
        leak_electrons(setup, scratch, c, step + 1, state[0], state[1], EQUILIBRIUM, 0.01, rest)
    return True
