"""coffea processors: what a physicist reads and edits first."""

from __future__ import annotations

from na64mu.processors.base import Processor
from na64mu.processors.search import SearchProcessor

__all__ = ("Processor", "SearchProcessor")
