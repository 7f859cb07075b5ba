from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from coffea import processor
from coffea.util import coffea_console
from raw_tree_examples import RUN_ROW, assert_same, columns_of, damage, make_batch, write_columns

from na64mu.errors import InputError
from na64mu.events.batch import RawBatch
from na64mu.events.nanoevents import open_events, read_events
from na64mu.events.schema import RawTreeSchema
from na64mu.events.schema_v1 import OPTIONAL_COLLECTIONS, TREE
from na64mu.events.writer import RawTreeWriter


@pytest.fixture(scope="module", params=["ttree", "rntuple"])
def raw_file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param) / "raw.root"
    with RawTreeWriter(path, request.param) as writer:
        writer.extend(make_batch(50))
        writer.finish([RUN_ROW])
    return path


def test_events_equal_what_was_written(raw_file):
    assert_same(RawBatch.from_events(open_events(raw_file)), make_batch(50))


def test_one_field_reads_its_branch_and_counter_only(raw_file):
    log = []
    events = open_events(raw_file, access_log=log)
    ak.materialize(events.ecal.energy)
    assert {a.branch for a in log} == {"necal", "ecal_energy"}
    ak.materialize(events.run)
    assert {a.branch for a in log} == {"necal", "ecal_energy", "run"}


def test_behaviour_reads_what_it_names_only(raw_file):
    log = []
    assert len(open_events(raw_file, access_log=log).ecal.preshower.total) == 50
    assert {a.branch for a in log} == {"necal", "ecal_section", "ecal_energy"}


def test_metadata_and_repr(raw_file):
    events = open_events(raw_file)
    assert events.metadata == {"filename": str(raw_file)}
    assert repr(events).endswith("type='50 * event'>")


def test_fields_are_those_of_the_raw_tree(tmp_path):
    batch = make_batch(5)
    columns = columns_of(batch) | {"extra": np.arange(5.0), "extra_list": columns_of(batch)["mm_q0"]}
    events = open_events(write_columns(tmp_path / "f.root", columns, [RUN_ROW]))
    assert set(events.fields) == {*batch.scalars, *batch.collections, *OPTIONAL_COLLECTIONS}
    assert_same(RawBatch.from_events(events), batch)


def test_truth_is_optional(tmp_path):
    events = open_events(write_columns(tmp_path / "f.root", columns_of(make_batch(5, truth=False)), [RUN_ROW]))
    assert not events.is_simulation


@pytest.mark.parametrize("branch", ["config", "nmm", "mm_q1", "hcal_time"])
def test_missing_branch_is_named_with_what_there_is(tmp_path, branch):
    columns = columns_of(make_batch(5))
    del columns[branch]
    path = write_columns(tmp_path / "f.root", columns, [RUN_ROW])
    with pytest.raises(InputError, match=rf"f\.root: mandatory branch '{branch}' is missing; the tree has [a-z_0-9]+, .* and \d+ others"):
        open_events(path)


def test_several_missing_branches_are_all_named(tmp_path):
    columns = columns_of(make_batch(5))
    del columns["mm_q0"], columns["mm_q1"]
    with pytest.raises(InputError, match=r"2 branches \(mm_q0, mm_q1\) are missing"):
        open_events(write_columns(tmp_path / "f.root", columns, [RUN_ROW]))


def test_wrong_shapes(tmp_path):
    columns = columns_of(make_batch(5))
    with pytest.raises(InputError, match="branch 'run' has lists where the raw tree has one number per event"):
        open_events(write_columns(tmp_path / "a.root", columns | {"run": columns["mm_q0"]}, [RUN_ROW]))
    with pytest.raises(InputError, match="branch 'mm_q0' does not have one list of numbers per event"):
        open_events(write_columns(tmp_path / "b.root", columns | {"mm_q0": np.zeros(5, np.int16)}, [RUN_ROW]))


@pytest.mark.parametrize(("first", "second"), [(1, 0), (-1, 0), (1, -1)])
def test_lists_that_do_not_match_their_counter_are_never_shifted(tmp_path, first, second):
    columns = columns_of(make_batch(5))
    columns["nmm"] = columns["nmm"] + np.array([0, first, second, 0, 0], np.int32)
    events = open_events(write_columns(tmp_path / "f.root", columns, [RUN_ROW]))
    has = len(columns["mm_module"][1])
    with pytest.raises(InputError, match=f"branch 'mm_module' has {has} numbers in entry 1 of the range, its counter says {has + first}"):
        RawBatch.from_events(events)
    assert len(RawBatch.from_events(events, ["gem"])) == 5


def test_damage_is_named_when_columns_are_read(tmp_path):
    path = tmp_path / "f.root"
    with RawTreeWriter(path) as writer:
        writer.extend(make_batch(500))
        writer.finish([RUN_ROW])
    damage(path, "mm_channel")
    with pytest.raises(
        InputError, match=r"f\.root: collection 'mm' cannot be read, the file is truncated or damaged \(.*\); copy or make it again$"
    ):
        RawBatch.from_events(open_events(path))
    assert len(RawBatch.from_events(open_events(path), ["gem"])) == 500


def sums(events):
    batch = RawBatch.from_events(events)
    return {
        "events": len(batch),
        "in_time": int(ak.sum(ak.num(events.ecal.in_time(50.0)))),
        "energy": float(np.sum(batch.collections["hcal"]["energy"], dtype=np.float64)),
        "channels": int(np.sum(batch.collections["mm"]["channel"], dtype=np.int64)),
        "names": {events.metadata["dataset"]},
    }


@pytest.fixture
def quiet_console(monkeypatch):
    monkeypatch.setattr(coffea_console, "quiet", True)


def test_runner(raw_file, quiet_console):
    iterative = processor.IterativeExecutor(retries=0, status=False)
    runner = processor.Runner(iterative, pre_executor=iterative, schema=RawTreeSchema, chunksize=20, metadata_cache={})
    out = runner({"sample": {"files": {str(raw_file): TREE}}}, sums)
    batch = make_batch(50)
    assert out["events"] == 50
    assert out["names"] == {"sample"}
    assert out["in_time"] == np.count_nonzero(np.abs(batch.collections["ecal"]["time"]) <= 50)
    assert out["energy"] == pytest.approx(np.sum(batch.collections["hcal"]["energy"], dtype=np.float64), rel=1e-12)
    assert out["channels"] == np.sum(batch.collections["mm"]["channel"], dtype=np.int64)


def read(events):
    """What a processor sees: the chunk as it is read at once, and whether that touched a virtual array; then as one field after the other."""
    batch = read_events(events)
    touched = events.layout.is_any_materialized
    assert_same(batch, RawBatch.from_events(events))
    selected = read_events(events[events.event % 2 == 0])
    assert selected.scalars["event"].tolist() == [e for e in batch.scalars["event"].tolist() if e % 2 == 0]
    return {"events": len(batch), "touched": int(touched)}


def test_a_chunk_is_read_at_once_without_touching_virtual_arrays(raw_file, quiet_console):
    iterative = processor.IterativeExecutor(retries=0, status=False)
    runner = processor.Runner(iterative, pre_executor=iterative, schema=RawTreeSchema, chunksize=20, metadata_cache={})
    assert runner({"sample": {"files": {str(raw_file): TREE}}}, read) == {"events": 50, "touched": 0}


def test_read_events_of_a_file_that_no_runner_opened(raw_file):
    assert_same(read_events(open_events(raw_file)), make_batch(50))
