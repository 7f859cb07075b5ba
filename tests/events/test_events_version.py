"""The version of a raw tree: written, read, and refused where it is too new."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import uproot
from click.testing import CliRunner
from raw_tree_examples import RUN_ROW, assert_same, columns_of, make_batch, write_columns

from na64mu.cli import main
from na64mu.errors import InputError
from na64mu.events.checker import check_file
from na64mu.events.nanoevents import check_form, open_events
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.root_io import open_file
from na64mu.events.schema_v1 import MINOR_VERSION, VERSION
from na64mu.events.version import COLUMNS, WRITTEN, FormVersion, check_version, version_of
from na64mu.events.writer import RawTreeWriter

KINDS = pytest.mark.parametrize("kind", ["ttree", "rntuple"])


def write(path, kind="ttree", runs=(RUN_ROW,), n=5):
    with RawTreeWriter(path, kind) as writer:
        writer.extend(make_batch(n))
        writer.finish(runs)
    return path


def version(path):
    with open_file(path) as file:
        return version_of(file, path)


def with_version(path, kind, monkeypatch, major, minor=0):
    """A file as another na64mu would write it."""
    with monkeypatch.context() as patch:
        patch.setattr("na64mu.events.version.WRITTEN", FormVersion(major, minor))
        return write(path, kind)


@KINDS
def test_the_writer_stores_its_version(tmp_path, kind):
    path = write(tmp_path / "f.root", kind, [RUN_ROW, RUN_ROW | {"config": 2}])
    assert version(path) == WRITTEN == (VERSION, MINOR_VERSION)
    with uproot.open(path) as file:
        assert {name: file["runs"][name].array().to_numpy().dtype for name in COLUMNS} == COLUMNS
        assert file["runs"]["form_version"].array().to_list() == [VERSION] * 2
    assert read_runs(path) == [RUN_ROW, RUN_ROW | {"config": 2}]
    assert check_file(path).version == str(WRITTEN)


@KINDS
def test_a_file_without_bookkeeping_rows_has_the_columns(tmp_path, kind):
    assert version(write(tmp_path / "f.root", kind, [])) == (2, 0)


def test_a_file_that_does_not_say_has_version_1(tmp_path):
    path = write_columns(tmp_path / "f.root", columns_of(make_batch(5)), [RUN_ROW])
    assert version(path) == (1, 0)
    assert check_file(path).version == "1"
    assert version(write_columns(tmp_path / "g.root", columns_of(make_batch(5)), None)) == (1, 0)


def test_the_newest_of_merged_rows_counts(tmp_path):
    path = write_columns(tmp_path / "f.root", columns_of(make_batch(5)), None)
    with uproot.update(path) as file:
        file["runs"] = {"form_version": np.array([1, 2], np.uint32), "form_minor": np.array([4, 1], np.uint32)}
    assert version(path) == (2, 1)
    assert [str(FormVersion(1)), str(FormVersion(2, 1))] == ["1", "2.1"]


@KINDS
def test_a_newer_minor_version_is_read(tmp_path, kind, monkeypatch):
    path = with_version(tmp_path / "f.root", kind, monkeypatch, VERSION, MINOR_VERSION + 3)
    assert_same(read_batch(path), make_batch(5))
    assert open_events(path).event.to_list() == [0, 1, 2, 3, 4]
    report = check_file(path)
    assert report.findings == ()
    assert report.version == f"{VERSION}.{MINOR_VERSION + 3}"


@KINDS
def test_a_newer_version_is_one_sentence_everywhere(tmp_path, kind, monkeypatch):
    path = with_version(tmp_path / "f.root", kind, monkeypatch, VERSION + 1)
    sentence = (
        f"the raw tree has version {VERSION + 1}, this na64mu knows versions 1 to {VERSION}: "
        f"install a newer na64mu, or have the file written in version {VERSION}"
    )
    with open_file(path) as file:
        for read in (
            lambda: read_batch(path),
            lambda: read_runs(path),
            lambda: open_events(path),
            lambda: check_form(file, path),
            lambda: check_version(file, path),
        ):
            with pytest.raises(InputError) as error:
                read()
            assert str(error.value) == f"{path}: {sentence}"
    result = CliRunner().invoke(main, ["check", str(path)])
    assert result.exit_code == 1
    assert result.output.count(sentence) == 1
    (report,) = json.loads(CliRunner().invoke(main, ["check", str(path), "--json"]).output)
    assert report["version"] == str(VERSION + 1)
    assert not report["ok"]


@pytest.mark.parametrize("values", [np.array([0], np.uint32), np.array([-1], np.int32), np.array([1.5])])
def test_what_is_no_version_is_said(tmp_path, values):
    path = write_columns(tmp_path / "f.root", columns_of(make_batch(5)), None)
    with uproot.update(path) as file:
        file["runs"] = {"form_version": values}
    with pytest.raises(
        InputError, match=r"f\.root: tree 'runs' has the version (0|-1|1\.5), versions of the raw tree are the numbers 1, 2"
    ):
        version(path)
    report = check_file(path)
    assert [f.message for f in report.findings if f.code == "runs"]
    assert (report.n_events, report.version) == (5, None)


def test_events_are_read_beside_a_bookkeeping_that_is_none(tmp_path):
    path = write_columns(tmp_path / "f.root", columns_of(make_batch(5)), None)
    with uproot.update(path) as file:
        file["runs"] = "not a tree"
    assert_same(read_batch(path), make_batch(5))
    assert len(open_events(path)) == 5
    with pytest.raises(InputError, match="'runs' is a TObjString, a TTree or RNTuple is needed"):
        read_runs(path)
    report = check_file(path)
    assert [f.code for f in report.findings] == ["runs"]
    assert (report.n_events, report.version) == (5, None)


def test_the_shipped_sample_has_version_1():
    sample = sorted((Path(__file__).parents[2] / "data" / "sample").glob("*.root"))
    assert sample
    assert {version(path) for path in sample} == {(1, 0)}


def test_unknown_fields_of_the_bookkeeping_are_noted(tmp_path):
    path = write_columns(tmp_path / "f.root", columns_of(make_batch(5)), [RUN_ROW | {"shift": "night"}])
    report = check_file(path)
    assert report.findings == ()
    assert report.unknown == ("runs.shift",)
    assert read_runs(path) == [RUN_ROW]
