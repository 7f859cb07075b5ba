"""A file over 2 GB: offsets no longer fit in 32 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from raw_tree_examples import assert_same

from na64mu.events.batch import RawBatch
from na64mu.events.checker import check_file
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import run_search
from na64mu.execution.skim import selected

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "calibration_1.root"
SIZE = 2_200_000_000


def renumbered(batch: RawBatch, first: int) -> RawBatch:
    return RawBatch(batch.scalars | {"event": np.arange(first, first + len(batch), dtype=np.uint64)}, batch.collections)


@pytest.mark.slow
def test_events_behind_two_gigabytes(tmp_path, monkeypatch):
    """Written without compression, read and compared at the beginning, around the border and at the end; damage behind the border is found."""
    recreate = uproot.recreate
    monkeypatch.setattr("uproot.recreate", lambda path, **options: recreate(path, **(options | {"compression": None})))
    path, batch = tmp_path / "large.root", read_batch(SAMPLE)
    with RawTreeWriter(path) as writer:
        while writer.n_events == 0 or writer._temporary.stat().st_size < SIZE:
            writer.extend(renumbered(batch, writer.n_events))
        writer.finish(read_runs(SAMPLE))
        n = writer.n_events
    with uproot.open(path) as file:
        branch = file["events"]["mm_q1"]
        seeks = branch.member("fBasketSeek")[: branch.num_baskets].tolist()
        assert (file["events"].num_entries, file.file.fEND > 2**31) == (n, True)
        assert seeks[0] < 2**31 < seeks[-1]
        borders = branch.entry_offsets
    border = int(borders[int(np.argmax(np.array(seeks) > 2**31))])
    for start in (0, border - 500, n - 1000):
        expected = [renumbered(batch, first) for first in range(start // len(batch) * len(batch), start + 1000, len(batch))]
        first = start // len(batch) * len(batch)
        for i, piece in enumerate(expected):
            low, high = max(start, first + i * len(batch)), min(start + 1000, first + (i + 1) * len(batch))
            inside = np.arange(len(batch))
            kept = (inside >= low - first - i * len(batch)) & (inside < high - first - i * len(batch))
            assert_same(read_batch(path, low, high), selected(piece, kept))
    harm(path, seeks[-1] + 1000)
    found = [(f.branch, f.entries[0]) for f in check_file(path).findings if f.code == "checksum"]
    assert found == [("mm_q1", borders[-2])]
    result = run_search(path, progress=False)
    (loss,) = result.losses
    assert (loss.entry_start in borders, loss.entry_start <= borders[-2], loss.entry_stop) == (True, True, n)
    assert result.total.counts[0] == loss.entry_start
    path.unlink()
    assert result.exposure.n_mot() == pytest.approx(sum(row["n_mot"] for row in read_runs(SAMPLE)) * loss.entry_start / n)


def harm(path: Path, where: int) -> Any:
    """Flip one bit."""
    with path.open("r+b") as stream:
        stream.seek(where)
        byte = stream.read(1)[0]
        stream.seek(where)
        stream.write(bytes([byte ^ 1]))
