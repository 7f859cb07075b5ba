"""One beam particle after the other through the set-up: transport, losses, secondaries, counters, trigger.

The kernel walks each muon along the line and keeps hits and deposits of the events that are written.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from na64mu.detector import Detector
from na64mu.simulation.beam import carry_back, sample_beam
from na64mu.simulation.decays import PION_TO_MUON, decay
from na64mu.simulation.hadrons import fly_hadron, nuclear_shower
from na64mu.simulation.leakage import electromagnetic_shower, step_behind
from na64mu.simulation.line import DRIFT, ECAL, FIELD, HCAL, PLANE, VHCAL
from na64mu.simulation.secondaries import delta_rays, record
from na64mu.simulation.setup import Scratch, Setup, new_scratch
from na64mu.simulation.showers import Calorimeter
from na64mu.simulation.stack import DECAY, HADRON, HARD_LOSS, PILE_UP, TRUTH_HADRON, TRUTH_KAON, TRUTH_PION, ZPRIME, cross_stack
from na64mu.simulation.transport import circle, drift, scatter
from na64mu.simulation.truth import F_INDEX, F_P_IN, F_P_OUT, F_PROCESS, F_PX, F_TRANSFER, F_TRIGGER, F_VERTEX, F_X_S4, FACTS, Truth
from na64mu.typing import FloatArray, IntArray

# Kernels called from other kernels only need no wrappers: unpacking a Setup costs more to compile than they do.
__all__ = ("CALIBRATION", "PHYSICS", "simulate_events")

#: Trigger bits.
CALIBRATION, PHYSICS = 1, 2

S0, S1, V1, S4, S_MU = range(5)

AIM_MARGIN = 6.0  # mm

AIR_Z, COMPOSITE_Z = 7.3, 7.0  # nuclear charges for the scattering tails


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _in_hole(c: Calorimeter, state: FloatArray) -> bool:
    return abs(state[0]) < c.x_hole and abs(state[1]) < c.y_hole


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _cross(setup: Setup, i: int, length: float, whole: float, state: FloatArray, rng: np.random.Generator) -> bool:
    """A length of a DRIFT or FIELD of which `whole` is the rest; False if the particle is lost in a magnet."""
    line = setup.line
    thickness = line.x_over_x0[i] * (length / whole if whole > 0.0 else 1.0)
    if line.kind[i] == DRIFT:
        drift(state, length)
        scatter(state, length, thickness, line.x_over_x0[i], AIR_Z, rng)
        return True
    inside = abs(state[0] - line.aperture_centre[i, 0]) < line.aperture[i, 0]
    inside &= abs(state[1] - line.aperture_centre[i, 1]) < line.aperture[i, 1]
    if not inside or not circle(state, length, line.field[i, 0], line.field[i, 1], setup.spot.charge):
        return False
    scatter(state, length, thickness, line.x_over_x0[i], AIR_Z, rng)
    return True


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _decay(setup: Setup, scratch: Scratch, state: FloatArray, plan: FloatArray, rng: np.random.Generator) -> None:
    """A planned decay (plan: z, channel): the hadron becomes a muon; photons fly straight to the ECAL."""
    before, photons, c = state[4], np.empty((2, 5)), setup.ecal
    channel = int(plan[1])
    n = decay(channel, state, photons, rng)
    facts = scratch.facts
    facts[F_PROCESS] = TRUTH_PION if channel == PION_TO_MUON else TRUTH_KAON
    facts[F_VERTEX], facts[F_TRANSFER] = plan[0], before - state[4]
    half = 0.5 * c.x_pitch * scratch.ecal.shape[1], 0.5 * c.y_pitch * scratch.ecal.shape[2]
    for k in range(n):
        drift(photons[k], c.z - plan[0])
        if abs(photons[k, 0]) < half[0] and abs(photons[k, 1]) < half[1]:
            electromagnetic_shower(setup, scratch, c, scratch.ecal, _first_step(setup, ECAL), photons[k], c.z, photons[k, 4], True, rng)


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _follow_hadron(setup: Setup, scratch: Scratch, step: int, state: FloatArray, rng: np.random.Generator) -> None:
    """A beam hadron from the ECAL's face on: it interacts there after one interaction length on average, or flies on."""
    c, facts = setup.ecal, scratch.facts
    depth = rng.standard_exponential() * c.interaction_length
    length = c.ends[-1] - c.z
    drift(state, min(depth, length))
    facts[F_PROCESS] = TRUTH_HADRON
    if depth < length:
        facts[F_VERTEX], facts[F_TRANSFER] = c.z + depth, state[4]
        nuclear_shower(setup, scratch, c, scratch.ecal, step, state, c.z + depth, state[4], rng)
    else:
        facts[F_P_OUT] = state[4]
        fly_hadron(setup, scratch, step_behind(setup, c, step), state, setup.spot.charge, rng)


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _walk(
    setup: Setup,
    scratch: Scratch,
    first: int,
    last: int,
    state: FloatArray,
    mode: int,
    plan: FloatArray,
    rng: np.random.Generator,
) -> bool:
    """Steps first to last - 1 of the line; False if the muon is lost."""
    line, s = setup.line, setup.surfaces
    planned = plan[0] if mode in (ZPRIME, HARD_LOSS, DECAY) else math.inf
    for i in range(first, last):
        kind = line.kind[i]
        length = line.z_out[i] - line.z_in[i]
        if kind == PLANE:
            record(setup, scratch, line.number[i], state[0], state[1], state[2], state[3], math.inf, rng)
            if line.number[i] == s.first_counter + S4:
                scratch.facts[F_X_S4] = state[0]
            scatter(state, 0.0, line.x_over_x0[i], line.x_over_x0[i], COMPOSITE_Z, rng)
            delta_rays(setup, scratch, i, state, rng)
        elif kind in (DRIFT, FIELD):
            left = length
            if mode == DECAY and line.z_in[i] <= planned < line.z_out[i]:
                left = line.z_out[i] - planned
                if not _cross(setup, i, length - left, length, state, rng):
                    return False
                _decay(setup, scratch, state, plan, rng)
            if not _cross(setup, i, left, length, state, rng):
                return False
            if kind == DRIFT:
                delta_rays(setup, scratch, i, state, rng)
            elif line.z_in[i] > setup.ecal.z:
                scratch.facts[F_P_OUT] = state[4]
        elif kind == ECAL:
            if not cross_stack(setup, scratch, setup.ecal, scratch.ecal, i, state, math.inf if mode == DECAY else planned, mode, plan, rng):
                return False
        elif kind == VHCAL:
            if _in_hole(setup.vhcal, state):
                drift(state, length)
            elif not cross_stack(setup, scratch, setup.vhcal, scratch.vhcal, i, state, math.inf, mode, plan, rng):
                return False
        elif not cross_stack(setup, scratch, setup.hcal, scratch.hcal, i, state, math.inf, mode, plan, rng):
            return False
    return True


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _clear(scratch: Scratch) -> None:
    scratch.n[0] = 0
    scratch.counters[:] = 0.0
    scratch.veto[:] = 0.0
    scratch.ecal[:] = 0.0
    scratch.vhcal[:] = 0.0
    scratch.hcal[:] = 0.0
    scratch.facts[:] = 0.0
    scratch.facts[F_VERTEX:F_INDEX] = math.nan
    scratch.facts[F_X_S4] = math.nan


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _aims_at(setup: Setup, state: FloatArray, margin: float) -> bool:
    """Whether a state at z = 0 points at S0 and S1, within scattering (0.6 mm rms from all planes upstream)."""
    for counter in (S0, S1):
        z = setup.surfaces.z[setup.surfaces.first_counter + counter]
        distance = math.hypot(state[0] + state[2] * z, state[1] + state[3] * z)
        if distance > setup.counters.size[counter, 0] + margin:
            return False
    return True


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _start(setup: Setup, scratch: Scratch, state: FloatArray, mode: int, rng: np.random.Generator) -> bool:
    """Draw the beam particle and write its truth; False if it cannot meet S0 and S1 (with DECAY: would not, undecayed)."""
    sample_beam(setup.spot, state, rng)
    aims = _aims_at(setup, state, 0.0 if mode == DECAY else AIM_MARGIN)
    if not aims and mode not in (DECAY, PILE_UP):
        return False
    carry_back(setup.line, state, setup.spot.charge)
    norm = 1.0 / math.sqrt(1.0 + state[2] ** 2 + state[3] ** 2)
    facts = scratch.facts
    facts[F_P_IN] = state[4]
    facts[F_PX], facts[F_PX + 1], facts[F_PX + 2] = state[4] * state[2] * norm, state[4] * state[3] * norm, state[4] * norm
    facts[F_PX + 3], facts[F_PX + 4], facts[F_PX + 5] = state[0], state[1], setup.line.z_in[0]
    return aims


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _fires(setup: Setup, measured: FloatArray, counter: int) -> bool:
    return measured[counter] > setup.counters.threshold[counter]


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _measure(setup: Setup, scratch: Scratch, measured: FloatArray, rng: np.random.Generator) -> None:
    """Energies of the counters with their resolution: the trigger and the raw tree see the same numbers."""
    for k in range(len(measured)):
        measured[k] = max(0.0, scratch.counters[k] * (1.0 + setup.counters.resolution[k] * rng.standard_normal()))


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _first_step(setup: Setup, kind: int) -> int:
    for i in range(len(setup.line.kind)):
        if setup.line.kind[i] == kind:
            return i
    return len(setup.line.kind)


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _store(table: FloatArray, row: int, values: FloatArray) -> None:
    for k in range(len(values)):
        table[row, k] = values[k]


