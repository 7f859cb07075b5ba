from __future__ import annotations

import pickle

import awkward as ak
import cloudpickle
import numpy as np
import pytest
import uproot
from coffea import processor
from coffea.util import coffea_console
from raw_tree_examples import RUN_ROW, assert_same, columns_of, make_batch, write_columns

from na64mu.errors import InputError, LayoutError
from na64mu.events.batch import RawBatch
from na64mu.events.checker import check_file
from na64mu.events.layout import Layout, load_layout
from na64mu.events.nanoevents import open_events, to_events
from na64mu.events.reader import count_entries, read_batch, read_runs
from na64mu.events.schema import RawTreeSchema, schema_for
from na64mu.events.schema_v1 import COLLECTIONS, SCALARS, TRUTH

N = 60


def other_name(branch):
    return f"Det{branch.title().replace('_', '')}"


def renamed_toml():
    """A layout for a tree that is the raw tree with other names, ECAL energies in MeV, and no config."""
    lines = ["format_version = 1", '[trees]\nevents = "daq/T"\nruns = "info"', "[scalars]"]
    lines += [f'{name} = "{other_name(name)}"' for name in SCALARS if name != "config"] + ["config = { constant = 1 }"]
    lines += ["[truth]", *(f'{name} = "{other_name(name)}"' for name in TRUTH)]
    for name, fields in COLLECTIONS.items():
        lines += [f"[collections.{name}]", f'counter = "{other_name("n" + name)}"']
        for field in fields:
            branch = other_name(f"{name}_{field}")
            lines.append(
                f'{field} = {{ branch = "{branch}", scale = 0.001 }}' if (name, field) == ("ecal", "energy") else f'{field} = "{branch}"'
            )
    lines += ["[run_fields]", *(f'{name} = "{name}"' for name in RUN_ROW if name not in ("detector", "g_ref"))]
    lines += ['detector = { constant = "na64mu-2022" }', "g_ref = { constant = 1e-4 }"]
    return "\n".join(lines)


@pytest.fixture
def renamed_layout(tmp_path):
    (tmp_path / "renamed.toml").write_text(renamed_toml())
    return load_layout(tmp_path / "renamed.toml")


@pytest.fixture
def renamed_file(tmp_path):
    columns = columns_of(make_batch(N))
    columns["ecal_energy"] = ak.values_astype(columns["ecal_energy"], np.float64) * 1000.0
    del columns["config"]
    path = tmp_path / "foreign.root"
    write_columns(path, {other_name(name): column for name, column in columns.items()}, [RUN_ROW], tree="daq/T")
    with uproot.update(path) as file:
        rows = {k: np.array([v]) for k, v in RUN_ROW.items() if not isinstance(v, str)}
        file.mktree("info", {k: v.dtype for k, v in rows.items()} | {"conditions": ak.Array(["a"]).type.content})
        file["info"].extend(rows | {"conditions": ak.Array([RUN_ROW["conditions"]])})
    return path


def test_a_renamed_tree_reads_like_the_raw_tree(renamed_file, renamed_layout):
    assert_same(read_batch(renamed_file, layout=renamed_layout), make_batch(N))
    assert_same(read_batch(renamed_file, 10, 20, layout=renamed_layout), RawBatch.from_events(to_events(make_batch(N))[10:20]))
    assert_same(RawBatch.from_events(open_events(renamed_file, layout=renamed_layout)), make_batch(N))
    assert read_runs(renamed_file, layout=renamed_layout) == [RUN_ROW]
    assert count_entries(renamed_file, layout=renamed_layout) == N
    assert check_file(renamed_file, layout=renamed_layout).findings == ()


def totals(events):
    batch = RawBatch.from_events(events)
    return {
        "n": len(batch),
        "e": float(np.sum(batch.collections["ecal"]["energy"], dtype=np.float64)),
        "event": int(batch.scalars["event"].sum()),
    }


