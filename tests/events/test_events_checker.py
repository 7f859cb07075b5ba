from __future__ import annotations

import re

import awkward as ak
import numpy as np
import pytest
import uproot
from raw_tree_examples import RUN_ROW, SAMPLES, columns_of, damage, make_batch, write_columns

from na64mu.detector import load_detector
from na64mu.events import checker
from na64mu.events.checker import check_file, check_files
from na64mu.events.findings import Collector, Finding
from na64mu.events.writer import RawTreeWriter

N = 40


def flat_edit(column, row, value, kind=None):
    """The same lists with one number changed."""
    content = ak.to_numpy(ak.flatten(column)).astype(kind or ak.to_numpy(ak.flatten(column)).dtype)
    content[row] = value
    return ak.unflatten(ak.Array(content), ak.num(column))


def entry_of(column, row):
    return int(np.searchsorted(np.cumsum(ak.to_numpy(ak.num(column))), row, side="right"))


def scalar_edit(column, entry, value):
    column = column.copy()
    column[entry] = value
    return column


def check(path, columns, runs=(RUN_ROW,)):
    return check_file(write_columns(path / "f.root", columns, None if runs is None else list(runs)))


def only(report):
    assert len(report.findings) == 1, report.findings
    return report.findings[0]


@pytest.fixture
def columns():
    return columns_of(make_batch(N))


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the independent Geant4 samples are not beside this checkout")
def test_samples_are_clean():
    reports = check_files(sorted(SAMPLES.glob("*.root")))
    assert [report.findings for report in reports] == [()] * 3
    assert [report.n_events for report in reports] == [4972, 1984, 1973]
    assert all(report.ok and report.detectors == ("g4raw-indep-1",) for report in reports)


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_own_files_are_clean(tmp_path, kind):
    with RawTreeWriter(tmp_path / "f.root", kind) as writer:
        writer.extend(make_batch(N))
        writer.finish([RUN_ROW])
    report = check_file(tmp_path / "f.root")
    assert report.findings == ()
    assert str(report) == f"{tmp_path / 'f.root'}: {N} events, runs 7, raw tree version 2, detector na64mu-2022: good"
    assert report.to_dict()["ok"] is True


def test_data_without_truth_and_extra_branches_are_clean(tmp_path):
    columns = columns_of(make_batch(N, truth=False)) | {"extra": np.zeros(N)}
    assert check(tmp_path, columns).findings == ()


def test_zero_events_are_clean(tmp_path):
    with RawTreeWriter(tmp_path / "f.root") as writer:
        writer.finish([RUN_ROW])
    assert check_file(tmp_path / "f.root").findings == ()


def test_unreadable_files(tmp_path):
    (tmp_path / "empty.root").touch()
    (tmp_path / "text.root").write_text("no tree")
    reports = check_files([tmp_path / name for name in ("empty.root", "text.root", "missing.root")])
    messages = [str(only(report)) for report in reports]
    assert messages == [
        "error: unreadable: the file is empty; copy or make it again",
        "error: unreadable: not a ROOT file, it starts with b'no t' instead of b'root'",
        "error: unreadable: no such file",
    ]
    assert not any(report.ok for report in reports)


def test_truncated_file(tmp_path, columns):
    path = write_columns(tmp_path / "f.root", columns, [RUN_ROW])
    path.write_bytes(path.read_bytes()[:-3000])
    finding = only(check_file(path))
    assert finding.code == "unreadable"
    assert finding.message.startswith("the file is truncated, it has")


def test_damage_that_shows_when_baskets_are_read(tmp_path):
    path = tmp_path / "f.root"
    with RawTreeWriter(path) as writer:
        writer.extend(make_batch(500))
        writer.finish([RUN_ROW])
    damage(path, "mm_channel")
    damage(path, "gem_strip")
    report = check_file(path)
    assert [(f.code, f.branch, f.entries[0], f.count) for f in report.findings] == [
        ("unreadable", "mm_channel", 0, 500),
        ("unreadable", "gem_strip", 0, 500),
    ]
    assert report.n_events == 500


def test_no_tree(tmp_path):
    path = write_columns(tmp_path / "f.root", {"x": np.arange(3.0)}, None, tree="other")
    found = {f.code: f for f in check_file(path).findings}
    assert found["unreadable"].message == "no tree 'events'; the file has other (TTree)"
    assert found["runs"].message == "no tree 'runs'; the file has other (TTree)"


@pytest.mark.parametrize("branch", ["trigger", "nstraw", "ecal_energy"])
def test_missing_branch(tmp_path, columns, branch):
    del columns[branch]
    finding = only(check(tmp_path, columns))
    assert (finding.severity, finding.code, finding.branch) == ("error", "missing", branch)
    assert finding.message.startswith("mandatory branch is missing; the tree has ")
    assert finding.message.endswith(" others")


