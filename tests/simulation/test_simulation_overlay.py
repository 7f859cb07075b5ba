from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from na64mu.cli.simulate import command
from na64mu.detector import load_detector
from na64mu.events.batch import RawBatch
from na64mu.events.reader import read_batch, read_runs
from na64mu.simulation.digitisers.strips import SAMPLE_RATIOS, sample_pulse
from na64mu.simulation.events import simulate_events
from na64mu.simulation.muon_in_calorimeter import BEAM, PILE_UP
from na64mu.simulation.pileup import COINCIDENCE, MERGE, WINDOW, Fired, accidental_triggers, fired, lay_over, mean_pile_up
from na64mu.simulation.plans import no_plans
from na64mu.simulation.produce import produce
from na64mu.simulation.setup import build_setup

DETECTOR = load_detector("na64mu-2022")
CROWDED = DETECTOR.model_copy(update={"beam": DETECTOR.beam.model_copy(update={"muons_per_spill": 2.8e7})})


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> tuple[RawBatch, RawBatch]:
    folder = tmp_path_factory.mktemp("overlay")
    produce(folder / "alone.root", CROWDED, "beam", 1500, 1, 21)
    produce(folder / "crowd.root", CROWDED, "beam", 1500, 1, 21, with_pile_up=True)
    assert read_runs(folder / "crowd.root")[0]["conditions"] == "simulation;beam;pile-up"
    return read_batch(folder / "alone.root"), read_batch(folder / "crowd.root")


def test_rate_and_truth(batches: tuple[RawBatch, RawBatch]) -> None:
    alone, crowd = batches
    assert mean_pile_up(DETECTOR) == pytest.approx(2.8e6 / 4.8 * 400e-9)
    n = crowd.scalars["mc_n_pileup"]
    assert n.mean() == pytest.approx(10.0 * mean_pile_up(DETECTOR), abs=5.0 * np.sqrt(2.33 / len(n)))
    assert n.var() == pytest.approx(n.mean(), rel=0.25)
    assert not alone.scalars["mc_n_pileup"].any()
    np.testing.assert_array_equal(alone.scalars["mc_p_out"], crowd.scalars["mc_p_out"])
    np.testing.assert_array_equal(alone.scalars["trigger"], crowd.scalars["trigger"])


def test_times_fill_the_window(batches: tuple[RawBatch, RawBatch]) -> None:
    alone, crowd = batches
    for name in ("bms", "ecal", "hcal"):
        more = crowd.collections[name]["time"]
        assert np.abs(alone.collections[name]["time"]).max() < 25.0
        late = more[np.abs(more) > 30.0]
        assert len(late) > 0.3 * len(more)
        assert np.abs(late).max() < WINDOW + 25.0
        assert np.mean(late > 0.0) == pytest.approx(0.5, abs=0.12)


def test_deposits_in_time_are_added(batches: tuple[RawBatch, RawBatch]) -> None:
    # no second row of one cell within the resolution of two pulses
    hcal = batches[1].collections["hcal"]
    key = hcal.event_index * 1000 + hcal["module"] * 100 + hcal["ix"] * 10 + hcal["iy"]
    main = np.abs(hcal["time"]) < 0.5 * MERGE
    assert len(np.unique(key[main])) > 0.99 * main.sum()
    assert len(np.unique(key)) < len(key)


def test_pulses() -> None:
    samples = np.empty(3)
    sample_pulse(0.0, samples)
    np.testing.assert_allclose(samples, [SAMPLE_RATIOS[0], 1.0, SAMPLE_RATIOS[1]])
    sample_pulse(25.0, samples)
    np.testing.assert_allclose(samples, [0.0, SAMPLE_RATIOS[0], 1.0])
    sample_pulse(80.0, samples)
    assert not samples.any()


def test_command_lays_over(tmp_path: Path) -> None:
    out = tmp_path / "p.root"
    result = CliRunner().invoke(command, ["-n", "300", "--pile-up", "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert read_batch(out).scalars["mc_n_pileup"].any()


@pytest.mark.parametrize(("time", "merged"), [(0.0, True), (MERGE + 1.0, False), (-MERGE - 1.0, False)])
def test_given_times(time: float, merged: bool) -> None:
    setup, rng = build_setup(DETECTOR, 1), np.random.default_rng(5)
    _, truth = simulate_events(setup, DETECTOR, 100, BEAM, no_plans(100), 1, rng)
    before = truth.hcal.sum()
    counts = np.zeros(len(truth.facts), dtype=np.int64)
    counts[:10] = 3
    pile = lay_over(setup, DETECTOR, truth, counts, np.full(30, time), rng)
    np.testing.assert_array_equal(np.diff(pile.offsets), counts)
    assert len(pile.times) == len(pile.truth.facts) == 30
    added, kept = truth.hcal.sum() - before, pile.truth.hcal.sum()
    assert (added > 0.0, kept > 0.0) == (merged, not merged)  # all of a deposit is at one place
    assert len(pile.truth.hits) > 0


def test_accidental_triggers() -> None:
    muon, other = Fired(1000, 0.01, 0.005, 0.0), Fired(1000, 0.02, 0.03, 0.004)
    per_ns = DETECTOR.beam.muons_per_spill / DETECTOR.beam.spill_length * 1e-9
    # the other alone, or one counter from each
    assert accidental_triggers(DETECTOR, muon, other) == pytest.approx(COINCIDENCE * per_ns * (0.004 + 0.01 * 0.03 + 0.02 * 0.005))
    assert accidental_triggers(CROWDED, muon, other, 6.0) == pytest.approx(20.0 * accidental_triggers(DETECTOR, muon, other, 3.0))


def test_halo_fires_the_counters() -> None:
    # muons of the halo that miss V1 and point at S4 and S_mu; the beam itself is far from them
    halo = DETECTOR.model_copy(update={"beam": DETECTOR.beam.model_copy(update={"halo_fraction": 1.0})})
    core = DETECTOR.model_copy(update={"beam": DETECTOR.beam.model_copy(update={"halo_fraction": 0.0})})
    n, counts = 3000, {}
    for name, detector in (("halo", halo), ("core", core)):
        counts[name] = fired(build_setup(detector, 2), detector, n, PILE_UP, np.random.default_rng(8))
    assert counts["halo"].n == n
    assert counts["halo"].both <= min(counts["halo"].s4, counts["halo"].s_mu)
    # straight lines: |x| > 100 mm of V1 or beside it in y, MS2 bends by 2.6 mrad; widths of 75 mm and 1 mrad
    rng = np.random.default_rng(9)
    x, y, tx, ty = rng.normal(0.0, 75.0, (2, 400_000)).tolist() + rng.normal(0.0, 1e-3, (2, 400_000)).tolist()
    x, y, tx, ty = (np.array(v) for v in (x, y, tx, ty))
    s4, s_mu, v1 = (DETECTOR.counter(name) for name in ("S4", "S_mu", "V1"))
    kick = -0.42 / 160.0
    inside = np.hypot(x + tx * v1.z, y + ty * v1.z) > v1.outer_radius
    for c in (s4, s_mu):
        low, high = c.x_range(2)
        at_x, at_y = x + tx * c.z + kick * (c.z - 3300.0), y + ty * c.z
        inside &= (at_x > low) & (at_x < high) & (at_y > c.y[0]) & (at_y < c.y[1])
    expected = inside.mean()
    assert counts["halo"].both == pytest.approx(expected, abs=4.0 * np.sqrt(expected / n) + 0.1 * expected)
    assert counts["core"].both < 0.05 * counts["halo"].both
