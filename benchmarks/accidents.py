"""What can go wrong with one 160 GeV/c muon in MS2, each accident with its own rate: used by tails.py.

Accidents of the particle change its path (`kinks`), accidents of the read-out change its hits (`disturb`). Units: mm, rad, GeV.

Rates and their sources
-----------------------
missing     inefficiency of the detector description, per plane.
noise       noise hits of the description, uniform over the plane; one is taken where the true hit is missing and it lies in the
            search window, +-5 standard deviations of the track without the hit (tracking.finding.WINDOW).
delta       knock-on electrons of the gas: number above T from Particle Data Group, "Passage of particles through matter", eq.
            (34.8); range by Katz and Penfold, Rev. Mod. Phys. 24 (1952) 28. Inferred: argon at 1.7e-3 g/cm3, gaps of 3 mm (GEM) and
            5 mm (Micromegas); the centroid moves to the middle of the electron's path in proportion to the energy it adds to the
            0.25 keV/mm of the muon; in a straw the electron may pass nearer to the wire.
left/right  the side of the wire on which the prediction of all other hits lies: wrong where its error exceeds the distance. Wires are crossed
            uniformly.
ghost       Micromegas: noise of the description overlaps the strips of the hit (5 channels wide, inferred from the response of the
            description), and the cluster is read at another place that the same channel serves; taken if in the window, else missing.
Coulomb     single scattering beyond 0.1 mrad, far outside Highland's core: Rutherford's formula written in radiation lengths, with the
            nuclear form factor of a Gaussian charge and incoherent scattering on protons with the dipole form factor (Particle Data Group;
            Y. S. Tsai, Rev. Mod. Phys. 46 (1974) 815). Inferred: carbon-like nuclei.
decay       c tau = 658.6 m; unpolarised electron spectrum x^2 (3 - 2x), isotropic at rest (inferred: beam polarisation left out).
radiation   bremsstrahlung, A. A. Petrukhin and V. V. Shestakov, Can. J. Phys. 46 (1968) S377, in the material of MS2 with nitrogen
            as nucleus (inferred). Pairs fall faster with the fraction lost and are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from telescope import LEG, layout

from na64mu.detector import load_detector
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import FloatArray, IntArray

__all__ = ("CAUSES", "Readout", "disturb", "kinks", "readout")

#: Bit number of every accident, in the order in which a wrong track is attributed: the rarest and gravest first.
CAUSES = ("decay", "radiation", "Coulomb", "ghost", "noise", "delta", "left/right", "missing")
DECAY, RADIATION, COULOMB, GHOST, NOISE, DELTA, SIDE, MISSING = range(8)

MUON, ELECTRON = 0.1056583755, 0.51099895e-3
ALPHA, AVOGADRO, R_E = 1.0 / 137.036, 6.02214e23, 2.8179403e-13  # cm
C_TAU = 658.6e3  # mm
COULOMB_FROM = 1e-4  # rad
RADIATED_FROM = 0.05  # fraction of the momentum


@dataclass(frozen=True)
class Readout:
    """What the read-out does to hits, per plane.

    Attributes
    ----------
    planes : FloatArray
        Shape (n_planes, 9): kind (0 GEM, 1 Micromegas, 2 straw), sigma, window, efficiency, noise hits per mm, delta electrons above
        10 keV per crossing, gap [mm], ghosts per crossing, standard deviation of the track there without the hit.
    ghosts : FloatArray
        Distances of the other places served by the same channel [mm], shape (n_planes, n_distances), from every strip in turn.
    """

    planes: FloatArray
    ghosts: FloatArray


def readout(ms: Spectrometer, unbiased_sigma: FloatArray, noise: float = 1.0, window: float = 0.0) -> Readout:
    """Rates of the detector description.

    Parameters
    ----------
    ms : Spectrometer
        MS2.
    unbiased_sigma : FloatArray
        Standard deviation of a hit from the track of all others [mm], shape (n_planes,).
    noise : float
        Factor on the noise.
    window : float
        Half width of the search window [mm]; 0 for five standard deviations.

    Returns
    -------
    Readout
        Per plane.
    """
    detector = load_detector("na64mu-2022")
    rows, ghosts = [], []
    density = 1.7e-3  # g/cm3
    for plane, sigma in zip(ms.planes, unbiased_sigma, strict=True):
        module = detector.trackers[plane.station]
        kind = {"gem": 0, "mm": 1, "st": 2}[plane.station.rstrip("0123456789")]
        width = 2.0 * module.half[plane.view] if kind < 2 else 2.0 * plane.reach
        noise_per_mm = noise * detector.medium.noise_hits / width * (0.5 if kind == 2 else 1.0)  # a view of a straw has two layers
        gap = (3.0, 5.0, 4.7)[kind]  # 4.7: mean chord of a tube of 3.01 mm radius
        delta = 0.1535 * 0.45 * density * 0.1 * gap / 0.010
        places = [0.0]
        overlap = 0.0
        if kind == 1:
            channel = module.strip_channel(plane.view)
            overlap = noise * detector.medium.noise_hits * 10.0 / module.channels[plane.view]
            places = [(b - a) * module.pitch for a in range(0, len(channel), 7) for b in np.flatnonzero(channel == channel[a]) if b != a]
        ghosts.append(places)
        rows.append(
            (
                kind,
                plane.sigma,
                window or 5.0 * sigma,
                module.efficiency,
                noise_per_mm,
                delta,
                gap,
                overlap,
                np.sqrt(max(sigma**2 - plane.sigma**2, 0.0)),
            )
        )
    longest = max(map(len, ghosts))
    return Readout(np.array(rows, dtype=np.float64), np.array([np.resize(g, longest) for g in ghosts], dtype=np.float64))


@numba.njit(cache=True, nogil=True)
def _delta_shift(gap, kind, distance, rng):  # type: ignore[no-untyped-def]
    """Displacement of a hit by a knock-on electron above 10 keV [mm]."""
    energy = min(0.010 / rng.random(), 10.0)  # MeV; spectrum 1 / T^2
    reach = 0.412 * energy ** (1.265 - 0.0954 * math.log(energy)) / 1.7e-3 * 10.0
    cosine = math.sqrt(energy / (energy + 2.0 * 0.511))
    path = min(reach, gap * (0.5 + 0.5 * rng.random()) / max(cosine, 1e-3))
    across = path * math.sqrt(1.0 - cosine * cosine) * math.cos(2.0 * math.pi * rng.random())
    if kind == 2:
        return -math.copysign(min(abs(across), abs(distance)), distance)  # towards the wire
    deposit = energy * path / reach
    return 0.5 * across * deposit / (deposit + 0.25e-3 * gap)


@numba.njit(cache=True, nogil=True)
def _disturb(u, weight, tags, planes, ghosts, rng):  # type: ignore[no-untyped-def]
    n_ghosts = ghosts.shape[1]
    for t in range(len(u)):
        for p in range(len(planes)):
            kind, window = int(planes[p, 0]), planes[p, 2]
            predicted = planes[p, 8]
            present = rng.random() < planes[p, 3]
            true = u[t, p]
            if kind == 2:
                distance = 3.01 * (2.0 * rng.random() - 1.0)  # of the track from the wire
                if rng.random() < planes[p, 5]:
                    u[t, p] += _delta_shift(planes[p, 6], kind, distance, rng)
                    tags[t] |= 1 << DELTA
                if abs(distance) < 5.0 * predicted and predicted * rng.standard_normal() > abs(distance):
                    u[t, p] -= 2.0 * distance
                    tags[t] |= 1 << SIDE
            elif rng.random() < planes[p, 5]:
                u[t, p] += _delta_shift(planes[p, 6], kind, 0.0, rng)
                tags[t] |= 1 << DELTA
            if kind == 1 and rng.random() < planes[p, 7]:
                u[t, p] += ghosts[p, int(rng.random() * n_ghosts)]
                if abs(u[t, p] - true) < window:
                    tags[t] |= 1 << GHOST
                else:
                    present = False
            if not present:
                tags[t] |= 1 << MISSING
                if rng.random() < 2.0 * window * planes[p, 4]:
                    u[t, p] = true + window * (2.0 * rng.random() - 1.0)
                    tags[t] |= 1 << NOISE
                else:
                    u[t, p], weight[t, p] = 0.0, 0.0


def disturb(u: FloatArray, weight: FloatArray, tags: IntArray, what: Readout, rng: np.random.Generator) -> None:
    """Let the accidents of the read-out happen, in place.

    Parameters
    ----------
    u, weight : FloatArray
        Hits and 1 / sigma^2, shape (n, n_planes).
    tags : IntArray
        Bit i is set where CAUSES[i] happened, shape (n,).
    what : Readout
        Rates.
    rng : Generator
        Random numbers.
    """
    _disturb(u, weight, tags, what.planes, what.ghosts, rng)


def _rutherford(x_over_x0: FloatArray) -> FloatArray:
    """Single scatters beyond COULOMB_FROM at 160 GeV/c without form factors, for carbon."""
    return x_over_x0 * np.pi * (ELECTRON / 160.0) ** 2 / (ALPHA * np.log(287.0 / np.sqrt(6.0)) * COULOMB_FROM**2)


def _form_factor2(q2: FloatArray) -> FloatArray:
    """Coherent and incoherent form factor squared of carbon, over Z^2; q2 in GeV^2."""
    rms2 = (2.47 / 0.1973) ** 2  # 1/GeV^2; charge radius 2.47 fm
    coherent = np.exp(-q2 * rms2 / 3.0)
    return coherent + (1.0 - coherent) / 6.0 * (1.0 + q2 / 0.71) ** -4.0


def radiation_table(momentum: float) -> tuple[FloatArray, FloatArray]:
    """Fractions v and the number of bremsstrahlung photons above each of them in one radiation length of air."""
    v = np.geomspace(RADIATED_FROM, 0.999, 400)
    z, a = 7.0, 14.007
    q = MUON**2 * v / (2.0 * momentum * (1.0 - v))
    third = z ** (-1.0 / 3.0)
    screening = np.log(189.0 * MUON / ELECTRON * third / (1.0 + 189.0 * np.sqrt(np.e) * q / ELECTRON * third))
    sigma = ALPHA * (2.0 * z * R_E * ELECTRON / MUON) ** 2 * (4.0 / 3.0 - 4.0 / 3.0 * v + v * v) * np.maximum(screening, 0.0) / v
    per_x0 = 36.62 * AVOGADRO / a * sigma
    above = np.append(np.cumsum((0.5 * (per_x0[1:] + per_x0[:-1]) * np.diff(v))[::-1])[::-1], 0.0)
    return v, above


def kinks(ms: Spectrometer, n: int, momentum: float, tags: IntArray, rng: np.random.Generator) -> FloatArray:
    """Accidents of n particles; see telescope.make.

    Parameters
    ----------
    ms : Spectrometer
        MS2.
    n : int
        Number of particles.
    momentum : float
        GeV/c.
    tags : IntArray
        Bit i is set where CAUSES[i] happened, shape (n,).
    rng : Generator
        Random numbers.

    Returns
    -------
    FloatArray
        Shape (n, 4): row, dtx, dty, momentum ratio; row -1 for none.
    """
    rows = layout(ms).rows
    legs = ms.steps()
    length = np.where(rows[:, 0] == LEG, rows[:, 1], 0.0)
    x0 = np.zeros(len(rows))
    x0[rows[:, 0] == LEG] = legs[:, 4]
    x0[rows[:, 0] != LEG] = [p.x_over_x0 for p in ms.planes]
    out = np.zeros((n, 4))
    out[:, 0], out[:, 3] = -1.0, 1.0

    def pick(rate: FloatArray) -> tuple[IntArray, IntArray]:
        who = rng.choice(n, rng.poisson(n * rate.sum()), replace=False).astype(np.int64)
        where = rng.choice(len(rows), len(who), p=rate / rate.sum()).astype(np.int64)
        # what happens in a leg happens at one of its ends
        return who, np.where((length[where] > 0.0) & (where > 0) & (rng.random(len(who)) < 0.5), where - 1, where)

    who, where = pick(_rutherford(x0))
    angle = COULOMB_FROM / np.sqrt(rng.random(len(who)))
    kept = rng.random(len(who)) < _form_factor2((momentum * angle) ** 2)
    who, where, angle = who[kept], where[kept], angle[kept]
    phi = rng.uniform(0.0, 2.0 * np.pi, len(who))
    out[who] = np.stack([where, angle * np.cos(phi), angle * np.sin(phi), np.ones(len(who))], axis=1)
    tags[who] |= 1 << COULOMB

    v, above = radiation_table(momentum)
    who, where = pick(x0 * above[0])
    out[who] = np.stack(
        [where, *np.zeros((2, len(who))), 1.0 - np.interp(rng.uniform(0.0, above[0], len(who)), above[::-1], v[::-1])], axis=1
    )
    tags[who] |= 1 << RADIATION

    who, where = pick(length / (momentum / MUON * C_TAU))
    x = np.linspace(0.0, 1.0, 2001)
    fraction = np.interp(rng.random(len(who)), 2.0 * x**3 - x**4, x)
    cosine, phi = rng.uniform(-1.0, 1.0, len(who)), rng.uniform(0.0, 2.0 * np.pi, len(who))
    ratio = np.maximum(0.5 * fraction * (1.0 + cosine), 1e-3)
    angle = 0.5 * fraction * MUON * np.sqrt(1.0 - cosine**2) / (ratio * momentum)
    out[who] = np.stack([where, angle * np.cos(phi), angle * np.sin(phi), ratio], axis=1)
    tags[who] |= 1 << DECAY
    return out
