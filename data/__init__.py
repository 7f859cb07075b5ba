"""Detector descriptions, calibrations, published numbers and the small sample."""
