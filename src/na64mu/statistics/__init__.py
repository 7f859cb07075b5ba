"""Statistics: the counting model of the two trigger configurations, limits by two methods, and their publication."""

from __future__ import annotations

from na64mu.statistics.letter import letter_model
from na64mu.statistics.limits import Limits, LimitScan, limit_scan, upper_limits
from na64mu.statistics.model import CountingModel, Systematic

__all__ = ("CountingModel", "LimitScan", "Limits", "Systematic", "letter_model", "limit_scan", "upper_limits")
