"""Forced interactions in the ECAL (production of a Z' or another boson, hard muon losses) and their weights.

A plan is a record, see plans.py. The weight is the expected number of such events per muon on target.
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.common.arguments import choice
from na64mu.detector import Detector
from na64mu.errors import Na64muError
from na64mu.physics.bosons import BOSONS, Mediator
from na64mu.physics.materials import LEAD
from na64mu.physics.production import sample_kinematics, tabulate
from na64mu.simulation.losses import LossTables, share_above
from na64mu.simulation.plans import plans_of
from na64mu.simulation.setup import Setup
from na64mu.typing import FloatArray, RecordArray

__all__ = ("SIGNALS", "hard_loss_plans", "lead_depths", "lead_per_area", "rates_above", "zprime_plans", "zprime_plans_from")

AVOGADRO = 6.02214076e23
CM2_PER_PB = 1e-36

#: Elementary charge: a dark photon couples with g = epsilon e.
CHARGE = math.sqrt(4.0 * math.pi / 137.035999)

#: Signal -> radiated boson, its mc_process, and g for a reference coupling of 1 (of a dark photon this is epsilon).
SIGNALS = {name: (boson.mediator, boson.process, CHARGE if boson.is_mixing else 1.0) for name, boson in BOSONS.items()}


def lead_per_area(detector: Detector) -> float:
    """Lead nuclei per area in the ECAL [1/cm2].

    Parameters
    ----------
    detector : Detector
        The description.

    Returns
    -------
    float
        7.42e23 for 150 layers of 1.5 mm.
    """
    thickness = 0.1 * sum(detector.ecal.layers) * detector.ecal.lead
    return thickness * LEAD.density * AVOGADRO / LEAD.elements[0][1]


def lead_depths(detector: Detector, n: int, rng: np.random.Generator) -> FloatArray:
    """Points spread evenly over the lead of the ECAL.

    The cross-section changes by less than 0.4 % over the mean loss in the ECAL, so depths are uniform.

    Parameters
    ----------
    detector : Detector
        The description.
    n : int
        Number of events.
    rng : Generator
        Random numbers.

    Returns
    -------
    FloatArray
        z [mm], shape (n,).
    """
    ecal = detector.ecal
    layers = sum(ecal.layers)
    layer = rng.integers(0, layers, n)
    return ecal.z + layer * (ecal.length / layers) + ecal.lead * rng.random(n)


def zprime_plans_from(detector: Detector, x: FloatArray, psi: FloatArray, mass: float, rng: np.random.Generator) -> RecordArray:
    """Plans for given (x, psi).

    Parameters
    ----------
    detector : Detector
        The description.
    x, psi : FloatArray
        Energy fraction of the Z' and recoil angle of the muon [rad], shape (n,).
    mass : float
        [GeV].
    rng : Generator
        Random numbers, for the depths.

    Returns
    -------
    RecordArray
        Shape (n,).
    """
    return plans_of(len(x), z=lead_depths(detector, len(x), rng), x=x, psi=psi, mass=mass)


def zprime_plans(
    detector: Detector, mass: float, coupling: float, n: int, rng: np.random.Generator, mediator: Mediator | str = Mediator.VECTOR
) -> tuple[RecordArray, float]:
    """Plans for the production of a Z' or another boson off lead, with (x, psi) from the WW cross-section at the mean beam momentum.

    Parameters
    ----------
    detector : Detector
        The description.
    mass : float
        [GeV].
    coupling : float
        Coupling g that the weight corresponds to.
    n : int
        Number of events.
    rng : Generator
        Random numbers.
    mediator : Mediator or str
        Spin and parity of the boson.

    Returns
    -------
    plans : RecordArray
        Shape (n,).
    weight : float
        Expected number of bosons per muon on target.

    Raises
    ------
    Na64muError
        If the mass cannot be produced.
    """
    mediator = choice(mediator, Mediator, "mediator")
    z, a, _ = LEAD.elements[0]
    try:
        table = tabulate(detector.beam.momentum_mean, mass, coupling, z, a, mediator=mediator)
    except ValueError as error:
        raise Na64muError(str(error)) from error
    x, psi = sample_kinematics(table, n, rng)
    return zprime_plans_from(detector, x, psi, mass, rng), table.total * CM2_PER_PB * lead_per_area(detector)


def rates_above(losses: LossTables, energy: float, threshold: float) -> FloatArray:
    """Rates of losses above a threshold, by process.

    Parameters
    ----------
    losses : LossTables
        Tables of the medium.
    energy, threshold : float
        Muon energy and smallest loss [GeV].

    Returns
    -------
    FloatArray
        [1/mm], shape (n_processes,).
    """
    nodes = losses.log_low + losses.log_step * np.arange(losses.rates.shape[1])
    rates = [np.interp(math.log(energy), nodes, of_process) for of_process in losses.rates]
    shares = [share_above(losses, process, energy, threshold) for process in range(len(rates))]
    return np.asarray(rates) * np.asarray(shares)


def hard_loss_plans(
    detector: Detector, setup: Setup, threshold: float, n: int, rng: np.random.Generator, only: int | None = None
) -> tuple[RecordArray, float]:
    """Plans for one loss above a threshold in the ECAL, of one process or of any in its proportion.

    The loss itself is drawn where it happens, for the energy that the muon has there; its rate is that at the mean beam momentum.
    Other losses happen besides, so an event with k losses above the threshold is in the sample k times too often: the bias is
    the weight itself, below 1 % above 10 GeV.

    Parameters
    ----------
    detector : Detector
        The description.
    setup : Setup
        Arrays of the set-up, with its loss tables.
    threshold : float
        Smallest loss [GeV].
    n : int
        Number of events.
    rng : Generator
        Random numbers.
    only : int, optional
        The one process (spectra.NUCLEAR and its like); all without it.

    Returns
    -------
    plans : RecordArray
        Shape (n,).
    weight : float
        Expected number of such losses per muon.
    """
    rates = rates_above(setup.ecal.losses, detector.beam.momentum_mean, threshold)
    if only is not None:
        rates = np.where(np.arange(len(rates)) == only, rates, 0.0)
    processes = rng.choice(len(rates), size=n, p=rates / rates.sum())
    depth = detector.ecal.z + detector.ecal.length * rng.random(n)
    return plans_of(n, z=depth, process=processes, above=threshold), float(rates.sum() * detector.ecal.length)
