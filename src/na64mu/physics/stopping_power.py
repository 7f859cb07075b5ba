"""Mean energy loss of muons: the integrals of the cross-sections in energy_loss.py. Energies GeV, lengths mm."""

from __future__ import annotations

import math

import numpy as np

from na64mu.common.arguments import number, one_of
from na64mu.physics.constants import MUON_MASS
from na64mu.physics.energy_loss import BREMSSTRAHLUNG, NUCLEAR, NUCLEAR_THRESHOLD, PAIR, restricted_ionisation, spectrum, upper_limit
from na64mu.physics.materials import Substance

__all__ = ("mean_loss_by", "stopping_power")

SOFTEST = 1e-5  # transfers below carry nothing: pairs need 2 MeV, radiation goes with the transfer [GeV]
N_TRANSFERS = 2000  # the sum over transfers is then good to 1e-4


def mean_loss_by(process: int, energy: float, substance: Substance) -> float:
    """Mean energy that one radiative process takes.

    Parameters
    ----------
    process : int
        BREMSSTRAHLUNG, PAIR or NUCLEAR (see energy_loss.py).
    energy : float
        Muon energy [GeV].
    substance : Substance
        Substance that the muon crosses.

    Returns
    -------
    float
        Integral of T dSigma/dT [GeV/mm].

    Raises
    ------
    ArgumentError
        If the process is unknown or not radiative, or the energy below the muon's mass.
    """
    process = one_of(process, (BREMSSTRAHLUNG, PAIR, NUCLEAR), "process")
    energy = number(energy, "muon energy [GeV]", above=MUON_MASS)
    lowest = NUCLEAR_THRESHOLD if process == NUCLEAR else SOFTEST
    highest = upper_limit(process, energy, substance)
    if highest <= lowest:
        return 0.0
    transfer = np.geomspace(lowest, highest * (1.0 - 1e-9), N_TRANSFERS)
    return float(np.trapezoid(spectrum(process, energy, transfer, substance) * transfer, transfer))


def stopping_power(energy: float, substance: Substance) -> float:
    """Mean energy loss of a muon: ionisation, bremsstrahlung, pairs and nuclear interactions.

    Parameters
    ----------
    energy : float
        Muon energy [GeV].
    substance : Substance
        Substance that the muon crosses.

    Returns
    -------
    float
        -dE/dx [GeV/mm].

    Raises
    ------
    ArgumentError
        If the energy is below the muon's mass.
    """
    return restricted_ionisation(energy, math.inf, substance)[0] + sum(
        mean_loss_by(process, energy, substance) for process in (BREMSSTRAHLUNG, PAIR, NUCLEAR)
    )
