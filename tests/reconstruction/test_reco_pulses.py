"""Pulses in waveforms made here with the formula of the shape, and the digits that come of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.detector import load_detector
from na64mu.detector.pulse import amplitude
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.schema_v1 import COLLECTIONS, SAMPLES, SCALARS, WAVEFORMS, waveform_of
from na64mu.reconstruction.pulses.digits import constrained_time, digitizer, with_digits
from na64mu.reconstruction.pulses.finding import find_pulses, half_height_time
from na64mu.reconstruction.summary import reconstruct

DETECTOR = load_detector("na64mu-2022")
ADC = digitizer(DETECTOR, "ecal")
SHAPE = DETECTOR.operation.ecal.shape
PEDESTAL = (60.0, 62.5)  # even and odd samples


def waveform(*pulses: tuple[float, float], noise: float = 0.0, seed: int = 1, shape=SHAPE) -> np.ndarray:
    """Samples of pulses (height, time) as the ADC records them."""
    t = (np.arange(len(SAMPLES)) - ADC.trigger_sample) * ADC.period
    wave = np.where(np.arange(len(SAMPLES)) % 2, PEDESTAL[1], PEDESTAL[0])
    for height, time in pulses:
        wave = wave + height * np.array([amplitude(shape, at - time) for at in t])
    wave = wave + noise * np.random.default_rng(seed).standard_normal(len(SAMPLES))
    return np.clip(np.floor(wave + 0.5), 0, ADC.ceiling).astype(np.uint16)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(height=st.floats(100.0, 3900.0), time=st.floats(-100.0, 60.0))
def test_one_pulse_is_found_as_it_is(height, time):
    pulses = find_pulses(waveform((height, time))[None, :], SHAPE, ADC)
    assert pulses.waveform.tolist() == [0]
    assert pulses.height[0] == pytest.approx(height, abs=1.0)  # counts are whole numbers
    assert pulses.time[0] == pytest.approx(time, abs=1.0 / (0.02 * height))
    assert not pulses.saturated[0]


def test_a_flat_waveform_has_no_pulse():
    assert len(find_pulses(waveform()[None, :], SHAPE, ADC).height) == 0
    assert len(find_pulses(np.empty((0, 32), np.uint16), SHAPE, ADC).height) == 0


def test_error_is_the_spread_of_the_time():
    n, height, time = 600, 40.0, 3.7
    samples = np.array([waveform((height, time), noise=0.8, seed=seed) for seed in range(n)])
    pulses = find_pulses(samples, SHAPE, ADC)
    assert len(pulses.height) == n
    assert pulses.time.mean() == pytest.approx(time, abs=5.0 * pulses.time.std() / np.sqrt(n))
    assert pulses.height.mean() == pytest.approx(height, abs=5.0 * pulses.height.std() / np.sqrt(n))
    assert pulses.time.std() == pytest.approx(np.median(pulses.time_error), rel=0.12)


@pytest.mark.parametrize("separation", [30.0, 50.0, 100.0, 180.0])
@pytest.mark.parametrize(("first", "second"), [(200.0, 200.0), (900.0, 100.0), (100.0, 900.0)])
def test_two_pulses_do_not_pull_each_other(first, second, separation):
    pulses = find_pulses(waveform((first, -60.0), (second, -60.0 + separation))[None, :], SHAPE, ADC)
    order = np.argsort(pulses.time)
    np.testing.assert_allclose(pulses.time[order], [-60.0, -60.0 + separation], atol=0.5)
    np.testing.assert_allclose(pulses.height[order], [first, second], atol=4.0)


def test_pulse_in_the_pedestal():
    # an early particle covers the samples that the pedestal is taken from
    pulses = find_pulses(waveform((300.0, -185.0), (100.0, 0.0))[None, :], SHAPE, ADC)
    order = np.argsort(pulses.time)
    np.testing.assert_allclose(pulses.height[order], [300.0, 100.0], rtol=0.03)
    np.testing.assert_allclose(pulses.time[order], [-185.0, 0.0], atol=1.0)


def test_saturated_pulse_is_measured_on_its_flanks():
    samples = waveform((7000.0, 2.0))
    assert (samples == ADC.ceiling).sum() >= 2
    pulses = find_pulses(samples[None, :], SHAPE, ADC)
    assert pulses.saturated.tolist() == [True]
    assert pulses.height[0] == pytest.approx(7000.0, rel=0.01)
    assert pulses.time[0] == pytest.approx(2.0, abs=0.1)


def test_half_height_time_is_a_straight_line():
    ramp = np.zeros(32)
    ramp[10:14] = [25.0, 75.0, 100.0, 60.0]
    assert half_height_time(ramp, 12, 50.0, 12.5, 10.0, 18.0) == pytest.approx(6.25)
    assert half_height_time(np.linspace(100.0, 0.0, 32), 0, 50.0, 12.5, 10.0, 18.0) == pytest.approx(-125.0 - 18.0)


def test_constrained_time():
    time, error = np.array([0.5, 5.0, 5.0, 40.0]), np.array([0.01, 3.0, 0.1, 3.0])
    found = constrained_time(time, error, 1.0)
    np.testing.assert_allclose(found, [0.5 / 1.0001, 0.5, 5.0, 40.0])


def batch_of(**waveforms: list[tuple[tuple[int, ...], np.ndarray]]) -> RawBatch:
    """One event whose calorimeters and counters stand as waveforms: collection = [(address, samples), ...]."""
    collections = {}
    for name in COLLECTIONS:
        wave = waveform_of(name) or name
        kinds, rows = (WAVEFORMS | COLLECTIONS)[wave], waveforms.get(name, [])
        columns = np.array([[*address, *samples] for address, samples in rows], dtype=np.int64).reshape(len(rows), len(kinds))
        collections[wave] = Jagged(np.array([0, len(rows)]), {f: columns[:, i].astype(k) for i, (f, k) in enumerate(kinds.items())})
    return RawBatch({name: np.ones(1, kind) for name, kind in SCALARS.items()}, collections)


def test_digits_are_relative_to_s0():
    operation, phase = DETECTOR.operation, 4.0
    counter = waveform((0.5 * operation.counter.counts[0], phase), shape=operation.counter.shape)
    late = waveform((2.0 * operation.ecal.counts[1], phase), (1.0 * operation.ecal.counts[1], phase + 80.0))
    preshower = waveform((0.05 * operation.ecal.counts[0], phase))
    batch = batch_of(counter=[((0,), counter)], ecal=[((1, 2, 3), late), ((0, 2, 3), preshower)])
    digits = with_digits(batch, DETECTOR).collections
    assert tuple(digits) == tuple(COLLECTIONS)
    for name, kinds in COLLECTIONS.items():
        assert {f: c.dtype for f, c in digits[name].fields.items()} == kinds
    assert digits["counter"]["time"].tolist() == [pytest.approx(0.0, abs=1e-6)]
    assert digits["counter"]["energy"][0] == pytest.approx(0.5, rel=0.01)
    ecal = digits["ecal"]
    main = ecal["section"] == 1
    np.testing.assert_allclose(np.sort(ecal["time"][main]), [0.0, 80.0], atol=0.6)
    np.testing.assert_allclose(ecal["energy"][main], [2.0, 1.0], rtol=0.03)
    assert ecal["energy"][~main][0] == pytest.approx(0.05, rel=0.06)
    assert len(digits["hcal"]["energy"]) == 0
    summary = reconstruct(batch, DETECTOR)  # finds out by itself
    assert summary["e_ecal"][0] == pytest.approx(2.05, rel=0.03)
    assert summary["e_ecal_out_of_time"][0] == pytest.approx(1.0, rel=0.03)


def test_without_s0_the_time_is_taken_from_s1():
    operation = DETECTOR.operation
    counter = waveform((200.0, -5.0), shape=operation.counter.shape)
    hcal = waveform((60.0, -5.0))
    digits = with_digits(batch_of(counter=[((1,), counter)], hcal=[((1, 3, 1), hcal)]), DETECTOR).collections
    assert digits["hcal"]["time"][0] == pytest.approx(0.0, abs=0.6)
    alone = with_digits(batch_of(hcal=[((1, 3, 1), hcal)]), DETECTOR).collections
    assert alone["hcal"]["time"][0] == pytest.approx(-5.0, abs=0.6)


def test_a_batch_of_digits_stays_as_it_is():
    digits = with_digits(batch_of(), DETECTOR)
    assert with_digits(digits, DETECTOR) is digits
