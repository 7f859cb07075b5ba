from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from coffea.nanoevents import NanoEventsFactory
from coffea.processor import IterativeExecutor, Runner

import na64mu
from na64mu.detector import load_detector
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.schema import RawTreeSchema
from na64mu.events.schema_v1 import COLLECTIONS
from na64mu.events.writer import RawTreeWriter
from na64mu.processors import SearchProcessor
from na64mu.processors.search import event_weights, run_counts
from na64mu.reconstruction.columns import column, summary_columns
from na64mu.results.clock import Clock
from na64mu.selections import load_working_point
from na64mu.selections.blinding import BlindingPolicy

TAG = "na64mu-2022"
POINT = load_working_point("prl2024")
WINDOWS = dict.fromkeys(POINT.mip_quantities, (1.0, 3.0))


def summary_of(n: int, *, truth: bool, **columns: Any) -> dict[str, np.ndarray]:
    """Events that pass every cut, unless a column says otherwise."""
    summary = {name: np.ones(n, kind) for name, (kind, _, _) in summary_columns().items()}
    good = {"p_in": 160.0, "p_out": 150.0, "trigger": 2, "e_cal": 6.0, **dict.fromkeys(POINT.mip_quantities, 2.0)}
    for name, values in (good | columns).items():
        summary[name] = np.broadcast_to(np.asarray(values), (n,)).astype(summary[name].dtype).copy()
    return summary | ({"mc_process": np.zeros(n, np.uint8), "mc_weight": np.full(n, 0.5)} if truth else {})


def process(monkeypatch: pytest.MonkeyPatch, summary: dict[str, np.ndarray]) -> dict[str, Any]:
    monkeypatch.setattr("na64mu.processors.search.read_events", lambda events: events)
    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", lambda events, detector: summary)
    policy = replace(BlindingPolicy.of(POINT), data={"f.root": "mc_process" not in summary})  # in place of the bookkeeping of a file
    processor = SearchProcessor({TAG: load_detector(TAG)}, {TAG: WINDOWS}, POINT, policy=policy)
    return processor.process(SimpleNamespace(metadata={"dataset": "d", "filename": "f.root", "detector": TAG}))


def test_events_fill_the_plane_before_and_after_cut_iv(monkeypatch):
    out = process(
        monkeypatch,
        summary_of(4, truth=True, p_out=[150, 120, 90, 150], e_cal=[6, 6, 60, 6], e_ecal=[2, 2, 30, 2], n_tracks_ms1=[1, 1, 1, 2]),
    )
    found = out["datasets"]["d"]
    before, after = found["histograms"]["plane_before"], found["histograms"]["plane_after"]
    assert (before.values().sum(), before.variances().sum()) == (1.5, 0.75)
    assert after.values().sum() == 1.0
    assert before[{"p_out": 90j, "e_cal": 60j}].value == 0.5
    assert before.axes.name == ("p_out", "e_cal")
    assert all("GeV" in label for label in before.axes.label)
    assert [found["regions"][r].n for r in ("A", "B", "C", "D", "box")] == [2, 1, 0, 0, 0]


def test_the_n_minus_1_spectrum_ignores_only_the_cuts_on_its_own_quantity(monkeypatch):
    out = process(monkeypatch, summary_of(3, truth=True, p_in=[160, 130, 130], e_ecal=[2, 2, 30]))
    p_in, e_ecal = (out["datasets"]["d"]["histograms"][name] for name in ("p_in", "e_ecal"))
    assert p_in["n_minus_1", :].values().sum() == 2 * 0.5  # the third fails (iv) as well
    assert p_in["all", :].values().sum() == 3 * 0.5
    assert p_in["n_minus_1", 130j].value == 0.5
    assert e_ecal["n_minus_1", :].values(flow=True).sum() == 0.5


def test_quantities_that_do_not_exist_are_counted_and_not_filled(monkeypatch):
    out = process(monkeypatch, summary_of(3, truth=False, p_out=[150, np.nan, np.nan], ndf_ms2=[10, 0, 0]))
    found = out["datasets"]["d"]
    assert (found["outside"]["p_out"], found["outside"]["chi2_ndf_ms2"], found["outside"]["p_in"]) == (2, 2, 0)
    assert found["histograms"]["p_out"]["all", :].values(flow=True).sum() == 1
    assert found["outside"]["plane_before"] == 2  # they pass the cuts here, and have no place in the plane


def test_in_data_nothing_of_the_box_is_filled(monkeypatch):
    out = process(monkeypatch, summary_of(3, truth=False, p_out=[40, 150, 150]))
    found = out["datasets"]["d"]
    assert found["cutflow"].counts == (3, 3, 2, 2, 2, 2)  # it fails the first cut on what is reconstructed
    assert found["cutflow"]["mip_everywhere"].n_minus_1 == 2
    assert found["histograms"]["plane_before"].values(flow=True).sum() == 2
    assert all(
        h["all", :].values(flow=True).sum() == 2
        for name, h in found["histograms"].items()
        if not name.startswith(("plane", "momentum_tail"))
    )
    assert "box" not in found["regions"]


def test_a_decoy_and_an_event_of_the_box_leave_the_same(monkeypatch):
    """Put in the place of an event of the box, a soft muon that fails (i), or an event without any track, changes nothing."""
    rest = {"p_in": 160.0, "p_out": 150.0, "e_cal": 6.0, "n_tracks_ms2": 1}
    kinds = ({"p_out": 40.0}, {"p_in": 120.0, "p_out": 79.0, "e_cal": 90.0}, {"p_in": np.nan, "p_out": np.nan, "n_tracks_ms2": 0})
    found = [
        process(monkeypatch, summary_of(2, truth=False, **{name: [kind.get(name, value), value] for name, value in rest.items()}))
        for kind in kinds
    ]
    for one in found:
        del one["timing"]
    assert found[0] == found[1] == found[2]