@njit(cache=True, nogil=True)
def _simulate(
    setup: Setup,
    scratch: Scratch,
    out: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    n_events: int,
    mode: int,
    plans: FloatArray,
    prescale: int,
    rng: np.random.Generator,
) -> tuple[int, int, FloatArray, IntArray]:
    """See simulate_events; returns n_mot, the number written, hits and their offsets; `out` holds the other arrays of Truth."""
    stages = np.array([0, _first_step(setup, ECAL), _first_step(setup, HCAL), len(setup.line.kind)])
    facts, counters, veto, ecal, vhcal, hcal = out
    offsets = np.zeros(n_events + 1, dtype=np.int64)
    hits = np.empty((64 * n_events if prescale == 1 else 4 * n_events + 2000, 5))
    state, measured = np.empty(5), np.empty(len(scratch.counters))
    tallies = np.zeros(2, dtype=np.int64)
    n = 0
    for e in range(n_events):
        plan = plans[e]
        _clear(scratch)
        aims = _start(setup, scratch, state, mode, rng)
        if not aims and mode not in (DECAY, PILE_UP):
            continue
        alive = _walk(setup, scratch, stages[0], stages[1], state, mode, plan, rng)
        if mode == DECAY and aims:
            tallies[0] += 1
        _measure(setup, scratch, measured, rng)
        calibration = alive and _fires(setup, measured, S0) and _fires(setup, measured, S1) and not _fires(setup, measured, V1)
        if not calibration and mode != PILE_UP:
            continue
        tallies[1] += 1
        if mode != DECAY:
            tallies[0] += 1
        keep = mode == PILE_UP or (prescale > 0 and tallies[1] % prescale == 0)
        early_s0, early_s1, early_v1 = measured[S0], measured[S1], measured[V1]
        if mode == HADRON:
            _follow_hadron(setup, scratch, stages[1], state, rng)
            alive = False
        elif alive:
            alive = _walk(setup, scratch, stages[1], stages[2], state, mode, plan, rng)
        _measure(setup, scratch, measured, rng)
        if not keep and not _fires(setup, measured, S4):
            continue
        s4 = measured[S4]
        if alive:
            _walk(setup, scratch, stages[2], stages[3], state, mode, plan, rng)
        _measure(setup, scratch, measured, rng)
        measured[S0], measured[S1], measured[V1], measured[S4] = early_s0, early_s1, early_v1, s4
        physics = calibration and _fires(setup, measured, S4) and _fires(setup, measured, S_MU)
        if not keep and not physics:
            continue
        scratch.facts[F_TRIGGER] = CALIBRATION + (PHYSICS if physics else 0)
        scratch.facts[F_INDEX] = e
        used = offsets[n]
        if used + scratch.n[0] > len(hits):
            grown = np.empty((2 * len(hits) + scratch.n[0], 5))
            for k in range(used):
                _store(grown, k, hits[k])
            hits = grown
        for k in range(scratch.n[0]):
            _store(hits, used + k, scratch.hits[k])
        offsets[n + 1] = used + scratch.n[0]
        _store(facts, n, scratch.facts)
        _store(counters, n, measured)
        _store(veto, n, scratch.veto)
        _store(ecal, n, scratch.ecal.ravel())
        _store(vhcal, n, scratch.vhcal.ravel())
        _store(hcal, n, scratch.hcal.ravel())
        n += 1
    return tallies[0], n, hits, offsets


