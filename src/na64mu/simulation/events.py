"""Simulation of beam particles one by one through the set-up: transport, losses, secondaries, counters, trigger.

The kernel transports each muon along the line and keeps hits and deposits of the events that are written. Every event has two streams
of random numbers of its own: the muon's transport along the line draws from one, the showers in the calorimeters from
the other. An event that is written only if it meets the physics trigger is therefore transported without showers first, up to the
HCAL, and again with everything only if S4 has seen something or could have: the same events come out, about a hundred times faster.
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.compiled.kernel import inlined_kernel, inner_kernel, kernel
from na64mu.compiled.reference import by_reference
from na64mu.detector import Detector
from na64mu.simulation.beam import carry_back, sample_beam
from na64mu.simulation.decays import PION_TO_MUON, decay
from na64mu.simulation.flight import in_aperture
from na64mu.simulation.geometry import AIR_Z, COMPOSITE_Z, DRIFT, ECAL, FIELD, HCAL, PLANE, VHCAL
from na64mu.simulation.hadrons import follow_hadron, nuclear_shower
from na64mu.simulation.leakage import electromagnetic_shower, step_behind
from na64mu.simulation.muon_in_calorimeter import (
    DECAY,
    HADRON,
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
from na64mu.simulation.setup import MOST_HITS, Scratch, Setup, new_scratch
from na64mu.simulation.showers import Calorimeter
from na64mu.simulation.stream import Stream
from na64mu.simulation.transport import circle, drift, inverse_p_beta, scatter
from na64mu.simulation.truth import F_INDEX, F_P_IN, F_P_OUT, F_PROCESS, F_PX, F_TRANSFER, F_TRIGGER, F_VERTEX, F_X_S4, FACTS, Truth
from na64mu.typing import FloatArray, IntArray

__all__ = ("CALIBRATION", "PHYSICS", "simulate_events")

#: Trigger bits.
CALIBRATION, PHYSICS = 1, 2

S0, S1, V1, S4, S_MU = range(5)

AIM_MARGIN = 6.0  # mm

HITS_PER_EVENT = 64  # space for hits at the start; it grows


@inner_kernel
def _in_hole(c: Calorimeter, state: FloatArray) -> bool:
    return abs(state[0]) < c.x_hole and abs(state[1]) < c.y_hole


@inlined_kernel
def _cross(setup: Setup, i: int, length: float, whole: float, state: FloatArray, inverse: float, track: Stream) -> bool:
    """A length of a DRIFT or FIELD of which `whole` is the rest; False if the particle is lost in a magnet."""
    line = setup.line
    if line.kind[i] == DRIFT:
        drift(state, length)
    elif not in_aperture(setup, i, state) or not circle(state, length, line.field[i, 0], line.field[i, 1], setup.spot.charge):
        return False
    scatter(state, length, 1.0 if length == whole else length / whole, line.core[i], line.tail[i], AIR_Z, inverse, track)
    return True


@inner_kernel
def _decay(setup: Setup, scratch: Scratch, state: FloatArray, plan: FloatArray, track: Stream, rest: Stream) -> None:
    """A planned decay (plan: z, channel): the hadron becomes a muon; photons fly straight to the ECAL."""
    before, photons, c = state[4], scratch.photons, setup.ecal
    channel = int(plan[1])
    n = decay(channel, state, photons, track)
    facts = scratch.facts
    facts[F_PROCESS] = TRUTH_PION if channel == PION_TO_MUON else TRUTH_KAON
    facts[F_VERTEX], facts[F_TRANSFER] = plan[0], before - state[4]
    half_x, half_y = 0.5 * c.x_pitch * scratch.ecal.shape[1], 0.5 * c.y_pitch * scratch.ecal.shape[2]
    for k in range(n):
        photon = photons[k]
        drift(photon, c.z - plan[0])
        if abs(photon[0]) < half_x and abs(photon[1]) < half_y:
            electromagnetic_shower(setup, scratch, c, scratch.ecal, _first_step(setup, ECAL), photon, c.z, photon[4], True, rest)


@inner_kernel
def _follow_hadron(setup: Setup, scratch: Scratch, step: int, state: FloatArray, rest: Stream) -> None:
    """A beam hadron from the ECAL's face on: it interacts there after one interaction length on average, or flies on."""
    c, facts = setup.ecal, scratch.facts
    depth = rest.standard_exponential() * c.interaction_length
    length = c.ends[-1] - c.z
    drift(state, min(depth, length))
    facts[F_PROCESS] = TRUTH_HADRON
    if depth < length:
        facts[F_VERTEX], facts[F_TRANSFER] = c.z + depth, state[4]
        nuclear_shower(setup, scratch, step, state, c.z + depth, state[4], True, rest)
    else:
        facts[F_P_OUT] = state[4]
        follow_hadron(setup, scratch, step_behind(setup, c, step), state, c.ends[-1], setup.spot.charge, rest)


