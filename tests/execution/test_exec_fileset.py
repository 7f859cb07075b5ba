from __future__ import annotations

import json
from pathlib import Path

import pytest
from search_examples import DETECTOR, runs_row, write_file

from na64mu.common.toml_model import read_toml
from na64mu.errors import DetectorError, InputError
from na64mu.execution import run_search
from na64mu.inputs.paths import dataset_name, expand
from na64mu.inputs.raw_fileset import inspect_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("beam_0001.root", "beam_0002.root", "signal_m100.root"):
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/beam_0001.root", "beam"),
        ("beam-12.root", "beam"),
        ("calib_mu160.root", "calib_mu160"),
        ("root://host//eos/run_7.root", "run"),
        ("_12.root", "_12"),
    ],
)
def test_a_dataset_is_the_stem_without_the_number_at_its_end(path, name):
    assert dataset_name(path) == name


def test_folders_globs_and_paths_mean_the_same_files(folder):
    expected = {"beam": [str(folder / "beam_0001.root"), str(folder / "beam_0002.root")], "signal_m100": [str(folder / "signal_m100.root")]}
    assert expand(str(folder)) == (expected, {}, [])
    assert expand([folder / "*.root"])[0] == expected
    assert expand([folder / "beam_0001.root", folder / "beam_0002.root", folder / "signal_m100.root"])[0] == expected


def test_addresses_are_taken_as_they_are():
    assert expand("root://host//store/beam_1.root")[0] == {"beam": ["root://host//store/beam_1.root"]}


def test_a_file_named_twice_is_read_once_and_said_so(folder):
    datasets, _, losses = expand([folder / "beam_0001.root", folder])
    assert datasets["beam"] == [str(folder / "beam_0001.root"), str(folder / "beam_0002.root")]
    assert [(loss.kind, loss.is_damage) for loss in losses] == [("note", False)]
    assert "named twice and read once" in losses[0].reason


def test_what_names_no_file_is_a_loss(folder):
    (folder / "sub").mkdir()
    _, _, losses = expand([folder / "nothing*.root", folder / "sub"])
    assert ["no file matches" in losses[0].reason, "the folder has no *.root file" in losses[1].reason] == [True, True]
    assert all(loss.is_damage for loss in losses)


def test_a_fileset_names_datasets_with_paths_beside_it(folder):
    fileset = folder / "fileset.json"
    fileset.write_text(json.dumps({"a": {"files": {"beam_0001.root": "events"}, "metadata": {"kind": "mc"}}, "b": ["beam_0002.root"]}))
    datasets, metadata, _ = expand(fileset)
    assert datasets == {"a": [str(folder / "beam_0001.root")], "b": [str(folder / "beam_0002.root")]}
    assert metadata["a"] == {"kind": "mc"}
    fileset.write_text(json.dumps(["beam_0001.root", "*_m100.root"]))
    assert list(expand(fileset)[0]) == ["beam", "signal_m100"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as a fileset JSON"),
        ("3", "not a fileset; its form is"),
        ('{"a": 3}', "dataset 'a': a list of paths, or a table with 'files', is wanted"),
        ('{"a": {"metadata": {}}}', "dataset 'a': a list of paths"),
        ('{"a": {"files": [], "metadata": {"uuid": 1}}}', "the metadata key 'uuid' is reserved"),
    ],
)
def test_a_wrong_fileset_is_a_sentence(tmp_path, content, message):
    path = tmp_path / "fileset.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        expand(path)


def test_every_file_is_opened_and_described(tmp_path):
    path = write_file(tmp_path / "beam_1.root", 30)
    fileset = inspect_files([path])
    (file,) = fileset.files
    assert (file.dataset, file.entries, file.detector, file.largest_cluster) == ("beam", 30, DETECTOR, 30)
    assert [row["run"] for row in file.rows] == [1]
    assert fileset.for_runner() == {"beam": {"files": {str(path): "events"}, "metadata": {"detector": DETECTOR}}}


def test_the_detector_of_the_user_replaces_the_tag(tmp_path):
    path = write_file(tmp_path / "beam.root", 3, rows=[runs_row(detector="mine")])
    assert inspect_files([path], detector="na64mu-2022").files[0].detector == "na64mu-2022"
    listed = tmp_path / "fileset.json"
    listed.write_text(json.dumps({"a": {"files": ["beam.root"], "metadata": {"detector": "na64mu-2022"}}}))
    assert list(inspect_files(listed).detectors) == ["na64mu-2022"]
    with pytest.raises(DetectorError, match="'mine'"):
        inspect_files([path])


def test_a_dataset_of_two_detectors_is_refused(tmp_path):
    write_file(tmp_path / "beam_1.root", 3)
    write_file(tmp_path / "beam_2.root", 3, rows=[runs_row(detector="na64mu-2022")])
    with pytest.raises(
        InputError, match=r"dataset 'beam' mixes detectors: g4raw-indep-1 .* na64mu-2022 .* as two datasets in a fileset JSON"
    ):
        inspect_files(tmp_path)


def test_bookkeeping_of_two_detectors_is_a_loss(tmp_path):
    path = write_file(tmp_path / "beam.root", 3, rows=[runs_row(1), runs_row(2, detector="na64mu-2022")])
    (loss,) = inspect_files([path]).losses
    assert "names 2 detectors ['g4raw-indep-1', 'na64mu-2022'], one is wanted" in loss.reason


def test_a_path_with_a_zero_byte_is_a_loss(tmp_path):
    (tmp_path / "list.json").write_text(json.dumps(["a\0b.root"]), encoding="utf-8")
    with pytest.raises(InputError, match=r"'.*a\\x00b\.root': no file has a name with a zero byte"):
        run_search(tmp_path / "list.json", progress=False)


def test_a_zero_byte_in_a_toml_file_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('base = "\\u0000"', encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.toml: a text in it has a zero byte, which no name or path can have: remove it"):
        read_toml(path, InputError)
