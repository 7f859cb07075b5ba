"""What flies beside the muon, from where it is made down the line: one kernel for electrons, photons and hadrons. mm, GeV.

SOFT electrons (delta rays, shower tails) fly straight, lose energy in planes and end in a field: MS2 bends a few hundred MeV
out of the line. HARD photons, electrons and positrons are bent and shower in the next calorimeter. HADRONs are bent, lose
energy in calorimeters by showers and fly on with what is left.
"""

from __future__ import annotations

import math

from na64mu.kernel import inner_kernel, kernel
from na64mu.simulation.line import ECAL, FIELD, HCAL, PLANE, VHCAL
from na64mu.simulation.recording import record
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.showers import Calorimeter, deposit_electromagnetic, deposit_point, smeared_response
from na64mu.simulation.stream import Stream
from na64mu.simulation.transport import circle, drift
from na64mu.typing import FloatArray

__all__ = (
    "ELECTRON_LOSS", "HADRON", "HARD", "LOWEST_DELTA", "MASS_PER_X0", "SOFT", "SOFTEST_HADRON", "fly", "hadron_response", "hadron_shower",
    "in_aperture",
)  # fmt: skip

#: Kinds of particles.
SOFT, HARD, HADRON = range(3)

#: Delta rays from thin layers are made above this energy [GeV]; softer ones cannot fire a counter.
LOWEST_DELTA = 0.0004

#: Mass per radiation length of plastics, glass-epoxy and air [g/cm2] (PDG: 43.8, 33, 36.6).
MASS_PER_X0 = 40.0

#: Ionisation of a fast electron [GeV cm2 / g] (PDG, plastics at minimum: 1.9 to 2.0 MeV).
ELECTRON_LOSS = 0.00195

SOFTEST_HADRON = 0.5  # below this energy a hadron stops where it is [GeV]
#: Radius R of the lateral profile 2 r R^2 / (r^2 + R^2)^2 of hadronic showers, in interaction lengths. Fitted to pions of 40 and 80 GeV
#: (140 of them) in the HCAL of Geant4 11.4 patch-01, FTFP_BERT, generated data sets: 72.5 % of the energy in the central cell of
#: 194 x 192 mm2 (benchmarks/geant4.py).
WIDTH = 0.234
SPOTS = 8  # parts that a hadronic shower is deposited in


@kernel
def hadron_response(energy: float, h_over_e: float) -> float:
    """Signal of a hadronic shower over that of an electron of the same energy.

    pi/e = 1 - (1 - h/e) (E / 1 GeV)^(k - 1) with k = 0.82: the electromagnetic fraction grows with energy.

    Parameters
    ----------
    energy : float
        Of the hadron [GeV].
    h_over_e : float
        Response to the rest of the shower over that to electrons.

    Returns
    -------
    float
        pi/e.

    References
    ----------
    T. A. Gabriel, D. E. Groom et al., Nucl. Instrum. Meth. A 338 (1994) 336; PDG Review, sec. 35.9.2.
    """
    return 1.0 - (1.0 - h_over_e) * max(energy, 1.0) ** (0.82 - 1.0)


@inner_kernel
def hadron_shower(c: Calorimeter, cells: FloatArray, state: FloatArray, z_in: float, z_out: float, section: int, rng: Stream) -> None:
    """Carry a hadron through part of a stack, where it interacts after one interaction length on average.

    From there on it deposits its energy as exp(-depth / lambda): the rest leaves the stack as one hadron of that energy. The
    signal has the resolution for hadrons.

    Parameters
    ----------
    c : Calorimeter
        The stack.
    cells : FloatArray
        Its cells, changed in place.
    state : FloatArray
        (x, y, tx, ty, energy) at z_in, then at z_out with the energy that is left.
    z_in, z_out : float
        Part of the stack [mm].
    section : int
        Section or module at z_in, from 0.
    rng : Stream
        Random numbers.
    """
    depth = rng.standard_exponential() * c.interaction_length
    energy = state[4]
    if z_in + depth < z_out:
        inside = z_out - z_in - depth
        left = energy * math.exp(-inside / c.interaction_length)
        seen = (energy - left) * hadron_response(energy, c.h_over_e)
        signal = smeared_response(seen, c.hadron_stochastic, c.hadron_constant, rng)
        for _ in range(SPOTS):
            at = min(depth - c.interaction_length * math.log(1.0 - rng.random() * (1.0 - left / energy)), z_out - z_in)
            u, phi = rng.random(), 2.0 * math.pi * rng.random()
            r = WIDTH * c.interaction_length * math.sqrt(u / (1.0 - u))
            x, y = state[0] + state[2] * at + r * math.cos(phi), state[1] + state[3] * at + r * math.sin(phi)
            deep = section
            while deep < len(c.ends) - 1 and z_in + at > c.ends[deep]:
                deep += 1
            deposit_point(c, cells, deep, x, y, signal / SPOTS)
        state[4] = left
    drift(state, z_out - z_in)


