"""Calorimeters of a set-up for the kernels: homogenised stacks, their loss tables and their muon scale.

Lengths mm, energies GeV. The depth-averaged lateral radii, used for soft showers and for what leaves the rear, are 0.25 and
1 Moliere radius with 90 % in the core (inferred from Grindhammer and Peters, hep-ex/0001020, so that 90 % of the energy
lies inside one Moliere radius).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from na64mu.detector import Detector
from na64mu.detector.elements import Ecal, Hcal, Vhcal
from na64mu.physics.energy_loss import restricted_ionisation
from na64mu.physics.materials import COPPER, IRON, LEAD, SCINTILLATOR, Layer, Substance
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.simulation.losses import CUT, LossTables, build_losses, losses_of
from na64mu.simulation.particles import new_state
from na64mu.simulation.sampling_layers import build_plates
from na64mu.simulation.showers import deposit_electromagnetic
from na64mu.simulation.straggling import Knocks, knock_exponent
from na64mu.simulation.stream import Stream
from na64mu.typing import FloatArray

ComplexArray = NDArray[np.complex128]

__all__ = ("build_calorimeters", "most_probable")

#: h/e of equal thicknesses of lead and plastic scintillator, which are calibrated with electrons; compensation (h/e = 1) needs four
#: times more lead than plastic (R. Wigmans, Calorimetry, ch. 3); inferred: the value of this stack is not published.
ECAL_H_OVER_E = 0.74

#: Resolution for hadrons in the ECAL, stochastic and constant term (inferred: that of the HCAL; it is not published).
ECAL_HADRONS = (0.65, 0.06)

#: Knock-on electrons above this kinetic energy leave the plates of the ECAL: their range is 1.5 mm of lead or more [GeV].
LEAVES = 0.002

#: Showers in stacks with fewer layers per radiation length than this take the shape of this one: the published parametrisation
#: was fitted to finer stacks, and in VHCAL and HCAL no section or cell is small enough to see the shape.
COARSEST = 2.0

CONTAINED_AT, N_CONTAINED = 10.0, 1000  # energy [GeV] and number of the showers that set the scale of the ECAL

N_BINS, BIN = 2048, 0.002  # signals up to 4 GeV for the most probable value [GeV]

#: Nuclear interaction lengths, of nucleons [mm] (PDG).
INTERACTION_LENGTH = {"lead": 175.9, "copper": 153.2, "iron": 167.7, "polystyrene": 771.0}

#: Interaction lengths of pions [mm] (PDG, atomic and nuclear properties: 226.2, 165.9, 160.8 and 113.7 g/cm2). Nearly all hadrons
#: here are pions; in the HCAL of Geant4 22 of 10 000 pions of 100 GeV cross a module without an interaction, 23 by these lengths and
#: 8 by those of nucleons.
PION_LENGTH = {"lead": 199.3, "copper": 185.1, "iron": 204.2, "polystyrene": 1073.0}


def _loss_spectrum(tables: LossTables, length: float, energy: float, grid: FloatArray) -> FloatArray:
    """Mean number of hard losses in every bin of a grid of energies."""
    j = min(round((math.log(energy) - tables.log_low) / tables.log_step), tables.rates.shape[1] - 1)
    edges = np.append(grid, 2.0 * grid[-1] - grid[-2]) - 0.5 * (grid[1] - grid[0])
    counts = np.zeros(len(grid))
    log_edges = np.log(np.maximum(edges, CUT))
    for i in range(tables.rates.shape[0]):
        above = np.interp(log_edges, tables.log_transfer[i, j], np.exp(tables.log_survival[i, j]), right=0.0)
        counts += tables.rates[i, j] * length * (above[:-1] - above[1:])
    return counts


def _hard_losses(tables: LossTables, length: float, energy: float, stochastic: float) -> ComplexArray:
    """Characteristic function of the signal of all hard losses: compound Poisson, each with its resolution."""
    grid = BIN * np.arange(N_BINS, dtype=np.float64)
    counts = _loss_spectrum(tables, length, energy, grid)
    omega = 2.0 * math.pi * np.fft.rfftfreq(N_BINS, BIN)
    # a loss of energy t gives a gamma-distributed signal of mean t, variance stochastic^2 t: (1 + i w s)^(-t / s)
    spread = max(stochastic**2, 1e-9)
    exponent = -np.log1p(1j * omega[:, None] * spread) / spread * grid
    return np.exp((np.exp(exponent) - 1.0) @ counts)


def most_probable(hard: ComplexArray, mean: float, knocks: Knocks) -> float:
    """Most probable signal of a muon: ionisation below the cut (see straggling.py) plus the compound Poisson sum of hard losses.

    The distribution is computed by Fourier transform, so nothing is sampled.

    Parameters
    ----------
    hard : ComplexArray
        Characteristic function of the hard losses.
    mean : float
        Mean signal of the ionisation below the cut [GeV].
    knocks : Knocks
        Parameters of its knock-on electrons.

    Returns
    -------
    float
        Position of the maximum [GeV].
    """
    omega = np.asarray(2.0 * math.pi * np.fft.rfftfreq(N_BINS, BIN), dtype=np.float64)
    density = np.fft.irfft(hard * np.exp(knock_exponent(omega, mean, knocks)), N_BINS)
    k = int(np.argmax(density[1:-1])) + 1
    left, middle, right = density[k - 1], density[k], density[k + 1]
    return float(BIN * (k + 0.5 * (left - right) / (left - 2.0 * middle + right)))


def _knocks(
    mean: float, scintillator: float, layers: tuple[Layer, ...], length: float, energy: float, seen: bool, sampling: float
) -> Knocks:
    """Knock-on electrons behind a mean signal [GeV] of a length [mm] with a thickness of scintillator.

    Where the plates are thin (`seen`), knock-on electrons of more than LEAVES cross several of them and are seen as showers
    are, those of the absorber too. In thick ones those of the absorber stay in it.
    """
    loss, variance, _ = restricted_ionisation(energy, CUT, SCINTILLATOR)
    per_loss = mean / (loss * scintillator)  # signal per energy in the scintillator
    direct = variance / CUT * scintillator * per_loss / mean
    if not seen:
        return Knocks(direct, CUT * per_loss, 0.0, 1.0, 1.0, 0.0)
    all_of_them = sum(layer.fraction * restricted_ionisation(energy, CUT, layer.substance)[1] for layer in layers) / CUT * length
    return Knocks(direct, LEAVES * per_loss, all_of_them / mean, LEAVES, CUT, sampling)


def _mip_scale(tables: LossTables, length: float, energy: float, mip: float, knocks: Callable[[float], Knocks], stochastic: float) -> float:
    """Signal per ionisation below the cut that puts the most probable muon signal where the description has it."""
    hard = _hard_losses(tables, length, energy, stochastic)
    loss = losses_of(tables, energy).mean * length
    return float(brentq(lambda k: most_probable(hard, k * loss, knocks(k * loss)) - mip, 0.2 * mip / loss, 1.2 * mip / loss, xtol=1e-5))


def _charge(substance: Substance) -> float:
    """Nuclear charge, averaged over the mass."""
    return sum(weight * z for z, _, weight in substance.elements)


def _contained(c: Calorimeter, shape: tuple[int, int]) -> float:
    """Share of a central electron shower that the cells see: the calibration with electrons makes up for the rest."""
    cells, rng = np.zeros((len(c.ends), *shape)), Stream(1)
    sharp, (ix, iy) = c._replace(stochastic=0.0, constant=0.0), (shape[0] // 2, shape[1] // 2)
    state = new_state(c.x_low + (ix + 0.5) * c.x_pitch, c.y_low + (iy + 0.5) * c.y_pitch, 0.0, 0.0, CONTAINED_AT)
    for _ in range(N_CONTAINED):
        deposit_electromagnetic(sharp, cells, state, c.z, CONTAINED_AT, False, 0.0, rng)
    return float(cells.sum()) / (N_CONTAINED * CONTAINED_AT)


def _stack(
    absorber: Substance, thickness: float, scintillator: float, layers: int, length: float
) -> tuple[tuple[Layer, ...], float, float, float]:
    """Layers of the homogenised stack, its radiation length, interaction length of pions and critical energy."""
    fractions = layers * thickness / length, layers * scintillator / length
    stack = (Layer(absorber, fractions[0]), Layer(SCINTILLATOR, fractions[1]))
    x0 = 1.0 / sum(layer.fraction / layer.substance.x0 for layer in stack)
    interaction = 1.0 / sum(layer.fraction / PION_LENGTH[layer.substance.name] for layer in stack)
    # the critical energy is the ionisation per radiation length, so it averages with the thickness in radiation lengths
    critical = x0 * sum(layer.fraction / layer.substance.x0 * layer.substance.critical_energy for layer in stack)
    return stack, x0, interaction, critical


def _build(
    calorimeter: Ecal | Vhcal | Hcal,
    ends: FloatArray,
    absorber: Substance,
    thicknesses: tuple[float, float],
    layers: int,
    hole: tuple[float, float],
    energy: float,
) -> Calorimeter:
    length = calorimeter.length
    thickness, scintillator = thicknesses
    stack, x0, interaction, critical = _stack(absorber, thickness, scintillator, layers, length)
    losses = build_losses(stack)
    if isinstance(calorimeter, Ecal):
        stochastic, constant = calorimeter.stochastic, calorimeter.constant
        hadrons = ECAL_HADRONS
    else:
        hadrons = calorimeter.hadron_resolution
        # the published resolution is that for hadrons; electromagnetic sampling: 2.7 % sqrt(d / mm / f)
        # (R. Wigmans, Calorimetry, 2nd ed., Oxford 2017, sec. 4.2), f the sampling fraction of muons
        visible = restricted_ionisation(energy, CUT, SCINTILLATOR)[0] * scintillator
        fraction = visible / (visible + restricted_ionisation(energy, CUT, absorber)[0] * thickness)
        stochastic, constant = 0.027 * math.sqrt(scintillator / fraction), 0.0

    def knocks(mean: float) -> Knocks:
        return _knocks(mean, layers * scintillator, stack, length, energy, isinstance(calorimeter, Ecal), stochastic**2)

    scale = _mip_scale(losses, length, energy, calorimeter.mip, knocks, stochastic)
    ionisation = losses_of(losses, energy).mean * length * scale
    moliere = x0 * 0.0212 / critical
    masses = [layer.fraction * layer.substance.density for layer in stack]
    z_effective = sum(m * _charge(layer.substance) for m, layer in zip(masses, stack, strict=True)) / sum(masses)
    n = calorimeter.cells
    return Calorimeter(
        z=calorimeter.z,
        ends=ends,
        x_low=calorimeter.centre[0] - 0.5 * n[0] * calorimeter.cell[0],
        y_low=calorimeter.centre[1] - 0.5 * n[1] * calorimeter.cell[1],
        x_pitch=calorimeter.cell[0],
        y_pitch=calorimeter.cell[1],
        x_hole=hole[0],
        y_hole=hole[1],
        x0=x0,
        interaction_length=interaction,
        critical_energy=critical,
        core=0.25 * moliere,
        tail=moliere,
        core_weight=0.9,
        moliere=moliere,
        z_effective=z_effective,
        sampling_frequency=max(x0 / (thickness + scintillator), COARSEST),
        # Grindhammer and Peters, appendix A: from the charges of passive and active plates
        e_hat=1.0 / (1.0 + 0.007 * (absorber.elements[0][0] - _charge(SCINTILLATOR))),
        scale=1.0,
        stochastic=stochastic,
        constant=constant,
        hadron_stochastic=hadrons[0],
        hadron_constant=hadrons[1],
        h_over_e=ECAL_H_OVER_E if isinstance(calorimeter, Ecal) else 1.0,
        mip_scale=scale,
        knocks=knocks(ionisation),
        z_nucleus=absorber.elements[0][0],
        losses=losses,
        plates=build_plates(absorber, thickness, scintillator, length / layers),
    )


def build_calorimeters(detector: Detector) -> tuple[Calorimeter, Calorimeter, Calorimeter]:
    """ECAL, VHCAL and HCAL of a set-up.

    Parameters
    ----------
    detector : Detector
        The description.

    Returns
    -------
    tuple of Calorimeter
        ECAL (sections preshower and main), VHCAL (one section), HCAL (one section per module).
    """
    e, v, h = detector.ecal, detector.vhcal, detector.hcal
    p = detector.beam.momentum
    layer = e.length / sum(e.layers)
    ecal_ends = np.array([e.z + e.layers[0] * layer, e.z + e.length])
    ecal = _build(e, ecal_ends, LEAD, (e.lead, e.scintillator), sum(e.layers), (0.0, 0.0), p)
    vhcal = _build(v, np.array([v.z + v.length]), COPPER, (v.absorber, v.scintillator), v.layers, v.half_hole, p)
    hcal = _build(h, np.array([z + h.length for z in h.front]), IRON, (h.absorber, h.scintillator), h.layers, (0.0, 0.0), p)
    return ecal._replace(scale=1.0 / _contained(ecal, e.cells)), vhcal, hcal
