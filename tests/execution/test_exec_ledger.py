"""Muons on target belong to (run, configuration): they count once over files, datasets, layouts and summaries, whatever is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from search_examples import FakeReconstruction, raw_batch, runs_row, write_file

from na64mu.errors import InputError
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import run_search
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.results.run import RunResult


def search(files: object, **options: Any) -> RunResult:
    return run_search(files, progress=False, **options)


def part(path: Path, first: int, n: int, *, empty: int = 0) -> Path:
    """Events of run 1, the first of them with a trigger of the beam and without a digit."""
    batch = raw_batch(first, n)
    batch.scalars["trigger"][:empty] = 1
    with RawTreeWriter(path) as writer:
        writer.extend(batch)
        writer.finish([runs_row()])
    return path


def fileset(path: Path, **datasets: list[Any]) -> Path:
    path.write_text(json.dumps({name: {"files": files} for name, files in datasets.items()}))
    return path


def test_a_run_in_two_datasets_counts_once(fake: FakeReconstruction, tmp_path):
    first, second = part(tmp_path / "a.root", 0, 300, empty=3), part(tmp_path / "b.root", 300, 100)
    result = search(fileset(tmp_path / "files.json", one=[str(first)], two=[str(second)]))
    assert result.exposure.n_mot_recorded() == 1000
    assert result.exposure.n_mot("one") == pytest.approx(750 * 297 / 300)
    assert result.exposure.n_mot("two") == pytest.approx(250)


def test_summaries_of_parts_count_once(fake: FakeReconstruction, tmp_path):
    first, second = part(tmp_path / "a.root", 0, 300, empty=3), part(tmp_path / "b.root", 300, 100)
    for path in (first, second):
        reconstruct_files(path, path.with_suffix(".parquet"))
    raw = search([first, second])
    summaries = search([first.with_suffix(".parquet"), second.with_suffix(".parquet")])
    assert raw.exposure.n_mot() == pytest.approx(1000 * (0.75 * 297 / 300 + 0.25))
    assert summaries.exposure.n_mot() == pytest.approx(raw.exposure.n_mot(), rel=2e-3)
    assert summaries.exposure.n_mot() <= 1000


def test_raw_trees_and_summaries_are_not_added(fake: FakeReconstruction, tmp_path):
    raw = part(tmp_path / "a.root", 0, 40)
    reconstruct_files(raw, tmp_path / "a_summary.root")
    result = search([raw, tmp_path / "a_summary.root"])
    assert result.exposure.n_mot() == 1000
    assert result.exit_code == 3
    assert any("a_summary.root" in loss.reason for loss in result.losses)


@pytest.mark.parametrize("steps", [[[0, 30], [20, 60]], [[0, 30], [0, 30]]])
def test_steps_that_overlap_are_refused(fake: FakeReconstruction, tmp_path, steps):
    path = write_file(tmp_path / "a.root", 60)
    given = fileset(tmp_path / "files.json")
    given.write_text(json.dumps({"beam": {"files": {str(path): {"object_path": "events", "steps": steps}}}}))
    with pytest.raises(InputError, match=r"steps: ranges of entries .* that do not overlap are wanted"):
        search(given)


def test_refused_events_outside_the_steps_are_not_counted_twice(fake: FakeReconstruction, tmp_path):
    path = part(tmp_path / "a.root", 0, 100, empty=10)
    given = fileset(tmp_path / "files.json")
    given.write_text(json.dumps({"beam": {"files": {str(path): {"object_path": "events", "steps": [[5, 50]]}}}}))
    result = search(given)
    (run,) = result.exposure.runs
    assert (run.events_read, run.events_lost) == (40, 60)
    assert run.n_mot_read == pytest.approx(400)


def test_a_row_that_its_events_contradict_is_named(fake: FakeReconstruction, tmp_path):
    path = tmp_path / "a.root"
    batch = raw_batch(0, 50, truth=True)
    with RawTreeWriter(path) as writer:
        writer.extend(batch)
        writer.finish([runs_row(n_generated=40, sum_weights=49.0)])
    result = search(path)
    assert result.exit_code == 3
    assert [loss.reason for loss in result.losses if loss.kind == "bookkeeping"] == [
        f"{path}: in 'runs', run 1, config 1 has n_generated 40, and 50 events: its muons on target are not right",
        f"{path}: in 'runs', run 1, config 1 has sum_weights 49 of all generated events, those of its events are 50: its muons on target are not right",
    ]
