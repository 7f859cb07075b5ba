from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from na64mu.cli.simulate import command
from na64mu.detector import load_detector
from na64mu.errors import Na64muError
from na64mu.events.reader import read_batch, read_runs
from na64mu.physics.cross_section import cross_section
from na64mu.physics.materials import LEAD
from na64mu.simulation import produce as module
from na64mu.simulation.produce import produce
from na64mu.simulation.setup import build_setup
from na64mu.simulation.signal import SIGNALS, hard_loss_plans, lead_depths, lead_per_area, zprime_plans

DETECTOR = load_detector("na64mu-2022")


@pytest.fixture(scope="module")
def beam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "beam.root"
    produce(path, DETECTOR, "beam", 4000, 1, 11, run=7)
    return path


def test_bookkeeping(beam: Path) -> None:
    batch, (row,) = read_batch(beam), read_runs(beam)
    assert row["run"] == 7
    assert row["n_generated"] == 4000
    assert row["n_mot"] == len(batch)  # every S0*S1*!V1 is written without a prescale
    assert row["sum_weights"] == row["n_mot"]
    assert row["detector"] == "na64mu-2022"
    assert row["seed"] == 11
    assert len(np.unique(batch.scalars["event"])) == len(batch)
    assert np.all(batch.scalars["trigger"] & 1)
    # the beam spot through two discs of 42 mm
    assert 0.5 < row["n_mot"] / 4000 < 0.65


def test_beam_muons_at_s4_and_in_the_calorimeters(beam: Path) -> None:
    batch = read_batch(beam)
    n = len(batch)
    scalars = batch.scalars
    assert np.median(scalars["mc_p_in"]) == pytest.approx(159.4, abs=0.6)
    assert np.median(scalars["mc_p_in"] - scalars["mc_p_out"]) == pytest.approx(0.6, abs=0.25)
    ecal = np.bincount(batch.collections["ecal"].event_index, batch.collections["ecal"]["energy"], n)
    hcal = batch.collections["hcal"]
    first = np.bincount(hcal.event_index[hcal["module"] == 1], hcal["energy"][hcal["module"] == 1], n)
    for energy, mip, width in ((ecal, DETECTOR.ecal.mip, 0.02), (first, DETECTOR.hcal.mip, 0.08)):
        counts, edges = np.histogram(energy, np.arange(0.0, 5.0, width))
        smooth = np.convolve(counts, np.ones(5) / 5.0, "same")
        assert edges[np.argmax(smooth)] + 0.5 * width == pytest.approx(mip, rel=0.12)


def test_truth_of_losses(beam: Path) -> None:
    scalars = read_batch(beam).scalars
    named = scalars["mc_process"] > 0
    assert 0.005 < named.mean() < 0.05
    assert np.all(np.isfinite(scalars["mc_vertex_z"][named]))
    assert np.all(np.isnan(scalars["mc_vertex_z"][~named]))
    assert np.all(scalars["mc_p_in"][named] - scalars["mc_p_out"][named] > 5.0)
    assert np.all(np.isnan(scalars["mc_psi"]))


def test_same_seed_same_events(beam: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again.root", tmp_path / "other.root"
    produce(again, DETECTOR, "beam", 4000, 1, 11, run=7)
    produce(other, DETECTOR, "beam", 500, 1, 12)
    a, b, c = read_batch(beam), read_batch(again), read_batch(other)
    for name in ("mm", "ecal", "straw", "counter"):
        for field, column in a.collections[name].fields.items():
            np.testing.assert_array_equal(column, b.collections[name][field])
    for name, column in a.scalars.items():
        np.testing.assert_array_equal(column, b.scalars[name])
    assert not np.array_equal(a.scalars["mc_p_in"][:100], c.scalars["mc_p_in"][:100])


def test_batches_are_independent_of_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 300)
    steps: list[int] = []
    row = produce(tmp_path / "a.root", DETECTOR, "beam", 1000, 2, 5, progress=steps.append)
    assert steps == [300, 300, 300, 100]
    batch = read_batch(tmp_path / "a.root")
    assert len(np.unique(batch.scalars["event"])) == len(batch) == row["n_written"]


def test_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # three batches in two processes, with all that draws random numbers
    monkeypatch.setattr(module, "BATCH", 400)
    rows = [
        produce(
            tmp_path / f"w{n}.root",
            DETECTOR,
            "hardloss",
            2 * module.BATCH + 100,
            2,
            5,
            prescale_calibration=40,
            with_pile_up=True,
            workers=n,
        )
        for n in (1, 2)
    ]
    assert rows[0] == rows[1]
    a, b = (read_batch(tmp_path / f"w{n}.root") for n in (1, 2))
    for name, column in a.scalars.items():
        np.testing.assert_array_equal(column, b.scalars[name])
    for name, collection in a.collections.items():
        np.testing.assert_array_equal(collection.offsets, b.collections[name].offsets)
        for field, column in collection.fields.items():
            np.testing.assert_array_equal(column, b.collections[name][field])


def test_prescale(tmp_path: Path) -> None:
    row = produce(tmp_path / "p.root", DETECTOR, "beam", 2000, 2, 6, prescale_calibration=10)
    assert row["n_written"] == pytest.approx(row["n_mot"] / 10, abs=2)
    assert read_runs(tmp_path / "p.root")[0]["prescale_calibration"] == 10


