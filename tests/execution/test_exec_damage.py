"""Damage anywhere in a file costs that file, or what of it cannot be read: never the run, and never more memory than the file can fill."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest
from search_examples import FakeReconstruction, write_file

from na64mu.errors import InputError, Na64muError
from na64mu.events.checker import check_files
from na64mu.events.reader import read_batch
from na64mu.events.root_io import open_file
from na64mu.execution import run_search
from na64mu.inputs.raw_fileset import inspect_files

WORDS = (b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f" + 7 * b"\xff", 8 * b"\0", 8 * b"\xff")


def mutated(content: bytes, seed: int) -> bytes:
    """One bit, one byte, or one number of two to eight bytes changed, half of them near the start."""
    chance = random.Random(seed)
    at = chance.randrange(4, 2500 if chance.random() < 0.5 else len(content) - 8)
    new = chance.choice([bytes([content[at] ^ 1 << chance.randrange(8)]), bytes([chance.randrange(256)]), chance.choice(WORDS)])
    return content[:at] + new + content[at + len(new) :]


@pytest.mark.parametrize("part", range(4))
def test_one_changed_number_is_a_sentence(fake: FakeReconstruction, tmp_path, part):
    good, bad = write_file(tmp_path / "good.root", 4, first=100), tmp_path / "bad.root"
    content = write_file(tmp_path / "base.root", 4).read_bytes()
    outcomes = set()
    for seed in range(50 * part, 50 * part + 50):
        bad.write_bytes(mutated(content, seed))
        if seed % 2:
            check_files([bad])  # nothing is raised
        elif seed % 10 == 0:
            result = run_search([str(bad), str(good)], progress=False)
            outcomes.add(result.exit_code)
            assert result.exit_code == 0 or any(str(bad) in loss.reason for loss in result.losses)
            assert result.total.counts[0] in range(4, 9)
        else:
            try:
                inspect_files([str(bad)])
            except Na64muError as error:
                assert str(bad) in str(error)  # noqa: PT017  # either is right
    assert outcomes <= {0, 3}


def test_a_length_of_two_gigabytes_is_not_allocated(tmp_path, repository):
    sample = repository / "data" / "sample" / "zprime_100MeV_1.root"
    if not sample.exists():
        pytest.skip("data/sample has no files")
    content = sample.read_bytes()
    keys = [m.start() - 1 for m in re.finditer(b"TBasket", content) if content[m.start() - 1] == len(m.group())]
    heads = [at - 26 - big for at in keys for big in (0, 8) if content[at - 22 - big : at - 20 - big] in (b"\0\4", b"\3\xea", b"\3\xec")]
    assert len(heads) > 50
    bad = tmp_path / "bad.root"
    for head in (heads[0], heads[40]):
        bad.write_bytes(content[: head + 6] + b"\x7f\xff\xff\xf0" + content[head + 10 :])
        with pytest.raises(InputError, match=re.escape(str(bad))):
            read_batch(bad)
        assert not check_files([bad])[0].ok


def test_a_header_that_nobody_expects_costs_its_file(fake: FakeReconstruction, tmp_path, monkeypatch):
    from na64mu.inputs import raw_file as source_file

    def broken(tree):
        msg = f"list index out of range in {tree.name}"
        raise IndexError(msg)

    good, bad = write_file(tmp_path / "good.root", 5), write_file(tmp_path / "bad.root", 5, first=50)
    keep = source_file._borders
    monkeypatch.setattr(source_file, "_borders", lambda tree: broken(tree) if "bad" in tree.file.file_path else keep(tree))
    result = run_search([bad, good], progress=False)
    (loss,) = [loss for loss in result.losses if loss.is_damage]
    assert loss.reason.startswith(f"{bad}: cannot be understood, the file is damaged or of an unknown kind (IndexError")
    assert (result.exit_code, result.total.counts[0]) == (3, 5)


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.root")
    with pytest.raises(InputError, match="is a fifo, a device or a socket, a ROOT file is needed"), open_file(tmp_path / "pipe.root"):
        pass


def test_a_tree_with_more_entries_than_its_branches_is_damaged(tmp_path):
    from na64mu.events import root_io as source

    class Branch:
        name, num_entries, entry_offsets = "run", 5, [0, 5]

    class Tree(source.uproot.TTree):
        branches, num_entries = (Branch(),), 5_000_000_000

        def __init__(self):
            pass

    for entries in (5_000_000_000, 5.5, -3):
        Tree.num_entries = entries
        with pytest.raises(InputError, match=rf"claims {entries} entries, its branches have"):
            source._check_entries(Tree(), Path("x.root"), "events")
