"""Spectrometers, track candidates, field crossing, Kalman fit: from hits to tracks; knows planes and fields, not digits."""

from __future__ import annotations
