"""Soft particles that leave the rear of the last calorimeter: photons and electrons, tracked one by one down to half an MeV.

S_mu is behind the HCAL, beside the beam. A muon that radiates in the last layers fires it with soft particles that leave the iron far from
the axis: the mean shape of a shower says nothing about them. Here every photon scatters (Compton) or makes a pair, every electron loses
energy in the plates that it crosses, strikes others, scatters (Rossi and Greisen), and radiates (Bethe and Heitler). The module
uses only the cross-sections of physics/electromagnetic.py; it has no tunable parameters. Nothing is deposited: the shower's mean profile
already fills the cells.
Energies GeV, lengths mm.
"""

from __future__ import annotations

import math

from na64mu.compiled.kernel import inner_kernel
from na64mu.physics.constants import ELECTRON_MASS
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.simulation.flight import SOFT, fly
from na64mu.simulation.geometry import PLANE
from na64mu.simulation.losses import CUT
from na64mu.simulation.particles import set_state
from na64mu.simulation.recording import inside_counter
from na64mu.simulation.sampling_layers import ABSORBER, PLASTIC, plate_at, plate_values
from na64mu.simulation.secondaries import DELTA_STRENGTH
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.soft_electrons import HOMELY, SOFTEST_DELTA, follow_electron
from na64mu.simulation.soft_particles import DEEPEST_SPRAY, copy_particle, turn
from na64mu.simulation.soft_photons import compton, follow_photon
from na64mu.simulation.stream import Stream
from na64mu.typing import Record

__all__ = ("delta_direction", "spray", "spray_delta_rays")

HARDEST_DELTA = CUT  # harder delta rays of the muon are hard losses [GeV]


@inner_kernel
def _expose(setup: Setup, scratch: Scratch, step: int, particle: Record, z: float, rng: Stream) -> None:
    """A photon behind the stack: it may make an electron in a counter.

    The electron leaves at most what it loses on a straight line through the rest of the counter; of a pair both do.
    """
    line, s, plates = setup.line, setup.surfaces, setup.hcal.plates
    tx, ty = particle.ux / particle.uz, particle.uy / particle.uz
    for i in range(step, len(line.kind)):
        counter = line.number[i] - s.first_counter
        if line.kind[i] != PLANE or not 0 <= counter < len(setup.counters.thickness):
            continue
        x, y = particle.x + tx * (line.z_in[i] - z), particle.y + ty * (line.z_in[i] - z)
        if not inside_counter(setup, counter, x, y):
            continue
        here = plate_values(plates, PLASTIC, particle.energy)
        path = setup.counters.thickness[counter] / particle.uz
        at = rng.standard_exponential() / (here.scatters + here.pairs)
        if at > path:
            continue
        deep = at * particle.uz
        if rng.random() * (here.scatters + here.pairs) < here.pairs:
            kinetic, tracks = particle.energy - 2.0 * ELECTRON_MASS, 2.0
        else:
            after, cosine = compton(particle.energy, rng)
            kinetic, tracks = particle.energy - after, 1.0
            momentum = math.sqrt(kinetic * (kinetic + 2.0 * ELECTRON_MASS))
            turn(particle, min(1.0, (particle.energy - after * cosine) / max(momentum, 1e-12)), 2.0 * math.pi * rng.random())
        if kinetic > 0.0:
            left = (setup.counters.thickness[counter] - deep if particle.uz > 0.0 else deep) / max(abs(particle.uz), 0.05)
            scratch.counters[counter] += 1e3 * min(kinetic, tracks * left * plate_values(plates, PLASTIC, kinetic).loss)
        return


@inner_kernel
def _leave(setup: Setup, scratch: Scratch, step: int, particle: Record, z: float, rng: Stream) -> None:
    """A particle behind the rear face: back to the face, then down the line."""
    if particle.uz < 0.05:
        return
    back = (particle.z - z) / particle.uz
    particle.x -= back * particle.ux
    particle.y -= back * particle.uy
    if particle.charge == 0.0:
        _expose(setup, scratch, step, particle, z, rng)
        return
    electron = scratch.electron
    set_state(electron, particle.x, particle.y, particle.ux / particle.uz, particle.uy / particle.uz, particle.energy)
    fly(setup, scratch, step, z, electron, SOFT, particle.charge, rng)


