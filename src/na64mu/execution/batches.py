"""Batches of chunks: results are added in the order of the chunks, whatever the executor, and every batch can be kept on disk.

The order of the additions is fixed, so sums of weights have the same last bit on every executor and after every resume. The one
exception: chunks that were lost before an interruption are tried again when the run continues, and added after the finished ones.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, MutableMapping, MutableSet, Sequence
from typing import Any

from na64mu.errors import WorkerError
from na64mu.execution.checkpoint import Checkpoint
from na64mu.execution.progress import stage
from na64mu.inputs.chunk import Chunk, ChunkKey, key_of_chunk

__all__ = ("added", "sum_in_order", "with_retries")

log = logging.getLogger(__name__)

#: Waves grow until one takes this long [s]: then the time to write a checkpoint does not count.
WAVE_SECONDS = 15.0
#: Chunks per worker in a wave at most: their results wait in memory.
LARGEST_WAVE = 64

#: How often a chunk is tried again that could not be read from an address (root://, https://); a local read that fails once fails again.
RETRIES = 2

RunWave = Callable[[Sequence[Any]], Mapping["ChunkKey", dict[str, Any]]]


def with_retries(run_wave: RunWave) -> RunWave:
    """Return a function that also retries chunks at remote addresses that could not be read.

    Parameters
    ----------
    run_wave : callable
        Function that runs one batch, as in `sum_in_order`.

    Returns
    -------
    callable
        Function that runs one batch and tries again, as in `sum_in_order`.
    """

    def run(wave: Sequence[Any]) -> Mapping[ChunkKey, dict[str, Any]]:
        found = dict(run_wave(wave))
        for _ in range(RETRIES):
            again = [c for c in wave if "://" in c.filename and found.get(key_of_chunk(c), {"lost": True}).get("lost")]
            if not again:
                break
            found |= run_wave(again)
        return found

    return run


def sum_in_order(
    chunks: Sequence[Any],
    run_wave: RunWave,
    *,
    workers: int = 1,
    checkpoint: Checkpoint | None = None,
    show: bool = False,
) -> tuple[dict[str, Any], list[Any]]:
    """Run chunks wave by wave and add what they return.

    Parameters
    ----------
    chunks : sequence of Chunk
        In the order in which their results are added.
    run_wave : callable
        Takes some chunks, returns the result of each that could be opened.
    workers : int
        Chunks that run at the same time.
    checkpoint : Checkpoint, optional
        Says how many chunks are finished already, and keeps the sum after every wave.
    show : bool
        Whether to draw a progress bar on stderr.

    Returns
    -------
    total : dict
        Sum of the results; empty if there is none.
    gone : list of Chunk
        Chunks without a result.

    Raises
    ------
    WorkerError
        If a worker died; with a checkpoint the message says how to continue.
    """
    at, total, gone_keys = (0, {}, []) if checkpoint is None else checkpoint.load()

    def run(wave: Sequence[Any]) -> Mapping[ChunkKey, dict[str, Any]]:
        try:
            return run_wave(wave)
        except WorkerError as error:
            if checkpoint is None:
                raise
            msg = f"{error}; {at} of {len(chunks)} chunks are finished and kept: continue with --resume"
            raise WorkerError(msg) from error

    total, gone_keys = _lost_again(chunks[:at], run, total, gone_keys, LARGEST_WAVE * workers)
    size = workers
    n_events = sum(_length(c) for c in chunks)
    with stage("run", n_events, "events", done=sum(_length(c) for c in chunks[:at]), show=show) as shown:
        while at < len(chunks):
            wave, begin = chunks[at : at + size], time.perf_counter()
            total = _wave_added(wave, run(wave), total, gone_keys)
            at += len(wave)
            if checkpoint is not None:
                checkpoint.save(at, total, gone_keys)
            shown.advance(sum(_length(c) for c in wave))
            if time.perf_counter() - begin < WAVE_SECONDS / 2:
                size = min(2 * size, LARGEST_WAVE * workers)
    keys = set(gone_keys)
    return total, [c for c in chunks if key_of_chunk(c) in keys]


def _wave_added(
    wave: Sequence[Any], found: Mapping[ChunkKey, dict[str, Any]], total: dict[str, Any], gone: list[ChunkKey]
) -> dict[str, Any]:
    """Return the sum with the results of a wave added; chunks without a result are put into `gone`."""
    for chunk in wave:
        out = found.get(key_of_chunk(chunk))
        if out is None:
            gone.append(key_of_chunk(chunk))
        else:
            total = added(total, out) if total else out
    return total


def added(total: Any, more: Any) -> Any:
    """Add the second result to the first in place: the sums of coffea's `accumulate`, without visiting every key of the first.

    Parameters
    ----------
    total, more : Any
        Dictionaries, sets, or what can be added.

    Returns
    -------
    Any
        Their sum.
    """
    if isinstance(total, MutableMapping):
        for key, value in more.items():
            total[key] = added(total[key], value) if key in total else value
        return total
    if isinstance(total, MutableSet):
        total |= more
        return total
    total += more
    return total


def _lost_again(
    finished: Sequence[Any], run_wave: RunWave, total: dict[str, Any], gone: list[ChunkKey], size: int
) -> tuple[dict[str, Any], list[ChunkKey]]:
    """Try chunks again that were lost before an interruption; the sum and the chunks without a result after it.

    What is kept on disk is not touched before all are tried: an interruption in here leaves them lost, to be tried again.
    """
    lost = {*gone, *((loss.dataset, loss.file, loss.entry_start, loss.entry_stop) for loss in total.get("lost", ()))}
    again = [chunk for chunk in finished if key_of_chunk(chunk) in lost]
    if not again:
        return total, gone
    total = {**total, "lost": []}
    still_gone: list[ChunkKey] = []
    for at in range(0, len(again), size):
        wave = again[at : at + size]
        total = _wave_added(wave, run_wave(wave), total, still_gone)
    n_lost = len(total["lost"]) + len(still_gone)
    log.warning(
        "%d chunks were lost before the interruption and were tried again: %d could be read now, %d stay lost",
        len(again),
        len(again) - n_lost,
        n_lost,
    )
    return total, still_gone


def _length(chunk: Chunk) -> int:
    return int(chunk.entrystop) - int(chunk.entrystart)
