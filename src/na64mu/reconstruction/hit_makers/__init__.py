"""Hit makers: for every kind of readout, how its digits become hits of planes and counts of stations.

A kind is a collection of the raw tree. A further one is a module here and an entry of HIT_MAKERS, which a file of one's own can make
too.
"""

from __future__ import annotations

from na64mu.reconstruction.hit_makers.hit_maker import HitMaker, PlaneHits
from na64mu.reconstruction.hit_makers.pixels import PIXELS
from na64mu.reconstruction.hit_makers.slabs import SLABS
from na64mu.reconstruction.hit_makers.strips import GEM_STRIPS, MM_STRIPS
from na64mu.reconstruction.hit_makers.wires import WIRES

__all__ = ("HIT_MAKERS", "HitMaker", "PlaneHits")

#: Kind of readout -> its hit maker.
HIT_MAKERS: dict[str, HitMaker] = {"bms": SLABS, "mm": MM_STRIPS, "gem": GEM_STRIPS, "straw": WIRES, "pixel": PIXELS}
