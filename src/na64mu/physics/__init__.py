"""Formulas of the dark-sector signal: pure functions, no input or output."""
