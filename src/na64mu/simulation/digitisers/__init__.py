"""Digitisers: for every kind of readout, how crossings of particles become digits.

A kind is a collection of the raw tree. A further one is a module here and an entry of DIGITISERS, which a file of one's own can make too.
"""

from __future__ import annotations

from na64mu.simulation.digitisers.common_stream import COMMON_STREAM
from na64mu.simulation.digitisers.digitiser import Crossings, Digitiser
from na64mu.simulation.digitisers.pixels import PIXELS

__all__ = ("DIGITISERS", "Crossings", "Digitiser")

#: Kind of readout -> its digitiser.
DIGITISERS: dict[str, Digitiser] = dict.fromkeys(COMMON_STREAM.kinds, COMMON_STREAM) | {"pixel": PIXELS}
