"""Electrons beside the muon: delta rays from planes and air.

They fly straight until the next magnet or calorimeter, leave hits in trackers and energy in counters and the VETO.
A secondary that enters a field box is dropped: below a few hundred MeV MS2 bends it out of the line.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from na64mu.simulation.line import ECAL, FIELD, HCAL, PLANE, VHCAL
from na64mu.simulation.materials import ELECTRON_MASS
from na64mu.simulation.setup import BOX, DISC, Scratch, Setup
from na64mu.simulation.showers import deposit_point
from na64mu.simulation.transport import MUON_MASS
from na64mu.typing import FloatArray

__all__ = ("LOWEST_DELTA", "counter_deposit", "delta_rays", "fly_electron", "record")

#: Delta rays from thin layers are made above this energy [GeV]; softer ones cannot fire a counter.
LOWEST_DELTA = 0.0004

#: Strength of the delta-ray spectrum, K / 2 <Z/A> with <Z/A> = 1/2 [GeV cm2 / g] (PDG Review eq. 34.8).
DELTA_STRENGTH = 0.5 * 0.307075e-3 * 0.5

#: Mass per radiation length of plastics, glass-epoxy and air [g/cm2] (PDG: 43.8, 33, 36.6).
MASS_PER_X0 = 40.0

#: Ionisation of a fast electron [GeV cm2 / g] (PDG, plastics at minimum: 1.9 to 2.0 MeV).
ELECTRON_LOSS = 0.00195

SCINTILLATOR_DENSITY = 1.06  # g/cm3


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def counter_deposit(thickness: float, rng: np.random.Generator) -> float:
    """Energy that a fast particle leaves in a thin scintillator [MeV].

    Most probable value of Landau, Vavilov and Bichsel (PDG Review eq. 34.13 in the limit of the density effect),
    xi [ln(2 m xi / (hbar omega_p)^2) + 0.2], hbar omega_p = 21.75 eV; fluctuations: Moyal's approximation with the
    Landau width (full width at half maximum 4.02 xi = 3.59 widths). Larger losses are the delta rays made apart.

    Parameters
    ----------
    thickness : float
        Path in the scintillator [mm].
    rng : Generator
        Random numbers.

    Returns
    -------
    float
        [MeV].
    """
    xi = 0.5 * 0.307075 * 0.5377 * 0.1 * thickness * SCINTILLATOR_DENSITY
    mode = xi * (math.log(2.0 * 0.51099895e6 * xi * 1e6 / (21.75 * 21.75)) + 0.2)
    z = rng.standard_normal()
    return max(0.3 * mode, mode - 1.12 * xi * math.log(z * z + 1e-12))


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _inside(setup: Setup, counter: int, x: float, y: float) -> bool:
    size = setup.counters.size[counter]
    shape = setup.counters.shape[counter]
    if shape == BOX:
        return size[2] < x < size[3] and size[4] < y < size[5]
    r2 = x * x + y * y
    if shape == DISC:
        return r2 < size[0] * size[0]
    return size[0] * size[0] < r2 < size[1] * size[1]


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def record(
    setup: Setup, scratch: Scratch, surface: int, x: float, y: float, tx: float, ty: float, limit: float, rng: np.random.Generator
) -> None:
    """A charged particle at a surface: a hit in a tracker, energy in a counter or a VETO panel.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    surface : int
        Index of the surface.
    x, y, tx, ty : float
        Position [mm] and slopes.
    limit : float
        Most that it can deposit: its kinetic energy [MeV].
    rng : Generator
        Random numbers.
    """
    s, c = setup.surfaces, setup.counters
    path = math.sqrt(1.0 + tx * tx + ty * ty)
    if surface < s.first_counter:
        if scratch.n[0] < len(scratch.hits):
            hit = scratch.hits[scratch.n[0]]
            hit[0], hit[1], hit[2], hit[3], hit[4] = surface, x, y, tx, ty
            scratch.n[0] += 1
    elif surface < s.veto:
        k = surface - s.first_counter
        if _inside(setup, k, x, y):
            scratch.counters[k] += min(limit, counter_deposit(c.thickness[k] * path, rng))
    elif abs(x) < c.veto_half[0] and abs(y) < c.veto_half[1]:
        panel = int((x + c.veto_half[0]) / (2.0 * c.veto_half[0]) * c.n_panels)
        scratch.veto[panel] += min(limit, counter_deposit(c.veto_thickness * path, rng))


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def fly_electron(
    setup: Setup, scratch: Scratch, step: int, z: float, x: float, y: float, tx: float, ty: float, energy: float, rng: np.random.Generator
) -> None:
    """Carry an electron straight on from a step to the next magnet or calorimeter, or until its energy is spent.

    A calorimeter behind it takes what is left.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    step : int
        First step that it sees.
    z, x, y, tx, ty : float
        Where it starts [mm] and its slopes.
    energy : float
        Kinetic energy [GeV].
    rng : Generator
        Random numbers.
    """
    line = setup.line
    path = math.sqrt(1.0 + tx * tx + ty * ty)
    for i in range(step, len(line.kind)):
        kind = line.kind[i]
        if kind in (FIELD, ECAL):
            return
        at_x, at_y = x + tx * (line.z_in[i] - z), y + ty * (line.z_in[i] - z)
        if kind == HCAL:
            deposit_point(setup.hcal, scratch.hcal, line.number[i], at_x, at_y, energy)
            return
        if kind == VHCAL and (abs(at_x) > setup.vhcal.x_hole or abs(at_y) > setup.vhcal.y_hole):
            deposit_point(setup.vhcal, scratch.vhcal, 0, at_x, at_y, energy)
            return
        if kind == PLANE:
            record(setup, scratch, line.number[i], at_x, at_y, tx, ty, 1e3 * energy, rng)
            thickness = line.x_over_x0[i] * MASS_PER_X0
            energy -= ELECTRON_LOSS * thickness * path
            if energy <= 0.0:
                return


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def delta_rays(setup: Setup, scratch: Scratch, step: int, state: FloatArray, rng: np.random.Generator) -> None:
    """Delta rays of the muon in a plane or a stretch of air: dN/dT = K/2 <Z/A> x / T^2 (1 - beta^2 T / T_max + T^2 / 2 E^2).

    The angle follows from elastic kinematics, cos(theta) = T (E + m_e) / (p_e p).

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    step : int
        The step; `state` is the muon at its end.
    state : FloatArray
        (x, y, tx, ty, p).
    rng : Generator
        Random numbers.
    """
    line = setup.line
    mass = line.x_over_x0[step] * MASS_PER_X0
    if mass <= 0.0:
        return
    p = state[4]
    energy = math.sqrt(p * p + MUON_MASS * MUON_MASS)
    ratio = ELECTRON_MASS / MUON_MASS
    gamma = energy / MUON_MASS
    t_max = 2.0 * ELECTRON_MASS * (gamma * gamma - 1.0) / (1.0 + 2.0 * gamma * ratio + ratio * ratio)
    if t_max <= LOWEST_DELTA:
        return
    mean = DELTA_STRENGTH * mass * (1.0 / LOWEST_DELTA - 1.0 / t_max)
    if mean < 0.5 and rng.random() > mean:  # thin: at most one
        return
    for _ in range(1 if mean < 0.5 else rng.poisson(mean)):
        t = 1.0 / (1.0 / LOWEST_DELTA - rng.random() * (1.0 / LOWEST_DELTA - 1.0 / t_max))
        if rng.random() > 1.0 - t / t_max * (p / energy) ** 2 + 0.5 * (t / energy) ** 2:
            continue
        p_e = math.sqrt(t * (t + 2.0 * ELECTRON_MASS))
        cosine = min(1.0, t * (energy + ELECTRON_MASS) / (p_e * p))
        tangent = math.sqrt(1.0 - cosine * cosine) / cosine
        phi = 2.0 * math.pi * rng.random()
        still = rng.random()  # part of the layer that the electron has to cross: soft ones end in it
        t -= ELECTRON_LOSS * mass * still / cosine
        if t < LOWEST_DELTA:
            continue
        back = still * (line.z_out[step] - line.z_in[step])
        x, y = state[0] - back * state[2], state[1] - back * state[3]
        tx, ty = state[2] + tangent * math.cos(phi), state[3] + tangent * math.sin(phi)
        fly_electron(setup, scratch, step + 1, line.z_out[step] - back, x, y, tx, ty, t, rng)
