r"""The dark boson X and its coupling to the muon: squared matrix elements of mu N -> mu N X, exact and Weizsaecker-Williams.

Invariants with momenta p -> p' + k off a spin-0 nucleus P_i -> P_f: q = P_i - P_f, t = -q^2, P = P_i + P_f,
s = (p' + k)^2 - m^2, u = (p - k)^2 - m^2 < 0, t_2 = (p - p')^2, s + u + t_2 = M^2 - t (m: muon, M: X; all GeV^2).
Averaged over the muon's spin, summed over that of X; couplings g and nucleus factors are not included.
"""

from __future__ import annotations

from na64mu.compiled.kernel import general_kernel
from na64mu.physics.bosons import Mediator
from na64mu.physics.constants import MUON_MASS

__all__ = ("Mediator", "exact", "reduced")

M2 = MUON_MASS**2


@general_kernel
def exact(
    mediator: int,
    p2: float,
    t: float,
    x2: float,
    ratio: float,
    product: float,
    sum_: float,
    squared: float,
    squares: float,
    difference: float,
    d2: float,
) -> float:
    r"""|A|^2 at tree level, from averages over the angle that is integrated out (or from the values at one point).

    With D = P.p / s + P.p' / u (Liu and Miller, arXiv:1705.01633, and Liu, McKeen and Miller, arXiv:1609.06781, write the
    same in other invariants; this form is checked against explicit Dirac traces in the tests):

    V: P^2 [2 (s^2 + u^2) / su + 4 t (s + u + t) / su + 2 t M^2 (1/u - 1/s)^2 + 4 m^2 t (1/u + 1/s)^2]
    - 8 t [(P.p)^2 + (P.p')^2] / su - 8 (M^2 + 2 m^2) D^2;

    S: P^2 [(s + u)^2 / su + t (M^2 - 4 m^2) (1/u + 1/s)^2] - 4 t (P.p - P.p')^2 / su - 4 (M^2 - 4 m^2) D^2;

    P: as S with M^2 for M^2 - 4 m^2;

    A: as V with M^2 - 4 m^2 for M^2 and for M^2 + 2 m^2, without the term in 4 m^2 t, plus
    4 m^2 / M^2 [P^2 (s + u)^2 / su - 4 t (P.p - P.p')^2 / su].

    Parameters
    ----------
    mediator : int
        A `Mediator`.
    p2, t, x2 : float
        P^2 = 4 M_N^2 + t, t and M^2 [GeV^2].
    ratio : float
        (s^2 + u^2) / su.
    product, sum_, squared : float
        1 / su, 1/s + 1/u and 1/s^2 + 1/u^2.
    squares, difference : float
        [(P.p)^2 + (P.p')^2] / su and (P.p - P.p')^2 / su.
    d2 : float
        D^2.

    Returns
    -------
    float
        [GeV^2].
    """
    plus = squared + 2.0 * product
    if mediator in (1, 2):
        weight = x2 - 4.0 * M2 if mediator == 1 else x2
        return p2 * (ratio + 2.0 + t * weight * plus) - 4.0 * t * difference - 4.0 * weight * d2
    minus = squared - 2.0 * product
    common = p2 * (2.0 * ratio + 4.0 * t * (sum_ + t * product)) - 8.0 * t * squares
    if mediator == 0:
        return common + p2 * t * (2.0 * x2 * minus + 4.0 * M2 * plus) - 8.0 * (x2 + 2.0 * M2) * d2
    weight = x2 - 4.0 * M2
    longitudinal = 4.0 * M2 / x2 * (p2 * (ratio + 2.0) - 4.0 * t * difference)
    return common + 2.0 * p2 * t * weight * minus - 8.0 * weight * d2 + longitudinal


@general_kernel
def reduced(mediator: int, x: float, x2: float) -> tuple[float, float]:
    r"""Coefficients (a, b) of the Weizsaecker-Williams matrix element a + b [u x + M^2 (1 - x) + m^2 x^2] / u^2.

    V: a = 2 (2 - 2x + x^2) / (1 - x), b = 4 (M^2 + 2 m^2); S: a = x^2 / (1 - x), b = 2 (M^2 - 4 m^2); P: a as S, b = 2 M^2;
    A: a as V + 4 m^2 x^2 / [(1 - x) M^2], b = 4 (M^2 - 4 m^2). Kirpichnikov et al., arXiv:2107.13297 (V); Sieber et al.,
    arXiv:2305.09015 (S); P and A are the limit t -> t_min of `exact`.

    Parameters
    ----------
    mediator : int
        A `Mediator`.
    x : float
        E_X / E.
    x2 : float
        M^2 [GeV^2].

    Returns
    -------
    tuple of float
        a (dimensionless) and b [GeV^2].
    """
    y = 1.0 - x
    if mediator == 0:
        return 2.0 * (1.0 + y * y) / y, 4.0 * (x2 + 2.0 * M2)
    if mediator == 1:
        return x * x / y, 2.0 * (x2 - 4.0 * M2)
    if mediator == 2:
        return x * x / y, 2.0 * x2
    return 2.0 * (1.0 + y * y) / y + 4.0 * M2 * x * x / (y * x2), 4.0 * (x2 - 4.0 * M2)
