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

import math

from na64mu.compiled.kernel import inner_kernel
from na64mu.physics.constants import MUON_MASS
from na64mu.simulation.geometry import ECAL, FIELD, HCAL, PLANE, VHCAL
from na64mu.simulation.leakage import electromagnetic_shower
from na64mu.simulation.losses import rate
from na64mu.simulation.recording import record
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.showers import Calorimeter, deposit_point, smeared_response
from na64mu.simulation.stream import Stream
from na64mu.simulation.transport import circle, drift
from na64mu.typing import FloatArray

__all__ = ("SOFTEST_HADRON", "follow_hadron", "nuclear_shower")

SOFTEST_HADRON = 0.5  # below this kinetic energy a hadron stops where it is [GeV]

#: n of the break-up, whose mean z is 1 / (n + 1), of hadrons and of muons: the leading hadron of 25 muon-nuclear interactions of more than 5 GeV in
#: Geant4 has 0.47 +- 0.05 of the energy, the formula gives 0.48.
HARDNESS, MUON_HARDNESS = 4.5, 2.0
DIFFRACTIVE, KEPT = 0.10, 0.85
NEUTRAL_PIONS, CHARGED = 0.27, 0.64  # shares of neutral pions (with eta) and charged hadrons; the rest is neutral
KAONS = 0.06  # of the charged hadrons
MEAN_PT = 0.41  # of the exponential distribution of transverse momenta [GeV/c]

#: Decay length over momentum [mm / (GeV/c)], largest and smallest share of the energy that the muon takes; of kaons 63.6 % decay to a muon and
#: a neutrino (PDG).
PION_LENGTH, PION_LEAST = 55_900.0, 0.573
KAON_LENGTH, KAON_LEAST, KAON_TO_MUON = 7_520.0, 0.0458, 0.636

#: Depth of an electromagnetic shower in VHCAL and HCAL: gamma distribution of this shape and scale [radiation lengths]; the cells are 8 radiation
#: lengths wide and the module is 68 deep (mean of the profiles of 1 to 10 GeV, see profiles.py).
DEPTH_SHAPE, DEPTH_SCALE = 3.5, 2.0

SLOW_RANGE = 0.5  # mean distance from the nucleus at which slow hadrons leave their energy, in all directions [interaction lengths]

SLOWEST_MUON = 0.2  # a muon below this kinetic energy stops [GeV]


@inner_kernel
def _stack_of(setup: Setup, scratch: Scratch, step: int) -> tuple[Calorimeter, FloatArray]:
    """The calorimeter of a step, and its cells."""
    kind = setup.line.kind[step]
    if kind == ECAL:
        return setup.ecal, scratch.ecal
    if kind == VHCAL:
        return setup.vhcal, scratch.vhcal
    return setup.hcal, scratch.hcal


@inner_kernel
def _section(c: Calorimeter, z: float) -> int:
    section = 0
    while section < len(c.ends) - 1 and z >= c.ends[section]:
        section += 1
    return section


@inner_kernel
def _see(c: Calorimeter, cells: FloatArray, z: float, x: float, y: float, energy: float, common: float, rng: Stream) -> None:
    """Signal of energy at a point: the stochastic term for itself, the constant one common to the whole shower."""
    signal = smeared_response(energy * max(0.0, 1.0 + c.hadron_constant * common), c.hadron_stochastic, 0.0, rng)
    deposit_point(c, cells, _section(c, z), x, y, signal)


@inner_kernel
def _see_slow(c: Calorimeter, cells: FloatArray, z: float, state: FloatArray, energy: float, common: float, rng: Stream) -> None:
    """Signal of slow hadrons around a nucleus: they are seen with h/e."""
    r, cosine, phi = SLOW_RANGE * c.interaction_length * rng.standard_exponential(), 2.0 * rng.random() - 1.0, 2.0 * math.pi * rng.random()
    across, at = r * math.sqrt(1.0 - cosine * cosine), z + r * cosine
    if c.z < at < c.ends[-1]:
        _see(c, cells, at, state[0] + across * math.cos(phi), state[1] + across * math.sin(phi), energy * c.h_over_e, common, rng)


