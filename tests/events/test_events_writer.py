from __future__ import annotations

import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_tree_examples import RUN_ROW, assert_same, make_batch

from na64mu.errors import InputError
from na64mu.events.batch import Jagged, RawBatch, concatenate
from na64mu.events.nanoevents import open_events
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.schema_v1 import COLLECTIONS, SCALARS, TRUTH
from na64mu.events.writer import LEVEL, MIN_EVENTS, RawTreeWriter

KINDS = pytest.mark.parametrize("kind", ["ttree", "rntuple"])


def write(path, batches, kind="ttree", runs=(RUN_ROW,)):
    with RawTreeWriter(path, kind) as writer:
        for batch in batches:
            writer.extend(batch)
        writer.finish(runs)
    return path


@KINDS
@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(0, 6), min_size=1, max_size=3),
    mean=st.sampled_from([0.0, 0.3, 4.0]),
    truth=st.booleans(),
    seed=st.integers(0, 99),
)
def test_round_trip(tmp_path_factory, kind, sizes, mean, truth, seed):
    path = tmp_path_factory.mktemp("trip") / "f.root"
    batches = [make_batch(n, seed + i, truth=truth, mean_rows=mean) for i, n in enumerate(sizes)]
    write(path, batches, kind)
    assert_same(read_batch(path), concatenate(batches))
    assert_same(RawBatch.from_events(open_events(path)), concatenate(batches))
    assert read_runs(path) == [RUN_ROW]


@KINDS
def test_branches_have_the_exact_types(tmp_path, kind):
    path = write(tmp_path / "f.root", [make_batch(3)], kind)
    with uproot.open(path) as file:
        trees = dict.fromkeys(["events", "runs"], "TTree" if kind == "ttree" else "ROOT::RNTuple")
        assert file.classnames(cycle=False) == trees | {"checksums": "TObjString"}
        types = {name: column.type.content for name, column in file["events"].arrays(how=dict).items()}
    expected = {name: kind.name for name, kind in (SCALARS | TRUTH).items()}
    for name, fields in COLLECTIONS.items():
        expected |= {f"n{name}": "int32"} | {f"{name}_{field}": f"var * {kind.name}" for field, kind in fields.items()}
    assert {name: str(t) for name, t in types.items()} == expected


