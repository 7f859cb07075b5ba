"""Magnetic fields along z that are not a uniform box: tanh fringe fields and field maps, for the kernels.

Lengths mm, field T. A `FieldRegion` is one stretch of z: fringe fields and maps of neighbouring magnets that reach into each other add up.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import general_kernel
from na64mu.detector.elements import FRINGE_REACH, Magnet
from na64mu.errors import DetectorError
from na64mu.tracking.fieldmap import FieldMap, read_field_map
from na64mu.typing import FloatArray

__all__ = ("Components", "FieldRegion", "field_at", "field_region", "field_regions")

TAIL = 6.0  # a fringe field ends this many of its lengths outside the edge, where 6e-6 of it is left (2e-7 of the integral)
STEPS_PER_SCALE = 4.0  # steps of the integration in the length over which the field changes; benchmarks/field.py shows the convergence
STEPS_AT_LEAST = 16.0  # in a region, however uniform its field: a particle of 1 GeV/c bends by 0.4 rad in MS2
INTEGRAL_TOLERANCE = 0.05  # a map must have the integral field x length of its magnet to this fraction: units, sign, halves of magnets

NO_DIPOLES = np.empty((0, 7))
NO_MAP = FieldMap(np.zeros(3), np.ones(3), np.zeros((0, 0, 0, 3)))

Components = tuple[float, float, float, float, float, float, float, float, float]


class FieldRegion(NamedTuple):
    """The field in one stretch of z (a tuple: kernels take it); outside there is none.

    Attributes
    ----------
    z_in, z_out : float
        Begin and end of the field along z [mm].
    step : float
        Length of a step of the integration [mm]; steps end at z_in + n step, which are grid planes of a map.
    dipoles : FloatArray
        Magnets with tanh edges, shape (n, 7): strength [T], direction (ux, uy), entrance and exit z, fringe length,
        position of the middle plane along the direction [mm].
    origin, spacing : FloatArray
        First point and spacing of the map [mm], shape (3,).
    values : FloatArray
        (Bx, By, Bz) of the map [T], shape (n_x, n_y, n_z, 3); empty without a map.
    """

    z_in: float
    z_out: float
    step: float
    dipoles: FloatArray
    origin: FloatArray
    spacing: FloatArray
    values: FloatArray


@general_kernel
def _tanh_dipole(z: float, u: float, entrance: float, exit_: float, fringe: float) -> tuple[complex, complex]:
    """Field of a dipole of unit strength along and across its middle plane, as B_u + i B_z, and its derivative by z."""
    q = min(max(u / fringe, -FRINGE_REACH), FRINGE_REACH)
    turn = complex(math.cos(2.0 * q), -math.sin(2.0 * q))
    e1 = math.exp(min(2.0 * (entrance - z) / fringe, 300.0)) * turn
    e2 = math.exp(min(2.0 * (exit_ - z) / fringe, 300.0)) * turn
    rise, fall = (1.0 - e1) / (1.0 + e1), (1.0 - e2) / (1.0 + e2)  # tanh of (z - edge) / fringe + i q
    return 0.5 * (rise - fall), 0.5 * (fall * fall - rise * rise) / fringe


@general_kernel
def _cell(position: float, origin: float, spacing: float, n: int) -> tuple[int, float, float]:
    """Grid cell of a position, the fraction of the cell below it and the derivative of this fraction; the border beyond the grid."""
    f = (position - origin) / spacing
    if f <= 0.0:
        return 0, 0.0, 0.0
    if f >= n - 1.0:
        return n - 2, 1.0, 0.0
    i = min(int(f), n - 2)
    return i, f - i, 1.0 / spacing


@general_kernel
def _interpolated(values: FloatArray, c: int, i: int, j: int, k: int, fx: float, fy: float, fz: float) -> tuple[float, float, float]:
    """Trilinear interpolation of one component and its derivatives by fx and fy."""
    v00 = values[i, j, k, c] * (1.0 - fz) + values[i, j, k + 1, c] * fz
    v01 = values[i, j + 1, k, c] * (1.0 - fz) + values[i, j + 1, k + 1, c] * fz
    v10 = values[i + 1, j, k, c] * (1.0 - fz) + values[i + 1, j, k + 1, c] * fz
    v11 = values[i + 1, j + 1, k, c] * (1.0 - fz) + values[i + 1, j + 1, k + 1, c] * fz
    low, high = v00 * (1.0 - fy) + v01 * fy, v10 * (1.0 - fy) + v11 * fy
    return low * (1.0 - fx) + high * fx, high - low, (v01 - v00) * (1.0 - fx) + (v11 - v10) * fx


@general_kernel
def field_at(region: FieldRegion, x: float, y: float, z: float) -> Components:
    """Field at a point inside z_in <= z <= z_out, and how it changes across the beam.

    A dipole with tanh edges, wide against its gap, is the plane field B_u + i B_z = B0 g(z + i u) with
    g(z) = [tanh((z - z_1) / l) - tanh((z - z_2) / l)] / 2: an analytic function of z + i u has no divergence and no curl,
    so the field obeys Maxwell's equations exactly, not only to first order in u, the distance off the middle plane along
    the field. Beyond FRINGE_REACH fringe lengths (outside the aperture) it stays at its value there.

    A map is interpolated linearly in x, y and z; beyond its border in x and y it stays at the value there.

    Parameters
    ----------
    region : FieldRegion
        The field.
    x, y, z : float
        Position [mm].

    Returns
    -------
    tuple of float
        Bx, By, Bz [T], dBx/dx, dBx/dy, dBy/dx, dBy/dy, dBz/dx, dBz/dy [T/mm].
    """
    bx, by, bz = 0.0, 0.0, 0.0
    xx, xy, yx, yy, zx, zy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for d in range(len(region.dipoles)):
        strength, ux, uy, entrance, exit_, fringe, middle = region.dipoles[d]
        u = x * ux + y * uy - middle
        g, slope = _tanh_dipole(z, u, entrance, exit_, fringe)
        bx += strength * ux * g.real
        by += strength * uy * g.real
        bz += strength * g.imag
        if abs(u) < FRINGE_REACH * fringe:
            along, across = -strength * slope.imag, strength * slope.real  # of B_u and of B_z, by u
            xx += ux * ux * along
            xy += ux * uy * along
            yx += ux * uy * along
            yy += uy * uy * along
            zx += ux * across
            zy += uy * across
    values = region.values
    end = region.origin[2] + region.spacing[2] * (values.shape[2] - 1.0)
    if values.shape[0] > 0 and region.origin[2] <= z <= end:
        i, fx, dx = _cell(x, region.origin[0], region.spacing[0], values.shape[0])
        j, fy, dy = _cell(y, region.origin[1], region.spacing[1], values.shape[1])
        k, fz, _ = _cell(z, region.origin[2], region.spacing[2], values.shape[2])
        b, b_x, b_y = _interpolated(values, 0, i, j, k, fx, fy, fz)
        bx, xx, xy = bx + b, xx + b_x * dx, xy + b_y * dy
        b, b_x, b_y = _interpolated(values, 1, i, j, k, fx, fy, fz)
        by, yx, yy = by + b, yx + b_x * dx, yy + b_y * dy
        b, b_x, b_y = _interpolated(values, 2, i, j, k, fx, fy, fz)
        bz, zx, zy = bz + b, zx + b_x * dx, zy + b_y * dy
    return bx, by, bz, xx, xy, yx, yy, zx, zy


def field_region(dipoles: FloatArray = NO_DIPOLES, field_map: FieldMap = NO_MAP) -> FieldRegion:
    """A field ready for the kernels: its range and the step of the integration.

    Parameters
    ----------
    dipoles : FloatArray
        Magnets with tanh edges, see FieldRegion, shape (n, 7).
    field_map : FieldMap
        A map in the frame of the raw tree.

    Returns
    -------
    FieldRegion
        The step is a quarter of the length over which the field changes, max |B| / max |dB/dz|; for a map a whole number of grid spacings.
    """
    has_map = field_map.values.size > 0
    ends = [(field_map.origin[2], field_map.end[2])] if has_map else []
    ends += [(d[3] - TAIL * d[5], d[4] + TAIL * d[5]) for d in dipoles]
    z_in, z_out = float(min(e[0] for e in ends)), float(max(e[1] for e in ends))
    scales = [2.0 * float(d[5]) for d in dipoles]
    if has_map:
        change = float(np.abs(np.diff(field_map.values, axis=2)).max()) / float(field_map.spacing[2])
        scales.append(float(np.abs(field_map.values).max()) / change if change > 0.0 else np.inf)
    step = min(min(scales) / STEPS_PER_SCALE, (z_out - z_in) / STEPS_AT_LEAST)
    if has_map:
        spacing = float(field_map.spacing[2])
        step = spacing * max(1.0, np.floor(step / spacing)) if step > spacing else spacing / np.ceil(spacing / step)
        z_in -= step * np.ceil(round((field_map.origin[2] - z_in) / step, 6)) - (field_map.origin[2] - z_in)  # steps end on grid planes
    return FieldRegion(float(z_in), float(z_out), float(step), dipoles, field_map.origin, field_map.spacing, field_map.values)


def _dipole(magnet: Magnet) -> list[float]:
    bx, by = magnet.signed_field
    strength = float(np.hypot(bx, by))
    ux, uy = bx / strength, by / strength
    centre = magnet.aperture_centre
    return [strength, ux, uy, *magnet.z_range, magnet.fringe, ux * centre[0] + uy * centre[1]]


def _placed_map(magnet: Magnet) -> FieldMap:
    """The map of a magnet at its place and with its polarity, checked against the magnet's nominal integral."""
    if magnet.map is None:
        return NO_MAP
    grid = read_field_map(magnet.map, magnet.map_units)
    placed = FieldMap(grid.origin + np.array([*magnet.aperture_centre, magnet.z]), grid.spacing, magnet.polarity * grid.values)
    axis = FieldRegion(0.0, 0.0, 1.0, NO_DIPOLES, *placed)
    z = placed.origin[2] + placed.spacing[2] * np.arange(placed.values.shape[2])
    on_axis = np.array([field_at(axis, *magnet.aperture_centre, float(p))[:2] for p in z])
    integral = np.trapezoid(on_axis, z, axis=0) * 1e-3
    nominal = np.array(magnet.signed_field) * magnet.length * 1e-3
    if np.hypot(*(integral - nominal)) > INTEGRAL_TOLERANCE * np.hypot(*nominal):
        msg = f"field map {magnet.map}: its integral on the axis is ({integral[0]:.4g}, {integral[1]:.4g}) T m, magnet {magnet.name} has polarity x field x length = ({nominal[0]:.4g}, {nominal[1]:.4g}) T m; check units, sign and whether the map is that of the whole magnet"
        raise DetectorError(msg)
    return placed


