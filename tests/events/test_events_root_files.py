"""Files that ROOT itself wrote (root_files/make.py): the same events and bookkeeping whatever the form, through every reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot

from na64mu.events.batch import RawBatch
from na64mu.events.nanoevents import open_events
from na64mu.events.reader import read_batch, read_runs

FOLDER = Path(__file__).parent / "root_files"
COMPRESSIONS = {"none": None, "zlib": "ZLIB", "lzma": "LZMA", "lz4": "LZ4", "zstd": "ZSTD"}
WHOLE = (*COMPRESSIONS, "rntuple")


def columns(batch: RawBatch) -> dict[str, np.ndarray]:
    lists = {f"{name}_{f}": column for name, c in batch.collections.items() for f, column in c.fields.items()}
    return batch.scalars | lists | {f"n{name}": c.counts for name, c in batch.collections.items()}


@pytest.fixture(scope="module")
def plain() -> RawBatch:
    return read_batch(FOLDER / "none.root")


def test_the_uncompressed_file_is_what_uproot_reads(plain):
    with uproot.open(FOLDER / "none.root") as file:
        for name, column in columns(plain).items():
            found = file["events"][name].array(library="ak")
            flat = found if found.ndim == 1 else [x for event in found.to_list() for x in event]
            np.testing.assert_array_equal(column, np.asarray(flat))
    assert len(plain) == 4
    assert plain.collections["mm"].offsets[-1] > 50


@pytest.mark.parametrize("name", WHOLE)
def test_every_form_has_the_same_events_and_bookkeeping(plain, name):
    path = FOLDER / f"{name}.root"
    for batch in (read_batch(path), RawBatch.from_events(open_events(path))):
        for key, column in columns(plain).items():
            np.testing.assert_array_equal(columns(batch)[key], column)
    (row,) = read_runs(path)
    assert (row["detector"], row["conditions"]) == ("na64mu-2022", "written by ROOT")  # std::string
    assert (row["run"], row["n_mot"], row["seed"], row["sum_weights"]) == (9101, 682, 101, 682.0)


@pytest.mark.parametrize(("name", "algorithm"), [(n, a) for n, a in COMPRESSIONS.items() if a])
def test_the_files_are_compressed_as_they_say(name, algorithm):
    with uproot.open(FOLDER / f"{name}.root") as file:
        assert algorithm in str(file["events"]["mm_q1"].compression)


def test_a_split_tree_is_the_whole_tree(plain):
    parts = [read_batch(FOLDER / f"split_{i}.root") for i in (0, 1)]
    assert [len(p) for p in parts] == [2, 2]
    for key, column in columns(plain).items():
        np.testing.assert_array_equal(np.concatenate([columns(p)[key] for p in parts]), column)
