from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

from na64mu.physics import relic
from na64mu.physics.annihilation import Model
from na64mu.physics.constants import PLANCK_MASS
from na64mu.physics.couplings import coupling_from_y
from na64mu.physics.plasma import entropy_density, expansion_rate, root_freedom
from na64mu.physics.relic import abundance, equilibrium_yield, target, target_y
from na64mu.physics.widths import DarkMatter


def model_of(kind: DarkMatter, m_chi: float, y: float, dark: float = 0.05) -> Model:
    return Model(m_chi, 3.0 * m_chi, float(coupling_from_y(y, dark, m_chi, 3.0 * m_chi)), dark, kind)


# y of the thermal target at M = 3 m_chi, Omega h^2 = 0.12 (computed apart from this code, which had its own degrees of freedom): the
# worst are p-wave targets in the tail of the pole, +4 %
TARGETS = [
    (DarkMatter.PSEUDO_DIRAC, 0.05, (5.99e-13, 6.69e-11, 3.52e-9), 0.01),
    (DarkMatter.MAJORANA, 0.05, (3.42e-12, 7.1e-10, 5.8e-8), 0.04),
    (DarkMatter.SCALAR, 0.05, (4.75e-12, 1.27e-9, 1.17e-7), 0.04),
    (DarkMatter.PSEUDO_DIRAC, 1.0, (6.25e-13, 6.77e-11), 0.01),
    (DarkMatter.MAJORANA, 1.0, (7.6e-12, 9.4e-10), 0.015),
    (DarkMatter.SCALAR, 1.0, (1.5e-11, 1.9e-9), 0.02),
]


@pytest.mark.parametrize(("kind", "dark", "expected", "tolerance"), TARGETS)
def test_thermal_targets(kind: DarkMatter, dark: float, expected: tuple[float, ...], tolerance: float) -> None:
    ours = [target_y(m_chi, dark, kind) for m_chi in (0.01, 0.1, 1.0)[: len(expected)]]
    assert ours == pytest.approx(expected, rel=tolerance)


def test_pseudo_dirac_target_at_40_mev_is_above_the_letters_line() -> None:
    assert target_y(0.040, 0.05, DarkMatter.PSEUDO_DIRAC) == pytest.approx(1.04e-11, rel=0.015)


# hazma 2.2.0 (arXiv:1907.11846), full solver with its own degrees of freedom, fed with the thermal averages of these models
@pytest.mark.parametrize(
    ("kind", "m_chi", "y", "expected"),
    [
        (DarkMatter.MAJORANA, 0.01, 3.42e-12, 0.12150),
        (DarkMatter.MAJORANA, 0.1, 7.1e-10, 0.12240),
        (DarkMatter.MAJORANA, 1.0, 5.8e-8, 0.12051),
        (DarkMatter.SCALAR, 0.01, 4.75e-12, 0.12118),
        (DarkMatter.SCALAR, 0.1, 1.27e-9, 0.12232),
        (DarkMatter.SCALAR, 1.0, 1.17e-7, 0.11988),
    ],
)
def test_against_a_public_solver(kind: DarkMatter, m_chi: float, y: float, expected: float) -> None:
    assert abundance(model_of(kind, m_chi, y)) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("kind", [DarkMatter.PSEUDO_DIRAC, DarkMatter.MAJORANA])
def test_against_a_general_solver(kind: DarkMatter) -> None:
    # the same equation written with s, H and Y, solved by an implicit Runge-Kutta method
    model = model_of(kind, 0.1, 3e-10)
    v = np.linspace(math.log(3.0), math.log(1e4), 300)
    x = np.exp(v)
    t = model.m_chi / x
    share = 1.0 if model.own_antiparticle else 0.5
    slope_of_h = np.gradient(np.log(entropy_density(t) / t**3), np.log(t))
    rate = entropy_density(t) * share * model.thermal_average(x) / expansion_rate(t) * (1.0 + slope_of_h / 3.0)
    log_rate, log_y = CubicSpline(v, np.log(rate)), CubicSpline(v, np.log(equilibrium_yield(np.minimum(x, 300.0), 0.1, model.freedom)))

    def slope(point: float, w: np.ndarray) -> np.ndarray:
        return -np.exp(log_rate(point) + w) * -np.expm1(np.clip(2.0 * (log_y(point) - w), -700.0, 700.0))

    solution = solve_ivp(slope, (v[0], v[-1]), [float(log_y(v[0]))], method="Radau", rtol=1e-7, atol=1e-9)
    expected = math.exp(solution.y[0, -1]) * 0.1 * relic.ENTROPY_TODAY / relic.CRITICAL_DENSITY
    assert abundance(model) == pytest.approx(expected, rel=3e-3)


def test_rate_of_the_equation_is_s_sigma_v_over_h() -> None:
    t = np.array([0.002, 0.01])
    ours = math.sqrt(math.pi / 45.0) * root_freedom(t) * PLANCK_MASS * t
    slope = np.log(entropy_density(1.001 * t) / entropy_density(t / 1.001)) / (2.0 * math.log(1.001)) - 3.0
    assert ours == pytest.approx(entropy_density(t) / expansion_rate(t) * (1.0 + slope / 3.0), rel=1e-3)


def test_quadrature_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, y in ((DarkMatter.PSEUDO_DIRAC, 6.69e-11), (DarkMatter.MAJORANA, 7.1e-10)):
        model = model_of(kind, 0.1, y)
        coarse = abundance(model)
        with monkeypatch.context() as patch:
            patch.setattr(relic, "N_X", 800)
            patch.setattr(relic, "N_STEPS", 100001)
            patch.setattr(relic, "END", 1e6)
            assert coarse == pytest.approx(abundance(model), rel=3e-4)


def test_more_coupling_less_dark_matter() -> None:
    values = [abundance(Model(0.1, 1.0, g, 0.05, DarkMatter.DIRAC)) for g in (1e-3, 3e-3, 1e-2)]
    assert values[0] > values[1] > values[2]
    # far from the pole Omega <sigma v> changes only by the logarithm of the freeze-out
    assert 7.0 < values[0] / values[1] < 9.0


def test_target_gives_the_abundance() -> None:
    for kind, mass in ((DarkMatter.SCALAR, 0.3), (DarkMatter.MAJORANA, 1.0), (DarkMatter.DIRAC, 0.19)):
        g = target(0.1, mass, 0.05, kind, 0.1)
        assert abundance(Model(0.1, mass, g, 0.05, kind)) == pytest.approx(0.1, rel=1e-4)


def test_equilibrium_yield() -> None:
    # relativistic: 45 zeta(3) / (2 pi^4) d / h with Boltzmann statistics instead of zeta(3) -> 1
    h = float(entropy_density(10.0)) / (2.0 * math.pi**2 / 45.0 * 1e3)
    assert float(equilibrium_yield(1e-3, 0.01, 2)) == pytest.approx(45.0 * 2.0 / (2.0 * math.pi**4 * h), rel=1e-3)
    assert float(equilibrium_yield(1e5, 0.01, 2)) == 0.0


def test_no_target() -> None:
    with pytest.raises(ValueError, match=r"no coupling g below 1 brings chi of 0\.1 GeV down to Omega h\^2 = 0\.12"):
        target(0.1, 0.3, 1e-6, DarkMatter.SCALAR)
