"""Tracks with known truth for the benchmarks of the fit: exact arcs, Highland kinks, mean energy loss, Gaussian hits.

Independent of the fit: the arcs follow from the centre of the circle and not from the formulas of tracking.kalman, and the
particle's true momentum sets the scattering at every place. Units: mm, rad, c/GeV.

`telescope` is the common benchmark of the peers (nine planes of two coordinates around a dipole of 1.4 T m, in vacuum);
`real(1)` and `real(2)` are MS1 and MS2 of the description na64mu-2022.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np

from na64mu.detector import load_detector
from na64mu.tracking.spectrometer import C_FIELD, LOSS_PER_X0, Plane, Spectrometer, highland_angle, spectrometer
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("TELESCOPE_HIT", "Sample", "Table", "gls_sigma", "layout", "make", "moved", "real", "seeds", "telescope")

#: Hit of each coordinate of the telescope: the two coordinates of a plane are one.
TELESCOPE_HIT = np.repeat(np.arange(9), 2)

PLANE, LEG = 0, 1


@dataclass(frozen=True)
class Table:
    """A spectrometer in the order in which a particle meets it.

    Attributes
    ----------
    rows : FloatArray
        Shape (n_rows, 6): (PLANE, hx, hy, sigma, angle, loss) or (LEG, length, bx, by, angle, loss); the angle is the projected
        width of the scattering at 1 GeV/c, the loss in GeV.
    n_planes : int
        Number of planes.
    """

    rows: FloatArray
    n_planes: int


@dataclass(frozen=True)
class Sample:
    """Generated tracks.

    Attributes
    ----------
    first, last : FloatArray
        Truth before the first plane and behind the last, (x, y, tx, ty, q/p), shape (n, 5).
    u, weight : FloatArray
        Measured coordinates and 1 / sigma^2, shape (n, n_planes).
    moved : BoolArray
        Coordinates that are not where the track left them, shape (n, n_planes).
    bad : IntArray
        Number of moved hits of each track, shape (n,).
    """

    first: FloatArray
    last: FloatArray
    u: FloatArray
    weight: FloatArray
    moved: BoolArray
    bad: IntArray


def telescope() -> Spectrometer:
    """Nine planes of the peers' benchmark: 0.3 mm of silicon each, no air."""
    z = [-2480.0, -1890.0, -1300.0, 1300.0, 1536.0, 1772.0, 2008.0, 2244.0, 2480.0]
    sigma = [0.07, 0.2, 0.07, 0.07, 0.1, 0.1, 0.1, 0.2, 0.07]
    thickness = 0.3 / 93.7
    planes = tuple(
        Plane(f"plane{i}", view, z[i], sigma[i], thickness * view, 0, 100.0) for i in range(9) for view in (0, 1)
    )  # the material stands behind both coordinates
    # the logarithm of each plane's own thickness, as in the reference sets
    return Spectrometer("telescope", 0, planes, np.array([[-1000.0, 1000.0, 0.0, 0.7]]), 1e9, 1e9, thickness)


def real(number: int) -> Spectrometer:
    """MS1 or MS2 of na64mu-2022."""
    return spectrometer(load_detector("na64mu-2022"), number)


def layout(ms: Spectrometer) -> Table:
    """Planes and legs of a spectrometer in order of z."""
    legs = ms.steps()
    rows: list[tuple[float, ...]] = []
    for z in [*legs[:, 0], legs[-1, 1]]:
        rows += [
            (PLANE, *p.direction, p.sigma, float(highland_angle(p.x_over_x0, ms.total_x0)), p.energy_loss) for p in ms.planes if p.z == z
        ]
        rows += [
            (LEG, end - start, bx, by, float(highland_angle(x0, ms.total_x0)), LOSS_PER_X0 * x0)
            for start, end, bx, by, x0 in legs
            if start == z
        ]
    return Table(np.array(rows, dtype=np.float64), len(ms.planes))