def test_baskets_are_large_and_zstd(tmp_path):
    small = make_batch(MIN_EVENTS // 50, mean_rows=0.2)
    path = write(tmp_path / "f.root", [small] * 60)
    with uproot.open(path) as file:
        branch = file["events"]["ecal_energy"]
        assert branch.num_baskets == 2
        assert branch.basket_entry_start_stop(0) == (0, MIN_EVENTS)
        assert branch.basket_entry_start_stop(1) == (MIN_EVENTS, MIN_EVENTS + 10 * len(small))
        assert file.file.compression == uproot.ZSTD(LEVEL)
        assert branch.compressed_bytes < 0.8 * branch.uncompressed_bytes


@KINDS
def test_zero_events(tmp_path, kind):
    assert_same(read_batch(write(tmp_path / "a.root", [], kind)), RawBatch.empty())
    assert_same(read_batch(write(tmp_path / "b.root", [RawBatch.empty(truth=True)], kind)), RawBatch.empty(truth=True))
    assert read_runs(write(tmp_path / "c.root", [], kind, runs=[])) == []


def test_same_batches_give_the_same_arrays(tmp_path):
    batches = [make_batch(20, 1), make_batch(30, 2)]
    one, two = (read_batch(write(tmp_path / name, batches)) for name in ("a.root", "b.root"))
    assert_same(one, two)


def test_optional_fields_of_runs_are_defaulted(tmp_path):
    row = {k: v for k, v in RUN_ROW.items() if k not in ("g_ref", "prescale_calibration")}
    assert read_runs(write(tmp_path / "f.root", [], runs=[row])) == [row | {"g_ref": 0.0, "prescale_calibration": 1}]


@KINDS
def test_strings_of_runs_survive(tmp_path, kind):
    rows = [RUN_ROW | {"run": i, "conditions": text} for i, text in enumerate(["", "a;b", "µ → e", "x" * 300])]
    assert read_runs(write(tmp_path / "f.root", [], kind, rows)) == rows


def test_failure_leaves_nothing_and_keeps_the_old_file(tmp_path):
    path = write(tmp_path / "f.root", [make_batch(3)])
    before = path.read_bytes()

    def interrupted():
        with RawTreeWriter(path) as writer:
            writer.extend(make_batch(5))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_under_the_final_name_before_finish(tmp_path):
    path = tmp_path / "f.root"
    with RawTreeWriter(path) as writer:
        writer.extend(make_batch(3))
        assert not path.exists()
        writer.finish([RUN_ROW])
        assert path.exists()
    assert list(tmp_path.iterdir()) == [path]


def test_forgotten_finish(tmp_path):
    with pytest.raises(InputError, match=r"f\.root: not written, finish\(runs\) was not called"), RawTreeWriter(tmp_path / "f.root"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_use_outside_the_block(tmp_path):
    writer = RawTreeWriter(tmp_path / "f.root")
    with pytest.raises(InputError, match="the writer is not open, use it in a with block"):
        writer.extend(make_batch(1))
    with writer:
        writer.extend(make_batch(2))
        assert repr(writer) == f"<RawTreeWriter {tmp_path / 'f.root'} (ttree), 2 events>"
        writer.finish([RUN_ROW])
        with pytest.raises(InputError, match="the writer is finished"):
            writer.extend(make_batch(1))


def test_bad_place_and_kind(tmp_path):
    with pytest.raises(InputError, match=r"cannot be written, there is no folder .*nowhere"):
        RawTreeWriter(tmp_path / "nowhere" / "f.root")
    with pytest.raises(InputError, match="there is no kind 'parquet': known are ttree, rntuple"):
        RawTreeWriter(tmp_path / "f.root", "parquet")


def changed(batch, **scalars):
    return RawBatch(batch.scalars | scalars, batch.collections)


def without(mapping, key):
    return {k: v for k, v in mapping.items() if k != key}


GOOD = make_batch(4)
MM = GOOD.collections["mm"]
BAD = {
    "scalar 'run' is missing": RawBatch(without(GOOD.scalars, "run"), GOOD.collections),
    "scalar 'mc_mass' is missing": RawBatch(without(GOOD.scalars, "mc_mass"), GOOD.collections),
    "scalar 'colour' is not part of the raw tree; allowed are run, spill": changed(GOOD, colour=np.zeros(4)),
    r"scalar 'run' is int64 of shape \(4,\), uint32 of shape \(4,\) is needed": changed(GOOD, run=np.zeros(4, np.int64)),
    r"scalar 'spill' is uint32 of shape \(3,\), uint32 of shape \(4,\)": changed(GOOD, spill=np.zeros(3, np.uint32)),
    "scalar 'spill' is list, uint32": changed(GOOD, spill=[1, 2, 3, 4]),
    "collection 'mm' is missing": RawBatch(GOOD.scalars, without(GOOD.collections, "mm")),
    "field of collection 'mm' 'q0' is missing": RawBatch(
        GOOD.scalars, GOOD.collections | {"mm": Jagged(MM.offsets, without(MM.fields, "q0"))}
    ),
    r"field 'mm_q0' is float64 of shape": RawBatch(
        GOOD.scalars, GOOD.collections | {"mm": Jagged(MM.offsets, MM.fields | {"q0": MM["q0"].astype(float)})}
    ),
    r"field 'mm_q0' is int16 of shape \(1,\)": RawBatch(
        GOOD.scalars, GOOD.collections | {"mm": Jagged(MM.offsets, MM.fields | {"q0": MM["q0"][:1]})}
    ),
    r"collection 'mm': offsets is int64 of shape \(4,\), int64 of shape \(5,\)": RawBatch(
        GOOD.scalars, GOOD.collections | {"mm": Jagged(MM.offsets[:-1], MM.fields)}
    ),
    "collection 'mm': offsets must start at 0 and never fall": RawBatch(
        GOOD.scalars, GOOD.collections | {"mm": Jagged(MM.offsets[::-1].copy(), MM.fields)}
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_wrong_batches_are_refused(tmp_path, message):
    with pytest.raises(InputError, match=rf"f\.root: {message}"), RawTreeWriter(tmp_path / "f.root") as writer:
        writer.extend(BAD[message])
    assert list(tmp_path.iterdir()) == []


def test_truth_in_some_batches_only(tmp_path):
    with pytest.raises(InputError, match="this batch has the scalars"):
        write(tmp_path / "f.root", [make_batch(2), make_batch(2, truth=False)])


BAD_RUNS = {
    "field of runs 'n_mot' is missing": without(RUN_ROW, "n_mot"),
    "field of runs 'mot' is not part of the raw tree": RUN_ROW | {"mot": 1},
    "field 'run' of runs is -1, uint32 is needed": RUN_ROW | {"run": -1},
    "field 'config' of runs is 256, uint8 is needed": RUN_ROW | {"config": 256},
    "field 'n_mot' of runs is 1.5, uint64 is needed": RUN_ROW | {"n_mot": 1.5},
    "field 'seed' of runs is True, uint64 is needed": RUN_ROW | {"seed": True},
    "field 'sum_weights' of runs is '1', float64 is needed": RUN_ROW | {"sum_weights": "1"},
    "field 'detector' of runs is None, a string is needed": RUN_ROW | {"detector": None},
}


@pytest.mark.parametrize("message", BAD_RUNS)
def test_wrong_bookkeeping_is_refused(tmp_path, message):
    with pytest.raises(InputError, match=rf"f\.root: {message}"):
        write(tmp_path / "f.root", [], runs=[BAD_RUNS[message]])
    assert list(tmp_path.iterdir()) == []
