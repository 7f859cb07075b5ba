"""A muon in a calorimeter: transport from one hard loss to the next, with the forced interactions. Lengths mm, energies GeV."""

from __future__ import annotations

import math

import numpy as np

from na64mu.compiled.kernel import inner_kernel
from na64mu.physics.constants import MUON_MASS
from na64mu.physics.energy_loss import BREMSSTRAHLUNG, DELTA, NUCLEAR
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.simulation.geometry import HCAL
from na64mu.simulation.hadron_interactions import SOFTEST_HADRON
from na64mu.simulation.hadrons import nuclear_shower
from na64mu.simulation.leakage import DEEPEST, electromagnetic_shower, leak_electrons
from na64mu.simulation.losses import fluctuated, losses_of, sample_loss, sample_process, share_above
from na64mu.simulation.recoil import deflect, recoil_angle
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.showers import deposit_point
from na64mu.simulation.soft_secondaries import delta_direction, spray_delta_rays
from na64mu.simulation.straggling import straggled
from na64mu.simulation.stream import Stream
from na64mu.simulation.transport import drift, inverse_p_beta, scatter, scattering
from na64mu.typing import FloatArray, Record

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
    state: Record,
    z: float,
    process: int,
    transfer: float,
    whole: bool,
    track: Stream,
    rest: Stream,
) -> None:
    """A hard loss: shower in the calorimeter, electrons behind it, recoil of the muon, truth."""
    energy = math.sqrt(state.p**2 + MUON_MASS**2)
    if whole and process == NUCLEAR:
        nuclear_shower(setup, scratch, step, state, z, transfer, False, rest)
    elif whole and process == DELTA and setup.line.kind[step] == HCAL:
        delta_direction(state, transfer, scratch.hard, rest)
        electromagnetic_shower(setup, scratch, c, cells, step, scratch.hard, z, transfer, False, rest)
    elif whole:
        electromagnetic_shower(setup, scratch, c, cells, step, state, z, transfer, process == BREMSSTRAHLUNG, rest)
    elif process == NUCLEAR:
        scratch.n.hard_losses += transfer > SOFTEST_HADRON
    else:
        scratch.n.hard_losses += transfer > HARDEST_SWEPT and c.ends[-1] - z < DEEPEST * c.x0
    deflect(state, recoil_angle(process, energy, transfer, track), track)
    left = energy - transfer
    state.p = math.sqrt(max(left * left - MUON_MASS**2, 1e-6))
    facts = scratch.facts
    named = transfer > TRUTH_ABOVE and setup.line.kind[step] != HCAL and facts.process < TRUTH_KAON
    if named and transfer > facts.transfer:
        facts.process, facts.vertex_z, facts.transfer = TRUTH_PROCESS[process], z, transfer


@inner_kernel
def force(
    setup: Setup,
    scratch: Scratch,
    c: Calorimeter,
    cells: FloatArray,
    step: int,
    state: Record,
    z: float,
    mode: int,
    plan: Record,
    whole: bool,
    track: Stream,
    rest: Stream,
) -> None:
    """Apply the interaction planned for this event: a Z' or a loss."""
    energy = math.sqrt(state.p**2 + MUON_MASS**2)
    if mode == ZPRIME:
        facts = scratch.facts
        deflect(state, plan.psi, track)
        left = (1.0 - plan.x) * energy
        state.p = math.sqrt(max(left * left - MUON_MASS**2, 1e-6))
        facts.process, facts.vertex_z = TRUTH_ZPRIME, z
        facts.xfrac, facts.psi, facts.mass = plan.x, plan.psi, plan.mass
    else:
        process = plan.process
        transfer = sample_loss(c.losses, process, energy, share_above(c.losses, process, energy, plan.above), track)
        lose(setup, scratch, c, cells, step, state, z, process, transfer, whole, track, rest)


@inner_kernel
def cross_stack(
    setup: Setup,
    scratch: Scratch,
    c: Calorimeter,
    cells: FloatArray,
    step: int,
    state: Record,
    planned: float,
    mode: int,
    plan: Record,
    whole: bool,
    track: Stream,
    rest: Stream,
) -> bool:
    """Walk the muon through a calorimeter, from one hard loss to the next; False if it stops.

    The muon draws from `track` alone: without the `whole` (deposits, showers, which draw from `rest`) it goes the same way,
    and scratch.n.hard_losses counts the losses that may send something to S4.
    """
    z, z_out = setup.line.z_in[step], setup.line.z_out[step]
    thickness = (z_out - z) / c.x0
    core, tail = scattering(thickness, c.z_nucleus)
    section = setup.line.number[step]
    while True:
        while section < len(c.ends) - 1 and z >= c.ends[section]:
            section += 1
        energy = math.sqrt(state.p**2 + MUON_MASS**2)
        losses = losses_of(c.losses, energy)
        length = track.standard_exponential() / losses.hard
        stop = min(z_out, c.ends[section])
        at_plan = planned < min(z + length, stop)
        at_loss = z + length < stop and not at_plan
        length = (planned if at_plan else (z + length if at_loss else stop)) - z
        before_x, before_y = state.x, state.y
        drift(state, length)
        scatter(state, length, length / (c.x0 * thickness), core, tail, c.z_nucleus, inverse_p_beta(state.p), track)
        mean = losses.mean * length
        if whole:
            visible = straggled(c.mip_scale * mean, c.knocks, rest)
            deposit_point(c, cells, section, 0.5 * (before_x + state.x), 0.5 * (before_y + state.y), visible)
        energy -= fluctuated(mean, losses.variance * length, losses.third * length, track)
        if energy < SLOWEST:
            return False
        state.p = math.sqrt(energy * energy - MUON_MASS**2)
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
        if state.p < SLOWEST:
            return False
    if whole and setup.line.kind[step] == HCAL and z_out >= c.ends[-1]:
        spray_delta_rays(setup, scratch, c, step + 1, state, rest)
    elif whole and z_out >= c.ends[-1]:  # not between preshower and main section, nor between modules
        leak_electrons(setup, scratch, c, step + 1, state.x, state.y, EQUILIBRIUM, 0.01, rest)
    return True
