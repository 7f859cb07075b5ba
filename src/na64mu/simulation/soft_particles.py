"""Soft particles near the rear of a stack: when they are followed, their directions, and the list of those still to follow. GeV, mm."""

from __future__ import annotations

import math

from na64mu.compiled.kernel import inner_kernel, small_kernel
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.typing import Record, RecordArray

__all__ = ("DEEPEST_SPRAY", "SOFTEST_ELECTRON", "SOFTEST_PHOTON", "advance", "copy_particle", "put", "reaches", "turn")

#: Particles further from the rear than this are left out [radiation lengths]. At the critical energy and below, photons of 3 to 10 MeV, which go
#: furthest, lose a factor e in 2.2 of them in iron and plastic. A shower grows to E / Ec particles at ln(E / Ec) and falls by e in about 2.
DEEPEST_SPRAY, DEEPER = 12.0, 3.0  # at the critical energy, per factor e of the energy

SOFTEST_PHOTON = 6e-4  # its Compton electron has less than the threshold of the counters, 0.4 MeV [GeV]
SOFTEST_ELECTRON = 5e-4  # [GeV]


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
def turn(particle: Record, cosine: float, phi: float) -> None:
    """Turn the direction of a particle by an angle, at an azimuth [rad]."""
    ux, uy, uz = particle.ux, particle.uy, particle.uz
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    a, b = sine * math.cos(phi), sine * math.sin(phi)
    across = math.hypot(ux, uy)
    if across < 1e-9:
        particle.ux, particle.uy, particle.uz = a, b, cosine if uz > 0.0 else -cosine
        return
    particle.ux = cosine * ux + (a * ux * uz - b * uy) / across
    particle.uy = cosine * uy + (a * uy * uz + b * ux) / across
    particle.uz = cosine * uz - a * across
    norm = 1.0 / math.sqrt(particle.ux**2 + particle.uy**2 + particle.uz**2)
    particle.ux *= norm
    particle.uy *= norm
    particle.uz *= norm


@small_kernel
def advance(particle: Record, length: float) -> None:
    """Carry a particle along its direction [mm]."""
    particle.x += length * particle.ux
    particle.y += length * particle.uy
    particle.z += length * particle.uz


@small_kernel
def copy_particle(source: Record, target: Record) -> None:
    """Copy a particle."""
    target.charge, target.energy, target.x, target.y, target.z = source.charge, source.energy, source.x, source.y, source.z
    target.ux, target.uy, target.uz = source.ux, source.uy, source.uz


@inner_kernel
def put(stack: RecordArray, n: int, mother: Record, charge: float, energy: float, cosine: float, phi: float) -> int:
    """A new particle on the stack, at an angle to its mother; its number, unless the stack is full."""
    if n >= len(stack) or energy < SOFTEST_ELECTRON:
        return n
    new = stack[n]
    new.charge, new.energy, new.x, new.y, new.z = charge, energy, mother.x, mother.y, mother.z
    new.ux, new.uy, new.uz = mother.ux, mother.uy, mother.uz
    turn(new, cosine, phi)
    return n + 1
