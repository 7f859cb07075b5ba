"""Alignment and calibration of the trackers with tracks: global chi2 of positions and rotations, drift relation, resolutions, efficiencies, noise."""

from __future__ import annotations
