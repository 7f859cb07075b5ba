"""Numbers that were not written are found, even where they can be unpacked."""

from __future__ import annotations

import numpy as np
import pytest
import uproot
from raw_tree_examples import RUN_ROW, make_batch

from na64mu.errors import InputError
from na64mu.events.batch import concatenate
from na64mu.events.checker import check_file
from na64mu.events.checksums import NAME, Checksums, read_checksums
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.root_io import open_file
from na64mu.events.writer import RawTreeWriter


@pytest.fixture
def uncompressed(tmp_path, monkeypatch):
    """A file whose bytes can be flipped without any trace in its structure, in three clusters."""
    monkeypatch.setattr("na64mu.events.writer.MIN_EVENTS", 40)
    monkeypatch.setattr("uproot.ZSTD", lambda level: uproot.ZLIB(0))
    with RawTreeWriter(tmp_path / "f.root") as writer:
        for first in (0, 40, 80):
            writer.extend(make_batch(40, first_event=first))
        writer.finish([RUN_ROW])
    return tmp_path / "f.root"


def flip(path, tree, branch, at=0.6, basket=1):
    with uproot.open(path) as file:
        owner = file[tree][branch]
        seek, size = (int(owner.member(f"fBasket{what}")[basket]) for what in ("Seek", "Bytes"))
    content = bytearray(path.read_bytes())
    content[seek + int(size * at)] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("branch", ["event", "mc_weight", "mm_channel", "ecal_energy"])
def test_a_flipped_bit_is_found_with_its_branch_and_cluster(uncompressed, branch):
    read_batch(uncompressed)
    flip(uncompressed, "events", branch)
    read_batch(uncompressed, 0, 40)
    with pytest.raises(InputError, match=rf"branch '{branch}' .*entries 40 to 79 than were written, the file is damaged"):
        read_batch(uncompressed)
    found = [f for f in check_file(uncompressed).findings if f.code == "checksum"]
    assert [(f.branch, f.entries[0], f.count) for f in found] == [(branch, 40, 40)]


def test_a_flipped_bit_in_the_bookkeeping_is_found(uncompressed):
    flip(uncompressed, "runs", "n_mot", at=0.99, basket=0)
    with pytest.raises(InputError, match="tree 'runs' has other numbers than were written"):
        read_runs(uncompressed)


def test_a_truth_branch_that_is_gone_is_found(uncompressed):
    """Without its name in the tree, simulation would pass for data."""
    content = uncompressed.read_bytes()
    assert content.count(b"mc_process") > 1
    at = content.index(b"mc_process")  # the name of the branch, in the header of the tree
    while at >= 0:
        damaged = content[:at] + b"mc_qrocess" + content[at + 10 :]
        uncompressed.write_bytes(damaged)
        with uproot.open(uncompressed) as file:
            if "mc_process" not in file["events"]:
                break
        at = content.find(b"mc_process", at + 1)
    assert at > 0
    with pytest.raises(InputError, match="branch 'mc_process' was written and is not there, the file is damaged"):
        read_batch(uncompressed)
    found = [f for f in check_file(uncompressed).findings if f.code == "checksum"]
    assert [(f.branch, f.message) for f in found] == [("mc_process", "was written and is not there")]


def test_clusters_that_are_not_whole_are_not_judged(uncompressed):
    flip(uncompressed, "events", "event")
    assert len(read_batch(uncompressed, 50, 120)) == 70


def test_a_tree_of_another_length_is_not_judged_but_mentioned(uncompressed, tmp_path):
    batch = read_batch(uncompressed)
    with uproot.open(uncompressed) as file:
        text = str(file[NAME])
    with RawTreeWriter(tmp_path / "g.root") as writer:
        writer.extend(concatenate([batch, make_batch(40, first_event=200)]))
        writer.finish([RUN_ROW])
    with uproot.update(tmp_path / "g.root") as file:
        file[NAME] = text
    assert len(read_batch(tmp_path / "g.root")) == len(batch) + 40
    assert [f.code for f in check_file(tmp_path / "g.root").findings if f.code.startswith("checksum")] == ["checksums"]


@pytest.mark.parametrize("text", ["{", "[]", '{"borders": [0]}', '{"borders": [5], "branches": {}, "runs": 0, "n_runs": 0}'])
def test_checksums_that_cannot_be_read_are_damage(uncompressed, text):
    with uproot.update(uncompressed) as file:
        file[NAME] = text
    with open_file(uncompressed) as file, pytest.raises(InputError, match=r"f\.root: its checksums .*the file is damaged"):
        read_checksums(file, uncompressed)


def test_json_round_trip():
    checksums = Checksums(runs=3, n_runs=1)
    batch = make_batch(30)
    checksums.add(batch)
    assert '"borders": [0, 30]' in checksums.to_json()
    assert checksums.wrong(batch, 0) == []
    batch.scalars["run"][7] += np.uint32(1)
    assert checksums.wrong(batch, 0) == [("run", 0, 30)]
