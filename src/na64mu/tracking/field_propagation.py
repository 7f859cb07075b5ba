"""Propagate a fitted track through a non-uniform field (wraps nystrom.py for the Kalman filter)."""

from __future__ import annotations

from na64mu.compiled.kernel import step_formula
from na64mu.tracking.field import FieldRegion
from na64mu.tracking.kalman import Track, carry
from na64mu.tracking.nystrom import cross_map
from na64mu.typing import FloatArray

__all__ = ("follow",)


@step_formula
def follow(
    t: Track, state: FloatArray, jacobian: FloatArray, z: float, length: float, region: FieldRegion
) -> tuple[Track, tuple[float, ...]]:
    """Carry a track and its covariance from z over a length [mm].

    Parameters
    ----------
    t : Track
        Track at z; see kalman.py.
    state, jacobian : FloatArray
        Scratch of shape (5,) and (5, 5).
    z, length : float
        Start and way along z [mm], negative upstream.
    region : FieldRegion
        The field.

    Returns
    -------
    tuple
        Track at the end, NaN if the particle curls back inside the field; and the 20 derivatives for kalman.carry_back.
    """
    for i in range(5):
        state[i] = t[i]
    if not cross_map(state, z, length, region, jacobian):
        state[:] = float("nan")
    j = jacobian
    derivatives = (
        j[0, 0], j[0, 1], j[0, 2], j[0, 3], j[0, 4],
        j[1, 0], j[1, 1], j[1, 2], j[1, 3], j[1, 4],
        j[2, 0], j[2, 1], j[2, 2], j[2, 3], j[2, 4],
        j[3, 0], j[3, 1], j[3, 2], j[3, 3], j[3, 4],
    )  # fmt: skip
    return carry(t, (state[0], state[1], state[2], state[3]), derivatives), derivatives
