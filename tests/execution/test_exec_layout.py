from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot
from search_examples import DETECTOR, FakeReconstruction, write_file

from na64mu.errors import InputError, LayoutError
from na64mu.events.form import COLLECTIONS
from na64mu.execution import run_search

LAYOUT = f"""
format_version = 1
title = "event numbers only, everything else constant"
absent = {list(COLLECTIONS)}
[trees]
events = "tree"
[scalars]
run = {{ constant = 1 }}
spill = {{ constant = 1 }}
config = {{ constant = 1 }}
event = "eventNumber"
trigger = {{ bits = {{ physics = "isMuon" }} }}
[collections]
[[runs]]
run = 1
config = 1
n_spills = 1
n_mot = 1000
n_generated = 0
sum_weights = 0.0
detector = "{DETECTOR}"
conditions = ""
seed = 11
"""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    (tmp_path / "mine.toml").write_text(LAYOUT.replace("'", '"'))
    with uproot.recreate(tmp_path / "foreign.root") as file:
        tree = file.mktree("tree", {"eventNumber": np.uint64, "isMuon": np.bool_})
        tree.extend({"eventNumber": np.arange(400, dtype=np.uint64), "isMuon": np.ones(400, np.bool_)})
    return tmp_path / "foreign.root"


@pytest.mark.parametrize("executor", ["iterative", "futures"])
def test_a_foreign_tree_gives_what_the_same_raw_tree_gives(fake: FakeReconstruction, tmp_path, foreign, executor):
    raw = run_search(write_file(tmp_path / "raw.root", 400), progress=False)
    if executor == "futures":  # workers do not see the look-up: only the reading is compared
        result = run_search(foreign, layout=tmp_path / "mine.toml", executor=executor, workers=1, chunksize=150, progress=False)
        assert result.total.counts[0] == 400
    else:
        result = run_search(foreign, layout=tmp_path / "mine.toml", chunksize=150, progress=False)
        assert result.cutflows["foreign"] == raw.cutflows["raw"]
    assert result.exposure.n_mot() == 1000
    assert result.provenance.layout.endswith("mine.toml")


def test_a_layout_that_does_not_fit_is_one_sentence(fake: FakeReconstruction, tmp_path, foreign):
    raw = write_file(tmp_path / "raw.root", 10)
    with pytest.raises(InputError, match=r"raw\.root: no tree 'tree'"):
        run_search(raw, layout=tmp_path / "mine.toml", progress=False)
    with pytest.raises(LayoutError):
        run_search(foreign, layout=tmp_path / "none.toml", progress=False)