@inlined_kernel
def _at_plane(setup: Setup, scratch: Scratch, i: int, state: FloatArray, mode: int, inverse: float, track: Stream) -> bool:
    """A PLANE; False if the muon has passed S0 or S1 and nothing has touched it: there is no trigger any more."""
    line, counter = setup.line, setup.line.number[i] - setup.surfaces.first_counter
    record(setup, scratch, line.number[i], state[0], state[1], state[2], state[3], math.inf, track)
    if counter == S4:
        scratch.facts[F_X_S4] = state[0]
    elif mode != PILE_UP and counter in (S0, S1) and scratch.counters[counter] == 0.0:
        return False
    scatter(state, 0.0, 1.0, line.core[i], line.tail[i], COMPOSITE_Z, inverse, track)
    delta_rays(setup, scratch, i, state, track)
    return True


@inner_kernel
def _walk(
    setup: Setup,
    scratch: Scratch,
    first: int,
    last: int,
    state: FloatArray,
    mode: int,
    plan: FloatArray,
    whole: bool,
    track: Stream,
    rest: Stream,
) -> bool:
    """Steps first to last - 1 of the line, with what happens in the calorimeters if `whole`; False if the muon is lost."""
    line = setup.line
    planned = plan[0] if mode in (ZPRIME, HARD_LOSS, DECAY) else math.inf
    inverse = inverse_p_beta(state[4])
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
                inverse = inverse_p_beta(state[4])
            if not _cross(setup, i, left, length, state, inverse, track):
                return False
            if kind == DRIFT:
                delta_rays(setup, scratch, i, state, track)
            elif line.z_in[i] > setup.ecal.z:
                scratch.facts[F_P_OUT] = state[4]
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
            inverse = inverse_p_beta(state[4])
    return True


@inner_kernel
def _clear(scratch: Scratch) -> None:
    scratch.n[:] = 0
    scratch.counters[:] = 0.0
    scratch.veto[:] = 0.0
    scratch.ecal[:] = 0.0
    scratch.vhcal[:] = 0.0
    scratch.hcal[:] = 0.0
    scratch.facts[:] = 0.0
    scratch.facts[F_VERTEX:F_INDEX] = math.nan
    scratch.facts[F_X_S4] = math.nan


@inner_kernel
def _aims_at(setup: Setup, state: FloatArray, margin: float) -> bool:
    """Whether a state at z = 0 points at S0 and S1, within scattering (0.6 mm rms from all planes upstream)."""
    for counter in (S0, S1):
        z = setup.surfaces.z[setup.surfaces.first_counter + counter]
        distance = math.hypot(state[0] + state[2] * z, state[1] + state[3] * z)
        if distance > setup.counters.size[counter, 0] + margin:
            return False
    return True


@inner_kernel
def _start(setup: Setup, scratch: Scratch, state: FloatArray, mode: int, track: Stream) -> bool:
    """Draw the beam particle and write its truth; False if it cannot meet S0 and S1 (with DECAY: would not, undecayed)."""
    sample_beam(setup.spot, state, track)
    aims = _aims_at(setup, state, 0.0 if mode == DECAY else AIM_MARGIN)
    if not aims and mode not in (DECAY, PILE_UP):
        return False
    _clear(scratch)
    carry_back(setup.line, state, setup.spot.charge)
    norm = 1.0 / math.sqrt(1.0 + state[2] ** 2 + state[3] ** 2)
    facts = scratch.facts
    facts[F_P_IN] = state[4]
    facts[F_PX], facts[F_PX + 1], facts[F_PX + 2] = state[4] * state[2] * norm, state[4] * state[3] * norm, state[4] * norm
    facts[F_PX + 3], facts[F_PX + 4], facts[F_PX + 5] = state[0], state[1], setup.line.z_in[0]
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
def _first_step(setup: Setup, kind: int) -> int:
    for i in range(len(setup.line.kind)):
        if setup.line.kind[i] == kind:
            return i
    return len(setup.line.kind)


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
    setup: Setup, scratch: Scratch, aside: Scratch, first: int, last: int, state: FloatArray, mode: int, plan: FloatArray, track: Stream
) -> bool:
    """Walk the muon from the ECAL to the HCAL without showers; whether S4 has been touched, or may be by a shower.

    It happens in `aside`; event, state and stream stay as they are.
    """
    aside.n[:] = 0
    aside.counters[:] = 0.0
    copy = aside.photons[0]
    _copy(state, copy)
    a, b, c, d = track.state[0], track.state[1], track.state[2], track.state[3]
    _walk(setup, aside, first, last, copy, mode, plan, False, track, track)
    track.state[0], track.state[1], track.state[2], track.state[3] = a, b, c, d
    return scratch.counters[S4] + aside.counters[S4] > 0.0 or aside.n[1] > 0


