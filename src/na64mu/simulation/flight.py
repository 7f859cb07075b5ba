"""Electrons and photons that accompany the muon, from their production point down the beam line. mm, GeV.

SOFT electrons (delta rays, shower tails) fly straight, lose energy in planes and end in a field: MS2 bends a few hundred MeV
out of the line. HARD photons, electrons and positrons are bent and shower in the next calorimeter.
Hadrons have a kernel of their own (hadrons.py).
"""

from __future__ import annotations

import math

from na64mu.compiled.kernel import inner_kernel
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.simulation.geometry import ECAL, FIELD, HCAL, PLANE, VHCAL
from na64mu.simulation.recording import record
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.showers import deposit_electromagnetic, deposit_point
from na64mu.simulation.stream import Stream
from na64mu.simulation.transport import circle, drift
from na64mu.typing import FloatArray, Record

__all__ = ("ELECTRON_LOSS", "HARD", "LOWEST_DELTA", "MASS_PER_X0", "SOFT", "fly", "in_aperture")

#: Kinds of particles.
SOFT, HARD = range(2)

#: Delta rays from thin layers are made above this energy [GeV]; softer ones cannot fire a counter.
LOWEST_DELTA = 0.0004

#: Mass per radiation length of plastics, glass-epoxy and air [g/cm2] (PDG: 43.8, 33, 36.6).
MASS_PER_X0 = 40.0

#: Ionisation of a fast electron [GeV cm2 / g] (PDG, plastics at minimum: 1.9 to 2.0 MeV).
ELECTRON_LOSS = 0.00195


@inner_kernel
def in_aperture(setup: Setup, step: int, state: Record) -> bool:
    """Whether a particle is inside the aperture of a magnet.

    Parameters
    ----------
    setup : Setup
        The set-up.
    step : int
        The FIELD.
    state : Record
        (x, y, ...).

    Returns
    -------
    bool
        False: it hits the yoke.
    """
    line = setup.line
    aperture = line.aperture[step]
    return abs(state.x - aperture.x) < aperture.half_x and abs(state.y - aperture.y) < aperture.half_y


@inner_kernel
def _enter(c: Calorimeter, cells: FloatArray, section: int, state: Record, z_in: float, kind: int, charge: float, rng: Stream) -> None:
    """A calorimeter in the way: the particle ends there."""
    if kind == SOFT:
        deposit_point(c, cells, section, state.x, state.y, state.p)
    else:
        deposit_electromagnetic(c, cells, state, z_in, state.p, charge == 0.0, 0.0, rng)


@inner_kernel
def fly(setup: Setup, scratch: Scratch, step: int, z: float, state: Record, kind: int, charge: float, rng: Stream) -> None:
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
        Position along z [mm].
    state : Record
        (x, y, tx, ty, energy), changed in place.
    kind : int
        SOFT or HARD.
    charge : float
        Charge in units of e, 0 for photons.
    rng : Stream
        Random numbers.
    """
    line = setup.line
    if step >= len(line.kind):
        return
    drift(state, line.z_in[step] - z)
    for i in range(step, len(line.kind)):
        what, z_in, z_out = line.kind[i], line.z_in[i], line.z_out[i]
        if what == PLANE:
            if charge != 0.0:
                record(setup, scratch, line.number[i], state.x, state.y, state.tx, state.ty, 1e3 * state.p, rng)
            if kind == SOFT:
                path = math.sqrt(1.0 + state.tx**2 + state.ty**2)
                state.p -= ELECTRON_LOSS * line.x_over_x0[i] * MASS_PER_X0 * path
                if state.p <= 0.0:
                    return
        elif what == FIELD:
            if kind == SOFT or not in_aperture(setup, i, state):
                return
            if not circle(state, z_out - z_in, line.field_x[i], line.field_y[i], charge):
                return
        elif what == VHCAL and not (abs(state.x) < setup.vhcal.x_hole and abs(state.y) < setup.vhcal.y_hole):
            _enter(setup.vhcal, scratch.vhcal, 0, state, z_in, kind, charge, rng)
            return
        elif what == HCAL:
            _enter(setup.hcal, scratch.hcal, line.number[i], state, z_in, kind, charge, rng)
            return
        elif what == ECAL:
            return
        else:
            drift(state, z_out - z_in)
