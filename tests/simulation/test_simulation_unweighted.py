"""Unweighted events and gains: the distribution is that of the weights, and a sample that cannot give it is refused."""

from __future__ import annotations

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.detector.hidden import Gain
from na64mu.errors import DetectorError, InputError
from na64mu.events.batch import Jagged, RawBatch
from na64mu.simulation.gains import with_gains
from na64mu.simulation.unweighted import MuonSample, draw_beam, draw_weighted, expected_of, muons_of_events


def sample(weight, physics=True, n_mot=1000, prescale=1):
    weight = np.asarray(weight, dtype=np.float64)
    return MuonSample("test", 1, n_mot, prescale, weight, np.broadcast_to(np.asarray(physics), weight.shape))


def test_weights_become_counts():
    """Mean and variance over many draws are those of Poisson numbers, event by event in proportion to the weights."""
    rng = np.random.default_rng(1)
    weight = np.repeat([1.0, 2.0, 4.0], 100)
    one = sample(weight)
    expected = expected_of(one, 30, 1)
    assert expected.sum() == pytest.approx(700 * 30 / 1000)
    counts = np.array([np.bincount(draw_weighted(one, expected, rng) // 100, minlength=3) for _ in range(4000)])
    assert counts.mean(axis=0) == pytest.approx([3.0, 6.0, 12.0], rel=0.04)
    assert counts.sum(axis=1).var() == pytest.approx(21.0, rel=0.08)
    assert counts.var(axis=0) == pytest.approx([3.0, 6.0, 12.0], rel=0.1)


def test_no_event_comes_twice_and_a_small_sample_is_refused():
    rng = np.random.default_rng(2)
    one = sample(np.ones(50))
    drawn = draw_weighted(one, expected_of(one, 400, 1), rng)
    assert len(set(drawn)) == len(drawn)
    with pytest.raises(InputError, match="has 50 unweighted events and"):
        draw_weighted(one, expected_of(one, 4000, 1), rng)
    with pytest.raises(InputError, match="above the maximum"):
        draw_weighted(one, expected_of(one, 10, 1), rng, max_weight=0.5)
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="numbers from 0 on are wanted"):
            expected_of(sample([1.0, bad]), 10, 1)


def test_a_higher_maximum_accepts_fewer():
    rng = np.random.default_rng(3)
    one = sample(np.ones(1000), n_mot=1000)
    assert len(draw_weighted(one, expected_of(one, 300, 1), rng, max_weight=2.0)) + 60 > 300
    with pytest.raises(InputError, match="unweighted events"):
        draw_weighted(one, expected_of(one, 900, 1), rng, max_weight=2.0)


def test_muons_are_drawn_without_replacement():
    rng = np.random.default_rng(4)
    one = sample(np.ones(1000), physics=np.arange(1000) < 10)
    assert (draw_beam(one, 1000, 1, rng) == np.arange(1000)).all()
    assert len(draw_beam(one, 990, 1, rng)) == 990  # every muon left an event
    few = sample(np.ones(100), physics=np.arange(100) < 50)
    counts = np.array([len(draw_beam(few, 500, 1, rng)) for _ in range(2000)])
    assert counts.mean() == pytest.approx(50.0, rel=0.02)
    assert counts.var() == pytest.approx(100 * 0.25 * 900 / 999, rel=0.15)  # hypergeometric
    with pytest.raises(InputError, match="has 1000 muons on target and 1001 are needed"):
        draw_beam(few, 1001, 1, rng)


def test_calibration_triggers_count_with_their_prescale():
    rng = np.random.default_rng(5)
    one = sample(np.ones(1000), physics=np.arange(1000) < 100, n_mot=2000, prescale=2)
    drawn = np.array([draw_beam(one, 2000, 10, rng) for _ in range(300)], dtype=object)
    assert all((d < 100).sum() == 100 for d in drawn)
    assert np.mean([(d >= 100).sum() for d in drawn]) == pytest.approx(900 / 5, rel=0.03)
    without = draw_beam(one, 10_000, 20, rng, physics=False)
    assert without.min() >= 100
    assert len(without) == pytest.approx(450, abs=90)
    assert len(draw_beam(one, 2000, 0, rng)) == 100
    with pytest.raises(InputError, match="one in 2 calibration triggers, data with one in 1"):
        draw_beam(one, 2000, 1, rng)
    with pytest.raises(InputError, match="or a --prescale of 20"):
        draw_beam(one, 20_000, 4, rng, physics=False)
    assert (expected_of(one, 2000, 10)[[0, 999]] == [1.0, 0.2]).all()


def test_runs_record_no_more_calibration_triggers_than_they_have_muons_for():
    rng = np.random.default_rng(6)
    physics = np.arange(200) < 20
    kept, run, muon = muons_of_events(physics, [1000, 500], 10, rng)
    assert (kept[:20].all(), len(run), len(muon)) == (True, kept.sum(), kept.sum())
    assert kept.sum() - 20 == sum((n - np.sum(run[:20] == i)) // 10 for i, n in enumerate((1000, 500)))
    for i, n in enumerate((1000, 500)):
        mine = (run == i) & ~physics[kept]
        assert len(set(muon[mine])) == mine.sum() > 0
        assert (muon[mine] % 10 == 9).all()
        assert muon[run == i].max() < n
    everything, run, _ = muons_of_events(physics, [120, 80], 1, rng)
    assert everything.all()
    assert np.bincount(run).tolist() == [120, 80]


def cells():
    rows = {"section": np.array([0, 1, 1], "u1"), "ix": np.array([0, 2, 2], "u1"), "iy": np.array([0, 3, 2], "u1")}
    ecal = Jagged(np.array([0, 1, 3]), rows | {"energy": np.array([1.0, 2.0, 4.0], "f4"), "time": np.zeros(3, "f4")})
    return RawBatch({"event": np.arange(2)}, {"ecal": ecal})


def test_gains_scale_the_named_channels_alone():
    detector = load_detector("na64mu-2022")
    n_y = detector.ecal.cells[1]
    batch = with_gains(cells(), [Gain(plane="ecal1", gain=1.5), Gain(plane="ecal1", gain=2.0, channels=(2 * n_y + 3,))], detector)
    assert batch.collections["ecal"]["energy"].tolist() == [1.0, 6.0, 6.0]
    assert batch.collections["ecal"]["energy"].dtype == np.float32


def test_gains_that_make_no_sense_are_refused():
    detector = load_detector("na64mu-2022")
    with pytest.raises(DetectorError, match="a gain names the plane 'mm5_x'"):
        with_gains(cells(), [Gain(plane="mm5_x", gain=1.1)], detector)
    with pytest.raises(DetectorError, match="a gain names channel 99 of ecal1"):
        with_gains(cells(), [Gain(plane="ecal1", gain=1.1, channels=(99,))], detector)
    with pytest.raises(InputError, match="the samples have the waveforms of veto"):
        with_gains(cells(), [Gain(plane="veto", gain=1.1)], detector)


def test_events_in_another_order():
    batch = cells().in_order(np.array([1, 0]))
    assert batch.scalars["event"].tolist() == [1, 0]
    assert batch.collections["ecal"].offsets.tolist() == [0, 2, 3]
    assert batch.collections["ecal"]["energy"].tolist() == [2.0, 4.0, 1.0]