def test_runner_reads_a_foreign_tree(renamed_file, renamed_layout, monkeypatch):
    monkeypatch.setattr(coffea_console, "quiet", True)
    iterative = processor.IterativeExecutor(retries=0, status=False)
    runner = processor.Runner(iterative, pre_executor=iterative, schema=schema_for(renamed_layout), chunksize=25, metadata_cache={})
    out = runner({"sample": {"files": {str(renamed_file): renamed_layout.trees.events}}}, totals)
    batch = make_batch(N)
    assert out["n"] == N
    assert out["event"] == batch.scalars["event"].sum()
    assert out["e"] == pytest.approx(np.sum(batch.collections["ecal"]["energy"], dtype=np.float64), rel=1e-12)


def test_selected_foreign_events_are_refused(renamed_file, renamed_layout, monkeypatch):
    monkeypatch.setattr(coffea_console, "quiet", True)
    iterative = processor.IterativeExecutor(retries=0, status=False)
    runner = processor.Runner(iterative, pre_executor=iterative, schema=schema_for(renamed_layout), metadata_cache={})
    with pytest.raises(Exception, match="Failed processing file") as caught:
        runner({"s": {"files": {str(renamed_file): "daq/T"}}}, lambda events: {"n": len(RawBatch.from_events(events[:5]))})
    assert "5 of 60 events were selected; read a foreign tree before selecting" in repr(caught.value.__cause__)


def test_schema_travels_to_workers(renamed_layout):
    again = pickle.loads(cloudpickle.dumps(schema_for(renamed_layout)))
    assert Layout.model_validate_json(again.layout) == renamed_layout
    assert schema_for(None) is RawTreeSchema


PUBLIC = {
    "run": np.zeros(4, np.int32),
    "spill": np.array([1, 1, 2, 2], np.int32),
    "runevent": np.arange(4, dtype=np.int32),
    "isTriggerBeam": np.array([True, True, False, False]),
    "isTriggerMuonInv": np.array([False, True, True, False]),
    "isTriggerRandom": np.array([False, False, False, True]),
}


def public_columns():
    ecal = np.zeros((4, 2, 6, 6))
    ecal[0, 1, 2, 3], ecal[0, 0, 2, 3], ecal[3, 1, 4, 5] = 0.5, 0.05, 80.0
    veto = np.zeros((4, 6))
    veto[2, 5] = 0.009
    return PUBLIC | {"ECAL_ene": ecal, "VETO_ene": veto, "masterTime": np.zeros(4)}


def test_shipped_layout_of_the_public_tree(tmp_path):
    layout = load_layout("na64-public-tree")
    path = write_columns(tmp_path / "f.root", public_columns(), None, tree="tree")
    batch = read_batch(path, layout=layout)
    assert batch.scalars["trigger"].tolist() == [1, 3, 2, 4]
    assert batch.scalars["config"].tolist() == [1] * 4
    ecal = batch.collections["ecal"]
    assert ecal.counts.tolist() == [2, 0, 0, 1]
    assert ecal["section"].tolist() == [0, 1, 1]
    assert (ecal["ix"].tolist(), ecal["iy"].tolist()) == ([2, 2, 4], [3, 3, 5])
    assert ecal["energy"].tolist() == pytest.approx([0.05, 0.5, 80.0])
    assert batch.collections["veto"]["energy"].tolist() == pytest.approx([9.0])
    assert batch.collections["veto"]["id"].tolist() == [5]
    assert all(batch.collections[name].offsets.tolist() == [0] * 5 for name in layout.absent)
    assert [f.code for f in check_file(path, layout=layout).findings] == ["exposure"]


def test_public_tree_with_energy_outside_the_muon_ecal(tmp_path):
    columns = public_columns()
    columns["ECAL_ene"][1, 0, 5, 0] = 1.0
    path = write_columns(tmp_path / "f.root", columns, None, tree="tree")
    found = {f.code: f for f in check_file(path, layout=load_layout("na64-public-tree")).findings}
    assert (found["range"].branch, found["range"].entries) == ("ecal_ix", (1,))


