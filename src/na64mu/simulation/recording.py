"""Signals of a charged particle at a surface: a hit in a tracker, energy in a trigger counter or a VETO panel. mm, MeV."""

from __future__ import annotations

import math

from na64mu.compiled.kernel import inner_kernel
from na64mu.simulation.setup import BOX, DISC, Scratch, Setup
from na64mu.simulation.straggling import Knocks, straggled
from na64mu.simulation.stream import Stream

__all__ = ("counter_deposit", "inside_counter", "record")

SCINTILLATOR_DENSITY = 1.06  # g/cm3

ELECTRON_LOSS = 0.2  # of a fast electron in plastic [MeV/mm] (PDG: 1.9 MeV cm2/g)


@inner_kernel
def counter_deposit(thickness: float, rng: Stream) -> float:
    """Energy that a fast particle leaves in a scintillator [MeV].

    Ionisation with knock-on electrons below a cut T: mean xi ln(2 m T / (hbar omega_p)^2) (PDG Review eq. 34.12 in the limit of
    the density effect, hbar omega_p = 21.75 eV), fluctuations of Vavilov. The cut is the energy of an electron that loses half
    the thickness: harder ones leave the counter, from anywhere in it, and up to the loss in the whole thickness.

    Parameters
    ----------
    thickness : float
        Path in the scintillator [mm].
    rng : Stream
        Random numbers.

    Returns
    -------
    float
        [MeV].
    """
    xi = 0.5 * 0.307075 * 0.5377 * 0.1 * thickness * SCINTILLATOR_DENSITY
    cut = 0.5 * ELECTRON_LOSS * thickness
    mean = xi * math.log(2.0 * 0.51099895e6 * cut * 1e6 / (21.75 * 21.75))
    deposit = straggled(mean, Knocks(xi / mean, cut, 0.0, 1.0, 1.0, 0.0), rng)
    for _ in range(rng.poisson(xi / cut)):
        deposit += 2.0 * cut * rng.random()
    return deposit


@inner_kernel
def inside_counter(setup: Setup, counter: int, x: float, y: float) -> bool:
    """Whether a point is on a counter.

    Parameters
    ----------
    setup : Setup
        The set-up.
    counter : int
        Number of the counter.
    x, y : float
        Position [mm].

    Returns
    -------
    bool
        True inside its outline.
    """
    outline = setup.counters.outline[counter]
    shape = setup.counters.shape[counter]
    if shape == BOX:
        return outline.x_low < x < outline.x_high and outline.y_low < y < outline.y_high
    r2 = x * x + y * y
    if shape == DISC:
        return r2 < outline.radius * outline.radius
    return outline.radius * outline.radius < r2 < outline.outer_radius * outline.outer_radius


@inner_kernel
def record(setup: Setup, scratch: Scratch, surface: int, x: float, y: float, tx: float, ty: float, limit: float, rng: Stream) -> None:
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
    rng : Stream
        Random numbers.
    """
    s, c = setup.surfaces, setup.counters
    path = math.sqrt(1.0 + tx * tx + ty * ty)
    if surface < s.first_counter:
        if scratch.n.hits < len(scratch.hits):
            hit = scratch.hits[scratch.n.hits]
            hit.surface, hit.x, hit.y, hit.tx, hit.ty = surface, x, y, tx, ty
            scratch.n.hits += 1
    elif surface < s.veto:
        k = surface - s.first_counter
        if inside_counter(setup, k, x, y):
            scratch.counters[k] += min(limit, counter_deposit(c.thickness[k] * path, rng))
    elif abs(x) < c.veto_half_x and abs(y) < c.veto_half_y:
        panel = int((x + c.veto_half_x) / (2.0 * c.veto_half_x) * c.n_panels)
        scratch.veto[panel] += min(limit, counter_deposit(c.veto_thickness * path, rng))
