"""Showers in sampling calorimeters: sharing over sections and cells, response with its fluctuations, and leakage.

Lengths mm, energies GeV. Electromagnetic showers have the profiles of Grindhammer and Peters (see profiles.py). The signal of a
cell is gamma-distributed with variance stochastic^2 times its mean, whatever the cell: so the sum over all of them has the
resolution stochastic / sqrt(E), and the sharing over cells and sections fluctuates with the same number of particles.
"""

from __future__ import annotations

import math

from na64mu.compiled.kernel import kernel
from na64mu.simulation.calorimeter_stack import Calorimeter
from na64mu.simulation.profiles import TAIL, TAIL_SPREAD, RadialProfile, gamma_cdf, lateral_integral, longitudinal, mean_depth, radial
from na64mu.simulation.stream import Stream
from na64mu.typing import FloatArray, Record

__all__ = ("deposit_electromagnetic", "deposit_point", "smeared_response")


#: Softer showers are spots of at most SPOT each, at depths and radii drawn from the profiles [GeV]: the parametrisation was made for 0.4 GeV
#: and more, and softer showers are a few particles.
SOFTEST_SHAPE, SPOT = 0.4, 0.1
SOFT_BETA = 0.5  # of their longitudinal profile (PDG Review sec. 34.5)


@kernel
def smeared_response(energy: float, stochastic: float, constant: float, rng: Stream) -> float:
    """Visible energy of a shower: mean E, variance (stochastic sqrt(E))^2 + (constant E)^2, gamma-distributed.

    The gamma distribution is positive for the softest showers and close to a Gaussian for all others.

    Parameters
    ----------
    energy : float
        Energy of the shower [GeV].
    stochastic, constant : float
        Terms of the resolution.
    rng : Stream
        Random numbers.

    Returns
    -------
    float
        [GeV].
    """
    if energy <= 0.0:
        return 0.0
    spread = stochastic * stochastic + constant * constant * energy  # variance / mean
    if spread <= 0.0:
        return energy
    return spread * rng.standard_gamma(energy / spread)


@kernel
def deposit_point(c: Calorimeter, cells: FloatArray, section: int, x: float, y: float, energy: float) -> None:
    """Add energy to the cell at a point, if there is one.

    Parameters
    ----------
    c : Calorimeter
        The calorimeter.
    cells : FloatArray
        Energies [GeV], shape (n_sections, n_x, n_y), changed in place.
    section : int
        Section or module, from 0.
    x, y : float
        Position [mm].
    energy : float
        [GeV].
    """
    ix = math.floor((x - c.x_low) / c.x_pitch)
    iy = math.floor((y - c.y_low) / c.y_pitch)
    if 0 <= ix < cells.shape[1] and 0 <= iy < cells.shape[2] and not (abs(x) < c.x_hole and abs(y) < c.y_hole):
        cells[section, ix, iy] += energy


@kernel
def _add(c: Calorimeter, cells: FloatArray, section: int, ix: int, iy: int, mean: float, rng: Stream) -> None:
    """Add the signal of a mean energy to a cell."""
    variance = c.stochastic * c.stochastic  # over mean
    if mean <= 0.0:
        return
    if variance > 0.0:
        cells[section, ix, iy] += c.scale * variance * rng.standard_gamma(mean / variance)
    else:
        cells[section, ix, iy] += c.scale * mean


@kernel
def _corner(u: float, v: float, core: float, tail: float, weight: float) -> float:
    """Integral of the radial profile, core and tail, from the axis to a corner of a cell."""
    return weight * lateral_integral(u, v, core) + (1.0 - weight) * lateral_integral(u, v, tail)


@kernel
def _deposit_spread(
    c: Calorimeter, cells: FloatArray, section: int, x: float, y: float, energy: float,
    profile: RadialProfile, rng: Stream,
) -> None:  # fmt: skip
    """Share energy over the 5 x 5 cells around a point by a radial profile, or 3 x 3 that are larger than its mean tail; the rest is lost."""
    core, tail, weight = c.moliere * profile.core, c.moliere * profile.tail, profile.weight
    n = 1 if min(c.x_pitch, c.y_pitch) > TAIL * c.moliere else 2
    ix0 = math.floor((x - c.x_low) / c.x_pitch)
    iy0 = math.floor((y - c.y_low) / c.y_pitch)
    first, last = max(0, iy0 - n), min(cells.shape[2], iy0 + n + 1)
    for ix in range(max(0, ix0 - n), min(cells.shape[1], ix0 + n + 1)):
        u = c.x_low + ix * c.x_pitch - x
        v = c.y_low + first * c.y_pitch - y
        below = _corner(u + c.x_pitch, v, core, tail, weight) - _corner(u, v, core, tail, weight)
        for iy in range(first, last):
            v += c.y_pitch
            above = _corner(u + c.x_pitch, v, core, tail, weight) - _corner(u, v, core, tail, weight)
            _add(c, cells, section, ix, iy, energy * (above - below), rng)
            below = above