PARTS = """
format_version = 1
absent = ["counter", "veto", "bms", "mm", "gem", "straw", "ecal", "vhcal"]
[scalars]
run = "run"
spill = { constant = 1 }
event = "event"
config = { constant = 2 }
trigger = { constant = 2 }
[[collections.hcal]]
matrix = "H"
axes = ["module", "ix", "iy"]
first = [1, 3, 0]
threshold = 0.02
scale = 0.001
time = { matrix = "T", scale = 2.0 }
[[collections.hcal]]
module = { constant = 2 }
ix = "X"
iy = { constant = 1 }
energy = "E"
time = { constant = 0.5 }
[[runs]]
run = 1
config = 2
n_spills = 1
n_mot = 1000
n_generated = 0
sum_weights = 0
detector = "na64mu-2022"
conditions = "data"
seed = 0
"""


def parts_columns():
    h, t = np.zeros((3, 2, 3, 3)), np.zeros((3, 2, 3, 3))
    h[0, 0, 1, 2], t[0, 0, 1, 2] = 1700.0, 1.5
    h[2, 1, 2, 0], h[2, 0, 0, 0] = 30.0, 20.0  # the second is at the threshold
    lists = {"X": ak.values_astype(ak.Array([[0], [1, 2], []]), np.uint8), "E": ak.values_astype(ak.Array([[1], [2, 3], []]), np.float32)}
    return {"run": np.ones(3, np.int64), "event": np.arange(3), "H": h, "T": t, **lists}


def parts_layout(tmp_path, text=PARTS):
    (tmp_path / "parts.toml").write_text(text)
    return load_layout(tmp_path / "parts.toml")


def test_parts_matrix_axes_threshold_scale_and_constants(tmp_path):
    path = write_columns(tmp_path / "f.root", parts_columns(), None)
    batch = read_batch(path, layout=parts_layout(tmp_path))
    hcal = batch.collections["hcal"]
    assert hcal.counts.tolist() == [2, 2, 1]
    assert hcal["module"].tolist() == [1, 2, 2, 2, 2]
    assert hcal["ix"].tolist() == [4, 0, 1, 2, 5]
    assert hcal["iy"].tolist() == [2, 1, 1, 1, 0]
    assert hcal["energy"].tolist() == pytest.approx([1.7, 1, 2, 3, 0.03])
    assert hcal["time"].tolist() == [3.0, 0.5, 0.5, 0.5, 0.0]
    assert read_runs(path, layout=parts_layout(tmp_path))[0]["n_mot"] == 1000
    assert check_file(path, layout=parts_layout(tmp_path)).findings == ()


def test_zero_events_of_a_foreign_tree(tmp_path):
    columns = {name: column[:0] for name, column in parts_columns().items()}
    path = write_columns(tmp_path / "f.root", columns, None)
    assert len(read_batch(path, layout=parts_layout(tmp_path))) == 0
    assert check_file(path, layout=parts_layout(tmp_path)).findings == ()


