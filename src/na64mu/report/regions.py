"""The outline of a region of the (p_out, E_CAL) plane inside a figure. GeV/c and GeV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from na64mu.typing import FloatArray

if TYPE_CHECKING:
    from na64mu.selections.cuts import Region

__all__ = ("area", "outline")


def outline(region: Region, x_range: tuple[float, float], y_range: tuple[float, float]) -> FloatArray:
    """Corners of the part of a region that a figure shows.

    The view is cut by one half plane a x + b y >= c after the other (Sutherland and Hodgman, Commun. ACM 17 (1974) 32).

    Parameters
    ----------
    region : Region
        Limits on p_out, E_CAL and their sum.
    x_range, y_range : (float, float)
        Range of the figure in p_out [GeV/c] and E_CAL [GeV].

    Returns
    -------
    FloatArray
        Shape (n_corners, 2), in order around the region; no corners if it is outside the figure.
    """
    (x0, x1), (y0, y1) = x_range, y_range
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)
    limits = (
        ((1.0, 0.0), region.p_out_min, region.p_out_max),
        ((0.0, 1.0), region.e_cal_min, region.e_cal_max),
        ((1.0, 1.0), region.total_min, region.total_max),
    )
    for direction, low, high in limits:
        normal = np.array(direction)
        if low is not None:
            corners = _clip(corners, normal, low)
        if high is not None:
            corners = _clip(corners, -normal, -high)
    return corners


def _clip(corners: FloatArray, normal: FloatArray, limit: float) -> FloatArray:
    """Keep the side normal . r >= limit of a convex polygon."""
    if len(corners) == 0:
        return corners
    height = corners @ normal - limit
    kept: list[FloatArray] = []
    for i in range(len(corners)):
        j = (i + 1) % len(corners)
        if height[i] >= 0:
            kept.append(corners[i])
        if height[i] * height[j] < 0:
            part = height[i] / (height[i] - height[j])
            kept.append(corners[i] + part * (corners[j] - corners[i]))
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def area(corners: FloatArray) -> float:
    """Area of a polygon [GeV/c x GeV], by the shoelace formula."""
    if len(corners) < 3:
        return 0.0
    x, y = corners.T
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
