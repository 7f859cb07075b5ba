"""The way of a beam particle along the line, step by step: transport, scattering, calorimeters, decays in flight. Lengths mm, energies GeV."""

from __future__ import annotations

import math

from na64mu.compiled.kernel import inlined_kernel, inner_kernel
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.simulation.decays import PION_TO_MUON, decay
from na64mu.simulation.flight import in_aperture
from na64mu.simulation.geometry import AIR_Z, COMPOSITE_Z, DRIFT, ECAL, FIELD, HCAL, PLANE, VHCAL
from na64mu.simulation.hadrons import follow_hadron, nuclear_shower
from na64mu.simulation.leakage import electromagnetic_shower, step_behind
from na64mu.simulation.muon_in_calorimeter import (
    DECAY,
    HARD_LOSS,
    PILE_UP,
    TRUTH_HADRON,
    TRUTH_KAON,
    TRUTH_PION,
    ZPRIME,
    cross_stack,
)
from na64mu.simulation.recording import record
from na64mu.simulation.secondaries import delta_rays
from na64mu.simulation.setup import S0, S1, S4, Scratch, Setup
from na64mu.simulation.stream import Stream
from na64mu.simulation.transport import circle, drift, inverse_p_beta, scatter
from na64mu.typing import Record

__all__ = ("beam_hadron", "first_step", "walk")


@inner_kernel
def first_step(setup: Setup, kind: int) -> int:
    """First step of a kind; the number of steps if there is none."""
    for i in range(len(setup.line.kind)):
        if setup.line.kind[i] == kind:
            return i
    return len(setup.line.kind)


@inner_kernel
def _in_hole(c: Calorimeter, state: Record) -> bool:
    return abs(state.x) < c.x_hole and abs(state.y) < c.y_hole


@inlined_kernel
def _cross(setup: Setup, i: int, length: float, whole: float, state: Record, inverse: float, track: Stream) -> bool:
    """A length of a DRIFT or FIELD of which `whole` is the rest; False if the particle is lost in a magnet."""
    line = setup.line
    if line.kind[i] == DRIFT:
        drift(state, length)
    elif not in_aperture(setup, i, state) or not circle(state, length, line.field_x[i], line.field_y[i], setup.spot.charge):
        return False
    scatter(state, length, 1.0 if length == whole else length / whole, line.core[i], line.tail[i], AIR_Z, inverse, track)
    return True


@inner_kernel
def _decay(setup: Setup, scratch: Scratch, state: Record, plan: Record, track: Stream, rest: Stream) -> None:
    """A planned decay: the hadron becomes a muon; photons fly straight to the ECAL."""
    before, photons, c = state.p, scratch.photons, setup.ecal
    n = decay(plan.channel, state, photons, track)
    facts = scratch.facts
    facts.process = TRUTH_PION if plan.channel == PION_TO_MUON else TRUTH_KAON
    facts.vertex_z, facts.transfer = plan.z, before - state.p
    half_x, half_y = 0.5 * c.x_pitch * scratch.ecal.shape[1], 0.5 * c.y_pitch * scratch.ecal.shape[2]
    for k in range(n):
        photon = photons[k]
        drift(photon, c.z - plan.z)
        if abs(photon.x) < half_x and abs(photon.y) < half_y:
            electromagnetic_shower(setup, scratch, c, scratch.ecal, first_step(setup, ECAL), photon, c.z, photon.p, True, rest)


@inner_kernel
def beam_hadron(setup: Setup, scratch: Scratch, step: int, state: Record, rest: Stream) -> None:
    """A beam hadron from the ECAL's face on: it interacts there after one interaction length on average, or flies on."""
    c, facts = setup.ecal, scratch.facts
    depth = rest.standard_exponential() * c.interaction_length
    length = c.ends[-1] - c.z
    drift(state, min(depth, length))
    facts.process = TRUTH_HADRON
    if depth < length:
        facts.vertex_z, facts.transfer = c.z + depth, state.p
        nuclear_shower(setup, scratch, step, state, c.z + depth, state.p, True, rest)
    else:
        facts.p_out = state.p
        follow_hadron(setup, scratch, step_behind(setup, c, step), state, c.ends[-1], setup.spot.charge, rest)


@inlined_kernel
def _at_plane(setup: Setup, scratch: Scratch, i: int, state: Record, mode: int, inverse: float, track: Stream) -> bool:
    """A PLANE; False if the muon has passed S0 or S1 and nothing has touched it: there is no trigger any more."""
    line, counter = setup.line, setup.line.number[i] - setup.surfaces.first_counter
    record(setup, scratch, line.number[i], state.x, state.y, state.tx, state.ty, math.inf, track)
    if counter == S4:
        scratch.facts.x_s4 = state.x
    elif mode != PILE_UP and counter in (S0, S1) and scratch.counters[counter] == 0.0:
        return False
    scatter(state, 0.0, 1.0, line.core[i], line.tail[i], COMPOSITE_Z, inverse, track)
    delta_rays(setup, scratch, i, state, track)
    return True


@inner_kernel
def walk(
    setup: Setup,
    scratch: Scratch,
    first: int,
    last: int,
    state: Record,
    mode: int,
    plan: Record,
    whole: bool,
    track: Stream,
    rest: Stream,
) -> bool:
    """Steps first to last - 1 of the line, with what happens in the calorimeters if `whole`; False if the muon is lost."""
    line = setup.line
    planned = plan.z if mode in (ZPRIME, HARD_LOSS, DECAY) else math.inf
    inverse = inverse_p_beta(state.p)
    for i in range(first, last):
        kind = line.kind[i]
        length = line.z_out[i] - line.z_in[i]
        if kind == PLANE:
            if not _at_plane(setup, scratch, i, state, mode, inverse, track):
                return False
        elif kind in (DRIFT, FIELD):
            left = length
            if mode == DECAY and line.z_in[i] <= planned < line.z_out[i]:
                left = line.z_out[i] - planned
                if not _cross(setup, i, length - left, length, state, inverse, track):
                    return False
                _decay(setup, scratch, state, plan, track, rest)
                inverse = inverse_p_beta(state.p)
            if not _cross(setup, i, left, length, state, inverse, track):
                return False
            if kind == DRIFT:
                delta_rays(setup, scratch, i, state, track)
            elif line.z_in[i] > setup.ecal.z:
                scratch.facts.p_out = state.p
        elif kind == ECAL:
            at = math.inf if mode == DECAY else planned
            if not cross_stack(setup, scratch, setup.ecal, scratch.ecal, i, state, at, mode, plan, whole, track, rest):
                return False
        elif kind == VHCAL and _in_hole(setup.vhcal, state):
            drift(state, length)
        elif kind == VHCAL:
            if not cross_stack(setup, scratch, setup.vhcal, scratch.vhcal, i, state, math.inf, mode, plan, whole, track, rest):
                return False
        elif not cross_stack(setup, scratch, setup.hcal, scratch.hcal, i, state, math.inf, mode, plan, whole, track, rest):
            return False
        if kind in (ECAL, VHCAL, HCAL):
            inverse = inverse_p_beta(state.p)
    return True
