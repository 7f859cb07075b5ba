"""An electromagnetic shower in a stack, and what leaves it at the rear: hard particles one by one, then soft electrons.

Lengths mm, energies GeV.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from na64mu.simulation.cascade import MOST_PARTICLES, SOFTEST, leaving_particles
from na64mu.simulation.line import DRIFT, FIELD, HCAL, PLANE, VHCAL
from na64mu.simulation.secondaries import LOWEST_DELTA, fly_electron, record
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.showers import Calorimeter, deposit_electromagnetic
from na64mu.simulation.transport import circle, drift
from na64mu.typing import FloatArray

__all__ = ("electromagnetic_shower", "fly_hard", "leak_electrons", "step_behind")

MOST_LEAKED = 300

#: Deeper showers let no particle above SOFTEST out: at 20 radiation lengths a shower of 160 GeV has 3 % of its energy to go,
#: nearly all of it in particles near the critical energy.
DEEPEST = 20.0


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def step_behind(setup: Setup, c: Calorimeter, step: int) -> int:
    """First step behind the last section of a calorimeter.

    Parameters
    ----------
    setup : Setup
        The set-up.
    c : Calorimeter
        The calorimeter.
    step : int
        A step in it.

    Returns
    -------
    int
        Index of the step.
    """
    while step < len(setup.line.kind) and setup.line.z_in[step] < c.ends[-1]:
        step += 1
    return step


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def leak_electrons(
    setup: Setup, scratch: Scratch, c: Calorimeter, step: int, x: float, y: float, mean: float, most: float, rng: np.random.Generator
) -> None:
    """Electrons and positrons that leave the back of a calorimeter.

    Electrons above 1.5 MeV are a share F = e^z (1 + z ln(z / 1.526)) of Rossi's track length, z = 4.58 Z / A E_d / E_c (PDG
    Review sec. 34.5); for lead and scintillator F = 0.69, used for all stacks. Energies follow Rossi's spectrum in the cascade, P(> T) = Ec / (Ec + T), up to the energy of the shower; positions
    the radial profile; angles multiple scattering in one radiation length, 13.6 MeV / T, at most 0.7 (inferred).

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    c : Calorimeter
        Where they come from.
    step : int
        First step behind it.
    x, y : float
        Axis of the shower at the rear face [mm].
    mean : float
        Mean number.
    most : float
        Energy of the shower [GeV].
    rng : Generator
        Random numbers.
    """
    mean *= 0.69
    if mean < 1e-4:
        return
    z = c.ends[-1]
    for _ in range(min(MOST_LEAKED, rng.poisson(mean))):
        t = min(most, c.critical_energy * (1.0 / (1.0 - rng.random()) - 1.0))
        if t < LOWEST_DELTA:
            continue
        radius = c.core if rng.random() < c.core_weight else c.tail
        u = rng.random()
        r = radius * math.sqrt(u / (1.0 - u))
        phi = 2.0 * math.pi * rng.random()
        angle = min(0.7, 0.0136 / t)
        tx, ty = angle * rng.standard_normal(), angle * rng.standard_normal()
        fly_electron(setup, scratch, step, z, x + r * math.cos(phi), y + r * math.sin(phi), tx, ty, t, rng)


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def fly_hard(setup: Setup, scratch: Scratch, step: int, state: FloatArray, charge: float, rng: np.random.Generator) -> None:
    """Carry a photon (charge 0), electron or positron to the next calorimeter, VHCAL or HCAL, where it showers.

    Photons are not bent; MS2 sweeps the soft electrons aside.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    step : int
        First step that it sees.
    state : FloatArray
        (x, y, tx, ty, energy) at the rear face of the stack it leaves, changed in place.
    charge : float
        In units of e.
    rng : Generator
        Random numbers.
    """
    line = setup.line
    for i in range(step, len(line.kind)):
        kind, length = line.kind[i], line.z_out[i] - line.z_in[i]
        if kind == PLANE:
            if charge != 0.0:
                record(setup, scratch, line.number[i], state[0], state[1], state[2], state[3], math.inf, rng)
        elif kind == FIELD:
            inside = abs(state[0]) < line.aperture[i, 0] and abs(state[1]) < line.aperture[i, 1]
            if not inside or not circle(state, length, line.field[i, 0], line.field[i, 1], charge):
                return
        elif kind == HCAL:
            deposit_electromagnetic(setup.hcal, scratch.hcal, state, line.z_in[i], state[4], charge == 0.0, 0.0, rng)
            return
        elif kind == VHCAL and (abs(state[0]) > setup.vhcal.x_hole or abs(state[1]) > setup.vhcal.y_hole):
            deposit_electromagnetic(setup.vhcal, scratch.vhcal, state, line.z_in[i], state[4], charge == 0.0, 0.0, rng)
            return
        elif kind in (DRIFT, VHCAL):
            drift(state, length)
        else:
            return


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def electromagnetic_shower(
    setup: Setup,
    scratch: Scratch,
    c: Calorimeter,
    cells: FloatArray,
    step: int,
    state: FloatArray,
    z: float,
    energy: float,
    photon: bool,
    rng: np.random.Generator,
) -> None:
    """Let a shower develop, and send what leaves the stack down the line.

    Hard particles are followed one by one (cascade.py) and reduce what is deposited. What the mean profile lets out beyond
    them is soft: it goes on as one photon, which keeps the energy.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    c : Calorimeter
        Where the shower starts.
    cells : FloatArray
        Its cells.
    step : int
        Its step.
    state : FloatArray
        (x, y, tx, ty, ...) at the start; the shower follows this direction.
    z : float
        Where it starts [mm].
    energy : float
        [GeV].
    photon : bool
        Started by a photon, else by an electron.
    rng : Generator
        Random numbers.
    """
    rest, behind = c.ends[-1] - z, step_behind(setup, c, step)
    x, y = state[0] + state[2] * rest, state[1] + state[3] * rest
    carried, flying = 0.0, np.empty(5)
    if energy > SOFTEST and rest < DEEPEST * c.x0:
        particles = np.empty((MOST_PARTICLES, 3))
        for i in range(leaving_particles(energy, photon, rest / c.x0, c.critical_energy, particles, rng)):
            carried += particles[i, 0]
            # multiple scattering of the particle, at least that of one radiation length of its parents
            angle = min(0.7, 0.0136 / particles[i, 0] * math.sqrt(max(1.0, particles[i, 2])))
            flying[0], flying[1], flying[4] = x, y, particles[i, 0]
            flying[2] = state[2] + angle * rng.standard_normal()
            flying[3] = state[3] + angle * rng.standard_normal()
            fly_hard(setup, scratch, behind, flying, particles[i, 1], rng)
    leaving, leak = deposit_electromagnetic(c, cells, state, z, energy, photon, carried, rng)
    leak_electrons(setup, scratch, c, behind, x, y, leaving, min(energy, SOFTEST), rng)
    if leak > 0.1:
        flying[0], flying[1], flying[2], flying[3], flying[4] = x, y, state[2], state[3], leak
        fly_hard(setup, scratch, behind, flying, 0.0, rng)
