from __future__ import annotations

import gc
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from search_examples import DETECTOR, FakeReconstruction, hide, plant, raw_batch, runs_row, summary_table, write_file

from na64mu.errors import CalibrationError, DetectorError, InputError, SelectionError, WorkerError
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import run_search
from na64mu.inputs import chunk_runner
from na64mu.results.run import RunResult


def search(files: object, **options: object) -> RunResult:
    return run_search(files, progress=False, **options)


def physics(result: RunResult) -> dict[str, object]:
    """Everything that must not depend on how the job ran."""
    content = result.to_dict()
    del content["provenance"], content["timing"]
    return content


def damage(path: Path, branch: str, basket: int = -1) -> None:
    """Overwrite the compressed bytes of one basket of a branch."""
    with uproot.open(path) as file:
        seek = int(file["events"][branch].member("fBasketSeek")[: file["events"][branch].num_baskets][basket])
        size = int(file["events"][branch].member("fBasketBytes")[: file["events"][branch].num_baskets][basket])
    content = bytearray(path.read_bytes())
    content[seek + size // 2 : seek + size] = b"\xff" * (size - size // 2)
    path.write_bytes(content)


def several_baskets(path: Path, n: int, size: int, monkeypatch: pytest.MonkeyPatch, run_of: dict[int, int] | None = None) -> Path:
    monkeypatch.setattr("na64mu.events.writer.MIN_EVENTS", size)
    runs = {0: 1} if run_of is None else run_of
    with RawTreeWriter(path) as writer:
        for first in range(0, n, size):
            writer.extend(raw_batch(first, size, run=max((at, run) for at, run in runs.items() if at <= first)[1]))
        writer.finish([runs_row(run) for run in runs.values()])
    return path


def test_a_run_counts_what_the_table_says(fake: FakeReconstruction, tmp_path):
    result = search(write_file(tmp_path / "beam_0001.root", 400))
    (cutflow,) = result.cutflows.values()
    table, windows = fake.table, result.windows[DETECTOR]
    passes = (table["trigger"] & 2) > 0
    expected = [400, np.count_nonzero(passes)]
    passes &= np.abs(table["p_in"] - 160) <= 20
    expected.append(np.count_nonzero(passes))
    passes &= (table["n_tracks_ms1"] == 1) & (table["n_tracks_ms2"] == 1)
    expected.append(np.count_nonzero(passes))
    passes &= np.all([table[f"n_hits_{s}"] <= 1 for s in ("mm5", "mm6", "mm7", "st1")], axis=0)
    low, high = windows["e_hcal_cell"]
    passes &= (table["e_hcal_cell"] >= low) & (table["e_hcal_cell"] <= high)
    expected.append(np.count_nonzero(passes))
    assert result.datasets == ("beam",)
    assert cutflow.counts[:5] == tuple(expected)
    assert expected[-1] > 30
    assert result.histogram("plane_before").sum(flow=True).value == expected[-1]
    assert result.histogram("plane_after").sum(flow=True).value == cutflow.counts[5]
    regions = result.regions["beam"]
    in_side_band = passes & (table["p_out"] < 100) & (table["e_cal"] < 12)
    assert sum(r.n for r in regions.values()) == expected[-1] - np.count_nonzero(in_side_band)
    assert result.exposure.n_mot() == 1000
    assert (result.losses, result.exit_code) == ((), 0)


@settings(max_examples=4, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(90, 500), st.integers(0, 400))
def test_chunks_and_files_change_nothing(fake: FakeReconstruction, tmp_path_factory, chunksize, border):
    folder = tmp_path_factory.mktemp("split")
    whole = search(write_file(folder / "beam.root", 400), chunksize=400)
    parts = folder / "parts"
    parts.mkdir()
    for i, (a, b) in enumerate(((0, border), (border, 400))):
        write_file(parts / f"beam_{i}.root", b - a, first=a, rows=[runs_row(n_mot=500, seed=i)])
    split = search(parts, chunksize=chunksize)
    a, b = physics(whole), physics(split)
    assert a["cutflow"] == b["cutflow"]
    assert a["regions"] == b["regions"]
    assert whole.exposure.n_mot() == split.exposure.n_mot()
    assert whole.histograms == split.histograms


def test_small_chunks_are_really_small(fake: FakeReconstruction, tmp_path):
    search(write_file(tmp_path / "beam.root", 400), chunksize=100)
    assert fake.calls == [100, 100, 100, 100]


def test_weights_of_simulation_are_summed(fake: FakeReconstruction, tmp_path):
    batch = raw_batch(0, 400, truth=True)
    batch.scalars["mc_weight"][:] = np.linspace(0.1, 3.0, 400)
    with RawTreeWriter(tmp_path / "mc.root") as writer:
        writer.extend(batch)
        writer.finish([runs_row(n_generated=400)])
    whole, chunked = search(tmp_path / "mc.root"), search(tmp_path / "mc.root", chunksize=37)
    assert whole.total.steps[0].sumw == pytest.approx(batch.scalars["mc_weight"].sum())
    assert whole.total.counts == chunked.total.counts
    for a, b in zip(whole.total.steps, chunked.total.steps, strict=True):
        assert a.sumw == pytest.approx(b.sumw, rel=1e-12)
        assert a.n_minus_1_sumw2 == pytest.approx(b.n_minus_1_sumw2, rel=1e-12)
    for name, histogram in whole.histograms["mc"].items():
        np.testing.assert_allclose(histogram.values(flow=True), chunked.histograms["mc"][name].values(flow=True), rtol=1e-12)


def test_an_output_folder_is_read_back_as_it_was_written(fake: FakeReconstruction, tmp_path):
    result = search([write_file(tmp_path / "beam.root", 200), write_file(tmp_path / "mc.root", 200, first=200, truth=True, run=2)])
    assert sorted(p.name for p in result.write(tmp_path / "out").iterdir()) == [
        "cutflow.json",
        "histograms.json",
        "manifest.json",
        "setup.json",
        "summary.json",
    ]
    again = RunResult.read(tmp_path / "out")
    assert again == result
    assert again.blinded == {"beam": True, "mc": False}
    assert again.histograms["mc"]["p_in"].axes[1].label == "$p_{in}$ [GeV/c]"


def test_a_folder_that_is_no_output_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cutflow\.json: cannot be read .* holds cutflow\.json, histograms\.json, summary\.json"):
        RunResult.read(tmp_path)
    (tmp_path / "cutflow.json").write_text("{}")
    with pytest.raises(InputError, match=r"cutflow\.json: format_version 1 expected"):
        RunResult.read(tmp_path)


def test_an_unknown_histogram_lists_those_there_are(fake: FakeReconstruction, tmp_path):
    result = search(write_file(tmp_path / "beam.root", 10))
    with pytest.raises(KeyError, match=r"no histogram 'p' of dataset 'beam': .*'plane_after', 'plane_before'"):
        result.histogram("p", "beam")


# --- blinding -----------------------------------------------------------------------------------------------------------------


def test_in_data_a_planted_event_in_the_box_cannot_be_seen_anywhere(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "beam.root", 400)
    plant(fake.table, 123, e_veto=11.375, e_ecal=0.987654, p_out=43.21)
    planted = search(path)
    hide(fake.table, 123)
    other = search(path)
    assert planted.cutflows == other.cutflows
    assert planted.regions == other.regions
    assert "box" not in planted.regions["beam"]
    assert planted.blinded == {"beam": True}
    assert planted.histograms == other.histograms
    planted.write(tmp_path / "out")
    text = "".join(p.read_text() for p in (tmp_path / "out").iterdir())
    assert "43.21" not in text
    assert "0.987654" not in text


def test_nothing_in_the_log_tells_of_the_box(fake: FakeReconstruction, tmp_path, caplog):
    path = write_file(tmp_path / "beam.root", 400)
    caplog.set_level("DEBUG", logger="na64mu")
    search(path)
    before = [r.message for r in caplog.records]
    caplog.clear()
    plant(fake.table, 123)
    search(path)
    assert [r.message for r in caplog.records] == before


def test_the_number_of_events_in_the_box_does_not_show_in_the_cutflow(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "beam.root", 400)
    flows = []
    for n in (1, 5):
        fake.table = summary_table(400)
        for event in range(5):
            plant(fake.table, event)
            if event >= n:
                hide(fake.table, event)
        flows.append(search(path).cutflows)
    assert flows[0] == flows[1]


def test_in_simulation_the_box_is_open(fake: FakeReconstruction, tmp_path):
    plant(fake.table, 123)
    result = search(write_file(tmp_path / "mc.root", 400, truth=True))
    assert (result.regions["mc"]["box"].n, result.regions["mc"]["box_after"].n) == (1, 1)
    assert result.histograms["mc"]["plane_after"][{"p_out": 40j, "e_cal": 4.6j}].value == 1


# --- bad input ----------------------------------------------------------------------------------------------------------------


def bad_file(kind: str, folder: Path) -> Path:
    path = folder / f"{kind}.root"
    if kind == "missing":
        return path
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("not a ROOT file, only text")
    elif kind == "truncated":
        write_file(path, 100)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    elif kind == "branch":
        with uproot.recreate(path) as file:
            file.mktree("events", {"run": np.uint32, "event": np.uint64}).extend(
                {"run": np.ones(3, np.uint32), "event": np.ones(3, np.uint64)}
            )
    elif kind == "no_tree":
        with uproot.recreate(path) as file:
            file.mktree("other", {"x": np.float64}).extend({"x": np.ones(3)})
    elif kind == "no_runs":
        with uproot.recreate(path) as file:
            write_file(folder / "hidden.tmp", 3)
            with uproot.open(folder / "hidden.tmp") as source:
                columns = source["events"].arrays()
            counters = {f"n{c}" for c in ("counter", "veto", "bms", "mm", "gem", "straw", "ecal", "vhcal", "hcal")}
            names = [n for n in columns.fields if n not in counters]
            tree = file.mktree(
                "events", {n: columns[n].type.content for n in names}, counter_name=lambda counted: "n" + counted.split("_")[0]
            )
            tree.extend({n: columns[n] for n in names})
    return path


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("missing", "no such file"),
        ("empty", "the file is empty"),
        ("text", "not a ROOT file, it starts with b'not '"),
        ("truncated", "truncated"),
        ("branch", "spill"),
        ("no_tree", "no tree 'events'"),
    ],
)
def test_a_bad_file_is_one_sentence_and_the_good_one_beside_it_is_processed(fake: FakeReconstruction, tmp_path, kind, sentence):
    good = write_file(tmp_path / "beam.root", 400)
    result = search([bad_file(kind, tmp_path), good])
    (loss,) = (loss for loss in result.losses if loss.is_damage)
    assert (loss.kind, loss.dataset) == ("file", kind)
    assert sentence in loss.reason
    assert f"{kind}.root" in loss.reason
    assert "\n" not in loss.reason
    assert result.exit_code == 3
    assert result.cutflows == search(good).cutflows
    assert result.exposure.n_mot() == 1000
    with pytest.raises(InputError, match=f"{kind}.root"):
        search([bad_file(kind, tmp_path), good], strict=True)


