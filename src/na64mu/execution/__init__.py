"""Running a processor over files: the one wrapper around coffea's Runner. Nothing is lost silently."""

from __future__ import annotations

from na64mu.execution.run import run_search

__all__ = ("run_search",)
