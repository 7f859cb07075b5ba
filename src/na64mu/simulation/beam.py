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
from na64mu.typing import Record

__all__ = ("BeamSpot", "beam_spot", "carry_back", "sample_beam")


class BeamSpot(NamedTuple):
    """Means and widths of the beam at the ECAL face: momentum [GeV/c], spot [mm], slopes [rad], charge [e]; fraction and widths of its halo."""

    p_mean: float
    p_sigma: float
    sigma_x: float
    sigma_y: float
    sigma_tx: float
    sigma_ty: float
    charge: float
    halo_fraction: float
    halo_x: float
    halo_y: float
    halo_tx: float
    halo_ty: float


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
        beam.halo_fraction,
        *beam.halo_sigma,
        *beam.halo_slope,
    )


@kernel
def carry_back(line: Line, state: Record, charge: float) -> None:
    """Carry a state from z = 0 to the start of the line, without interactions, through the magnets on the way.

    Parameters
    ----------
    line : Line
        Steps of the set-up.
    state : Record
        (x, y, tx, ty, p) at z = 0, changed in place.
    charge : float
        Charge in units of e.
    """
    for i in range(len(line.kind) - 1, -1, -1):
        if line.z_out[i] > 0.0:
            continue
        length = line.z_in[i] - line.z_out[i]
        if line.kind[i] == FIELD:
            circle(state, length, line.field_x[i], line.field_y[i], charge)
        elif line.kind[i] == DRIFT:
            drift(state, length)


@kernel
def sample_beam(spot: BeamSpot, state: Record, rng: np.random.Generator) -> None:
    """Draw one beam particle at z = 0.

    Parameters
    ----------
    spot : BeamSpot
        Means and widths at z = 0.
    state : Record
        (x, y, tx, ty, p) at z = 0, set in place.
    rng : Generator
        Random numbers.
    """
    halo = spot.halo_fraction > 0.0 and rng.random() < spot.halo_fraction
    state.x = (spot.halo_x if halo else spot.sigma_x) * rng.standard_normal()
    state.y = (spot.halo_y if halo else spot.sigma_y) * rng.standard_normal()
    state.tx = (spot.halo_tx if halo else spot.sigma_tx) * rng.standard_normal()
    state.ty = (spot.halo_ty if halo else spot.sigma_ty) * rng.standard_normal()
    state.p = spot.p_mean + spot.p_sigma * rng.standard_normal()
