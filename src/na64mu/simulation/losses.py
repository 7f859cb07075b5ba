"""Energy loss of high-energy muons: hard losses sampled from cross-sections, the rest continuous below the cut.

Every loss above the cut is an event of one of four processes; their macroscopic cross-sections and spectra are
tabulated once per medium. Below the cut the loss has its exact mean, variance and third cumulant: a distribution of
Vavilov's kind. Units GeV and mm (densities g/cm3).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.compiled.records import record_kind
from na64mu.physics.constants import MUON_MASS
from na64mu.physics.energy_loss import PROCESSES, restricted_ionisation, spectrum, upper_limit
from na64mu.physics.materials import Layer
from na64mu.simulation.stream import Stream
from na64mu.typing import FloatArray, RecordArray

__all__ = (
    "CUT",
    "LossTables",
    "Losses",
    "build_losses",
    "fluctuated",
    "losses_of",
    "mean_loss",
    "sample_loss",
    "sample_process",
    "share_above",
)

#: Losses above this energy are sampled one by one [GeV].
CUT = 0.020

N_ENERGIES = 24
N_SOFT, N_HARD = 160, 100  # transfers of the tables below and above half of the largest
CLOSEST = 5e-5  # of the largest transfer: distance from it of the last but one transfer
LOWEST, HIGHEST = 3.0, 300.0  # muon energies of the tables [GeV]
LOWEST_TRANSFER = 5e-5  # where the continuous radiative loss begins [GeV]; below it pairs cannot be made


#: First cumulant, the mean [GeV/mm], variance [GeV^2/mm] and third cumulant [GeV^3/mm] of the loss below the cut, and the sum of the rates above it [1/mm].
SOFT = record_kind("first variance third hard")


class Losses(NamedTuple):
    """Losses of a muon of some energy.

    Attributes
    ----------
    hard : float
        Rate of losses above the cut [1/mm].
    mean, variance, third : float
        Cumulants of the loss below it [GeV/mm], [GeV^2/mm], [GeV^3/mm].
    """

    hard: float
    mean: float
    variance: float
    third: float


class LossTables(NamedTuple):
    """Tables of one medium on a grid uniform in the logarithm of the muon energy.

    Attributes
    ----------
    log_low, log_step : float
        First ln(E / GeV) of the grid and its step.
    rates : FloatArray
        Macroscopic cross-section above the cut [1/mm], shape (n_processes, n_energies).
    log_transfer : FloatArray
        ln(t / GeV) from the cut to the largest transfer, shape (n_processes, n_energies, n_transfers): even in ln t up to half of the
        largest, then even in the logarithm of the distance from it, because the muon that is left is what fires the trigger.
    log_survival : FloatArray
        ln P(transfer > t), same shape.
    soft : RecordArray
        Records of the kind SOFT, shape (n_energies,).
    """

    log_low: float
    log_step: float
    rates: FloatArray
    log_transfer: FloatArray
    log_survival: FloatArray
    soft: RecordArray

    @property
    def continuous(self) -> FloatArray:
        """Mean loss below the cut [GeV/mm], shape (n_energies,)."""
        mean: FloatArray = self.soft["first"]
        return mean


def _per_log(process: int, energy: float, layers: tuple[Layer, ...], transfer: FloatArray) -> FloatArray:
    """D sigma / d ln(transfer) [1/mm]."""
    density = sum(layer.fraction * spectrum(process, energy, transfer, layer.substance) for layer in layers)
    return np.asarray(density) * transfer


def _transfers(high: float) -> FloatArray:
    """Transfers of the tables from the cut to the largest, see LossTables."""
    near = high * (1.0 - np.geomspace(0.5, CLOSEST, N_HARD - 1))
    return np.concatenate([np.geomspace(CUT, 0.5 * high, N_SOFT, endpoint=False), near, [high]])


def _survival(transfer: FloatArray, per_log: FloatArray) -> tuple[float, FloatArray]:
    pieces = 0.5 * np.diff(np.log(transfer)) * (per_log[1:] + per_log[:-1])
    above = np.concatenate([np.cumsum(pieces[::-1])[::-1], [0.0]])
    total = float(above[0])
    return total, np.log(np.maximum(above / max(total, 1e-300), 1e-14))


@lru_cache(maxsize=8)
def build_losses(layers: tuple[Layer, ...]) -> LossTables:
    """Tabulate the losses in a medium made of layers.

    Parameters
    ----------
    layers : tuple of Layer
        Substances and the fraction of the length that each one takes.

    Returns
    -------
    LossTables
        Tables of the homogenised medium.
    """
    log_e = np.linspace(math.log(LOWEST), math.log(HIGHEST), N_ENERGIES)
    shape = (len(PROCESSES), N_ENERGIES)
    rates = np.zeros(shape)
    log_transfer, log_survival = np.zeros((2, *shape, N_SOFT + N_HARD))
    continuous, straggling, third = np.zeros(N_ENERGIES), np.zeros(N_ENERGIES), np.zeros(N_ENERGIES)
    for j, energy in enumerate(np.exp(log_e)):
        for layer in layers:
            mean, variance, cumulant = restricted_ionisation(float(energy), CUT, layer.substance)
            continuous[j] += layer.fraction * mean
            straggling[j] += layer.fraction * variance
            third[j] += layer.fraction * cumulant
        for i, process in enumerate(PROCESSES):
            high = max(upper_limit(process, float(energy), layer.substance) for layer in layers)
            transfer = _transfers(high)
            log_transfer[i, j] = np.log(transfer)
            rates[i, j], log_survival[i, j] = _survival(transfer, _per_log(process, float(energy), layers, transfer))
            if process != PROCESSES[0]:  # ionisation below the cut is the restricted formula above
                transfer = np.geomspace(LOWEST_TRANSFER, CUT, 60)
                per_log = _per_log(process, float(energy), layers, transfer)
                continuous[j] += np.trapezoid(per_log, transfer)
                straggling[j] += np.trapezoid(per_log * transfer, transfer)
                third[j] += np.trapezoid(per_log * transfer**2, transfer)
    soft = np.zeros(N_ENERGIES, SOFT)
    soft["first"], soft["variance"], soft["third"], soft["hard"] = continuous, straggling, third, rates.sum(axis=0)
    return LossTables(float(log_e[0]), float(log_e[1] - log_e[0]), rates, log_transfer, log_survival, soft)


def mean_loss(tables: LossTables) -> tuple[FloatArray, FloatArray]:
    """Mean energy loss per length of the tables, by process.

    Parameters
    ----------
    tables : LossTables
        Tables of a medium.

    Returns
    -------
    tuple of FloatArray
        Muon energies [GeV], shape (n_energies,), and hard losses by process [GeV/mm], shape (n_processes, n_energies).
    """
    energies = np.exp(tables.log_low + tables.log_step * np.arange(tables.rates.shape[1]))
    # mean = cut + integral of P(> t) dt
    mean = CUT + np.trapezoid(np.exp(tables.log_survival), np.exp(tables.log_transfer), axis=2)
    return energies, tables.rates * mean


@kernel
def _locate(tables: LossTables, energy: float) -> tuple[int, float]:
    position = (math.log(energy) - tables.log_low) / tables.log_step
    position = min(max(position, 0.0), tables.rates.shape[1] - 1.000001)
    j = int(position)
    return j, position - j


@kernel
def fluctuated(mean: float, variance: float, third: float, rng: Stream) -> float:
    """Draw a sum of many small losses with its mean, variance and third cumulant: a shifted gamma distribution.

    For the numbers of delta rays met here it is close to the distribution of Vavilov (Sov. Phys. JETP 5 (1957) 749), whose
    first three cumulants it has; with few large ones it is skewed like Landau's, with many it is Gaussian.

    Parameters
    ----------
    mean, variance, third : float
        Cumulants, in powers of one unit.
    rng : Stream
        Random numbers.

    Returns
    -------
    float
        The sum, not negative.
    """
    if variance <= 0.0:
        return max(0.0, mean)
    skewness = third / (variance * math.sqrt(variance))
    if skewness < 0.01:
        return max(0.0, mean + math.sqrt(variance) * rng.standard_normal())
    shape = 4.0 / (skewness * skewness)
    return max(0.0, mean + 0.5 * skewness * math.sqrt(variance) * (rng.standard_gamma(shape) - shape))


@kernel
def losses_of(tables: LossTables, energy: float) -> Losses:
    """Rate of hard losses, and mean, variance and third cumulant of the continuous loss.

    Parameters
    ----------
    tables : LossTables
        Tables of the medium.
    energy : float
        Muon energy [GeV].

    Returns
    -------
    Losses
        Interpolated.
    """
    j, f = _locate(tables, energy)
    low, high, g = tables.soft[j], tables.soft[j + 1], 1.0 - f
    mean = g * low.first + f * high.first
    variance = g * low.variance + f * high.variance
    third = g * low.third + f * high.third
    return Losses(g * low.hard + f * high.hard, mean, variance, third)


@kernel
def sample_process(tables: LossTables, energy: float, rng: Stream) -> int:
    """Draw which process makes a hard loss.

    Parameters
    ----------
    tables : LossTables
        Tables of the medium.
    energy : float
        Muon energy [GeV].
    rng : Stream
        Random numbers.

    Returns
    -------
    int
        Index into PROCESSES.
    """
    j, f = _locate(tables, energy)
    u = rng.random() * ((1.0 - f) * tables.soft[j].hard + f * tables.soft[j + 1].hard)
    for i in range(tables.rates.shape[0]):
        u -= (1.0 - f) * tables.rates[i, j] + f * tables.rates[i, j + 1]
        if u <= 0.0:
            return i
    return 0


@kernel
def _log_transfer(tables: LossTables, process: int, j: int, wanted: float) -> float:
    """Ln of the transfer that is exceeded with a probability of ln `wanted`, for a muon of the j-th energy."""
    survival, transfer = tables.log_survival[process, j], tables.log_transfer[process, j]
    low, high = 0, len(survival) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if survival[middle] > wanted:
            low = middle
        else:
            high = middle
    span = survival[low] - survival[high]
    share = min(1.0, (survival[low] - wanted) / span) if span > 0.0 else 0.0
    return transfer[low] + share * (transfer[high] - transfer[low])


@kernel
def _quantile(tables: LossTables, process: int, energy: float, wanted: float) -> float:
    """Ln of the transfer that is exceeded with a probability of ln `wanted`: between two energies its logarithm is linear in ln E."""
    j, f = _locate(tables, energy)
    return (1.0 - f) * _log_transfer(tables, process, j, wanted) + f * _log_transfer(tables, process, j + 1, wanted)


@kernel
def share_above(tables: LossTables, process: int, energy: float, threshold: float) -> float:
    """Part of the hard losses of a process that exceed a threshold.

    Parameters
    ----------
    tables : LossTables
        Tables of the medium.
    process : int
        Index into PROCESSES.
    energy, threshold : float
        Muon energy and smallest transfer [GeV].

    Returns
    -------
    float
        0 to 1; what `sample_loss` takes as its quantile.
    """
    low, high = -32.0, 0.0  # of ln of the part
    for _ in range(50):
        middle = 0.5 * (low + high)
        if _quantile(tables, process, energy, middle) > math.log(threshold):
            low = middle
        else:
            high = middle
    return math.exp(0.5 * (low + high))


@kernel
def sample_loss(tables: LossTables, process: int, energy: float, quantile: float, rng: Stream) -> float:
    """Draw the energy of a hard loss.

    Parameters
    ----------
    tables : LossTables
        Tables of the medium.
    process : int
        Index into PROCESSES.
    energy : float
        Muon energy [GeV].
    quantile : float
        Draw only among losses that are exceeded with a probability below this (1: all of them).
    rng : Stream
        Random numbers.

    Returns
    -------
    float
        Transfer [GeV], below the muon's kinetic energy.
    """
    wanted = math.log(quantile * (1.0 - rng.random()))
    return min(math.exp(_quantile(tables, process, energy, wanted)), 0.999 * (energy - MUON_MASS))
