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
from na64mu.physics.electromagnetic import bethe_heitler
from na64mu.simulation.cascade import brems_fraction
from na64mu.simulation.flight import SOFT, fly
from na64mu.simulation.geometry import PLANE
from na64mu.simulation.losses import CUT
from na64mu.simulation.recording import inside_counter
from na64mu.simulation.sampling_layers import AIR, PLASTIC, Plates, material_at, plate_values
from na64mu.simulation.secondaries import DELTA_STRENGTH
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.showers import Calorimeter
from na64mu.simulation.stream import Stream
from na64mu.typing import FloatArray

__all__ = ("DEEPEST_SPRAY", "delta_direction", "reaches", "spray", "spray_delta_rays")

#: Particles further from the rear than this are left out [radiation lengths]. At the critical energy and below, photons of 3 to 10 MeV, which go
#: furthest, lose a factor e in 2.2 of them in iron and plastic. A shower grows to E / Ec particles at ln(E / Ec) and falls by e in about 2.
DEEPEST_SPRAY, DEEPER = 12.0, 3.0  # at the critical energy, per factor e of the energy

SOFTEST_PHOTON = 6e-4  # its Compton electron has less than the threshold of the counters, 0.4 MeV [GeV]
SOFTEST_ELECTRON = 5e-4  # [GeV]
HOMELY = 2e-3  # below this energy, electrons that cannot reach the rear face are absorbed locally [GeV]

#: Mean square angle of scattering in space per radiation length times (beta p)^2: sqrt(4 pi / alpha) m (B. Rossi and K. Greisen, Rev. Mod. Phys.
#: 13 (1941) 240). Unlike Highland's core it adds up over steps of any length.
SPACE_ANGLE = 0.0212

STEP, LEAST_STEP = 0.08, 0.02  # part of its energy that an electron loses in a step; shortest step [mm]
MOST_ANGLE = 0.05  # radiation lengths in a step, at most

#: Delta rays of the muon itself: softer ones cannot cross a plate of plastic, harder ones are hard losses [GeV].
SOFTEST_DELTA, HARDEST_DELTA = 1e-3, CUT


@inner_kernel
def reaches(c: Calorimeter, energy: float, rest: float) -> bool:
    """Whether soft particles of a shower can get to the rear of a stack.

    Parameters
    ----------
    c : Calorimeter
        The stack.
    energy : float
        Energy of the particle that starts the shower [GeV].
    rest : float
        Distance from there to the rear [mm].

    Returns
    -------
    bool
        False where it is too deep.
    """
    return rest < (DEEPEST_SPRAY + DEEPER * max(0.0, math.log(energy / c.critical_energy))) * c.x0


@inner_kernel
def _turn(particle: FloatArray, cosine: float, phi: float) -> None:
    """Turn the direction in particle[5:8]."""
    ux, uy, uz = particle[5], particle[6], particle[7]
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    a, b = sine * math.cos(phi), sine * math.sin(phi)
    across = math.hypot(ux, uy)
    if across < 1e-9:
        particle[5], particle[6], particle[7] = a, b, cosine if uz > 0.0 else -cosine
        return
    particle[5] = cosine * ux + (a * ux * uz - b * uy) / across
    particle[6] = cosine * uy + (a * uy * uz + b * ux) / across
    particle[7] = cosine * uz - a * across
    norm = 1.0 / math.sqrt(particle[5] ** 2 + particle[6] ** 2 + particle[7] ** 2)
    particle[5] *= norm
    particle[6] *= norm
    particle[7] *= norm


@inner_kernel
def _compton(energy: float, rng: Stream) -> tuple[float, float]:
    """Energy of the scattered photon and cosine of its angle (Klein and Nishina; composition and rejection of Butcher and Messel)."""
    k = energy / ELECTRON_MASS
    least = 1.0 / (1.0 + 2.0 * k)
    first, second = -math.log(least), 0.5 * (1.0 - least * least)
    while True:
        if rng.random() * (first + second) < first:
            e = math.exp(-first * rng.random())
        else:
            e = math.sqrt(least * least + (1.0 - least * least) * rng.random())
        t = (1.0 - e) / (k * e)  # 1 - cosine
        sine2 = t * (2.0 - t)
        if rng.random() < 1.0 - e * sine2 / (1.0 + e * e):
            return e * energy, 1.0 - t


