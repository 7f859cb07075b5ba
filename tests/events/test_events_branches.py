from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import awkward as ak
import numpy as np
import pytest
import uproot
from click.testing import CliRunner

from na64mu.cli import main
from na64mu.errors import InputError, LayoutError
from na64mu.events.branches import Branch, branches_of, find_branch, near_names, read_branch
from na64mu.events.checker import check_file
from na64mu.events.layout import load_layout
from na64mu.events.reader import read_batch
from na64mu.events.root_io import find_tree, open_file
from na64mu.events.skeleton import skeleton

FIELD = Path(__file__).parents[3] / "shared" / "field"
RUNS = """
[[runs]]
run = 3
config = 1
n_spills = 1
n_mot = 1000000
n_generated = 0
sum_weights = 0.0
detector = "na64mu-2022"
conditions = "data"
seed = 0
"""


def leaf(name):
    return SimpleNamespace(name=name)


class Tree:
    """A tree with an object split into sub-branches, a leaf list and names with dots, as uproot shows them."""

    name = "T"
    paths = (
        "info.",
        "info./info.run",
        "info./info.time.sec",
        "evt",
        "evt/N",
        "evt/hits",
        "evt/hits/hits.x[10]",
        "cal/x",
        "xyz",
        "N2",
        "run2",
    )

    def __init__(self):
        self.branches = [leaf(p) for p in self.paths if "/" not in p]

    def keys(self):
        return list(self.paths)

    def __getitem__(self, path):
        leaves = ("x", "y") if path == "xyz" else (path,)
        return SimpleNamespace(branches=[], member=lambda _: [SimpleNamespace(member=lambda _, n=n: n) for n in leaves])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("evt/N", "evt/N"),
        ("evt.N", "evt/N"),
        ("N", "evt/N"),
        ("info./info.run", "info./info.run"),
        ("info.run", "info./info.run"),
        ("sec", "info./info.time.sec"),
        ("time/sec", "info./info.time.sec"),
        ("hits.x", "evt/hits/hits.x[10]"),
        ("evt/hits/hits.x", "evt/hits/hits.x[10]"),
        ("xyz", "xyz"),
        ("xyz.y", "xyz.y"),
        ("xyz/y", "xyz.y"),
        ("y", "xyz.y"),
        ("absent", None),
        ("vt/N", None),
        ("", None),
    ],
)
def test_a_name_means_one_branch(name, found):
    branch = find_branch(Tree(), name)
    assert (branch if branch is None else str(branch)) == found


def test_a_short_name_of_several_branches_is_refused_with_all_of_them():
    with pytest.raises(
        InputError, match=r"the name 'x' is that of 3 branches of tree 'T': evt/hits/hits\.x\[10\], cal/x, xyz\.x; write one of"
    ):
        find_branch(Tree(), "x")
    assert find_branch(Tree(), "cal/x") == Branch("cal/x")
    assert near_names("runs", Tree())[0] in ("run2", "info./info.run")
    assert Branch("xyz", "y") in branches_of(Tree())


@pytest.fixture
def nested(tmp_path):
    """An RNTuple of records, with the numbers of the events in one of them."""
    with uproot.recreate(tmp_path / "nested.root") as file:
        events = [
            {
                "head": {"run": 3, "number": 100 + i, "muon": i % 2},
                "calo": {"n": i % 3, "hits": [{"e": 1.0 + j, "ix": j} for j in range(i % 3)]},
                "s0": 0.5 * i,
            }
            for i in range(9)
        ]
        file.mkrntuple("T", ak.Array(events))
    return tmp_path / "nested.root"