@inner_kernel
def _keep(
    scratch: Scratch,
    out: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    measured: FloatArray,
    hits: FloatArray,
    offsets: IntArray,
    n: int,
) -> None:
    """Write an event as number n."""
    facts, counters, veto, ecal, vhcal, hcal = out
    used = offsets[n]
    for k in range(scratch.n[0]):
        _copy(scratch.hits[k], hits[used + k])
    offsets[n + 1] = used + scratch.n[0]
    _copy(scratch.facts, facts[n])
    _copy(measured, counters[n])
    _copy(scratch.veto, veto[n])
    _copy_cells(scratch.ecal, ecal[n])
    _copy_cells(scratch.vhcal, vhcal[n])
    _copy_cells(scratch.hcal, hcal[n])


@kernel
def _simulate(
    setup_values: Setup,
    scratch_values: Scratch,
    aside_values: Scratch,
    out: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    hits: FloatArray,
    offsets: IntArray,
    tallies: IntArray,
    first: int,
    mode: int,
    plans: FloatArray,
    prescale: int,
    key: int,
    track: Stream,
    rest: Stream,
) -> int:
    """See simulate_events; from event `first` to where `hits` is full, which is returned.

    tallies: particles on target, calibration triggers, written events; offsets: hits of the written events.
    """
    setup, scratch, aside = by_reference(setup_values), by_reference(scratch_values), by_reference(aside_values)
    ecal, hcal, end = _first_step(setup, ECAL), _first_step(setup, HCAL), len(setup.line.kind)
    state, measured = aside.photons[1], scratch.measured
    for e in range(first, len(plans)):
        n = tallies[2]
        if offsets[n] + MOST_HITS > len(hits):
            return e
        plan = plans[e]
        track.restart(key, np.uint64(2 * e))
        aims = _start(setup, scratch, state, mode, track)
        if not aims and mode not in (DECAY, PILE_UP):
            continue
        rest.restart(key, np.uint64(2 * e + 1))
        alive = _walk(setup, scratch, 0, ecal, state, mode, plan, True, track, rest)
        if mode == DECAY and aims:
            tallies[0] += 1
        _measure(setup, scratch, measured, S0, V1, rest)
        calibration = alive and _fires(setup, measured, S0) and _fires(setup, measured, S1) and not _fires(setup, measured, V1)
        if not calibration and mode != PILE_UP:
            continue
        tallies[1] += 1
        if mode != DECAY:
            tallies[0] += 1
        keep = mode == PILE_UP or (prescale > 0 and tallies[1] % prescale == 0)
        if mode == HADRON:
            _follow_hadron(setup, scratch, ecal, state, rest)
            alive = False
        elif alive:
            if not keep and not _may_fire_s4(setup, scratch, aside, ecal, hcal, state, mode, plan, track):
                continue
            alive = _walk(setup, scratch, ecal, hcal, state, mode, plan, True, track, rest)
        _measure(setup, scratch, measured, S4, S4, rest)
        if not keep and not _fires(setup, measured, S4):
            continue
        if alive:
            scratch.n[2] = not _fires(setup, measured, S4)
            _walk(setup, scratch, hcal, end, state, mode, plan, True, track, rest)
        _measure(setup, scratch, measured, S_MU, S_MU, rest)
        physics = calibration and _fires(setup, measured, S4) and _fires(setup, measured, S_MU)
        if not keep and not physics:
            continue
        scratch.facts[F_TRIGGER] = CALIBRATION + (PHYSICS if physics else 0)
        scratch.facts[F_INDEX] = e
        _keep(scratch, out, measured, hits, offsets, n)
        tallies[2] += 1
    return len(plans)


def simulate_events(
    setup: Setup, detector: Detector, n_events: int, mode: int, plans: FloatArray, prescale: int, rng: np.random.Generator
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
    plans : FloatArray
        What is made to happen, shape (n_events, 4): z [mm] and, for a Z', x, psi [rad] and mass [GeV], for a hard loss the
        process and its energy [GeV], for a decay its channel.
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
    scratch, aside = new_scratch(detector, len(FACTS)), new_scratch(detector, len(FACTS))
    kept = (scratch.facts, scratch.counters, scratch.veto, scratch.ecal, scratch.vhcal, scratch.hcal)
    out = tuple(np.empty((n_events, *array.shape)) for array in kept)
    key = np.uint64(rng.integers(2**64, dtype=np.uint64))
    track, rest = Stream(0), Stream(0)
    offsets, tallies = np.zeros(n_events + 1, dtype=np.int64), np.zeros(3, dtype=np.int64)
    hits, done = np.empty((HITS_PER_EVENT * n_events + MOST_HITS, 5)), 0
    while done < n_events:
        done = _simulate(setup, scratch, aside, out, hits, offsets, tallies, done, mode, plans, prescale, key, track, rest)
        if done < n_events:
            hits = np.concatenate([hits, np.empty((len(hits) + MOST_HITS, 5))])
    n = int(tallies[2])
    facts, counters, veto, ecal, vhcal, hcal = (table[:n] for table in out)
    return int(tallies[0]), Truth(facts, hits[: offsets[n]].copy(), offsets[: n + 1], counters, veto, ecal, vhcal, hcal)