def test_nan_in_a_matrix_is_found(tmp_path):
    columns = parts_columns()
    columns["H"][1, 0, 0, 0] = np.nan
    path = write_columns(tmp_path / "f.root", columns, None)
    finding = check_file(path, layout=parts_layout(tmp_path)).findings[0]
    assert (finding.code, finding.branch, finding.entries) == ("not-finite", "hcal_energy", (1,))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'run = "run"',
            'run = "runNumber"',
            "scalars.run names the branch 'runNumber', which tree 'events' of .*f.root does not have; it has E, H",
        ),
        ('ix = "X"', 'ix = "Y"', "collections.hcal names the branch 'Y', which tree"),
        ('axes = ["module", "ix", "iy"]', 'axes = ["ix", "iy"]', "collections.hcal.*"),
        ('run = "run"', 'run = "X"', "scalars.run: branch 'X' is var \\* uint8 per event, one number is needed"),
        ('ix = "X"', 'ix = "run"', "collections.hcal.ix: branch 'run' is int64 per event, a list of numbers is needed"),
        ('matrix = "H"', 'matrix = "E"', "collections.hcal: 'E' is var \\* float32 per event, a fixed matrix is needed"),
        ('matrix = "H"', 'matrix = "event"', "collections.hcal: 'event' has 0 axes, the layout names 3"),
    ],
)
def test_layout_that_does_not_fit_the_tree(tmp_path, old, new, message):
    path = write_columns(tmp_path / "f.root", parts_columns(), None)
    assert old in PARTS
    with pytest.raises(LayoutError, match=rf"parts\.toml: {message}"):
        read_batch(path, layout=parts_layout(tmp_path, PARTS.replace(old, new, 1)))


def test_matrices_of_different_shape(tmp_path):
    columns = parts_columns() | {"T": np.zeros((3, 2, 3, 2))}
    path = write_columns(tmp_path / "f.root", columns, None)
    with pytest.raises(LayoutError, match=r"collections.hcal.time: 'T' has the shape \(2, 3, 2\) per event, 'H' has \(2, 3, 3\)"):
        read_batch(path, layout=parts_layout(tmp_path))


def test_lists_of_different_length(tmp_path):
    columns = parts_columns() | {"X": ak.values_astype(ak.Array([[0], [1], []]), np.uint8)}
    path = write_columns(tmp_path / "f.root", columns, None)
    with pytest.raises(InputError, match=r"f\.root: branches 'E' and 'X' have lists of unequal length in entry 1 of the range"):
        read_batch(path, layout=parts_layout(tmp_path))


def test_counter_that_does_not_count(tmp_path):
    path = write_columns(tmp_path / "f.root", parts_columns(), None)
    with pytest.raises(InputError, match=r"counter 'event' is not the length of the lists of 'X'"):
        read_batch(path, layout=parts_layout(tmp_path, PARTS.replace('ix = "X"', 'counter = "event"\nix = "X"')))


