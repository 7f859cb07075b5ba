"""The memory of a worker: chunks are made to fit, and what does not fit is listed, on every executor."""

from __future__ import annotations

import os
import resource
import signal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from search_examples import FakeReconstruction, write_file

from na64mu.cli import main
from na64mu.errors import InputError, WorkerError
from na64mu.execution import run_search
from na64mu.execution.executors import open_executor
from na64mu.inputs import memory
from na64mu.inputs.chunk_errors import guarded, worker_errors
from na64mu.inputs.memory import BASE, at_most, chunksize_within, size_of, text_of

needs_linux = pytest.mark.skipif(memory._sizes() is None, reason="the system does not tell how large a process is")
CHUNK = SimpleNamespace(dataset="d", filename="f.root", entrystart=10, entrystop=20)


def file_of(bytes_per_event: float, basket: int = 1000) -> Any:
    return SimpleNamespace(path="f.root", bytes_per_event=bytes_per_event, basket_bytes=basket * bytes_per_event)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2 * 10**9), ("1.5 GiB", 3 * 2**29), ("800M", 8 * 10**8), ("1000000", 10**6), (" 3 kb ", 3000), ("1TiB", 2**40)],
)
def test_sizes(text, size):
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "2 GHz", "1e9", "nan", "2GB2"])
def test_what_is_no_size(text):
    with pytest.raises(InputError, match="a size such as 2GB or 800MB is wanted"):
        size_of(text)


def test_sizes_as_they_are_printed():
    assert (text_of(1_500_000_000), text_of(470_000_000)) == ("1.5 GB", "470 MB")


@given(st.integers(BASE + 2 * 10**8, 10**11), st.integers(1, 10**6), st.floats(1, 50_000), st.integers(1, 1000))
def test_a_chunk_fits_and_is_no_larger_than_asked_for(limit, chunksize, bytes_per_event, cluster):
    found = chunksize_within(limit, chunksize, [file_of(bytes_per_event, cluster), file_of(1.0)])
    assert 1 <= found <= chunksize
    unpacking = memory.UNPACKING * cluster * bytes_per_event
    assert BASE + unpacking + memory.FACTOR * memory.ROUNDING * found * bytes_per_event <= limit * (1 + 1e-12)
    if found < chunksize:
        assert BASE + unpacking + memory.FACTOR * memory.ROUNDING * (found + 1) * bytes_per_event > limit * (1 - 1e-12)


def test_a_limit_below_a_single_event_is_refused():
    with pytest.raises(
        InputError, match=r"--memory 400 MB: a worker needs 550 MB before the first event of f\.root, whose baskets have 100 MB"
    ):
        chunksize_within(400_000_000, 100, [file_of(100_000.0)])


@needs_linux
def test_more_than_the_limit_is_a_memory_error_and_afterwards_there_is_none():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resident, _ = memory._sizes() or (0, 0)
    with at_most(resident + 10**9), pytest.raises(MemoryError):
        np.ones(2 * 10**9, np.uint8)
    with at_most(resident + 10**9):
        assert len(np.ones(10**7, np.uint8)) == 10**7
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    with pytest.raises(MemoryError, match=r"this process has [\d.]+ [MG]B already"), at_most(resident // 2):
        pass  # too large from the beginning


@pytest.mark.parametrize(
    ("limit", "sentence"), [(None, "more memory than there is"), (10**12, "more memory than the 1000.0 GB of --memory")]
)
def test_a_chunk_that_needs_too_much_is_a_loss(limit, sentence):
    def work() -> dict[str, Any]:
        raise MemoryError

    (loss,) = guarded(CHUNK, work, limit)["chunks"]["d", "f.root", 10, 20]["lost"]
    assert (loss.kind, loss.entry_start, loss.entry_stop, loss.is_damage) == ("chunk", 10, 20, True)
    assert f"f.root: entries 10 to 19 are lost: they need {sentence}; take a smaller --chunksize" in loss.reason


@needs_linux
def test_a_run_lists_the_chunk_and_lowers_the_muons(fake: FakeReconstruction, tmp_path, monkeypatch):
    def greedy(batch: Any, detector: object) -> Any:
        if batch.scalars["event"][0] == 200 and len(batch) > 1:
            np.ones(20 * 10**9, np.uint8)
        return fake(batch, detector)

    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", greedy)
    path = write_file(tmp_path / "beam.root", 400)
    result = run_search(path, progress=False, chunksize=200, memory="10GB")
    (loss, _) = result.losses  # the other one is the note on checksums of clusters larger than chunks
    assert "entries 200 to 399 are lost: " in loss.reason
    assert "more memory than the 10.0 GB of --memory" in loss.reason
    assert (result.total.counts[0], result.exposure.n_mot(), result.exit_code) == (200, 500, 3)
    with pytest.raises(InputError, match="more memory than"):
        run_search(path, progress=False, chunksize=200, memory="10GB", strict=True)
    monkeypatch.setattr(memory, "FACTOR", 1e6)
    assert 1 <= run_search(path, progress=False, memory="10GB").provenance.chunksize < 200


def test_the_command_line_says_what_is_wrong(tmp_path):
    done = CliRunner().invoke(main, ["run", str(write_file(tmp_path / "a.root", 10)), "--memory", "10MB", "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "--memory 10 MB: a worker needs 350 MB before the first event of" in done.stderr.replace("\n", " ")


@needs_linux
@pytest.mark.parametrize("name", ["futures", "dask"])
def test_on_workers_it_is_a_loss_and_a_worker_that_dies_one_sentence(name):
    if name == "dask":
        pytest.importorskip("distributed")
    limit = 10**9

    def greedy(chunk: Any) -> dict[str, Any]:  # nested, so that it travels by value
        return guarded(chunk, lambda: {"n": len(np.ones(3 * 10**9, np.uint8))}, limit)

    def dying(chunk: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with open_executor(name, 1, None, limit) as executor:
        out = executor([CHUNK], greedy, {})[0]
        assert "of --memory" in out["chunks"]["d", "f.root", 10, 20]["lost"][0].reason
        with (
            pytest.raises(WorkerError, match=r"^a worker died \(.*; it may have run out of memory: use a smaller --chunksize"),
            worker_errors(),
        ):
            executor([CHUNK], dying, {})
