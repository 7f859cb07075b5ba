from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit

from na64mu.simulation.losses import CUT, build_losses, mean_loss, rate, sample_loss, sample_process
from na64mu.simulation.materials import COPPER, IRON, LEAD, SCINTILLATOR, Layer, Substance
from na64mu.simulation.spectra import (
    BREMSSTRAHLUNG,
    DELTA,
    NUCLEAR,
    PAIR,
    restricted_ionisation,
    spectrum,
    upper_limit,
)

# Mean loss of muons of 100 and 200 GeV kinetic energy [MeV cm2/g]: ionisation, bremsstrahlung, pairs, nuclear, total. PUMAS tables
# of dE/dx (V. Niess et al., Comput. Phys. Commun. 229 (2018) 54), which follow Groom, Mokhov and Striganov (2001) = PDG.
PUMAS = [
    (LEAD, 100.0, 1.860, 0.5366, 0.7905, 0.03053, 3.218),
    (LEAD, 200.0, 1.919, 1.180, 1.762, 0.06024, 4.922),
    (IRON, 100.0, 2.207, 0.2218, 0.3158, 0.03384, 2.778),
    (IRON, 200.0, 2.273, 0.4885, 0.7114, 0.06734, 3.541),
    (COPPER, 100.0, 2.155, 0.2400, 0.3427, 0.03349, 2.771),
    (COPPER, 200.0, 2.221, 0.5283, 0.7713, 0.06660, 3.587),
    (SCINTILLATOR, 100.0, 2.702, 0.06334, 0.08804, 0.03893, 2.892),
    (SCINTILLATOR, 200.0, 2.779, 0.1411, 0.2020, 0.07832, 3.200),
]


def loss_of(process: int, energy: float, substance: Substance) -> float:
    t = np.geomspace(1e-4, upper_limit(process, energy, substance) * (1.0 - 1e-9), 2000)
    return float(np.trapezoid(spectrum(process, energy, t, substance) * t, t)) * 1e4 / substance.density


@pytest.mark.parametrize(("substance", "kinetic", "ion", "brems", "pair", "nuclear", "total"), PUMAS)
def test_mean_losses(substance: Substance, kinetic: float, ion: float, brems: float, pair: float, nuclear: float, total: float) -> None:
    energy = kinetic + 0.10566
    # the tables add radiative corrections of up to 3 % to the ionisation
    assert restricted_ionisation(energy, 1e9, substance)[0] * 1e4 / substance.density == pytest.approx(ion, rel=0.035)
    assert loss_of(BREMSSTRAHLUNG, energy, substance) == pytest.approx(brems, rel=0.04)
    assert loss_of(PAIR, energy, substance) == pytest.approx(pair, rel=0.03)
    # another photon-nucleon cross-section and shadowing: 10 %
    assert loss_of(NUCLEAR, energy, substance) == pytest.approx(nuclear, rel=0.12)
    tables = build_losses((Layer(substance, 1.0),))
    energies, hard = mean_loss(tables)
    mean = np.interp(math.log(energy), np.log(energies), tables.continuous + hard.sum(axis=0))
    assert mean * 1e4 / substance.density == pytest.approx(total, rel=0.025)


def test_ionisation_does_not_depend_on_the_cut() -> None:
    low, _ = restricted_ionisation(160.0, CUT, IRON)
    high, _ = restricted_ionisation(160.0, 1.0, IRON)
    t = np.geomspace(CUT, 1.0, 4000)
    assert low + np.trapezoid(spectrum(DELTA, 160.0, t, IRON) * t, t) == pytest.approx(high, rel=1e-3)


@njit
def _through(tables, n, length, rng):
    out = np.empty(n)
    for i in range(n):
        energy, z = 160.0, 0.0
        while True:
            per_length, continuous, straggling = rate(tables, energy)
            step = rng.standard_exponential() / per_length
            last = z + step >= length
            step = length - z if last else step
            z += step
            energy -= max(0.0, continuous * step + math.sqrt(straggling * step) * rng.standard_normal())
            if last or energy < 1.0:
                break
            energy -= sample_loss(tables, sample_process(tables, energy, rng), energy, 1.0, rng)
            if energy < 1.0:
                break
        out[i] = energy
    return out


def test_energy_behind_the_ecal() -> None:
    # 160 GeV muons behind 22.5 cm of lead and 22.5 cm of scintillator. Geant4 11.4, 40 000 events: mean loss 1.058 +- 0.024 GeV,
    # P(E < 80, 120, 150, 157 GeV) = 10.5(16)e-4, 25(3)e-4, 8.4(5)e-3, 3.84(10)e-2; our own statistical error is 3 to 10 times
    # smaller. Tolerance: three of the quoted errors, and 3 % for the cross-sections.
    energy = _through(build_losses((Layer(LEAD, 0.5), Layer(SCINTILLATOR, 0.5))), 300_000, 450.0, np.random.default_rng(8))
    for limit, value, error in ((80.0, 10.5e-4, 1.6e-4), (120.0, 25e-4, 3e-4), (150.0, 8.4e-3, 0.5e-3), (157.0, 3.84e-2, 0.10e-2)):
        assert np.mean(energy < limit) == pytest.approx(value, abs=3.0 * error + 0.03 * value)
    assert 160.0 - energy.mean() == pytest.approx(1.058, abs=3 * 0.024 + 0.03)


@pytest.mark.parametrize("process", [DELTA, BREMSSTRAHLUNG, PAIR, NUCLEAR])
def test_sampled_spectrum(process: int) -> None:
    tables, rng = build_losses((Layer(LEAD, 1.0),)), np.random.default_rng(9)
    energy = float(np.exp(tables.log_low + 20 * tables.log_step))
    drawn = np.array([sample_loss(tables, process, energy, 1.0, rng) for _ in range(20_000)])
    low = 0.2 if process == NUCLEAR else CUT
    t = np.geomspace(low, upper_limit(process, energy, LEAD) * (1 - 1e-9), 4000)
    density = spectrum(process, energy, t, LEAD)
    for limit in (2.0 * low, 1.0, 0.3 * energy):
        expected = np.trapezoid(np.where(t > limit, density, 0.0), t) / np.trapezoid(density, t)
        assert np.mean(drawn > limit) == pytest.approx(expected, abs=4.0 * math.sqrt(expected / 20_000) + 0.01)
    assert drawn.min() >= CUT * 0.999


def test_quantile_picks_the_hardest() -> None:
    tables, rng = build_losses((Layer(LEAD, 1.0),)), np.random.default_rng(10)
    j = 18
    energy = float(np.exp(tables.log_low + j * tables.log_step))
    share = math.exp(tables.log_survival[BREMSSTRAHLUNG, j, 100])
    threshold = math.exp(math.log(CUT) + (tables.log_max[BREMSSTRAHLUNG, j] - math.log(CUT)) * 100 / 199)
    assert min(sample_loss(tables, BREMSSTRAHLUNG, energy, share, rng) for _ in range(500)) > 0.99 * threshold