@numba.njit(cache=True, nogil=True)
def _arc(s, length, bx, by):  # type: ignore[no-untyped-def]
    """Carry s = (x, y, tx, ty, q/p) through a box along its circle; False where the particle turns around."""
    if bx == 0.0 and by == 0.0:
        s[0] += length * s[2]
        s[1] += length * s[3]
        return True
    across, along, field = (0, 1, -by) if by != 0.0 else (1, 0, bx)
    tw, tu = s[2 + across], s[2 + along]
    slope = math.sqrt(1.0 + tw * tw)
    # momentum in the plane of the circle, 1 / radius with the sign of the turn, its centre relative to the entrance
    radius = slope / (math.sqrt(1.0 + tw * tw + tu * tu) * C_FIELD * 1e-3 * field * s[4])
    sine, cosine = tw / slope, 1.0 / slope
    z_centre, w_centre = -radius * sine, radius * cosine
    sine_out = (length - z_centre) / radius
    if abs(sine_out) >= 1.0:
        return False
    cosine_out = math.sqrt(1.0 - sine_out * sine_out)
    s[across] += w_centre - radius * cosine_out
    s[along] += tu / slope * radius * (math.asin(sine_out) - math.asin(sine))
    s[2 + across] = sine_out / cosine_out
    s[2 + along] = tu / slope / cosine_out
    return True


@numba.njit(cache=True, nogil=True)
def _trace(s, rows, normals, u):  # type: ignore[no-untyped-def]
    """Carry s from the first plane to behind the last; `normals` (n_rows, 4) scatter it, `u` gets the exact coordinates."""
    plane = 0
    for i in range(len(rows)):
        angle = rows[i, 4] * abs(s[4])
        if rows[i, 0] == PLANE:
            u[plane] = rows[i, 1] * s[0] + rows[i, 2] * s[1]
            plane += 1
        else:
            length = rows[i, 1]
            if not _arc(s, length, rows[i, 2], rows[i, 3]):
                return False
            # angle and position behind an even scatterer (Particle Data Group, eqs. 34.22 and 34.23)
            shift = angle * length
            s[0] += shift * (normals[i, 2] / math.sqrt(12.0) + 0.5 * normals[i, 0])
            s[1] += shift * (normals[i, 3] / math.sqrt(12.0) + 0.5 * normals[i, 1])
        s[2] += angle * normals[i, 0]
        s[3] += angle * normals[i, 1]
        s[4] /= 1.0 - rows[i, 5] * abs(s[4])
    return True


@numba.njit(cache=True, nogil=True)
def _generate(first, rows, kinks, rng, last, u):  # type: ignore[no-untyped-def]
    """Hits of every track; a kink is (row, change of tx, change of ty, momentum behind over before), row < 0 for none."""
    normals = np.zeros((len(rows), 4))
    for t in range(len(first)):
        for i in range(len(rows)):
            if rows[i, 4] > 0.0:
                for k in range(4 if rows[i, 0] == LEG else 2):
                    normals[i, k] = rng.standard_normal()
        s = last[t]
        s[:] = first[t]
        at = int(kinks[t, 0]) if len(kinks) > 0 else -1
        if at < 0:
            ok = _trace(s, rows, normals, u[t])
        else:
            n_before = 0
            for i in range(at + 1):
                n_before += 1 if rows[i, 0] == PLANE else 0
            ok = _trace(s, rows[: at + 1], normals, u[t])
            s[2] += kinks[t, 1]
            s[3] += kinks[t, 2]
            s[4] /= kinks[t, 3]
            ok = ok and _trace(s, rows[at + 1 :], normals[at + 1 :], u[t, n_before:])
        if not ok:
            s[:] = np.nan
            u[t] = np.nan
        plane = 0
        for i in range(len(rows)):
            if rows[i, 0] == PLANE:
                u[t, plane] += rows[i, 3] * rng.standard_normal()
                plane += 1