def simulate_events(
    setup: Setup, detector: Detector, n_events: int, mode: int, plans: FloatArray, prescale: int, rng: np.random.Generator
) -> tuple[int, Truth]:
    """Send beam muons through the set-up and keep the triggered ones.

    Parameters
    ----------
    setup : Setup
        From `build_setup`.
    detector : Detector
        The description, for the shapes.
    n_events : int
        Beam muons.
    mode : int
        BEAM, ZPRIME, HARD_LOSS, HADRON, DECAY or PILE_UP (see stack.py); PILE_UP keeps every particle.
    plans : FloatArray
        What is made to happen, shape (n_events, 4): z [mm] and, for a Z', x, psi [rad] and mass [GeV], for a hard loss the
        process and its energy [GeV], for a decay its channel.
    prescale : int
        Every prescale-th muon that meets S0*S1*!V1 is written, and all that meet the physics trigger; 0: only these.
    rng : Generator
        Random numbers.

    Returns
    -------
    n_mot : int
        Beam particles that met S0*S1*!V1; with DECAY those that would meet S0*S1 undecayed.
    truth : Truth
        Written events.
    """
    scratch = new_scratch(detector, len(FACTS))
    kept = (scratch.facts, scratch.counters, scratch.veto, scratch.ecal, scratch.vhcal, scratch.hcal)
    out = tuple(np.empty((n_events, array.size)) for array in kept)
    n_mot, n, hits, offsets = _simulate(setup, scratch, out, n_events, mode, plans, prescale, rng)
    facts, counters, veto, ecal, vhcal, hcal = (table[:n].reshape(n, *array.shape) for table, array in zip(out, kept, strict=True))
    return int(n_mot), Truth(facts, hits[: offsets[n]], offsets[: n + 1], counters, veto, ecal, vhcal, hcal)
