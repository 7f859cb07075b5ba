"""Waveforms of the simulation: the ADC, zero suppression, and that what went in comes out of the fitter."""

from __future__ import annotations

import numpy as np
import pytest
from test_simulation_digits import N, known_truth

from na64mu.detector import Detector, load_detector
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.schema_v1 import SAMPLES, SCALARS, WAVEFORMS
from na64mu.reconstruction.pulses.digits import with_digits
from na64mu.simulation.digits import digitise
from na64mu.simulation.readout import build_readout
from na64mu.simulation.truth import PileUp
from na64mu.simulation.waveforms import Electronics

DETECTOR = load_detector("na64mu-2022")


def collections(detector: Detector, *, waveforms: bool, more: PileUp | None = None, seed: int = 1) -> dict[str, Jagged]:
    electronics = Electronics.of(detector) if waveforms else None
    return digitise(known_truth(), build_readout(detector), np.random.default_rng(seed), more, electronics)


def fitted(found: dict[str, Jagged], detector: Detector = DETECTOR) -> dict[str, Jagged]:
    scalars = {name: np.arange(N).astype(kind) for name, kind in SCALARS.items()}
    return with_digits(RawBatch(scalars, found), detector).collections


@pytest.fixture(scope="module")
def waves() -> dict[str, Jagged]:
    return collections(DETECTOR, waveforms=True)


def test_form_and_address(waves):
    for name, kinds in WAVEFORMS.items():
        assert {f: c.dtype for f, c in waves[name].fields.items()} == kinds
        assert len(waves[name]) == N
    ecal, hcal, vhcal = waves["ecalwave"], waves["hcalwave"], waves["vhcalwave"]
    own = (ecal["section"] == 1) & (ecal["ix"] == 2) & (ecal["iy"] == 3)
    assert own.sum() == N  # 0.5 GeV is far above the threshold
    assert ((hcal["module"] == 2) & (hcal["ix"] == 3) & (hcal["iy"] == 1)).sum() == N
    assert ((vhcal["ix"] == 1) & (vhcal["iy"] == 2)).sum() == N
    assert set(np.unique(waves["vetowave"]["id"])) >= {2, 3}


def test_trackers_and_energies_are_those_of_the_energy_tier(waves):
    digits, found = collections(DETECTOR, waveforms=False), fitted(waves)
    for name in ("bms", "mm", "gem", "straw"):
        for field, column in digits[name].fields.items():
            np.testing.assert_array_equal(column, waves[name][field])
    for name, address in (
        ("hcal", {"module": 2, "ix": 3, "iy": 1}),
        ("vhcal", {"ix": 1, "iy": 2}),
        ("veto", {"id": 2}),
        ("counter", {"id": 1}),
    ):
        energies = []
        for tier in (digits[name], found[name]):
            own = np.all([tier[f] == v for f, v in address.items()], axis=0) & (np.abs(tier["time"]) < 15.0)
            energies.append(np.bincount(tier.event_index[own], tier["energy"][own], N))
        counts = getattr(DETECTOR.operation, name).counts[0]
        difference = energies[1] - energies[0]
        assert np.median(np.abs(difference)) * counts < 1.0  # counts
        assert difference.mean() * counts == pytest.approx(0.0, abs=0.2)


def test_times_are_those_of_a_difference_to_s0(waves):
    found = fitted(waves)
    hcal = found["hcal"]
    own = (hcal["module"] == 2) & (hcal["ix"] == 3) & (hcal["iy"] == 1) & (np.abs(hcal["time"]) < 15.0)
    assert own.sum() == pytest.approx(N, rel=0.01)
    assert abs(hcal["time"][own].mean()) < 0.05
    assert hcal["time"][own].std() < 1.2 * DETECTOR.hcal.sigma_t
    s1 = found["counter"]["time"][(found["counter"]["id"] == 1) & (np.abs(found["counter"]["time"]) < 15.0)]
    assert s1.std() < 1.2 * DETECTOR.counter("S1").sigma_t


def test_noise_passes_the_threshold_as_it_should(waves):
    ecal = waves["ecalwave"]
    own = (ecal["section"] == 1) & (ecal["ix"] == 2) & (ecal["iy"] == 3)
    sampling = DETECTOR.operation.ecal
    from scipy.stats import norm

    # a rounded sample is written from ceil(base + threshold) on; pedestals are spread over one count evenly enough
    above = np.mean([norm.sf((np.ceil(b + sampling.threshold) - 0.5 - b) / sampling.noise) for b in np.linspace(0.0, 1.0, 101)])
    per_channel = 1.0 - (1.0 - above) ** 32
    assert np.count_nonzero(~own) / (59 * N) == pytest.approx(per_channel, rel=0.35)


def test_ceiling(waves):
    assert max(int(waves["ecalwave"][s].max()) for s in SAMPLES) < 4095
    hot = DETECTOR.operation.model_copy(update={"hcal": DETECTOR.operation.hcal.model_copy(update={"counts": (4000.0,)})})
    detector = DETECTOR.operated(hot)
    hcal = collections(detector, waveforms=True)["hcalwave"]
    table = np.column_stack([hcal[s] for s in SAMPLES])
    own = (hcal["module"] == 2) & (hcal["ix"] == 3) & (hcal["iy"] == 1)
    assert (table[own].max(axis=1) == 4095).mean() > 0.99  # 2 GeV are 8000 counts
    energy = fitted(collections(detector, waveforms=True), detector)["hcal"]
    own = (energy["module"] == 2) & (energy["ix"] == 3) & (energy["iy"] == 1) & (energy["energy"] > 1.0)
    assert np.median(energy["energy"][own]) == pytest.approx(2.0, rel=0.01)


def test_dead_channels_are_never_written():
    dead = {"source": "inferred: a test", "dead": [1 * 6 + 0, 2 * 6 + 3]}
    channels = [{"plane": "ecal1", **dead}, {"plane": "veto", "source": "inferred: a test", "dead": [3]}]
    operation = type(DETECTOR.operation)(**(DETECTOR.operation.model_dump() | {"channels": channels}))
    found = collections(DETECTOR.operated(operation), waveforms=True)
    ecal = found["ecalwave"]
    assert not np.any((ecal["section"] == 1) & (ecal["ix"] == 2) & (ecal["iy"] == 3))
    assert np.any((ecal["section"] == 0) & (ecal["ix"] == 2) & (ecal["iy"] == 3))
    assert not np.any(found["vetowave"]["id"] == 3)
    assert np.any(found["vetowave"]["id"] == 2)
