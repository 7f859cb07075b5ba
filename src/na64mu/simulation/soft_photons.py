"""Photons near the rear of a stack, which scatter (Compton) or make pairs. GeV, mm."""

from __future__ import annotations

import math

from na64mu.compiled.kernel import inner_kernel
from na64mu.physics.constants import ELECTRON_MASS
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.simulation.sampling_layers import ABSORBER, AIR, PLASTIC, plate_at, plate_values
from na64mu.simulation.soft_particles import SOFTEST_PHOTON, advance, put, reaches, turn
from na64mu.simulation.stream import Stream
from na64mu.typing import Record, RecordArray

__all__ = ("compton", "follow_photon")


@inner_kernel
def compton(energy: float, rng: Stream) -> tuple[float, float]:
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
def follow_photon(c: Calorimeter, particle: Record, stack: RecordArray, n: int, front: float, rear: float, rng: Stream) -> int:
    """Follow a photon until it leaves, is lost or makes electrons; the number on the stack. its energy is 0 where it ended inside.

    Distances are drawn with the larger of the cross-sections of the two materials, and kept with the share of the one that is there
    (Woodcock's method).
    """
    plates = c.plates
    while particle.energy >= SOFTEST_PHOTON and reaches(c, particle.energy, rear - particle.z):
        dense, thin = plate_values(plates, ABSORBER, particle.energy), plate_values(plates, PLASTIC, particle.energy)
        most = max(dense.scatters + dense.pairs, thin.scatters + thin.pairs)
        scatters, pairs = 0.0, 0.0
        while True:
            length = rng.standard_exponential() / most
            advance(particle, length)
            if particle.z >= rear:
                return n
            if particle.z < front:
                particle.energy = 0.0
                return n
            material = plate_at(plates, particle.z - front).material
            if material == AIR:
                continue
            scatters, pairs = (dense.scatters, dense.pairs) if material == ABSORBER else (thin.scatters, thin.pairs)
            if rng.random() * most < scatters + pairs:
                break
        if rng.random() * (scatters + pairs) < pairs:
            shared = particle.energy - 2.0 * ELECTRON_MASS
            part = rng.random()
            for charge, e in ((-1.0, part * shared), (1.0, (1.0 - part) * shared)):
                angle = min(1.0, ELECTRON_MASS / (e + ELECTRON_MASS) * rng.standard_exponential())
                n = put(stack, n, particle, charge, e, math.cos(angle), 2.0 * math.pi * rng.random())
            particle.energy = 0.0
            return n
        before = particle.energy
        after, cosine = compton(before, rng)
        kinetic, phi = before - after, 2.0 * math.pi * rng.random()
        momentum = math.sqrt(kinetic * (kinetic + 2.0 * ELECTRON_MASS))
        n = put(stack, n, particle, -1.0, kinetic, min(1.0, (before - after * cosine) / max(momentum, 1e-12)), phi + math.pi)
        turn(particle, cosine, phi)
        particle.energy = after
    particle.energy = 0.0
    return n
