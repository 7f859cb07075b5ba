"""Digits to clusters, track candidates, Kalman fit and momentum; cells to energies; the event summary."""

from __future__ import annotations
