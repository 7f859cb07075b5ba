from __future__ import annotations

import math

import numpy as np
import pytest

from na64mu.physics.bosons import Mediator
from na64mu.physics.cross_section import Method, cross_section
from na64mu.physics.production import sample_kinematics, tabulate
from na64mu.physics.weizsaecker import dsigma_dx_dcos_muon

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
SCALAR_REFERENCE = [(0.010, 2.12e9, 5.05e8), (0.100, 2.65e8, 2.31e8), (1.000, 3.76e6, 3.74e6)]


@pytest.mark.parametrize(
    ("mediator", "mass", "total", "hard"),
    [*((Mediator.VECTOR, *row) for row in REFERENCE), *((Mediator.SCALAR, *row) for row in SCALAR_REFERENCE)],
)
def test_cross_sections_on_lead(mediator: Mediator, mass: float, total: float, hard: float) -> None:
    table = tabulate(160.0, mass, E_CHARGE, *LEAD, mediator=mediator)
    assert table.total == pytest.approx(total, rel=0.03)
    x, _ = sample_kinematics(table, 100_000, np.random.default_rng(1))
    share = hard / total
    assert np.mean(x > 0.5) == pytest.approx(share, abs=4.0 * math.sqrt(share * (1.0 - share) / 1e5) + 0.01 * share)


@pytest.mark.parametrize("mediator", Mediator)
@pytest.mark.parametrize("method", [Method.WW, Method.TREE])
def test_total_of_the_table_is_the_cross_section(method: Method, mediator: Mediator) -> None:
    # the angle of the muon here, of X there
    for mass in (0.01, 0.1, 1.0):
        table = tabulate(160.0, mass, 1.0, *LEAD, method=method, mediator=mediator)
        expected = float(cross_section(160.0, mass, 1.0, *LEAD, method=method, mediator=mediator))
        assert table.total == pytest.approx(expected, rel=1e-4 if method is Method.TREE else 2e-3)


def test_yield_per_muon_at_reference_coupling() -> None:
    # exact tree level per muon on target for 22.5 cm of lead (7.42e23 nuclei per cm2) at g = 1e-4
    masses = np.array([0.01, 0.04, 0.1, 0.5, 1.0])
    expected = np.array([4.88e-10, 1.97e-10, 7.68e-11, 5.08e-12, 8.6e-13])
    assert cross_section(160.0, masses, 1e-4, *LEAD) * 7.42e-13 == pytest.approx(expected, rel=0.006)
    assert tabulate(160.0, 0.1, 1e-4, *LEAD).total * 7.42e-13 == pytest.approx(7.68e-11, rel=0.01)


# exact tree level: mean x and mean psi [rad]
@pytest.mark.parametrize(("mass", "mean_x", "mean_psi"), [(0.01, 0.269, 7.6e-4), (0.1, 0.578, 3.16e-3), (1.0, 0.853, 2.77e-2)])
def test_sampled_means(mass: float, mean_x: float, mean_psi: float) -> None:
    for method, tolerance in ((Method.TREE, 0.025), (Method.WW, 0.06)):  # the angles of WW are 1 to 4 % lower
        x, psi = sample_kinematics(tabulate(160.0, mass, 1e-4, *LEAD, method=method), 200_000, np.random.default_rng(2))
        assert x.mean() == pytest.approx(mean_x, rel=0.01)
        assert psi.mean() == pytest.approx(mean_psi, rel=tolerance)


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


def test_coupling_enters_squared() -> None:
    assert tabulate(160.0, 0.1, 3e-4, *LEAD).total == pytest.approx(9.0 * tabulate(160.0, 0.1, 1e-4, *LEAD).total, rel=1e-12)


def test_same_seed_same_events() -> None:
    table = tabulate(160.0, 0.1, 1e-4, *LEAD)
    one, two = (sample_kinematics(table, 100, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one, two)


def test_impossible_mass() -> None:
    with pytest.raises(ValueError, match=r"cannot be produced by a muon of 160\.0 GeV"):
        tabulate(160.0, 200.0, 1e-4, *LEAD)


def test_no_angle_without_an_angle() -> None:
    with pytest.raises(ValueError, match="has no muon angle to tabulate: use method WW or TREE"):
        tabulate(160.0, 0.1, 1e-4, *LEAD, method=Method.IWW)