@inner_kernel
def _put(scratch: Scratch, n: int, state: FloatArray, z: float, step: int, energy: float, charge: float, rng: Stream) -> int:
    """A new hadron with a transverse momentum; how many there are."""
    if n >= len(scratch.hadrons):
        return n
    angle, phi = min(1.0, MEAN_PT * rng.standard_exponential() / energy), 2.0 * math.pi * rng.random()
    new = scratch.hadrons[n]
    new[0], new[1], new[4], new[5], new[6], new[7] = state[0], state[1], energy, charge, z, step
    new[2], new[3] = state[2] + angle * math.cos(phi), state[3] + angle * math.sin(phi)
    return n + 1


@inner_kernel
def _neutral_pion(
    setup: Setup, scratch: Scratch, c: Calorimeter, cells: FloatArray, step: int, state: FloatArray, z: float, energy: float, common: float,
    rng: Stream,
) -> None:  # fmt: skip
    """A neutral pion showers: in the HCAL with the resolution for hadrons, elsewhere as photons do."""
    photon = scratch.hadron
    angle, phi = min(1.0, MEAN_PT * rng.standard_exponential() / energy), 2.0 * math.pi * rng.random()
    photon[0], photon[1], photon[4] = state[0], state[1], energy
    photon[2], photon[3] = state[2] + angle * math.cos(phi), state[3] + angle * math.sin(phi)
    if setup.line.kind[step] != HCAL:
        electromagnetic_shower(setup, scratch, c, cells, step, photon, z, energy, True, rng)
        return
    deep = DEPTH_SCALE * c.x0 * rng.standard_gamma(DEPTH_SHAPE)
    if z + deep < c.ends[-1]:
        _see(c, cells, z + deep, photon[0] + deep * photon[2], photon[1] + deep * photon[3], energy, common, rng)


@inner_kernel
def _break_up(
    setup: Setup, scratch: Scratch, n: int, step: int, state: FloatArray, z: float, energy: float, hadron: bool, common: float, rng: Stream
) -> int:
    """An interaction: its hadrons go to the stack, neutral pions shower, the rest stays at the nucleus."""
    c, cells = _stack_of(setup, scratch, step)
    left, hardness = energy, HARDNESS if hadron else MUON_HARDNESS
    first = hadron and rng.random() < DIFFRACTIVE
    while left >= SOFTEST_HADRON:
        part = KEPT + (1.0 - KEPT) * rng.random() if first else 1.0 - rng.random() ** (1.0 / hardness)
        piece, kind = left * part, rng.random()
        if piece < SOFTEST_HADRON:  # slow: of what is left, it or the nucleus keeps this
            left -= piece
            _see_slow(c, cells, z, state, piece, common, rng)
            continue
        left -= piece
        if kind < NEUTRAL_PIONS and not first:
            _neutral_pion(setup, scratch, c, cells, step, state, z, piece, common, rng)
        else:
            charge = 0.0 if kind > NEUTRAL_PIONS + CHARGED and not first else (1.0 if rng.random() < 0.5 else -1.0)
            n = _put(scratch, n, state, z, step, piece, charge, rng)
        first = False
    if left > 0.0:
        _see_slow(c, cells, z, state, left, common, rng)
    return n


@inner_kernel
def _beside(c: Calorimeter, cells: FloatArray, state: FloatArray) -> bool:
    """Whether a hadron flies through the hole or past the stack."""
    if abs(state[0]) < c.x_hole and abs(state[1]) < c.y_hole:
        return True
    half_x, half_y = 0.5 * c.x_pitch * cells.shape[1], 0.5 * c.y_pitch * cells.shape[2]
    x, y = state[0] - c.x_low - half_x, state[1] - c.y_low - half_y
    return abs(x) > half_x or abs(y) > half_y


@inner_kernel
def _ionise(c: Calorimeter, cells: FloatArray, state: FloatArray, z: float, length: float) -> None:
    """Ionisation over a length that ends at z + length: at its middle in the cells, and out of the energy."""
    mean = min(rate(c.losses, max(state[4], 3.0))[1] * length, state[4])
    at = 0.5 * length
    deposit_point(c, cells, _section(c, z + at), state[0] - at * state[2], state[1] - at * state[3], c.mip_scale * mean)
    state[4] -= mean


