from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot
from search_examples import DETECTOR, FakeReconstruction, runs_row, write_file

from na64mu.errors import InputError, LayoutError
from na64mu.events.checker import check_files
from na64mu.events.layout import load_layout
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.schema_v1 import COLLECTIONS
from na64mu.execution import run_search
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.execution.skim import skim

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


def theirs(path: Path, n: int, first: int = 0) -> Path:
    with uproot.recreate(path) as file:
        tree = file.mktree("tree", {"eventNumber": np.uint64, "isMuon": np.bool_})
        tree.extend({"eventNumber": np.arange(first, first + n, dtype=np.uint64), "isMuon": np.ones(n, np.bool_)})
    return path


def test_raw_trees_beside_foreign_ones_are_read_as_they_are(fake: FakeReconstruction, tmp_path, foreign):
    simulation = write_file(tmp_path / "mc.root", 50, truth=True, run=2, rows=[runs_row(2, n_generated=10)])
    result = run_search([foreign, simulation], layout=tmp_path / "mine.toml", progress=False)
    assert {name: flow.counts[0] for name, flow in result.cutflows.items()} == {"foreign": 400, "mc": 50}
    assert result.blinded == {"foreign": True, "mc": False}
    assert any(str(simulation) in loss.reason and "has the raw-tree form and is read as it is" in loss.reason for loss in result.losses)
    (report, other) = check_files([foreign, simulation], layout=load_layout(tmp_path / "mine.toml"))
    assert (report.n_events, other.n_events) == (400, 50)
    assert [f.code for f in other.findings if f.severity == "warning"] == ["layout"]


def test_a_constant_event_number_is_refused(fake: FakeReconstruction, tmp_path, foreign):
    (tmp_path / "one.toml").write_text((tmp_path / "mine.toml").read_text().replace('event = "eventNumber"', "event = { constant = 1 }"))
    with pytest.raises(
        LayoutError, match=r"one\.toml: scalars\.event is the constant 1, so that all 400 events .* write event = \{ entry = true \}"
    ):
        run_search(foreign, layout=tmp_path / "one.toml", progress=False)
    with pytest.raises(LayoutError, match="is the constant 1"):
        skim(foreign, tmp_path / "skim.root", layout=tmp_path / "one.toml")


def test_entry_numbers_of_several_files_are_different_events(fake: FakeReconstruction, tmp_path):
    (tmp_path / "entry.toml").write_text(LAYOUT.replace("'", '"').replace('event = "eventNumber"', "event = { entry = true }"))
    files = [theirs(tmp_path / "a_1.root", 30), theirs(tmp_path / "a_2.root", 50, first=7)]
    result = run_search(files, layout=tmp_path / "entry.toml", progress=False)
    assert (result.total.counts[0], result.exposure.n_mot(), result.exit_code) == (80, 1000, 0)
    assert all(report.ok for report in check_files(files, layout=load_layout(tmp_path / "entry.toml")))
    reconstruct_files(files, tmp_path / "s.parquet", layout=tmp_path / "entry.toml")
    again = run_search(tmp_path / "s.parquet", progress=False)
    assert (again.total.counts[0], again.exposure.n_mot()) == (80, 1000)
    skim(files, tmp_path / "skim.root", layout=tmp_path / "entry.toml")
    assert read_batch(tmp_path / "skim.root").scalars["event"].tolist() == list(range(80))
    assert [row["n_mot"] for row in read_runs(tmp_path / "skim.root")] == [1000]


@pytest.mark.parametrize("together", [True, False])
def test_the_muons_of_a_run_in_two_files_count_once(fake: FakeReconstruction, tmp_path, foreign, together):
    """C1 of the field: one run, two files of different names, bookkeeping from the layout."""
    files = [theirs(tmp_path / "first.root", 100), theirs(tmp_path / "second.root", 300, first=100)]
    layout = tmp_path / "mine.toml"
    if together:
        result = run_search(files, layout=layout, progress=False)
    else:
        for path in files:
            reconstruct_files(path, path.with_suffix(".parquet"), layout=layout)
        result = run_search([path.with_suffix(".parquet") for path in files], progress=False)
    shares = result.exposure.n_mot("first"), result.exposure.n_mot("second")
    assert (result.exposure.n_mot(), result.exposure.n_mot_recorded()) == (1000, 1000)
    assert shares == (250, 750) if together else sum(shares) == 1000
    assert any("count once" in warning and "first" in warning and "second" in warning for warning in result.exposure.warnings)