@kernel
def _deposit_spot(c: Calorimeter, cells: FloatArray, state: Record, z: float, energy: float, alpha: float, rng: Stream) -> None:
    """Put the signal of a part of a soft shower at one point: depth and radius drawn from the profiles."""
    depth = rng.standard_gamma(alpha) / SOFT_BETA * c.x0
    section = 0
    while section < len(c.ends) and z + depth >= c.ends[section]:
        section += 1
    if section == len(c.ends):
        return
    radius = c.core if rng.random() < c.core_weight else c.tail
    u = rng.random()
    r = radius * math.sqrt(u / (1.0 - u))
    phi = 2.0 * math.pi * rng.random()
    x, y = state.x + state.tx * depth + r * math.cos(phi), state.y + state.ty * depth + r * math.sin(phi)
    ix, iy = math.floor((x - c.x_low) / c.x_pitch), math.floor((y - c.y_low) / c.y_pitch)
    if 0 <= ix < cells.shape[1] and 0 <= iy < cells.shape[2] and not (abs(x) < c.x_hole and abs(y) < c.y_hole):
        _add(c, cells, section, ix, iy, energy, rng)


@kernel
def deposit_electromagnetic(
    c: Calorimeter, cells: FloatArray, state: Record, z: float, energy: float, photon: bool, carried: float, rng: Stream
) -> tuple[float, float]:
    """Let an electromagnetic shower develop: profile along z over the sections, sharing over cells, resolution.

    Parameters
    ----------
    c : Calorimeter
        The calorimeter.
    cells : FloatArray
        Energies [GeV], shape (n_sections, n_x, n_y), changed in place.
    state : Record
        (x, y, tx, ty, p) where the shower starts; it follows this direction.
    z : float
        Start of the shower along z [mm].
    energy : float
        [GeV].
    photon : bool
        Started by a photon: it converts after 9/7 radiation lengths on average to a pair whose halves carry, weighted with
        their energy, exp(-1/2) of it (uniform sharing).
    carried : float
        Energy that hard particles carry out of the rear face [GeV]: what is deposited cannot be more than the rest.
    rng : Stream
        Random numbers.

    Returns
    -------
    leaving : float
        Mean number of electrons and positrons that leave through the rear face: the profile there times E / Ec (Rossi's
        approximation B: track length E / Ec radiation lengths).
    leak : float
        Energy that leaves through the rear face besides `carried` [GeV].
    """
    whole = (c.ends[-1] - z) / c.x0
    log_y = math.log(energy / c.critical_energy)
    if energy < SOFTEST_SHAPE:
        alpha, beta, start = 1.0 + SOFT_BETA * max(0.0, log_y + (0.5 if photon else -0.5)), SOFT_BETA, 0.0
    else:
        start = 9.0 / 7.0 * rng.standard_exponential() if photon else 0.0
        alpha, peak = longitudinal(log_y - (0.5 if photon else 0.0), c.z_effective, c.sampling_frequency, c.e_hat, rng)
        beta = (alpha - 1.0) / peak
    if start >= whole:
        return 0.0, max(0.0, energy - carried)
    contained = gamma_cdf(alpha, beta * (whole - start))
    seen = energy
    if carried > energy * (1.0 - contained):
        seen *= max(0.0, energy - carried) / (energy * max(contained, 1e-12))
    if c.constant > 0.0:
        seen *= max(0.0, 1.0 + c.constant * rng.standard_normal())
    if energy < SOFTEST_SHAPE:
        n = math.ceil(energy / SPOT)
        for _ in range(n):
            _deposit_spot(c, cells, state, z, seen / n, alpha, rng)
    else:
        before, from_depth = 0.0, 0.0
        wider = math.exp(TAIL_SPREAD / math.sqrt(max(energy, 4.0)) * rng.standard_normal())
        for section in range(len(c.ends)):
            to_depth = (c.ends[section] - z) / c.x0 - start
            if to_depth <= 0.0:
                continue
            after = contained if section == len(c.ends) - 1 else gamma_cdf(alpha, beta * to_depth)
            middle = mean_depth(alpha, beta, from_depth, to_depth, after - before)
            at = (start + middle) * c.x0
            mean = radial(middle / peak, math.log(energy), c.z_effective, c.sampling_frequency, c.e_hat)
            profile = RadialProfile(mean.core, mean.tail * wider, mean.weight)
            _deposit_spread(c, cells, section, state.x + state.tx * at, state.y + state.ty * at, seen * (after - before), profile, rng)
            before, from_depth = after, to_depth
            if before > 0.9999:
                return 0.0, 0.0
    if contained > 0.9999:
        return 0.0, 0.0
    depth = beta * (whole - start)
    slope = beta * math.exp((alpha - 1.0) * math.log(max(depth, 1e-12)) - depth - math.lgamma(alpha))
    return energy / c.critical_energy * slope, max(0.0, energy * (1.0 - contained) - carried)