def test_a_file_without_bookkeeping_needs_a_detector_and_then_counts_without_exposure(fake: FakeReconstruction, tmp_path):
    path = bad_file("no_runs", tmp_path)
    with pytest.raises(InputError, match="choose one with --detector"):
        search(path)
    result = search(path, detector=DETECTOR)
    assert result.total.counts[0] == 3
    assert result.exposure.runs == ()
    assert "no tree 'runs'" in result.exposure.warnings[0]


def test_a_tree_without_events_is_fine_and_listed(fake: FakeReconstruction, tmp_path):
    result = search([write_file(tmp_path / "none.root", 0, run=2), write_file(tmp_path / "beam.root", 400)])
    assert [(loss.kind, loss.dataset) for loss in result.losses] == [("note", "none")]
    assert "has no events" in result.losses[0].reason
    assert result.exit_code == 0
    assert result.cutflows["none"].counts == (0, 0, 0, 0, 0, 0)
    assert result.exposure.n_mot("none") == 1000


def test_if_nothing_can_be_read_the_error_lists_every_file(tmp_path):
    with pytest.raises(InputError, match=r"(?s)no input can be read:.*empty\.root.*text\.root"):
        search([bad_file("empty", tmp_path), bad_file("text", tmp_path)])
    with pytest.raises(InputError, match="no input was given"):
        search([])


