"""Outlines of regions against areas known from geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from na64mu.report.regions import area, outline
from na64mu.selections.cuts import Region, in_region
from na64mu.selections.working_point import load_working_point

VIEW = (0.0, 200.0)


def region(**limits: float) -> Region:
    return Region(name="X", title="x", source="inferred: test", **limits)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 200.0 * 200.0),
        ({"p_out_min": 100.0, "e_cal_max": 12.0}, 100.0 * 12.0),
        ({"total_max": 120.0}, 0.5 * 120.0**2),
        ({"total_min": 300.0}, 0.5 * 100.0**2),
        ({"p_out_max": 100.0, "e_cal_min": 12.0, "total_max": 120.0}, 100.0 * 0.5 * (108.0 + 8.0)),
        ({"p_out_min": 250.0}, 0.0),
    ],
)
def test_area(limits, expected):
    assert area(outline(region(**limits), VIEW, VIEW)) == pytest.approx(expected)


def test_the_letters_regions_and_the_box_cover_the_view_but_the_strip_between():
    point = load_working_point("prl2024")
    covered = sum(area(outline(r, VIEW, VIEW)) for r in point.regions) + point.box.p_out_max * point.box.e_cal_max
    strip = (100.0 - point.box.p_out_max) * point.box.e_cal_max
    assert covered + strip == pytest.approx(200.0 * 200.0)


@settings(max_examples=60, derandomize=True)
@given(p=st.floats(1.0, 199.0), e=st.floats(1.0, 199.0))
def test_a_point_is_inside_the_outline_exactly_if_it_is_in_the_region(p, e):
    for r in load_working_point("prl2024").regions:
        corners = outline(r, VIEW, VIEW)
        edges = (12.0, 100.0, 120.0)
        if min(abs(v - x) for v in (p, e, p + e) for x in edges) < 1e-6:
            continue
        events = {"p_out": np.array([p]), "e_cal": np.array([e])}
        assert Outline(corners).contains_point((p, e)) == bool(in_region(events, r)[0])
