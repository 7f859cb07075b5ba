"""Electrons and positrons near the rear of a stack, which lose energy in its plates, strike others, scatter and radiate. GeV, mm."""

from __future__ import annotations

import math

from na64mu.compiled.kernel import inner_kernel
from na64mu.physics.constants import ELECTRON_MASS
from na64mu.physics.electromagnetic import bethe_heitler
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.simulation.cascade import brems_fraction
from na64mu.simulation.sampling_layers import AIR, Plates, plate_at, plate_values
from na64mu.simulation.secondaries import DELTA_STRENGTH
from na64mu.simulation.soft_particles import SOFTEST_ELECTRON, SOFTEST_PHOTON, advance, put, reaches, turn
from na64mu.simulation.stream import Stream
from na64mu.typing import Record, RecordArray

__all__ = ("HOMELY", "SOFTEST_DELTA", "follow_electron")

HOMELY = 2e-3  # below this energy, electrons that cannot reach the rear face are absorbed locally [GeV]

#: Mean square angle of scattering in space per radiation length times (beta p)^2: sqrt(4 pi / alpha) m (B. Rossi and K. Greisen, Rev. Mod. Phys.
#: 13 (1941) 240). Unlike Highland's core it adds up over steps of any length.
SPACE_ANGLE = 0.0212

STEP, LEAST_STEP = 0.08, 0.02  # part of its energy that an electron loses in a step; shortest step [mm]
MOST_ANGLE = 0.05  # radiation lengths in a step, at most

SOFTEST_DELTA = 1e-3  # softer delta rays cannot cross a plate of plastic [GeV]


@inner_kernel
def _radiate(plates: Plates, material: int, particle: Record, stack: RecordArray, n: int, rng: Stream) -> int:
    """A photon from (4/3 - 4/3 y + y^2) / y above SOFTEST_PHOTON, kept with the share of Bethe and Heitler's spectrum in that of complete screening."""
    y = brems_fraction(SOFTEST_PHOTON / particle.energy, rng)
    correction = plates.correction[material]
    delta = plates.screening[material] / (particle.energy + ELECTRON_MASS) * y / (1.0 - y)
    if rng.random() * bethe_heitler(y, 0.0, correction) > bethe_heitler(y, delta, correction):
        return n
    angle = min(1.0, ELECTRON_MASS / (particle.energy + ELECTRON_MASS) * rng.standard_exponential())
    n = put(stack, n, particle, 0.0, y * particle.energy, math.cos(angle), 2.0 * math.pi * rng.random())
    particle.energy *= 1.0 - y
    return n


@inner_kernel
def _knock(particle: Record, stack: RecordArray, n: int, rng: Stream) -> int:
    """An electron that is struck, from 1 / T^2 up to half the energy (Moller, leading term); the angles of elastic scattering."""
    energy, least = particle.energy, 1.0 / SOFTEST_DELTA
    if energy <= 2.0 * SOFTEST_DELTA:
        return n
    t = 1.0 / (least - rng.random() * (least - 2.0 / energy))
    phi = 2.0 * math.pi * rng.random()
    n = put(stack, n, particle, -1.0, t, math.sqrt(t * (energy + 2.0 * ELECTRON_MASS) / (energy * (t + 2.0 * ELECTRON_MASS))), phi)
    left = energy - t
    turn(particle, math.sqrt(left * (energy + 2.0 * ELECTRON_MASS) / (energy * (left + 2.0 * ELECTRON_MASS))), phi + math.pi)
    particle.energy = left
    return n


@inner_kernel
def follow_electron(c: Calorimeter, particle: Record, stack: RecordArray, n: int, front: float, rear: float, rng: Stream) -> int:
    """Follow an electron until it leaves or stops; the number on the stack. its energy is 0 where it ended inside."""
    plates = c.plates
    while particle.energy >= SOFTEST_ELECTRON and reaches(c, particle.energy, rear - particle.z):
        plate, uz = plate_at(plates, particle.z - front), particle.uz
        material = plate.material
        ahead = (plate.high if uz > 0.0 else plate.low) + front - particle.z
        edge = ahead / uz + 1e-6 if abs(uz) > 1e-6 else 1e6  # to the end of the plate
        if material == AIR:
            advance(particle, min(edge, 50.0))
        else:
            loss = plate_values(plates, material, particle.energy).loss
            knocks = DELTA_STRENGTH * 0.1 * plates.density[material] * max(0.0, 1.0 / SOFTEST_DELTA - 2.0 / particle.energy)
            if knocks > 0.0:  # what they take is drawn one by one
                loss -= DELTA_STRENGTH * 0.1 * plates.density[material] * math.log(0.5 * particle.energy / SOFTEST_DELTA)
            if particle.energy < HOMELY and loss * (rear - particle.z) > 2.0 * particle.energy:
                break
            lowest = min(SOFTEST_PHOTON / particle.energy, 1.0)
            photons = (4.0 / 3.0 * (-math.log(lowest) - 1.0 + lowest) + 0.5 * (1.0 - lowest * lowest)) / plates.x0[material]
            length = max(min(STEP * particle.energy / loss, MOST_ANGLE * plates.x0[material]), LEAST_STEP)
            until = rng.standard_exponential() / max(photons + knocks, 1e-9)
            length = min(length, edge, until)
            advance(particle, length)
            # what goes into photons too soft to follow comes on top of the collisions
            particle.energy -= length * (loss + 4.0 / 3.0 * lowest * particle.energy / plates.x0[material])
            if particle.energy < SOFTEST_ELECTRON:
                break
            total = particle.energy + ELECTRON_MASS
            p2 = total * total - ELECTRON_MASS * ELECTRON_MASS
            theta = SPACE_ANGLE / math.sqrt(2.0) * total / p2 * math.sqrt(length / plates.x0[material])
            angle = theta * math.sqrt(2.0 * rng.standard_exponential())
            turn(particle, math.cos(min(angle, math.pi)), 2.0 * math.pi * rng.random())
            if length < until:
                pass
            elif rng.random() * (photons + knocks) < knocks:
                n = _knock(particle, stack, n, rng)
            elif particle.energy > SOFTEST_PHOTON:
                n = _radiate(plates, material, particle, stack, n, rng)
        if particle.z >= rear:
            return n
        if particle.z < front:
            break
    particle.energy = 0.0
    return n
