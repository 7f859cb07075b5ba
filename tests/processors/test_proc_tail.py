from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_proc_search import POINT, TAG, WINDOWS, summary_of

from na64mu.detector import load_detector
from na64mu.processors import SearchProcessor
from na64mu.processors.tail import momentum_tail
from na64mu.results.clock import Clock
from na64mu.selections.blinding import BlindingPolicy
from na64mu.selections.cuts import MomentumWindow

P_IN = MomentumWindow(centre=160.0, half_width=12.2)


def fill(**columns):
    n = len(columns["p_out"])
    summary = summary_of(n, truth=True, **columns)
    masks = {"single_tracks": summary["n_tracks_ms2"] == 1}
    return momentum_tail(summary, masks, np.ones(n, bool), np.full(n, 0.5), WINDOWS, p_in=P_IN)


def searched(summary):
    where = {"dataset": "d", "filename": "f.root", "detector": TAG, "entrystart": 0}
    policy = replace(BlindingPolicy.of(POINT), data={"f.root": "mc_process" not in summary})  # in place of the bookkeeping of a file
    processor = SearchProcessor({TAG: load_detector(TAG)}, {TAG: WINDOWS}, POINT, policy=policy)
    return processor.analyse(summary, where, Clock())["datasets"]["d"]


def test_the_window_is_two_standard_deviations_of_the_beam():
    assert (POINT.tail.centre, POINT.tail.half_width) == (160.0, pytest.approx(2 * 0.038 * 160, abs=0.05))


def test_the_window_is_that_of_the_working_point():
    narrow = POINT.changed(tail=POINT.tail.model_copy(update={"half_width": 1.0}))
    assert narrow.hash != POINT.hash
    summary = summary_of(2, truth=True, p_out=[150, 150], p_in=[160, 163])
    where = {"dataset": "d", "filename": "f.root", "detector": TAG, "entrystart": 0}
    for point, n in ((POINT, 2), (narrow, 1)):
        policy = replace(BlindingPolicy.of(point), data={"f.root": False})
        processor = SearchProcessor({TAG: load_detector(TAG)}, {TAG: WINDOWS}, point, policy=policy)
        found = processor.analyse(summary, where, Clock())["datasets"]["d"]
        assert found["histograms"]["momentum_tail"]["physics", :].variances().sum() == 0.25 * n


def test_muons_that_ionise_and_only_these_are_counted_by_trigger():
    histogram, outside = fill(
        p_out=[100.2, 100.2, 100.2, 100.2, np.nan, 100.2],
        p_in=[160, 173, 160, 160, 160, 150],
        e_ecal=[2, 2, 9, 2, 2, 2],
        n_tracks_ms2=[1, 1, 1, 2, 1, 1],
        trigger=[3, 3, 3, 3, 3, 1],
    )
    assert histogram["calibration", 100.2j].value == 1.0
    assert histogram["physics", 100.2j].value == 0.5
    assert histogram.values(flow=True).sum() == 1.5
    assert outside == 1


def test_the_search_fills_it():
    found = searched(summary_of(3, truth=True, p_out=[150, 120, 90]))
    assert found["histograms"]["momentum_tail"]["physics", :].values().sum() == 1.5
    assert found["outside"]["momentum_tail"] == 0


def test_blinded_events_are_not_in_it():
    found = searched(summary_of(3, truth=False, p_out=[150, 79, 81]))
    assert found["histograms"]["momentum_tail"].values(flow=True).sum() == 2


def test_muons_whose_photon_is_seen_behind_the_ecal_are_told_apart():
    found = searched(summary_of(3, truth=True, p_out=[150, 120, 90], e_cal=[6, 6, 70]))["histograms"]
    assert found["momentum_tail"]["physics", :].values().sum() == 1.5
    assert found["momentum_tail_below_e_cal"]["physics", :].values().sum() == 1.0
    assert found["momentum_tail_below_e_cal"]["physics", 90j].value == 0.0
