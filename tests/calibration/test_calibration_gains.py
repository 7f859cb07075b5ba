"""Gains come back from MIP peaks with their errors; channels that are dead or hot are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import landau
from test_calibration_windows import as_calibration

from na64mu.calibration.gains import Deposits, faults_of, gains_of, needed, through_going
from na64mu.calibration.windows import load_calibration
from na64mu.detector import load_detector, read_detector
from na64mu.detector.readout import energy_sizes
from na64mu.execution.configuration import load_calibrations
from na64mu.selections import load_working_point

DETECTOR = load_detector("na64mu-2022")
RULE = load_working_point("prl2024").mip
LIT = {"ecal1": (13, 14), "hcal1": (4,), "veto": (2, 3), "counter": (0, 1)}


def deposits(n: int, seed: int, gains: dict[tuple[str, int], float] | None = None) -> Deposits:
    """Muons that cross one cell of every bank each, and leave a little in its neighbour."""
    rng, found = np.random.default_rng(seed), Deposits(n_muons=n)
    for name, size in energy_sizes(DETECTOR).items():
        table = np.zeros((n, size))
        if name in LIT:
            peak = np.clip(landau.rvs(loc=1.0, scale=0.05, size=(n, 2), random_state=rng), 0.5, 20.0)
            lit = LIT[name] if name in ("veto", "counter") else (rng.choice(LIT[name], n),)
            for k, channel in enumerate(lit):
                table[np.arange(n), channel] = peak[:, k] * (1.0 + 0.03 * rng.standard_normal(n))
            if name == "ecal1":
                shares = rng.random(n) < 0.1  # these cross a border, and are not used
                table[shares, 15] = 0.4 * table[shares].max(axis=1)
        for c in range(size):
            table[:, c] *= (gains or {}).get((name, c), 1.0)
        found.energies[name], found.hits[name] = [table], np.count_nonzero(table, axis=0).astype(np.float64)
    return found


def test_hidden_gains_are_found() -> None:
    hidden = {("ecal1", 13): 1.05, ("ecal1", 14): 0.97, ("hcal1", 4): 1.03, ("veto", 2): 0.95, ("counter", 1): 1.10}
    gains = {g.plane: g for g in gains_of(deposits(4000, 1, hidden), deposits(8000, 2), DETECTOR, RULE)}
    assert set(gains) == set(LIT)
    for (name, channel), true in hidden.items():
        value, error = gains[name].gain * gains[name].channels[channel], gains[name].gain * gains[name].channel_errors[channel]
        assert error < 0.01
        assert abs(value - true) < 4.0 * error, name
    corrected = needed(list(gains.values()), DETECTOR)
    assert {g.plane for g in corrected} == set(LIT)
    # what was not crossed takes the gain of its bank
    own = DETECTOR.with_gains(corrected).gain_of("hcal1")
    assert own is not None
    assert own.of_channels(18)[0] == own.of_channels(18)[4] == pytest.approx(1.03, abs=0.01)


def test_gains_of_one_change_nothing() -> None:
    measured = gains_of(deposits(3000, 3), deposits(8000, 4), DETECTOR, RULE)
    assert {g.plane for g in measured} == set(LIT)
    assert needed(measured, DETECTOR) == []


def test_too_few_muons_give_no_gain() -> None:
    assert gains_of(deposits(100, 5), deposits(8000, 6), DETECTOR, RULE) == []


def test_dead_and_hot_channels_are_named() -> None:
    found = deposits(2000, 7, {("hcal1", 4): 0.0, ("counter", 0): 0.0})
    found.hits["hcal1"][4], found.hits["counter"][0], found.hits["ecal1"][2] = 3, 0, 900
    sentences = [fault.sentence for fault in faults_of(found, deposits(4000, 8))]
    assert sentences == [
        "ecal1: channel 2 is hot: 900 hits of muons, 0 expected",
        "hcal1: channel 4 is dead: 3 hits of muons, 2000 expected",
        "counter: channel 0 is dead: 0 hits of muons, 2000 expected",
    ]


def test_no_muon_can_be_in_the_box() -> None:
    summary = {"p_in": np.array([160.0, 160.0, 160.0, np.nan]), "p_out": np.array([158.0, 80.0, np.nan, 150.0])}
    assert through_going(summary).tolist() == [True, False, False, False]


def test_a_calibration_with_gains_is_a_description(tmp_path: Path) -> None:
    gains = needed(gains_of(deposits(3000, 9, {("ecal1", 13): 1.05, ("ecal1", 14): 1.05}), deposits(8000, 2), DETECTOR, RULE), DETECTOR)
    plain = as_calibration()
    own = plain.model_copy(update={"kind": "calibration", "gains": tuple(gains), "energy_hash": DETECTOR.energy_digest})
    assert own.hash != plain.hash
    path = own.write(tmp_path / "calibration.toml")
    detector = read_detector(path)
    assert detector.digest == own.applied_to("na64mu-2022").digest == own.applied_to(detector).digest != DETECTOR.digest
    assert load_calibration(path) == own
    assert load_calibrations({"na64mu-2022": detector}, path)["na64mu-2022"].belongs_to(detector)
