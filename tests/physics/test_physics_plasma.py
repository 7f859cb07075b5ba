from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from na64mu.physics.plasma import energy_freedom, entropy_density, entropy_freedom, expansion_rate, root_freedom

# Borsanyi et al., Nature 539 (2016) 69 (arXiv:1606.07494), table S2: log10(T / MeV), g, g / h
LATTICE = [
    (0.50, 10.74, 1.00029),
    (1.00, 10.76, 1.00048),
    (1.25, 11.09, 1.00505),
    (1.60, 13.68, 1.02159),
    (2.00, 17.61, 1.02324),
    (2.40, 47.83, 1.06118),
    (2.50, 53.04, 1.04690),
]


def gas(temperature: float, mass: float, freedom: int, fermion: bool) -> tuple[float, float]:
    """g and h of an ideal gas."""
    x, sign = mass / temperature, 1.0 if fermion else -1.0

    def energy(u: float) -> float:
        e = math.sqrt(u * u + x * x)
        return u * u * e / (math.exp(e) + sign)

    def pressure(u: float) -> float:
        e = math.sqrt(u * u + x * x)
        return u**4 / (3.0 * e) / (math.exp(e) + sign)

    rho, p = (freedom / (2.0 * math.pi**2) * quad(f, 1e-8, 60.0)[0] for f in (energy, pressure))
    return 30.0 / math.pi**2 * rho, 45.0 / (2.0 * math.pi**2) * (rho + p)


@pytest.mark.parametrize(("log_t", "g", "ratio"), LATTICE)
def test_against_lattice_qcd(log_t: float, g: float, ratio: float) -> None:
    t = 1e-3 * 10.0**log_t
    assert float(energy_freedom(t)) == pytest.approx(g, rel=0.01)
    assert float(entropy_freedom(t)) == pytest.approx(g / ratio, rel=0.01)


@pytest.mark.parametrize("temperature", [3e-3, 8e-3, 0.02, 0.035])
def test_below_the_hadrons_it_is_a_gas_of_leptons_photons_and_pions(temperature: float) -> None:
    species = [(0.0, 2, False), (0.0, 6, True), (0.511e-3, 4, True), (0.10566, 4, True), (0.1396, 2, False), (0.1350, 1, False)]
    g, h = (sum(values) for values in zip(*(gas(temperature, *s) for s in species), strict=True))
    assert float(energy_freedom(temperature)) == pytest.approx(g, rel=0.006)
    assert float(entropy_freedom(temperature)) == pytest.approx(h, rel=0.006)


def test_ends() -> None:
    # photons and three neutrinos, colder by (4/11)^(1/3), with N_eff = 3.044: 3.38 and 3.93
    neutrinos = 2.0 * 7.0 / 8.0 * 3.044
    assert float(energy_freedom(1e-5)) == pytest.approx(2.0 + neutrinos * (4.0 / 11.0) ** (4.0 / 3.0), rel=3e-3)
    assert float(entropy_freedom(1e-5)) == pytest.approx(2.0 + neutrinos * 4.0 / 11.0, rel=3e-3)
    assert float(energy_freedom(1e-9)) == float(energy_freedom(1e-5))
    for freedom in (energy_freedom, entropy_freedom):
        assert float(freedom(1e15)) == pytest.approx(106.75, rel=0.02)  # interactions take 1.5 % away


def test_rises_with_temperature_and_joins_smoothly() -> None:
    t = np.geomspace(1e-5, 100.0, 400)
    for freedom in (energy_freedom, entropy_freedom):
        assert np.all(np.diff(freedom(t)) > -1e-3)
        assert float(freedom(0.12 * (1.0 - 1e-9))) == pytest.approx(float(freedom(0.12 * (1.0 + 1e-9))), rel=1e-3)


def test_expansion_and_entropy() -> None:
    # radiation: t = 1 / 2H, about 1.3 s / (T / 0.86 MeV)^2; here 0.74 s at 1 MeV (g = 10.6)
    seconds = 6.582120e-25 / (2.0 * float(expansion_rate(1e-3)))
    assert seconds == pytest.approx(2.42 / math.sqrt(float(energy_freedom(1e-3))), rel=2e-3)
    assert float(entropy_density(0.01)) == pytest.approx(2.0 * math.pi**2 / 45.0 * float(entropy_freedom(0.01)) * 1e-6, rel=1e-12)


def test_root_is_h_over_root_g_on_a_plateau() -> None:
    assert float(root_freedom(5e-3)) == pytest.approx(math.sqrt(10.75), rel=0.01)
    # e+e- annihilation and hadrons raise it
    t = 0.13
    assert float(root_freedom(t)) > float(entropy_freedom(t)) / math.sqrt(float(energy_freedom(t)))
