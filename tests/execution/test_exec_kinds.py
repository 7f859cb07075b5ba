"""Data and simulation, and simulations of different kinds, never share a dataset; a fileset JSON is honoured or refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from search_examples import FakeReconstruction, raw_batch, runs_row, write_file

from na64mu.cli import main
from na64mu.errors import DetectorError, InputError
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import run_search
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.inputs.paths import inputs_of
from na64mu.inputs.raw_fileset import inspect_files


def signal(path: Path, mass: float, *, run: int = 1, g_ref: float = 1e-4, process: int = 20) -> Path:
    batch = raw_batch(0, 20, truth=True, run=run)
    batch.scalars["mc_process"][:10] = process
    batch.scalars["mc_mass"][:] = np.where(np.arange(20) < 10, mass, np.nan)
    with RawTreeWriter(path) as writer:
        writer.extend(batch)
        writer.finish([runs_row(run, n_generated=20, g_ref=g_ref, conditions="simulation;zprime")])
    return path


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """A data file and one of simulation, of the same name."""
    for name in ("data", "mc"):
        (tmp_path / name).mkdir()
    simulation = [runs_row(2, n_generated=1000, n_mot=500, sum_weights=1000.0)]
    return write_file(tmp_path / "data" / "run.root", 100), write_file(tmp_path / "mc" / "run.root", 50, truth=True, run=2, rows=simulation)


@pytest.mark.parametrize("order", [1, -1])
def test_data_and_simulation_of_one_name_are_two_datasets(fake: FakeReconstruction, both, order):
    result = run_search(both[::order], progress=False)
    assert result.blinded == {"run_data": True, "run_simulation": False}
    assert "box" not in result.regions["run_data"]
    assert (result.exposure.n_mot("run_data"), result.exposure.n_mot("run_simulation")) == (1000, 500)
    (note,) = [loss for loss in result.losses if "is split into" in loss.reason]
    assert all(str(path) in note.reason for path in both)
    assert "differ in data or simulation" in note.reason
    assert result.exit_code == 0


def test_a_named_dataset_is_refused_where_it_mixes(both, tmp_path):
    (tmp_path / "mixed.json").write_text(json.dumps({"mine": [str(path) for path in both]}))
    done = CliRunner().invoke(main, ["run", str(tmp_path / "mixed.json"), "-q", "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "dataset 'mine'" in done.output
    assert "data or simulation (data and simulation)" in done.output
    assert "give them as two datasets in the fileset JSON" in done.output


def test_summaries_of_data_and_simulation_are_two_datasets(fake: FakeReconstruction, both, tmp_path):
    files = [tmp_path / "a.parquet", tmp_path / "b.root"]
    for path, target in zip(both, files, strict=True):
        reconstruct_files(path, target)
    result = run_search(files, progress=False)
    assert result.blinded == {"run_data": True, "run_simulation": False}
    assert (result.exposure.n_mot("run_data"), result.exposure.n_mot("run_simulation")) == (1000, 500)
    assert {name: flow.counts[0] > 0 for name, flow in result.cutflows.items()} == {"run_data": True, "run_simulation": True}


def test_masses_couplings_and_processes_are_datasets_of_their_own(tmp_path):
    files = [
        signal(tmp_path / "zprime_10.root", 0.01),
        signal(tmp_path / "zprime_100.root", 0.1, run=2),
        signal(tmp_path / "zprime_11.root", 0.1, run=3),
    ]
    found = inspect_files(files)
    assert {Path(f.path).name: f.dataset for f in found.files} == {
        "zprime_10.root": "zprime_10MeV",
        "zprime_100.root": "zprime_100MeV",
        "zprime_11.root": "zprime_100MeV",
    }
    coupled = inspect_files([files[1], signal(tmp_path / "zprime_101.root", 0.1, run=4, g_ref=2e-4)])
    assert coupled.datasets == ("zprime_g0.0001", "zprime_g0.0002")
    scalar = inspect_files([files[1], signal(tmp_path / "zprime_102.root", 0.1, run=5, process=21)])
    assert scalar.datasets == ("zprime_zprime", "zprime_scalar")
    assert inspect_files(files[1:]).datasets == ("zprime",)


def test_a_name_that_is_taken_is_refused_with_what_to_do(tmp_path):
    files = [signal(tmp_path / "z_1.root", 0.01), signal(tmp_path / "z_2.root", 0.1, run=2), signal(tmp_path / "z_10MeV.root", 0.01, run=3)]
    with pytest.raises(InputError, match="such files are never one dataset: name their datasets in a fileset JSON"):
        inspect_files(files)


def test_a_file_cannot_name_a_description_on_disk(tmp_path, repository):
    own = tmp_path / "own.toml"
    own.write_text((repository / "data" / "detector" / "g4raw-indep-1.toml").read_text())
    path = write_file(tmp_path / "beam.root", 3, rows=[runs_row(detector=str(own))])
    with pytest.raises(DetectorError, match=r"own\.toml'.*known are .*use --detector"):
        inspect_files([path])
    assert inspect_files([path], detector=str(own)).files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": {"files": {"f.root": "no_such_tree"}}}, "f.root: no tree 'no_such_tree'; the file has"),
        ({"a": {"files": ["f.root"], "treename": "no_such_tree"}}, "f.root: no tree 'no_such_tree'"),
        ({"f.root": "no_such_tree"}, "f.root: no tree 'no_such_tree'"),
        ({"a": {"files": {"f.root": "runs"}}}, "the fileset names the tree 'runs', the one that is read is 'events'"),
        ({"a": {"filse": ["f.root"]}}, "dataset 'a': the key 'filse' is not known; did you mean 'files'?"),
        ({"a": {"files": ["f.root"], "tree": "events"}}, "the key 'tree' is not known; did you mean 'treename'?"),
        (
            {"a": {"files": {"f.root": {"object_path": "events", "stpes": []}}}},
            "f.root: the key 'stpes' is not known; did you mean 'steps'?",
        ),
        ({"a": {"files": {"f.root": {"object_path": "events", "steps": [[5, 2]]}}}}, "steps: ranges of entries"),
        ({"a": {"files": {"f.root": {"object_path": "events", "steps": [[0, 9], [8, 12]]}}}}, "steps: ranges of entries"),
        ({"a": {"files": {"f.root": {"object_path": "events", "steps": [[0, 101]]}}}}, "the fileset asks for the entries"),
        ({"a": {"files": {"f.root": {"object_path": "events", "num_entries": 99}}}}, "the fileset says 99 entries, the file has 100"),
        ({"a": {"files": {"f.root": {"object_path": 3}}}}, "object_path: the name of a tree is wanted, found 3"),
        ({"a": {"files": {"f.root": 3}}}, "the name of a tree, or a table with object_path"),
        ({"a": {"files": ["f.root"], "treename": 3}}, "treename: the name of a tree is wanted, found 3"),
    ],
)
def test_a_fileset_is_honoured_or_refused_by_name(tmp_path, content, message):
    write_file(tmp_path / "f.root", 100)
    (tmp_path / "fileset.json").write_text(json.dumps(content))
    done = CliRunner().invoke(main, ["run", str(tmp_path / "fileset.json"), "-q", "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert message in done.output


def test_a_dataset_that_stands_twice_in_a_fileset_is_refused(tmp_path):
    (tmp_path / "fileset.json").write_text('{"a": ["x.root"], "a": ["y.root"]}')
    with pytest.raises(InputError, match="the key 'a' is in it twice"):
        inputs_of(tmp_path / "fileset.json")


def test_steps_are_the_only_entries_that_are_read(fake: FakeReconstruction, tmp_path):
    write_file(tmp_path / "f.root", 100)
    for name, uuid in (("mine", None), ("again", "")):
        steps = {"object_path": "events;1", "steps": [[60, 80], [0, 30]], "num_entries": 100, "uuid": uuid}
        (tmp_path / f"{name}.json").write_text(json.dumps({name: {"files": {"f.root": steps}, "form": None, "metadata": None}}))
    result = run_search(tmp_path / "mine.json", chunksize=25, progress=False)
    assert result.total.counts[0] == 50
    assert result.exposure.n_mot() == pytest.approx(500)
    assert result.exit_code == 0
    assert [(loss.kind, loss.entry_start, loss.entry_stop) for loss in result.losses if loss.kind != "note"] == [
        ("skipped", 30, 60),
        ("skipped", 80, 100),
    ]
    with pytest.raises(InputError, match="asks for steps of it, which only `na64mu run` can read"):
        reconstruct_files(tmp_path / "again.json", tmp_path / "s.root")
    done = CliRunner().invoke(main, ["skim", str(tmp_path / "again.json"), "-o", str(tmp_path / "skim.root")])
    assert done.exit_code == 1
    assert "a skim reads whole files" in done.output


def test_check_names_a_tree_that_is_not_there(tmp_path):
    write_file(tmp_path / "f.root", 3)
    (tmp_path / "fileset.json").write_text(json.dumps({"a": {"files": {"f.root": "other"}}}))
    done = CliRunner().invoke(main, ["check", str(tmp_path / "fileset.json")])
    assert done.exit_code == 1
    assert "no tree 'other'" in done.output


def test_paths_hold_in_another_folder(fake: FakeReconstruction, tmp_path, monkeypatch):
    """A worker runs somewhere else: what travels to it finds the file by its absolute path, and shows the one that was given."""
    import pickle

    from na64mu.execution import job

    write_file(tmp_path / "f.root", 40)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    reconstruct_files("f.root", "s.parquet")

    class Elsewhere(job.ChunkRunner):
        def __call__(self, chunk):
            monkeypatch.chdir(tmp_path / "elsewhere")
            found = super().__call__(pickle.loads(pickle.dumps(chunk)))
            monkeypatch.chdir(tmp_path)
            return found

    monkeypatch.setattr(job, "ChunkRunner", Elsewhere)
    for path in ("f.root", "s.parquet"):
        result = run_search(path, progress=False)
        assert result.losses == tuple(loss for loss in result.losses if loss.kind == "note")
        assert result.exposure.n_mot() == 1000
        assert [f.path for f in result.provenance.inputs] == [path]
