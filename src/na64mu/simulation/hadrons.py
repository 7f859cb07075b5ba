"""Hadrons from muon-nuclear interactions: how they share the energy, where they shower and how they escape.

A parametrisation, to be replaced by a shower library when the region of missing energy matters:
* the transfer breaks up one hadron at a time, each taking a fraction z with density 2 (1 - z), until 0.5 GeV is left;
  a third are neutral pions (their photons shower at once), the rest are charged (two thirds of them) or neutral;
* transverse momenta are exponential in p_T with mean 0.35 GeV (inferred: the universal limited p_T of soft hadrons);
* a hadron interacts after one interaction length on average and deposits its energy from there on as exp(-depth /
  lambda): the rest leaves the stack as one hadron of that energy;
* the signal of the deposited energy has the published resolution of the HCAL, 65 % / sqrt(E) (+) 6 %; in the ECAL, which
  is calibrated with electrons, hadrons are seen with pi/e < 1;
* outside the calorimeters hadrons fly on through VETO, hole or VHCAL, the field of MS2 (which sweeps the soft ones out
  of the line), S4 and the HCAL. Units mm, GeV.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from na64mu.simulation.leakage import electromagnetic_shower, step_behind
from na64mu.simulation.line import ECAL, FIELD, HCAL, PLANE, VHCAL
from na64mu.simulation.secondaries import record
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.showers import Calorimeter, deposit_point, smeared_response
from na64mu.simulation.transport import circle, drift
from na64mu.typing import FloatArray

__all__ = ("fly_hadron", "hadron_response", "nuclear_shower")

SOFTEST = 0.5  # below this energy a hadron stops where it is [GeV]
MEAN_PT = 0.35  # [GeV/c]
WIDTH = 0.3  # lateral spread of a hadronic shower, in interaction lengths (inferred)


@njit(cache=True, nogil=True)
def hadron_response(energy: float, h_over_e: float) -> float:
    """Signal of a hadronic shower over that of an electron of the same energy.

    pi/e = 1 - (1 - h/e) (E / 1 GeV)^(k - 1) with k = 0.82: the electromagnetic fraction grows with energy.

    Parameters
    ----------
    energy : float
        Of the hadron [GeV].
    h_over_e : float
        Response to the rest of the shower over that to electrons.

    Returns
    -------
    float
        pi/e.

    References
    ----------
    T. A. Gabriel, D. E. Groom et al., Nucl. Instrum. Meth. A 338 (1994) 336; PDG Review, sec. 35.9.2.
    """
    return 1.0 - (1.0 - h_over_e) * max(energy, 1.0) ** (0.82 - 1.0)


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _shower_in(
    c: Calorimeter, cells: FloatArray, state: FloatArray, z_in: float, z_out: float, section: int, rng: np.random.Generator
) -> None:
    """Carry a hadron through part of a stack; state[4] is the energy it has left at the end (0: none)."""
    depth = rng.standard_exponential() * c.interaction_length
    energy = state[4]
    if z_in + depth < z_out:
        inside = z_out - z_in - depth
        left = energy * math.exp(-inside / c.interaction_length)
        seen = (energy - left) * hadron_response(energy, c.h_over_e)
        signal = smeared_response(seen, c.hadron_stochastic, c.hadron_constant, rng)
        spots = 8
        for _ in range(spots):
            at = min(depth - c.interaction_length * math.log(1.0 - rng.random() * (1.0 - left / energy)), z_out - z_in)
            x = state[0] + state[2] * at + WIDTH * c.interaction_length * rng.standard_normal() * 0.5
            y = state[1] + state[3] * at + WIDTH * c.interaction_length * rng.standard_normal() * 0.5
            deep = section
            while deep < len(c.ends) - 1 and z_in + at > c.ends[deep]:
                deep += 1
            deposit_point(c, cells, deep, x, y, signal / spots)
        state[4] = left
    drift(state, z_out - z_in)


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def fly_hadron(setup: Setup, scratch: Scratch, step: int, state: FloatArray, charge: float, rng: np.random.Generator) -> None:
    """Carry a hadron from a step to the end of the line.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    step : int
        First step that it sees.
    state : FloatArray
        (x, y, tx, ty, energy), changed in place.
    charge : float
        In units of e.
    rng : Generator
        Random numbers.
    """
    line = setup.line
    for i in range(step, len(line.kind)):
        if state[4] < SOFTEST:
            return
        kind, z_in, z_out = line.kind[i], line.z_in[i], line.z_out[i]
        if kind == PLANE:
            if charge != 0.0:
                record(setup, scratch, line.number[i], state[0], state[1], state[2], state[3], math.inf, rng)
        elif kind == FIELD:
            if abs(state[0]) > line.aperture[i, 0] or abs(state[1]) > line.aperture[i, 1]:
                return
            if not circle(state, z_out - z_in, line.field[i, 0], line.field[i, 1], charge):
                return
        elif kind == VHCAL:
            c = setup.vhcal
            half = 0.5 * c.x_pitch * scratch.vhcal.shape[1], 0.5 * c.y_pitch * scratch.vhcal.shape[2]
            in_hole = abs(state[0]) < c.x_hole and abs(state[1]) < c.y_hole
            if in_hole or abs(state[0]) > half[0] or abs(state[1]) > half[1]:
                drift(state, z_out - z_in)
            else:
                _shower_in(c, scratch.vhcal, state, z_in, z_out, 0, rng)
        elif kind == HCAL:
            c = setup.hcal
            half = 0.5 * c.x_pitch * scratch.hcal.shape[1], 0.5 * c.y_pitch * scratch.hcal.shape[2]
            if abs(state[0]) > half[0] or abs(state[1]) > half[1]:
                return
            _shower_in(c, scratch.hcal, state, z_in, z_out, line.number[i], rng)
        elif kind == ECAL:
            return
        else:
            drift(state, z_out - z_in)


@njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def nuclear_shower(
    setup: Setup,
    scratch: Scratch,
    c: Calorimeter,
    cells: FloatArray,
    step: int,
    state: FloatArray,
    z: float,
    transfer: float,
    rng: np.random.Generator,
) -> None:
    """Break up the energy of a muon-nuclear interaction into hadrons and follow each one.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    c : Calorimeter
        Where it happens.
    cells : FloatArray
        Its cells.
    step : int
        Its step.
    state : FloatArray
        The muon (x, y, tx, ty, p).
    z : float
        Where [mm].
    transfer : float
        Energy given to the nucleus [GeV].
    rng : Generator
        Random numbers.
    """
    left = transfer
    hadron = np.empty(5)
    behind = step_behind(setup, c, step)
    section = 0
    while section < len(c.ends) - 1 and z >= c.ends[section]:
        section += 1
    while left > 0.0:
        energy = left * (1.0 - math.sqrt(rng.random())) if left > SOFTEST else left
        left -= energy
        if left < SOFTEST:
            energy += left
            left = 0.0
        if energy < SOFTEST:
            deposit_point(c, cells, section, state[0], state[1], smeared_response(energy, c.hadron_stochastic, c.hadron_constant, rng))
            continue
        angle = min(1.0, MEAN_PT * rng.standard_exponential() / energy)
        phi = 2.0 * math.pi * rng.random()
        hadron[0], hadron[1] = state[0], state[1]
        hadron[2], hadron[3] = state[2] + angle * math.cos(phi), state[3] + angle * math.sin(phi)
        hadron[4] = energy
        kind = rng.random()
        if kind < 1.0 / 3.0:
            electromagnetic_shower(setup, scratch, c, cells, step, hadron, z, energy, True, rng)
            continue
        charge = -1.0 if kind < 5.0 / 9.0 else (1.0 if kind < 7.0 / 9.0 else 0.0)
        _shower_in(c, cells, hadron, z, c.ends[-1], section, rng)
        fly_hadron(setup, scratch, behind, hadron, charge, rng)
