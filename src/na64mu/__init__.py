"""na64mu: open software for the NA64mu dark-sector search at CERN."""

from __future__ import annotations

__all__ = ("__version__",)

__version__ = "0.1.0"
