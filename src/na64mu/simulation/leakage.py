"""An electromagnetic shower in a calorimeter and its rear leakage: hard particles one by one, then soft electrons.

Lengths mm, energies GeV.
"""

from __future__ import annotations

import math

from na64mu.compiled.kernel import inner_kernel
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.simulation.cascade import SOFTEST, leaving_particles
from na64mu.simulation.flight import HARD, LOWEST_DELTA, SOFT, fly
from na64mu.simulation.geometry import HCAL
from na64mu.simulation.particles import set_state
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.showers import deposit_electromagnetic
from na64mu.simulation.soft_particles import reaches
from na64mu.simulation.soft_secondaries import spray
from na64mu.simulation.stream import Stream
from na64mu.typing import FloatArray, Record

__all__ = ("DEEPEST", "electromagnetic_shower", "leak_electrons", "step_behind")

MOST_LEAKED = 300

#: Deeper showers let no particle above SOFTEST out: at 20 radiation lengths a shower of 160 GeV has 3 % of its energy to go,
#: nearly all of it in particles near the critical energy.
DEEPEST = 20.0

LEAST_LEAK = 0.1  # a softer rest of the mean profile is not followed [GeV]


@inner_kernel
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


@inner_kernel
def leak_electrons(
    setup: Setup, scratch: Scratch, c: Calorimeter, step: int, x: float, y: float, mean: float, most: float, rng: Stream
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
        Calorimeter that they come from.
    step : int
        First step behind it.
    x, y : float
        Axis of the shower at the rear face [mm].
    mean : float
        Mean number.
    most : float
        Energy of the shower [GeV].
    rng : Stream
        Random numbers.
    """
    mean *= 0.69
    if mean < 1e-4:
        return
    z, electron = c.ends[-1], scratch.electron
    for _ in range(min(MOST_LEAKED, rng.poisson(mean))):
        t = min(most, c.critical_energy * (1.0 / (1.0 - rng.random()) - 1.0))
        if t < LOWEST_DELTA:
            continue
        radius = c.core if rng.random() < c.core_weight else c.tail
        u = rng.random()
        r = radius * math.sqrt(u / (1.0 - u))
        phi = 2.0 * math.pi * rng.random()
        angle = min(0.7, 0.0136 / t)
        electron.x, electron.y = x + r * math.cos(phi), y + r * math.sin(phi)
        electron.tx, electron.ty, electron.p = angle * rng.standard_normal(), angle * rng.standard_normal(), t
        fly(setup, scratch, step, z, electron, SOFT, -1.0, rng)


@inner_kernel
def electromagnetic_shower(
    setup: Setup,
    scratch: Scratch,
    c: Calorimeter,
    cells: FloatArray,
    step: int,
    state: Record,
    z: float,
    energy: float,
    photon: bool,
    rng: Stream,
) -> None:
    """Let a shower develop, and send what leaves the stack down the line.

    Behind the HCAL there are only counters, which soft particles reach: those are followed one by one (soft_secondaries.py). In other stacks
    hard particles are followed one by one (cascade.py) and reduce the deposit. The leakage of the mean profile beyond them is
    soft: it continues as one photon, which keeps the energy.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    c : Calorimeter
        Calorimeter in which the shower starts.
    cells : FloatArray
        Cells of the calorimeter.
    step : int
        Number of its step along the line.
    state : Record
        (x, y, tx, ty, ...) at the start; the shower follows this direction.
    z : float
        Start of the shower along z [mm].
    energy : float
        [GeV].
    photon : bool
        Started by a photon, else by an electron.
    rng : Stream
        Random numbers.
    """
    end = c.ends[-1]
    rest, behind = end - z, step_behind(setup, c, step)
    if setup.line.kind[step] == HCAL:
        if reaches(c, energy, rest):
            spray(setup, scratch, c, behind, state, z, energy, 0.0 if photon else -1.0, rng)
        deposit_electromagnetic(c, cells, state, z, energy, photon, 0.0, rng)
        return
    x, y = state.x + state.tx * rest, state.y + state.ty * rest
    carried, flying, particles = 0.0, scratch.hard, scratch.cascade
    if energy > SOFTEST and rest < DEEPEST * c.x0:
        for i in range(leaving_particles(energy, photon, rest / c.x0, c.critical_energy, particles, rng)):
            hard = particles[i]
            carried += hard.energy
            # multiple scattering of the particle, at least that of one radiation length of its parents
            angle = min(0.7, 0.0136 / hard.energy * math.sqrt(max(1.0, hard.depth)))
            flying.x, flying.y, flying.p = x, y, hard.energy
            flying.tx = state.tx + angle * rng.standard_normal()
            flying.ty = state.ty + angle * rng.standard_normal()
            fly(setup, scratch, behind, end, flying, HARD, hard.charge, rng)
    leaving, leak = deposit_electromagnetic(c, cells, state, z, energy, photon, carried, rng)
    leak_electrons(setup, scratch, c, behind, x, y, leaving, min(energy, SOFTEST), rng)
    if leak > LEAST_LEAK:
        set_state(flying, x, y, state.tx, state.ty, leak)
        fly(setup, scratch, behind, end, flying, HARD, 0.0, rng)
