"""Where the cuts lie in the spectra."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from na64mu.report.thresholds import Threshold, thresholds


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("p_in", [Threshold(140.0, 180.0, "cut (i)")]),
        ("n_tracks_ms2", [Threshold(0.5, 1.5, "cut (ii)")]),
        ("n_hits_st1", [Threshold(-inf, 1.5, "cut (iii)")]),
        ("e_hcal_cell", [Threshold(1.0, 4.5, "cut (iii), MIP")]),
        ("e_vhcal", [Threshold(-inf, 2.0, "cut (iv), MIP")]),
        ("p_out", [Threshold(-inf, 80.0, "signal box")]),
        ("e_cal", [Threshold(-inf, 12.0, "signal box")]),
        ("x_s4", []),
    ],
)
def test_thresholds(result, column, expected):
    assert thresholds(result, column) == expected


def test_edges_are_the_finite_limits():
    assert Threshold(-inf, 2.0, "").edges == (2.0,)
    assert Threshold(1.0, 2.0, "").edges == (1.0, 2.0)


def test_windows_of_two_detectors_are_told_apart_only_where_they_differ(result):
    first = result.windows["na64mu-2022"]
    both = replace(result, windows={"na64mu-2022": first, "other": first | {"e_ecal": (0.3, 0.9)}})
    assert [t.label for t in thresholds(both, "e_ecal")] == ["cut (iv), MIP, na64mu-2022", "cut (iv), MIP, other"]
    assert [t.label for t in thresholds(both, "e_hcal1")] == ["cut (iv), MIP"]
