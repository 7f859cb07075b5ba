"""Cuts and working points of the search; edit them here."""
