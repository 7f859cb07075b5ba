"""Steps of a charged particle: straight lines, circles in a box field, multiple scattering.

A state is a record (x, y, tx, ty, p) at a known z, see particles.py: mm, slopes dx/dz and dy/dz, GeV/c. Kernels change it in place.
"""

from __future__ import annotations

import math

from na64mu.compiled.kernel import kernel, small_kernel
from na64mu.physics.constants import CURVATURE, MUON_MASS
from na64mu.physics.scattering import highland
from na64mu.simulation.stream import Stream
from na64mu.typing import Record

__all__ = ("circle", "drift", "highland_sigma", "inverse_p_beta", "scatter", "scattering")


#: chi_c^2 = SINGLE / ln(183 Z^-1/3) (x / X0) / (p beta)^2 [GeV^2]: pi m_e^2 / alpha, from Moliere's chi_c and Rossi's 1 / X0.
SINGLE = math.pi * 0.51099895e-3**2 * 137.035999


@small_kernel
def drift(state: Record, length: float) -> None:
    """Carry a state along a straight line.

    Parameters
    ----------
    state : Record
        (x, y, tx, ty, p), changed in place.
    length : float
        Distance along z [mm], negative upstream.
    """
    state.x += state.tx * length
    state.y += state.ty * length


@kernel
def circle(state: Record, length: float, field_x: float, field_y: float, charge: float) -> bool:
    r"""Carry a state exactly through a uniform field across the z axis: dp/dt = q v x B.

    With b along the field, n = b x z and curvature k = 0.2998e-3 q B / p, the direction obeys
    du_n/ds = -k u_z, du_z/ds = k u_n, hence u_n falls by k times the z length, and the path shifts by
    (u_z,out - u_z,in) / k along n and by u_b times the arc length along b.

    Parameters
    ----------
    state : Record
        (x, y, tx, ty, p), changed in place.
    length : float
        Length of the field along z [mm], negative upstream.
    field_x, field_y : float
        Field [T].
    charge : float
        Charge in units of e.

    Returns
    -------
    bool
        False if the particle turns back inside the field (state unchanged).
    """
    field = math.hypot(field_x, field_y)
    if field == 0.0 or charge == 0.0:
        drift(state, length)
        return True
    bx, by = field_x / field, field_y / field
    nx, ny = by, -bx
    k = CURVATURE * charge * field / state.p
    norm = 1.0 / math.sqrt(1.0 + state.tx**2 + state.ty**2)
    ux, uy, uz = state.tx * norm, state.ty * norm, norm
    u_b = ux * bx + uy * by
    u_n = ux * nx + uy * ny
    u_t2 = u_n * u_n + uz * uz
    u_n_out = u_n - k * length
    if u_n_out * u_n_out >= u_t2:
        return False
    uz_out = math.sqrt(u_t2 - u_n_out * u_n_out)
    # (uz_out - uz) / k and the arc length, without cancellation for weak fields
    shift = length * (u_n + u_n_out) / (uz + uz_out)
    if abs(k * length) < 1e-7:
        arc = 2.0 * length / (uz + uz_out)
    else:
        u_t = math.sqrt(u_t2)
        arc = (math.asin(u_n / u_t) - math.asin(u_n_out / u_t)) / k
    state.x += shift * nx + u_b * arc * bx
    state.y += shift * ny + u_b * arc * by
    state.tx = (u_b * bx + u_n_out * nx) / uz_out
    state.ty = (u_b * by + u_n_out * ny) / uz_out
    return True


@kernel
def highland_sigma(x_over_x0: float, total: float, p: float) -> float:
    """Projected rms angle of multiple scattering [rad].

    Highland's formula, PDG Review (2024) eq. 34.16, for a muon: 13.6 MeV / (beta p) sqrt(x / X0) (1 + 0.038 ln(X / X0)).

    Parameters
    ----------
    x_over_x0 : float
        Thickness of this step in radiation lengths.
    total : float
        Thickness X of the whole block that the step is part of: the logarithm belongs to the block, so that the
        variances of its steps add up.
    p : float
        Momentum [GeV/c].

    Returns
    -------
    float
        Width of the Gaussian core.
    """
    if x_over_x0 <= 0.0:
        return 0.0
    beta = p / math.sqrt(p * p + MUON_MASS * MUON_MASS)
    return highland(total, total) / (beta * p) * math.sqrt(x_over_x0 / total)


