"""The elements of the apparatus as frozen, validated models, each number with its source.

Lengths are mm, fields T, momenta GeV/c, counter energies MeV, calorimeter energies GeV, times ns,
all in the frame of the raw tree: z along the zero-line, z = 0 at the ECAL front face.
"""

from __future__ import annotations

from na64mu.common.modules import import_modules
from na64mu.detector.elements.beam_line import FRINGE_REACH, Beam, Magnet, Medium
from na64mu.detector.elements.calorimeters import Counter, Ecal, Hcal, Veto, Vhcal
from na64mu.detector.elements.element import Element, Source
from na64mu.detector.elements.pixels import PixelPlane
from na64mu.detector.elements.slabs import BmsStation
from na64mu.detector.elements.straws import Straw
from na64mu.detector.elements.strips import Gem, Micromegas, StripResponse
from na64mu.detector.elements.tracker import TRACKERS, Module, Tracker, is_station, register_tracker

__all__ = (
    "FRINGE_REACH",
    "TRACKERS",
    "Beam",
    "BmsStation",
    "Counter",
    "Ecal",
    "Element",
    "Gem",
    "Hcal",
    "Magnet",
    "Medium",
    "Micromegas",
    "Module",
    "PixelPlane",
    "Source",
    "Straw",
    "StripResponse",
    "Tracker",
    "Veto",
    "Vhcal",
    "is_station",
    "register_tracker",
)

import_modules(__name__, __path__)  # a kind of tracker is a module here that registers its class