def test_zprime_sample(tmp_path: Path) -> None:
    row = produce(tmp_path / "z.root", DETECTOR, "zprime", 4000, 2, 8, mass=0.1, prescale_calibration=0)
    batch = read_batch(tmp_path / "z.root")
    scalars = batch.scalars
    # 7.68e-11 per muon on target at g = 1e-4; the beam mean of 159.4 GeV changes it by 0.1 %
    assert row["sum_weights"] / row["n_mot"] == pytest.approx(7.68e-11, rel=0.01)
    assert row["g_ref"] == 1e-4
    assert np.all(scalars["trigger"] & 2)
    assert np.all(scalars["mc_process"] == 20)
    assert np.all(scalars["mc_mass"] == np.float32(0.1))
    assert np.all((scalars["mc_vertex_z"] > 0.0) & (scalars["mc_vertex_z"] < 471.0))
    expected = (1.0 - scalars["mc_xfrac"]) * scalars["mc_p_in"]
    assert np.median(np.abs(expected - scalars["mc_p_out"])) < 1.5
    # toy acceptance 0.215 of events with x > 0.5 (public thesis numbers, experiment.md): 0.13 of all
    assert 0.08 < row["n_physics"] / row["n_mot"] < 0.20


@pytest.mark.parametrize(("process", "code"), [("scalar", 21), ("pseudoscalar", 22), ("dark-photon", 23), ("axial", 24)])
def test_other_bosons(tmp_path: Path, process: str, code: int) -> None:
    row = produce(tmp_path / "s.root", DETECTOR, process, 600, 2, 8, mass=0.1, g_ref=1e-4)
    batch = read_batch(tmp_path / "s.root")
    assert np.all(batch.scalars["mc_process"] == code)
    z, a, _ = LEAD.elements[0]
    mediator, _, charge = SIGNALS[process]
    total = cross_section(159.4, 0.1, 1e-4 * charge, z, a, mediator=mediator)
    assert row["sum_weights"] / row["n_mot"] == pytest.approx(total * 1e-36 * lead_per_area(DETECTOR), rel=0.02)


def test_hard_losses(tmp_path: Path) -> None:
    row = produce(tmp_path / "h.root", DETECTOR, "hardloss", 1500, 1, 9)
    scalars = read_batch(tmp_path / "h.root").scalars
    assert np.all(scalars["mc_process"] > 0)
    # P(E < 120 GeV) is 2.3e-3 behind the ECAL; above 20 GeV the 1/v spectrum gives about twice as many
    assert 3e-3 < row["sum_weights"] / row["n_mot"] < 6e-3
    assert np.all(scalars["mc_p_in"] - scalars["mc_p_out"] > 19.9)


def test_hard_losses_are_seen(tmp_path: Path) -> None:
    # electromagnetic losses anywhere in the ECAL, also right at its end, stay in the calorimeters: no fake missing energy
    produce(tmp_path / "h.root", DETECTOR, "hardloss", 3000, 1, 10)
    batch = read_batch(tmp_path / "h.root")
    n, scalars = len(batch), batch.scalars
    calorimeters = sum(np.bincount(c.event_index, c["energy"], n) for c in (batch.collections[k] for k in ("ecal", "vhcal", "hcal")))
    lost = scalars["mc_p_in"] - scalars["mc_p_out"]
    clean = np.isin(scalars["mc_process"], [1, 2, 4]) & (scalars["mc_p_out"] > 20.0)
    missing = (lost - calorimeters) / lost
    assert np.count_nonzero(clean) > 1000
    assert np.mean(missing[clean] > 0.5) < 0.003
    assert np.mean(missing[clean & (scalars["mc_vertex_z"] > 420.0)] > 0.5) < 0.03
    assert abs(np.median(missing[clean & (lost > 60.0)])) < 0.1


def test_plans() -> None:
    rng = np.random.default_rng(1)
    assert lead_per_area(DETECTOR) == pytest.approx(7.42e23, rel=2e-3)
    depth = lead_depths(DETECTOR, 5000, rng)
    assert np.all(depth % (471.0 / 150) <= 1.5 + 1e-9)
    assert depth.mean() == pytest.approx(235.0, abs=8.0)
    plans, weight = zprime_plans(DETECTOR, 0.1, 2e-4, 10, rng)
    assert plans.shape == (10,)
    assert weight == pytest.approx(4 * 7.68e-11, rel=0.01)
    plans, _ = hard_loss_plans(DETECTOR, build_setup(DETECTOR, 1), 20.0, 2000, rng)
    assert set(plans["above"]) == {20.0}


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(
        Na64muError,
        match="there is no process 'muon': known are zprime, scalar, pseudoscalar, axial, dark-photon, beam, hardloss, nuclear, hadron, decay, kaon",
    ):
        produce(tmp_path / "x.root", DETECTOR, "muon", 10, 1, 1)
    with pytest.raises(Na64muError, match="needs the mass"):
        produce(tmp_path / "x.root", DETECTOR, "zprime", 10, 1, 1)
    with pytest.raises(Na64muError, match="cannot be produced"):
        produce(tmp_path / "x.root", DETECTOR, "zprime", 10, 1, 1, mass=500.0)
    with pytest.raises(Na64muError, match="there is no config 3: known are 1, 2"):
        produce(tmp_path / "x.root", DETECTOR, "beam", 10, 3, 1)
    with pytest.raises(Na64muError, match="n_events must be a whole number from 1"):
        produce(tmp_path / "x.root", DETECTOR, "beam", 0, 1, 1)
    with pytest.raises(Na64muError, match="workers must be a whole number from 1; found 0"):
        produce(tmp_path / "x.root", DETECTOR, "beam", 10, 1, 1, workers=0)
    assert not list(tmp_path.iterdir())


def test_command(tmp_path: Path) -> None:
    out = tmp_path / "c.root"
    result = CliRunner().invoke(command, ["-n", "200", "--config", "2", "--seed", "3", "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "of 200 generated" in result.output
    assert read_runs(out)[0]["config"] == 2
