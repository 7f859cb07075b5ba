r"""Distribution of (x, psi) in mu N -> mu N X, tabulated and sampled.

Energies and masses GeV, angles rad, cross-sections pb; x is the energy fraction of X, psi the recoil angle of the muon. The
formulas are in `tree_level` and `weizsaecker`; `cross_section` computes totals faster.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from na64mu.common.arguments import choice, number, whole
from na64mu.errors import ArgumentError
from na64mu.physics import tree_level, weizsaecker
from na64mu.physics.bosons import Mediator
from na64mu.physics.constants import MUON_MASS, PB_PER_GEV2
from na64mu.physics.cross_section import Method, x_nodes, x_range
from na64mu.physics.nucleus import FormFactor, check_nucleus
from na64mu.typing import FloatArray, IntArray

__all__ = ("PB_PER_GEV2", "Kinematics", "sample_kinematics", "tabulate")

N_X, N_PSI = 96, 240
PSI_LIMIT = 1.0  # largest muon angle in the small-angle formulas [rad]

#: Quantiles are tabulated at equal steps of the logit of the probability, which resolves both tails.
LOGITS = np.linspace(-14.0, 14.0, 281)


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


def _quantiles(values: FloatArray, cumulative: FloatArray) -> FloatArray:
    return np.interp(1.0 / (1.0 + np.exp(-LOGITS)), cumulative / cumulative[-1], values)


def _position(n: int, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Uniform probabilities as places in LOGITS: left node and distance from it."""
    u = np.clip(rng.random(n), 1e-6, 1.0 - 1e-6)
    place = (np.log(u / (1.0 - u)) - LOGITS[0]) / (LOGITS[1] - LOGITS[0])
    k = place.astype(np.int64)
    return k, place - k


def _per_log_psi2(
    x: FloatArray,
    psi: FloatArray,
    energy: float,
    mass: float,
    coupling: float,
    z: float,
    a: float,
    mediator: Mediator,
    method: Method,
    form_factor: FormFactor,
) -> FloatArray:
    """d^2 sigma / dx dln(psi^2)."""
    if method is Method.TREE:
        density = tree_level.dsigma_dx_dcos_muon(x, psi, energy, mass, coupling, z, a, mediator, form_factor)
        return density * 0.5 * psi * np.sin(psi)
    return weizsaecker.dsigma_dx_dcos_muon(x, psi, energy, mass, coupling, z, a, mediator, form_factor) * 0.5 * psi**2


def tabulate(
    energy: float,
    mass: float,
    coupling: float,
    z: float,
    a: float,
    *,
    mediator: Mediator | str = Mediator.VECTOR,
    method: Method | str = Method.WW,
    form_factor: FormFactor | str = FormFactor.ELASTIC,
) -> Kinematics:
    """Integrate the cross-section over the muon angle and x, and tabulate quantiles for sampling.

    Parameters
    ----------
    energy, mass : float
        Muon energy and mass of X [GeV].
    coupling : float
        g.
    z, a : float
        Charge number and mass number of the nucleus.
    mediator : Mediator or str
        Spin and parity of X.
    method : Method or str
        WW (the Letter's) or TREE; IWW has no angle.
    form_factor : FormFactor or str
        Responses of the nucleus that are included.

    Returns
    -------
    Kinematics
        Total, dsigma/dx and quantiles.

    Raises
    ------
    ArgumentError
        If the mass is not positive or cannot be produced, the method has no angle, or a choice is unknown.
    """
    mediator, method = choice(mediator, Mediator, "mediator"), choice(method, Method, "method")
    form_factor, coupling = choice(form_factor, FormFactor, "form_factor"), number(coupling, "coupling")
    check_nucleus(z, a)
    if method is Method.IWW:
        msg = "the improved Weizsaecker-Williams approximation has no muon angle to tabulate: use method WW or TREE"
        raise ArgumentError(msg)
    low, high = x_range(energy, mass, a, method)
    energy, mass = float(energy), float(mass)
    x, weights = x_nodes(low, high, N_X)
    y = 1.0 - x
    scale2 = (mass**2 * y + (MUON_MASS * x) ** 2) / (y * energy) ** 2
    limit = math.pi if method is Method.TREE else PSI_LIMIT
    psi2 = np.geomspace(1e-6 * scale2, np.minimum(1e7 * scale2, limit**2), N_PSI, axis=1)
    psi = np.sqrt(psi2)
    density = _per_log_psi2(x[:, None], psi, energy, mass, coupling, z, a, mediator, method, form_factor)
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
        Table, from `tabulate`.
    n : int
        Number of draws.
    rng : Generator
        Random numbers.

    Returns
    -------
    tuple of FloatArray
        x and psi [rad], shape (n,).

    Raises
    ------
    ArgumentError
        If n is not a whole number.
    """
    n = whole(n, "n")
    k, rest = _position(n, rng)
    x = table.x_quantiles[k] * (1.0 - rest) + table.x_quantiles[k + 1] * rest
    j = np.clip(np.searchsorted(table.x, x) - 1, 0, len(table.x) - 2)
    f = np.clip((x - table.x[j]) / (table.x[j + 1] - table.x[j]), 0.0, 1.0)
    k, rest = _position(n, rng)
    rows = table.log_psi_quantiles
    low = rows[j, k] * (1.0 - rest) + rows[j, k + 1] * rest
    high = rows[j + 1, k] * (1.0 - rest) + rows[j + 1, k + 1] * rest
    return x, np.exp(low * (1.0 - f) + high * f)
