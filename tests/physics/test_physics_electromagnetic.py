from __future__ import annotations

import math

import pytest

from na64mu.physics.constants import ELECTRON_MASS
from na64mu.physics.electromagnetic import collision_loss, compton, klein_nishina, pair_production, radiated_share
from na64mu.physics.materials import IRON, LEAD, SCINTILLATOR, Substance

# Mass attenuation of photons [MeV: cm2/g] (NIST XCOM); in iron all but Rayleigh and photoelectric effect, 1 % at 1 MeV, are in our sum
XCOM = [(IRON, 1.0, 0.05995), (IRON, 3.0, 0.03621), (IRON, 6.0, 0.03057), (IRON, 10.0, 0.02994), (IRON, 20.0, 0.03224), (LEAD, 10.0, 0.04972), (LEAD, 20.0, 0.06206)]  # fmt: skip


@pytest.mark.parametrize(("substance", "energy", "value"), XCOM)
def test_attenuation_of_photons(substance: Substance, energy: float, value: float) -> None:
    ours = (compton(energy * 1e-3, substance) + pair_production(energy * 1e-3, substance)) * 10.0 / substance.density
    assert ours == pytest.approx(value, rel=0.015)


def test_photons_at_the_ends_of_the_formulas() -> None:
    assert klein_nishina(1e-8) == pytest.approx(8.0 / 3.0 * math.pi * 2.8179403e-12**2, rel=1e-3)  # Thomson
    assert pair_production(2.0 * ELECTRON_MASS, IRON) == 0.0
    assert pair_production(50.0, IRON) == pytest.approx(7.0 / 9.0 / IRON.x0, rel=0.03)  # PDG Review eq. 34.32
    assert pair_production(50.0, LEAD) == pytest.approx(7.0 / 9.0 / LEAD.x0, rel=0.06)


# Collision stopping powers of electrons [MeV cm2/g] (NIST ESTAR; 10 MeV in polystyrene and lead)
@pytest.mark.parametrize(("substance", "kinetic", "value"), [(SCINTILLATOR, 1.0, 1.79), (SCINTILLATOR, 10.0, 1.91), (LEAD, 10.0, 1.20)])
def test_collision_loss(substance: Substance, kinetic: float, value: float) -> None:
    assert collision_loss(kinetic * 1e-3, substance) * 1e4 / substance.density == pytest.approx(value, rel=0.02)


def test_radiation_takes_over_at_the_critical_energy() -> None:
    # Rossi's critical energy: the collision loss in a radiation length, at that energy (PDG: 21.68 MeV in iron, 7.43 in lead)
    for substance in (IRON, LEAD):
        assert collision_loss(substance.critical_energy, substance) * substance.x0 == pytest.approx(substance.critical_energy, rel=0.03)
    shares = [radiated_share(t, IRON) for t in (1e-3, 1e-2, 0.1, 1.0, 100.0)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=0.01)
    # the other critical energy, where both losses are equal: 800 / (Z + 1.2) MeV (Berger and Seltzer)
    both = 0.800 / 27.2
    assert radiated_share(both, IRON) * both / IRON.x0 == pytest.approx(collision_loss(both, IRON), rel=0.08)
