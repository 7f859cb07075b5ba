"""The sample for background (I): p_out of muons that only ionise in the ECAL, with p_in close to the beam momentum.

It is filled twice: with a MIP in the ECAL, as the Letter says; and with E_CAL below the edge of the signal box as well. The first holds muons whose photon was radiated in the last
layers of the ECAL and is seen in the HCAL (in simulation nine of ten below 115 GeV/c): soft, measured rightly, and not in the box. The second holds what can be in the box.

Momenta GeV/c, energies GeV.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import hist
import numpy as np

from na64mu.results.weighted_histogram import WeightedHistogram
from na64mu.selections.cuts import MipWindows, MomentumWindow, TriggerBits, mip_everywhere, momentum_in_window, trigger
from na64mu.typing import BoolArray, FloatArray, Summary

__all__ = ("TAIL", "TAIL_BELOW_E_CAL", "momentum_tail")

#: Names of the histograms: MIP in the ECAL; the same with E_CAL in the signal box.
TAIL, TAIL_BELOW_E_CAL = "momentum_tail", "momentum_tail_below_e_cal"
#: Fine enough that the bins can be read in momentum as in curvature: a tenth of the resolution of 7 GeV/c.
BINS, LOW, HIGH = 500, 0.0, 250.0


def momentum_tail(
    summary: Summary,
    masks: Mapping[str, BoolArray],
    visible: BoolArray,
    weights: FloatArray,
    windows: Mapping[str, tuple[float, float]],
    *,
    p_in: MomentumWindow,
    e_cal_max: float | None = None,
) -> tuple[WeightedHistogram, int]:
    """Fill p_out of the MIP-tagged muons, by trigger.

    Parameters
    ----------
    summary : Summary
        Columns of shape (n_events,).
    masks : mapping of str to BoolArray
        Cut name -> events that pass; one track in each spectrometer (cut (ii)) is required.
    visible : BoolArray
        Events that are not blinded, shape (n_events,).
    weights : FloatArray
        Shape (n_events,).
    windows : mapping of str to (float, float)
        Energy -> window of a MIP.
    p_in : MomentumWindow
        Window of the incoming momentum, of the working point.
    e_cal_max : float, optional
        Largest E_CAL [GeV]; without it E_CAL may be anything.

    Returns
    -------
    histogram : WeightedHistogram
        Axes trigger ("calibration", "physics"; an event can be in both) and p_out, storage Weight.
    outside : int
        Selected events without p_out.
    """
    triggers: tuple[Literal["calibration"], Literal["physics"]] = ("calibration", "physics")
    histogram = WeightedHistogram(
        hist.axis.StrCategory(triggers, name="trigger", label="trigger"),
        hist.axis.Regular(BINS, LOW, HIGH, name="p_out", label="$p_{out}$ [GeV/c]"),
    )
    mip = mip_everywhere(summary, MipWindows(mip=("e_ecal",), windows={"e_ecal": windows["e_ecal"]}))
    sample = visible & mip & momentum_in_window(summary, p_in) & masks.get("single_tracks", np.ones_like(visible))
    if e_cal_max is not None:
        sample &= summary["e_cal"] < e_cal_max
    exists = np.isfinite(summary["p_out"])
    for name in triggers:
        chosen = sample & exists & trigger(summary, TriggerBits(bits=(name,)))
        histogram.fill(name, summary["p_out"][chosen], weight=weights[chosen])
    return histogram, int(np.count_nonzero(sample & ~exists))
