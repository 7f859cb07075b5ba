"""The momentum spectrum of MIP-tagged muons, as the tail estimate takes it from an output folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.errors import BackgroundError
from na64mu.results.run import RunResult
from na64mu.typing import FloatArray

__all__ = ("BELOW_E_CAL", "HISTOGRAM", "TailSample", "Trigger", "tail_sample")

Trigger = Literal["calibration", "physics"]

#: Histograms of an output folder that hold the spectrum (see na64mu.processors.tail): MIP in the ECAL as the Letter says; the same with E_CAL in the signal box.
HISTOGRAM, BELOW_E_CAL = "momentum_tail", "momentum_tail_below_e_cal"
#: The peak is what lies above three quarters of the beam momentum [GeV/c] (inferred): soft muons that fire the physics trigger do not move it.
CORE_FROM = 120.0


@dataclass(frozen=True)
class TailSample:
    """A binned p_out spectrum.

    Attributes
    ----------
    edges : FloatArray
        Bin edges [GeV/c], shape (n_bins + 1,).
    counts : FloatArray
        Events per bin, shape (n_bins,); of a weighted simulation, the effective number (sum of weights squared over sum of squared weights).
    scale : float
        Weighted events per effective one; 1 in data.
    n_mot : float
        Muons on target that the sample represents; 0 if not known.
    """

    edges: FloatArray
    counts: FloatArray
    scale: float = 1.0
    n_mot: float = 0.0

    def quantile(self, probability: float) -> float:
        """Momentum below which this fraction of the peak lies."""
        first = self.edge_near(CORE_FROM)
        cumulative = np.concatenate([[0.0], np.cumsum(self.counts[first:])])
        return float(np.interp(probability * cumulative[-1], cumulative, self.edges[first:]))

    @property
    def n_core(self) -> float:
        """Weighted muons in the peak."""
        return self.scale * float(self.counts[self.edge_near(CORE_FROM) :].sum())

    @property
    def centre(self) -> float:
        """Median momentum of the peak."""
        return self.quantile(0.5)

    @property
    def sigma(self) -> float:
        """Half of the central 68.27 % of the peak, which the tails hardly touch."""
        return 0.5 * (self.quantile(0.84135) - self.quantile(0.15865))

    def edge_near(self, p: float) -> int:
        """Index of the bin edge nearest to a momentum."""
        return int(np.argmin(np.abs(self.edges - p)))

    def __repr__(self) -> str:
        return f"TailSample of {self.counts.sum():.0f} muons, peak at {self.centre:.1f} +- {self.sigma:.1f} GeV/c, from {self.n_mot:.4g} muons on target"


def tail_sample(
    result: RunResult | str | Path, *, trigger: Trigger | str = "physics", dataset: str | None = None, name: str | None = None
) -> TailSample:
    """Take the spectrum from the result of a run.

    Parameters
    ----------
    result : RunResult, str or Path
        Result of a run, or its output folder.
    trigger : "physics" or "calibration"
        Trigger that recorded the muons. Only the physics trigger counts what could reach the signal box; the calibration trigger has more muons
        and shows the shape (see `TailEstimate.normalised_to`).
    dataset : str, optional
        Name of a dataset; by default all together.
    name : str, optional
        `BELOW_E_CAL` or `HISTOGRAM`; by default the first where the output folder has it. The second also holds soft muons whose photon is seen in the HCAL: they are
        measured rightly and not in the box.

    Returns
    -------
    TailSample

    Raises
    ------
    BackgroundError
        If the histogram is missing or empty.
    """
    trigger, result = one_of(trigger, get_args(Trigger), "trigger", BackgroundError), RunResult.read(result)
    name = name or _best(result, dataset)
    try:
        histogram = result.histogram(name, dataset)
        spectrum = histogram[{"trigger": trigger}]
    except KeyError as error:
        msg = f"the output folder has no histogram {name!r} of trigger {trigger!r} (dataset {dataset!r}; there are {list(result.datasets)}): make it again with `na64mu run`"
        raise BackgroundError(msg) from error
    values, variances = spectrum.values(), spectrum.variances()
    if not values[np.asarray(spectrum.axes[0].edges)[:-1] >= CORE_FROM].sum() > 0:
        msg = f"no MIP-tagged muon of the {trigger} trigger above {CORE_FROM:g} GeV/c in {dataset or 'any dataset'}: run over files with beam muons"
        raise BackgroundError(msg)
    scale = float(variances.sum() / values.sum())
    return TailSample(np.asarray(spectrum.axes[0].edges, dtype=np.float64), values / scale, scale, result.exposure.n_mot(dataset))


def _best(result: RunResult, dataset: str | None) -> str:
    """The spectrum with E_CAL in the box; output folders of earlier versions have the other one alone."""
    try:
        result.histogram(BELOW_E_CAL, dataset)
    except KeyError:
        return HISTOGRAM
    return BELOW_E_CAL
