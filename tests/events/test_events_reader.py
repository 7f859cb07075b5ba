from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from raw_tree_examples import RUN_ROW, SAMPLES, assert_same, columns_of, damage, make_batch, write_columns

from na64mu.errors import InputError
from na64mu.events.batch import RawBatch
from na64mu.events.nanoevents import open_events, to_events
from na64mu.events.reader import count_entries, read_batch, read_runs
from na64mu.events.root_io import read_columns
from na64mu.events.schema_v1 import COLLECTIONS, SCALARS, TRUTH
from na64mu.events.writer import RawTreeWriter

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the independent Geant4 samples are not beside this checkout")
SAMPLE_NAMES = ("calib_mu160.root", "mono_mu80.root", "signal_m100.root")
READERS = pytest.mark.parametrize("read", [read_batch, open_events, read_runs, count_entries])


@pytest.fixture
def good_file(tmp_path):
    return write_columns(tmp_path / "good.root", columns_of(make_batch(200)), [RUN_ROW])


@needs_samples
@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_samples_equal_what_uproot_reads(name):
    batch = read_batch(SAMPLES / name)
    with uproot.open(SAMPLES / name) as file:
        columns = file["events"].arrays(how=dict)
        runs = file["runs"].arrays().to_list()
    for field, column in batch.scalars.items():
        np.testing.assert_array_equal(column, ak.to_numpy(columns[field]))
        assert column.dtype == (SCALARS | TRUTH)[field]
    for collection, kinds in COLLECTIONS.items():
        np.testing.assert_array_equal(batch.collections[collection].counts, ak.to_numpy(columns[f"n{collection}"]))
        for field, kind in kinds.items():
            np.testing.assert_array_equal(batch.collections[collection][field], ak.to_numpy(ak.flatten(columns[f"{collection}_{field}"])))
            assert batch.collections[collection][field].dtype == kind
    assert [{k: row[k] for k in runs[0]} for row in read_runs(SAMPLES / name)] == runs
    assert read_runs(SAMPLES / name)[0]["prescale_calibration"] == 1


@needs_samples
def test_virtual_events_of_a_sample_equal_the_batch():
    path = SAMPLES / "mono_mu80.root"
    assert_same(RawBatch.from_events(open_events(path)), read_batch(path))


def test_ranges(good_file):
    whole = make_batch(200)
    for start, stop in ((None, None), (10, 50), (190, 500), (-20, None), (50, 50), (60, 50)):
        expected = RawBatch.from_events(to_events(whole)[start : max(start or 0, stop) if stop else None])
        assert_same(read_batch(good_file, start, stop), expected)
    assert count_entries(good_file) == 200


@READERS
def test_no_such_file(tmp_path, read):
    with pytest.raises(InputError, match=r"missing\.root: no such file$"):
        read(tmp_path / "missing.root")


@READERS
def test_folder(tmp_path, read):
    with pytest.raises(InputError, match=r"is a folder, a ROOT file is needed|the folder has no \*\.root file"):
        read(tmp_path)


@READERS
def test_empty_file(tmp_path, read):
    (tmp_path / "empty.root").touch()
    with pytest.raises(InputError, match=r"empty\.root: the file is empty; copy or make it again"):
        read(tmp_path / "empty.root")


@READERS
@pytest.mark.parametrize("text", ["hello, this is not a tree\n" * 50, "x"])
def test_text_file(tmp_path, read, text):
    (tmp_path / "text.root").write_text(text)
    with pytest.raises(InputError, match=r"text\.root: not a ROOT file, it starts with b'(hell|x)' instead of b'root'"):
        read(tmp_path / "text.root")


@READERS
@pytest.mark.parametrize("size", [4, 30, 300])
def test_file_cut_in_its_header(tmp_path, good_file, read, size):
    cut = tmp_path / "cut.root"
    cut.write_bytes(good_file.read_bytes()[:size])
    with pytest.raises(InputError, match=r"cut\.root: .*(truncated|damaged).*; copy or make it again"):
        read(cut)


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated_file(tmp_path, kind, share):
    path = tmp_path / "whole.root"
    with RawTreeWriter(path, kind) as writer:
        writer.extend(make_batch(100))
        writer.finish([RUN_ROW])
    cut = tmp_path / "cut.root"
    content = path.read_bytes()
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"cut\.root: .*(truncated|damaged).*; copy or make it again$") as caught:
        read_batch(cut)
    assert "\n" not in str(caught.value)
    if share > 0.9:
        assert f"the file is truncated, it has {int(share * len(content))} of {len(content)} bytes" in str(caught.value)


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
@pytest.mark.parametrize("begin", [0.3, 0.5, 0.7])
def test_file_overwritten_to_its_end(tmp_path, kind, begin):
    path = tmp_path / "f.root"
    with RawTreeWriter(path, kind) as writer:
        writer.extend(make_batch(100))
        writer.finish([RUN_ROW])
    content = path.read_bytes()
    path.write_bytes(content[: int(begin * len(content))].ljust(len(content), b"\0"))
    with pytest.raises(InputError, match=r"f\.root: .*damaged.*; copy or make it again$"):
        read_batch(path)


def test_damaged_basket_names_branch_and_entries(tmp_path):
    path = tmp_path / "raw.root"
    with RawTreeWriter(path) as writer:
        writer.extend(make_batch(500))
        writer.finish([RUN_ROW])
    damage(path, "mm_channel")
    with pytest.raises(
        InputError, match=r"branch 'mm_channel' of tree 'events' cannot be read in entries 0 to 499.*; copy or make it again"
    ):
        read_batch(path)
    assert len(read_runs(path)) == 1


