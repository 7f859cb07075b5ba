from __future__ import annotations

import math

import numpy as np
import pytest

from na64mu.physics.energy_loss import BREMSSTRAHLUNG, DELTA, NUCLEAR, PAIR, restricted_ionisation, spectrum, upper_limit
from na64mu.physics.materials import COPPER, IRON, LEAD, SCINTILLATOR, Substance
from na64mu.physics.stopping_power import mean_loss_by, stopping_power

# Mean loss of muons by kinetic energy [MeV cm2/g]: ionisation, bremsstrahlung, pairs, nuclear, total. PUMAS tables of dE/dx
# (V. Niess et al., Comput. Phys. Commun. 229 (2018) 54; repository niess/pumas-materials, dedx/muon), the engine of `mulder`.
PUMAS = [
    (LEAD, 10.0, 1.614, 0.03359, 0.03857, 0.002923, 1.690),
    (LEAD, 40.0, 1.774, 0.1835, 0.2567, 0.01255, 2.227),
    (LEAD, 100.0, 1.860, 0.5366, 0.7905, 0.03053, 3.218),
    (LEAD, 200.0, 1.919, 1.180, 1.762, 0.06024, 4.922),
    (IRON, 10.0, 1.942, 0.01401, 0.01490, 0.003109, 1.974),
    (IRON, 40.0, 2.112, 0.07591, 0.1011, 0.01371, 2.303),
    (IRON, 100.0, 2.207, 0.2218, 0.3158, 0.03384, 2.778),
    (IRON, 200.0, 2.273, 0.4885, 0.7114, 0.06734, 3.541),
    (COPPER, 100.0, 2.155, 0.2400, 0.3427, 0.03349, 2.771),
    (COPPER, 200.0, 2.221, 0.5283, 0.7713, 0.06660, 3.587),
    (SCINTILLATOR, 100.0, 2.702, 0.06334, 0.08804, 0.03893, 2.892),
    (SCINTILLATOR, 200.0, 2.779, 0.1411, 0.2020, 0.07832, 3.200),
]


def loss_of(process: int, energy: float, substance: Substance) -> float:
    """Mean loss by one process [MeV cm2/g]."""
    return mean_loss_by(process, energy, substance) * 1e4 / substance.density


@pytest.mark.parametrize(("substance", "kinetic", "ion", "brems", "pair", "nuclear", "total"), PUMAS)
def test_mean_losses(substance: Substance, kinetic: float, ion: float, brems: float, pair: float, nuclear: float, total: float) -> None:
    energy = kinetic + 0.10566
    assert restricted_ionisation(energy, 1e9, substance)[0] * 1e4 / substance.density == pytest.approx(ion, rel=0.003)
    assert loss_of(BREMSSTRAHLUNG, energy, substance) == pytest.approx(brems, rel=0.03)
    assert loss_of(PAIR, energy, substance) == pytest.approx(pair, rel=0.005)
    # PUMAS takes the photonuclear cross-section of Dutta et al. (2001), which has no nuclear resonances below 1 GeV
    assert nuclear < loss_of(NUCLEAR, energy, substance) < 1.12 * nuclear + 0.0012
    assert stopping_power(energy, substance) * 1e4 / substance.density == pytest.approx(total, rel=0.01)


# Standard rock, from the PDG Review (section on cosmic rays, table "Average muon range R and energy loss parameters a and b", made
# from the tables of Groom, Mokhov and Striganov 2001): energy [GeV], a [MeV cm2/g] and b of bremsstrahlung, pairs and nuclear
# interactions [1e-6 cm2/g], printed to 0.01: 1.5 to 2.5 % of the nuclear ones. The column of single processes was not looked up again;
# its sum, a + b E = 2.19, 2.74 and 6.60 MeV cm2/g, was checked against PUMAS (mulder 0.3.7, "Rock"): 2.19, 2.75 and 6.61, which
# confines b_nucl to 0.1 at 100 and 0.01 at 1000 GeV.
ROCK = Substance("standard rock", ((11.0, 22.0, 1.0),), 2.65, 136.4, (3.7738, 0.0492, 3.0549, 0.08301, 3.4120), 100.0, 0.05)
GROOM = [(10.0, 2.17, 0.70, 0.70, 0.50), (100.0, 2.44, 1.10, 1.53, 0.41), (1000.0, 2.68, 1.44, 2.07, 0.41)]


@pytest.mark.parametrize(("energy", "a", "brems", "pair", "nuclear"), GROOM)
def test_published_rock(energy: float, a: float, brems: float, pair: float, nuclear: float) -> None:
    assert restricted_ionisation(energy, 1e9, ROCK)[0] * 1e4 / ROCK.density == pytest.approx(a, abs=0.006)
    assert loss_of(BREMSSTRAHLUNG, energy, ROCK) / energy * 1e3 == pytest.approx(brems, rel=0.03)
    assert loss_of(PAIR, energy, ROCK) / energy * 1e3 == pytest.approx(pair, rel=0.03)
    # at 10 GeV the formula of Borog and Petrukhin gives 6 % less than that of Bezrukov and Bugaev in the table
    tolerance = 0.07 if energy < 50.0 else 0.035
    assert loss_of(NUCLEAR, energy, ROCK) / energy * 1e3 == pytest.approx(nuclear, rel=tolerance)


def test_ionisation_does_not_depend_on_the_cut() -> None:
    low = restricted_ionisation(160.0, 0.01, IRON)[0]
    high = restricted_ionisation(160.0, 1.0, IRON)[0]
    t = np.geomspace(0.01, 1.0, 4000)
    assert low + np.trapezoid(spectrum(DELTA, 160.0, t, IRON) * t, t) == pytest.approx(high, rel=1e-3)


def test_limits() -> None:
    # a head-on electron takes at most 2 m (g^2 - 1) / (1 + 2 g m / M + (m / M)^2); all others leave the muon its mass at least
    assert upper_limit(DELTA, 160.0, LEAD) == pytest.approx(160.0**2 / (160.0 + 0.10566**2 / (2.0 * 0.000511)), rel=1e-3)
    for process in (BREMSSTRAHLUNG, PAIR, NUCLEAR):
        assert 155.0 < upper_limit(process, 160.0, LEAD) < 160.0 - 0.1
    assert mean_loss_by(NUCLEAR, 0.5, LEAD) == 0.0
    assert math.isfinite(stopping_power(1.0, LEAD))
