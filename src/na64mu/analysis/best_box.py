"""The signal box with the best expected limit: backgrounds and scan in one call. Momenta GeV/c, energies GeV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from na64mu.analysis.backgrounds.boxes import box_backgrounds
from na64mu.analysis.backgrounds.table import PUBLISHED_EXPOSURE
from na64mu.analysis.optimisation import E_CUTS, P_CUTS, BoxScan, mip_energies, scan_boxes
from na64mu.errors import BackgroundError
from na64mu.results.run import RunResult

__all__ = ("optimise",)


def optimise(
    result: RunResult | str | Path,
    *,
    seed: int = 1,
    signals: Sequence[str] | None = None,
    physics: str | None = None,
    calibration: str | None = None,
    region_d: str | None = None,
    hadrons: str | None = None,
    n_mot: float = PUBLISHED_EXPOSURE,
    level: float = 0.90,
    p_cuts: Sequence[float] = P_CUTS,
    e_cuts: Sequence[float] = E_CUTS,
) -> BoxScan:
    """Scan the borders of the signal box for the best expected limit, without a look into the blinded one.

    Parameters
    ----------
    result : RunResult, str or Path
        A run over data (or simulated beam) and simulated signal, or its output folder.
    seed : int
        Seed of the bootstrap.
    signals : sequence of str, optional
        Datasets of simulated signal; all by default.
    physics, calibration, region_d, hadrons : str, optional
        Datasets for the backgrounds, as in `estimate_backgrounds`.
    n_mot : float
        Muons on target.
    level : float
        Confidence level.
    p_cuts, e_cuts : sequence of float
        Borders in p_out [GeV/c] and E_CAL [GeV].

    Returns
    -------
    BoxScan

    Raises
    ------
    BackgroundError
        If no box is better than another, or a dataset lacks what is needed.
    """
    result = RunResult.read(result)
    backgrounds = box_backgrounds(
        result,
        np.asarray(p_cuts, dtype=np.float64),
        np.asarray(e_cuts, dtype=np.float64),
        seed=seed,
        physics=physics,
        calibration=calibration,
        region_d=region_d,
        hadrons=hadrons,
        n_mot=n_mot,
    )
    if backgrounds.is_flat:
        msg = (
            f"no box is better than another: background (I) has {backgrounds.sources['momentum']}. "
            "Run over more muons, and name the dataset of calibration triggers with --calibration"
        )
        raise BackgroundError(msg)
    return scan_boxes(result, backgrounds, signals=signals or None, mip=mip_energies(result, calibration), n_mot=n_mot, level=level)
