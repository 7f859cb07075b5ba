"""The layers of a sampling calorimeter for photons and electrons tracked one by one: cross-sections on a grid of energies. GeV, mm."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import inner_kernel
from na64mu.compiled.records import record_kind
from na64mu.physics.electromagnetic import collision_loss, compton, pair_production, screening_constants
from na64mu.physics.materials import SCINTILLATOR, Substance
from na64mu.typing import FloatArray, RecordArray

__all__ = ("ABSORBER", "AIR", "PLASTIC", "Plate", "PlateValues", "Plates", "build_plates", "plate_at", "plate_values")

#: Materials of a layer, in the order that the beam meets them: absorber, scintillator, and air up to the next layer.
ABSORBER, PLASTIC, AIR = range(3)

#: What happens to a photon or electron of some energy: Compton scatterings and pairs per length [1/mm], collision loss [GeV/mm].
VALUES = record_kind("scatters pairs loss")

LOWEST, HIGHEST, N_ENERGIES = 3e-4, 200.0, 140  # of the tables [GeV]
LOG_LOW, LOG_STEP = math.log(LOWEST), math.log(HIGHEST / LOWEST) / (N_ENERGIES - 1)


class PlateValues(NamedTuple):
    """Scatterings and pairs of a photon per length [1/mm], collision loss of an electron [GeV/mm]."""

    scatters: float
    pairs: float
    loss: float


class Plate(NamedTuple):
    """A plate: ABSORBER, PLASTIC or AIR, its begin and its end [mm]."""

    material: int
    low: float
    high: float


class Plates(NamedTuple):
    """Plates of a stack.

    Attributes
    ----------
    pitch, absorber, scintillator : float
        Length of a layer and thickness of its plates [mm].
    x0 : FloatArray
        Radiation lengths of absorber and scintillator [mm], shape (2,).
    screening, correction : FloatArray
        For radiation, see `physics.electromagnetic.screening_constants`, of the element with most of Z^2; shape (2,).
    density : FloatArray
        Densities of absorber, scintillator and air (none) [g/cm3], shape (3,).
    table : RecordArray
        Records of the kind VALUES, shape (2, N_ENERGIES): materials, energies even in their logarithm.
    """

    pitch: float
    absorber: float
    scintillator: float
    x0: FloatArray
    screening: FloatArray
    correction: FloatArray
    density: FloatArray
    table: RecordArray


def build_plates(absorber: Substance, thickness: float, scintillator: float, pitch: float) -> Plates:
    """Tabulate the plates of a stack.

    Parameters
    ----------
    absorber : Substance
        Material of the first plate of a layer.
    thickness, scintillator, pitch : float
        Thickness of absorber and scintillator, and pitch of the layers [mm].

    Returns
    -------
    Plates
        Arrays for the kernels.
    """
    energies = np.exp(LOG_LOW + LOG_STEP * np.arange(N_ENERGIES))
    table = np.zeros((2, N_ENERGIES), VALUES)
    for i, substance in enumerate((absorber, SCINTILLATOR)):
        for j, energy in enumerate(energies):
            table[i, j] = compton(energy, substance), pair_production(energy, substance), collision_loss(energy, substance)
    constants = np.array([screening_constants(max(z for z, _, _ in s.elements)) for s in (absorber, SCINTILLATOR)])
    density = np.array([absorber.density, SCINTILLATOR.density, 0.0])
    x0 = np.array([absorber.x0, SCINTILLATOR.x0])
    return Plates(pitch, thickness, scintillator, x0, constants[:, 0].copy(), constants[:, 1].copy(), density, table)


@inner_kernel
def plate_values(plates: Plates, material: int, energy: float) -> PlateValues:
    """A record of the tables, interpolated.

    Parameters
    ----------
    plates : Plates
        The plates.
    material : int
        ABSORBER or PLASTIC.
    energy : float
        [GeV].

    Returns
    -------
    PlateValues
        At the energy.
    """
    position = min(max((math.log(energy) - LOG_LOW) / LOG_STEP, 0.0), N_ENERGIES - 1.000001)
    j = int(position)
    f = position - j
    low, high = plates.table[material, j], plates.table[material, j + 1]
    g = 1.0 - f
    return PlateValues(g * low.scatters + f * high.scatters, g * low.pairs + f * high.pairs, g * low.loss + f * high.loss)


@inner_kernel
def plate_at(plates: Plates, depth: float) -> Plate:
    """The plate at a depth in the stack.

    Parameters
    ----------
    plates : Plates
        The plates.
    depth : float
        Depth from the front face [mm].

    Returns
    -------
    Plate
        With its begin and end, as depths [mm].
    """
    layer = math.floor(depth / plates.pitch) * plates.pitch
    first, second = layer + plates.absorber, layer + plates.absorber + plates.scintillator
    if depth < first:
        return Plate(ABSORBER, layer, first)
    if depth < second:
        return Plate(PLASTIC, first, second)
    return Plate(AIR, second, layer + plates.pitch)
