"""Cuts, regions, histograms and working points of the search, and what a user's own file adds to them."""

from __future__ import annotations

from na64mu.selections.cuts import CUTS, Box, CutDefinition, Region, Thresholds, in_box, in_region, register_cut
from na64mu.selections.histograms import Histogram, category, register_histogram
from na64mu.selections.regions import region, register_region
from na64mu.selections.registry import cut
from na64mu.selections.user import load_user_file
from na64mu.selections.working_point import (
    BoundCut,
    Cut,
    WorkingPoint,
    known_working_points,
    load_working_point,
    register_selection,
)

__all__ = (
    "CUTS",
    "BoundCut",
    "Box",
    "Cut",
    "CutDefinition",
    "Histogram",
    "Region",
    "Thresholds",
    "WorkingPoint",
    "category",
    "cut",
    "in_box",
    "in_region",
    "known_working_points",
    "load_user_file",
    "load_working_point",
    "region",
    "register_cut",
    "register_histogram",
    "register_region",
    "register_selection",
)
