"""The part of the report on every event of an opened box: what it shows is what reconstruction and cuts say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from na64mu.data import sample_files
from na64mu.detector import load_detector
from na64mu.errors import InputError
from na64mu.events.batch import RawBatch
from na64mu.events.reader import read_batch
from na64mu.events.schema_v1 import TRUTH
from na64mu.reconstruction.summary import reconstruct
from na64mu.report.candidates import candidate_cells, candidates_html
from na64mu.report.html import SECTIONS
from na64mu.results.box_events import BoxEvent
from na64mu.results.candidates import CANDIDATES, candidate_of, candidates_text, read_candidates

TAG = "na64mu-2022"


@pytest.fixture(scope="module")
def found():
    """A Z' event that passes all cuts but the last at least, as data have it, and its summary."""
    path = next(p for p in sample_files() if Path(p).stem == "zprime_100MeV_1")
    batch, detector = read_batch(path), load_detector(TAG)
    summary = reconstruct(batch, detector)
    good = (summary["p_out"] < 80) & (summary["e_cal"] < 12) & (summary["n_tracks_ms1"] == 1) & (summary["n_tracks_ms2"] == 1)
    i = int(np.flatnonzero(good & (np.abs(summary["p_in"] - 160) < 20))[0])
    one = batch.piece(i, i + 1)
    event = RawBatch({name: column for name, column in one.scalars.items() if name not in TRUTH}, one.collections)
    return event, candidate_of(event, "physics", "run1.root", TAG), {name: column[i] for name, column in summary.items()}


@pytest.fixture
def opened(result, found):
    _, candidate, row = found
    in_box = {"physics": (BoxEvent(int(row["run"]), int(row["event"]), 1, row["p_in"], row["p_out"], row["e_cal"], passes=True),)}
    setup = {"detectors": {TAG: load_detector(TAG).model_dump(mode="json")}, "calibrations": {}}
    return replace(result, candidates=(candidate,), setup=setup, in_box=in_box)


def test_a_candidate_is_kept_as_it_was_recorded(found, tmp_path):
    event, candidate, _ = found
    (tmp_path / CANDIDATES).write_text(candidates_text([candidate, candidate]))
    again, _ = read_candidates(tmp_path)
    assert again == candidate
    batch = again.batch()
    assert batch.scalars == event.scalars
    for name, collection in event.collections.items():
        for field, column in collection.fields.items():
            assert batch.collections[name][field].dtype == column.dtype
            assert (batch.collections[name][field] == column).all()
    assert read_candidates(tmp_path / "nowhere") == ()
    (tmp_path / CANDIDATES).write_text("{}")
    with pytest.raises(InputError, match="open the box again"):
        read_candidates(tmp_path)


def test_the_tables_are_those_of_reconstruction_and_cuts(opened, found):
    event, candidate, row = found
    detector = load_detector(TAG)
    cuts, tracks, energies, hits = candidate_cells(opened, candidate, event, detector)
    assert [r[0] for r in cuts.rows][:-1] == [cut.label for cut in opened.working_point.cuts]
    assert {r[3] for r in cuts.rows[:4]} == {"passes"}
    assert f"p_in {row['p_in']:.4g}" in cuts.rows[1][1]
    assert "centre 160.0" in cuts.rows[1][2]
    assert cuts.rows[-1][0] == "signal box"
    assert cuts.rows[-1][3] == "in the box"
    assert [r[0] for r in tracks.rows] == ["MS1 1", "MS2 1"]
    assert tracks.rows[1][1].startswith(f"{row['p_out']:.2f} \u00b1 {row['p_out_error']:.2f}")
    assert "kink" in tracks.note
    sums = {r[0]: r[1] for r in energies.rows}
    assert sums["e_cal"] == f"{row['e_cal']:.4g} GeV"
    assert any(r[0] == "counter" and "id" in r[3] for r in energies.rows)
    assert {r[0].split()[0] for r in hits.rows} == {"MS1", "MS2"}
    assert sum(int(r[2]) > 0 for r in hits.rows) > 10


def test_a_cut_that_fails_says_so(opened, found):
    event, candidate, _ = found
    narrow = {TAG: {name: (low, 1e-6) for name, (low, _) in opened.windows[TAG].items()}}
    cuts = candidate_cells(replace(opened, windows=narrow), candidate, event, load_detector(TAG))[0]
    assert [r[3] for r in cuts.rows[-3:-1]] == ["FAILS", "FAILS"]
    assert "e_vhcal -inf to 1e-06" in cuts.rows[-2][2]


def test_the_page_has_a_picture_of_every_candidate(opened):
    page = candidates_html(opened)
    assert page.count("data:image/png;base64,") == 1
    name = f"run {opened.candidates[0].scalars['run']}, event {opened.candidates[0].scalars['event']}"
    assert f"{name}, configuration 1 (physics)" in page
    assert "1 events in the box before the plane cut" in page
    assert "Candidates" in [section.heading for section in SECTIONS]


def test_a_shut_box_has_no_candidates(result, blinded_result):
    assert candidates_html(result) == candidates_html(blinded_result) == ""