def test_incomplete_truth_is_a_warning(tmp_path, columns):
    del columns["mc_mass"], columns["mc_xfrac"], columns["mc_psi"]
    report = check(tmp_path, columns)
    assert str(only(report)) == "warning: truth: mc_mass: the file has truth, but not mc_mass"
    assert report.ok


@pytest.mark.parametrize(
    ("branch", "kind", "message"),
    [
        ("run", np.int64, "has the type int64, uint32 is needed"),
        ("config", np.float32, "has the type float32, uint8 is needed"),
        ("nmm", np.int64, "has the type int64, int32 is needed"),
        ("mm_channel", np.int32, "has the type int32, uint16 is needed"),
        ("ecal_energy", np.float64, "has the type float64, float32 is needed"),
        ("straw_wire", np.float32, "has the type float32, uint16 is needed"),
        ("mc_weight", np.float32, "has the type float32, float64 is needed"),
    ],
)
def test_wrong_type(tmp_path, columns, branch, kind, message):
    columns[branch] = ak.values_astype(columns[branch], kind) if isinstance(columns[branch], ak.Array) else columns[branch].astype(kind)
    finding = only(check(tmp_path, columns))
    assert (finding.code, finding.branch, finding.message) == ("type", branch, message)


def test_wrong_shape(tmp_path, columns):
    columns["spill"] = columns["mm_q0"]
    columns["mm_q1"] = np.zeros(N, np.int16)
    columns["hcal_ix"] = np.zeros((N, 2), np.uint8)
    found = {f.branch: f for f in check(tmp_path, columns).findings}
    assert {f.code for f in found.values()} == {"shape"}
    assert found["spill"].message == "is var * int16 per event, one uint32 is needed"
    assert found["mm_q1"].message == "is int16 per event, a list of int16 is needed"
    assert found["hcal_ix"].message == "is 2 * uint8 per event, a list of uint8 is needed"


def test_counter_against_lists(tmp_path, columns):
    columns["nhcal"] = scalar_edit(columns["nhcal"], [3, 9], columns["nhcal"][[3, 9]] + 1)
    report = check(tmp_path, columns)
    assert {f.branch for f in report.findings} == {"hcal_module", "hcal_ix", "hcal_iy", "hcal_energy", "hcal_time"}
    n = int(columns["nhcal"][3])
    for finding in report.findings:
        assert (finding.code, finding.entries, finding.count) == ("length", (3, 9), 2)
        assert finding.message == f"has {n - 1} numbers in this event, nhcal is {n}"


def test_one_list_of_another_length(tmp_path, columns):
    rows = ak.to_list(columns["gem_q2"])
    rows[12] = [*rows[12], 5]
    columns["gem_q2"] = ak.values_astype(ak.Array(rows), np.int16)
    finding = only(check(tmp_path, columns))
    assert (finding.code, finding.branch, finding.entries) == ("length", "gem_q2", (12,))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("branch", ["straw_time", "vhcal_energy", "counter_energy"])
def test_not_finite(tmp_path, columns, branch, value):
    entry = entry_of(columns[branch], 17)
    columns[branch] = flat_edit(columns[branch], 17, value)
    finding = only(check(tmp_path, columns))
    assert (finding.code, finding.branch, finding.entries, finding.message) == ("not-finite", branch, (entry,), f"is {value}")


def test_nan_truth_is_allowed_but_not_a_nan_weight(tmp_path, columns):
    columns["mc_vertex_z"] = np.full(N, np.nan, np.float32)
    assert check(tmp_path, columns).findings == ()
    columns["mc_weight"] = scalar_edit(columns["mc_weight"], 8, np.nan)
    finding = only(check(tmp_path, columns))
    assert (finding.branch, finding.entries, finding.message) == ("mc_weight", (8,), "is nan, a weight is a finite number")


@pytest.mark.parametrize(
    ("branch", "value", "message"),
    [
        ("counter_id", 5, "is 5, it has 0 to 4"),
        ("veto_id", 6, "is 6, it has 0 to 5"),
        ("bms_station", 7, "is 7, there are 1, 2, 3, 4, 5, 6"),
        ("bms_channel", 128, "is 128, station . has 0 to "),
        ("mm_module", 0, "is 0, there are 1, 2, 3, 4, 5, 6, 7"),
        ("mm_view", 2, "is 2, there are 0, 1"),
        ("mm_channel", 192, "is 192, module ., view . has 0 to "),
        ("gem_module", 5, "is 5, there are 1, 2, 3, 4"),
        ("gem_strip", 256, "is 256, module ., view . has 0 to 255"),
        ("straw_module", 3, "is 3, there are 1, 2, 4, 5, 11"),
        ("straw_layer", 2, "is 2, there are 0, 1"),
        ("straw_wire", 500, "is 500, module .*, view ., layer . has 0 to "),
        ("ecal_section", 2, "is 2, there are 0, 1"),
        ("ecal_ix", 5, "is 5, there are 0, 1, 2, 3, 4"),
        ("ecal_iy", 6, "is 6, section ., ix . has 0 to 5"),
        ("vhcal_ix", 4, "is 4, there are 0, 1, 2, 3"),
        ("hcal_module", 3, "is 3, there are 1, 2"),
        ("hcal_iy", 3, "is 3, module ., ix . has 0 to 2"),
    ],
)
def test_channels_that_do_not_exist(tmp_path, columns, branch, value, message):
    entry = entry_of(columns[branch], 20)
    columns[branch] = flat_edit(columns[branch], 20, value)
    finding = only(check(tmp_path, columns))
    assert (finding.code, finding.branch, finding.entries, finding.count) == ("range", branch, (entry,), 1)
    assert re.match(rf"{message}.*\(detector na64mu-2022\)$", finding.message), finding.message