#: The single-scattering tail starts at this many widths of the Gaussian core.
TAIL_FROM = 4.0


@kernel
def scattering(x_over_x0: float, z_nucleus: float) -> tuple[float, float]:
    """Constants of multiple scattering in a block of material, for `scatter`.

    Parameters
    ----------
    x_over_x0 : float
        Thickness of the block in radiation lengths.
    z_nucleus : float
        Nuclear charge for the tail.

    Returns
    -------
    core : float
        Width of the Gaussian core times beta p [GeV] (`highland_sigma`).
    tail : float
        Probability of a single scattering beyond TAIL_FROM widths, divided by beta^2.
    """
    if x_over_x0 <= 0.0:
        return 0.0, 0.0
    core = highland(x_over_x0, x_over_x0)
    chi_c2 = SINGLE / math.log(183.0 * z_nucleus ** (-1.0 / 3.0)) * x_over_x0
    return core, chi_c2 / (TAIL_FROM * core) ** 2


@kernel
def _single_scatter(state: Record, least: float, z_nucleus: float, rng: Stream) -> None:
    """A single scattering by more than an angle, kept with the probability that the nucleus or a proton takes it as a whole."""
    theta = least / math.sqrt(1.0 - rng.random())
    q2 = (state.p * theta) ** 2
    mean_r2 = 0.6 * (1.2 / 0.1973269804) ** 2 * (2.5 * z_nucleus) ** (2.0 / 3.0)  # 3/5 (1.2 fm A^1/3)^2, A = 2.5 Z [GeV^-2]
    coherent = (1.0 + q2 * mean_r2 / 12.0) ** -4
    protons = (1.0 + q2 / 0.71) ** -4 * (1.0 - coherent) / z_nucleus
    if theta < 0.5 and rng.random() < coherent + protons:
        phi = 2.0 * math.pi * rng.random()
        state.tx += theta * math.cos(phi)
        state.ty += theta * math.sin(phi)


OFFSET = 1.0 / math.sqrt(12.0)


@kernel
def inverse_p_beta(p: float) -> float:
    """1 / (beta p) of a muon [c/GeV], to which angles of scattering are proportional; p in GeV/c."""
    return math.sqrt(p * p + MUON_MASS * MUON_MASS) / (p * p)


@small_kernel
def scatter(state: Record, length: float, share: float, core: float, tail: float, z_nucleus: float, inverse: float, rng: Stream) -> None:
    """Multiple scattering in a step: a Gaussian core with correlated angle and offset, and a single-scattering tail.

    Core: Highland angle and, for an extended step, the offset of the PDG Review (2024) eq. 34.21-34.22:
    y = L theta0 (z1 / sqrt(12) + z2 / 2), angle z2 theta0. Tail beyond `TAIL_FROM` widths (in space): Rutherford
    scattering, P(> theta) = chi_c^2 / theta^2 (Moliere), times the squared form factor of the nucleus (exponential
    charge density with the rms radius of a sphere of 1.2 fm A^1/3), plus quasi-elastic scattering off single protons.

    Parameters
    ----------
    state : Record
        (x, y, tx, ty, p) at the end of the step, changed in place.
    length : float
        Length of the step along z [mm], 0 for a thin plane.
    share : float
        Share of the block of material that the step is; the variances of its steps add up.
    core, tail : float
        Parameters of the block's scattering angle, from `scattering`.
    z_nucleus : float
        Nuclear charge for the tail.
    inverse : float
        `inverse_p_beta` of the momentum, which stays the same over many steps [c/GeV].
    rng : Stream
        Random numbers.
    """
    if share <= 0.0 or core == 0.0:
        return
    whole = core * inverse
    sigma = whole if share == 1.0 else whole * math.sqrt(share)
    z2 = rng.standard_normal()
    if length > 0.0:
        state.x += length * sigma * (OFFSET * rng.standard_normal() + 0.5 * z2)
    state.tx += sigma * z2
    z2 = rng.standard_normal()
    if length > 0.0:
        state.y += length * sigma * (OFFSET * rng.standard_normal() + 0.5 * z2)
    state.ty += sigma * z2
    one_over_beta = state.p * inverse
    if rng.random() * one_over_beta * one_over_beta < tail * share:  # about 1 % for a whole block: never two
        _single_scatter(state, TAIL_FROM * whole, z_nucleus, rng)
