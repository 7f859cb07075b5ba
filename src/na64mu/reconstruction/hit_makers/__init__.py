"""Hit makers: for every kind of readout, how its digits become hits of planes and counts of stations.

A kind is a collection of the raw tree. A further one is a module here, or a file of one's own, that calls `register_hit_maker`.
"""

from __future__ import annotations

from na64mu.common.modules import import_modules
from na64mu.reconstruction.hit_makers.hit_maker import HIT_MAKERS, HitMaker, PlaneHits, register_hit_maker

__all__ = ("HIT_MAKERS", "HitMaker", "PlaneHits", "register_hit_maker")

import_modules(__name__, __path__)
