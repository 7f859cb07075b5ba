"""Masses at which tables on the terminal and in the report give limits; apart, so that a report without limits imports nothing of them."""

from __future__ import annotations

__all__ = ("TABLE_MASSES",)

#: Masses of the table on the terminal [GeV].
TABLE_MASSES = (0.010, 0.040, 0.100, 0.500, 1.0)
