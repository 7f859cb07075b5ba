"""Light Z' and N_eff: against the published bound and the massless limit."""

from __future__ import annotations

import numpy as np
import pytest

from na64mu.physics.effective_neutrinos import extra_neutrinos, lightest_mass


def test_the_published_bound():
    # arXiv:1504.00711: Delta N_eff < 0.7 excludes a Z' of L_mu - L_tau below 5.3 MeV
    assert lightest_mass(0.7) == pytest.approx(5.3e-3, rel=0.015)


def test_limits_of_light_and_heavy():
    # massless: 3 bosonic against 4 x 7/8 fermionic states, all their entropy goes to the neutrinos
    massless = 2 * ((1 + 3 / 3.5) ** (4 / 3) - 1)
    assert extra_neutrinos(np.array([1e-9]))[0] == pytest.approx(massless, rel=1e-6)
    assert extra_neutrinos(np.array([0.1]))[0] < 1e-20
    falling = extra_neutrinos(np.geomspace(1e-4, 0.05, 20))
    assert np.all(np.diff(falling) < 0)


def test_mass_scales_with_the_temperature_of_decoupling():
    assert lightest_mass(0.5, 3e-3) == pytest.approx(2 * lightest_mass(0.5, 1.5e-3), rel=1e-9)


@pytest.mark.parametrize("bound", [0.0, 2.6])
def test_impossible_bounds_are_refused(bound):
    with pytest.raises(ValueError, match="on the rise of N_eff: between 0 and that of a massless"):
        lightest_mass(bound)
