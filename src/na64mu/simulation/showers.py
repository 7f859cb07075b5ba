"""Showers in sampling calorimeters: longitudinal profile, lateral sharing over cells, response and what leaks out.

Lengths mm, energies GeV. Electromagnetic showers: gamma-function longitudinal profile (PDG Review sec. 34.5, eq.
34.35) and the radial profile 2 r R^2 / (r^2 + R^2)^2 with a core and a tail (Grindhammer and Peters, hep-ex/0001020).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.kernel import kernel
from na64mu.simulation.losses import LossTables
from na64mu.typing import FloatArray

__all__ = ("Calorimeter", "deposit_electromagnetic", "deposit_point", "gamma_cdf", "lateral_integral", "smeared_response")


class Calorimeter(NamedTuple):
    """A calorimeter for the kernels.

    Attributes
    ----------
    z : float
        Front face [mm].
    ends : FloatArray
        End of every section (or module) along z [mm], shape (n_sections,).
    x_low, y_low, x_pitch, y_pitch : float
        Low edge of cell 0 and cell sizes [mm].
    x_hole, y_hole : float
        Half size of a hole on the axis [mm], 0 without.
    x0, interaction_length : float
        Of the homogenised stack [mm].
    critical_energy : float
        Of the homogenised stack [GeV].
    core, tail, core_weight : float
        Radii [mm] and weight of the core in the radial profile.
    stochastic, constant : float
        Resolution for electromagnetic showers, sigma/E = stochastic / sqrt(E) (+) constant.
    hadron_stochastic, hadron_constant : float
        The same for hadronic showers.
    h_over_e : float
        Response to the non-electromagnetic part of a hadronic shower over that to electrons; 1 on a hadron scale.
    mip_scale : float
        Energy scale of ionisation by muons relative to that of showers.
    mip_variance : float
        Variance of the visible ionisation per mean [GeV]: sampling of delta rays in the scintillator.
    mip_third : float
        Its third cumulant per mean [GeV^2].
    z_nucleus : float
        Nuclear charge of the absorber, for scattering.
    losses : LossTables
        Muon losses in the stack.
    """

    z: float
    ends: FloatArray
    x_low: float
    y_low: float
    x_pitch: float
    y_pitch: float
    x_hole: float
    y_hole: float
    x0: float
    interaction_length: float
    critical_energy: float
    core: float
    tail: float
    core_weight: float
    stochastic: float
    constant: float
    hadron_stochastic: float
    hadron_constant: float
    h_over_e: float
    mip_scale: float
    mip_variance: float
    mip_third: float
    z_nucleus: float
    losses: LossTables


@kernel
def gamma_cdf(a: float, x: float) -> float:
    """Regularised lower incomplete gamma function P(a, x).

    Series for x < a + 1, else Lentz's continued fraction (Abramowitz and Stegun 6.5.29, 6.5.31).

    Parameters
    ----------
    a, x : float
        Shape (> 0) and argument.

    Returns
    -------
    float
        P(a, x), from 0 to 1.
    """
    if x <= 0.0:
        return 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        term = total = 1.0 / a
        for n in range(1, 200):
            term *= x / (a + n)
            total += term
            if term < 1e-10 * total:
                break
        return min(1.0, front * total)
    b = x + 1.0 - a
    c, d = 1e300, 1.0 / b
    h = d
    for n in range(1, 200):
        an = n * (a - n)
        b += 2.0
        d = 1.0 / (an * d + b)
        c = b + an / c
        h *= d * c
        if abs(d * c - 1.0) < 1e-10:
            break
    return max(0.0, 1.0 - front * h)


@kernel
def lateral_integral(x: float, y: float, radius: float) -> float:
    """Integral of R^2 / (pi (u^2 + v^2 + R^2)^2) over 0 < u < x, 0 < v < y (odd in both).

    Parameters
    ----------
    x, y : float
        Upper limits [mm].
    radius : float
        R [mm].

    Returns
    -------
    float
        Fraction of the energy, 1/4 for x, y to infinity.
    """
    ax = math.sqrt(x * x + radius * radius)
    ay = math.sqrt(y * y + radius * radius)
    return (x / ax * math.atan(y / ax) + y / ay * math.atan(x / ay)) / (2.0 * math.pi)


@kernel
def smeared_response(energy: float, stochastic: float, constant: float, rng: np.random.Generator) -> float:
    """Visible energy of a shower: mean E, variance (stochastic sqrt(E))^2 + (constant E)^2, gamma-distributed.

    The gamma distribution is positive for the softest showers and close to a Gaussian for all others.

    Parameters
    ----------
    energy : float
        Energy of the shower [GeV].
    stochastic, constant : float
        Terms of the resolution.
    rng : Generator
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
        Where [mm].
    energy : float
        [GeV].
    """
    ix = math.floor((x - c.x_low) / c.x_pitch)
    iy = math.floor((y - c.y_low) / c.y_pitch)
    if 0 <= ix < cells.shape[1] and 0 <= iy < cells.shape[2] and not (abs(x) < c.x_hole and abs(y) < c.y_hole):
        cells[section, ix, iy] += energy


@kernel
def _corner(c: Calorimeter, u: float, v: float) -> float:
    """Integral of the radial profile, core and tail, from the axis to a corner of a cell."""
    return c.core_weight * lateral_integral(u, v, c.core) + (1.0 - c.core_weight) * lateral_integral(u, v, c.tail)


@kernel
def _deposit_spread(c: Calorimeter, cells: FloatArray, section: int, x: float, y: float, energy: float) -> None:
    """Share energy over the 5 x 5 cells around a point by the radial profile; what falls outside is lost."""
    ix0 = math.floor((x - c.x_low) / c.x_pitch)
    iy0 = math.floor((y - c.y_low) / c.y_pitch)
    first, last = max(0, iy0 - 2), min(cells.shape[2], iy0 + 3)
    for ix in range(max(0, ix0 - 2), min(cells.shape[1], ix0 + 3)):
        u = c.x_low + ix * c.x_pitch - x
        v = c.y_low + first * c.y_pitch - y
        below = _corner(c, u + c.x_pitch, v) - _corner(c, u, v)
        for iy in range(first, last):
            v += c.y_pitch
            above = _corner(c, u + c.x_pitch, v) - _corner(c, u, v)
            cells[section, ix, iy] += energy * (above - below)
            below = above


@kernel
def deposit_electromagnetic(
    c: Calorimeter, cells: FloatArray, state: FloatArray, z: float, energy: float, photon: bool, carried: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Let an electromagnetic shower develop: profile along z over the sections, sharing over cells, resolution.

    Parameters
    ----------
    c : Calorimeter
        The calorimeter.
    cells : FloatArray
        Energies [GeV], shape (n_sections, n_x, n_y), changed in place.
    state : FloatArray
        (x, y, tx, ty, p) where the shower starts; it follows this direction.
    z : float
        Where it starts [mm].
    energy : float
        [GeV].
    photon : bool
        Started by a photon, else by electrons: maximum at ln(E / Ec) + 0.5 or - 0.5.
    carried : float
        Energy that hard particles carry out of the rear face [GeV]: what is deposited cannot be more than the rest.
    rng : Generator
        Random numbers.

    Returns
    -------
    leaving : float
        Mean number of electrons and positrons that leave through the rear face: the profile there times E / Ec (Rossi's
        approximation B: track length E / Ec radiation lengths).
    leak : float
        Energy that leaves through the rear face besides `carried` [GeV].
    """
    visible = smeared_response(energy, c.stochastic, c.constant, rng)
    b = 0.5
    peak = max(0.0, math.log(energy / c.critical_energy) + (0.5 if photon else -0.5))
    a = 1.0 + b * peak
    before = 0.0
    depth = (c.ends[-1] - z) / c.x0
    contained = gamma_cdf(a, b * depth)
    if carried > energy * (1.0 - contained):
        visible *= max(0.0, energy - carried) / (energy * max(contained, 1e-12))
    for section in range(len(c.ends)):
        if c.ends[section] <= z:
            continue
        depth = (c.ends[section] - z) / c.x0
        after = gamma_cdf(a, b * depth)
        start = max(z, c.z if section == 0 else c.ends[section - 1])
        middle = min(0.5 * (start + c.ends[section]), z + peak * c.x0) if section == 0 or start == z else start
        x, y = state[0] + state[2] * (middle - z), state[1] + state[3] * (middle - z)
        if energy > 0.1:
            _deposit_spread(c, cells, section, x, y, visible * (after - before))
        else:
            # too soft to share smoothly: one point drawn from the radial profile
            radius = c.core if rng.random() < c.core_weight else c.tail
            u = rng.random()
            r = radius * math.sqrt(u / (1.0 - u))
            phi = 2.0 * math.pi * rng.random()
            deposit_point(c, cells, section, x + r * math.cos(phi), y + r * math.sin(phi), visible * (after - before))
        before = after
        if before > 0.9999:
            return 0.0, 0.0
    slope = b * math.exp((a - 1.0) * math.log(max(b * depth, 1e-12)) - b * depth - math.lgamma(a))
    return energy / c.critical_energy * slope, max(0.0, energy * (1.0 - contained) - carried)