@inner_kernel
def in_aperture(setup: Setup, step: int, state: FloatArray) -> bool:
    """Whether a particle is inside the aperture of a magnet.

    Parameters
    ----------
    setup : Setup
        The set-up.
    step : int
        The FIELD.
    state : FloatArray
        (x, y, ...).

    Returns
    -------
    bool
        False: it hits the yoke.
    """
    line = setup.line
    inside = abs(state[0] - line.aperture_centre[step, 0]) < line.aperture[step, 0]
    return inside and abs(state[1] - line.aperture_centre[step, 1]) < line.aperture[step, 1]


@inner_kernel
def _passes(c: Calorimeter, cells: FloatArray, state: FloatArray, kind: int) -> bool:
    """Whether a particle flies through the hole of a calorimeter, or a hadron beside it; others are not followed so far out."""
    if abs(state[0]) < c.x_hole and abs(state[1]) < c.y_hole:
        return True
    half_x, half_y = 0.5 * c.x_pitch * cells.shape[1], 0.5 * c.y_pitch * cells.shape[2]
    return kind == HADRON and (abs(state[0]) > half_x or abs(state[1]) > half_y)


@inner_kernel
def _enter(
    c: Calorimeter, cells: FloatArray, section: int, state: FloatArray, z_in: float, z_out: float, kind: int, charge: float, rng: Stream
) -> bool:
    """A calorimeter in the way; False if the particle ends there."""
    if kind == SOFT:
        deposit_point(c, cells, section, state[0], state[1], state[4])
        return False
    if kind == HARD:
        deposit_electromagnetic(c, cells, state, z_in, state[4], charge == 0.0, 0.0, rng)
        return False
    hadron_shower(c, cells, state, z_in, z_out, section, rng)
    return state[4] >= SOFTEST_HADRON


@inner_kernel
def fly(setup: Setup, scratch: Scratch, step: int, z: float, state: FloatArray, kind: int, charge: float, rng: Stream) -> None:
    """Carry a particle from a step to where it ends.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    step : int
        First step that it sees.
    z : float
        Where it is [mm].
    state : FloatArray
        (x, y, tx, ty, energy), changed in place.
    kind : int
        SOFT, HARD or HADRON.
    charge : float
        In units of e, 0 for photons and neutral hadrons.
    rng : Stream
        Random numbers.
    """
    line = setup.line
    if step >= len(line.kind) or (kind == HADRON and state[4] < SOFTEST_HADRON):
        return
    drift(state, line.z_in[step] - z)
    for i in range(step, len(line.kind)):
        what, z_in, z_out = line.kind[i], line.z_in[i], line.z_out[i]
        if what == PLANE:
            if charge != 0.0:
                record(setup, scratch, line.number[i], state[0], state[1], state[2], state[3], 1e3 * state[4], rng)
            if kind == SOFT:
                path = math.sqrt(1.0 + state[2] ** 2 + state[3] ** 2)
                state[4] -= ELECTRON_LOSS * line.x_over_x0[i] * MASS_PER_X0 * path
                if state[4] <= 0.0:
                    return
        elif what == FIELD:
            if kind == SOFT or not in_aperture(setup, i, state):
                return
            if not circle(state, z_out - z_in, line.field[i, 0], line.field[i, 1], charge):
                return
        elif what == VHCAL and not _passes(setup.vhcal, scratch.vhcal, state, kind):
            if not _enter(setup.vhcal, scratch.vhcal, 0, state, z_in, z_out, kind, charge, rng):
                return
        elif what == HCAL:
            if _passes(setup.hcal, scratch.hcal, state, kind):
                return
            if not _enter(setup.hcal, scratch.hcal, line.number[i], state, z_in, z_out, kind, charge, rng):
                return
        elif what == ECAL:
            return
        else:
            drift(state, z_out - z_in)