def test_no_tree_events_lists_what_there_is(tmp_path):
    path = write_columns(tmp_path / "f.root", {"x": np.arange(3.0)}, None, tree="ntuple")
    for read in (read_batch, open_events, count_entries):
        with pytest.raises(InputError, match=r"f\.root: no tree 'events'; the file has ntuple \(TTree\)"):
            read(path)
    with pytest.raises(InputError, match=r"f\.root: no tree 'runs'; the file has ntuple \(TTree\)"):
        read_runs(path)


def test_no_tree_at_all(tmp_path):
    with uproot.recreate(tmp_path / "f.root"):
        pass
    with pytest.raises(InputError, match="no tree 'events'; the file has nothing"):
        read_batch(tmp_path / "f.root")


def test_events_is_not_a_tree(tmp_path):
    with uproot.recreate(tmp_path / "f.root") as file:
        file["events"] = np.histogram([1.0, 2.0])
    with pytest.raises(InputError, match="'events' is a TH1D, a TTree or RNTuple is needed"):
        read_batch(tmp_path / "f.root")


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_zero_events_are_fine(tmp_path, kind):
    path = tmp_path / "f.root"
    with RawTreeWriter(path, kind) as writer:
        writer.finish([RUN_ROW])
    assert len(read_batch(path)) == 0
    assert len(open_events(path)) == 0
    assert len(RawBatch.from_events(open_events(path))) == 0


def test_missing_branch(tmp_path):
    columns = columns_of(make_batch(5))
    del columns["straw_wire"]
    with pytest.raises(
        InputError, match=r"f\.root: tree 'events': mandatory branch 'straw_wire' is missing; the tree has straw_view, straw_time,"
    ):
        read_batch(write_columns(tmp_path / "f.root", columns, [RUN_ROW]))


def test_unequal_lengths(tmp_path):
    columns = columns_of(make_batch(5))
    columns["nmm"] = columns["nmm"].copy()
    columns["nmm"][3] += 1
    has = len(columns["mm_module"][3])
    message = rf"f\.root: branch 'mm_module' has {has} numbers in entry 3 of the range, nmm says {has + 1}"
    with pytest.raises(InputError, match=message):
        read_batch(write_columns(tmp_path / "f.root", columns, [RUN_ROW]))


def test_wider_types_are_read_when_they_fit(tmp_path):
    columns = columns_of(make_batch(5))
    columns |= {"run": columns["run"].astype(np.int64), "ecal_energy": ak.values_astype(columns["ecal_energy"], np.float64)}
    columns["mm_channel"] = ak.values_astype(columns["mm_channel"], np.int32)
    assert_same(read_batch(write_columns(tmp_path / "f.root", columns, [RUN_ROW])), make_batch(5))


def test_numbers_that_do_not_fit(tmp_path):
    columns = columns_of(make_batch(5))
    columns["mm_module"] = ak.values_astype(columns["mm_module"], np.int32) + 300
    with pytest.raises(InputError, match=r"f\.root: branch 'mm_module' has values from 30\d to 30\d, the raw tree's uint8 holds 0 to 255"):
        read_batch(write_columns(tmp_path / "f.root", columns, [RUN_ROW]))


def test_wrong_shapes(tmp_path):
    columns = columns_of(make_batch(5))
    with pytest.raises(InputError, match=r"branch 'spill' has the type var \* int16, the raw tree has one number per event"):
        read_batch(write_columns(tmp_path / "a.root", columns | {"spill": columns["mm_q0"]}, [RUN_ROW]))
    with pytest.raises(InputError, match="branch 'mm_q0' has the type int16, the raw tree has a list of numbers per event"):
        read_batch(write_columns(tmp_path / "b.root", columns | {"mm_q0": np.zeros(5, np.int16)}, [RUN_ROW]))


def test_runs_without_a_field(tmp_path):
    row = {k: v for k, v in RUN_ROW.items() if k != "n_mot"}
    path = write_columns(tmp_path / "f.root", columns_of(make_batch(2)), [row])
    with pytest.raises(InputError, match=r"f\.root: tree 'runs' has no field 'n_mot'; it has conditions, config, detector"):
        read_runs(path)


def test_runs_of_another_kind(tmp_path):
    with uproot.recreate(tmp_path / "f.root") as file:
        file["runs"] = {k: np.array([v if not isinstance(v, str) else 1.0]) for k, v in RUN_ROW.items()}
    with pytest.raises(InputError, match=r"f\.root: field 'detector' of tree 'runs' is 1\.0, a string is needed"):
        read_runs(tmp_path / "f.root")


def test_runs_with_wider_numbers(tmp_path):
    with uproot.recreate(tmp_path / "f.root") as file:
        numbers = {k: np.array([float(v)]) for k, v in RUN_ROW.items() if not isinstance(v, str)}
        strings = {k: ak.Array([v]) for k, v in RUN_ROW.items() if isinstance(v, str)}
        file.mktree("runs", {k: v.dtype for k, v in numbers.items()} | {k: v.type.content for k, v in strings.items()})
        file["runs"].extend(numbers | strings)
    assert read_runs(tmp_path / "f.root") == [RUN_ROW]


def test_a_branch_that_is_shorter_than_its_tree_is_named():
    class Tree:
        name, num_entries = "events", 40
        branches = (SimpleNamespace(name="run"), SimpleNamespace(name="event"))

        def arrays(self, **options: Any) -> dict[str, ak.Array]:
            return {"run": ak.Array(np.arange(40)), "event": ak.Array(np.arange(0))}

    with pytest.raises(InputError, match=r"x\.root: branch 'event' of tree 'events' has 0 of the entries 0 to 39, the file is damaged"):
        read_columns(Tree(), ["run", "event"], "x.root")
