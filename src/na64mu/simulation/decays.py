"""Decays of beam hadrons in flight: K -> mu nu, pi -> mu nu and K -> pi0 mu nu, exact kinematics. GeV, rad, mm.

Masses, lifetimes and branching fractions: Particle Data Group, Review of Particle Physics (2024). K -> pi0 mu nu has the
Dalitz-plot density of V - A theory with linear form factors (PDG, note "Dalitz plot parameters for K -> pi l nu").
"""

from __future__ import annotations

import math

import numpy as np

from na64mu.compiled.kernel import allocating_kernel, general_kernel
from na64mu.physics.constants import MUON_MASS
from na64mu.simulation.particles import STATE, copy_state
from na64mu.typing import FloatArray, Record, RecordArray

__all__ = ("CHANNELS", "KAON_MASS", "KAON_TO_MUON", "KAON_TO_PION", "PION_MASS", "PION_TO_MUON", "decay", "decay_length", "two_body")

PION_MASS, PION_C_TAU = 0.13957039, 7804.5
KAON_MASS, KAON_C_TAU = 0.493677, 3711.0
NEUTRAL_PION_MASS = 0.1349768

KAON_TO_MUON, KAON_TO_PION, PION_TO_MUON = range(3)

#: Channel -> (decays of a kaon?, branching fraction).
CHANNELS = {KAON_TO_MUON: (True, 0.6356), KAON_TO_PION: (True, 0.03352), PION_TO_MUON: (False, 0.999877)}

#: Slope of the vector form factor of K -> pi0 mu nu in t / m_pi^2, and ratio of the form factors f- / f+ from the scalar slope:
#: (lambda_0 - lambda_+) (m_K^2 - m_pi^2) / m_pi^2 (PDG: lambda_+ = 0.0282, lambda_0 = 0.0138).
SLOPE = 0.0282
XI = (0.0138 - 0.0282) * (KAON_MASS**2 - PION_MASS**2) / PION_MASS**2


def decay_length(kaon: bool, momentum: float) -> float:
    """Mean decay length p / m c tau.

    Parameters
    ----------
    kaon : bool
        Kaon, else pion.
    momentum : float
        [GeV/c].

    Returns
    -------
    float
        [mm].
    """
    return momentum / KAON_MASS * KAON_C_TAU if kaon else momentum / PION_MASS * PION_C_TAU


@general_kernel
def two_body(parent: float, mass: float, other: float) -> float:
    """Momentum of the products of a two-body decay in the rest frame.

    Parameters
    ----------
    parent, mass, other : float
        Masses [GeV].

    Returns
    -------
    float
        [GeV/c] (PDG Review, kinematics, eq. 49.17).
    """
    return math.sqrt((parent**2 - (mass + other) ** 2) * (parent**2 - (mass - other) ** 2)) / (2.0 * parent)


@general_kernel
def _boosted(state: Record, energy: float, momentum: FloatArray, gamma: float, beta_gamma: float, out: Record) -> None:
    """Take a product from the rest frame (z along the parent) to the line: (x, y, tx, ty, p), flying along the parent's direction."""
    along = gamma * momentum[2] + beta_gamma * energy
    norm = 1.0 / math.sqrt(1.0 + state.tx**2 + state.ty**2)
    ux, uy, uz = state.tx * norm, state.ty * norm, norm
    hx, hz = uz / math.hypot(ux, uz), -ux / math.hypot(ux, uz)
    gx, gy, gz = uy * hz, uz * hx - ux * hz, -uy * hx
    px = along * ux + momentum[0] * hx + momentum[1] * gx
    py = along * uy + momentum[1] * gy
    pz = along * uz + momentum[0] * hz + momentum[1] * gz
    out.x, out.y = state.x, state.y
    pz_safe = max(pz, 1e-3)  # a product that goes backwards: a slope that misses everything
    out.tx, out.ty = px / pz_safe, py / pz_safe
    out.p = math.sqrt(px * px + py * py + pz * pz)


@general_kernel
def _direction(momentum: float, rng: np.random.Generator) -> FloatArray:
    cosine, phi = 2.0 * rng.random() - 1.0, 2.0 * math.pi * rng.random()
    across = momentum * math.sqrt(1.0 - cosine * cosine)
    return np.array([across * math.cos(phi), across * math.sin(phi), momentum * cosine])


