"""Delta rays of the muon in planes and air: electrons that leave hits in trackers and energy in counters and the VETO."""

from __future__ import annotations

import math

from na64mu.compiled.kernel import inner_kernel
from na64mu.physics.constants import ELECTRON_MASS, MUON_MASS
from na64mu.simulation.flight import ELECTRON_LOSS, LOWEST_DELTA, MASS_PER_X0, SOFT, fly
from na64mu.simulation.setup import Scratch, Setup
from na64mu.simulation.stream import Stream
from na64mu.typing import Record

__all__ = ("DELTA_STRENGTH", "delta_rays")

#: Strength of the delta-ray spectrum, K / 2 <Z/A> with <Z/A> = 1/2 [GeV cm2 / g] (PDG Review eq. 34.8).
DELTA_STRENGTH = 0.5 * 0.307075e-3 * 0.5

THIN = 0.5  # below this mean number there is at most one


@inner_kernel
def _delta_ray(setup: Setup, scratch: Scratch, step: int, state: Record, rng: Stream) -> None:
    line, p = setup.line, state.p
    energy = math.sqrt(p * p + MUON_MASS * MUON_MASS)
    ratio = ELECTRON_MASS / MUON_MASS
    gamma = energy / MUON_MASS
    t_max = 2.0 * ELECTRON_MASS * (gamma * gamma - 1.0) / (1.0 + 2.0 * gamma * ratio + ratio * ratio)
    t = LOWEST_DELTA / (1.0 - rng.random())
    if t > t_max or rng.random() > 1.0 - t / t_max * (p / energy) ** 2 + 0.5 * (t / energy) ** 2:
        return
    p_e = math.sqrt(t * (t + 2.0 * ELECTRON_MASS))
    cosine = min(1.0, t * (energy + ELECTRON_MASS) / (p_e * p))
    tangent = math.sqrt(1.0 - cosine * cosine) / cosine
    phi = 2.0 * math.pi * rng.random()
    still = rng.random()  # part of the layer that the electron has to cross: soft ones end in it
    t -= ELECTRON_LOSS * line.x_over_x0[step] * MASS_PER_X0 * still / cosine
    if t < LOWEST_DELTA:
        return
    back = still * (line.z_out[step] - line.z_in[step])
    electron = scratch.electron
    electron.x, electron.y = state.x - back * state.tx, state.y - back * state.ty
    electron.tx, electron.ty = state.tx + tangent * math.cos(phi), state.ty + tangent * math.sin(phi)
    electron.p = t
    fly(setup, scratch, step + 1, line.z_out[step] - back, electron, SOFT, -1.0, rng)


@inner_kernel
def delta_rays(setup: Setup, scratch: Scratch, step: int, state: Record, rng: Stream) -> None:
    """Delta rays of the muon in a plane or a stretch of air: dN/dT = K/2 <Z/A> x / T^2 (1 - beta^2 T / T_max + T^2 / 2 E^2).

    The angle follows from elastic kinematics, cos(theta) = T (E + m_e) / (p_e p). The number is drawn without the upper end of
    the spectrum and without its last factor, which then decide over every single one.

    Parameters
    ----------
    setup : Setup
        The set-up.
    scratch : Scratch
        The event, changed in place.
    step : int
        The step; `state` is the muon at its end.
    state : Record
        (x, y, tx, ty, p).
    rng : Stream
        Random numbers.
    """
    mean = DELTA_STRENGTH / LOWEST_DELTA * MASS_PER_X0 * setup.line.x_over_x0[step]
    if mean <= 0.0:
        return
    if mean < THIN:
        if rng.random() < mean:
            _delta_ray(setup, scratch, step, state, rng)
        return
    for _ in range(rng.poisson(mean)):
        _delta_ray(setup, scratch, step, state, rng)
