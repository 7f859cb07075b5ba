"""The set-up as one tuple of everything that the kernels need, and the scratch space of one event."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.detector import Detector
from na64mu.simulation.beam import BeamSpot, beam_spot
from na64mu.simulation.calorimeters import build_calorimeters
from na64mu.simulation.cascade import MOST_PARTICLES
from na64mu.simulation.geometry import Line, Surfaces, build_line, build_surfaces
from na64mu.simulation.showers import Calorimeter
from na64mu.typing import FloatArray, IntArray

__all__ = ("BOX", "DISC", "HOLE", "Counters", "Scratch", "Setup", "build_setup", "new_scratch")

#: Shapes of a counter.
DISC, BOX, HOLE = range(3)

MOST_HADRONS = 500  # as below
MOST_SPRAYED = 1000  # particles still to follow: the last made is followed first, so that a few hundred are never there at once

MOST_HITS = 1500  # hits kept per event; the rest of a very large shower is dropped


class Counters(NamedTuple):
    """Trigger counters by id, and the VETO.

    Attributes
    ----------
    shape : IntArray
        DISC, BOX or HOLE, shape (5,).
    size : FloatArray
        (radius, outer radius, x low, x high, y low, y high) [mm], shape (5, 6).
    thickness, threshold, resolution : FloatArray
        [mm], [MeV], relative; shape (5,).
    veto_half : FloatArray
        Half size of the VETO in x and y [mm].
    veto_thickness, veto_mip : float
        [mm], most probable deposit [MeV].
    n_panels : int
        Panels side by side in x.
    """

    shape: IntArray
    size: FloatArray
    thickness: FloatArray
    threshold: FloatArray
    resolution: FloatArray
    veto_half: FloatArray
    veto_thickness: float
    veto_mip: float
    n_panels: int


class Setup(NamedTuple):
    """A set-up in one trigger configuration."""

    line: Line
    surfaces: Surfaces
    spot: BeamSpot
    counters: Counters
    ecal: Calorimeter
    vhcal: Calorimeter
    hcal: Calorimeter


class Scratch(NamedTuple):
    """Output of one event and working space: kernels do not allocate.

    Attributes
    ----------
    n : IntArray
        Number of hits, of losses that may send something to S4, and 1 where soft particles behind the HCAL are not followed because
        S4 has not fired: S_mu alone makes no trigger; shape (3,).
    hits : FloatArray
        Rows (surface, x, y, tx, ty).
    counters, veto : FloatArray
        Energy in counters and VETO panels [MeV].
    measured : FloatArray
        Energy in counters with their resolution [MeV].
    ecal, vhcal, hcal : FloatArray
        Energy in cells [GeV].
    facts : FloatArray
        Columns of truth.FACTS.
    electron, hard, hadron : FloatArray
        States of the particles that accompany the muon, shape (5,).
    photons : FloatArray
        States of the photons of a neutral pion, shape (2, 5).
    cascade : FloatArray
        Particles of a shower, see cascade.py.
    hadrons, parent : FloatArray
        Hadrons still to follow, shape (MOST_HADRONS, 8), and the one that interacts, see hadrons.py.
    spray : FloatArray
        Particles near the rear of the last stack, see soft_secondaries.py.
    """

    n: IntArray
    hits: FloatArray
    counters: FloatArray
    measured: FloatArray
    veto: FloatArray
    ecal: FloatArray
    vhcal: FloatArray
    hcal: FloatArray
    facts: FloatArray
    electron: FloatArray
    hard: FloatArray
    hadron: FloatArray
    photons: FloatArray
    cascade: FloatArray
    hadrons: FloatArray
    parent: FloatArray
    spray: FloatArray


def _counters(detector: Detector, config: int) -> Counters:
    ordered = sorted(detector.counters, key=lambda c: c.id)
    sizes = [[c.radius, c.outer_radius, *(c.x_range(config) if c.shape == "box" else (0.0, 0.0)), *c.y] for c in ordered]
    veto = detector.veto
    return Counters(
        shape=np.array([{"disc": DISC, "box": BOX, "hole": HOLE}[c.shape] for c in ordered], dtype=np.int64),
        size=np.array(sizes, dtype=np.float64),
        thickness=np.array([c.thickness for c in ordered]),
        threshold=np.array([c.threshold for c in ordered]),
        resolution=np.array([c.energy_resolution for c in ordered]),
        veto_half=np.array(veto.half),
        veto_thickness=veto.thickness,
        veto_mip=veto.mip,
        n_panels=veto.panels,
    )


@lru_cache(maxsize=8)
def _cached_setup(text: str, config: int) -> Setup:
    detector = Detector.model_validate_json(text)
    ecal, vhcal, hcal = build_calorimeters(detector)
    return Setup(build_line(detector), build_surfaces(detector), beam_spot(detector), _counters(detector, config), ecal, vhcal, hcal)


def build_setup(detector: Detector, config: int) -> Setup:
    """Arrays and tables of a set-up, made once per process.

    Parameters
    ----------
    detector : Detector
        The description.
    config : int
        Trigger configuration, 1 or 2.

    Returns
    -------
    Setup
        Arrays of the set-up for the kernels.
    """
    return _cached_setup(detector.model_dump_json(), config)


def new_scratch(detector: Detector, n_facts: int) -> Scratch:
    """Empty scratch space for one event.

    Parameters
    ----------
    detector : Detector
        The description.
    n_facts : int
        Columns of the facts.

    Returns
    -------
    Scratch
        Zeros of the right shapes.
    """
    return Scratch(
        n=np.zeros(3, dtype=np.int64),
        hits=np.zeros((MOST_HITS, 5)),
        counters=np.zeros(len(detector.counters)),
        measured=np.zeros(len(detector.counters)),
        veto=np.zeros(detector.veto.panels),
        ecal=np.zeros((2, *detector.ecal.cells)),
        vhcal=np.zeros((1, *detector.vhcal.cells)),
        hcal=np.zeros((len(detector.hcal.front), *detector.hcal.cells)),
        facts=np.zeros(n_facts),
        electron=np.zeros(5),
        hard=np.zeros(5),
        hadron=np.zeros(5),
        photons=np.zeros((2, 5)),
        cascade=np.zeros((MOST_PARTICLES, 3)),
        hadrons=np.zeros((MOST_HADRONS, 8)),
        parent=np.zeros(5),
        spray=np.zeros((MOST_SPRAYED, 8)),
    )