@pytest.mark.parametrize("chunksize", [50, 100])
def test_a_damaged_basket_loses_its_chunk_its_entries_and_its_muons(fake: FakeReconstruction, tmp_path, monkeypatch, chunksize):
    path = several_baskets(tmp_path / "beam.root", 400, 100, monkeypatch)
    damage(path, "event")
    result = search(path, chunksize=chunksize)
    lost = [loss for loss in result.losses if loss.is_damage]
    assert sum(loss.n_entries or 0 for loss in lost) == 100
    assert all(loss.reason.startswith(f"{path}: entries {loss.entry_start} to {loss.entry_stop - 1} are lost: ") for loss in lost)
    assert result.total.counts[0] == 300
    assert result.provenance.inputs[0].read == ((0, 300),)
    assert result.provenance.inputs[0].unread == ((300, 400),)
    assert result.exposure.n_mot() == pytest.approx(750)
    assert result.exit_code == 3


def test_lost_entries_lower_the_exposure_of_their_own_run(fake: FakeReconstruction, tmp_path, monkeypatch):
    path = several_baskets(tmp_path / "beam.root", 400, 100, monkeypatch, run_of={0: 1, 200: 2})
    damage(path, "event")
    result = search(path, chunksize=100)
    assert {r.run: (r.n_mot_read, r.events_read, r.events_lost) for r in result.exposure.runs} == {1: (1000, 200, 0), 2: (500, 100, 100)}


