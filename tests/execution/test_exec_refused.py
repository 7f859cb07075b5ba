"""Events with faults in a run: refused, counted, named, taken out of the exposure, and the sum of every file adds up."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from search_examples import FakeReconstruction, raw_batch, runs_row, write_file

import na64mu
from na64mu.cli import main
from na64mu.errors import InputError
from na64mu.events.nanoevents import open_events
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import run_search
from na64mu.execution.checkpoint import END_OF_SEAL, FOLDER
from na64mu.execution.options import RunOptions
from na64mu.execution.skim import skim
from na64mu.inputs.duplicates import Excluded
from na64mu.inputs.refused import must_add_up
from na64mu.results.run import RunResult

EMPTY = (10, 11, 399)


def faulty(path: Path, *, n: int = 400, run: int = 1, events: tuple[int, ...] = EMPTY, truth: bool = False) -> Path:
    """A file in which some events have a trigger of the beam and no digit."""
    batch = raw_batch(0, n, run=run, truth=truth)
    batch.scalars["trigger"][list(events)] = 1
    with RawTreeWriter(path) as writer:
        writer.extend(batch)
        writer.finish([runs_row(run, **({"n_generated": n, "sum_weights": float(n)} if truth else {}))])
    return path


def search(files: object, **options: Any) -> RunResult:
    return run_search(files, progress=False, **options)


def physics(result: RunResult) -> dict[str, Any]:
    content = result.to_dict()
    del content["provenance"], content["timing"]
    return content


def test_refused_events_are_named_and_lower_the_exposure(fake: FakeReconstruction, tmp_path):
    result = search(faulty(tmp_path / "beam.root"))
    (loss,) = result.losses
    assert (loss.kind, loss.is_damage) == ("refused", True)
    assert loss.reason == (
        f"{tmp_path / 'beam.root'}: 3 events with a trigger of the beam counters have no digit in any collection "
        "(run 1 event 10; run 1 event 11; run 1 event 399): refused, which lowers the exposure of the run in proportion"
    )
    (run,) = result.exposure.runs
    assert (run.events_read, run.events_lost) == (397, 3)
    assert run.n_mot_read == pytest.approx(1000 * 397 / 400)
    assert result.cutflows["beam"].steps[0].n == 397
    assert sum(fake.calls) == 397


@pytest.mark.parametrize("options", [{"chunksize": 7}, {"chunksize": 100}])
def test_it_does_not_matter_how_the_job_runs(fake: FakeReconstruction, tmp_path, options):
    path = faulty(tmp_path / "beam.root")
    whole, other = physics(search(path)), physics(search(path, align_clusters=False, **options))
    other["losses"] = [loss for loss in other["losses"] if loss["kind"] != "note"]  # that checksums are of larger parts than the chunks
    assert other == whole


def test_a_file_without_a_good_event_is_no_result(fake: FakeReconstruction, tmp_path):
    path = faulty(tmp_path / "beam.root", n=5, events=(0, 1, 2, 3, 4))
    with pytest.raises(InputError, match=r"no input can be read:\n.*5 events with a trigger of the beam counters have no digit"):
        search(path)
    other = write_file(tmp_path / "good.root", 50, run=2)
    result = search([path, other])
    assert [(r.run, r.n_mot_read) for r in result.exposure.runs] == [(1, 0.0), (2, 1000.0)]


def test_a_refused_event_that_is_in_two_files_is_counted_once(fake: FakeReconstruction, tmp_path):
    first, second = faulty(tmp_path / "a.root"), faulty(tmp_path / "b.root", events=(10, 20))
    result = search([first, second])
    assert [loss.kind for loss in result.losses if loss.kind != "note"] == ["duplicate", "refused"]
    assert sum(run.events_read for run in result.exposure.runs) == 397
    assert sum(run.n_mot_read for run in result.exposure.runs) == pytest.approx(1000 * 397 / 400)


def test_resumed_runs_keep_what_was_refused(fake: FakeReconstruction, tmp_path, monkeypatch):
    path, out = faulty(tmp_path / "beam.root"), tmp_path / "out"
    whole = search(path, chunksize=100, align_clusters=False)
    monkeypatch.setattr("na64mu.execution.batches.LARGEST_WAVE", 1)
    calls = []

    def stops(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return reconstruction(*args)

    reconstruction = fake.__class__.__call__.__get__(fake)
    with monkeypatch.context() as patch:
        patch.setattr("na64mu.reconstruction.summary.reconstruct", stops)
        with pytest.raises(KeyboardInterrupt):
            search(path, chunksize=100, align_clusters=False, output=out)
    resumed = search(path, chunksize=100, align_clusters=False, output=out, resume=True)
    assert physics(resumed) == physics(whole)


def test_a_changed_count_of_kept_chunks_stops_the_run(fake: FakeReconstruction, tmp_path):
    path, out = faulty(tmp_path / "beam.root"), tmp_path / "out"
    search(path, chunksize=100, align_clusters=False, output=out)
    (kept,) = (out / FOLDER).glob("*.json")
    head, _, body = kept.read_bytes().partition(END_OF_SEAL)
    content = json.loads(b"{" + body)
    content["total"]["events"][0][-1] += 1000
    body = json.dumps(content).encode()[1:]
    seal = json.loads(head + b"}") | {"sha256": hashlib.sha256(body).hexdigest()}
    kept.write_bytes(json.dumps(seal).encode()[:-1] + END_OF_SEAL + body)
    with pytest.raises(InputError, match=r"1400 of its events were counted, 400 of its entries were read: what was kept of an earlier run"):
        search(path, chunksize=100, align_clusters=False, output=out, resume=True)


def test_every_file_must_add_up():
    class File:
        dataset, path = "beam", "beam.root"

    where = ("beam", "beam.root")
    out = {"events": {(*where, 1, 1): 90}, "refused": {(*where, 1, 1): 8}}
    excluded = {"beam.root": Excluded(np.array([3, 150]))}
    must_add_up([File], out, {where: (((0, 99),), ((99, 200),))}, excluded)
    with pytest.raises(InputError, match=r"^beam.root: 98 of its events were counted, 99 of its entries were read: what was kept"):
        must_add_up([File], out, {where: (((0, 100),), ((100, 200),))}, excluded)


def test_own_processors_are_given_good_events_only(fake: FakeReconstruction, tmp_path):
    result = na64mu.run(faulty(tmp_path / "beam.root"), lambda s: len(s["run"]), options=RunOptions(progress=False, chunksize=90))
    assert result.exposure.runs[0].events_read == 397
    assert result.losses[0].kind == "refused"
    assert result.exit_code == 3


def test_summaries_of_refused_events_have_the_exposure_of_a_run(fake: FakeReconstruction, tmp_path):
    path = faulty(tmp_path / "beam.root")
    done = CliRunner().invoke(main, ["reconstruct", str(path), "-o", str(tmp_path / "s.parquet")])
    assert done.exit_code == 3
    assert "3 events with a trigger of the beam counters have no digit" in done.output
    assert search(tmp_path / "s.parquet").exposure.n_mot() == pytest.approx(search(path).exposure.n_mot())


def test_a_skim_writes_faults_as_they_are_and_says_so(tmp_path, caplog):
    path = faulty(tmp_path / "beam.root", n=30, events=(4,))
    with caplog.at_level(logging.WARNING):
        assert skim(path, tmp_path / "fast.root") == (30, 30)
    assert "have no digit" in caplog.text or "has no digit in any collection (run 1 event 4): written as it is" in caplog.text


def test_display_does_not_draw_a_refused_event(tmp_path):
    path = faulty(tmp_path / "beam.root", n=5, events=(4,))
    done = CliRunner().invoke(main, ["display", str(path), "--event", "4", "-o", str(tmp_path / "e.png")])
    assert done.exit_code == 1
    assert "entry 4: 1 event with a trigger of the beam counters has no digit in any collection" in done.output


def test_opened_events_with_faults_pass_no_cut(tmp_path, caplog):
    path = faulty(tmp_path / "mc.root", n=5, events=(3,), truth=True)  # of data, events without p_out are withheld
    with caplog.at_level(logging.WARNING):
        summary = na64mu.reconstruct(open_events(path), "g4raw-indep-1")
    assert "has no digit in any collection (run 1 event 3): their numbers are NaN" in caplog.text
    assert np.isnan(summary["e_cal"]).tolist() == [False, False, False, True, False]
    assert summary["event"].tolist() == [0, 1, 2, 3, 4]
    data = faulty(tmp_path / "beam.root", n=5, events=(3,))
    assert 3 not in na64mu.reconstruct(open_events(data), "g4raw-indep-1")["event"]
