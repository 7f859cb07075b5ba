"""All figures in one place: `plane`, `plane_before_and_after`, `spectrum` return (figure, axes), `save` writes a PNG file."""

from __future__ import annotations

from na64mu.report.canvas import save
from na64mu.report.plane import plane, plane_before_and_after
from na64mu.report.spectrum import spectrum

__all__ = ("plane", "plane_before_and_after", "save", "spectrum")
