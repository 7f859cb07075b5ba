"""One beam particle after the other through the set-up: transport, losses, secondaries, counters, trigger.

The kernel walks each muon along the line and keeps hits and deposits of the events that are written.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from na64mu.detector import Detector
from na64mu.simulation.beam import carry_back, sample_beam
from na64mu.simulation.hadrons import nuclear_shower
from na64mu.simulation.leakage import electromagnetic_shower, leak_electrons
from na64mu.simulation.line import DRIFT, ECAL, FIELD, HCAL, PLANE, VHCAL
from na64mu.simulation.losses import fluctuated, rate, sample_loss, sample_process
from na64mu.simulation.recoil import deflect, recoil_angle
from na64mu.simulation.secondaries import delta_rays, record
from na64mu.simulation.setup import Scratch, Setup, new_scratch
from na64mu.simulation.showers import Calorimeter, deposit_point
from na64mu.simulation.spectra import BREMSSTRAHLUNG, NUCLEAR
from na64mu.simulation.transport import MUON_MASS, circle, drift, scatter
from na64mu.simulation.truth import FACTS, Truth
from na64mu.typing import FloatArray, IntArray

# Kernels called from other kernels only need no wrappers: unpacking a Setup costs more to compile than they do.
__all__ = ("BEAM", "CALIBRATION", "HARD_LOSS", "PHYSICS", "ZPRIME", "simulate_events")

#: Trigger bits.
CALIBRATION, PHYSICS = 1, 2

#: What is made to happen in the ECAL: nothing, a Z', a loss above a threshold.
BEAM, ZPRIME, HARD_LOSS = range(3)

#: mc_process of delta ray, bremsstrahlung, pair, muon-nuclear (raw tree).
TRUTH_PROCESS = np.array([4.0, 1.0, 2.0, 3.0])
TRUTH_ZPRIME = 20.0
TRUTH_ABOVE = 5.0  # smallest transfer that names a process [GeV]

SLOWEST = 0.3  # a muon below this momentum is stopped [GeV/c]

S0, S1, V1, S4, S_MU = range(5)

F_TRIGGER, F_PROCESS, F_P_IN, F_P_OUT, F_PX, F_VERTEX, F_MASS, F_XFRAC, F_PSI, F_INDEX, F_X_S4, F_TRANSFER = (
    FACTS.index(name)
    for name in ("trigger", "process", "p_in", "p_out", "px", "vertex_z", "mass", "xfrac", "psi", "index", "x_s4", "transfer")
)
AIM_MARGIN = 6.0  # mm

AIR_Z, COMPOSITE_Z = 7.3, 7.0  # nuclear charges for the scattering tails

#: Electrons of 1 to 10 MeV beside a muon that leaves a dense stack: delta rays in equilibrium, K/2 <Z/A> ln(10) over a
#: range of T / (1.5 MeV cm2 / g), with <Z/A> = 0.44.
EQUILIBRIUM = 0.5 * 0.307 * 0.44 * math.log(10.0) / 1.5


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _lose(
    setup: Setup,
    scratch: Scratch,
    c: Calorimeter,
    cells: FloatArray,
    step: int,
    state: FloatArray,
    z: float,
    process: int,
    transfer: float,
    rng: np.random.Generator,
) -> None:
    """A hard loss: shower in the calorimeter, electrons behind it, recoil of the muon, truth."""
    energy = math.sqrt(state[4] ** 2 + MUON_MASS**2)
    if process == NUCLEAR:
        nuclear_shower(setup, scratch, c, cells, step, state, z, transfer, rng)
    else:
        electromagnetic_shower(setup, scratch, c, cells, step, state, z, transfer, process == BREMSSTRAHLUNG, rng)
    deflect(state, recoil_angle(process, energy, transfer, rng), rng)
    left = energy - transfer
    state[4] = math.sqrt(max(left * left - MUON_MASS**2, 1e-6))
    facts = scratch.facts
    named = transfer > TRUTH_ABOVE and setup.line.kind[step] != HCAL and facts[F_PROCESS] != TRUTH_ZPRIME
    if named and transfer > facts[F_TRANSFER]:
        facts[F_PROCESS], facts[F_VERTEX], facts[F_TRANSFER] = TRUTH_PROCESS[process], z, transfer


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _force(
    setup: Setup,
    scratch: Scratch,
    c: Calorimeter,
    cells: FloatArray,
    step: int,
    state: FloatArray,
    z: float,
    mode: int,
    plan: FloatArray,
    rng: np.random.Generator,
) -> None:
    """What was planned for this event: a Z' (plan: depth, x, psi, mass) or a loss (depth, process, energy)."""
    energy = math.sqrt(state[4] ** 2 + MUON_MASS**2)
    if mode == ZPRIME:
        deflect(state, plan[2], rng)
        left = (1.0 - plan[1]) * energy
        state[4] = math.sqrt(max(left * left - MUON_MASS**2, 1e-6))
        scratch.facts[F_PROCESS], scratch.facts[F_VERTEX] = TRUTH_ZPRIME, z
        scratch.facts[F_XFRAC], scratch.facts[F_PSI], scratch.facts[F_MASS] = plan[1], plan[2], plan[3]
    else:
        transfer = min(plan[2], 0.999 * (energy - MUON_MASS))
        _lose(setup, scratch, c, cells, step, state, z, int(plan[1]), transfer, rng)


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _cross_stack(
    setup: Setup,
    scratch: Scratch,
    c: Calorimeter,
    cells: FloatArray,
    step: int,
    state: FloatArray,
    planned: float,
    mode: int,
    plan: FloatArray,
    rng: np.random.Generator,
) -> bool:
    """Walk the muon through a calorimeter, from one hard loss to the next; False if it stops."""
    z, z_out = setup.line.z_in[step], setup.line.z_out[step]
    total = (z_out - z) / c.x0
    section = setup.line.number[step]
    while True:
        while section < len(c.ends) - 1 and z >= c.ends[section]:
            section += 1
        energy = math.sqrt(state[4] ** 2 + MUON_MASS**2)
        per_length, continuous, straggling, third = rate(c.losses, energy)
        length = rng.standard_exponential() / per_length
        stop = min(z_out, c.ends[section])
        at_plan = planned < min(z + length, stop)
        at_loss = z + length < stop and not at_plan
        length = (planned if at_plan else (z + length if at_loss else stop)) - z
        before_x, before_y = state[0], state[1]
        drift(state, length)
        scatter(state, length, length / c.x0, total, c.z_nucleus, rng)
        mean = continuous * length
        visible = c.mip_scale * mean
        visible = fluctuated(visible, c.mip_variance * visible, c.mip_third * visible, rng)
        deposit_point(c, cells, section, 0.5 * (before_x + state[0]), 0.5 * (before_y + state[1]), visible)
        energy -= fluctuated(mean, straggling * length, third * length, rng)
        if energy < SLOWEST:
            return False
        state[4] = math.sqrt(energy * energy - MUON_MASS**2)
        z += length
        if at_plan:
            planned = math.inf
            _force(setup, scratch, c, cells, step, state, z, mode, plan, rng)
        elif at_loss:
            process = sample_process(c.losses, energy, rng)
            transfer = sample_loss(c.losses, process, energy, 1.0, rng)
            _lose(setup, scratch, c, cells, step, state, z, process, transfer, rng)
        elif stop >= z_out:
            break
        if state[4] < SLOWEST:
            return False
    if z_out >= c.ends[-1]:  # not between preshower and main section, nor between modules
        leak_electrons(setup, scratch, c, step + 1, state[0], state[1], EQUILIBRIUM, 0.01, rng)
    return True


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _in_hole(c: Calorimeter, state: FloatArray) -> bool:
    return abs(state[0]) < c.x_hole and abs(state[1]) < c.y_hole


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
    planned = plan[0] if mode != BEAM else math.inf
    for i in range(first, last):
        kind = line.kind[i]
        length = line.z_out[i] - line.z_in[i]
        if kind == PLANE:
            record(setup, scratch, line.number[i], state[0], state[1], state[2], state[3], math.inf, rng)
            if line.number[i] == s.first_counter + S4:
                scratch.facts[F_X_S4] = state[0]
            scatter(state, 0.0, line.x_over_x0[i], line.x_over_x0[i], COMPOSITE_Z, rng)
            delta_rays(setup, scratch, i, state, rng)
        elif kind == DRIFT:
            drift(state, length)
            scatter(state, length, line.x_over_x0[i], line.x_over_x0[i], AIR_Z, rng)
            delta_rays(setup, scratch, i, state, rng)
        elif kind == FIELD:
            inside = abs(state[0] - line.aperture_centre[i, 0]) < line.aperture[i, 0]
            inside &= abs(state[1] - line.aperture_centre[i, 1]) < line.aperture[i, 1]
            if not inside or not circle(state, length, line.field[i, 0], line.field[i, 1], setup.spot.charge):
                return False
            if line.z_in[i] > setup.ecal.z:
                scratch.facts[F_P_OUT] = state[4]
            scatter(state, length, line.x_over_x0[i], line.x_over_x0[i], AIR_Z, rng)
        elif kind == ECAL:
            if not _cross_stack(setup, scratch, setup.ecal, scratch.ecal, i, state, planned, mode, plan, rng):
                return False
        elif kind == VHCAL:
            if _in_hole(setup.vhcal, state):
                drift(state, length)
            elif not _cross_stack(setup, scratch, setup.vhcal, scratch.vhcal, i, state, math.inf, mode, plan, rng):
                return False
        elif not _cross_stack(setup, scratch, setup.hcal, scratch.hcal, i, state, math.inf, mode, plan, rng):
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
def _aims_at(setup: Setup, state: FloatArray) -> bool:
    """Whether a state at z = 0 points at S0 and S1, within scattering (0.6 mm rms from all planes upstream)."""
    for counter in (S0, S1):
        z = setup.surfaces.z[setup.surfaces.first_counter + counter]
        distance = math.hypot(state[0] + state[2] * z, state[1] + state[3] * z)
        if distance > setup.counters.size[counter, 0] + AIM_MARGIN:
            return False
    return True


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _start(setup: Setup, scratch: Scratch, state: FloatArray, rng: np.random.Generator) -> bool:
    """Draw the beam particle and write its truth; False if it cannot meet S0 and S1."""
    sample_beam(setup.spot, state, rng)
    if not _aims_at(setup, state):
        return False
    carry_back(setup.line, state, setup.spot.charge)
    norm = 1.0 / math.sqrt(1.0 + state[2] ** 2 + state[3] ** 2)
    facts = scratch.facts
    facts[F_P_IN] = state[4]
    facts[F_PX], facts[F_PX + 1], facts[F_PX + 2] = state[4] * state[2] * norm, state[4] * state[3] * norm, state[4] * norm
    facts[F_PX + 3], facts[F_PX + 4], facts[F_PX + 5] = state[0], state[1], setup.line.z_in[0]
    return True


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
        if not _start(setup, scratch, state, rng):
            continue
        alive = _walk(setup, scratch, stages[0], stages[1], state, mode, plan, rng)
        _measure(setup, scratch, measured, rng)
        if not (alive and _fires(setup, measured, S0) and _fires(setup, measured, S1)) or _fires(setup, measured, V1):
            continue
        tallies[0] += 1
        keep = prescale > 0 and tallies[0] % prescale == 0
        early_s0, early_s1, early_v1 = measured[S0], measured[S1], measured[V1]
        alive = _walk(setup, scratch, stages[1], stages[2], state, mode, plan, rng)
        _measure(setup, scratch, measured, rng)
        if not keep and not _fires(setup, measured, S4):
            continue
        s4 = measured[S4]
        if alive:
            _walk(setup, scratch, stages[2], stages[3], state, mode, plan, rng)
        _measure(setup, scratch, measured, rng)
        measured[S0], measured[S1], measured[V1], measured[S4] = early_s0, early_s1, early_v1, s4
        physics = _fires(setup, measured, S4) and _fires(setup, measured, S_MU)
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
        BEAM, ZPRIME or HARD_LOSS.
    plans : FloatArray
        What is made to happen in the ECAL, shape (n_events, 4): depth [mm] and, for a Z', x, psi [rad] and mass [GeV], for
        a hard loss the process and its energy [GeV].
    prescale : int
        Every prescale-th muon that meets S0*S1*!V1 is written, and all that meet the physics trigger; 0: only these.
    rng : Generator
        Random numbers.

    Returns
    -------
    n_mot : int
        Muons that met S0*S1*!V1.
    truth : Truth
        Written events.
    """
    scratch = new_scratch(detector, len(FACTS))
    kept = (scratch.facts, scratch.counters, scratch.veto, scratch.ecal, scratch.vhcal, scratch.hcal)
    out = tuple(np.empty((n_events, array.size)) for array in kept)
    n_mot, n, hits, offsets = _simulate(setup, scratch, out, n_events, mode, plans, prescale, rng)
    facts, counters, veto, ecal, vhcal, hcal = (table[:n].reshape(n, *array.shape) for table, array in zip(out, kept, strict=True))
    return int(n_mot), Truth(facts, hits[: offsets[n]], offsets[: n + 1], counters, veto, ecal, vhcal, hcal)