@inner_kernel
def _put(stack: FloatArray, n: int, mother: FloatArray, charge: float, energy: float, cosine: float, phi: float) -> int:
    """A new particle on the stack, at an angle to its mother; its number, unless the stack is full."""
    if n >= len(stack) or energy < SOFTEST_ELECTRON:
        return n
    new = stack[n]
    new[0], new[1] = charge, energy
    for k in range(2, 8):
        new[k] = mother[k]
    _turn(new, cosine, phi)
    return n + 1


@inner_kernel
def _expose(setup: Setup, scratch: Scratch, step: int, particle: FloatArray, z: float, rng: Stream) -> None:
    """A photon behind the stack: it may make an electron in a counter.

    The electron leaves at most what it loses on a straight line through the rest of the counter; of a pair both do.
    """
    line, s, plates = setup.line, setup.surfaces, setup.hcal.plates
    tx, ty = particle[5] / particle[7], particle[6] / particle[7]
    for i in range(step, len(line.kind)):
        counter = line.number[i] - s.first_counter
        if line.kind[i] != PLANE or not 0 <= counter < len(setup.counters.thickness):
            continue
        x, y = particle[2] + tx * (line.z_in[i] - z), particle[3] + ty * (line.z_in[i] - z)
        if not inside_counter(setup, counter, x, y):
            continue
        scatters, pairs, _ = plate_values(plates, PLASTIC, particle[1])
        path = setup.counters.thickness[counter] / particle[7]
        at = rng.standard_exponential() / (scatters + pairs)
        if at > path:
            continue
        deep = at * particle[7]
        if rng.random() * (scatters + pairs) < pairs:
            kinetic, tracks = particle[1] - 2.0 * ELECTRON_MASS, 2.0
        else:
            after, cosine = _compton(particle[1], rng)
            kinetic, tracks = particle[1] - after, 1.0
            momentum = math.sqrt(kinetic * (kinetic + 2.0 * ELECTRON_MASS))
            _turn(particle, min(1.0, (particle[1] - after * cosine) / max(momentum, 1e-12)), 2.0 * math.pi * rng.random())
        if kinetic > 0.0:
            left = (setup.counters.thickness[counter] - deep if particle[7] > 0.0 else deep) / max(abs(particle[7]), 0.05)
            scratch.counters[counter] += 1e3 * min(kinetic, tracks * left * plate_values(plates, PLASTIC, kinetic)[2])
        return


@inner_kernel
def _leave(setup: Setup, scratch: Scratch, step: int, particle: FloatArray, z: float, rng: Stream) -> None:
    """A particle behind the rear face: back to the face, then down the line."""
    if particle[7] < 0.05:
        return
    back = (particle[4] - z) / particle[7]
    particle[2] -= back * particle[5]
    particle[3] -= back * particle[6]
    if particle[0] == 0.0:
        _expose(setup, scratch, step, particle, z, rng)
        return
    electron = scratch.electron
    electron[0], electron[1], electron[4] = particle[2], particle[3], particle[1]
    electron[2], electron[3] = particle[5] / particle[7], particle[6] / particle[7]
    fly(setup, scratch, step, z, electron, SOFT, particle[0], rng)


@inner_kernel
def _photon(c: Calorimeter, particle: FloatArray, stack: FloatArray, n: int, front: float, rear: float, rng: Stream) -> int:
    """Follow a photon until it leaves, is lost or makes electrons; the number on the stack. particle[1] is 0 where it ended inside.

    Distances are drawn with the larger of the cross-sections of the two materials, and kept with the share of the one that is there
    (Woodcock's method).
    """
    plates = c.plates
    while particle[1] >= SOFTEST_PHOTON and reaches(c, particle[1], rear - particle[4]):
        dense, thin = plate_values(plates, 0, particle[1]), plate_values(plates, 1, particle[1])
        most = max(dense[0] + dense[1], thin[0] + thin[1])
        scatters, pairs = 0.0, 0.0
        while True:
            length = rng.standard_exponential() / most
            for k in range(3):
                particle[2 + k] += length * particle[5 + k]
            if particle[4] >= rear:
                return n
            if particle[4] < front:
                particle[1] = 0.0
                return n
            material = material_at(plates, particle[4] - front)[0]
            if material == AIR:
                continue
            scatters, pairs = (dense[0], dense[1]) if material == 0 else (thin[0], thin[1])
            if rng.random() * most < scatters + pairs:
                break
        if rng.random() * (scatters + pairs) < pairs:
            shared = particle[1] - 2.0 * ELECTRON_MASS
            part = rng.random()
            for charge, e in ((-1.0, part * shared), (1.0, (1.0 - part) * shared)):
                angle = min(1.0, ELECTRON_MASS / (e + ELECTRON_MASS) * rng.standard_exponential())
                n = _put(stack, n, particle, charge, e, math.cos(angle), 2.0 * math.pi * rng.random())
            particle[1] = 0.0
            return n
        before = particle[1]
        after, cosine = _compton(before, rng)
        kinetic, phi = before - after, 2.0 * math.pi * rng.random()
        momentum = math.sqrt(kinetic * (kinetic + 2.0 * ELECTRON_MASS))
        n = _put(stack, n, particle, -1.0, kinetic, min(1.0, (before - after * cosine) / max(momentum, 1e-12)), phi + math.pi)
        _turn(particle, cosine, phi)
        particle[1] = after
    particle[1] = 0.0
    return n


