r"""Production of a Z' in mu N -> mu N Z' on a heavy nucleus, in the Weizsaecker-Williams approximation.

Energies and masses GeV, angles rad, cross-sections pb; g is the coupling of g mubar gamma^mu mu Z'_mu. Formulas of
Kirpichnikov, Sieber, Molina Bueno, Crivelli and Kirsanov, Phys. Rev. D 104 (2021) 076012 (arXiv:2107.13297), with the
elastic form factor of Bjorken, Essig, Schuster and Toro, Phys. Rev. D 80 (2009) 075018 (arXiv:0906.0580).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.typing import FloatArray, IntArray

__all__ = (
    "PB_PER_GEV2",
    "Kinematics",
    "dsigma_dx_dcos_mediator",
    "dsigma_dx_dcos_muon",
    "flux",
    "sample_kinematics",
    "tabulate",
    "x_range",
)

ALPHA = 1.0 / 137.036
MUON_MASS = 0.1056583755
ELECTRON_MASS = 0.51099895e-3
PB_PER_GEV2 = 0.3893794e9
PSI_LIMIT = 1.0  # largest muon angle [rad]

N_X, N_PSI = 96, 240

#: Quantiles are tabulated at equal steps of the logit of the probability, which resolves both tails.
LOGITS = np.linspace(-14.0, 14.0, 281)


def flux(t_min: FloatArray, t_max: float, z: float, a: float) -> FloatArray:
    r"""Flux of equivalent photons, chi = int (t - t_min) / t^2 F^2(t) dt with the elastic form factor, in closed form.

    F^2 = Z^2 [t / (t + t_a)]^2 [t_d / (t + t_d)]^2, t_a = (m_e Z^{1/3} / 111)^2 (screening), t_d = 0.164 A^{-2/3} GeV^2 (nucleus);
    arXiv:0906.0580 appendix A.

    Parameters
    ----------
    t_min : FloatArray
        Smallest momentum transfer squared [GeV^2], any shape.
    t_max : float
        Largest one [GeV^2].
    z, a : float
        Nuclear charge and mass number.

    Returns
    -------
    FloatArray
        chi, zero where t_min exceeds t_max.
    """
    ta = (ELECTRON_MASS * z ** (1.0 / 3.0) / 111.0) ** 2
    td = 0.164 * a ** (-2.0 / 3.0)
    low = np.minimum(t_min, t_max)
    rational = (ta - td) * (ta + td + 2.0 * t_max) * (t_max - low) / ((ta + t_max) * (td + t_max))
    logarithm = (ta + td + 2.0 * low) * np.log((ta + t_max) * (td + low) / ((td + t_max) * (ta + low)))
    return np.maximum(-(z**2) * td**2 / (ta - td) ** 3 * (rational + logarithm), 0.0)


def x_range(energy: float, mass: float, a: float) -> tuple[float, float]:
    """Range of x = E_Z' / E: m / E < x < 1 - m^4 / (8 E^3 A m_N) - m_mu / E.

    Parameters
    ----------
    energy, mass : float
        Muon energy and Z' mass [GeV].
    a : float
        Mass number (of nucleons of about 1 GeV).

    Returns
    -------
    tuple of float
        Lowest and highest x.
    """
    return mass / energy, 1.0 - mass**4 / (8.0 * energy**3 * a) - MUON_MASS / energy


def dsigma_dx_dcos_mediator(
    x: FloatArray, theta: FloatArray, energy: float, mass: float, coupling: float, z: float, a: float
) -> FloatArray:
    r"""d^2 sigma / dx dcos(theta) with the angle theta of the Z'.

    2 alpha^2 alpha_X E^2 sqrt(x^2 - M^2/E^2) (1 - x) chi / u^2 {2 (2 - 2x + x^2) / (1 - x) + 4 (M^2 + 2 m^2) / u^2
    [u x + M^2 (1 - x) + m^2 x^2]}, u = -x E^2 theta^2 - M^2 (1 - x) / x - m^2 x, t_min = [u / (2 E (1 - x))]^2.

    Parameters
    ----------
    x, theta : FloatArray
        Energy fraction and angle of the Z' [rad], broadcast together.
    energy, mass : float
        [GeV].
    coupling : float
        g.
    z, a : float
        Of the nucleus.

    Returns
    -------
    FloatArray
        [pb].
    """
    m2, mx2 = MUON_MASS**2, mass**2
    u = -x * energy**2 * theta**2 - mx2 * (1.0 - x) / x - m2 * x
    chi = flux((u / (2.0 * energy * (1.0 - x))) ** 2, energy**2, z, a)
    amplitude = 2.0 * (2.0 - 2.0 * x + x * x) / (1.0 - x) + 4.0 * (mx2 + 2.0 * m2) / u**2 * (u * x + mx2 * (1.0 - x) + m2 * x * x)
    momentum = np.sqrt(np.maximum(x * x - mx2 / energy**2, 0.0))
    alpha_x = coupling**2 / (4.0 * math.pi)
    return 2.0 * ALPHA**2 * alpha_x * energy**2 * momentum * (1.0 - x) * chi / u**2 * amplitude * PB_PER_GEV2


def dsigma_dx_dcos_muon(x: FloatArray, psi: FloatArray, energy: float, mass: float, coupling: float, z: float, a: float) -> FloatArray:
    r"""d^2 sigma / dx dcos(psi) with the recoil angle psi of the muon.

    8 alpha^2 alpha_X E^2 sqrt(y^2 - m^2/E^2) chi (1 - y) / T^2 {1 / (2y) + y / 2 + (M^2 + 2 m^2) (1 - y)^2 / (y T^2)
    [m^2 (1 - y)^2 / y + M^2 - T]}, y = 1 - x, T = M^2 - m^2 + y E^2 psi^2 + m^2 (1 - y) / y + m^2 y, t_min = [T / (2 E x)]^2.

    Parameters
    ----------
    x, psi : FloatArray
        Energy fraction of the Z' and angle of the muon [rad], broadcast together.
    energy, mass : float
        [GeV].
    coupling : float
        g.
    z, a : float
        Of the nucleus.

    Returns
    -------
    FloatArray
        [pb].
    """
    m2, mx2 = MUON_MASS**2, mass**2
    y = 1.0 - x
    t = mx2 - m2 + y * energy**2 * psi**2 + m2 * (1.0 - y) / y + m2 * y
    chi = flux((t / (2.0 * energy * x)) ** 2, energy**2, z, a)
    shape = 0.5 / y + 0.5 * y + (mx2 + 2.0 * m2) * x**2 / (y * t**2) * (m2 * x**2 / y + mx2 - t)
    momentum = np.sqrt(np.maximum(y * y - m2 / energy**2, 0.0))
    alpha_x = coupling**2 / (4.0 * math.pi)
    return 8.0 * ALPHA**2 * alpha_x * energy**2 * momentum * chi * x / t**2 * shape * PB_PER_GEV2


class Kinematics(NamedTuple):
    """Cross-section and distribution of (x, psi).

    Attributes
    ----------
    total : float
        Cross-section [pb].
    x : FloatArray
        Nodes in x, shape (n_x,).
    per_x : FloatArray
        dsigma/dx there [pb].
    x_quantiles : FloatArray
        x at the probabilities of LOGITS, shape (n_quantiles,).
    log_psi_quantiles : FloatArray
        ln psi at the probabilities of LOGITS for every x, shape (n_x, n_quantiles).
    """

    total: float
    x: FloatArray
    per_x: FloatArray
    x_quantiles: FloatArray
    log_psi_quantiles: FloatArray


def _x_nodes(low: float, high: float) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights: Gauss-Legendre in ln x up to a middle and in ln(1 - x) above it."""
    nodes, weights = np.polynomial.legendre.leggauss(N_X // 2)
    middle = 0.5 if low < 0.4 else 0.5 * (low + high)
    below = 0.5 * math.log(middle / low)
    above = 0.5 * math.log((1.0 - middle) / (1.0 - high))
    x_below = np.exp(math.log(low) + below * (nodes + 1.0))
    rest = np.exp(math.log(1.0 - high) + above * (nodes + 1.0))
    x = np.concatenate([x_below, (1.0 - rest)[::-1]])
    return x, np.concatenate([weights * below * x_below, (weights * above * rest)[::-1]])


def _quantiles(values: FloatArray, cumulative: FloatArray) -> FloatArray:
    return np.interp(1.0 / (1.0 + np.exp(-LOGITS)), cumulative / cumulative[-1], values)


def _position(n: int, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Uniform probabilities as places in LOGITS: left node and distance from it."""
    u = np.clip(rng.random(n), 1e-6, 1.0 - 1e-6)
    place = (np.log(u / (1.0 - u)) - LOGITS[0]) / (LOGITS[1] - LOGITS[0])
    k = place.astype(np.int64)
    return k, place - k


def tabulate(energy: float, mass: float, coupling: float, z: float, a: float) -> Kinematics:
    """Integrate the cross-section over the muon angle and x, and tabulate quantiles for sampling.

    Parameters
    ----------
    energy, mass : float
        Muon energy and Z' mass [GeV].
    coupling : float
        g.
    z, a : float
        Of the nucleus.

    Returns
    -------
    Kinematics
        Total, dsigma/dx and quantiles.

    Raises
    ------
    ValueError
        If the mass is not positive or cannot be produced.
    """
    low, high = x_range(energy, mass, a)
    if not 0.0 < low < high:
        msg = f"a Z' of {mass} GeV cannot be produced by a muon of {energy} GeV: the mass must be between 0 and the energy"
        raise ValueError(msg)
    x, weights = _x_nodes(low, high)
    y = 1.0 - x
    scale2 = (mass**2 * y + (MUON_MASS * x) ** 2) / (y * energy) ** 2
    psi2 = np.geomspace(1e-6 * scale2, np.minimum(1e7 * scale2, PSI_LIMIT**2), N_PSI, axis=1)
    psi = np.sqrt(psi2)
    # integrate over cos(psi) = 1 - psi^2 / 2 in ln psi^2
    density = dsigma_dx_dcos_muon(x[:, None], psi, energy, mass, coupling, z, a) * 0.5 * psi2
    steps = np.diff(np.log(psi2), axis=1)
    pieces = 0.5 * (density[:, 1:] + density[:, :-1]) * steps
    cumulative = np.concatenate([np.zeros((len(x), 1)), np.cumsum(pieces, axis=1)], axis=1)
    per_x = cumulative[:, -1]
    log_psi = np.stack([_quantiles(np.log(row), c) for row, c in zip(psi, cumulative, strict=True)])
    edges = np.concatenate([[low], 0.5 * (x[1:] + x[:-1]), [high]])
    x_cumulative = np.concatenate([[0.0], np.cumsum(per_x * weights)])
    return Kinematics(float(np.sum(per_x * weights)), x, per_x, _quantiles(edges, x_cumulative), log_psi)


def sample_kinematics(table: Kinematics, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw (x, psi): x from its quantiles, psi from the quantiles of the two neighbouring nodes in x.

    Parameters
    ----------
    table : Kinematics
        From `tabulate`.
    n : int
        How many.
    rng : Generator
        Random numbers.

    Returns
    -------
    tuple of FloatArray
        x and psi [rad], shape (n,).
    """
    k, rest = _position(n, rng)
    x = table.x_quantiles[k] * (1.0 - rest) + table.x_quantiles[k + 1] * rest
    j = np.clip(np.searchsorted(table.x, x) - 1, 0, len(table.x) - 2)
    f = np.clip((x - table.x[j]) / (table.x[j + 1] - table.x[j]), 0.0, 1.0)
    k, rest = _position(n, rng)
    rows = table.log_psi_quantiles
    low = rows[j, k] * (1.0 - rest) + rows[j, k + 1] * rest
    high = rows[j + 1, k] * (1.0 - rest) + rows[j + 1, k + 1] * rest
    return x, np.exp(low * (1.0 - f) + high * f)
