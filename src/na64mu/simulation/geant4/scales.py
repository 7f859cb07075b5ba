"""Energy scales of the calorimeters in Geant4, from showers of known energy; and particles shot from any position. GeV, mm."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from na64mu.detector import Detector
from na64mu.simulation.geant4.processes import Deposits, Geant4Settings, shoot
from na64mu.simulation.geant4.shots import Shots, aimed
from na64mu.typing import FloatArray

__all__ = ("energy_scales", "gun")

SCALE_SEED = 11  # the scales belong to the set-up, not to the sample


@lru_cache(maxsize=8)
def _scales(text: str, settings: Geant4Settings) -> tuple[float, float, float]:
    d = Detector.model_validate_json(text)
    e, v, h = d.ecal, d.vhcal, d.hcal
    beside = 0.5 * (v.half_hole[0] + 0.5 * v.cells[0] * v.cell[0])
    aims = (
        ("e-", 10.0, settings.electrons, e.cell_centre(0)[e.cells[0] // 2], e.cell_centre(1)[e.cells[1] // 2], e.z),
        ("pi-", 50.0, settings.pions, beside, 0.0, v.z),
        ("pi-", 50.0, settings.pions, h.cell_centre(0)[h.cells[0] // 2], h.centre[1], h.front[0]),
    )
    shots = [aimed(particle, np.tile([x, y, z - 0.005, 0.0, 0.0, p], (n, 1)), SCALE_SEED + k)
             for k, (particle, p, n, x, y, z) in enumerate(aims)]  # fmt: skip
    found = shoot(d, 1, Shots(*(np.concatenate(columns) for columns in zip(*shots, strict=True))), settings)
    scales, first = [], 0
    for (_, p, n, *_), cells in zip(aims, (found.ecal, found.vhcal, found.hcal), strict=True):
        scales.append(p * n / float(cells[first : first + n].sum()))
        first += n
    return scales[0], scales[1], scales[2]


def energy_scales(detector: Detector, settings: Geant4Settings) -> tuple[float, float, float]:
    """Signal per energy in the scintillator: ECAL from electrons of 10 GeV, VHCAL and HCAL from pions of 50 GeV.

    Parameters
    ----------
    detector : Detector
        The description.
    settings : Geant4Settings
        Physics list, cut, number of showers; its `scales` where given.

    Returns
    -------
    tuple of float
        ECAL, VHCAL, HCAL.
    """
    if settings.scales is not None:
        return settings.scales
    return _scales(detector.model_dump_json(), settings)


def gun(
    detector: Detector,
    particle: str,
    states: FloatArray,
    seed: int,
    *,
    config: int = 1,
    settings: Geant4Settings | None = None,
    progress: Callable[[int], object] | None = None,
) -> Deposits:
    """Send particles from anywhere through the set-up, without trigger or energy scale.

    Parameters
    ----------
    detector : Detector
        The description.
    particle : str
        Geant4's name: "mu-", "e-", "pi-", "gamma", "kaon-", "proton", ...
    states : FloatArray
        x, y, z [mm], tx, ty, p [GeV/c] of every particle, shape (n, 6).
    seed : int
        Equal seeds give equal events.
    config : int
        Trigger configuration: it moves the counters S4 and S_mu.
    settings : Geant4Settings, optional
        Physics list, cut, workers.
    progress : callable, optional
        Called with the number of events done since the last call.

    Returns
    -------
    Deposits
        One event per particle; calorimeter energies are those in the scintillator.
    """
    return shoot(detector, config, aimed(particle, states, seed), settings or Geant4Settings(), None, progress)
