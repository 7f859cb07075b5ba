"""Pile-up: further particles of the beam laid over the written events, each at its own time. Times ns.

The rate is that of the beam, muons per spill over the length of the spill, halo included; the window is the record of the
calorimeters' MSADC, 32 samples of 12.5 ns, half of it before the trigger. What each detector still sees of a particle that
comes early or late follows from its own read-out (digits.py). Nothing else is put in: what is lost to pile-up comes out.
The trigger counters' coincidence (3 ns) is not disturbed, and no trigger is vetoed by an accidental V1.
"""

from __future__ import annotations

import numpy as np

from na64mu.detector import Detector
from na64mu.simulation.events import simulate_events
from na64mu.simulation.setup import Setup
from na64mu.simulation.stack import PILE_UP
from na64mu.simulation.truth import PileUp, Truth, no_pile_up
from na64mu.typing import FloatArray, IntArray

__all__ = ("MERGE", "WINDOW", "lay_over", "mean_pile_up", "pile_up")

#: The record begins and ends this long before and after the trigger: 32 samples of 12.5 ns (COMPASS MSADC).
WINDOW = 200.0

#: Pulses of one channel closer than this are read as one: two samples (inferred: a local maximum needs a lower sample between).
MERGE = 25.0


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


def pile_up(setup: Setup, detector: Detector, truth: Truth, rng: np.random.Generator) -> PileUp:
    """Draw the pile-up of the written events; deposits in time with the trigger are added to theirs.

    Parameters
    ----------
    setup : Setup
        From `build_setup`.
    detector : Detector
        The description.
    truth : Truth
        The written events; counters, VETO and calorimeters are changed in place.
    rng : Generator
        Random numbers.

    Returns
    -------
    PileUp
        The further particles; those within MERGE keep their hits but not their deposits.
    """
    counts = rng.poisson(mean_pile_up(detector), len(truth.facts))
    times = WINDOW * (2.0 * rng.random(int(counts.sum())) - 1.0)
    return lay_over(setup, detector, truth, counts, times, rng)


def lay_over(setup: Setup, detector: Detector, truth: Truth, counts: IntArray, times: FloatArray, rng: np.random.Generator) -> PileUp:
    """Further beam particles at given times; deposits in time with the trigger are added to those of the events.

    Parameters
    ----------
    setup : Setup
        From `build_setup`.
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

    Returns
    -------
    PileUp
        The further particles; those within MERGE keep their hits but not their deposits.
    """
    n = len(times)
    if n == 0:
        return no_pile_up(truth)
    _, others = simulate_events(setup, detector, n, PILE_UP, np.zeros((n, 4)), 1, rng)
    event = np.repeat(np.arange(len(counts)), counts)
    close = np.abs(times) < MERGE
    for mine, added in ((truth.veto, others.veto), (truth.ecal, others.ecal), (truth.vhcal, others.vhcal), (truth.hcal, others.hcal)):
        np.add.at(mine, event[close], added[close])
        added[close] = 0.0
    np.add.at(truth.counters, event[close], others.counters[close])
    others.counters[close] = 0.0
    return PileUp(np.concatenate([[0], np.cumsum(counts)]), times, others)
