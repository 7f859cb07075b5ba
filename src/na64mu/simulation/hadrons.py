"""Hadrons from muon-nuclear interactions and of the beam: a cascade of interactions along the line, each hadron tracked to its end point.

* Until it interacts, after one interaction length of pions on average, a charged hadron loses energy by ionisation, is bent in fields and leaves
  hits; it may decay to a muon, which ranges out or leaves the HCAL at the rear: that is the punch-through.
* An interaction breaks the energy up, one hadron at a time, each taking a fraction z of what is left with density n (1 - z)^(n - 1), until 0.5 GeV
  are left for the nucleus. One in ten interactions of a hadron is diffractive: the hadron keeps 85 to 100 % of its energy.
* Neutral pions shower at once; hadrons below 0.5 GeV stop where they are.
* In the ECAL, which is calibrated with electrons, what is not electromagnetic is seen with h/e < 1. In VHCAL and HCAL, which are calibrated with
  hadrons, all of it is seen alike and has the resolution for hadrons, `resolution` of the description: the published one or that of Geant4.

n, shares, transverse momenta and diffraction are those of the first interactions of pions of 20 and 100 GeV in iron (400 each) in Geant4 11.4
patch-01, FTFP_BERT: D(z) at 0.075, 0.15, 0.25, 0.4, 0.6 is 44, 16, 4.5, 1.65, 0.42, the formula gives 46, 17, 6.6, 1.9, 0.30. GeV, mm.
"""

from __future__ import annotations

from na64mu.compiled.kernel import inner_kernel
from na64mu.physics.constants import MUON_MASS
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.simulation.flight import in_aperture
from na64mu.simulation.geometry import ECAL, FIELD, HCAL, PLANE, VHCAL
from na64mu.simulation.hadron_interactions import SOFTEST_HADRON, break_up, section_at, see_slow, stack_of
from na64mu.simulation.losses import losses_of
from na64mu.simulation.particles import copy_state, set_state
from na64mu.simulation.recording import record
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.showers import deposit_point
from na64mu.simulation.stream import Stream
from na64mu.simulation.transport import circle, drift
from na64mu.typing import FloatArray, Record

__all__ = ("follow_hadron", "nuclear_shower")

KAONS = 0.06  # of the charged hadrons

#: Decay length over momentum [mm / (GeV/c)], largest and smallest share of the energy that the muon takes; of kaons 63.6 % decay to a muon and
#: a neutrino (PDG).
PION_LENGTH, PION_LEAST = 55_900.0, 0.573
KAON_LENGTH, KAON_LEAST, KAON_TO_MUON = 7_520.0, 0.0458, 0.636

SLOWEST_MUON = 0.2  # a muon below this kinetic energy stops [GeV]


@inner_kernel
def _beside(c: Calorimeter, cells: FloatArray, state: Record) -> bool:
    """Whether a hadron flies through the hole or past the stack."""
    if abs(state.x) < c.x_hole and abs(state.y) < c.y_hole:
        return True
    half_x, half_y = 0.5 * c.x_pitch * cells.shape[1], 0.5 * c.y_pitch * cells.shape[2]
    x, y = state.x - c.x_low - half_x, state.y - c.y_low - half_y
    return abs(x) > half_x or abs(y) > half_y


@inner_kernel
def _ionise(c: Calorimeter, cells: FloatArray, state: Record, z: float, length: float) -> None:
    """Ionisation over a length that ends at z + length: at its middle in the cells, and out of the energy."""
    mean = min(losses_of(c.losses, max(state.p, 3.0)).mean * length, state.p)
    at = 0.5 * length
    deposit_point(c, cells, section_at(c, z + at), state.x - at * state.tx, state.y - at * state.ty, c.mip_scale * mean)
    state.p -= mean


@inner_kernel
def _at_plane_or_field(setup: Setup, scratch: Scratch, i: int, state: Record, charge: float, rng: Stream) -> bool:
    """A PLANE or FIELD; False if the particle is lost in a magnet."""
    line = setup.line
    if line.kind[i] == PLANE:
        if charge != 0.0:
            record(setup, scratch, line.number[i], state.x, state.y, state.tx, state.ty, 1e3 * state.p, rng)
        return True
    return in_aperture(setup, i, state) and circle(state, line.z_out[i] - line.z_in[i], line.field_x[i], line.field_y[i], charge)


