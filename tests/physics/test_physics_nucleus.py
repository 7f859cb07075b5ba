from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from na64mu.physics.nucleus import FormFactor, flux, form_factor_squared, mass_of, momentum_scales

LEAD = (82.0, 207.2)


def test_scales_of_lead() -> None:
    screening, size, _ = momentum_scales(*LEAD)
    assert screening == pytest.approx(4.0e-10, rel=0.01)
    assert size == pytest.approx(4.68e-3, rel=0.002)
    assert mass_of(207.2) == pytest.approx(193.0, rel=1e-3)


def test_form_factor_between_its_scales_is_the_charge_squared() -> None:
    assert form_factor_squared(np.array([1e-6]), *LEAD)[0] == pytest.approx(82.0**2, rel=2e-3)
    assert form_factor_squared(np.array([1e-13]), *LEAD)[0] < 1e-3
    assert form_factor_squared(np.array([1.0]), *LEAD)[0] < 1.0


def test_inelastic_is_one_unit_per_proton_above_the_size_of_the_nucleus() -> None:
    t = np.array([0.02])
    elastic = form_factor_squared(t, *LEAD)
    for kind, power in ((FormFactor.INELASTIC, 2), (FormFactor.INELASTIC_CORRECTED, 1)):
        bracket = (1.0 + 0.02 * (2.7928473**2 - 1.0) / (4.0 * 0.93827209**2)) / (1.0 + 0.02 / 0.71) ** 4
        assert (form_factor_squared(t, *LEAD, kind) - elastic)[0] == pytest.approx(82.0 * bracket**power, rel=1e-5)


@pytest.mark.parametrize("kind", FormFactor)
@pytest.mark.parametrize("t_min", [1e-12, 1e-9, 1e-6, 1e-3, 0.3])
def test_flux_is_the_integral(kind: FormFactor, t_min: float) -> None:
    def integrand(log_t: float) -> float:
        t = math.exp(log_t)
        return (t - t_min) / t * float(form_factor_squared(np.array([t]), *LEAD, kind)[0])

    edges = [e for e in (math.log(t_min), math.log(1e-9), math.log(4e-3), math.log(1.0), math.log(2.56e4)) if e >= math.log(t_min)]
    expected = sum(quad(integrand, low, high, limit=200)[0] for low, high in itertools.pairwise(edges))
    assert flux(np.array([t_min]), 2.56e4, *LEAD, kind)[0] == pytest.approx(expected, rel=1e-6)


@settings(derandomize=True, max_examples=25, deadline=None)
@given(low=st.floats(1e-14, 1e-2), step=st.floats(1.01, 50.0), z=st.floats(2.0, 92.0))
def test_flux_falls_with_t_min(low: float, step: float, z: float) -> None:
    for kind in (FormFactor.ELASTIC, FormFactor.INELASTIC):
        first, second = flux(np.array([low, low * step]), 1e4, z, 2.4 * z, kind)
        assert first > second > 0.0


def test_no_flux_beyond_t_max() -> None:
    assert flux(np.array([2.0]), 1.0, *LEAD)[0] == 0.0
    assert flux(np.array([2e4]), 3e4, *LEAD, FormFactor.INELASTIC)[0] == 0.0
    assert flux(np.full((2, 3), 1e-6), 1.0, *LEAD).shape == (2, 3)


@pytest.mark.parametrize(("z", "a"), [(0.0, 1.0), (82.0, 40.0)])
def test_what_is_no_nucleus_is_refused(z: float, a: float) -> None:
    with pytest.raises(ValueError, match=r"there is no nucleus of Z = .* expected 1 <= Z <= A"):
        flux(np.array([1e-6]), 1.0, z, a)
