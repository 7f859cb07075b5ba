from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from na64mu.physics.production import (
    dsigma_dx_dcos_mediator,
    dsigma_dx_dcos_muon,
    flux,
    sample_kinematics,
    tabulate,
    x_range,
)

LEAD = (82.0, 207.2)
E_CHARGE = math.sqrt(4.0 * math.pi / 137.036)

# cross-sections on lead at 160 GeV for g = e [pb]: mass [GeV], total, x > 0.5
# (evaluation of the DMG4 formulas, arXiv:2101.12192, made apart from this code)
REFERENCE = [
    (0.010, 6.055e9, 9.94e8),
    (0.040, 2.439e9, 8.95e8),
    (0.100, 9.52e8, 5.90e8),
    (0.300, 1.787e8, 1.512e8),
    (1.000, 1.065e7, 1.010e7),
]


@pytest.mark.parametrize(("mass", "total", "hard"), REFERENCE)
def test_cross_sections_on_lead(mass: float, total: float, hard: float) -> None:
    table = tabulate(160.0, mass, E_CHARGE, *LEAD)
    assert table.total == pytest.approx(total, rel=0.03)
    x, _ = sample_kinematics(table, 100_000, np.random.default_rng(1))
    share = hard / total
    assert np.mean(x > 0.5) == pytest.approx(share, abs=4.0 * math.sqrt(share * (1.0 - share) / 1e5) + 0.01 * share)


def test_yield_per_muon_at_reference_coupling() -> None:
    # 7.68e-11 per muon on target for 22.5 cm of lead at g = 1e-4 and 100 MeV, exact tree level; WW / exact = 1.004
    table = tabulate(160.0, 0.1, 1e-4, *LEAD)
    assert table.total * 7.42e-13 == pytest.approx(7.68e-11, rel=0.01)


# exact tree level: mean x and mean psi [rad]; the WW angles are 1 to 4 % lower
@pytest.mark.parametrize(("mass", "mean_x", "mean_psi"), [(0.01, 0.269, 7.6e-4), (0.1, 0.578, 3.16e-3), (1.0, 0.853, 2.77e-2)])
def test_sampled_means(mass: float, mean_x: float, mean_psi: float) -> None:
    x, psi = sample_kinematics(tabulate(160.0, mass, 1e-4, *LEAD), 200_000, np.random.default_rng(2))
    assert x.mean() == pytest.approx(mean_x, rel=0.01)
    assert psi.mean() == pytest.approx(mean_psi, rel=0.06)


def test_sampled_angle_follows_the_cross_section() -> None:
    table = tabulate(160.0, 0.1, 1e-4, *LEAD)
    x, psi = sample_kinematics(table, 400_000, np.random.default_rng(3))
    narrow = (x > 0.58) & (x < 0.62)
    share = np.mean(psi[narrow] < 3e-3)
    edges = np.geomspace(1e-7, 1.0, 4000)
    density = dsigma_dx_dcos_muon(np.full(4000, 0.6), edges, 160.0, 0.1, 1e-4, *LEAD) * edges
    total = np.trapezoid(density, edges)
    below = np.trapezoid(np.where(edges < 3e-3, density, 0.0), edges)
    assert share == pytest.approx(below / total, abs=0.015)


@pytest.mark.parametrize("mass", [0.01, 0.1, 1.0])
def test_both_angles_give_the_same_cross_section(mass: float) -> None:
    x = np.full(4000, 0.7)
    angle = np.geomspace(1e-6, 0.3, 4000)
    mediator = np.trapezoid(dsigma_dx_dcos_mediator(x, angle, 160.0, mass, 1e-4, *LEAD) * angle, angle)
    wide = np.geomspace(1e-6, 1.0, 4000)
    muon = np.trapezoid(dsigma_dx_dcos_muon(x, wide, 160.0, mass, 1e-4, *LEAD) * wide, wide)
    assert muon == pytest.approx(mediator, rel=0.01)


def test_flux_is_the_integral() -> None:
    z, a = LEAD
    ta, td = (0.51099895e-3 * z ** (1 / 3) / 111.0) ** 2, 0.164 * a ** (-2 / 3)
    for t_min in (1e-12, 1e-9, 1e-6, 1e-3):

        def integrand(log_t: float, t_min: float = t_min) -> float:
            t = math.exp(log_t)
            return (t - t_min) / t * (z * t / (t + ta) * td / (t + td)) ** 2

        expected = quad(integrand, math.log(t_min), math.log(2.56e4), limit=200)[0]
        assert flux(np.array([t_min]), 2.56e4, z, a)[0] == pytest.approx(expected, rel=1e-5)


def test_coupling_enters_squared() -> None:
    assert tabulate(160.0, 0.1, 3e-4, *LEAD).total == pytest.approx(9.0 * tabulate(160.0, 0.1, 1e-4, *LEAD).total, rel=1e-12)


def test_x_range() -> None:
    low, high = x_range(160.0, 0.1, 207.2)
    assert low == pytest.approx(0.1 / 160.0)
    assert 0.999 < high < 1.0


@pytest.mark.parametrize("mass", [0.0, -1.0, 200.0])
def test_impossible_masses(mass: float) -> None:
    with pytest.raises(ValueError, match=r"cannot be produced by a muon of 160\.0 GeV"):
        tabulate(160.0, mass, 1e-4, *LEAD)
