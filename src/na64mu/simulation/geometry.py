"""The set-up as arrays for the kernels: an ordered list of steps along z and the surfaces where crossings are recorded.

Lengths mm, fields T. The line starts in vacuum `LEAD_IN` upstream of the first element.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np

from na64mu.compiled.records import record_kind, records
from na64mu.detector import Detector
from na64mu.detector.readout import sheets
from na64mu.physics.materials import SCINTILLATOR
from na64mu.simulation.transport import scattering
from na64mu.typing import FloatArray, IntArray, RecordArray

__all__ = (
    "AIR_Z", "COMPOSITE_Z", "DRIFT", "ECAL", "FIELD", "HCAL", "PLANE", "VHCAL", "Line", "Surfaces", "build_line", "build_surfaces",
)  # fmt: skip

log = logging.getLogger(__name__)

#: Kinds of step.
DRIFT, FIELD, PLANE, ECAL, VHCAL, HCAL = range(6)


LEAD_IN = 500.0

AIR_Z, COMPOSITE_Z = 7.3, 7.0  # nuclear charges for the scattering tails of air and of planes


#: Aperture of a magnet: its centre and half size [mm].
APERTURE = record_kind("x y half_x half_y")


class Line(NamedTuple):
    """Steps in order of z; every array has shape (n_steps,).

    Attributes
    ----------
    kind : IntArray
        DRIFT, FIELD, PLANE, ECAL, VHCAL or HCAL.
    number : IntArray
        Surface of a PLANE, module (from 0) of an HCAL, else -1.
    z_in, z_out : FloatArray
        Begin and end of the step along z [mm]; equal for a PLANE.
    x_over_x0 : FloatArray
        Thickness of a DRIFT, FIELD or PLANE in radiation lengths.
    core, tail : FloatArray
        Scattering in the step, see `transport.scattering`.
    field_x, field_y : FloatArray
        [T], zero outside a FIELD.
    aperture : RecordArray
        Records of the kind APERTURE, zero outside a FIELD.
    """

    kind: IntArray
    number: IntArray
    z_in: FloatArray
    z_out: FloatArray
    x_over_x0: FloatArray
    core: FloatArray
    tail: FloatArray
    field_x: FloatArray
    field_y: FloatArray
    aperture: RecordArray


class Surfaces(NamedTuple):
    """Surfaces where crossings are recorded: the sheets of the trackers (detector.readout.sheets), counters by id, VETO, in this order.

    Attributes
    ----------
    z : FloatArray
        Position of every surface [mm], shape (n_surfaces,).
    x_over_x0 : FloatArray
        Thickness of the surface in radiation lengths.
    first_counter, veto : int
        Index of the first counter, and of the VETO.
    """

    z: FloatArray
    x_over_x0: FloatArray
    first_counter: int
    veto: int


def build_surfaces(detector: Detector) -> Surfaces:
    """The recording surfaces of a set-up.

    Trigger counters that the beam does not cross (V1, S4, S_mu) have no thickness here: what little they scatter
    happens to vetoed particles or right before the HCAL.

    Parameters
    ----------
    detector : Detector
        The description.

    Returns
    -------
    Surfaces
        Positions and thicknesses.
    """
    trackers = sheets(detector)
    z, thickness = [sheet.z for sheet in trackers], [sheet.x_over_x0 for sheet in trackers]
    first_counter = len(z)
    for counter in sorted(detector.counters, key=lambda c: c.id):
        z.append(counter.z)
        thickness.append(counter.thickness / SCINTILLATOR.x0 if counter.shape == "disc" else 0.0)
    veto = len(z)
    z.append(detector.veto.z)
    thickness.append(detector.veto.thickness / SCINTILLATOR.x0)
    return Surfaces(np.array(z), np.array(thickness), first_counter, veto)


class _Step(NamedTuple):
    z_in: float
    z_out: float
    kind: int
    number: int = -1
    x_over_x0: float = 0.0
    field: tuple[float, float] = (0.0, 0.0)
    aperture: tuple[float, float] = (0.0, 0.0)
    centre: tuple[float, float] = (0.0, 0.0)


def _elements(detector: Detector, surfaces: Surfaces) -> list[_Step]:
    steps = [_Step(float(z), float(z), PLANE, i, float(surfaces.x_over_x0[i])) for i, z in enumerate(surfaces.z)]
    soft = [m.name for m in detector.magnets if m.fringe or m.map is not None]
    if soft:
        log.warning("the fringe field or map of %s is simulated as the hard-edged box of the same integral", ", ".join(soft))
    for magnet in detector.magnets:
        z_in, z_out = magnet.z_range
        steps.append(_Step(z_in, z_out, FIELD, -1, 0.0, magnet.signed_field, magnet.half_aperture, magnet.aperture_centre))
    for calorimeter, kind in ((detector.ecal, ECAL), (detector.vhcal, VHCAL)):
        steps.append(_Step(calorimeter.z, calorimeter.z + calorimeter.length, kind, 0))
    steps += [_Step(z, z + detector.hcal.length, HCAL, i) for i, z in enumerate(detector.hcal.front)]
    return sorted(steps)


def _air(z_in: float, z_out: float, detector: Detector) -> float:
    return max(0.0, z_out - max(z_in, detector.medium.vacuum_until)) / detector.medium.air_x0


def build_line(detector: Detector) -> Line:
    """The steps of a set-up: its elements in order of z, with drifts through vacuum or air between them.

    Parameters
    ----------
    detector : Detector
        The description.

    Returns
    -------
    Line
        Steps that join without gaps. An element that begins before the one ahead of it has ended (a straw view inside
        a calorimeter's housing) is moved to that end.
    """
    elements = _elements(detector, build_surfaces(detector))
    steps: list[_Step] = []
    here = elements[0].z_in - LEAD_IN
    for element in elements:
        if element.z_in > here:
            steps.append(_Step(here, element.z_in, DRIFT, -1, _air(here, element.z_in, detector)))
            here = element.z_in
        z_out = max(here, element.z_out)
        thickness = element.x_over_x0 + (_air(here, z_out, detector) if element.kind == FIELD else 0.0)
        steps.append(element._replace(z_in=here, z_out=z_out, x_over_x0=thickness))
        here = z_out
    scatterers = [scattering(s.x_over_x0, COMPOSITE_Z if s.kind == PLANE else AIR_Z) for s in steps]
    return Line(
        kind=np.array([s.kind for s in steps], dtype=np.int64),
        number=np.array([s.number for s in steps], dtype=np.int64),
        z_in=np.array([s.z_in for s in steps], dtype=np.float64),
        z_out=np.array([s.z_out for s in steps], dtype=np.float64),
        x_over_x0=np.array([s.x_over_x0 for s in steps], dtype=np.float64),
        core=np.array([core for core, _ in scatterers]),
        tail=np.array([tail for _, tail in scatterers]),
        field_x=np.array([s.field[0] for s in steps], dtype=np.float64),
        field_y=np.array([s.field[1] for s in steps], dtype=np.float64),
        aperture=records([(*s.centre, *s.aperture) for s in steps], APERTURE),
    )
