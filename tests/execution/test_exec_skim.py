"""A skim loses nothing."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import uproot
from click.testing import CliRunner
from search_examples import raw_batch, runs_row, write_file

from na64mu.cli import main
from na64mu.errors import InputError
from na64mu.events.batch import concatenate
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.schema_v1 import COLLECTIONS
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import run_search
from na64mu.execution.skim import skim


def same(a, b):
    assert list(a.scalars) == list(b.scalars)
    for name, column in a.scalars.items():
        np.testing.assert_array_equal(column, b.scalars[name])
    for name, fields in COLLECTIONS.items():
        np.testing.assert_array_equal(a.collections[name].offsets, b.collections[name].offsets)
        for field in fields:
            np.testing.assert_array_equal(a.collections[name][field], b.collections[name][field])


@pytest.fixture(scope="module")
def sample(repository):
    files = sorted((repository / "data" / "sample").glob("*.root"))
    if not files:
        pytest.skip("data/sample has no files")
    return files


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_real_files_round_trip_and_give_the_same_cutflow(sample, tmp_path, kind):
    files = [f for f in sample if f.name.startswith("calibration")]
    n_read, n_written = skim(files, tmp_path / "skim.root", kind=kind, chunksize=300)
    batch = read_batch(tmp_path / "skim.root")
    assert n_read == n_written == len(batch) > 1000
    same(batch, concatenate([read_batch(f) for f in files]))
    assert read_runs(tmp_path / "skim.root") == [row for f in files for row in read_runs(f)]
    if kind == "ttree":
        with uproot.open(tmp_path / "skim.root") as file:
            assert file["events"].common_entry_offsets() == [0, n_written]
        assert run_search(tmp_path / "skim.root", progress=False).total.counts == run_search(files, progress=False).total.counts


def test_events_of_one_trigger_keep_the_muons_on_target(tmp_path):
    batch = raw_batch(0, 90)
    batch.scalars["trigger"][:] = np.tile([1, 2, 4], 30)
    with RawTreeWriter(tmp_path / "f.root") as writer:
        writer.extend(batch)
        writer.finish([runs_row(n_mot=777)])
    done = CliRunner().invoke(
        main, ["skim", str(tmp_path / "f.root"), "-o", str(tmp_path / "s.root"), "--keep", "physics", "--keep", "random"]
    )
    assert done.exit_code == 0
    assert "60 of 90 events" in done.stderr
    kept = read_batch(tmp_path / "s.root")
    assert set(kept.scalars["trigger"].tolist()) == {2, 4}
    assert kept.scalars["event"].tolist() == [i for i in range(90) if i % 3]
    assert read_runs(tmp_path / "s.root")[0]["n_mot"] == 777


@pytest.mark.parametrize(("what", "sentence"), [("missing", "no such file"), ("copy", "a skim cannot keep muons on target right")])
def test_what_cannot_be_kept_right_is_not_written(tmp_path, what, sentence):
    good, other = write_file(tmp_path / "a.root", 50), tmp_path / "b.root"
    if what == "copy":
        shutil.copy(good, other)
    with pytest.raises(InputError, match=sentence):
        skim([good, other], tmp_path / "s.root")
    assert not (tmp_path / "s.root").exists()
