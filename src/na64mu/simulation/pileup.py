"""Pile-up: further beam particles overlaid on the written events, each at its own time. Times ns.

The rate is that of the beam, muons per spill over the length of the spill, halo included; the window is the record of the
calorimeters' MSADC, 32 samples of 12.5 ns, half of it before the trigger. What each detector still sees of a particle that
comes early or late follows from its own read-out (digits.py). Nothing else is put in: the loss to pile-up is a result.
The trigger counters' coincidence (3 ns) is not disturbed, and no trigger is vetoed by an accidental V1; how often a muon on target
and another particle that fires S4 and S_mu make a physics trigger together is `accidental_triggers`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from na64mu.detector import Detector
from na64mu.simulation.events import simulate_events
from na64mu.simulation.muon_in_calorimeter import PILE_UP
from na64mu.simulation.plans import no_plans
from na64mu.simulation.setup import S4, S_MU, V1, Setup
from na64mu.simulation.truth import PileUp, Truth, no_pile_up
from na64mu.typing import FloatArray, IntArray

__all__ = ("COINCIDENCE", "MERGE", "WINDOW", "Fired", "accidental_triggers", "fired", "lay_over", "mean_pile_up", "pile_up")

#: The record begins and ends this long before and after the trigger: 32 samples of 12.5 ns (COMPASS MSADC).
WINDOW = 200.0

#: Pulses of one channel closer than this are read as one: two samples (inferred: a local maximum needs a lower sample between).
MERGE = 25.0

#: Gate of the trigger's coincidence [ns] (E. Depero, thesis (ETH Zurich), for the S counters of NA64; that of 2022 is not published).
COINCIDENCE = 3.0


class Fired(NamedTuple):
    """Probabilities that a particle fires the counters behind the ECAL without V1.

    Attributes
    ----------
    n : int
        Particles tried.
    s4, s_mu, both : float
        Fraction of them that fire S4, S_mu, both.
    """

    n: int
    s4: float
    s_mu: float
    both: float


def fired(setup: Setup, detector: Detector, n: int, mode: int, rng: np.random.Generator) -> Fired:
    """Fractions of particles that fire the counters behind the ECAL.

    Parameters
    ----------
    setup : Setup
        Arrays of the set-up, from `build_setup` with the configuration.
    detector : Detector
        The description.
    n : int
        Particles to send.
    mode : int
        BEAM: of the muons that meet S0*S1*!V1; PILE_UP: of all particles of the beam.
    rng : Generator
        Random numbers.

    Returns
    -------
    Fired
        Fractions.
    """
    _, truth = simulate_events(setup, detector, n, mode, no_plans(n), 1, rng)
    over = truth.counters > setup.counters.threshold
    s4, s_mu = over[:, S4] & ~over[:, V1], over[:, S_MU] & ~over[:, V1]
    return Fired(len(over), float(s4.mean()), float(s_mu.mean()), float((s4 & s_mu).mean()))


def accidental_triggers(detector: Detector, muon: Fired, other: Fired, gate: float = COINCIDENCE) -> float:
    """Physics triggers per calibration trigger that a muon on target makes together with another particle of the beam.

    Parameters
    ----------
    detector : Detector
        The description, for the rate of the beam.
    muon : Fired
        Firing probabilities of muons on target.
    other : Fired
        Firing probabilities of all particles of the beam.
    gate : float
        Time in which both must come [ns].

    Returns
    -------
    float
        R gate (P(other fires both) + P(muon S4) P(other S_mu) + P(other S4) P(muon S_mu)): independent particles, R gate << 1.
    """
    rate = detector.beam.muons_per_spill / detector.beam.spill_length * 1e-9
    return rate * gate * (other.both + muon.s4 * other.s_mu + other.s4 * muon.s_mu)


def mean_pile_up(detector: Detector) -> float:
    """Mean number of further beam particles in the window.

    Parameters
    ----------
    detector : Detector
        The description.

    Returns
    -------
    float
        0.23 at 2.8e6 muons in 4.8 s.
    """
    return detector.beam.muons_per_spill / detector.beam.spill_length * 2.0 * WINDOW * 1e-9


def pile_up(setup: Setup, detector: Detector, truth: Truth, rng: np.random.Generator, merge: float = MERGE) -> PileUp:
    """Draw the pile-up of the written events; deposits in time with the trigger are added to theirs.

    Parameters
    ----------
    setup : Setup
        Arrays of the set-up, from `build_setup`.
    detector : Detector
        The description.
    truth : Truth
        The written events; counters, VETO and calorimeters are changed in place.
    rng : Generator
        Random numbers.
    merge : float
        Deposits closer to the trigger than this are added to its own [ns]; 0 where waveforms are made of them.

    Returns
    -------
    PileUp
        The further particles; those within `merge` keep their hits but not their deposits.
    """
    counts = rng.poisson(mean_pile_up(detector), len(truth.facts))
    times = WINDOW * (2.0 * rng.random(int(counts.sum())) - 1.0)
    return lay_over(setup, detector, truth, counts, times, rng, merge)


def lay_over(
    setup: Setup, detector: Detector, truth: Truth, counts: IntArray, times: FloatArray, rng: np.random.Generator, merge: float = MERGE
) -> PileUp:
    """Further beam particles at given times; deposits in time with the trigger are added to those of the events.

    Parameters
    ----------
    setup : Setup
        Arrays of the set-up, from `build_setup`.
    detector : Detector
        The description.
    truth : Truth
        The written events; counters, VETO and calorimeters are changed in place.
    counts : IntArray
        Further particles of every event, shape (n_events,).
    times : FloatArray
        When they come, relative to the trigger [ns], event by event, shape (sum of counts,).
    rng : Generator
        Random numbers.
    merge : float
        Deposits closer to the trigger than this are added to its own [ns]; 0 where waveforms are made of them.

    Returns
    -------
    PileUp
        The further particles; those within `merge` keep their hits but not their deposits.
    """
    n = len(times)
    if n == 0:
        return no_pile_up(truth)
    _, others = simulate_events(setup, detector, n, PILE_UP, no_plans(n), 1, rng)
    event = np.repeat(np.arange(len(counts)), counts)
    close = np.abs(times) < merge
    for mine, added in ((truth.veto, others.veto), (truth.ecal, others.ecal), (truth.vhcal, others.vhcal), (truth.hcal, others.hcal)):
        np.add.at(mine, event[close], added[close])
        added[close] = 0.0
    np.add.at(truth.counters, event[close], others.counters[close])
    others.counters[close] = 0.0
    return PileUp(np.concatenate([[0], np.cumsum(counts)]), times, others)
