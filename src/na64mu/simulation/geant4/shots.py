"""The primary particles, one per event, each with its own seed. Lengths mm, momenta GeV/c."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from na64mu.detector import Detector
from na64mu.simulation.beam import beam_spot, carry_back, sample_beam
from na64mu.simulation.geometry import build_line
from na64mu.simulation.particles import new_state
from na64mu.typing import FloatArray, IntArray

__all__ = ("Choice", "Shots", "aimed", "beam_shots", "event_seeds")

AIM_MARGIN = 6.0  # mm, as in the fast engine


class Shots(NamedTuple):
    """Particles, one per event.

    Attributes
    ----------
    numbers : IntArray
        Numbers of the events among all generated, shape (n,).
    particles : NDArray[np.str_]
        Geant4's names, shape (n,).
    states : FloatArray
        x, y, z, tx, ty, p at the start, shape (n, 6).
    seeds : IntArray
        Seeds of the events, shape (n,).
    ends : FloatArray
        z at which the particle is stopped [mm], inf: nowhere; shape (n,).
    """

    numbers: IntArray
    particles: NDArray[np.str_]
    states: FloatArray
    seeds: IntArray
    ends: FloatArray

    def part(self, chosen: slice | NDArray[np.bool_]) -> Shots:
        """Some of the shots."""
        return Shots(self.numbers[chosen], self.particles[chosen], self.states[chosen], self.seeds[chosen], self.ends[chosen])


class Choice(NamedTuple):
    """Criterion for events that are tracked to the end: the primary has an interaction at least this hard within this range of z.

    Attributes
    ----------
    above : float
        Smallest energy given away [GeV].
    low, high : float
        Stretch of z [mm].
    process : float
        mc_process of the interaction; 0: any.
    """

    above: float
    low: float
    high: float
    process: float = 0.0

    def takes(self, transfers: dict[tuple[float, float], float]) -> bool:
        """Whether an event is followed.

        Parameters
        ----------
        transfers : dict
            Energies of the interactions by (mc_process, z) [GeV].

        Returns
        -------
        bool
            True if one of them is hard enough.
        """
        return any(
            energy > self.above and self.low <= z < self.high and self.process in (0.0, code) for (code, z), energy in transfers.items()
        )


def event_seeds(seed: int, stream: int, numbers: IntArray) -> IntArray:
    """Return one seed per event, from its number: the same in whichever process the event is simulated.

    Parameters
    ----------
    seed : int
        Seed of the run.
    stream : int
        Sets of events with seeds of their own.
    numbers : IntArray
        Numbers of the events, shape (n,).

    Returns
    -------
    IntArray
        Shape (n,).
    """
    most = int(numbers.max()) + 1 if len(numbers) else 0
    return np.random.default_rng([seed, 4, stream]).integers(1, 2**62, size=most)[numbers]


def aimed(particle: str, states: FloatArray, seed: int) -> Shots:
    """Particles from given states.

    Parameters
    ----------
    particle : str
        Geant4's name: "mu-", "e-", "pi-", "gamma", ...
    states : FloatArray
        x, y, z, tx, ty, p, shape (n, 6).
    seed : int
        Equal seeds give equal events.

    Returns
    -------
    Shots
        Shots of one event each.
    """
    n = np.arange(len(states))
    return Shots(n, np.full(len(states), particle), np.asarray(states, dtype=np.float64), event_seeds(seed, 0, n), np.full(len(n), np.inf))


def beam_shots(detector: Detector, particle: str, n: int, seed: int) -> Shots:
    """Beam particles that aim at S0 and S1, at the start of the line.

    Parameters
    ----------
    detector : Detector
        The description.
    particle : str
        Geant4's name.
    n : int
        Number of particles generated; those that miss the counters are not simulated.
    seed : int
        Equal seeds give equal particles.

    Returns
    -------
    Shots
        In the order they are generated.
    """
    line, spot, rng = build_line(detector), beam_spot(detector), np.random.default_rng([seed, 4])
    discs = [c for c in detector.counters if c.shape == "disc"]
    state, states, numbers = new_state(), [], []
    for i in range(n):
        sample_beam(spot, state, rng)
        if all(math.hypot(state.x + state.tx * c.z, state.y + state.ty * c.z) < c.radius + AIM_MARGIN for c in discs):
            carry_back(line, state, spot.charge)
            states.append([state.x, state.y, float(line.z_in[0]), state.tx, state.ty, state.p])
            numbers.append(i)
    found = np.array(numbers, dtype=np.int64)
    columns = np.array(states, dtype=np.float64).reshape(-1, 6)
    return Shots(found, np.full(len(found), particle), columns, event_seeds(seed, 1, found), np.full(len(found), np.inf))
