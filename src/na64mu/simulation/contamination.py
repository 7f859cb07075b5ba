"""Hadrons in the beam and their decays in flight before the ECAL: the planned interactions and their weights. mm, GeV.

The beam has `hadron_fraction` hadrons per muon; the weight of an event is the expected number of such events per beam muon.

What they are is not published. The fractions of the description are those of M2's hadron beam, which has no absorber in front. The 9.9 m of
beryllium of the muon beam let 2e-8 of the pions, 1e-7 of the negative and 2e-7 of the positive kaons and 6e-12 of the protons through without
an interaction (interaction lengths of Geant4 11.4 at 160 GeV/c: 56, 62, 64 and 38 cm): survivors would be richer in kaons, but they
are far fewer than 5e-5 of the muons. The rate of decays is proportional to the fraction of kaons; benchmarks/decays.py says what the
Letter's 0.010 events would need.
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.detector import Detector
from na64mu.simulation.decays import CHANNELS, decay_length
from na64mu.simulation.plans import no_plans, plans_of
from na64mu.simulation.setup import Setup
from na64mu.typing import FloatArray, RecordArray

__all__ = ("decay_plans", "decay_weights", "hadron_plans")


def decay_weights(detector: Detector, start: float, *, kaons_only: bool) -> FloatArray:
    """Expected decays between a place and the ECAL face per beam muon, by channel.

    Parameters
    ----------
    detector : Detector
        The description.
    start : float
        Begin of the beam line along z [mm].
    kaons_only : bool
        Whether pions are left out.

    Returns
    -------
    FloatArray
        Shape (len(CHANNELS),).
    """
    beam, weights = detector.beam, []
    for kaon, branching in CHANNELS.values():
        share = beam.hadron_species[1 if kaon else 0] * (0.0 if kaons_only and not kaon else 1.0)
        decays = -math.expm1((start - detector.ecal.z) / decay_length(kaon, beam.momentum_mean))
        weights.append(beam.hadron_fraction * share * branching * decays)
    return np.array(weights)


def decay_plans(detector: Detector, setup: Setup, n: int, rng: np.random.Generator, *, kaons_only: bool) -> tuple[RecordArray, float]:
    """Plans for decays to a muon along the line, from its start to the ECAL face.

    The decay length is that at the mean momentum: the spread of 4 % changes the probability of a decay by as much.

    Parameters
    ----------
    detector : Detector
        The description.
    setup : Setup
        Arrays of the set-up.
    n : int
        Number of events.
    rng : Generator
        Random numbers.
    kaons_only : bool
        Whether pions are left out: a muon from a pion has more than 57 % of its momentum.

    Returns
    -------
    plans : RecordArray
        Shape (n,).
    weight : float
        Expected number of such decays per beam muon.
    """
    start = float(setup.line.z_in[0])
    weights = decay_weights(detector, start, kaons_only=kaons_only)
    channels = rng.choice(len(weights), size=n, p=weights / weights.sum())
    length = np.array([decay_length(kaon, detector.beam.momentum_mean) for kaon, _ in CHANNELS.values()])[channels]
    whole = -np.expm1((start - detector.ecal.z) / length)
    z = start - length * np.log1p(-rng.random(n) * whole)
    return plans_of(n, z=z, channel=channels), float(weights.sum())


def hadron_plans(detector: Detector, n: int) -> tuple[RecordArray, float]:
    """Return empty plans for hadrons of the beam; their weight is their number per muon.

    Pions, kaons and protons are treated alike: the parametrised showers do not distinguish them.

    Parameters
    ----------
    detector : Detector
        The description.
    n : int
        Number of events.

    Returns
    -------
    plans : RecordArray
        Shape (n,).
    weight : float
        Hadrons per beam muon.
    """
    return no_plans(n), detector.beam.hadron_fraction
