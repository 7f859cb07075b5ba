"""Interactions of hadrons and muons with nuclei: the hadrons that come out, showers of neutral pions, and signals of what is slow.

The numbers of the break-up are those of Geant4, see hadrons.py. GeV, mm.
"""

from __future__ import annotations

import math

from na64mu.compiled.kernel import inner_kernel
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.simulation.geometry import ECAL, HCAL, VHCAL
from na64mu.simulation.leakage import electromagnetic_shower
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.showers import deposit_point, smeared_response
from na64mu.simulation.stream import Stream
from na64mu.typing import FloatArray, Record

__all__ = ("SOFTEST_HADRON", "break_up", "section_at", "see_slow", "stack_of")

SOFTEST_HADRON = 0.5  # below this kinetic energy a hadron stops where it is [GeV]

#: n of the break-up, whose mean z is 1 / (n + 1), of hadrons and of muons: the leading hadron of 25 muon-nuclear interactions of more than 5 GeV in
#: Geant4 has 0.47 +- 0.05 of the energy, the formula gives 0.48.
HARDNESS, MUON_HARDNESS = 4.5, 2.0
DIFFRACTIVE, KEPT = 0.10, 0.85
NEUTRAL_PIONS, CHARGED = 0.27, 0.64  # shares of neutral pions (with eta) and charged hadrons; the rest is neutral
MEAN_PT = 0.41  # of the exponential distribution of transverse momenta [GeV/c]

#: Depth of an electromagnetic shower in VHCAL and HCAL: gamma distribution of this shape and scale [radiation lengths]; the cells are 8 radiation
#: lengths wide and the module is 68 deep (mean of the profiles of 1 to 10 GeV, see profiles.py).
DEPTH_SHAPE, DEPTH_SCALE = 3.5, 2.0

SLOW_RANGE = 0.5  # mean distance from the nucleus at which slow hadrons leave their energy, in all directions [interaction lengths]


@inner_kernel
def stack_of(setup: Setup, scratch: Scratch, step: int) -> tuple[Calorimeter, FloatArray]:
    """The calorimeter of a step, and its cells."""
    kind = setup.line.kind[step]
    if kind == ECAL:
        return setup.ecal, scratch.ecal
    if kind == VHCAL:
        return setup.vhcal, scratch.vhcal
    return setup.hcal, scratch.hcal


@inner_kernel
def section_at(c: Calorimeter, z: float) -> int:
    """Section or module of a calorimeter at z [mm]."""
    section = 0
    while section < len(c.ends) - 1 and z >= c.ends[section]:
        section += 1
    return section


@inner_kernel
def _see(c: Calorimeter, cells: FloatArray, z: float, x: float, y: float, energy: float, common: float, rng: Stream) -> None:
    """Signal of energy at a point: the stochastic term for itself, the constant one common to the whole shower."""
    signal = smeared_response(energy * max(0.0, 1.0 + c.hadron_constant * common), c.hadron_stochastic, 0.0, rng)
    deposit_point(c, cells, section_at(c, z), x, y, signal)


@inner_kernel
def see_slow(c: Calorimeter, cells: FloatArray, z: float, state: Record, energy: float, common: float, rng: Stream) -> None:
    """Signal of slow hadrons around a nucleus: they are seen with h/e."""
    r, cosine, phi = SLOW_RANGE * c.interaction_length * rng.standard_exponential(), 2.0 * rng.random() - 1.0, 2.0 * math.pi * rng.random()
    across, at = r * math.sqrt(1.0 - cosine * cosine), z + r * cosine
    if c.z < at < c.ends[-1]:
        _see(c, cells, at, state.x + across * math.cos(phi), state.y + across * math.sin(phi), energy * c.h_over_e, common, rng)


@inner_kernel
def _put(scratch: Scratch, n: int, state: Record, z: float, step: int, energy: float, charge: float, rng: Stream) -> int:
    """A new hadron with a transverse momentum; how many there are."""
    if n >= len(scratch.hadrons):
        return n
    angle, phi = min(1.0, MEAN_PT * rng.standard_exponential() / energy), 2.0 * math.pi * rng.random()
    new = scratch.hadrons[n]
    new.x, new.y, new.z, new.energy, new.charge, new.step = state.x, state.y, z, energy, charge, step
    new.tx, new.ty = state.tx + angle * math.cos(phi), state.ty + angle * math.sin(phi)
    return n + 1


@inner_kernel
def _neutral_pion(
    setup: Setup, scratch: Scratch, c: Calorimeter, cells: FloatArray, step: int, state: Record, z: float, energy: float, common: float,
    rng: Stream,
) -> None:  # fmt: skip
    """A neutral pion showers: in the HCAL with the resolution for hadrons, elsewhere as photons do."""
    photon = scratch.hadron
    angle, phi = min(1.0, MEAN_PT * rng.standard_exponential() / energy), 2.0 * math.pi * rng.random()
    photon.x, photon.y, photon.p = state.x, state.y, energy
    photon.tx, photon.ty = state.tx + angle * math.cos(phi), state.ty + angle * math.sin(phi)
    if setup.line.kind[step] != HCAL:
        electromagnetic_shower(setup, scratch, c, cells, step, photon, z, energy, True, rng)
        return
    deep = DEPTH_SCALE * c.x0 * rng.standard_gamma(DEPTH_SHAPE)
    if z + deep < c.ends[-1]:
        _see(c, cells, z + deep, photon.x + deep * photon.tx, photon.y + deep * photon.ty, energy, common, rng)


@inner_kernel
def break_up(
    setup: Setup, scratch: Scratch, n: int, step: int, state: Record, z: float, energy: float, hadron: bool, common: float, rng: Stream
) -> int:
    """An interaction: its hadrons go to the stack, neutral pions shower, the rest stays at the nucleus."""
    c, cells = stack_of(setup, scratch, step)
    left, hardness = energy, HARDNESS if hadron else MUON_HARDNESS
    first = hadron and rng.random() < DIFFRACTIVE
    while left >= SOFTEST_HADRON:
        part = KEPT + (1.0 - KEPT) * rng.random() if first else 1.0 - rng.random() ** (1.0 / hardness)
        piece, kind = left * part, rng.random()
        if piece < SOFTEST_HADRON:  # slow: of what is left, it or the nucleus keeps this
            left -= piece
            see_slow(c, cells, z, state, piece, common, rng)
            continue
        left -= piece
        if kind < NEUTRAL_PIONS and not first:
            _neutral_pion(setup, scratch, c, cells, step, state, z, piece, common, rng)
        else:
            charge = 0.0 if kind > NEUTRAL_PIONS + CHARGED and not first else (1.0 if rng.random() < 0.5 else -1.0)
            n = _put(scratch, n, state, z, step, piece, charge, rng)
        first = False
    if left > 0.0:
        see_slow(c, cells, z, state, left, common, rng)
    return n
