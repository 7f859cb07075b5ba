"""A vertex that Geant4 does not simulate: the muon is stopped there and restarted with the momentum that the vertex leaves it. GeV, mm."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from na64mu.detector import Detector
from na64mu.physics.constants import MUON_MASS
from na64mu.simulation.geant4.processes import Deposits, Geant4Settings, shoot
from na64mu.simulation.geant4.shots import Shots, event_seeds
from na64mu.simulation.muon_in_calorimeter import TRUTH_ZPRIME
from na64mu.typing import FloatArray, IntArray, Record, RecordArray

__all__ = ("scattered", "shoot_with_vertex")


def scattered(state: FloatArray, plan: Record, phi: float) -> list[float]:
    """State of a muon behind the vertex of a boson.

    Parameters
    ----------
    state : FloatArray
        x, y, z, tx, ty, p before it.
    plan : Record
        Share of the energy that the boson takes and angle of the muon, see simulation/plans.py.
    phi : float
        Azimuth of the deflection [rad].

    Returns
    -------
    list of float
        x, y, z, tx, ty, p.
    """
    x, y, z, tx, ty, p = state
    energy = (1.0 - plan.x) * math.hypot(p, MUON_MASS)
    direction = np.array([tx, ty, 1.0]) / math.sqrt(1.0 + tx * tx + ty * ty)
    across = np.cross(direction, [0.0, 1.0, 0.0])
    across /= np.linalg.norm(across)
    other = np.cross(direction, across)
    turned = math.cos(plan.psi) * direction + math.sin(plan.psi) * (math.cos(phi) * across + math.sin(phi) * other)
    return [x, y, z, turned[0] / turned[2], turned[1] / turned[2], math.sqrt(max(energy**2 - MUON_MASS**2, 1e-6))]


def _joined_hits(first: Deposits, second: Deposits) -> tuple[RecordArray, IntArray]:
    rows, lengths = [], []
    for i in range(len(first.facts)):
        parts = [d.hits[d.hit_offsets[i] : d.hit_offsets[i + 1]] for d in (first, second)]
        rows += parts
        lengths.append(sum(len(part) for part in parts))
    return np.concatenate(rows) if rows else first.hits, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def shoot_with_vertex(
    detector: Detector,
    config: int,
    shots: Shots,
    plans: RecordArray,
    seed: int,
    settings: Geant4Settings,
    progress: Callable[[int], object] | None = None,
) -> Deposits:
    """Transport muons to their planned vertices and the outgoing muons from there: the sum of both.

    Geant4 puts the vertex at the end of the step that passes the planned z, at most a plate (1.5 mm) behind it.

    Parameters
    ----------
    detector : Detector
        The description.
    config : int
        Trigger configuration.
    shots : Shots
        The muons.
    plans : RecordArray
        The vertex of each, shape (n,): see simulation/plans.py.
    seed : int
        Seed for the azimuth of the deflection and the events behind the vertex.
    settings : Geant4Settings
        Physics list, cut, workers.
    progress : callable, optional
        Called with the number of events done since the last call: twice as many as shots.

    Returns
    -------
    Deposits
        One event per shot; a muon that does not reach its vertex keeps its deposits up to there.
    """
    before = shoot(detector, config, shots._replace(ends=plans["z"]), settings, None, progress)
    phi = 2.0 * math.pi * np.random.default_rng([seed, 5]).random(len(plans))
    reached = np.flatnonzero(np.isfinite(before.ends[:, 0]))
    states = np.array([scattered(before.ends[i], plans[i], phi[i]) for i in reached]).reshape(-1, 6)
    n = shots.numbers[reached]
    rest = Shots(n, shots.particles[reached], states, event_seeds(seed, 2, n), np.full(len(n), np.inf))
    behind = shoot(detector, config, rest, settings, None, progress)
    spread = {}
    for name in ("counters", "veto", "ecal", "vhcal", "hcal"):
        spread[name] = getattr(before, name).copy()
        spread[name][reached] += getattr(behind, name)
    facts = before.facts.copy()
    facts["p_out"][reached] = behind.facts["p_out"]
    facts["process"][reached], facts["vertex_z"][reached] = TRUTH_ZPRIME, before.ends[reached, 2]
    for name, planned in (("xfrac", "x"), ("psi", "psi"), ("mass", "mass")):
        facts[name][reached] = plans[planned][reached]
    lengths = np.zeros(len(facts), dtype=np.int64)
    lengths[reached] = np.diff(behind.hit_offsets)
    hits, offsets = _joined_hits(before, behind._replace(hit_offsets=np.concatenate([[0], np.cumsum(lengths)])))
    return before._replace(facts=facts, hits=hits, hit_offsets=offsets, **spread)