def test_limits_follow_the_detector_of_the_run(tmp_path):
    """One file, two runs with different detectors: a channel is judged by the detector of its own run."""
    small = load_detector("na64mu-2022").model_copy(update={"tag": "small", "gem": load_detector("na64mu-2022").gem[:2]})
    columns = columns_of(make_batch(N))
    columns["run"] = np.where(np.arange(N) < 20, 7, 8).astype(np.uint32)
    path = write_columns(tmp_path / "f.root", columns, [RUN_ROW, RUN_ROW | {"run": 8, "detector": "small"}])
    finding = only(check_file(path, {"small": small}))
    expected = np.flatnonzero(ak.to_numpy(ak.any(columns["gem_module"] > 2, axis=1)) & (columns["run"] == 8))
    assert (finding.branch, finding.entries) == ("gem_module", tuple(expected[:5]))
    assert finding.count == np.count_nonzero(ak.to_numpy(ak.flatten(columns["gem_module"][20:])) > 2)
    assert "(detector small)" in finding.message


@pytest.mark.parametrize("value", [0, 3])
def test_config(tmp_path, columns, value):
    columns["config"] = scalar_edit(columns["config"], [4, 6], value)
    found = {f.code: f for f in check(tmp_path, columns).findings}
    assert set(found) == {"value", "runs-missing"}
    assert (found["value"].branch, found["value"].entries, found["value"].message) == ("config", (4, 6), f"is {value}, it is 1 or 2")


def test_config_of_runs(tmp_path, columns):
    finding = only(check(tmp_path, columns, [RUN_ROW, RUN_ROW | {"config": 5}]))
    assert (finding.branch, finding.message) == ("runs.config", "run 7 has config 5, it is 1 or 2")


def test_trigger_without_a_bit(tmp_path, columns):
    columns["trigger"] = scalar_edit(columns["trigger"], 30, 0)
    finding = only(check(tmp_path, columns))
    assert (finding.branch, finding.entries) == ("trigger", (30,))
    assert finding.message == "is 0, an event without any trigger bit is not written"


def test_trigger_bit_without_a_meaning_is_a_warning(tmp_path, columns):
    columns["trigger"] = scalar_edit(columns["trigger"], 2, 9)
    assert str(only(check(tmp_path, columns))) == "warning: trigger-bits: trigger: entry 2: is 0b1001, only the bits 0, 1, 2 have a meaning"


def test_duplicates_in_a_file(tmp_path, columns):
    columns["event"] = scalar_edit(columns["event"], [11, 25], [3, 3])
    finding = only(check(tmp_path, columns))
    assert (finding.code, finding.entries, finding.count) == ("duplicate", (11, 25), 2)
    assert finding.message == "run 7 event 3 stands in entry 3 already"


