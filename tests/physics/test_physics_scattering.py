"""Multiple scattering: numbers of Highland's formula, and the registry of models."""

from __future__ import annotations

import math

import numpy as np
import pytest

from na64mu.errors import ArgumentError
from na64mu.physics.scattering import MODELS, highland, highland_angle, scattering_angle
from na64mu.tracking.navigation import Scatter, route
from na64mu.tracking.spectrometer import spectrometer


def test_highland_is_the_formula_of_the_review():
    x = np.array([0.0, 0.01, 1.0, 40.0])
    want = [0.0136 * math.sqrt(v) * (1.0 + 0.038 * math.log(40.0)) for v in x]
    assert highland_angle(x, 40.0) == pytest.approx(want, rel=1e-14)
    assert highland(0.01, 40.0) == pytest.approx(want[1], rel=1e-14), "the form for kernels is the same"
    assert highland_angle(1.0, 1.0) == 0.0136, "one radiation length has no logarithm"


def test_far_below_its_range_the_factor_does_not_become_negative():
    assert highland_angle(1e-12, 1e-12) == pytest.approx(0.1 * 0.0136 * 1e-6)


def test_parts_of_a_block_add_up_only_with_the_logarithm_of_the_block():
    parts = np.full(16, 2.5)
    whole = scattering_angle(40.0, 40.0) ** 2
    assert (scattering_angle(parts, 40.0, "highland") ** 2).sum() == pytest.approx(whole)
    assert (scattering_angle(parts, 40.0, "highland-each") ** 2).sum() < 0.9 * whole
    assert scattering_angle(parts, 40.0, "highland-each") == pytest.approx(highland_angle(2.5, 2.5) * np.ones(16))
    assert (scattering_angle(parts, 40.0, "rossi") ** 2).sum() == pytest.approx(40.0 * 0.0136**2)
    assert not scattering_angle(parts, 40.0, "none").any()
    assert scattering_angle(np.zeros(2), 40.0, "highland-each").tolist() == [0.0, 0.0], "no logarithm of nothing"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((1.0, 1.0, "moliere"), "there is no model 'moliere': known are highland, highland-each, rossi, none"),
        ((-1.0, 1.0), "x_over_x0 must be a number at least 0; found -1"),
        ((1.0, 0.0), "total_x0 must be a number above 0; found 0"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, sentence):
    with pytest.raises(ArgumentError) as caught:
        scattering_angle(*arguments)
    assert str(caught.value).startswith(sentence)


def test_a_further_model_is_a_further_entry(monkeypatch):
    """The fit takes it by its name; everything but the angles stays as it is."""
    monkeypatch.setitem(MODELS, "twice", lambda x, total: 2.0 * MODELS["highland"](x, total))
    ms2 = spectrometer("na64mu-2022", 2)
    once, twice = ([s.angle2 for s in route(ms2, model).steps if isinstance(s, Scatter)] for model in ("highland", "twice"))
    assert len(once) == len(twice) > 20
    assert twice == pytest.approx([4.0 * v for v in once])
