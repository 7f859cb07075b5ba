from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit

from na64mu.detector import load_detector
from na64mu.physics.materials import IRON
from na64mu.simulation.particles import set_state
from na64mu.simulation.sampling_layers import ABSORBER, AIR, PLASTIC, build_plates, plate_at, plate_values
from na64mu.simulation.setup import build_setup, new_scratch
from na64mu.simulation.soft_particles import reaches
from na64mu.simulation.soft_secondaries import spray, spray_delta_rays
from na64mu.simulation.stream import Stream

DETECTOR = load_detector("na64mu-2022")
SETUP, SCRATCH = build_setup(DETECTOR, 2), new_scratch(DETECTOR)
PLATES = build_plates(IRON, 25.0, 4.0, 34.0)


@njit
def _material(plates, depth):
    return plate_at(plates, depth)


@njit
def _values(plates, material, energy):
    return plate_values(plates, material, energy)


@njit
def _reaches(c, energy, rest):
    return reaches(c, energy, rest)


@njit
def _fires(setup, scratch, back, energy, charge, x, n, rng):
    fired = 0
    state = scratch.beam
    set_state(state, x, 0.0, 0.0, 0.0, energy)
    for _ in range(n):
        scratch.n.hits = 0
        scratch.counters[:] = 0.0
        if charge == 2.0:
            spray_delta_rays(setup, scratch, setup.hcal, len(setup.line.kind) - 1, state, rng)
        else:
            spray(setup, scratch, setup.hcal, len(setup.line.kind) - 1, state, setup.hcal.ends[-1] - back, energy, charge, rng)
        fired += scratch.counters[4] > 0.4
    return fired


def test_plates_of_a_layer() -> None:
    assert [_material(PLATES, 34.0 * 3 + at).material for at in (1.0, 26.0, 30.0)] == [ABSORBER, PLASTIC, AIR]
    assert _material(PLATES, 61.0)[1:] == pytest.approx((59.0, 63.0))
    # photons of 10 MeV in iron (NIST XCOM): 0.0299 cm2/g
    scatters, pairs, loss = _values(PLATES, ABSORBER, 0.01)
    assert (scatters + pairs) * 10.0 / IRON.density == pytest.approx(0.0299, rel=0.02)
    assert loss * 1e4 / IRON.density == pytest.approx(1.48, rel=0.03)


def test_deep_showers_are_left_out() -> None:
    c = SETUP.hcal
    assert _reaches(c, 0.01, 11.9 * c.x0)
    assert not _reaches(c, 0.01, 12.1 * c.x0)
    assert _reaches(c, 50.0, 30.0 * c.x0)


def test_electrons_at_the_rear_fire_the_counter_that_they_meet() -> None:
    # S_mu covers x from -417 to -117 mm in configuration 2
    assert _fires(SETUP, SCRATCH, 0.5, 0.1, -1.0, -250.0, 300, Stream(1)) > 270
    assert _fires(SETUP, SCRATCH, 0.5, 0.1, -1.0, 250.0, 300, Stream(1)) < 6


def test_one_photon_in_fifty_makes_an_electron_in_the_counter() -> None:
    # 3 MeV photons from the last millimetre: 5 mm of polystyrene (XCOM 0.0382 cm2/g) take 2.0 %; of their
    # electrons those from the first 3 mm, or at a large angle, leave 0.4 MeV
    n = 20_000
    fired = _fires(SETUP, SCRATCH, 0.01, 0.003, 0.0, -250.0, n, Stream(2)) / n
    assert 0.5 < fired / (1.0 - math.exp(-0.0382 * 1.06 * 0.5)) < 0.95
    assert _fires(SETUP, SCRATCH, 0.01, 0.0005, 0.0, -250.0, n, Stream(2)) == 0


@pytest.mark.parametrize(("energy", "back"), [(1.0, 100.0), (10.0, 250.0)])
def test_showers_fire_the_counter_beside_them_less_and_less(energy: float, back: float) -> None:
    fired = np.array([_fires(SETUP, SCRATCH, back, energy, -1.0, x, 400, Stream(3)) for x in (-127.0, -60.0, 0.0, 120.0)])
    assert np.all(np.diff(fired) < 0)
    assert fired[0] > 200


def test_delta_rays_fire_the_counter_in_front_of_them() -> None:
    n = 2000
    inside, outside = (_fires(SETUP, SCRATCH, 0.0, 160.0, 2.0, x, n, Stream(4)) for x in (-250.0, 0.0))
    # K/2 Z/A x / T^2 above 1 MeV in 4 mm of plastic and the last of the iron: a few per cent leave with enough
    assert 0.02 < inside / n < 0.6
    assert outside < 0.02 * n