@inner_kernel
def spray(
    setup: Setup, scratch: Scratch, c: Calorimeter, step: int, state: Record, z: float, energy: float, charge: float, rng: Stream
) -> None:
    """Let a particle shower and send what leaves the rear face down the line.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    c : Calorimeter
        The stack.
    step : int
        First step behind it.
    state : Record
        (x, y, tx, ty, ...) of the particle.
    z : float
        Position along z [mm].
    energy : float
        [GeV].
    charge : float
        0: a photon.
    rng : Stream
        Random numbers.
    """
    if scratch.n.no_trigger > 0:
        return
    rear, stack = c.ends[-1], scratch.soft_ones
    front = rear - c.plates.pitch * math.floor((rear - c.z) / c.plates.pitch)  # a layer begins there; so it does in every module
    norm = 1.0 / math.sqrt(1.0 + state.tx**2 + state.ty**2)
    first, particle = stack[0], scratch.soft
    first.charge, first.energy, first.x, first.y, first.z = charge, energy, state.x, state.y, z
    first.ux, first.uy, first.uz = state.tx * norm, state.ty * norm, norm
    n = 1
    while n > 0:
        n -= 1
        copy_particle(stack[n], particle)
        n = (
            follow_photon(c, particle, stack, n, front, rear, rng)
            if particle.charge == 0.0
            else follow_electron(c, particle, stack, n, front, rear, rng)
        )
        if particle.energy > 0.0:
            _leave(setup, scratch, step, particle, rear, rng)


@inner_kernel
def delta_direction(state: Record, transfer: float, out: Record, rng: Stream) -> None:
    """Direction of an electron that a fast muon strikes: cosine = sqrt(T / (T + 2 m)) to the muon.

    Parameters
    ----------
    state : Record
        The muon (x, y, tx, ty, p).
    transfer : float
        Kinetic energy T of the electron [GeV].
    out : Record
        State of the electron with its energy T, overwritten.
    rng : Stream
        Random numbers.
    """
    tangent, phi = math.sqrt(2.0 * ELECTRON_MASS / transfer), 2.0 * math.pi * rng.random()
    out.x, out.y, out.p = state.x, state.y, transfer
    out.tx, out.ty = state.tx + tangent * math.cos(phi), state.ty + tangent * math.sin(phi)


@inner_kernel
def spray_delta_rays(setup: Setup, scratch: Scratch, c: Calorimeter, step: int, state: Record, rng: Stream) -> None:
    """Delta rays of a muon near the rear face, below those that are hard losses: dN/dT = K/2 <Z/A> x / T^2.

    All of them in the last layer, in which they range out; further up those that can radiate a photon which gets out.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    c : Calorimeter
        The stack.
    step : int
        First step behind it.
    state : Record
        The muon (x, y, tx, ty, p) at the rear face.
    rng : Stream
        Random numbers.
    """
    if scratch.n.no_trigger > 0:
        return
    rear, plates, electron = c.ends[-1], c.plates, scratch.hard
    for part in range(2):
        least, first = (SOFTEST_DELTA, 0.0) if part == 0 else (HOMELY, plates.pitch)
        length = plates.pitch if part == 0 else DEEPEST_SPRAY * c.x0 - plates.pitch
        mean = DELTA_STRENGTH * (1.0 / least - 1.0 / HARDEST_DELTA) * 0.1 * plates.density[ABSORBER] * length
        for _ in range(rng.poisson(mean)):
            back = first + length * rng.random()
            place = math.ceil(back / plates.pitch) * plates.pitch - back  # in the layer
            if rng.random() * plates.density[ABSORBER] > plates.density[plate_at(plates, place).material]:
                continue
            delta_direction(state, 1.0 / (1.0 / least - rng.random() * (1.0 / least - 1.0 / HARDEST_DELTA)), electron, rng)
            electron.x -= back * state.tx
            electron.y -= back * state.ty
            spray(setup, scratch, c, step, electron, rear - back, electron.p, -1.0, rng)
