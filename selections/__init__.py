"""Cuts and working points of the search."""

from __future__ import annotations

from na64mu.selections.cuts import CUTS, CutDefinition, Thresholds, in_box, in_region, register_cut
from na64mu.selections.user import load_user_file
from na64mu.selections.working_point import BoundCut, WorkingPoint, known_working_points, load_working_point

__all__ = (
    "CUTS",
    "BoundCut",
    "CutDefinition",
    "Thresholds",
    "WorkingPoint",
    "in_box",
    "in_region",
    "known_working_points",
    "load_user_file",
    "load_working_point",
    "register_cut",
)