def test_if_the_run_numbers_themselves_are_damaged_all_runs_lose_alike(fake: FakeReconstruction, tmp_path, monkeypatch):
    path = several_baskets(tmp_path / "beam.root", 400, 100, monkeypatch, run_of={0: 1, 200: 2})
    damage(path, "run")
    result = search(path, chunksize=100)
    assert [r.n_mot_read for r in result.exposure.runs] == [750, 750]


@pytest.mark.parametrize(("chunksize", "notes"), [(50, 1), (400, 0)])
def test_chunks_that_are_too_small_for_the_checksums_are_noted(fake: FakeReconstruction, tmp_path, chunksize, notes):
    result = search(write_file(tmp_path / "beam.root", 400), chunksize=chunksize)
    found = [
        x for x in result.losses if "its checksums were not compared, they are of up to 400 events and the chunks are smaller" in x.reason
    ]
    assert len(found) == notes
    assert all(x.kind == "note" for x in found)
    assert result.exit_code == 0


def test_all_chunks_lost_is_an_error(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "beam.root", 400)
    damage(path, "event")
    with pytest.raises(InputError, match=r"(?s)no input can be read:.*entries 0 to 399 are lost"):
        search(path)


def test_maxchunks_lowers_the_exposure_and_is_listed_but_is_no_damage(fake: FakeReconstruction, tmp_path):
    result = search(write_file(tmp_path / "beam.root", 400), chunksize=100, maxchunks=3)
    assert [(loss.kind, loss.entry_start, loss.entry_stop) for loss in result.losses if loss.kind != "note"] == [("skipped", 300, 400)]
    assert result.exposure.n_mot() == pytest.approx(750)
    assert result.exit_code == 0


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), FileNotFoundError("a bug")])
def test_an_error_of_the_code_is_never_booked_as_a_loss(fake: FakeReconstruction, tmp_path, monkeypatch, error):
    def broken(batch: object, detector: object) -> None:
        raise error

    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", broken)
    with pytest.raises(Exception, match="a bug"):
        search(write_file(tmp_path / "beam.root", 400))


def test_an_error_that_na64mu_raises_on_purpose_comes_out_as_it_is(fake: FakeReconstruction, tmp_path, monkeypatch):
    def broken(batch: object, detector: object) -> None:
        msg = "on purpose"
        raise SelectionError(msg)

    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", broken)
    with pytest.raises(SelectionError, match=r"^on purpose$"):
        search(write_file(tmp_path / "beam.root", 400))


