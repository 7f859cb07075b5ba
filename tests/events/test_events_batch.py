from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from raw_tree_examples import assert_same, make_batch

from na64mu.errors import InputError
from na64mu.events.batch import Jagged, RawBatch, as_type, concatenate
from na64mu.events.nanoevents import to_events
from na64mu.events.schema_v1 import COLLECTIONS, branches, missing_branches, nearest_branches


def test_jagged_counts_and_event_index():
    j = Jagged(np.array([0, 2, 2, 5]), {"e": np.arange(5.0)})
    assert len(j) == 3
    assert j.counts.tolist() == [2, 0, 3]
    assert j.event_index.tolist() == [0, 0, 2, 2, 2]
    assert repr(j) == "<Jagged 3 events, 5 rows of e>"


def test_pieces_are_the_batch():
    batch = make_batch(20)
    assert_same(concatenate([batch.piece(0, 7), batch.piece(7, 7), batch.piece(7, 20)]), batch)
    assert np.shares_memory(batch.piece(7, 20).collections["mm"]["q1"], batch.collections["mm"]["q1"])


def test_from_events_inverts_to_events():
    batch = make_batch(20)
    assert_same(RawBatch.from_events(to_events(batch)), batch)


def test_from_events_of_a_selection():
    batch = make_batch(20)
    mask = np.arange(20) % 3 == 0
    selected = RawBatch.from_events(to_events(batch)[mask])
    assert selected.scalars["event"].tolist() == list(range(0, 20, 3))
    assert selected.collections["mm"].counts.tolist() == batch.collections["mm"].counts[mask].tolist()
    expected = batch.collections["mm"]["channel"][mask[batch.collections["mm"].event_index]]
    assert selected.collections["mm"]["channel"].tolist() == expected.tolist()


def test_from_events_reads_only_the_wanted_collections():
    assert set(RawBatch.from_events(to_events(make_batch(3)), ["ecal"]).collections) == {"ecal"}


def test_concatenate_keeps_order():
    whole = make_batch(5, 1), make_batch(0, 2), make_batch(7, 3)
    joined = concatenate(whole)
    assert len(joined) == 12
    parts = RawBatch.from_events(ak.concatenate([to_events(b) for b in whole]))
    assert_same(joined, parts)


@pytest.mark.parametrize("truth", [False, True])
def test_empty(truth):
    batch = RawBatch.empty(truth=truth)
    assert len(batch) == 0
    assert ("mc_weight" in batch.scalars) is truth
    assert len(RawBatch.from_events(to_events(batch))) == 0


def test_repr_names_rows():
    assert repr(RawBatch.empty()).startswith("<RawBatch 0 events; rows: counter 0, veto 0")


def test_as_type_never_wraps():
    u1 = np.dtype("u1")
    assert as_type(np.array([0, 255]), u1, "x").dtype == u1
    assert as_type(np.array([True]), u1, "x").tolist() == [1]
    assert as_type(np.array([1.5]), np.dtype("f4"), "x").dtype == np.float32
    with pytest.raises(InputError, match=r"branch 'x' has values from -1 to 3, the raw tree's uint8 holds 0 to 255"):
        as_type(np.array([-1, 3]), u1, "x")
    with pytest.raises(InputError, match="branch 'x' has the type float64, the raw tree has uint8"):
        as_type(np.array([1.0]), u1, "x")
    with pytest.raises(InputError, match="has the type <U1, the raw tree has float32"):
        as_type(np.array(["a"]), np.dtype("f4"), "x")


def test_branches_in_order():
    names = branches()
    assert names[:6] == ["run", "spill", "event", "config", "trigger", "ncounter"]
    assert len(names) == len(set(names)) == 5 + len(COLLECTIONS) + sum(map(len, COLLECTIONS.values()))


def test_missing_branches_sentence():
    assert missing_branches(branches()) == ""
    assert missing_branches([n for n in branches() if n != "mm_q1"]).startswith("mandatory branch 'mm_q1' is missing; the tree has mm_q")
    assert missing_branches([]).endswith("are missing; the tree has no branches")
    assert missing_branches([f"x{i}" for i in range(131)]).endswith(" and 127 others")
    assert nearest_branches("mm_q1", ["gem_q1", "mm_q0", "run"]) == "the tree has mm_q0, gem_q1, run"
