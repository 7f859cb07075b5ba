"""Expected signal of invisible pairs: vectors of every mass M that an off-shell one can have, weighted with the spectrum of M. Masses GeV.

N = integral of dln M^2 density(M) x (vectors of mass M per muon) x efficiency(M). Production and efficiency are tabulated between the masses that were simulated;
pairs above the heaviest count as not selected, so that the limit is on the safe side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

from na64mu.analysis.yields.efficiency import CONFIGS
from na64mu.analysis.yields.signal import Efficiencies, PileUpLoss, SignalYield
from na64mu.analysis.yields.target import Target, produced_per_muon
from na64mu.common.arguments import choice
from na64mu.errors import InputError
from na64mu.physics.bosons import Mediator
from na64mu.physics.cross_section import Method
from na64mu.physics.nucleus import FormFactor
from na64mu.physics.pairs import Pairs
from na64mu.typing import FloatArray

__all__ = ("pair_range", "pair_yield")

#: Masses M at which production is computed, and nodes of the integral over ln M.
N_MASSES, NODES = 30, 160


def pair_range(known: tuple[float, float], heaviest: float) -> tuple[float, float]:
    """Masses m_chi of a scan [GeV] whose pairs lie within simulated masses.

    Parameters
    ----------
    known : (float, float)
        Lightest and heaviest simulated mass.
    heaviest : float
        Largest m_chi for which the model holds.

    Returns
    -------
    low, high : float
    """
    return 0.5 * known[0], min(0.4 * known[1], heaviest)


def pair_yield(
    target: Target,
    tables: Mapping[Mediator, Efficiencies],
    pairs: Pairs,
    masses: Sequence[float],
    known: tuple[float, float],
    exposures: tuple[float, float],
    pile_up_loss: PileUpLoss,
    *,
    reference: float = 1e-4,
    method: Method | str = Method.TREE,
    form_factor: FormFactor | str = FormFactor.ELASTIC,
    progress: Callable[[], object] | None = None,
) -> SignalYield:
    """Expected signal of pairs over the masses of one of the two.

    Parameters
    ----------
    target : Target
        Active target, from `target_of`.
    tables : mapping of Mediator to Efficiencies
        Efficiencies of a vector, and of an axial vector where the current has one.
    pairs : Pairs
    masses : sequence of float
        m_chi [GeV].
    known : (float, float)
        Lightest and heaviest mass of the tables [GeV].
    exposures : (float, float)
        Muons on target of configurations 1 and 2.
    pile_up_loss : PileUpLoss
    reference : float
        Coupling, of the kind that is quoted.
    method : Method or str
        Method for the production cross-section.
    form_factor : FormFactor or str
        Responses of the nucleus that are included.
    progress : callable, optional
        Called after each mass M of the production.

    Returns
    -------
    SignalYield
        Per muon on target: pairs between the simulated masses. The errors of the efficiency at all M are taken as fully correlated.

    Raises
    ------
    InputError
        If no pair of a mass lies within the simulated masses.
    """
    method, form_factor = choice(method, Method, "method"), choice(form_factor, FormFactor, "form_factor")
    at, grid = np.asarray(masses, dtype=np.float64), np.geomspace(*known, N_MASSES)
    outside = at[(2.0 * at >= known[1]) | (at <= 0.0)]
    if outside.size:
        msg = f"pairs of {outside[0]:g} GeV each: their mass must lie below {known[1]:g} GeV, the heaviest that was simulated"
        raise InputError(msg)
    produced, kept, spread = np.zeros(len(at)), np.zeros((len(at), len(CONFIGS))), np.zeros((len(at), len(CONFIGS)))
    for mediator, share in pairs.parts:
        made = produced_per_muon(target, grid, 1.0, mediator=mediator, method=method, form_factor=form_factor, progress=progress)
        rate = PchipInterpolator(np.log(grid), np.log(share * made))
        found = [tables[mediator].efficiency(grid, config) for config in CONFIGS]
        curves = [tuple(PchipInterpolator(np.log(grid), values) for values in pair) for pair in found]
        for i, m_chi in enumerate(at):
            log_m, weights = _nodes(max(2.0 * float(m_chi), known[0]), known[1])
            n = weights * 2.0 * np.exp(rate(log_m)) * pairs.density(np.exp(log_m), float(m_chi)) * reference**2
            produced[i] += n.sum()
            for c, (value, error) in enumerate(curves):
                kept[i, c] += n @ value(log_m)
                spread[i, c] += n @ error(log_m)
    return SignalYield(
        masses=at,
        g_ref=reference,
        exposures=exposures,
        per_muon=produced,
        invisible=np.ones(len(at)),
        efficiency=kept / produced[:, None],
        efficiency_error=spread / produced[:, None],
        pile_up_loss=pile_up_loss,
    )


def _nodes(low: float, high: float) -> tuple[FloatArray, FloatArray]:
    """Nodes in ln M and their weights: Gauss-Legendre in the square root of the distance from the threshold, where the density rises as a root."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    u = 0.5 * (nodes + 1.0)
    length = np.log(high / low)
    return np.log(low) + length * u**2, weights * length * u
