"""Deflection of a muon in a hard loss. Angles rad, energies GeV."""

from __future__ import annotations

import math

from na64mu.compiled.kernel import kernel
from na64mu.physics.constants import ELECTRON_MASS, MUON_MASS
from na64mu.physics.energy_loss import DELTA, NUCLEAR
from na64mu.simulation.stream import Stream
from na64mu.typing import Record

__all__ = ("deflect", "recoil_angle")


@kernel
def recoil_angle(process: int, energy: float, transfer: float, rng: Stream) -> float:
    r"""Angle of the muon after a hard loss.

    Delta ray: two-body kinematics, p_T^2 = 2 m_e T (1 - T / T_max). Nuclear interaction: Q^2 drawn from 1 / Q^2 between
    m^2 v^2 / (1 - v) and the dipole cut-off Lambda^2 = 0.4 GeV^2 of Borog and Petrukhin, p_T^2 = (1 - v) (Q^2 - Q^2_min).
    Bremsstrahlung and pairs: the quantum leaves at E theta / m = sqrt(u / (1 - u)), u uniform (dipole angular
    distribution of radiation), cut at a transverse momentum of m, and the muon balances it.

    Parameters
    ----------
    process : int
        DELTA, BREMSSTRAHLUNG, PAIR or NUCLEAR.
    energy, transfer : float
        Energy of the muon before the interaction, and the energy that it loses [GeV].
    rng : Stream
        Random numbers.

    Returns
    -------
    float
        [rad].
    """
    left = max(energy - transfer, 2.0 * MUON_MASS)
    v = transfer / energy
    if process == DELTA:
        t_max = energy * energy / (energy + 0.5 * MUON_MASS**2 / ELECTRON_MASS)
        pt2 = 2.0 * ELECTRON_MASS * transfer * max(0.0, 1.0 - transfer / t_max)
    elif process == NUCLEAR:
        lowest = (MUON_MASS * v) ** 2 / max(1.0 - v, 1e-3)
        q2 = lowest * (max(0.4 / lowest, 1.0)) ** rng.random()
        pt2 = max(1.0 - v, 1e-3) * (q2 - lowest)
    else:
        u = rng.random()
        pt = min(v * MUON_MASS * math.sqrt(u / (1.0 - u)), MUON_MASS)
        pt2 = pt * pt
    return math.sqrt(pt2) / left


@kernel
def deflect(state: Record, angle: float, rng: Stream) -> None:
    """Turn a direction by an angle, at a random azimuth.

    Parameters
    ----------
    state : Record
        (x, y, tx, ty, p), slopes changed in place; a muon turned backwards is set to a slope of 10.
    angle : float
        [rad].
    rng : Stream
        Random numbers.
    """
    phi = 2.0 * math.pi * rng.random()
    norm = 1.0 / math.sqrt(1.0 + state.tx**2 + state.ty**2)
    ux, uy, uz = state.tx * norm, state.ty * norm, norm
    # two directions across the old one
    hx, hz = uz / math.hypot(ux, uz), -ux / math.hypot(ux, uz)
    gx, gy, gz = uy * hz, uz * hx - ux * hz, -uy * hx
    c, s = math.cos(angle), math.sin(angle)
    a, b = s * math.cos(phi), s * math.sin(phi)
    nx, ny, nz = c * ux + a * hx + b * gx, c * uy + b * gy, c * uz + a * hz + b * gz
    nz = max(nz, 0.1)
    state.tx, state.ty = nx / nz, ny / nz
