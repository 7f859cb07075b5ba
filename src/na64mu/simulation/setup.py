"""The set-up as one tuple of everything that the kernels need, and the scratch space of one event."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from na64mu.compiled.records import new_record, record_kind, records
from na64mu.detector import Detector
from na64mu.simulation.beam import BeamSpot, beam_spot
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.simulation.calorimeters import build_calorimeters
from na64mu.simulation.cascade import MOST_PARTICLES
from na64mu.simulation.geometry import Line, Surfaces, build_line, build_surfaces
from na64mu.simulation.particles import HADRON, LEAVING, SOFT_PARTICLE, STATE, new_state
from na64mu.simulation.truth import FACTS, HIT
from na64mu.typing import FloatArray, IntArray, Record, RecordArray

__all__ = ("BOX", "DISC", "HOLE", "S0", "S1", "S4", "S_MU", "V1", "Counters", "Scratch", "Setup", "build_setup", "new_scratch")

#: Shapes of a counter.
DISC, BOX, HOLE = range(3)

#: Trigger counters by id.
S0, S1, V1, S4, S_MU = range(5)

MOST_HADRONS = 500  # as below
MOST_SOFT = 1000  # particles still to follow: the last made is followed first, so that a few hundred are never there at once

#: Outline of a counter [mm]: radii of a disc and of what is around a hole, edges of a box.
OUTLINE = record_kind("radius outer_radius x_low x_high y_low y_high")

#: Counts of one event: hits; losses that may send something to S4; and 1 where S_mu alone would make no trigger, because S4 has not fired:
#: soft particles behind the HCAL are not followed then.
COUNTS = record_kind("hits hard_losses no_trigger", "i8")

MOST_HITS = 1500  # hits kept per event; the rest of a very large shower is dropped


class Counters(NamedTuple):
    """Trigger counters by id, and the VETO.

    Attributes
    ----------
    shape : IntArray
        DISC, BOX or HOLE, shape (5,).
    outline : RecordArray
        Records of the kind OUTLINE, shape (5,).
    thickness, threshold, resolution : FloatArray
        [mm], [MeV], relative; shape (5,).
    veto_half_x, veto_half_y : float
        Half size of the VETO [mm].
    veto_thickness, veto_mip : float
        [mm], most probable deposit [MeV].
    n_panels : int
        Panels side by side in x.
    """

    shape: IntArray
    outline: RecordArray
    thickness: FloatArray
    threshold: FloatArray
    resolution: FloatArray
    veto_half_x: float
    veto_half_y: float
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
    n : Record
        A record of the kind COUNTS.
    hits : RecordArray
        Records of the kind truth.HIT.
    counters, veto : FloatArray
        Energy in counters and VETO panels [MeV].
    measured : FloatArray
        Energy in counters with their resolution [MeV].
    ecal, vhcal, hcal : FloatArray
        Energy in cells [GeV].
    facts : Record
        A record of the kind truth.FACTS.
    beam : Record
        State of the beam particle.
    electron, hard, hadron : Record
        States of the particles that accompany it.
    photons : RecordArray
        States of the photons of a neutral pion, shape (2,).
    cascade : RecordArray
        Particles of a shower, records of the kind particles.LEAVING.
    hadrons : RecordArray
        Hadrons still to follow, records of the kind particles.HADRON.
    parent : Record
        State of the hadron that interacts.
    soft, soft_ones : Record, RecordArray
        The particle near the rear of the last stack that is followed, and those still to follow, of the kind particles.SOFT_PARTICLE.
    """

    n: Record
    hits: RecordArray
    counters: FloatArray
    measured: FloatArray
    veto: FloatArray
    ecal: FloatArray
    vhcal: FloatArray
    hcal: FloatArray
    facts: Record
    beam: Record
    electron: Record
    hard: Record
    hadron: Record
    photons: RecordArray
    cascade: RecordArray
    hadrons: RecordArray
    parent: Record
    soft: Record
    soft_ones: RecordArray


def _counters(detector: Detector, config: int) -> Counters:
    ordered = sorted(detector.counters, key=lambda c: c.id)
    outlines = [(c.radius, c.outer_radius, *(c.x_range(config) if c.shape == "box" else (0.0, 0.0)), *c.y) for c in ordered]
    veto = detector.veto
    return Counters(
        shape=np.array([{"disc": DISC, "box": BOX, "hole": HOLE}[c.shape] for c in ordered], dtype=np.int64),
        outline=records(outlines, OUTLINE),
        thickness=np.array([c.thickness for c in ordered]),
        threshold=np.array([c.threshold for c in ordered]),
        resolution=np.array([c.energy_resolution for c in ordered]),
        veto_half_x=veto.half[0],
        veto_half_y=veto.half[1],
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


def new_scratch(detector: Detector) -> Scratch:
    """Empty scratch space for one event.

    Parameters
    ----------
    detector : Detector
        The description.

    Returns
    -------
    Scratch
        Zeros of the right shapes.
    """
    return Scratch(
        n=new_record(COUNTS),
        hits=np.zeros(MOST_HITS, HIT),
        counters=np.zeros(len(detector.counters)),
        measured=np.zeros(len(detector.counters)),
        veto=np.zeros(detector.veto.panels),
        ecal=np.zeros((2, *detector.ecal.cells)),
        vhcal=np.zeros((1, *detector.vhcal.cells)),
        hcal=np.zeros((len(detector.hcal.front), *detector.hcal.cells)),
        facts=new_record(FACTS),
        beam=new_state(),
        electron=new_state(),
        hard=new_state(),
        hadron=new_state(),
        photons=np.zeros(2, STATE),
        cascade=np.zeros(MOST_PARTICLES, LEAVING),
        hadrons=np.zeros(MOST_HADRONS, HADRON),
        parent=new_state(),
        soft=new_record(SOFT_PARTICLE),
        soft_ones=np.zeros(MOST_SOFT, SOFT_PARTICLE),
    )