def test_number_that_does_not_fit(tmp_path):
    columns = parts_columns() | {"run": np.full(3, -1)}
    path = write_columns(tmp_path / "f.root", columns, None)
    with pytest.raises(InputError, match=r"f\.root: branch 'run' has values from -1 to -1, the raw tree's uint32"):
        read_batch(path, layout=parts_layout(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format_version = 1", "format_version = 2", "format_version: this version of na64mu reads 1, found 2"),
        ("format_version = 1", "format_version = 1\ncolour = 1", "colour: Extra inputs are not permitted"),
        ("format_version = 1", "format_version = ", "cannot be read as TOML"),
        ('"counter", ', "", "collections.counter is missing, map it or list it in absent"),
        ('"counter"', '"hcal", "counter"', "collections.hcal is mapped and listed in absent"),
        ('"counter"', '"calo", "counter"', "collections.calo is not part of the raw tree, which has counter, veto"),
        ('run = "run"\n', "", "scalars.run is missing, it is needed"),
        ('run = "run"', 'run = "run"\nburst = "b"', "scalars.burst is not part of the raw tree, which has run, spill"),
        (
            "trigger = { constant = 2 }",
            'trigger = { bits = { beam = "b" } }',
            "scalars.trigger: bits: unknown condition 'beam', there are calibration",
        ),
        ('run = "run"', 'run = { bits = { physics = "b" } }', "scalars.run is a branch or a constant"),
        ('run = "run"', 'run = { matrix = "b" }', "scalars.run is a branch or a constant"),
        ("config = { constant = 2 }", 'config = { constant = "2" }', "a constant of an event or a hit is a number"),
        (
            "config = { constant = 2 }",
            "config = { constant = 2, scale = 2.0 }",
            "scalars.config: scale goes with a branch or matrix, not with constant",
        ),
        (
            "config = { constant = 2 }",
            'config = { constant = 2, branch = "c" }',
            "scalars.config: give one of branch, matrix, constant, entry or bits, found branch and",
        ),
        ("config = { constant = 2 }", "config = {}", "scalars.config: give one of branch, matrix, constant, entry or bits, found none"),
        ("config = { constant = 2 }", "config = { value = 2 }", "scalars.config.value: Extra inputs are not permitted"),
        ('energy = "E"\n', "", "collections.hcal.energy is missing"),
        (
            'energy = "E"',
            'energy = "E"\nmass = "M"',
            "collections.hcal.mass is not part of the raw tree, which has module, ix, iy, energy, time",
        ),
        ('energy = "E"', 'energy = "E"\nthreshold = 1.0', r"collections.hcal\[1\]: threshold goes with a matrix"),
        ('energy = "E"', 'energy = { matrix = "E" }', r"collections.hcal\[1\]: a field from a matrix needs a collection from a matrix"),
        (
            'time = { matrix = "T", scale = 2.0 }',
            'time = "T"',
            r"collections.hcal\[0\]: a collection from a matrix has no counter and no field from a branch",
        ),
        ("first = [1, 3, 0]", "first = [1]", r"collections.hcal\[0\]: first has 1 numbers for 3 axes"),
        ("time = { constant = 0.5 }", 'time = { bits = { physics = "p" } }', r"collections.hcal\[1\]: bits makes a scalar, not a field"),
        ("n_mot = 1000\n", "", r"runs\[0\].n_mot is missing"),
        ("n_mot = 1000", "mot = 1000", r"runs\[0\].mot is not part of the raw tree"),
        ("[scalars]", '[trees]\nruns = "info"\n[scalars]', "run_fields.run is missing"),
    ],
)
def test_wrong_layouts(tmp_path, old, new, message):
    assert old in PARTS
    with pytest.raises(LayoutError, match=rf"parts\.toml: .*{message}"):
        parts_layout(tmp_path, PARTS.replace(old, new, 1))


def test_layout_without_bookkeeping(tmp_path):
    with pytest.raises(LayoutError, match=r"give the bookkeeping once: as the tree trees.runs \(with run_fields\) or as \[\[runs\]\]"):
        parts_layout(tmp_path, PARTS[: PARTS.index("[[runs]]")])


def test_layout_with_only_constants(tmp_path):
    text = PARTS.replace('ix = "X"', "ix = { constant = 0 }").replace('energy = "E"', "energy = { constant = 1.0 }")
    with pytest.raises(LayoutError, match=r"collections.hcal\[1\]: at least one field must be a branch"):
        parts_layout(tmp_path, text)


def test_no_such_layout(tmp_path):
    with pytest.raises(LayoutError, match=r"nothing\.toml: cannot be read as TOML"):
        load_layout(tmp_path / "nothing.toml")


def test_bookkeeping_of_the_wrong_kind(tmp_path):
    path = write_columns(tmp_path / "f.root", parts_columns(), None)
    with pytest.raises(InputError, match=r"parts\.toml: field 'n_mot' of tree 'runs' is 'many', uint64 is needed"):
        read_runs(path, layout=parts_layout(tmp_path, PARTS.replace("n_mot = 1000", 'n_mot = "many"')))


def test_bookkeeping_tree_without_a_field(renamed_file, tmp_path):
    (tmp_path / "b.toml").write_text(renamed_toml().replace('n_mot = "n_mot"', 'n_mot = "mot"'))
    with pytest.raises(
        LayoutError, match=r"b\.toml: run_fields.n_mot names the branch 'mot', which tree 'info' of .*foreign.root does not have"
    ):
        read_runs(renamed_file, layout=load_layout(tmp_path / "b.toml"))
