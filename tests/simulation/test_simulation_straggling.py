from __future__ import annotations

import math

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.simulation.calorimeters import build_calorimeters, most_probable
from na64mu.simulation.losses import losses_of
from na64mu.simulation.straggling import Knocks, knock_exponent, straggled
from na64mu.simulation.stream import Stream

THIN = Knocks(0.04, 0.02, 0.0, 1.0, 1.0, 0.0)
BOTH = Knocks(0.04, 0.02, 0.04, 0.002, 0.01, 0.0064)


def cumulants(k: Knocks, mean: float) -> tuple[float, float]:
    """Variance and third cumulant, integrals of T^2 and T^3 over xi / T^2 (a shower of T: T^2 + s T, T^3 + 3 s T^2 + 2 s^2 T)."""
    variance, third = k.strength * k.most, 0.5 * k.strength * k.most**2
    if k.shower_strength:
        width, ratio = k.shower_most - k.shower_least, math.log(k.shower_most / k.shower_least)
        variance += k.shower_strength * (width + k.sampling * ratio)
        squares = 0.5 * (k.shower_most**2 - k.shower_least**2)
        third += k.shower_strength * (squares + 3.0 * k.sampling * width + 2.0 * k.sampling**2 * ratio)
    return mean * variance, mean * third


@pytest.mark.parametrize("knocks", [THIN, BOTH])
@pytest.mark.parametrize("mean", [0.003, 0.05, 0.5])
def test_cumulants(knocks: Knocks, mean: float) -> None:
    rng = Stream(1)
    drawn = np.array([straggled(mean, knocks, rng) for _ in range(60_000)])
    variance, third = cumulants(knocks, mean)
    assert drawn.mean() == pytest.approx(mean, rel=0.02)
    if mean > 0.01:  # below it the signal is cut off at zero
        assert drawn.var() == pytest.approx(variance, rel=0.05)
        assert ((drawn - drawn.mean()) ** 3).mean() == pytest.approx(third, rel=0.25)
    assert straggled(0.0, knocks, rng) == 0.0


@pytest.mark.parametrize("knocks", [THIN, BOTH])
def test_draws_follow_the_characteristic_function(knocks: Knocks) -> None:
    mean, rng = 0.1, Stream(2)
    drawn = np.array([straggled(mean, knocks, rng) for _ in range(40_000)])
    omega = np.array([5.0, 20.0, 60.0, 150.0])
    expected = np.exp(knock_exponent(omega, mean, knocks))
    found = np.exp(-1j * omega[:, None] * drawn).mean(axis=1)
    np.testing.assert_allclose(found, expected, atol=0.015)


def test_peak_is_the_one_of_the_description() -> None:
    detector = load_detector("na64mu-2022")
    omega = 2.0 * math.pi * np.fft.rfftfreq(2048, 0.002)
    for c, element in zip(build_calorimeters(detector), (detector.ecal, detector.vhcal, detector.hcal), strict=True):
        mean = c.mip_scale * losses_of(c.losses, detector.beam.momentum).mean * element.length
        soft = most_probable(np.ones(len(omega), dtype=np.complex128), mean, c.knocks)
        assert 0.7 * element.mip < soft <= 1.02 * element.mip  # hard losses move the peak up a little
        rng = Stream(3)
        drawn = np.sort([straggled(mean, c.knocks, rng) for _ in range(40_000)])
        half = len(drawn) // 4
        i = int(np.argmin(drawn[half:] - drawn[:-half]))  # the narrowest quarter holds the peak
        assert drawn[i] < soft < drawn[i + half]
