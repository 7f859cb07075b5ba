"""Events and files that stand twice: found, listed, counted once, and taken out of the exposure by the right amount."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_examples import FakeReconstruction, raw_batch, runs_row, write_file

from na64mu.errors import InputError
from na64mu.events.batch import RawBatch, concatenate
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import run_search
from na64mu.inputs.duplicates import EventSource, find_duplicates


def search(files: object, **options: Any) -> Any:
    return run_search(files, progress=False, **options)


def write(path: Path, batches: list[RawBatch], rows: list[dict[str, Any]]) -> Path:
    with RawTreeWriter(path) as writer:
        for batch in batches:
            writer.extend(batch)
        writer.finish(rows)
    return path


def test_a_copy_under_another_name_is_left_out(fake: FakeReconstruction, tmp_path):
    good = write_file(tmp_path / "beam.root", 400)
    copy = Path(shutil.copy(good, tmp_path / "other.root"))
    result = search([good, copy])
    (loss,) = (x for x in result.losses if x.is_damage)
    assert loss.reason == f"{copy}: has the same content as {good} and is left out; name one of them only"
    assert (result.total.counts, result.exposure.n_mot(), result.exit_code) == (search(good).total.counts, 1000, 3)
    with pytest.raises(InputError, match="has the same content as"):
        search([good, copy], strict=True)


def test_events_of_another_file_count_once_and_lower_the_exposure_of_the_second(fake: FakeReconstruction, tmp_path):
    first = write_file(tmp_path / "a.root", 300, rows=[runs_row(n_mot=3000)])
    second = write_file(tmp_path / "b.root", 200, first=200, rows=[runs_row(n_mot=2000, seed=0)])
    result = search([first, second])
    (loss,) = (x for x in result.losses if x.is_damage)
    assert loss.reason == f"{second}: 100 of its events are in {first} too (run 1, event 200 in entry 0 is the first); left out here"
    assert loss.kind == "duplicate"
    assert result.total.counts[0] == 400
    assert (result.exposure.n_mot("a"), result.exposure.n_mot("b")) == (3000, 1000)
    alone = search(write_file(tmp_path / "all.root", 400))
    assert result.total == alone.total
    assert result.exit_code == 3


def test_events_twice_in_one_file_count_once_and_cost_nothing(fake: FakeReconstruction, tmp_path):
    path = write(tmp_path / "beam.root", [concatenate([raw_batch(0, 300), raw_batch(100, 50)])], [runs_row()])
    for chunksize in (400, 70):
        result = search(path, chunksize=chunksize)
        assert result.total.counts[0] == 300
        assert result.exposure.n_mot() == 1000
        assert "50 of its events are in it already (run 1, event 100 in entry 300 is the first)" in result.losses[0].reason
    assert result.exposure.runs[0].events_read == 300


def test_events_that_are_not_in_order_are_said_and_count_as_ever(fake: FakeReconstruction, tmp_path):
    path = write(tmp_path / "a.root", [raw_batch(50, 50), raw_batch(0, 50)], [runs_row()])
    found, sorted_ = search(path), search(write(tmp_path / "b.root", [raw_batch(0, 50), raw_batch(50, 50)], [runs_row()]))
    assert [loss.reason for loss in found.losses] == [
        f"{path}: event numbers are not in order (run 1, from entry 50 on); nothing depends on their order: read as it is"
    ]
    assert not found.losses[0].is_damage
    assert found.total == sorted_.total
    assert sorted_.losses == ()


def test_two_copies_joined_to_one_file_count_once(fake: FakeReconstruction, tmp_path):
    path = write(tmp_path / "beam.root", [raw_batch(0, 100), raw_batch(0, 100)], [runs_row(), runs_row()])
    result = search(path)
    assert (result.total.counts[0], result.exposure.n_mot(), result.exposure.n_mot_recorded()) == (100, 1000, 1000)


def test_a_lost_chunk_and_duplicates_together_are_not_taken_out_twice(fake: FakeReconstruction, tmp_path):
    first = write_file(tmp_path / "a.root", 100)
    second = write_file(tmp_path / "b.root", 200, first=50, rows=[runs_row(n_mot=2000)])
    result = search([first, second], chunksize=100, maxchunks=1)  # entries 100 to 199 of b are not read, 0 to 49 are in a
    assert result.exposure.n_mot("b") == pytest.approx(2000 * 50 / 200)


def test_simulations_with_the_same_numbers_and_other_seeds_are_not_the_same_events(fake: FakeReconstruction, tmp_path):
    generated = {"n_generated": 60, "sum_weights": 60.0}  # of the whole production
    files = [write_file(tmp_path / f"mc_{seed}.root", 50, truth=True, rows=[runs_row(seed=seed, **generated)]) for seed in (1, 2)]
    result = search(files)
    assert result.total.counts[0] == 100
    assert [x for x in result.losses if x.is_damage] == []
    same = [files[0], write_file(tmp_path / "mc_3.root", 60, truth=True, rows=[runs_row(seed=1, n_mot=70, **generated)])]
    assert search(same).total.counts[0] == 60


def test_events_without_bookkeeping_are_a_loss(fake: FakeReconstruction, tmp_path):
    path = write(tmp_path / "beam.root", [raw_batch(0, 100), raw_batch(100, 40, run=2)], [runs_row(1)])
    result = search(path)
    (loss,) = (x for x in result.losses if x.is_damage)
    assert (loss.kind, loss.reason) == ("bookkeeping", f"{path}: 40 events of run 2, config 1 without a row in 'runs'")
    assert (result.exposure.n_mot(), result.exit_code) == (1000, 3)
    with pytest.raises(InputError, match="without a row"):
        search(path, strict=True)


def test_the_row_of_another_run_stands_for_no_muons_of_this_file(fake: FakeReconstruction, tmp_path):
    path = write(tmp_path / "beam.root", [raw_batch(0, 100)], [runs_row(7)])
    result = search(path)
    (loss,) = (x for x in result.losses if x.is_damage)
    assert loss.kind == "bookkeeping"
    assert (
        "the rows in 'runs' are of other runs (7): its events count in the cut-flow but no muons on target stand behind them" in loss.reason
    )
    assert (result.exposure.n_mot(), result.exit_code) == (0, 3)
    # a run in which nothing was recorded is as good as any
    empty = write(tmp_path / "good.root", [raw_batch(100, 50)], [runs_row(1), runs_row(2)])
    assert search(empty).exposure.n_mot() == 2000


def test_a_file_that_changes_while_it_is_read_is_an_error(fake: FakeReconstruction, tmp_path, monkeypatch):
    path = write_file(tmp_path / "beam.root", 100)

    def rewriting(batch: object, detector: object) -> object:
        write_file(path, 100, rows=[runs_row(n_mot=2)])
        return fake(batch, detector)

    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", rewriting)
    with pytest.raises(InputError, match=r"beam\.root: was changed while it was read, .*: run again"):
        search(path)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 12)), max_size=12), max_size=4))
def test_exactly_the_later_copies_are_found(files):
    sources = []
    for i, events in enumerate(files):
        run, event = (np.array([e[k] for e in events], np.int64) for k in (0, 1))
        sources.append(
            EventSource("d", f"{i}", 0, len(events), True, {}, lambda a, b, r=run, e=event: (r[a:b], e[a:b], np.ones(b - a, np.uint8)))
        )
    excluded, losses = find_duplicates(sources)
    seen: set[tuple[int, int]] = set()
    for i, events in enumerate(files):
        expected = []
        for entry, event in enumerate(events):
            if event in seen:
                expected.append(entry)
            seen.add(event)
        found = excluded[str(i)].entries.tolist() if str(i) in excluded else []
        assert found == expected
    assert any(loss.kind == "duplicate" for loss in losses) == bool(excluded)