def test_a_file_that_vanishes_after_the_start_is_booked(fake: FakeReconstruction, tmp_path, monkeypatch):
    one, two = write_file(tmp_path / "a.root", 200), write_file(tmp_path / "b.root", 200, first=200, run=2)
    lookup = fake.__call__

    def vanishing(batch: object, detector: object) -> object:
        two.unlink(missing_ok=True)
        return lookup(batch, detector)

    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", vanishing)
    result = search([one, two])
    (loss,) = result.losses
    assert (loss.dataset, loss.kind, loss.entry_start, loss.entry_stop) == ("b", "chunk", 0, 200)
    assert result.datasets == ("a",)
    assert (result.exposure.n_mot("a"), result.exposure.n_mot("b")) == (1000, 0)


# --- configuration ------------------------------------------------------------------------------------------------------------


def test_an_unknown_detector_lists_the_known_ones(tmp_path):
    path = write_file(tmp_path / "beam.root", 10, rows=[runs_row(detector="mine")])
    with pytest.raises(DetectorError, match=r"beam\.root: .*'mine'.*known are g4raw-indep-1, na64mu-2022.*--detector"):
        search(path)


def test_an_unknown_executor_is_named(tmp_path):
    with pytest.raises(WorkerError, match="there is no executor 'thread': known are iterative, futures, dask"):
        search(write_file(tmp_path / "beam.root", 10), executor="thread")


def test_a_calibration_of_another_detector_is_refused(tmp_path):
    shipped = Path(__file__).parents[2] / "data" / "calibration" / f"{DETECTOR}.toml"
    other = tmp_path / "other.toml"
    other.write_text(shipped.read_text().replace(f'detector = "{DETECTOR}"', 'detector = "mine"'))
    with pytest.raises(CalibrationError, match=r"the calibration is of detector 'mine', the files are of g4raw-indep-1"):
        search(write_file(tmp_path / "beam.root", 10), calibration=other)


def test_a_calibration_of_ones_own_replaces_the_shipped_one(fake: FakeReconstruction, tmp_path):
    shipped = Path(__file__).parents[2] / "data" / "calibration" / f"{DETECTOR}.toml"
    own = tmp_path / "own.toml"
    shutil.copy(shipped, own)
    text = own.read_text()
    start = text.index("[mip.e_vhcal]")
    own.write_text(text[:start] + text[start:].replace("high = 0.9", "high = 0.7", 1))
    path = write_file(tmp_path / "beam.root", 10)
    a, b = search(path), search(path, calibration=own)
    assert (a.windows[DETECTOR]["e_vhcal"], b.windows[DETECTOR]["e_vhcal"]) == ((None, 0.9), (None, 0.7))
    assert a.provenance.configuration_hash != b.provenance.configuration_hash


def test_the_result_says_where_it_comes_from(fake: FakeReconstruction, tmp_path):
    path = write_file(tmp_path / "beam.root", 400)
    result = search(path, chunksize=100)
    (file,) = result.provenance.inputs
    with uproot.open(path) as root:
        assert file.uuid == str(root.file.uuid)
    assert (file.path, file.entries, file.read, file.unread, file.detector) == (str(path), 400, ((0, 400),), (), DETECTOR)
    assert (result.provenance.executor, result.provenance.chunksize) == ("iterative", 100)
    assert result.provenance.selection_hash == result.working_point.hash
    assert (result.timing.events, result.timing.chunks) == (400, 4)
    assert result.timing.busy <= result.timing.wall
    json.dumps(result.to_dict())


def test_memory_does_not_grow_with_the_number_of_chunks(fake: FakeReconstruction, tmp_path, monkeypatch):
    """Files and trees of earlier chunks, with all that hangs on them in cycles, are gone though Python does not look for them by itself."""
    alive: list[int] = []
    process = chunk_runner.guarded

    def watching(*arguments: Any) -> Any:
        alive.append(sum(isinstance(found, uproot.behaviors.TTree.TTree) for found in gc.get_objects()))
        return process(*arguments)

    monkeypatch.setattr(chunk_runner, "guarded", watching)
    path = write_file(tmp_path / "beam.root", 400)
    gc.disable()
    try:
        search(path, chunksize=40)
    finally:
        gc.enable()
    assert len(alive) == 10
    assert max(alive[1:]) <= alive[1] + 1