def nested_layout(tmp_path, **names):
    given = {"run": "head.run", "event": "head/number", "flag": "muon", "energy": "calo.hits.e"} | names
    text = f"""
format_version = 1
absent = ["veto", "bms", "mm", "gem", "straw", "vhcal", "hcal"]
[trees]
events = "T"
[scalars]
run = "{given["run"]}"
spill = {{ constant = 1 }}
config = {{ constant = 1 }}
event = "{given["event"]}"
trigger = {{ bits = {{ physics = "{given["flag"]}", calibration = "run" }} }}
[collections.ecal]
counter = "calo.n"
energy = "{given["energy"]}"
ix = "hits.ix"
iy = {{ constant = 2 }}
section = {{ constant = 1 }}
time = {{ constant = 0.0 }}
[[collections.counter]]
id = {{ constant = 0 }}
energy = "s0"
time = {{ constant = 0.0 }}
[[collections.counter]]
id = {{ constant = 1 }}
energy = {{ branch = "s0", scale = 2.0 }}
time = {{ constant = 0.0 }}
"""
    (tmp_path / "nested.toml").write_text(text + RUNS)
    return load_layout(tmp_path / "nested.toml")


def test_every_reader_takes_nested_names(nested, tmp_path):
    layout = nested_layout(tmp_path)
    batch = read_batch(nested, 2, 6, layout=layout)
    assert batch.scalars["event"].tolist() == [102, 103, 104, 105]
    assert batch.scalars["trigger"].tolist() == [1, 3, 1, 3]
    assert batch.collections["ecal"].counts.tolist() == [2, 0, 1, 2]
    assert batch.collections["ecal"]["energy"].tolist() == [1.0, 2.0, 1.0, 1.0, 2.0]
    assert batch.collections["ecal"]["ix"].tolist() == [0, 1, 0, 0, 1]
    assert check_file(nested, layout=layout).findings == ()


def test_numbers_of_an_event_are_rows_of_counters(nested, tmp_path):
    counter = read_batch(nested, 2, 4, layout=nested_layout(tmp_path)).collections["counter"]
    assert counter.counts.tolist() == [2, 2]
    assert counter["id"].tolist() == [0, 1, 0, 1]
    assert counter["energy"].tolist() == [1.0, 2.0, 1.5, 3.0]


def test_all_wrong_names_of_a_layout_are_said_at_once(nested, tmp_path):
    with pytest.raises(LayoutError) as caught:
        read_batch(nested, layout=nested_layout(tmp_path, event="head.nummer", flag="muons"))
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "scalars.event names the branch 'head.nummer', which tree 'T'" in lines[0]
    assert "it has calo, calo.hits" in lines[0]
    assert "scalars.trigger names the branch 'muons'" in lines[1]


def test_the_number_of_the_entry_numbers_events(nested, tmp_path):
    nested_layout(tmp_path)
    text = (tmp_path / "nested.toml").read_text()
    (tmp_path / "own.toml").write_text(text.replace('event = "head/number"', "event = { entry = true }"))
    own = load_layout(tmp_path / "own.toml")
    assert read_batch(nested, 4, 8, layout=own).scalars["event"].tolist() == [4, 5, 6, 7]
    assert not own.is_numbered
    assert check_file(nested, layout=own).findings == ()


@pytest.mark.parametrize(
    ("name", "branch", "other"),
    [("02-split-branches/split", "evt/U32", "U32"), ("12-leaf-list/leaflist", "leaflist.y", "y")],
)
def test_files_of_others_read_as_uproot_reads_them(tmp_path, name, branch, other):
    path = FIELD / f"{name}.root"
    if not path.exists():
        pytest.skip("the field cases (../shared/field) are not beside this checkout")
    with uproot.open(path) as file:
        tree = file["tree"]
        expected = tree["leaflist"].array()["y"] if "leaf" in name else tree[branch].array()
    batch = read_batch(path, layout=load_layout(path.with_suffix(".toml")))
    assert batch.scalars["run"].tolist() == expected.to_list()
    with open_file(path) as file:
        tree = find_tree(file, path, "tree")
        assert read_branch(tree, find_branch(tree, other), 1, 4).to_list() == expected.to_list()[1:4]
    if "split" in name:
        counts = batch.collections["ecal"].counts
        assert counts.tolist() == [i % 10 for i in range(100)]


