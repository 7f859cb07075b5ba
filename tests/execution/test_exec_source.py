"""Raw trees and event summaries are two sources with one protocol: a run knows no other difference between them."""

from __future__ import annotations

import numpy as np
from search_examples import FakeReconstruction, write_file

import na64mu
from na64mu.execution.job import Job, process
from na64mu.execution.options import RunOptions
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.inputs.raw_fileset import inspect_files
from na64mu.inputs.source import RawSource, SummarySource, source_of
from na64mu.inputs.summary_fileset import inspect_summaries
from na64mu.processors.base import columns_of
from na64mu.processors.own import OwnProcessor
from na64mu.selections.blinding import BlindingPolicy


def events(summary):
    return {"event": sorted(summary["event"].tolist())}


def test_both_give_the_same_events_chunks_and_muons(fake: FakeReconstruction, tmp_path):
    path, point = write_file(tmp_path / "beam.root", 400), na64mu.load_working_point("prl2024")
    reconstruct_files(path, tmp_path / "s.root")
    raw = source_of(inspect_files(path), layout=None, columns=())
    rows = source_of(
        inspect_summaries(tmp_path / "s.root", detector=None, working_point=point),
        layout=None,
        columns=columns_of(events),
    )
    assert (type(raw), type(rows)) == (RawSource, SummarySource)
    assert (raw.is_raw, rows.is_raw) == (True, False)
    job, found = Job("iterative", RunOptions(progress=False, chunksize=150)), []
    for source in (raw, rows):
        assert (source.datasets, tuple(source.detectors)) == (("beam",), ("g4raw-indep-1",))
        assert [stop - start for ranges in source.rows.values() for start, stop in ranges] == [400]
        own = OwnProcessor(events, source.detectors, BlindingPolicy.of(point, source.files, source.detectors), source.left_to_the_processor)
        out, ranges, _ = process(source, own, job)
        assert [unread for _, unread in ranges.values()] == [()]
        exposure, losses = source.books(out["events"], {key: unread for key, (_, unread) in ranges.items()}, out.get("refused"))
        assert losses == []
        found.append((sorted(out["datasets"]["beam"]["value"]["event"]), exposure.n_mot(), sum(out["events"].values())))
    assert found[0] == found[1] == (list(range(400)), 1000.0, 400)


def test_what_is_left_out_lowers_the_muons_of_both(fake: FakeReconstruction, tmp_path):
    path, point = write_file(tmp_path / "beam.root", 400), na64mu.load_working_point("prl2024")
    reconstruct_files(path, tmp_path / "s.root")
    summaries = SummarySource(inspect_summaries(tmp_path / "s.root", detector=None, working_point=point), ("run", "config"))
    for source in (RawSource(inspect_files(path)), summaries):
        (key,) = source.rows
        exposure, _ = source.books({(*key, 1, 1): 100}, {key: ((100, 400),)})
        np.testing.assert_allclose(exposure.n_mot(), 250.0)
