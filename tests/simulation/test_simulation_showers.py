from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.special import gammainc

from na64mu.detector import load_detector
from na64mu.simulation.calorimeters import build_calorimeters
from na64mu.simulation.hadrons import hadron_response
from na64mu.simulation.showers import Calorimeter, deposit_electromagnetic, deposit_point, gamma_cdf, lateral_integral, smeared_response


@pytest.fixture(scope="module")
def calorimeters() -> tuple[Calorimeter, Calorimeter, Calorimeter]:
    return build_calorimeters(load_detector("na64mu-2022"))


@pytest.mark.parametrize(("a", "x"), [(1.0, 0.3), (2.5, 1.0), (2.5, 9.0), (6.3, 6.0), (6.3, 30.0), (1.0, 0.0)])
def test_incomplete_gamma(a: float, x: float) -> None:
    assert gamma_cdf(a, x) == pytest.approx(gammainc(a, x), abs=1e-9)


def test_lateral_integral() -> None:
    value = dblquad(lambda v, u: 49.0 / (math.pi * (u * u + v * v + 49.0) ** 2), 0, 12.0, 0, 5.0)[0]
    assert lateral_integral(12.0, 5.0, 7.0) == pytest.approx(value, rel=1e-6)
    assert lateral_integral(-12.0, 5.0, 7.0) == pytest.approx(-value, rel=1e-6)
    assert lateral_integral(1e6, 1e6, 7.0) == pytest.approx(0.25, rel=1e-6)


@pytest.mark.parametrize("energy", [1.0, 100.0])
def test_ecal_resolution(calorimeters: tuple[Calorimeter, ...], energy: float) -> None:
    ecal = calorimeters[0]
    rng = np.random.default_rng(1)
    drawn = np.array([smeared_response(energy, ecal.stochastic, ecal.constant, rng) for _ in range(20_000)])
    assert drawn.mean() == pytest.approx(energy, rel=3e-3)
    assert drawn.std() / energy == pytest.approx(math.hypot(0.08 / math.sqrt(energy), 0.01), rel=0.03)


def test_hadron_resolution(calorimeters: tuple[Calorimeter, ...]) -> None:
    hcal, rng = calorimeters[2], np.random.default_rng(2)
    drawn = np.array([smeared_response(50.0, hcal.hadron_stochastic, hcal.hadron_constant, rng) for _ in range(20_000)])
    assert drawn.std() / 50.0 == pytest.approx(math.hypot(0.65 / math.sqrt(50.0), 0.06), rel=0.03)


def test_stack_constants(calorimeters: tuple[Calorimeter, ...]) -> None:
    ecal, vhcal, hcal = calorimeters
    # 40 radiation lengths and 1.56 interaction lengths (thesis); lead and scintillator by PDG numbers: 40.6 and 1.57
    assert 471.0 / ecal.x0 == pytest.approx(40.0, rel=0.03)
    assert 471.0 / ecal.interaction_length == pytest.approx(1.56, rel=0.03)
    assert 840.0 / vhcal.interaction_length == pytest.approx(4.9, rel=0.05)
    assert 1632.0 / hcal.interaction_length == pytest.approx(7.15, rel=0.05)


def test_shower_sharing(calorimeters: tuple[Calorimeter, ...]) -> None:
    ecal, rng = calorimeters[0], np.random.default_rng(3)
    total, front, centre = 0.0, 0.0, 0.0
    for _ in range(200):
        cells = np.zeros((2, 5, 6))
        leaving, leak = deposit_electromagnetic(ecal, cells, np.array([0.0, 0.0, 0.0, 0.0, 160.0]), 0.0, 100.0, True, 0.0, rng)
        total += cells.sum()
        front += cells[0].sum()
        centre += cells[:, 2, 3].sum()
        assert leaving < 1e-2  # 40 radiation lengths contain 100 GeV
        assert leak < 1e-3
    a = 1.0 + 0.5 * (math.log(100.0 / ecal.critical_energy) + 0.5)
    assert front / total == pytest.approx(gammainc(a, 0.5 * (ecal.ends[0] - ecal.z) / ecal.x0), rel=0.02)
    assert total / 200 == pytest.approx(100.0, rel=0.03)
    assert 0.75 < centre / total < 0.95


def test_late_showers_leak(calorimeters: tuple[Calorimeter, ...]) -> None:
    ecal, rng = calorimeters[0], np.random.default_rng(4)
    cells = np.zeros((2, 5, 6))
    leaving, leak = deposit_electromagnetic(ecal, cells, np.array([0.0, 0.0, 0.0, 0.0, 160.0]), 471.0 - 5.0 * ecal.x0, 50.0, True, 0.0, rng)
    assert 100 < leaving < 2000
    assert leak + cells.sum() == pytest.approx(50.0, rel=0.1)  # what leaks and what is seen make up the shower
    assert cells.sum() < 30.0
    assert cells[0].sum() == 0.0


def test_energy_outside_the_cells_is_lost(calorimeters: tuple[Calorimeter, ...]) -> None:
    vhcal = calorimeters[1]
    cells = np.zeros((1, 4, 4))
    for x, y in ((300.0, 0.0), (0.0, -251.0), (10.0, 10.0)):  # outside, outside, in the hole
        deposit_point(vhcal, cells, 0, x, y, 1.0)
    assert cells.sum() == 0.0
    deposit_point(vhcal, cells, 0, 100.0, 0.0, 1.0)
    assert cells[0, 2, 2] == 1.0


def test_hadrons_on_the_electron_scale() -> None:
    # pi/e of an uncompensated stack rises with energy towards 1; on a hadron scale it is 1
    assert hadron_response(30.0, 1.0) == 1.0
    assert hadron_response(1.0, 0.74) == pytest.approx(0.74)
    assert hadron_response(100.0, 0.74) == pytest.approx(1.0 - 0.26 * 100.0**-0.18)
    assert hadron_response(10.0, 0.74) < hadron_response(100.0, 0.74) < 1.0