def make(
    ms: Spectrometer,
    n: int,
    momentum: tuple[float, float],
    seed: int,
    *,
    spread: tuple[float, float] = (15.0, 1e-3),
    charge: int = 0,
    kinks: FloatArray | None = None,
) -> Sample:
    """Generate tracks.

    Parameters
    ----------
    ms : Spectrometer
        Telescope, MS1 or MS2.
    n : int
        Number of tracks.
    momentum : tuple of float
        Lowest and highest, uniform between them [GeV/c].
    seed : int
        Of the generator: the same seed gives the same tracks.
    spread : tuple of float
        Standard deviations of position [mm] and slope [rad] at the first plane.
    charge : int
        +1 or -1, 0 for either.
    kinks : FloatArray, optional
        Shape (n, 4): row of the layout behind which a particle changes its direction (-1 for none), dtx, dty, momentum ratio.

    Returns
    -------
    Sample
        Truth and hits.
    """
    rng = np.random.default_rng(seed)
    table = layout(ms)
    first = rng.normal(size=(n, 5)) * np.array([spread[0], spread[0], spread[1], spread[1], 0.0])
    sign = rng.choice((-1.0, 1.0), n) if charge == 0 else np.full(n, float(charge))
    first[:, 4] = sign / rng.uniform(*momentum, n)
    last, u = np.empty((n, 5)), np.empty((n, table.n_planes))
    _generate(first, table.rows, np.empty((0, 4)) if kinks is None else kinks, rng, last, u)
    weight = np.broadcast_to(np.array([p.sigma for p in ms.planes]) ** -2.0, u.shape).copy()
    return Sample(first, last, u, weight, np.zeros(u.shape, dtype=np.bool_), np.zeros(n, dtype=np.int64))


def moved(sample: Sample, seed: int, hit_of: IntArray, fraction: float = 0.05, missing: float = 0.03, reach: float = 20.0) -> Sample:
    """The set "outl": some hits moved by up to +-20 mm in all their coordinates, some missing."""
    rng = np.random.default_rng(seed)
    n, n_hits = len(sample.u), int(hit_of[-1]) + 1
    kind = rng.uniform(size=(n, n_hits))
    bad, lost = kind < fraction, (kind >= fraction) & (kind < fraction + missing)
    u = np.where(bad[:, hit_of], sample.u + rng.uniform(-reach, reach, sample.u.shape), sample.u)
    weight = np.where(lost[:, hit_of], 0.0, sample.weight)
    return Sample(sample.first, sample.last, np.where(weight > 0.0, u, 0.0), weight, bad[:, hit_of], bad.sum(axis=1))


def seeds(sample: Sample, seed: int) -> FloatArray:
    """Seeds as the peers had them: truth smeared by 0.07 mm, 85 urad and 4 % in the momentum."""
    rng = np.random.default_rng(seed)
    out = sample.first + rng.normal(size=sample.first.shape) * np.array([0.07, 0.07, 85e-6, 85e-6, 0.0])
    out[:, 4] *= 1.0 + 0.04 * rng.normal(size=len(out))
    return out


def gls_sigma(ms: Spectrometer, momentum: float) -> FloatArray:
    """Error propagation without a filter: generalised least squares with the full covariance of all hits.

    Parameters
    ----------
    ms : Spectrometer
        Telescope, MS1 or MS2.
    momentum : float
        Of a track along the axis [GeV/c].

    Returns
    -------
    FloatArray
        Standard deviations of (x, y, tx, ty, q/p) at the first plane, shape (5,).
    """
    table = layout(ms)
    start = np.array([0.0, 0.0, 0.0, 0.0, -1.0 / momentum])
    step = np.array([0.1, 0.1, 1e-6, 1e-6, 1e-4 / momentum])

    def hits(state: FloatArray, normals: FloatArray) -> FloatArray:
        u = np.empty(table.n_planes)
        _trace(state.copy(), table.rows, normals, u)
        return u

    still = np.zeros((len(table.rows), 4))
    design = np.stack([(hits(start + d, still) - hits(start - d, still)) / (2.0 * d.sum()) for d in np.diag(step)], axis=1)
    noise = []
    for i, k in np.ndindex(still.shape):
        kick = still.copy()
        kick[i, k] = 0.5
        noise.append(hits(start, kick) - hits(start, -kick))
    covariance = np.diag([p.sigma**2 for p in ms.planes]) + np.array(noise).T @ np.array(noise)
    return np.sqrt(np.diag(np.linalg.inv(design.T @ np.linalg.solve(covariance, design))))