@inner_kernel
def _radiate(plates: Plates, material: int, particle: FloatArray, stack: FloatArray, n: int, rng: Stream) -> int:
    """A photon from (4/3 - 4/3 y + y^2) / y above SOFTEST_PHOTON, kept with the share of Bethe and Heitler's spectrum in that of complete screening."""
    y = brems_fraction(SOFTEST_PHOTON / particle[1], rng)
    correction = plates.correction[material]
    delta = plates.screening[material] / (particle[1] + ELECTRON_MASS) * y / (1.0 - y)
    if rng.random() * bethe_heitler(y, 0.0, correction) > bethe_heitler(y, delta, correction):
        return n
    angle = min(1.0, ELECTRON_MASS / (particle[1] + ELECTRON_MASS) * rng.standard_exponential())
    n = _put(stack, n, particle, 0.0, y * particle[1], math.cos(angle), 2.0 * math.pi * rng.random())
    particle[1] *= 1.0 - y
    return n


@inner_kernel
def _knock(particle: FloatArray, stack: FloatArray, n: int, rng: Stream) -> int:
    """An electron that is struck, from 1 / T^2 up to half the energy (Moller, leading term); the angles of elastic scattering."""
    energy, least = particle[1], 1.0 / SOFTEST_DELTA
    if energy <= 2.0 * SOFTEST_DELTA:
        return n
    t = 1.0 / (least - rng.random() * (least - 2.0 / energy))
    phi = 2.0 * math.pi * rng.random()
    n = _put(stack, n, particle, -1.0, t, math.sqrt(t * (energy + 2.0 * ELECTRON_MASS) / (energy * (t + 2.0 * ELECTRON_MASS))), phi)
    left = energy - t
    _turn(particle, math.sqrt(left * (energy + 2.0 * ELECTRON_MASS) / (energy * (left + 2.0 * ELECTRON_MASS))), phi + math.pi)
    particle[1] = left
    return n


@inner_kernel
def _electron(c: Calorimeter, particle: FloatArray, stack: FloatArray, n: int, front: float, rear: float, rng: Stream) -> int:
    """Follow an electron until it leaves or stops; the number on the stack. particle[1] is 0 where it ended inside."""
    plates = c.plates
    while particle[1] >= SOFTEST_ELECTRON and reaches(c, particle[1], rear - particle[4]):
        material, low, high = material_at(plates, particle[4] - front)
        uz = particle[7]
        ahead = (high if uz > 0.0 else low) + front - particle[4]
        edge = ahead / uz + 1e-6 if abs(uz) > 1e-6 else 1e6  # to the end of the plate
        if material == AIR:
            length = min(edge, 50.0)
            for k in range(3):
                particle[2 + k] += length * particle[5 + k]
        else:
            _, _, loss = plate_values(plates, material, particle[1])
            knocks = DELTA_STRENGTH * 0.1 * plates.density[material] * max(0.0, 1.0 / SOFTEST_DELTA - 2.0 / particle[1])
            if knocks > 0.0:  # what they take is drawn one by one
                loss -= DELTA_STRENGTH * 0.1 * plates.density[material] * math.log(0.5 * particle[1] / SOFTEST_DELTA)
            if particle[1] < HOMELY and loss * (rear - particle[4]) > 2.0 * particle[1]:
                break
            lowest = min(SOFTEST_PHOTON / particle[1], 1.0)
            photons = (4.0 / 3.0 * (-math.log(lowest) - 1.0 + lowest) + 0.5 * (1.0 - lowest * lowest)) / plates.x0[material]
            length = max(min(STEP * particle[1] / loss, MOST_ANGLE * plates.x0[material]), LEAST_STEP)
            until = rng.standard_exponential() / max(photons + knocks, 1e-9)
            length = min(length, edge, until)
            for k in range(3):
                particle[2 + k] += length * particle[5 + k]
            # what goes into photons too soft to follow comes on top of the collisions
            particle[1] -= length * (loss + 4.0 / 3.0 * lowest * particle[1] / plates.x0[material])
            if particle[1] < SOFTEST_ELECTRON:
                break
            total = particle[1] + ELECTRON_MASS
            p2 = total * total - ELECTRON_MASS * ELECTRON_MASS
            theta = SPACE_ANGLE / math.sqrt(2.0) * total / p2 * math.sqrt(length / plates.x0[material])
            angle = theta * math.sqrt(2.0 * rng.standard_exponential())
            _turn(particle, math.cos(min(angle, math.pi)), 2.0 * math.pi * rng.random())
            if length < until:
                pass
            elif rng.random() * (photons + knocks) < knocks:
                n = _knock(particle, stack, n, rng)
            elif particle[1] > SOFTEST_PHOTON:
                n = _radiate(plates, material, particle, stack, n, rng)
        if particle[4] >= rear:
            return n
        if particle[4] < front:
            break
    particle[1] = 0.0
    return n


