"""Simulation of beam particles one by one through the set-up: counters and trigger.

The kernel transports each muon along the line and keeps hits and deposits of the events that are written. Every event has two streams
of random numbers of its own: the muon's transport along the line draws from one, the showers in the calorimeters from
the other. An event that is written only if it meets the physics trigger is therefore transported without showers first, up to the
HCAL, and again with everything only if S4 has seen something or could have: the same events come out, about a hundred times faster.
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.compiled.kernel import inner_kernel, kernel
from na64mu.compiled.records import new_record, record_kind
from na64mu.compiled.reference import by_reference
from na64mu.detector import Detector
from na64mu.simulation.beam import carry_back, sample_beam
from na64mu.simulation.geometry import ECAL, HCAL
from na64mu.simulation.muon_in_calorimeter import DECAY, HADRON, PILE_UP
from na64mu.simulation.particles import copy_state
from na64mu.simulation.setup import MOST_HITS, S0, S1, S4, S_MU, V1, Scratch, Setup, new_scratch
from na64mu.simulation.stream import Stream
from na64mu.simulation.truth import FACTS, HIT, Truth
from na64mu.simulation.walk import beam_hadron, first_step, walk
from na64mu.typing import FloatArray, Record, RecordArray

__all__ = ("CALIBRATION", "PHYSICS", "simulate_events")

#: Trigger bits.
CALIBRATION, PHYSICS = 1, 2

#: Numbers of particles on target, calibration triggers, and written events.
TALLIES = record_kind("on_target calibration written", "i8")

AIM_MARGIN = 6.0  # mm

HITS_PER_EVENT = 64  # space for hits at the start; it grows


@inner_kernel
def _clear_counts(scratch: Scratch) -> None:
    n = scratch.n
    n.hits, n.hard_losses, n.no_trigger = 0, 0, 0
    scratch.counters[:] = 0.0


@inner_kernel
def _clear(scratch: Scratch) -> None:
    _clear_counts(scratch)
    scratch.veto[:] = 0.0
    scratch.ecal[:] = 0.0
    scratch.vhcal[:] = 0.0
    scratch.hcal[:] = 0.0
    facts = scratch.facts
    facts.trigger, facts.process, facts.weight, facts.index, facts.transfer = 0.0, 0.0, 0.0, 0.0, 0.0
    facts.p_in, facts.p_out, facts.px, facts.py, facts.pz, facts.x, facts.y, facts.z = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    facts.vertex_z, facts.mass, facts.xfrac, facts.psi, facts.x_s4 = math.nan, math.nan, math.nan, math.nan, math.nan


@inner_kernel
def _aims_at(setup: Setup, state: Record, margin: float) -> bool:
    """Whether a state at z = 0 points at S0 and S1, within scattering (0.6 mm rms from all planes upstream)."""
    for counter in (S0, S1):
        z = setup.surfaces.z[setup.surfaces.first_counter + counter]
        distance = math.hypot(state.x + state.tx * z, state.y + state.ty * z)
        if distance > setup.counters.outline[counter].radius + margin:
            return False
    return True


@inner_kernel
def _start(setup: Setup, scratch: Scratch, state: Record, mode: int, track: Stream) -> bool:
    """Draw the beam particle and write its truth; False if it cannot meet S0 and S1 (with DECAY: would not, undecayed)."""
    sample_beam(setup.spot, state, track)
    aims = _aims_at(setup, state, 0.0 if mode == DECAY else AIM_MARGIN)
    if not aims and mode not in (DECAY, PILE_UP):
        return False
    _clear(scratch)
    carry_back(setup.line, state, setup.spot.charge)
    norm = 1.0 / math.sqrt(1.0 + state.tx**2 + state.ty**2)
    facts = scratch.facts
    facts.p_in = state.p
    facts.px, facts.py, facts.pz = state.p * state.tx * norm, state.p * state.ty * norm, state.p * norm
    facts.x, facts.y, facts.z = state.x, state.y, setup.line.z_in[0]
    return aims


@inner_kernel
def _fires(setup: Setup, measured: FloatArray, counter: int) -> bool:
    return measured[counter] > setup.counters.threshold[counter]


@inner_kernel
def _measure(setup: Setup, scratch: Scratch, measured: FloatArray, first: int, last: int, rest: Stream) -> None:
    """Energies of counters first to last with their resolution: the trigger and the raw tree see the same numbers."""
    for k in range(first, last + 1):
        measured[k] = max(0.0, scratch.counters[k] * (1.0 + setup.counters.resolution[k] * rest.standard_normal()))


@inner_kernel
def _copy(values: FloatArray, out: FloatArray) -> None:
    for k in range(len(values)):
        out[k] = values[k]


@inner_kernel
def _copy_cells(cells: FloatArray, out: FloatArray) -> None:
    for i in range(cells.shape[0]):
        for j in range(cells.shape[1]):
            for k in range(cells.shape[2]):
                out[i, j, k] = cells[i, j, k]


@inner_kernel
def _may_fire_s4(
    setup: Setup, scratch: Scratch, aside: Scratch, first: int, last: int, state: Record, mode: int, plan: Record, track: Stream
) -> bool:
    """Walk the muon from the ECAL to the HCAL without showers; whether S4 has been touched, or may be by a shower.

    It happens in `aside`; event, state and stream stay as they are.
    """
    _clear_counts(aside)
    copy = aside.beam
    copy_state(state, copy)
    a, b, c, d = track.state[0], track.state[1], track.state[2], track.state[3]
    walk(setup, aside, first, last, copy, mode, plan, False, track, track)
    track.state[0], track.state[1], track.state[2], track.state[3] = a, b, c, d
    return scratch.counters[S4] + aside.counters[S4] > 0.0 or aside.n.hard_losses > 0


@inner_kernel
def _keep(scratch: Scratch, out: Truth, n: int) -> None:
    """Write an event as number n."""
    used = out.hit_offsets[n]
    for k in range(scratch.n.hits):
        out.hits[used + k] = scratch.hits[k]
    out.hit_offsets[n + 1] = used + scratch.n.hits
    out.facts[n] = scratch.facts
    _copy(scratch.measured, out.counters[n])
    _copy(scratch.veto, out.veto[n])
    _copy_cells(scratch.ecal, out.ecal[n])
    _copy_cells(scratch.vhcal, out.vhcal[n])
    _copy_cells(scratch.hcal, out.hcal[n])


@kernel
def _simulate(
    setup_values: Setup,
    scratch_values: Scratch,
    aside_values: Scratch,
    out_values: Truth,
    tallies: Record,
    first: int,
    mode: int,
    plans: RecordArray,
    prescale: int,
    key: int,
    track: Stream,
    rest: Stream,
) -> int:
    """See simulate_events; from event `first` to where the hits are full, which is returned."""
    setup, scratch, aside = by_reference(setup_values), by_reference(scratch_values), by_reference(aside_values)
    out = by_reference(out_values)
    ecal, hcal, end = first_step(setup, ECAL), first_step(setup, HCAL), len(setup.line.kind)
    state, measured = scratch.beam, scratch.measured
    for e in range(first, len(plans)):
        if out.hit_offsets[tallies.written] + MOST_HITS > len(out.hits):
            return e
        plan = plans[e]
        track.restart(key, np.uint64(2 * e))
        aims = _start(setup, scratch, state, mode, track)
        if not aims and mode not in (DECAY, PILE_UP):
            continue
        rest.restart(key, np.uint64(2 * e + 1))
        alive = walk(setup, scratch, 0, ecal, state, mode, plan, True, track, rest)
        if mode == DECAY and aims:
            tallies.on_target += 1
        _measure(setup, scratch, measured, S0, V1, rest)
        calibration = alive and _fires(setup, measured, S0) and _fires(setup, measured, S1) and not _fires(setup, measured, V1)
        if not calibration and mode != PILE_UP:
            continue
        tallies.calibration += 1
        if mode != DECAY:
            tallies.on_target += 1
        keep = mode == PILE_UP or (prescale > 0 and tallies.calibration % prescale == 0)
        if mode == HADRON:
            beam_hadron(setup, scratch, ecal, state, rest)
            alive = False
        elif alive:
            if not keep and not _may_fire_s4(setup, scratch, aside, ecal, hcal, state, mode, plan, track):
                continue
            alive = walk(setup, scratch, ecal, hcal, state, mode, plan, True, track, rest)
        _measure(setup, scratch, measured, S4, S4, rest)
        if not keep and not _fires(setup, measured, S4):
            continue
        if alive:
            scratch.n.no_trigger = not _fires(setup, measured, S4)
            walk(setup, scratch, hcal, end, state, mode, plan, True, track, rest)
        _measure(setup, scratch, measured, S_MU, S_MU, rest)
        physics = calibration and _fires(setup, measured, S4) and _fires(setup, measured, S_MU)
        if not keep and not physics:
            continue
        scratch.facts.trigger = CALIBRATION + (PHYSICS if physics else 0)
        scratch.facts.index = e
        _keep(scratch, out, tallies.written)
        tallies.written += 1
    return len(plans)


def simulate_events(
    setup: Setup, detector: Detector, n_events: int, mode: int, plans: RecordArray, prescale: int, rng: np.random.Generator
) -> tuple[int, Truth]:
    """Send beam muons through the set-up and keep the triggered ones.

    Parameters
    ----------
    setup : Setup
        Arrays of the set-up, from `build_setup`.
    detector : Detector
        The description, for the shapes.
    n_events : int
        Beam muons.
    mode : int
        BEAM, ZPRIME, HARD_LOSS, HADRON, DECAY or PILE_UP (see muon_in_calorimeter.py); PILE_UP keeps every particle.
    plans : RecordArray
        What is made to happen to every particle, see plans.py; shape (n_events,).
    prescale : int
        Every prescale-th muon that meets S0*S1*!V1 is written, and all that meet the physics trigger; 0: only these.
    rng : Generator
        Draws the key of the streams of all events.

    Returns
    -------
    n_mot : int
        Beam particles that met S0*S1*!V1; with DECAY those that would meet S0*S1 undecayed.
    truth : Truth
        Written events.
    """
    scratch, aside = new_scratch(detector), new_scratch(detector)
    deposits = (scratch.counters, scratch.veto, scratch.ecal, scratch.vhcal, scratch.hcal)
    key = np.uint64(rng.integers(2**64, dtype=np.uint64))
    track, rest, tallies, done = Stream(0), Stream(0), new_record(TALLIES), 0
    out = Truth(
        np.empty(n_events, FACTS), np.empty(HITS_PER_EVENT * n_events + MOST_HITS, HIT), np.zeros(n_events + 1, dtype=np.int64),
        *(np.empty((n_events, *array.shape)) for array in deposits),
    )  # fmt: skip
    while done < n_events:
        done = _simulate(setup, scratch, aside, out, tallies, done, mode, plans, prescale, key, track, rest)
        if done < n_events:
            out = out._replace(hits=np.concatenate([out.hits, np.empty(len(out.hits) + MOST_HITS, HIT)]))
    n = int(tallies.written)
    hits, offsets = out.hits[: out.hit_offsets[n]].copy(), out.hit_offsets[: n + 1]
    return int(tallies.on_target), Truth(out.facts[:n], hits, offsets, *(table[:n] for table in out[3:]))
