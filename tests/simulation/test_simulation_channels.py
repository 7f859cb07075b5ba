"""Digits under conditions: dead and noisy channels, noise, thresholds, cross-talk, chords in straws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_simulation_digits import DETECTOR, N, X, known_truth

from na64mu.detector import Detector
from na64mu.detector.conditions import default_conditions
from na64mu.events.batch import Jagged, RawBatch
from na64mu.reconstruction.gains import on_one_scale
from na64mu.simulation.digitisers.common_stream import build_modules
from na64mu.simulation.digitisers.wires import chord_efficiency
from na64mu.simulation.digits import digitise
from na64mu.simulation.readout import build_readout


def operated(*channels: dict[str, Any], **changes: Any) -> Detector:
    own = [{"source": "inferred: a test", **c} for c in channels]
    return DETECTOR.operated(type(default_conditions())(**(default_conditions().model_dump() | changes | {"channels": own})))


def digits_of(detector: Detector) -> dict[str, Jagged]:
    return digitise(known_truth(), build_readout(detector), np.random.default_rng(1))


#: Gains so large that no threshold is in between.
GAINS: dict[str, dict[str, Any]] = {
    "veto": {"channels": [1.0, 1.0, 1.5, 1.5, 1.0, 1.0]},
    "ecal0": {"gain": 1.3},
    "ecal1": {"gain": 1.2},
    "hcal2": {"gain": 1.1},
    "counter": {"channels": [2.0, 1.0, 1.0, 1.0, 1.0]},
}


@pytest.fixture(scope="module")
def plain() -> dict[str, Jagged]:
    return digits_of(DETECTOR)


def occupancy(rows: Jagged, **address: int) -> float:
    return float(np.count_nonzero(np.all([rows[f] == v for f, v in address.items()], axis=0)) / N)


def test_shipped_conditions_are_those_of_the_description():
    modules = build_modules(DETECTOR)
    assert set(np.unique(modules.strips.noise)) == {0.0, DETECTOR.micromegas_response.noise}  # 0 beyond the last channel
    assert not modules.strips.table["cross_talk"].any()
    assert len(modules.strips.noisy) == len(modules.slabs.noisy) == len(modules.wires.noisy) == 0
    assert build_readout(DETECTOR).energies.ecal.all()


def test_dead_channels_are_silent(plain):
    strip = int((X - DETECTOR.gem[0].centre[0]) / DETECTOR.gem[0].pitch + 0.5 * DETECTOR.gem[0].strips)
    wires = plain["straw"]
    own = (wires["module"] == 5) & (wires["view"] == 0) & (wires["layer"] == 0)
    wire = int(np.bincount(wires["wire"][own]).argmax())
    slab = int(np.bincount(plain["bms"]["channel"][plain["bms"]["station"] == 6]).argmax())
    found = digits_of(
        operated(
            {"plane": "gem1_x", "dead": [strip]},
            {"plane": "st5_x0", "dead": [wire]},
            {"plane": "bms6", "dead": [slab]},
            {"plane": "hcal2", "dead": [3 * 3 + 1]},
            {"plane": "counter", "dead": [1]},
        )
    )
    addresses = {
        "gem": {"module": 1, "view": 0, "strip": strip},
        "straw": {"module": 5, "view": 0, "layer": 0, "wire": wire},
        "bms": {"station": 6, "channel": slab},
        "hcal": {"module": 2, "ix": 3, "iy": 1},
        "counter": {"id": 1},
    }
    for name, address in addresses.items():
        assert occupancy(plain[name], **address) > 0.9, name
        assert occupancy(found[name], **address) == 0.0, name
    assert occupancy(found["gem"], module=1, view=0, strip=strip + 1) > 0.9


def test_gains_multiply_what_is_written(plain):
    """The same random numbers: every energy is the one without gains, times the gain."""
    gains = [{"source": "inferred: a test", "plane": plane, **own} for plane, own in GAINS.items()]
    found = digits_of(operated(gains=gains))
    for name, address, gain in (
        ("veto", {"id": 3}, 1.5),
        ("ecal", {"section": 1}, 1.2),
        ("hcal", {"module": 2}, 1.1),
        ("counter", {"id": 0}, 2.0),
    ):
        own, before = (np.all([rows[name][f] == v for f, v in address.items()], axis=0) for rows in (found, plain))
        assert own.sum() == before.sum() > 0.9 * N, name
        assert found[name]["energy"][own] == pytest.approx(gain * plain[name]["energy"][before], rel=1e-6)
    assert np.array_equal(found["hcal"]["time"], plain["hcal"]["time"])


def test_reconstruction_divides_by_the_gains(plain):
    gains = [{"source": "inferred: a test", "plane": plane, **own} for plane, own in GAINS.items()]
    detector = operated(gains=gains)
    found, right = (RawBatch({}, rows) for rows in (digits_of(detector), plain))
    assert on_one_scale(right, DETECTOR) is right
    corrected = on_one_scale(found, detector).collections
    for name in ("veto", "ecal", "vhcal", "hcal", "counter"):
        assert corrected[name]["energy"].dtype == found.collections[name]["energy"].dtype
        assert corrected[name]["energy"] == pytest.approx(plain[name]["energy"], rel=1e-6)


def test_noisy_channels_fire_at_their_rate(plain):
    found = digits_of(
        operated(
            {"plane": "mm3_y", "noisy": [11], "noise_rate": 0.3},
            {"plane": "st2_y1", "noisy": [4], "noise_rate": 0.2},
            {"plane": "bms2", "noisy": [9], "noise_rate": 0.25},
        )
    )
    fired = 1.0 - np.exp(-0.3)  # a channel is written once; noise on top of the threshold keeps nearly all hits
    assert occupancy(found["mm"], module=3, view=1, channel=11) == pytest.approx(fired, rel=0.2)
    assert occupancy(found["straw"], module=2, view=1, layer=1, wire=4) == pytest.approx(0.2, rel=0.2)
    assert occupancy(found["bms"], station=2, channel=9) == pytest.approx(0.25, rel=0.2)
    assert occupancy(plain["mm"], module=3, view=1, channel=11) < 0.02


def test_threshold_of_a_plane():
    found = digits_of(operated({"plane": "mm1_x", "threshold": 60.0}))["mm"]
    largest = np.max([found[q] for q in ("q0", "q1", "q2")], axis=0)
    own = (found["module"] == 1) & (found["view"] == 0)
    assert largest[own].min() >= 60
    assert largest[(found["module"] == 1) & (found["view"] == 1)].min() < 30


def test_noise_of_a_plane():
    samples = []
    for noise in (5.0, 25.0):
        rows = digits_of(operated({"plane": "gem1_y", "noise": noise, "threshold": 15.0}))["gem"]
        own = (rows["module"] == 1) & (rows["view"] == 1) & (rows["q1"] > 150)
        ratio = rows["q0"][own] - rows["q1"][own] * np.median(rows["q0"][own] / rows["q1"][own])
        samples.append(np.std(ratio))
    assert samples[1] / samples[0] == pytest.approx(5.0, rel=0.25)


def test_cross_talk_reaches_the_neighbours_on_the_chip(plain):
    talk = {"source": "inferred: a test", "micromegas": 0.2, "gem": 0.0}
    found = digits_of(operated(cross_talk=talk))
    m = DETECTOR.micromegas[0]
    strip = int((X - m.centre[0]) / m.pitch + 0.5 * m.strips[0])
    channels = {int(c) for c in m.strip_channel(0)[strip - 6 : strip + 7]}
    loud = int(m.strip_channel(0)[strip])
    beside = next(c for c in (loud - 1, loud + 1) if 0 <= c < m.channels[0] and c not in channels)
    address = {"module": 1, "view": 0, "channel": beside}
    assert occupancy(plain["mm"], **address) < 0.05
    assert occupancy(found["mm"], **address) > 0.6
    rows = found["mm"]
    own = np.all([rows[f] == v for f, v in address.items()], axis=0)
    mine = (rows["module"] == 1) & (rows["view"] == 0) & (rows["channel"] == loud)
    total = [np.bincount(rows.event_index[sel], rows["q1"][sel], N) for sel in (own, mine)]
    both = (total[0] > 30) & (total[1] > 100)
    assert np.median(total[0][both] / total[1][both]) == pytest.approx(0.2, rel=0.3)


def test_chords_near_the_wall_give_fewer_hits():
    radius, n = 3.01, 2.99
    assert chord_efficiency(0.0, radius, 0.0, n) == pytest.approx(1.0, abs=1e-7)
    assert chord_efficiency(3.0, radius, 0.0, n) == pytest.approx(1.0 - np.exp(-n * 2.0 * np.sqrt(3.01**2 - 9.0)))
    assert chord_efficiency(3.005, radius, 0.0, n) < 0.7
    assert chord_efficiency(3.01, radius, 0.0, n) == 0.0
    assert chord_efficiency(3.0, radius, 1.0, n) > chord_efficiency(3.0, radius, 0.0, n)
    distance = np.linspace(0.0, radius, 2001)
    mean = np.mean([chord_efficiency(d, radius, 0.0, n) for d in distance])
    assert 0.99 < mean < 1.0
