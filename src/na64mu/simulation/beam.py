"""The beam: momentum, position and slope at the ECAL face, carried back upstream through MS1.

Position and slope at z = 0 do not depend on the momentum, so the stations upstream of MS1 see the dispersion.
Units mm, rad, GeV/c.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.detector import Detector
from na64mu.simulation.geometry import DRIFT, FIELD, Line
from na64mu.simulation.transport import circle, drift
from na64mu.typing import FloatArray

__all__ = ("BeamSpot", "beam_spot", "carry_back", "sample_beam")


class BeamSpot(NamedTuple):
    """Means and widths of the beam at the ECAL face: momentum [GeV/c], spot [mm], slopes [rad], charge [e].

    `halo` has its fraction, spot (x, y) and slopes (x, y).
    """

    p_mean: float
    p_sigma: float
    sigma_x: float
    sigma_y: float
    sigma_tx: float
    sigma_ty: float
    charge: float
    halo: FloatArray


def beam_spot(detector: Detector) -> BeamSpot:
    """The beam of a set-up, for the kernels.

    Parameters
    ----------
    detector : Detector
        The description.

    Returns
    -------
    BeamSpot
        The beam of the description as plain numbers.
    """
    beam = detector.beam
    return BeamSpot(
        beam.momentum_mean,
        beam.momentum_mean * beam.momentum_spread,
        beam.sigma_x,
        beam.sigma_y,
        beam.sigma_tx,
        beam.sigma_ty,
        float(beam.charge),
        np.array([beam.halo_fraction, *beam.halo_sigma, *beam.halo_slope]),
    )


@kernel
def carry_back(line: Line, state: FloatArray, charge: float) -> None:
    """Carry a state from z = 0 to the start of the line, without interactions, through the magnets on the way.

    Parameters
    ----------
    line : Line
        Steps of the set-up.
    state : FloatArray
        (x, y, tx, ty, p) at z = 0, changed in place.
    charge : float
        Charge in units of e.
    """
    for i in range(len(line.kind) - 1, -1, -1):
        if line.z_out[i] > 0.0:
            continue
        length = line.z_in[i] - line.z_out[i]
        if line.kind[i] == FIELD:
            circle(state, length, line.field[i, 0], line.field[i, 1], charge)
        elif line.kind[i] == DRIFT:
            drift(state, length)


@kernel
def sample_beam(spot: BeamSpot, state: FloatArray, rng: np.random.Generator) -> None:
    """Draw one beam particle at z = 0.

    Parameters
    ----------
    spot : BeamSpot
        Means and widths at z = 0.
    state : FloatArray
        (x, y, tx, ty, p) at z = 0, set in place.
    rng : Generator
        Random numbers.
    """
    halo = spot.halo[0] > 0.0 and rng.random() < spot.halo[0]
    state[0] = (spot.halo[1] if halo else spot.sigma_x) * rng.standard_normal()
    state[1] = (spot.halo[2] if halo else spot.sigma_y) * rng.standard_normal()
    state[2] = (spot.halo[3] if halo else spot.sigma_tx) * rng.standard_normal()
    state[3] = (spot.halo[4] if halo else spot.sigma_ty) * rng.standard_normal()
    state[4] = spot.p_mean + spot.p_sigma * rng.standard_normal()
