"""The whole reconstruction on the independent Geant4 files, against their truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.events.batch import RawBatch
from na64mu.events.nanoevents import open_events
from na64mu.events.reader import read_batch
from na64mu.reconstruction.columns import summary_columns
from na64mu.reconstruction.summary import reconstruct
from na64mu.typing import Summary

COLUMNS = summary_columns("g4raw-indep-1")


def width(values: np.ndarray) -> tuple[float, float]:
    low, middle, high = np.percentile(values, [15.87, 50.0, 84.13])
    return float(middle), float(high - low) / 2.0


@pytest.fixture(scope="module")
def muons(shared_samples: Path) -> Summary:
    return reconstruct(read_batch(shared_samples / "calib_mu160.root"), load_detector("g4raw-indep-1"))


@pytest.fixture(scope="module")
def slow_muons(shared_samples: Path) -> Summary:
    return reconstruct(read_batch(shared_samples / "mono_mu80.root"), load_detector("g4raw-indep-1"))


def test_columns_are_the_contract(muons: Summary) -> None:
    assert list(muons)[: len(COLUMNS)] == list(COLUMNS)
    assert all(muons[name].dtype == kind for name, (kind, _, _) in COLUMNS.items())
    assert all(name.startswith("mc_") for name in list(muons)[len(COLUMNS) :])


def test_tracks_are_found_and_single(muons: Summary) -> None:
    assert np.mean(muons["n_tracks_ms1"] == 1) > 0.99
    assert np.mean(muons["n_tracks_ms2"] == 1) > 0.99


def test_momentum_against_truth(muons: Summary, slow_muons: Summary) -> None:
    for summary, column, resolution in ((muons, "in", 0.004), (muons, "out", 0.028), (slow_muons, "out", 0.016)):
        p, truth = summary[f"p_{column}"], summary[f"mc_p_{column}"].astype(np.float64)
        good = np.isfinite(p) & (truth > 10.0)
        bias, sigma = width(p[good] / truth[good] - 1.0)
        assert abs(bias) < 0.002
        assert sigma < resolution
        assert width((p[good] - truth[good]) / summary[f"p_{column}_error"][good])[1] == pytest.approx(1.0, abs=0.1)


def test_tail_of_single_tracks(muons: Summary, slow_muons: Summary) -> None:
    for summary in (muons, slow_muons):
        one = (summary["n_tracks_ms2"] == 1) & (summary["mc_p_out"] > 10.0)
        assert np.mean(np.abs(summary["p_out"][one] / summary["mc_p_out"][one] - 1.0) > 0.25) < 1.5e-3


def test_beam_at_s4(muons: Summary) -> None:
    # published: -12.0 mm for 160 GeV/c
    beam = (muons["n_tracks_ms2"] == 1) & (np.abs(muons["p_out"] - 160.0) < 20.0)
    assert muons["x_s4"][beam].mean() == pytest.approx(-12.0, abs=0.5)


def test_mip_energies(muons: Summary) -> None:
    # README of the files: 1.7 to 1.8 GeV per HCAL module; the ECAL peak is near 0.5 to 0.7 GeV
    mode = {name: np.histogram(muons[name], bins=60, range=(0.0, 6.0)) for name in ("e_hcal1", "e_hcal2")}
    for counts, edges in mode.values():
        assert 1.6 < edges[np.argmax(counts)] + 0.05 < 2.0
    assert 0.45 < np.median(muons["e_ecal"]) < 0.7
    assert np.mean(muons["e_vhcal"] < 0.1) > 0.9, "the beam goes through the hole"
    assert np.nanmedian(muons["e_hcal_cell"]) > 0.9 * np.median(muons["e_hcal1"])


def test_nanoevents_and_batch_give_the_same(shared_samples: Path) -> None:
    path, detector = shared_samples / "signal_m100.root", load_detector("g4raw-indep-1")
    first, second = reconstruct(read_batch(path), detector), reconstruct(open_events(path), detector)
    assert all(np.array_equal(first[name], second[name], equal_nan=True) for name in first)


def test_chunks_change_nothing(shared_samples: Path) -> None:
    path, detector = shared_samples / "signal_m100.root", load_detector("g4raw-indep-1")
    whole = reconstruct(read_batch(path), detector)
    parts = [reconstruct(read_batch(path, a, b), detector) for a, b in ((0, 1), (1, 700), (700, None))]
    for name, column in whole.items():
        assert np.array_equal(column, np.concatenate([p[name] for p in parts]), equal_nan=True), name


def test_pieces_change_nothing(shared_samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, detector = read_batch(shared_samples / "signal_m100.root", 0, 300), load_detector("g4raw-indep-1")
    whole = reconstruct(batch, detector)
    monkeypatch.setattr("na64mu.reconstruction.summary.PIECE", 37)
    pieces = reconstruct(batch, detector)
    for name, column in whole.items():
        assert np.array_equal(column, pieces[name], equal_nan=True), name


def test_no_events_have_all_columns() -> None:
    summary = reconstruct(RawBatch.empty(), load_detector("g4raw-indep-1"))
    assert {name: (len(column), column.dtype) for name, column in summary.items()} == {n: (0, kind) for n, (kind, _, _) in COLUMNS.items()}


def test_order_of_rows_changes_nothing(shared_samples: Path) -> None:
    detector = load_detector("g4raw-indep-1")
    batch = read_batch(shared_samples / "mono_mu80.root", 0, 200)
    rng = np.random.default_rng(3)
    shuffled = {}
    for name, rows in batch.collections.items():
        order = np.lexsort((rng.random(len(rows.event_index)), rows.event_index))
        shuffled[name] = type(rows)(rows.offsets, {f: c[order] for f, c in rows.fields.items()})
    first, second = reconstruct(batch, detector), reconstruct(RawBatch(batch.scalars, shuffled), detector)
    for name in first:
        assert np.allclose(first[name].astype(float), second[name].astype(float), equal_nan=True, rtol=1e-9), name


def test_the_description_chooses_the_model_of_scattering() -> None:
    sample = Path(__file__).parents[2] / "data" / "sample" / "physics_1.root"
    events, ours = read_batch(sample, 0, 40), load_detector("na64mu-2022")
    mine = type(ours)(**{name: getattr(ours, name) for name in type(ours).model_fields} | {"scattering": "rossi"})
    chosen, asked, usual = reconstruct(events, mine), reconstruct(events, ours, "rossi"), reconstruct(events, ours)
    assert all(np.array_equal(chosen[name], asked[name], equal_nan=True) for name in asked)
    assert not np.array_equal(chosen["p_out_error"], usual["p_out_error"], equal_nan=True)
    back = reconstruct(events, mine, "highland")
    assert all(np.array_equal(back[name], usual[name], equal_nan=True) for name in usual)
