"""Runs that die and go on: the same result to the last bit, and no result of anything else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from search_examples import FakeReconstruction, hide, plant, raw_batch, runs_row, write_file

from na64mu.errors import CheckpointError, InputError, SelectionError, WorkerError
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import batches as waves
from na64mu.execution.batches import with_retries
from na64mu.execution.checkpoint import Checkpoint
from na64mu.execution.run import forget_checkpoint, run_search
from na64mu.inputs.chunk import key_of_chunk
from na64mu.results.run import RunResult


class Killed(BaseException):
    """Stands for the end of the process: nothing in the package may catch it."""


def content(result: RunResult) -> str:
    import uhi.io.json

    plain = result.to_dict()
    del plain["provenance"], plain["timing"]
    return json.dumps([plain, result.histograms], default=uhi.io.json.default, sort_keys=True)


def weighted_file(path: Path) -> Path:
    batch = raw_batch(0, 400, truth=True)
    batch.scalars["mc_weight"][:] = np.random.default_rng(5).exponential(size=400)
    with RawTreeWriter(path) as writer:
        writer.extend(batch)
        writer.finish([runs_row(n_generated=400)])
    return path


def die_after(n: int, fake: FakeReconstruction, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [n]

    def mortal(batch: object, detector: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return fake(batch, detector)

    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", mortal)


def interrupted(path: Path, out: Path, fake: FakeReconstruction, monkeypatch: pytest.MonkeyPatch, n: int = 4, **options: object) -> None:
    die_after(n, fake, monkeypatch)
    with pytest.raises(Killed):
        run_search(path, chunksize=50, output=out, progress=False, **options)
    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", fake)
    fake.calls.clear()


@pytest.mark.parametrize("n", [0, 1, 4, 7])
def test_a_resumed_run_gives_the_same_bits_and_reads_only_the_rest(fake: FakeReconstruction, tmp_path, monkeypatch, n):
    path = weighted_file(tmp_path / "mc.root")
    whole = run_search(path, chunksize=50, progress=False)
    interrupted(path, tmp_path / "out", fake, monkeypatch, n)
    again = run_search(path, chunksize=50, output=tmp_path / "out", resume=True, progress=False)
    assert content(again) == content(whole)
    assert sum(fake.calls) == {0: 400, 1: 350, 4: 250, 7: 50}[n]  # waves are of 1, 2, 4, ... chunks
    forget_checkpoint(tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_without_resume_a_run_begins_again(fake: FakeReconstruction, tmp_path, monkeypatch):
    path = write_file(tmp_path / "beam.root", 400)
    interrupted(path, tmp_path / "out", fake, monkeypatch)
    run_search(path, chunksize=50, output=tmp_path / "out", progress=False)
    assert sum(fake.calls) == 400


def test_resume_without_anything_kept_begins_at_the_beginning(fake: FakeReconstruction, tmp_path):
    run_search(write_file(tmp_path / "beam.root", 10), output=tmp_path / "out", resume=True, progress=False)
    assert sum(fake.calls) == 10


@pytest.mark.parametrize("what", ["selection", "chunksize", "content", "code", "packages", "files"])
def test_kept_chunks_of_anything_else_are_refused(fake: FakeReconstruction, tmp_path, monkeypatch, what):
    path = write_file(tmp_path / "beam.root", 400)
    interrupted(path, tmp_path / "out", fake, monkeypatch)
    options: dict[str, object] = {"chunksize": 50}
    files: object = path
    if what == "selection":
        options["selection"] = "prl2024-calibration"
        sentence = "another selection, calibration"
    elif what == "chunksize":
        options["chunksize"] = 100
        sentence = "another chunk size"
    elif what == "content":  # same name, entries, size and uuid, another event
        stat = path.stat()
        with path.open("r+b") as stream:
            stream.seek(stat.st_size // 2)
            byte = stream.read(1)
            stream.seek(-1, os.SEEK_CUR)
            stream.write(bytes([byte[0] ^ 1]))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        sentence = "other input files, or files with other content"
    elif what == "code":
        monkeypatch.setattr("na64mu.execution.plan.source_hash", lambda: "another")
        sentence = "another version of the code"
    elif what == "packages":
        monkeypatch.setattr("na64mu.execution.plan.package_versions", lambda: {"numpy": "1.0"})
        sentence = "other versions of numpy"
    else:
        files = [path, write_file(tmp_path / "more.root", 10, first=390, run=2)]
        sentence = "other input files"
    with pytest.raises(CheckpointError, match=rf"finished\.json: the finished chunks are of {sentence}.*: run without --resume"):
        run_search(files, output=tmp_path / "out", resume=True, progress=False, **options)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format_version": 1}', '{"format_version": 0, "identity": {}}', "null", "[" * 5000])
def test_a_damaged_checkpoint_is_refused_in_one_sentence(fake: FakeReconstruction, tmp_path, monkeypatch, text):
    path = write_file(tmp_path / "beam.root", 100)
    kept = tmp_path / "out" / ".checkpoint" / "finished.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(text)
    with pytest.raises(CheckpointError, match=r"the finished chunks cannot be read \(.*\): run without --resume to begin again$") as caught:
        run_search(path, output=tmp_path / "out", resume=True, progress=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("what", ["count", "range", "weight", "event of another run"])
def test_an_edited_checkpoint_is_refused(fake: FakeReconstruction, tmp_path, monkeypatch, what):
    path = write_file(tmp_path / "beam.root", 400)
    interrupted(path, tmp_path / "out", fake, monkeypatch)
    kept = tmp_path / "out" / ".checkpoint" / "finished.json"
    text = kept.read_text()
    head, body = text.split(",\n", 1)
    content = json.loads("{" + body)
    if what == "count":
        content["total"]["datasets"]["beam"]["cutflow"]["steps"][0]["n"] += 1000
    elif what == "range":
        content["n"] += 1
    elif what == "weight":
        content["total"]["datasets"]["beam"]["regions"]["A"]["sumw"] += 1.0
    else:
        content["total"]["events"][0][-1] += 20
    kept.write_text(head + ",\n" + json.dumps(content)[1:])
    with pytest.raises(
        CheckpointError, match=r"cannot be read \(it is not what was written: it was damaged or edited\): run without --resume"
    ):
        run_search(path, chunksize=50, output=tmp_path / "out", resume=True, progress=False)
    kept.write_text(text)
    run_search(path, chunksize=50, output=tmp_path / "out", resume=True, progress=False)


def test_a_checkpoint_is_json_and_nothing_of_the_box_stands_in_it(fake: FakeReconstruction, tmp_path, monkeypatch):
    path = write_file(tmp_path / "beam.root", 400)
    plant(fake.table, 23, e_veto=11.375, e_ecal=0.987654, p_out=43.21)
    texts = []
    for hidden in (True, False):
        if not hidden:
            hide(fake.table, 23)
        out = tmp_path / f"out{hidden}"
        interrupted(path, out, fake, monkeypatch)
        kept = json.loads((out / ".checkpoint" / "finished.json").read_text())
        assert sorted(p.name for p in out.iterdir()) == [".checkpoint"]
        (dataset,) = kept["total"]["datasets"].values()
        assert "box" not in dataset["regions"]
        texts.append(dataset)
    assert texts[0] == texts[1]
    assert "43.21" not in (tmp_path / "outTrue" / ".checkpoint" / "finished.json").read_text()


def test_an_error_of_a_later_wave_leaves_the_earlier_ones(fake: FakeReconstruction, tmp_path, monkeypatch):
    path = write_file(tmp_path / "beam.root", 400)

    def failing(batch: object, detector: object) -> object:
        if len(fake.calls) >= 3:
            msg = "on purpose"
            raise SelectionError(msg)
        return fake(batch, detector)

    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", failing)
    with pytest.raises(SelectionError):
        run_search(path, chunksize=50, output=tmp_path / "out", progress=False)
    kept = json.loads((tmp_path / "out" / ".checkpoint" / "finished.json").read_text())
    assert kept["n"] == 3


def test_a_process_that_is_killed_goes_on(tmp_path, repository):
    """kill -9 in the middle of a real run on the shipped sample, then --resume: the files are those of a run that was let alone."""
    sample = sorted(map(str, (repository / "data" / "sample").glob("*.root")))
    if not sample:
        pytest.skip("data/sample has no files")
    script = (
        "import os, signal, sys, na64mu.execution.batches as w, na64mu.execution.plan as r; w.LARGEST_WAVE = 1; "
        "r.source_hash = lambda: 'these sources'; from na64mu.cli import main; "  # an edit meanwhile is another test
    )
    # it is killed by itself when its second wave is kept: a clock would kill it before the first or after the last one on another machine
    killed = (
        "from na64mu.execution.checkpoint import Checkpoint as c; save = c.save; "
        "c.save = lambda self, n, *rest: (save(self, n, *rest), n > 1 and os.kill(os.getpid(), signal.SIGKILL)); "
    )
    arguments = ["run", *sample, "--chunksize", "200", "-q", "-o", str(tmp_path / "a")]
    kept = tmp_path / "a" / ".checkpoint" / "finished.json"
    first = subprocess.run([sys.executable, "-c", f"{script}{killed}main(sys.argv[1:])", *arguments], check=False)
    assert first.returncode == -signal.SIGKILL
    assert json.loads(kept.read_text())["n"] == 2
    again = subprocess.run([sys.executable, "-c", f"{script}main(sys.argv[1:])", *arguments, "--resume"], check=False)
    assert again.returncode == 0
    assert not kept.exists()
    whole = run_search(sample, chunksize=200, progress=False)
    assert content(RunResult.read(tmp_path / "a")) == content(whole)


def test_chunks_of_addresses_are_tried_again_and_local_ones_are_not():
    calls: list[list[str]] = []

    def run_wave(wave: Any) -> Any:
        calls.append([c.filename for c in wave])
        return {key_of_chunk(c): {"lost": ["x"] if len(calls) < 3 else []} for c in wave if c.filename != "root://h/gone"}

    chunks = [SimpleNamespace(dataset="d", filename=f, entrystart=0, entrystop=1) for f in ("a.root", "root://h/b", "root://h/gone")]
    found = with_retries(run_wave)(chunks)
    assert calls == [["a.root", "root://h/b", "root://h/gone"], ["root://h/b", "root://h/gone"], ["root://h/b", "root://h/gone"]]
    assert {key[1]: value["lost"] for key, value in found.items()} == {"a.root": ["x"], "root://h/b": []}


def lose_chunks(fake: FakeReconstruction, first: set[int], stop: int, broken: type[BaseException] = Killed) -> Any:
    """A reconstruction that cannot read the chunks with the first events `first`, and dies at the chunk with the event `stop`."""

    def failing(batch: Any, detector: object) -> object:
        event = int(batch.scalars["event"][0])
        if event == stop:
            raise broken
        if event in first:
            msg = "damaged"
            raise InputError(msg)
        return fake(batch, detector)

    return failing


@pytest.mark.parametrize("still", [set(), {50}])
def test_resume_tries_lost_chunks_again(fake: FakeReconstruction, tmp_path, monkeypatch, caplog, still):
    path = write_file(tmp_path / "beam.root", 400)
    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", lose_chunks(fake, still, -1))
    whole = run_search(path, chunksize=50, progress=False)
    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", lose_chunks(fake, {0, 50}, 350))
    with pytest.raises(Killed):
        run_search(path, chunksize=50, output=tmp_path / "out", progress=False)
    fake.calls.clear()
    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", lose_chunks(fake, still, -1))
    result = run_search(path, chunksize=50, output=tmp_path / "out", progress=False, resume=True)
    assert content(result) == content(whole)
    assert result.total.counts[0] == 400 - 50 * len(still)
    assert [(loss.entry_start, loss.entry_stop) for loss in result.losses if loss.is_damage] == [(e, e + 50) for e in sorted(still)]
    assert sum(fake.calls) == 50 * (2 - len(still)) + 50  # what was read before is not read again
    words = f"2 chunks were lost before the interruption and were tried again: {2 - len(still)} could be read now, {len(still)} stay lost"
    assert words in caplog.text


def test_a_second_interruption_keeps_what_was_tried_again(fake: FakeReconstruction, tmp_path, monkeypatch):
    path, name = write_file(tmp_path / "beam.root", 400), "na64mu.reconstruction.summary.reconstruct"
    whole = run_search(path, chunksize=50, progress=False)
    # dies at its second chunk of the rest; in the middle of trying again; at the last chunk, with everything read before; never
    for first, stop in (({0, 50}, 250), ({0}, 50), (set(), 350), (set(), -1)):
        monkeypatch.setattr(name, lose_chunks(fake, first, stop))
        if stop >= 0:
            with pytest.raises(Killed):
                run_search(path, chunksize=50, output=tmp_path / "out", progress=False, resume=True)
    result = run_search(path, chunksize=50, output=tmp_path / "out", progress=False, resume=True)
    assert content(result) == content(whole)


def test_a_chunk_that_could_not_be_opened_is_tried_again_and_a_dead_worker_says_so(tmp_path):
    chunks = [SimpleNamespace(dataset="d", filename="f", entrystart=i, entrystop=i + 1) for i in range(4)]
    identity = dict.fromkeys(("code", "packages", "configuration", "inputs", "chunks"), "x")
    Checkpoint(tmp_path, identity).save(3, {"lost": []}, [key_of_chunk(chunks[1])])
    kept = Checkpoint(tmp_path, identity, resume=True)

    def dying(wave: Any) -> Any:
        assert list(wave) == [chunks[1]]
        msg = "a worker died"
        raise WorkerError(msg)

    with pytest.raises(WorkerError, match="a worker died; 3 of 4 chunks are finished and kept: continue with --resume"):
        waves.sum_in_order(chunks, dying, checkpoint=kept)
    calls: list[Any] = []

    def run_wave(wave: Any) -> Any:
        calls.append(list(wave))
        return {key_of_chunk(c): {"lost": []} for c in wave}

    total, gone = waves.sum_in_order(chunks, run_wave, checkpoint=kept)
    assert (calls, total, gone) == ([[chunks[1]], [chunks[3]]], {"lost": []}, [])


def test_results_are_added_in_the_order_of_the_chunks():
    class Piece:
        dataset, filename = "d", "f"

        def __init__(self, start: int) -> None:
            self.entrystart, self.entrystop = start, start + 1

    chunks = [Piece(i) for i in range(7)]

    def run_wave(wave):
        return {waves.key_of_chunk(c): {"names": [c.entrystart]} for c in reversed(list(wave)) if c.entrystart != 4}

    total, gone = waves.sum_in_order(chunks, run_wave, workers=2)
    assert total == {"names": [0, 1, 2, 3, 5, 6]}
    assert gone == [chunks[4]]
