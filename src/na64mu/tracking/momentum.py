"""Momenta of tracks as arrays of the vector package."""

from __future__ import annotations

from typing import Any

import numpy as np

from na64mu.typing import FloatArray

__all__ = ("momentum_vector",)


def momentum_vector(p: FloatArray, tx: FloatArray, ty: FloatArray) -> Any:
    """Momentum as vector arrays, from its size and the slopes of the track.

    Parameters
    ----------
    p : FloatArray
        Size [GeV/c], shape (n,); NaN without a track.
    tx, ty : FloatArray
        Slopes dx/dz and dy/dz, shape (n,).

    Returns
    -------
    vector.MomentumNumpy3D
        px, py, pz [GeV/c] with the methods of the vector package (pt, phi, theta, deltaangle, ...), shape (n,).
    """
    import vector

    pz = p / np.sqrt(1.0 + tx**2 + ty**2)
    # the geometric names x, y, z are those that vector keeps inside; with px, py, pz it sets a dtype in place, which numpy 2.5 deprecates
    components = np.empty(np.shape(pz), dtype=[("x", np.float64), ("y", np.float64), ("z", np.float64)])
    components["x"], components["y"], components["z"] = tx * pz, ty * pz, pz
    return components.view(vector.MomentumNumpy3D)
