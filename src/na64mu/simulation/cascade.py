"""The hard core of an electromagnetic shower near the rear of a calorimeter: the particles that leave it, one by one.

A shower that begins a few radiation lengths before the rear face lets most of its energy out as hard photons, electrons
and positrons, which fly on to the HCAL. Rossi's approximation A above SOFTEST: bremsstrahlung 4/3 - 4/3 y + y^2 over y per
radiation length, pair production 7/9 (1 - 4/3 v (1 - v)) / (7/9) per radiation length (PDG Review sec. 34.4, eqs. 34.29
and 34.31), continuous loss of electrons to softer photons and ionisation. Energies GeV, depths in radiation lengths.
"""

from __future__ import annotations

import math

from na64mu.compiled.kernel import inner_kernel, kernel
from na64mu.simulation.stream import Stream
from na64mu.typing import RecordArray

__all__ = ("MOST_PARTICLES", "SOFTEST", "brems_fraction", "leaving_particles")

#: Softer particles belong to the shower's profile: MS2 bends an electron of 0.2 GeV by 2 rad out of the line.
SOFTEST = 0.2

MOST_PARTICLES = 2000


@inner_kernel
def brems_fraction(lowest: float, rng: Stream) -> float:
    """Part of an electron's energy that a photon takes, from (4/3 - 4/3 y + y^2) / y above `lowest`."""
    while True:
        y = lowest ** (1.0 - rng.random())
        if rng.random() * (4.0 / 3.0) < 4.0 / 3.0 * (1.0 - y) + y * y:
            return y


@inner_kernel
def _pair_fraction(rng: Stream) -> float:
    """Electron energy over photon energy, from 1 - 4/3 v (1 - v)."""
    while True:
        v = rng.random()
        if rng.random() < 1.0 - 4.0 / 3.0 * v * (1.0 - v):
            return v


@inner_kernel
def _brems_rate(lowest: float) -> float:
    """Photons above a lowest y per radiation length."""
    return 4.0 / 3.0 * math.log(1.0 / lowest) - 4.0 / 3.0 * (1.0 - lowest) + 0.5 * (1.0 - lowest * lowest)


@kernel
def leaving_particles(energy: float, photon: bool, depth: float, critical_energy: float, out: RecordArray, rng: Stream) -> int:
    """Particles above SOFTEST that leave the rear face.

    Parameters
    ----------
    energy : float
        Energy of the photon or electron that starts the shower [GeV].
    photon : bool
        Whether it is a photon.
    depth : float
        Depth from the start to the rear face [radiation lengths].
    critical_energy : float
        Critical energy of the stack [GeV]: the ionisation loss per radiation length.
    out : RecordArray
        Records of the kind particles.LEAVING, shape (MOST_PARTICLES,), overwritten.
    rng : Stream
        Random numbers.

    Returns
    -------
    int
        Number of records filled.
    """
    # records from the end of `out` are the particles still to follow
    n_out, n_left = 0, 1
    last = len(out) - 1
    first = out[last]
    first.energy, first.charge, first.depth = energy, 0.0 if photon else -1.0, depth
    while n_left > 0:
        next_one = out[last - n_left + 1]
        e, charge, left = next_one.energy, next_one.charge, next_one.depth
        n_left -= 1
        made = left
        while True:
            if e < SOFTEST:
                break
            lowest = min(SOFTEST / e, 0.999)
            step = rng.standard_exponential() * (9.0 / 7.0 if charge == 0.0 else 1.0 / max(_brems_rate(lowest), 1e-6))
            if charge != 0.0:  # what goes into softer photons and ionisation on the way
                e -= (4.0 / 3.0 * SOFTEST + critical_energy) * min(step, left)
            if step >= left:
                if e >= SOFTEST and n_out < last - n_left:
                    gone = out[n_out]
                    gone.energy, gone.charge, gone.depth = e, charge, made
                    n_out += 1
                break
            left -= step
            if e < SOFTEST or n_out + n_left + 2 > last:
                break
            if charge == 0.0:
                v = _pair_fraction(rng)
                n_left += 1
                new = out[last - n_left + 1]
                new.energy, new.charge, new.depth = (1.0 - v) * e, 1.0, left
                e, charge, made = v * e, -1.0, left
            else:
                y = brems_fraction(lowest, rng)
                n_left += 1
                new = out[last - n_left + 1]
                new.energy, new.charge, new.depth = y * e, 0.0, left
                e *= 1.0 - y
    return n_out