def test_an_empty_chunk_has_every_histogram(monkeypatch):
    empty, full = (process(monkeypatch, summary_of(n, truth=False))["datasets"]["d"] for n in (0, 5))
    assert set(empty["histograms"]) == set(full["histograms"])
    assert empty["cutflow"] + full["cutflow"] == full["cutflow"]
    for name, histogram in full["histograms"].items():
        assert empty["histograms"][name] + histogram == histogram


def test_events_are_counted_per_run_and_configuration():
    summary = {"run": np.array([1, 1, 2, 2], np.uint32), "config": np.array([1, 2, 2, 2], np.uint8)}
    assert run_counts(summary, ("d", "f")) == {("d", "f", 1, 1): 1, ("d", "f", 1, 2): 1, ("d", "f", 2, 2): 2}


def test_data_never_has_weights():
    assert event_weights(summary_of(2, truth=True), is_data=True).tolist() == [1.0, 1.0]
    assert event_weights(summary_of(2, truth=True), is_data=False).tolist() == [0.5, 0.5]


def test_chi2_per_degree_of_freedom():
    summary = {"chi2_ms1": np.array([10.0, 5.0, np.nan]), "ndf_ms1": np.array([5, 0, 3], np.int32)}
    np.testing.assert_array_equal(column(summary, "chi2_ndf_ms1"), [2.0, np.nan, np.nan])


def test_real_digits_are_reconstructed_inside_the_processor(tmp_path):
    n = 3
    scalars = {
        "run": np.ones(n, "u4"),
        "spill": np.ones(n, "u4"),
        "event": np.arange(n).astype("u8"),
        "config": np.ones(n, "u1"),
        "trigger": np.full(n, 3, "u4"),
    }
    empty = {c: Jagged(np.zeros(n + 1, "i8"), {f: np.zeros(0, k) for f, k in fields.items()}) for c, fields in COLLECTIONS.items()}
    cells = {"section": [1, 1, 1], "ix": [2, 2, 2], "iy": [3, 3, 3], "energy": [0.61, 0.71, 50.0], "time": [0.0, 0.0, 0.0]}
    empty["ecal"] = Jagged(np.arange(n + 1), {f: np.array(v, COLLECTIONS["ecal"][f]) for f, v in cells.items()})
    row = {
        "run": 1,
        "config": 1,
        "n_spills": 1,
        "n_mot": n,
        "n_generated": n,
        "sum_weights": 1.0,
        "detector": TAG,
        "conditions": "",
        "seed": 1,
    }
    with RawTreeWriter(tmp_path / "f.root") as writer:
        writer.extend(RawBatch(scalars, empty))
        writer.finish([row])
    metadata = {"dataset": "d", "filename": "f.root", "detector": TAG}
    events = NanoEventsFactory.from_root({str(tmp_path / "f.root"): "events"}, schemaclass=RawTreeSchema, metadata=metadata).events()
    events_without_tracks = BlindingPolicy.of(POINT, opened=True)  # would be hidden
    processor = SearchProcessor({TAG: load_detector(TAG)}, {TAG: WINDOWS}, POINT, policy=events_without_tracks)
    out = processor.process(events)
    e_ecal = out["datasets"]["d"]["histograms"]["e_ecal"]["all", :]
    assert (e_ecal[0.61j].value, e_ecal[0.71j].value, e_ecal.values(flow=True)[-1]) == (1, 1, 1)


def test_the_clock_adds_up_stages():
    clock = Clock()
    for _ in range(2):
        with clock("read"):
            pass
    assert list(clock.seconds) == ["read"]
    assert clock.seconds["read"] >= 0


def test_a_missing_window_stops_before_any_event_is_read():
    with pytest.raises(Exception, match="no MIP window of e_vhcal"):
        SearchProcessor({TAG: load_detector(TAG)}, {TAG: {k: v for k, v in WINDOWS.items() if k != "e_vhcal"}}, POINT)


def test_coffeas_own_runner_gives_what_a_run_gives():
    """The same processor under coffea's Runner, with NanoEvents of the schema of the raw tree: the same numbers to the last bit."""
    files = na64mu.sample_files("physics_1*") + na64mu.sample_files("zprime_100MeV_1*")
    expected = na64mu.run(files, options=na64mu.RunOptions(progress=False))
    tags = {name: file.detector for name, file in zip(expected.datasets, expected.provenance.inputs, strict=True)}
    fileset = {name: {"files": {str(f): "events"}, "metadata": {"detector": tags[name]}} for name, f in zip(tags, files, strict=True)}
    detectors = {tag: load_detector(tag) for tag in tags.values()}
    processor = SearchProcessor(detectors, {tag: na64mu.load_calibration(tag).windows for tag in detectors}, POINT)
    runner = Runner(IterativeExecutor(retries=0, status=False), schema=RawTreeSchema, chunksize=100_000)
    out = runner(fileset, processor)
    for name, found in out["datasets"].items():
        assert found["cutflow"] == expected.cutflows[name]
        assert found["histograms"] == expected.histograms[name]
        assert found["regions"] == dict(expected.regions[name])
        assert found["outside"] == expected.outside[name]
    assert set(out["datasets"]) == set(expected.datasets)
    assert expected.total.counts[0] > 300