def test_entries_that_are_stored_as_a_double_are_counted(monkeypatch):
    path = FIELD / "05-float-entries" / "old_root.root"
    if not path.exists():
        pytest.skip("the field cases (../shared/field) are not beside this checkout")
    report = check_file(path, layout=load_layout(path.with_suffix(".toml")))
    assert report.n_events == 1000
    assert [(f.code, f.count) for f in report.findings] == [("duplicate", 999)]
    assert "write event = { entry = true }" in report.findings[0].message


def test_a_skeleton_is_a_layout_that_reads(tmp_path):
    path = tmp_path / "theirs.root"
    with uproot.recreate(path) as file:
        file["small"] = {"x": np.arange(3)}
        file["data"] = {
            "RunNumber": np.full(5, 7),
            "EventID": np.arange(5),
            "ECAL_ix": ak.Array([[1], [], [2, 3], [0], []]),
            "other": np.zeros(5),
        }
    text = skeleton(path)
    assert 'run = "RunNumber"' in text
    assert 'event = "EventID"' in text
    assert 'ix = "ECAL_ix"' in text
    assert "#   other: float64" in text
    runner = CliRunner()
    done = runner.invoke(main, ["layout", str(path), "-o", str(tmp_path / "theirs.toml")])
    assert done.exit_code == 0, done.output
    batch = read_batch(path, layout=load_layout(tmp_path / "theirs.toml"))
    assert batch.scalars["run"].tolist() == [7] * 5
    assert batch.collections["ecal"].counts.tolist() == [1, 0, 2, 1, 0]
    assert "x: int64" in runner.invoke(main, ["layout", str(path), "--tree", "small"]).output


def test_a_skeleton_needs_a_foreign_tree(tmp_path, repository):
    with uproot.recreate(tmp_path / "empty.root") as file:
        file["text"] = "no tree"
    with pytest.raises(InputError, match="the file has no tree"):
        skeleton(tmp_path / "empty.root")
    sample = repository / "data" / "sample" / "calibration_1.root"
    if sample.exists():
        with pytest.raises(InputError, match="has the raw-tree form already, it needs no layout"):
            skeleton(sample)


def test_a_layout_says_everything_that_is_wrong_with_it(tmp_path):
    (tmp_path / "bad.toml").write_text(
        'format_version = 1\nabsent = ["calo"]\n[scalars]\nrun = "r"\nspill = { entry = true }\nburst = "b"\n[collections]\n[[runs]]\nrun = 1\n'
    )
    with pytest.raises(LayoutError) as caught:
        load_layout(tmp_path / "bad.toml")
    text = str(caught.value)
    for part in ("scalars.burst", "scalars.event is missing", "collections.calo", "collections.mm is missing", "runs[0].n_mot is missing"):
        assert part in text
    assert "runs[0].seed is missing" in text
    assert "only scalars.event can be the number of the entry" in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("n_mot = 1000000", "n_mot = nan", "field 'n_mot' of tree 'runs' is nan, uint64 is needed"),
        ("n_mot = 1000000", "n_mot = -5", "field 'n_mot' of tree 'runs' is -5, uint64 is needed"),
        ("sum_weights = 0.0", "sum_weights = inf", "field 'sum_weights' of tree 'runs' is inf, float64 is needed"),
    ],
)
def test_bookkeeping_that_is_no_number_is_a_sentence(nested, tmp_path, old, new, message):
    nested_layout(tmp_path)
    text = (tmp_path / "nested.toml").read_text()
    assert old in text
    (tmp_path / "bad.toml").write_text(text.replace(old, new))
    report = check_file(nested, layout=load_layout(tmp_path / "bad.toml"))
    assert message in "".join(f.message for f in report.findings)


def test_a_file_of_nothing_but_brackets_is_a_sentence(tmp_path):
    (tmp_path / "deep.toml").write_text("x = " + 5000 * "[" + 5000 * "]")
    with pytest.raises(LayoutError, match="its tables or lists are nested too deeply"):
        load_layout(tmp_path / "deep.toml")
