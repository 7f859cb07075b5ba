"""Runs a processor over files: coffea plans the chunks and its executors run them. Nothing is lost silently."""

from __future__ import annotations

from na64mu.execution.run import run_search

__all__ = ("run_search",)
