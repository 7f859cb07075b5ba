from __future__ import annotations

import math

import numpy as np
import pytest

from na64mu.simulation.cascade import MOST_PARTICLES, SOFTEST, leaving_particles
from na64mu.simulation.particles import LEAVING
from na64mu.simulation.stream import Stream

CRITICAL = 0.0095  # GeV, about that of the ECAL stack


def cascades(energy: float, photon: bool, depth: float, n: int, seed: int = 1) -> list[np.ndarray]:
    """Particles that leave, for n showers."""
    rng, out = Stream(seed), np.empty(MOST_PARTICLES, LEAVING)
    found = []
    for _ in range(n):
        k = leaving_particles(energy, photon, depth, CRITICAL, out, rng)
        found.append(out[:k].copy())
    return found


def test_photons_convert_with_seven_ninths_per_radiation_length() -> None:
    n, depth = 4000, 1.3
    whole = sum(len(c) == 1 and c[0].energy == 100.0 and c[0].charge == 0.0 for c in cascades(100.0, True, depth, n))
    expected = math.exp(-7.0 / 9.0 * depth)
    assert whole / n == pytest.approx(expected, abs=4.0 * math.sqrt(expected * (1.0 - expected) / n))


def test_electrons_keep_one_part_in_e_per_radiation_length() -> None:
    # <E(t)> = E exp(-t) of the leading electron follows from the integral of y times the spectrum, which is 1 per radiation length
    depth, n = 0.5, 4000
    leading = np.array([c["energy"][c["charge"] == -1.0].max(initial=0.0) for c in cascades(100.0, False, depth, n)])
    assert leading.mean() / 100.0 == pytest.approx(math.exp(-depth), abs=0.03)


@pytest.mark.parametrize("depth", [0.0, 0.5, 2.0, 6.0, 12.0])
def test_energy_is_never_made(depth: float) -> None:
    for cascade in cascades(100.0, True, depth, 60):
        assert cascade["energy"].sum() <= 100.0 + 1e-9
        assert np.all(cascade["energy"] >= SOFTEST)
        assert set(cascade["charge"]) <= {-1.0, 0.0, 1.0}
        if depth == 0.0:
            assert cascade["energy"].tolist() == [100.0]


def test_what_leaves_falls_with_depth_and_is_charge_symmetric() -> None:
    carried = [np.mean([c["energy"].sum() for c in cascades(100.0, True, depth, 150)]) for depth in (1.0, 4.0, 8.0, 14.0)]
    assert carried == sorted(carried, reverse=True)
    assert carried[0] > 80.0
    assert carried[-1] < 10.0
    charges = np.concatenate([c["charge"] for c in cascades(100.0, True, 4.0, 300)])
    assert abs(charges.sum()) < 4.0 * math.sqrt(np.count_nonzero(charges))


def test_photons_of_a_thin_layer() -> None:
    # PDG eq. 34.29: (4/3 - 4/3 y + y^2) / y per radiation length above y = SOFTEST / E
    depth, n, low = 0.05, 6000, SOFTEST / 100.0
    photons = np.mean([np.count_nonzero(c["charge"] == 0.0) for c in cascades(100.0, False, depth, n)])
    expected = depth * (4.0 / 3.0 * math.log(1.0 / low) - 4.0 / 3.0 * (1.0 - low) + 0.5 * (1.0 - low**2))
    assert photons == pytest.approx(expected, rel=0.08)


def test_shower_grows_to_at_most_its_energy() -> None:
    young, grown = (np.mean([len(c) for c in cascades(100.0, True, depth, 100)]) for depth in (1.0, 6.0))
    assert 2.0 * young < grown < 100.0 / SOFTEST