@general_kernel
def _dalitz(muon: float, pion: float) -> float:
    """Density of K -> pi0 mu nu in the energies of muon and pi0 in the kaon's rest frame, unnormalised; 0 outside the plot."""
    neutrino = KAON_MASS - muon - pion
    if neutrino <= 0.0:
        return 0.0
    p_muon, p_pion = math.sqrt(muon**2 - MUON_MASS**2), math.sqrt(pion**2 - NEUTRAL_PION_MASS**2)
    if not abs(p_muon - p_pion) <= neutrino <= p_muon + p_pion:
        return 0.0
    most = (KAON_MASS**2 + NEUTRAL_PION_MASS**2 - MUON_MASS**2) / (2.0 * KAON_MASS)
    below = most - pion
    a = KAON_MASS * (2.0 * muon * neutrino - KAON_MASS * below) + MUON_MASS**2 * (0.25 * below - neutrino)
    b = MUON_MASS**2 * (neutrino - 0.5 * below)
    c = 0.25 * MUON_MASS**2 * below
    transfer = KAON_MASS**2 + NEUTRAL_PION_MASS**2 - 2.0 * KAON_MASS * pion
    return max(0.0, a + b * XI + c * XI * XI) * (1.0 + SLOPE * transfer / PION_MASS**2) ** 2


#: Above every value of the density, of which the largest on a fine grid is 0.01195 GeV^3.
DALITZ_MOST = 0.0125


@general_kernel
def _three_body(rng: np.random.Generator) -> tuple[float, float]:
    """Energies of muon and pi0 in the rest frame of the kaon."""
    muon_most = (KAON_MASS**2 + MUON_MASS**2 - NEUTRAL_PION_MASS**2) / (2.0 * KAON_MASS)
    pion_most = (KAON_MASS**2 + NEUTRAL_PION_MASS**2 - MUON_MASS**2) / (2.0 * KAON_MASS)
    while True:
        muon = MUON_MASS + (muon_most - MUON_MASS) * rng.random()
        pion = NEUTRAL_PION_MASS + (pion_most - NEUTRAL_PION_MASS) * rng.random()
        if DALITZ_MOST * rng.random() < _dalitz(muon, pion):
            return muon, pion


@allocating_kernel  # it allocates, unlike the kernels that call it
def decay(channel: int, state: Record, photons: RecordArray, rng: np.random.Generator) -> int:
    """Let a hadron decay: it becomes the muon.

    Parameters
    ----------
    channel : int
        Decay channel, one of CHANNELS.
    state : Record
        (x, y, tx, ty, p) of the hadron, then of the muon.
    photons : RecordArray
        States of the two photons of a pi0, filled.
    rng : Generator
        Random numbers.

    Returns
    -------
    int
        Number of photons, 0 or 2.
    """
    mass = PION_MASS if channel == PION_TO_MUON else KAON_MASS
    beta_gamma = state.p / mass
    gamma = math.sqrt(1.0 + beta_gamma * beta_gamma)
    muon = np.empty(1, STATE)[0]
    if channel != KAON_TO_PION:
        p = two_body(mass, MUON_MASS, 0.0)
        _boosted(state, math.sqrt(p * p + MUON_MASS**2), _direction(p, rng), gamma, beta_gamma, muon)
        copy_state(muon, state)
        return 0
    e_muon, e_pion = _three_body(rng)
    p_muon, p_pion = math.sqrt(e_muon**2 - MUON_MASS**2), math.sqrt(e_pion**2 - NEUTRAL_PION_MASS**2)
    # the angle between them follows from the momentum of the neutrino
    cosine = ((KAON_MASS - e_muon - e_pion) ** 2 - p_muon**2 - p_pion**2) / (2.0 * p_muon * p_pion)
    cosine = min(1.0, max(-1.0, cosine))
    first = _direction(1.0, rng)
    other = _direction(1.0, rng)
    other -= np.sum(other * first) * first
    other /= math.sqrt(np.sum(other * other))
    pion_momentum = p_pion * (cosine * first + math.sqrt(1.0 - cosine * cosine) * other)
    _boosted(state, e_muon, p_muon * first, gamma, beta_gamma, muon)
    # photons: isotropic and back to back in the rest frame of the pi0, taken to that of the kaon
    photon = _direction(0.5 * NEUTRAL_PION_MASS, rng)
    pion_gamma = e_pion / NEUTRAL_PION_MASS
    for i in range(2):
        sign = 1.0 - 2.0 * i
        axis = pion_momentum / max(p_pion, 1e-12)
        along = sign * np.sum(photon * axis)
        pushed = pion_gamma * along + p_pion / NEUTRAL_PION_MASS * 0.5 * NEUTRAL_PION_MASS
        q = sign * photon + (pushed - along) * axis
        _boosted(state, math.sqrt(np.sum(q * q)), q, gamma, beta_gamma, photons[i])
    copy_state(muon, state)
    return 2
