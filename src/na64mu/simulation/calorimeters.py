"""Calorimeters of a set-up for the kernels: homogenised stacks, their loss tables and their muon scale.

Lengths mm, energies GeV. The lateral radii are 0.25 and 1 Moliere radius with 90 % in the core (inferred from Grindhammer
and Peters, hep-ex/0001020, averaged over depth, so that 90 % of the energy lies inside one Moliere radius).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from na64mu.detector import Detector
from na64mu.detector.elements import Ecal, Hcal, Vhcal
from na64mu.simulation.losses import CUT, LossTables, build_losses, rate
from na64mu.simulation.materials import COPPER, IRON, LEAD, SCINTILLATOR, Layer, Substance
from na64mu.simulation.showers import Calorimeter
from na64mu.simulation.spectra import restricted_ionisation
from na64mu.typing import FloatArray

ComplexArray = NDArray[np.complex128]

__all__ = ("build_calorimeters", "mip_scale", "most_probable")

#: h/e of equal thicknesses of lead and plastic scintillator, which are calibrated with electrons; compensation (h/e = 1) needs four
#: times more lead than plastic (R. Wigmans, Calorimetry, ch. 3); inferred: the value of this stack is not published.
ECAL_H_OVER_E = 0.74

N_BINS, BIN = 2048, 0.002  # signals up to 4 GeV for the most probable value [GeV]

#: Nuclear interaction lengths [mm] (PDG).
INTERACTION_LENGTH = {"lead": 175.9, "copper": 153.2, "iron": 167.7, "polystyrene": 771.0}


def _loss_spectrum(tables: LossTables, length: float, energy: float, grid: FloatArray) -> FloatArray:
    """Mean number of hard losses in every bin of a grid of energies."""
    j = min(round((math.log(energy) - tables.log_low) / tables.log_step), tables.rates.shape[1] - 1)
    edges = np.append(grid, 2.0 * grid[-1] - grid[-2]) - 0.5 * (grid[1] - grid[0])
    counts = np.zeros(len(grid))
    log_edges = np.log(np.maximum(edges, CUT))
    for i in range(tables.rates.shape[0]):
        axis = np.linspace(math.log(CUT), tables.log_max[i, j], tables.log_survival.shape[2])
        above = np.interp(log_edges, axis, np.exp(tables.log_survival[i, j]), right=0.0)
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


def most_probable(hard: ComplexArray, ionisation: float, relative_variance: float, relative_third: float) -> float:
    """Most probable signal of a muon: ionisation below the cut (see `losses.fluctuated`) plus the compound Poisson sum of hard losses.

    The distribution is computed by Fourier transform, so nothing is sampled.

    Parameters
    ----------
    hard : ComplexArray
        Characteristic function of the hard losses.
    ionisation : float
        Mean signal of the ionisation below the cut [GeV].
    relative_variance : float
        Variance of that signal over its square.
    relative_third : float
        Its third cumulant over its cube.

    Returns
    -------
    float
        Position of the maximum [GeV].
    """
    omega = 2.0 * math.pi * np.fft.rfftfreq(N_BINS, BIN)
    skewness = relative_third / relative_variance**1.5
    shape, scale = 4.0 / skewness**2, 0.5 * skewness * math.sqrt(relative_variance) * ionisation
    soft = np.exp(-1j * omega * (ionisation - shape * scale) - shape * np.log1p(1j * omega * scale))
    density = np.fft.irfft(hard * soft, N_BINS)
    k = int(np.argmax(density[1:-1])) + 1
    left, middle, right = density[k - 1], density[k], density[k + 1]
    return float(BIN * (k + 0.5 * (left - right) / (left - 2.0 * middle + right)))


def mip_scale(tables: LossTables, length: float, energy: float, mip: float, fluctuations: tuple[float, float], stochastic: float) -> float:
    """Scale of the ionisation that puts the most probable muon signal where the description has it.

    Parameters
    ----------
    tables : LossTables
        Losses of the medium.
    length : float
        [mm].
    energy : float
        Muon energy [GeV].
    mip : float
        Most probable signal of the description [GeV].
    fluctuations : tuple of float
        Relative variance and third cumulant of the ionisation below the cut.
    stochastic : float
        Resolution term for the hard losses [sqrt(GeV)].

    Returns
    -------
    float
        Signal per ionisation below the cut.
    """
    hard = _hard_losses(tables, length, energy, stochastic)
    loss = rate(tables, energy)[1] * length
    return float(brentq(lambda k: most_probable(hard, k * loss, *fluctuations) - mip, 0.2 * mip / loss, 1.2 * mip / loss, xtol=1e-5))


def _sampling(scintillator: float, energy: float) -> tuple[float, float]:
    """Relative variance and third cumulant of the ionisation below the cut in a thickness of scintillator [mm]."""
    mean, variance, third = restricted_ionisation(energy, CUT, SCINTILLATOR)
    return variance / (mean * mean * scintillator), third / (mean**3 * scintillator**2)


def _stack(
    absorber: Substance, thickness: float, scintillator: float, layers: int, length: float
) -> tuple[tuple[Layer, ...], float, float, float]:
    """Layers of the homogenised stack, its radiation and interaction length and its critical energy."""
    fractions = layers * thickness / length, layers * scintillator / length
    stack = (Layer(absorber, fractions[0]), Layer(SCINTILLATOR, fractions[1]))
    x0 = 1.0 / sum(layer.fraction / layer.substance.x0 for layer in stack)
    interaction = 1.0 / sum(layer.fraction / INTERACTION_LENGTH[layer.substance.name] for layer in stack)
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
    else:
        # the published resolution is that for hadrons; electromagnetic sampling: 2.7 % sqrt(d / mm / f)
        # (R. Wigmans, Calorimetry, 2nd ed., Oxford 2017, sec. 4.2), f the sampling fraction of muons
        visible = restricted_ionisation(energy, CUT, SCINTILLATOR)[0] * scintillator
        fraction = visible / (visible + restricted_ionisation(energy, CUT, absorber)[0] * thickness)
        stochastic, constant = 0.027 * math.sqrt(scintillator / fraction), 0.0
    fluctuations = _sampling(layers * scintillator, energy)
    scale = mip_scale(losses, length, energy, calorimeter.mip, fluctuations, stochastic)
    ionisation = rate(losses, energy)[1] * length * scale
    moliere = x0 * 0.0212 / critical
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
        stochastic=stochastic,
        constant=constant,
        hadron_stochastic=0.65 if isinstance(calorimeter, Ecal) else calorimeter.stochastic,
        hadron_constant=0.06 if isinstance(calorimeter, Ecal) else calorimeter.constant,
        h_over_e=ECAL_H_OVER_E if isinstance(calorimeter, Ecal) else 1.0,
        mip_scale=scale,
        mip_variance=fluctuations[0] * ionisation,
        mip_third=fluctuations[1] * ionisation**2,
        z_nucleus=absorber.elements[0][0],
        losses=losses,
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
    return ecal, vhcal, hcal
