"""Digitisers: for every kind of readout, how crossings of particles become digits.

A kind is a collection of the raw tree. A further one is a module here, or a file of one's own, that calls `register_digitiser`.
"""

from __future__ import annotations

from na64mu.common.modules import import_modules
from na64mu.simulation.digitisers.digitiser import DIGITISERS, Crossings, Digitiser, register_digitiser

__all__ = ("DIGITISERS", "Crossings", "Digitiser", "register_digitiser")

import_modules(__name__, __path__)