@inner_kernel
def _muon(setup: Setup, scratch: Scratch, step: int, z: float, state: Record, charge: float, rng: Stream) -> None:
    """A muon from a decay: it loses its mean energy, leaves hits and signals, and ranges out or leaves the set-up."""
    line = setup.line
    for i in range(step, len(line.kind)):
        kind, start = line.kind[i], max(z, line.z_in[i])
        length = line.z_out[i] - start
        if kind in (PLANE, FIELD):
            if not _at_plane_or_field(setup, scratch, i, state, charge, rng):
                return
            continue
        drift(state, length)
        if kind in (ECAL, VHCAL, HCAL):
            c, cells = stack_of(setup, scratch, i)
            if not _beside(c, cells, state):
                _ionise(c, cells, state, start, length)
            if state.p < SLOWEST_MUON:
                return


@inner_kernel
def _decays(path: float, momentum: float, state: Record, rng: Stream) -> bool:
    """Whether a charged hadron decays to a muon within a path: then state.p is the muon's energy."""
    kaon = rng.random() < KAONS
    length = momentum * (KAON_LENGTH if kaon else PION_LENGTH)
    if rng.random() > path / length * (KAON_TO_MUON if kaon else 1.0):
        return False
    least = KAON_LEAST if kaon else PION_LEAST
    state.p = max(SLOWEST_MUON, (least + (1.0 - least) * rng.random()) * momentum - MUON_MASS)
    return True


@inner_kernel
def _fly(setup: Setup, scratch: Scratch, n: int, common: float, rng: Stream) -> int:
    """Carry hadron number n to where it ends; how many there are then."""
    line, state = setup.line, scratch.hadron
    own = scratch.hadrons[n]
    set_state(state, own.x, own.y, own.tx, own.ty, own.energy)
    charge, z, step = own.charge, own.z, own.step
    if step < len(line.kind) and line.z_in[step] > z:
        drift(state, line.z_in[step] - z)
    for i in range(step, len(line.kind)):
        kind, start = line.kind[i], max(z, line.z_in[i])
        length = line.z_out[i] - start
        if kind in (PLANE, FIELD):
            if not _at_plane_or_field(setup, scratch, i, state, charge, rng):
                return n
            continue
        if kind not in (ECAL, VHCAL, HCAL):
            drift(state, length)
            continue
        c, cells = stack_of(setup, scratch, i)
        if _beside(c, cells, state):
            drift(state, length)
            continue
        path = min(rng.standard_exponential() * c.interaction_length, length)
        drift(state, path)
        if charge != 0.0:
            momentum = state.p
            _ionise(c, cells, state, start, path)
            if _decays(path, momentum, state, rng):
                _muon(setup, scratch, i, start + path, state, charge, rng)
                return n
        if state.p < SOFTEST_HADRON:
            see_slow(c, cells, start + path, state, state.p, common, rng)
            return n
        if path < length:
            parent = scratch.parent
            copy_state(state, parent)
            return break_up(setup, scratch, n, i, parent, start + path, state.p, True, common, rng)
    return n


@inner_kernel
def _follow(setup: Setup, scratch: Scratch, n: int, common: float, rng: Stream) -> None:
    """Carry the hadrons of the stack to where they end, the last one first."""
    while n > 0:
        n = _fly(setup, scratch, n - 1, common, rng)


@inner_kernel
def follow_hadron(setup: Setup, scratch: Scratch, step: int, state: Record, z: float, charge: float, rng: Stream) -> None:
    """Track a hadron and its secondaries to their end points.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    step : int
        First step that it sees.
    state : Record
        (x, y, tx, ty, energy).
    z : float
        Position along z [mm].
    charge : float
        Charge in units of e.
    rng : Stream
        Random numbers.
    """
    first = scratch.hadrons[0]
    first.x, first.y, first.z, first.tx, first.ty, first.energy = state.x, state.y, z, state.tx, state.ty, state.p
    first.charge, first.step = charge, step
    _follow(setup, scratch, 1, rng.standard_normal(), rng)


@inner_kernel
def nuclear_shower(setup: Setup, scratch: Scratch, step: int, state: Record, z: float, transfer: float, hadron: bool, rng: Stream) -> None:
    """Break up the energy of an interaction with a nucleus into hadrons and follow each one.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    step : int
        Step of the calorimeter where it happens.
    state : Record
        The muon or hadron (x, y, tx, ty, p).
    z : float
        Position along z [mm].
    transfer : float
        Energy given to the nucleus [GeV].
    hadron : bool
        A hadron interacts: it may do so diffractively.
    rng : Stream
        Random numbers.
    """
    parent = scratch.parent
    copy_state(state, parent)
    common = rng.standard_normal()
    _follow(setup, scratch, break_up(setup, scratch, 0, step, parent, z, transfer, hadron, common, rng), common, rng)
