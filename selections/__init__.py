"""Cuts and working points of the search."""

from __future__ import annotations

from na64mu.selections.cuts import CUTS, in_box, in_region
from na64mu.selections.working_point import BoundCut, WorkingPoint, known_working_points, load_working_point

__all__ = ("CUTS", "BoundCut", "WorkingPoint", "in_box", "in_region", "known_working_points", "load_working_point")