def test_same_event_number_in_another_run_is_fine(tmp_path, columns):
    columns["run"] = (7 + np.arange(N) % 2).astype(np.uint32)
    columns["event"] = (np.arange(N) // 2).astype(np.uint64)
    assert check(tmp_path, columns, [RUN_ROW, RUN_ROW | {"run": 8}]).findings == ()


def test_duplicates_across_files(tmp_path):
    starts = {"a": 0, "b": 100, "c": 130}
    paths = [write_columns(tmp_path / f"{name}.root", columns_of(make_batch(N, first_event=k)), [RUN_ROW]) for name, k in starts.items()]
    reports = check_files(paths)
    assert [len(report.findings) for report in reports] == [0, 0, 1]
    finding = only(reports[2])
    assert (finding.code, finding.entries, finding.count) == ("duplicate-file", (0,), 10)
    assert finding.message == f"run 7 event 130 stands in {paths[1]} too"
    assert check_files(paths[:2])[1].ok


def test_runs_without_a_row(tmp_path, columns):
    columns["run"] = scalar_edit(columns["run"], slice(10, None), 9)
    finding = only(check(tmp_path, columns))
    assert (finding.code, finding.entries, finding.message) == ("runs-missing", (10,), "run 9 config 1 has 30 events, but no row in 'runs'")


def test_runs_with_two_rows(tmp_path, columns):
    finding = only(check(tmp_path, columns, [RUN_ROW, RUN_ROW]))
    assert str(finding) == "error: runs-duplicate: runs: run 7 config 1 has 2 rows, one is needed"


def test_no_runs(tmp_path, columns):
    finding = only(check(tmp_path, columns, None))
    assert (finding.code, finding.message) == ("runs", "no tree 'runs'; the file has events (TTree)")


def test_runs_without_a_field(tmp_path, columns):
    row = {k: v for k, v in RUN_ROW.items() if k != "n_mot"}
    assert only(check(tmp_path, columns, [row])).message.startswith("tree 'runs' has no field 'n_mot'; it has")


def test_runs_without_rows_is_a_warning(tmp_path):
    with RawTreeWriter(tmp_path / "f.root") as writer:
        writer.finish([])
    finding = only(check_file(tmp_path / "f.root"))
    assert (finding.severity, finding.code) == ("warning", "runs-empty")


def test_unknown_detector_lists_the_known(tmp_path, columns):
    finding = only(check(tmp_path, columns, [RUN_ROW | {"detector": "mine"}]))
    assert (finding.code, finding.branch) == ("detector", "runs.detector")
    assert finding.message.startswith("there is no detector description 'mine'; known are g4raw-indep-1, na64mu-2022; name the file")


def test_a_detector_of_ones_own_is_known(tmp_path, columns):
    path = write_columns(tmp_path / "f.root", columns, [RUN_ROW | {"detector": "mine"}])
    assert check_file(path, {"mine": load_detector("na64mu-2022")}).findings == ()


@pytest.mark.parametrize(("prescale", "n_mot", "good"), [(1, N, True), (1, N - 1, False), (10, 301, True), (10, 300, False)])
def test_muons_on_target_against_the_events(tmp_path, columns, prescale, n_mot, good):
    """31 calibration triggers alone stand for at least 30 prescales and one, 9 physics triggers for themselves."""
    columns["trigger"] = np.where(np.arange(N) < 31, 1, 3).astype(np.uint32)
    n_mot = n_mot + 9 if prescale > 1 else n_mot
    report = check(tmp_path, columns, [RUN_ROW | {"n_mot": n_mot, "prescale_calibration": prescale}])
    if good:
        assert report.findings == ()
    else:
        expected = f"run 7 config 1 has n_mot {n_mot}, its events stand for at least {n_mot + 1} muons"
        assert str(only(report)) == f"error: exposure: runs.n_mot: {expected}"
        assert not report.ok


def test_random_triggers_are_not_muons(tmp_path, columns):
    columns["trigger"] = np.full(N, 4, np.uint32)
    assert check(tmp_path, columns, [RUN_ROW | {"n_mot": 0}]).findings == ()


def test_chunks_give_the_same_findings(tmp_path, columns, monkeypatch):
    columns["event"] = scalar_edit(columns["event"], [11, 25], [3, 3])
    columns["hcal_time"] = flat_edit(columns["hcal_time"], slice(0, None, 4), np.nan)
    columns["trigger"] = np.ones(N, np.uint32)
    row = RUN_ROW | {"n_mot": 5}
    whole = check(tmp_path, columns, [row])
    monkeypatch.setattr(checker, "CHUNK", 7)
    assert check(tmp_path, columns, [row]) == whole
    assert {f.code for f in whole.findings} == {"duplicate", "not-finite", "exposure"}


def test_collector_merges_chunks():
    found = Collector()
    found.add("c", "b", "first", np.array([1, 1, 2]))
    found.add("c", "b", "second", np.array([5, 6, 7, 8]))
    assert list(found.found.values()) == [Finding("error", "c", "b", "first", (1, 2, 5, 6, 7), 7)]
    assert str(found.found["c", "b"]) == "error: c: b: entry 1 (first of 7): first"


def test_report_counts_errors_and_warnings(tmp_path, columns):
    columns["trigger"] = scalar_edit(columns["trigger"], [2, 3], [9, 0])
    assert str(check(tmp_path, columns)).endswith(": 1 error, 1 warning")


def test_rntuple_findings(tmp_path, columns):
    columns["mm_channel"] = flat_edit(columns["mm_channel"], 5, 9999)
    with uproot.recreate(tmp_path / "f.root") as file:
        file.mkrntuple("events", columns)
        runs = {k: ak.Array([v]) if isinstance(v, str) else np.array([v]) for k, v in RUN_ROW.items()}
        file.mkrntuple("runs", runs)
    assert [f.branch for f in check_file(tmp_path / "f.root").findings] == ["mm_channel"]