@inner_kernel
def spray(
    setup: Setup, scratch: Scratch, c: Calorimeter, step: int, state: FloatArray, z: float, energy: float, charge: float, rng: Stream
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
    state : FloatArray
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
    if scratch.n[2] > 0:
        return
    rear, stack = c.ends[-1], scratch.spray
    front = rear - c.plates.pitch * math.floor((rear - c.z) / c.plates.pitch)  # a layer begins there; so it does in every module
    norm = 1.0 / math.sqrt(1.0 + state[2] ** 2 + state[3] ** 2)
    first, particle = stack[1], stack[0]
    first[0], first[1], first[2], first[3], first[4] = charge, energy, state[0], state[1], z
    first[5], first[6], first[7] = state[2] * norm, state[3] * norm, norm
    n = 2
    while n > 1:
        n -= 1
        for k in range(8):
            particle[k] = stack[n, k]
        n = _photon(c, particle, stack, n, front, rear, rng) if particle[0] == 0.0 else _electron(c, particle, stack, n, front, rear, rng)
        if particle[1] > 0.0:
            _leave(setup, scratch, step, particle, rear, rng)


@inner_kernel
def delta_direction(state: FloatArray, transfer: float, out: FloatArray, rng: Stream) -> None:
    """Direction of an electron that a fast muon strikes: cosine = sqrt(T / (T + 2 m)) to the muon.

    Parameters
    ----------
    state : FloatArray
        The muon (x, y, tx, ty, p).
    transfer : float
        Kinetic energy T of the electron [GeV].
    out : FloatArray
        (x, y, tx, ty, T) of the electron, overwritten.
    rng : Stream
        Random numbers.
    """
    tangent, phi = math.sqrt(2.0 * ELECTRON_MASS / transfer), 2.0 * math.pi * rng.random()
    out[0], out[1], out[4] = state[0], state[1], transfer
    out[2], out[3] = state[2] + tangent * math.cos(phi), state[3] + tangent * math.sin(phi)


@inner_kernel
def spray_delta_rays(setup: Setup, scratch: Scratch, c: Calorimeter, step: int, state: FloatArray, rng: Stream) -> None:
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
    state : FloatArray
        The muon (x, y, tx, ty, p) at the rear face.
    rng : Stream
        Random numbers.
    """
    if scratch.n[2] > 0:
        return
    rear, plates, electron = c.ends[-1], c.plates, scratch.hard
    for part in range(2):
        least, first = (SOFTEST_DELTA, 0.0) if part == 0 else (HOMELY, plates.pitch)
        length = plates.pitch if part == 0 else DEEPEST_SPRAY * c.x0 - plates.pitch
        mean = DELTA_STRENGTH * (1.0 / least - 1.0 / HARDEST_DELTA) * 0.1 * plates.density[0] * length
        for _ in range(rng.poisson(mean)):
            back = first + length * rng.random()
            place = math.ceil(back / plates.pitch) * plates.pitch - back  # in the layer
            if rng.random() * plates.density[0] > plates.density[material_at(plates, place)[0]]:
                continue
            delta_direction(state, 1.0 / (1.0 / least - rng.random() * (1.0 / least - 1.0 / HARDEST_DELTA)), electron, rng)
            electron[0] -= back * state[2]
            electron[1] -= back * state[3]
            spray(setup, scratch, c, step, electron, rear - back, electron[4], -1.0, rng)