@inner_kernel
def _at_plane_or_field(setup: Setup, scratch: Scratch, i: int, state: FloatArray, charge: float, rng: Stream) -> bool:
    """A PLANE or FIELD; False if the particle is lost in a magnet."""
    line = setup.line
    if line.kind[i] == PLANE:
        if charge != 0.0:
            record(setup, scratch, line.number[i], state[0], state[1], state[2], state[3], 1e3 * state[4], rng)
        return True
    x, y = state[0] - line.aperture_centre[i, 0], state[1] - line.aperture_centre[i, 1]
    if abs(x) > line.aperture[i, 0] or abs(y) > line.aperture[i, 1]:
        return False
    return circle(state, line.z_out[i] - line.z_in[i], line.field[i, 0], line.field[i, 1], charge)


@inner_kernel
def _muon(setup: Setup, scratch: Scratch, step: int, z: float, state: FloatArray, charge: float, rng: Stream) -> None:
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
            c, cells = _stack_of(setup, scratch, i)
            if not _beside(c, cells, state):
                _ionise(c, cells, state, start, length)
            if state[4] < SLOWEST_MUON:
                return


@inner_kernel
def _decays(path: float, momentum: float, state: FloatArray, rng: Stream) -> bool:
    """Whether a charged hadron decays to a muon within a path: then state[4] is the muon's energy."""
    kaon = rng.random() < KAONS
    length = momentum * (KAON_LENGTH if kaon else PION_LENGTH)
    if rng.random() > path / length * (KAON_TO_MUON if kaon else 1.0):
        return False
    least = KAON_LEAST if kaon else PION_LEAST
    state[4] = max(SLOWEST_MUON, (least + (1.0 - least) * rng.random()) * momentum - MUON_MASS)
    return True


@inner_kernel
def _fly(setup: Setup, scratch: Scratch, n: int, common: float, rng: Stream) -> int:
    """Carry hadron number n to where it ends; how many there are then."""
    line, state = setup.line, scratch.hadron
    row = scratch.hadrons[n]
    for k in range(5):
        state[k] = row[k]
    charge, z, step = row[5], row[6], int(row[7])
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
        c, cells = _stack_of(setup, scratch, i)
        if _beside(c, cells, state):
            drift(state, length)
            continue
        path = min(rng.standard_exponential() * c.interaction_length, length)
        drift(state, path)
        if charge != 0.0:
            momentum = state[4]
            _ionise(c, cells, state, start, path)
            if _decays(path, momentum, state, rng):
                _muon(setup, scratch, i, start + path, state, charge, rng)
                return n
        if state[4] < SOFTEST_HADRON:
            _see_slow(c, cells, start + path, state, state[4], common, rng)
            return n
        if path < length:
            parent = scratch.parent
            for k in range(5):
                parent[k] = state[k]
            return _break_up(setup, scratch, n, i, parent, start + path, state[4], True, common, rng)
    return n


@inner_kernel
def _follow(setup: Setup, scratch: Scratch, n: int, common: float, rng: Stream) -> None:
    """Carry the hadrons of the stack to where they end, the last one first."""
    while n > 0:
        n = _fly(setup, scratch, n - 1, common, rng)


@inner_kernel
def follow_hadron(setup: Setup, scratch: Scratch, step: int, state: FloatArray, z: float, charge: float, rng: Stream) -> None:
    """Track a hadron and its secondaries to their end points.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    step : int
        First step that it sees.
    state : FloatArray
        (x, y, tx, ty, energy).
    z : float
        Position along z [mm].
    charge : float
        Charge in units of e.
    rng : Stream
        Random numbers.
    """
    first = scratch.hadrons[0]
    for k in range(5):
        first[k] = state[k]
    first[5], first[6], first[7] = charge, z, step
    _follow(setup, scratch, 1, rng.standard_normal(), rng)


@inner_kernel
def nuclear_shower(
    setup: Setup, scratch: Scratch, step: int, state: FloatArray, z: float, transfer: float, hadron: bool, rng: Stream
) -> None:
    """Break up the energy of an interaction with a nucleus into hadrons and follow each one.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    step : int
        Step of the calorimeter where it happens.
    state : FloatArray
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
    for k in range(4):
        parent[k] = state[k]
    common = rng.standard_normal()
    _follow(setup, scratch, _break_up(setup, scratch, 0, step, parent, z, transfer, hadron, common, rng), common, rng)