def field_regions(magnets: tuple[Magnet, ...]) -> tuple[FieldRegion, ...]:
    """Fields of all magnets that have a fringe or a map; hard-edged boxes are not among them (transport.cross_box).

    Parameters
    ----------
    magnets : tuple of Magnet
        The magnets of a spectrometer, in order of z.

    Returns
    -------
    tuple of FieldRegion
        In order of z, without overlap: magnets that reach into each other share a region.

    Raises
    ------
    DetectorError
        If a map is wrong, two maps overlap, or a field reaches into the box of another magnet.
    """
    groups: list[list[tuple[Magnet, FieldMap, FieldRegion]]] = []
    for magnet in magnets:
        if not magnet.fringe and magnet.map is None:
            continue
        placed = _placed_map(magnet)
        region = field_region(field_map=placed) if magnet.map else field_region(np.array([_dipole(magnet)]))
        if groups and region.z_in < max(r.z_out for _, _, r in groups[-1]):
            groups[-1].append((magnet, placed, region))
        else:
            groups.append([(magnet, placed, region)])
    found = []
    for group in groups:
        maps = [m for m, _, _ in group if m.map is not None]
        if len(maps) > 1:
            msg = (
                f"the field maps of {maps[0].name} and {maps[1].name} overlap in z; give one map that holds both magnets, or cut them apart"
            )
            raise DetectorError(msg)
        dipoles = np.array([_dipole(m) for m, _, _ in group if m.map is None]).reshape(-1, 7)
        found.append(field_region(dipoles, next((placed for m, placed, _ in group if m.map is not None), NO_MAP)))
    boxes = [(m.z_range, m.name) for m in magnets if not m.fringe and m.map is None and any(m.field)]
    spans = sorted([((r.z_in, r.z_out), "a fringe field or map") for r in found] + boxes)
    for ((_, end), first), ((start, _), second) in pairwise(spans):
        if end > start:
            msg = f"{first} (until z = {end:g} mm) reaches into {second} (from z = {start:g} mm); give neighbouring magnets a fringe or a map as well"
            raise DetectorError(msg)
    return tuple(found)
