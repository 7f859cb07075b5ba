"""A spectrometer as the tracking sees it: measuring planes, field boxes and material along z.

MS1 (bend in y) and MS2 (bend in x) are two descriptions of one engine: each has planes in two views, and one
of the views bends.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from na64mu.common.arguments import number as one_number
from na64mu.common.arguments import numbers, one_of
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.detector.readout import VIEWS, ReadoutPlane, readout_planes
from na64mu.errors import DetectorError
from na64mu.physics.constants import SPEED_OF_LIGHT
from na64mu.physics.scattering import highland_angle
from na64mu.tracking.field import FieldRegion, field_regions
from na64mu.typing import FloatArray

__all__ = ("C_FIELD", "LOSS_PER_X0", "Plane", "Spectrometer", "bending_integral", "check_spectrometer", "highland_angle", "spectrometer")

#: Curvature of unit charge: dp = C_FIELD [GeV/c per T m] x field x path.
C_FIELD = SPEED_OF_LIGHT

#: Mean energy loss of a 160 GeV/c muon per radiation length [GeV]: air, 2.4 MeV cm2/g (Groom, Mokhov, Striganov, At. Data
#: Nucl. Data Tables 78 (2001) 183, ionisation) times 36.6 g/cm2. Inferred for the planes, whose materials are of light elements too.
LOSS_PER_X0 = 0.088


@dataclass(frozen=True)
class Plane:
    """One measuring plane of one view.

    Attributes
    ----------
    station : str
        "bms1", "mm5", "st2"...; one station has several planes.
    view : int
        0 measures x, 1 measures y.
    z, sigma : float
        Position and resolution [mm].
    x_over_x0 : float
        Thickness of the material that belongs to the plane, in radiation lengths.
    layer : int
        Layer of a straw chamber, else 0.
    reach : float
        Distance of its farther edge from the zero-line [mm]: tracks that leave the narrow planes still meet the wide ones.
    rotation : float
        Rotation of the module about z through its centre, from x to y [rad].
    offset : float
        What a coordinate of the module's own frame needs to be the coordinate along `direction` [mm]; 0 without rotation.
    energy_loss : float
        Mean energy loss in the material of the plane [GeV].
    half : float
        Half of its width along the coordinate it measures [mm].
    layers : int
        Layers of its view in its module.
    two_sided : bool
        Whether a hit may be on either side of what was read: a wire makes two.
    """

    station: str
    view: int
    z: float
    sigma: float
    x_over_x0: float
    layer: int
    reach: float
    rotation: float = 0.0
    offset: float = 0.0
    energy_loss: float = 0.0
    half: float = 100.0
    layers: int = 1
    two_sided: bool = False

    @property
    def name(self) -> str:
        """Name of the plane: mm5_x, bms3_y, st4_y1."""
        return f"{self.station}_{VIEWS[self.view]}{self.layer if self.layers > 1 else ''}"

    @property
    def direction(self) -> tuple[float, float]:
        """Direction (x, y) in the plane along which it measures: a hit is u = direction . (x, y)."""
        c, s = math.cos(self.rotation), math.sin(self.rotation)
        return (c, s) if self.view == 0 else (-s, c)


@dataclass(frozen=True, eq=False)  # one object per description, compared by identity
class Spectrometer:
    """Planes, field boxes and material of MS1 or MS2.

    Attributes
    ----------
    name : str
        "ms1" or "ms2".
    bend_view : int
        View in which the field bends: 0 (x) or 1 (y), -1 for none.
    planes : tuple of Plane
        All planes of both views in order of z.
    boxes : FloatArray
        Shape (n_boxes, 4): entrance z, exit z [mm], Bx, By [T]; for a magnet with fringe field or map the box of the same integral.
    vacuum_until, air_x0 : float
        Medium between the planes [mm].
    total_x0 : float
        Radiation lengths of all planes and air together, for Highland's logarithm.
    regions : tuple of FieldRegion
        Fringe fields and maps; they replace the boxes where they apply.
    """

    name: str
    bend_view: int
    planes: tuple[Plane, ...]
    boxes: FloatArray
    vacuum_until: float
    air_x0: float
    total_x0: float
    regions: tuple[FieldRegion, ...] = ()

    def view(self, view: int) -> list[int]:
        """Indices of the planes of one view, 0 (x) or 1 (y)."""
        view = one_of(view, (0, 1), "view")
        return [i for i, p in enumerate(self.planes) if p.view == view]

    @property
    def z(self) -> FloatArray:
        """Positions of all planes [mm], shape (n_planes,)."""
        return np.array([p.z for p in self.planes])

    def steps(self) -> FloatArray:
        """Track from plane to plane as a list of straight steps and field boxes, in order of z.

        Returns
        -------
        FloatArray
            Shape (n_steps, 5): start z, end z [mm], Bx, By [T], thickness in radiation lengths. Steps between planes end at
            the next plane; the thickness spreads over the step. Fringe fields and maps appear here as their boxes, see `legs`.
        """
        return self._cut(self.boxes, ())[:, :5]

    def legs(self) -> FloatArray:
        """Steps with the regions of fringe fields and maps in place of their boxes.

        Returns
        -------
        FloatArray
            Shape (n_steps, 6): as `steps`, and the number of the region or -1.
        """
        spans = [(r.z_in, r.z_out) for r in self.regions]
        hard = [b for b in self.boxes if not any(low <= 0.5 * (b[0] + b[1]) <= high for low, high in spans)]
        return self._cut(hard, spans)

    def _cut(self, boxes: Iterable[Sequence[float]], spans: Sequence[tuple[float, float]]) -> FloatArray:
        fields = [tuple(float(v) for v in b) for b in boxes]
        ends = {*self.z.tolist(), *(edge for b in fields for edge in b[:2])}
        inner = [self.vacuum_until, *(edge for span in spans for edge in span)]
        borders = sorted(ends | {edge for edge in inner if min(ends) < edge < max(ends)})
        rows = []
        for start, end in pairwise(borders):
            middle = 0.5 * (start + end)
            field = next(((b[2], b[3]) for b in fields if b[0] < middle < b[1]), (0.0, 0.0))
            region = next((i for i, (low, high) in enumerate(spans) if low < middle < high), -1)
            rows.append((start, end, *field, 0.0 if middle < self.vacuum_until else (end - start) / self.air_x0, region))
        return np.array(rows)


@lru_cache(maxsize=64)
def _check(spectrometer: Spectrometer) -> None:
    """See check_spectrometer; once for every description."""
    name, planes, z = spectrometer.name, spectrometer.planes, spectrometer.z
    if not planes:
        msg = f"{name}: a spectrometer needs planes, there are none"
        raise DetectorError(msg)
    if spectrometer.bend_view not in (-1, 0, 1):
        msg = f"{name}: the field bends in view 0 (x), 1 (y) or -1 (none), not {spectrometer.bend_view!r}"
        raise DetectorError(msg)
    for p in planes:
        if p.view not in (0, 1):
            msg = f"{name}: plane {p.station} measures view 0 (x) or 1 (y), not {p.view!r}"
            raise DetectorError(msg)
        one_number(p.sigma, f"{name}: sigma of plane {p.station} [mm]", above=0.0, error=DetectorError)
        one_number(p.x_over_x0, f"{name}: x_over_x0 of plane {p.station}", least=0.0, error=DetectorError)
    numbers(z, f"{name}: z of the planes [mm]", error=DetectorError)
    if not spectrometer.air_x0 > 0.0:  # infinite where there is no air
        msg = f"{name}: air_x0 must be above 0 mm; found {spectrometer.air_x0!r}"
        raise DetectorError(msg)
    one_number(spectrometer.total_x0, f"{name}: total_x0", least=0.0, error=DetectorError)
    back = np.flatnonzero(np.diff(z) < 0.0)
    if len(back):
        first, second = planes[back[0]], planes[back[0] + 1]
        msg = f"{name}: the planes must be in order of z; found {first.station} at {first.z:g} mm before {second.station} at {second.z:g} mm: sort them, and the columns of the hits with them"
        raise DetectorError(msg)
    _check_boxes(name, spectrometer.boxes, float(z[0]), float(z[-1]))


def _check_boxes(name: str, given: FloatArray, first: float, last: float) -> None:
    boxes = numbers(given, f"{name}: boxes", error=DetectorError)
    if boxes.size == 0:
        return
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        msg = f"{name}: boxes must have the shape (n_boxes, 4): entrance z, exit z [mm], Bx, By [T]; found {boxes.shape}"
        raise DetectorError(msg)
    ordered = boxes[np.argsort(boxes[:, 0])]
    for start, end in ordered[:, :2]:
        if not start < end:
            msg = f"{name}: a field box must end behind its entrance; found {start:g} to {end:g} mm"
            raise DetectorError(msg)
        if start < first or end > last:
            msg = f"{name}: the field box from {start:g} to {end:g} mm reaches beyond the planes, which extend from {first:g} to {last:g} mm: a track is known at its first and last plane only"
            raise DetectorError(msg)
    for (_, end), (start, _) in pairwise(ordered[:, :2]):
        if start < end:
            msg = f"{name}: two field boxes overlap from {start:g} to {end:g} mm; describe them as one, or cut them apart"
            raise DetectorError(msg)


def check_spectrometer(spectrometer: object) -> None:
    """Refuse a spectrometer that makes no sense; each is checked once and the result is cached.

    Parameters
    ----------
    spectrometer : Spectrometer
        MS1, MS2 or any other.

    Raises
    ------
    DetectorError
        If there are no planes or they are not in order of z, a number makes no sense, or field boxes overlap or reach beyond the planes.
    """
    if not isinstance(spectrometer, Spectrometer):
        msg = f"spectrometer must be a Spectrometer of na64mu.tracking.spectrometer, such as spectrometer(detector, 1); found {type(spectrometer).__name__}"
        raise DetectorError(msg)
    _check(spectrometer)


def bending_integral(z: FloatArray, spectrometer: Spectrometer) -> FloatArray:
    """Displacement in the bending view per q/p, in the limit of small angles.

    Parameters
    ----------
    z : FloatArray
        Positions [mm], shape (n,).
    spectrometer : Spectrometer
        Spectrometer with its field boxes and bending view.

    Returns
    -------
    FloatArray
        G(z) [mm GeV/c]: a particle without slope upstream sits at (q/p) G(z), shape (n,).

    Raises
    ------
    ArgumentError
        If a position is not finite.
    DetectorError
        If the spectrometer makes no sense.
    """
    check_spectrometer(spectrometer)
    z = numbers(z, "z [mm]")
    total = np.zeros_like(z, dtype=np.float64)
    for start, end, bx, by in spectrometer.boxes:
        strength = C_FIELD * 1e-3 * (bx if spectrometer.bend_view == 1 else -by)  # GeV/c per mm
        inside = np.clip(z - start, 0.0, end - start)
        total += strength * (0.5 * inside**2 + (end - start) * np.clip(z - end, 0.0, None))
    return total


def _bend_view(detector: Detector, number: int) -> int:
    magnets = detector.magnets_of(number)
    views = {0 if m.field[1] else 1 for m in magnets if any(m.field)}
    if len(views) != 1 or any(m.field[0] and m.field[1] for m in magnets):
        msg = f"detector {detector.tag!r}: the magnets of MS{number} must bend in one view, x or y; found the fields {[m.field for m in magnets]}"
        raise DetectorError(msg)
    return views.pop()


def _plane(p: ReadoutPlane) -> Plane:
    return Plane(
        p.station,
        p.view,
        p.z,
        p.sigma,
        p.x_over_x0,
        p.layer,
        reach=abs(p.centre[p.view]) + p.half,
        rotation=p.rotation,
        offset=p.offset,
        energy_loss=LOSS_PER_X0 * p.x_over_x0,
        half=p.half,
        layers=p.layers,
        two_sided=p.two_sided,
    )


def spectrometer(detector: DetectorLike, number: int) -> Spectrometer:
    """Compile MS1 or MS2 from a detector description.

    Parameters
    ----------
    detector : Detector, str or Path
        The description, its tag or its file.
    number : int
        1 or 2.

    Returns
    -------
    Spectrometer
        Its planes, boxes and material; the same object for the same description.

    Raises
    ------
    ArgumentError
        If there is no such spectrometer.
    DetectorError
        If its magnets do not bend in exactly one view.
    """
    return _compiled(load_detector(detector), one_of(number, (1, 2), "spectrometer"))


@lru_cache(maxsize=8)
def _compiled(detector: Detector, number: int) -> Spectrometer:
    planes = sorted((_plane(p) for p in readout_planes(detector) if p.spectrometer == number), key=lambda p: (p.z, p.view))
    boxes = np.array([(*m.z_range, *m.signed_field) for m in detector.magnets_of(number)])
    bend_view = _bend_view(detector, number)
    air = max(0.0, planes[-1].z - max(planes[0].z, detector.medium.vacuum_until))
    total = sum(p.x_over_x0 for p in planes) + air / detector.medium.air_x0
    regions = field_regions(detector.magnets_of(number))
    return Spectrometer(
        f"ms{number}", bend_view, tuple(planes), boxes, detector.medium.vacuum_until, detector.medium.air_x0, total, regions
    )
