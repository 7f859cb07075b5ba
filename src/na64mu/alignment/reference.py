"""The momentum of MIP muons behind the ECAL, as MS1 and the ECAL know it: it holds the movement along the bend of MS2.

A movement of the planes along the bent path changes q/p of every track by the same amount, which no bent track can tell. A muon that
lost no more than a minimum-ionising particle has the momentum p_in - E_ECAL. With the derivative D of the fitted q/p by the parameters of the
alignment, every such muon adds (D d - (q/p_expected - q/p))^2 / variance to the chi2 of the movement d.

The mean of what a muon loses and what the ECAL sees of it agree to a few per cent in the simulation; LOSS_ERROR is what is allowed for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from na64mu.alignment.residuals import TrackResiduals, spread_globals
from na64mu.alignment.sample import Sample
from na64mu.typing import FloatArray, IntArray

__all__ = ("LOSS_ERROR", "MIN_MUONS", "MomentumReference", "ReferenceSums", "reference_of")

LOSS_ERROR = 0.1  # relative, of the mean energy that a MIP muon loses in the ECAL
STRAGGLING = 0.3  # GeV: what the loss of one muon and its energy in the ECAL differ by
MIN_MUONS = 200
MAX_PULL = 4.0  # of a muon from the middle of all


@dataclass(frozen=True)
class MomentumReference:
    """Expected q/p of the events of one sample.

    Attributes
    ----------
    value, variance : FloatArray
        q/p behind the ECAL [c/GeV], NaN where there is none, and its variance, shape (n_events,).
    common : float
        Relative error that all of them share: the scale of p_in, and the loss in the ECAL.
    """

    value: FloatArray
    variance: FloatArray
    common: float


def reference_of(sample: Sample, event: IntArray, state: FloatArray, variance: FloatArray, scale_error: float) -> MomentumReference | None:
    """The reference from the tracks of MS1.

    Parameters
    ----------
    sample : Sample
        MS1 with the field on; its `mip` tells the muons.
    event : IntArray
        Event of every track, shape (n,).
    state, variance : FloatArray
        Fitted parameters, shape (n, 5), and variance of q/p, shape (n,).
    scale_error : float
        Relative error of the scale of p_in.

    Returns
    -------
    MomentumReference or None
        None with fewer than MIN_MUONS.
    """
    if sample.mip is None or not sample.field:
        return None
    value, spread = np.full(sample.n_events, np.nan), np.full(sample.n_events, np.nan)
    p_in = 1.0 / np.abs(state[:, 4])
    p_out = p_in - sample.mip[event]
    value[event] = np.sign(state[:, 4]) / p_out
    spread[event] = variance + (STRAGGLING / p_out**2) ** 2
    known = np.isfinite(value)
    if np.count_nonzero(known) < MIN_MUONS:
        return None
    loss = LOSS_ERROR * float(np.nanmean(sample.mip)) / float(np.median(1.0 / np.abs(value[known])))
    return MomentumReference(value, spread, float(np.hypot(scale_error, loss)))


@dataclass
class ReferenceSums:
    """What the muons add to the normal equations.

    Attributes
    ----------
    matrix, right : FloatArray
        Shapes (g, g) and (g,).
    unit : FloatArray
        Right side if every expectation were larger by 1 c/GeV, shape (g,).
    response : FloatArray
        Sum of the derivatives of q/p of all tracks, with a reference or without, shape (g,).
    curvature : float
        Sum of their |q/p|.
    n_tracks, n_muons : int
        Number of tracks, and of those with a reference.
    off, weight : float
        Weighted sum of expected minus fitted |q/p|, and of the weights.
    """

    matrix: FloatArray
    right: FloatArray
    unit: FloatArray
    response: FloatArray
    curvature: float = 0.0
    n_tracks: int = 0
    n_muons: int = 0
    off: float = 0.0
    weight: float = 0.0

    @property
    def offset(self) -> tuple[float, float]:
        """Relative difference of the expected 1/p and the fitted one, and its statistical error."""
        if not self.n_muons:
            return 0.0, float("inf")
        curvature = self.curvature / self.n_tracks
        return self.off / self.weight / curvature, float(1.0 / np.sqrt(self.weight) / curvature)

    @classmethod
    def empty(cls, n_parameters: int) -> ReferenceSums:
        """No tracks yet."""
        zero = np.zeros(n_parameters)
        return cls(np.zeros((n_parameters, n_parameters)), zero.copy(), zero.copy(), zero.copy())

    def add(self, tracks: TrackResiduals, event: IntArray, columns: IntArray, reference: MomentumReference | None) -> None:
        """Add bent tracks.

        Parameters
        ----------
        tracks : TrackResiduals
            Fitted tracks.
        event : IntArray
            Event of every track, shape (n,).
        columns : IntArray
            Parameter of every plane and component, shape (n_planes, 3).
        reference : MomentumReference, optional
            What is expected.
        """
        if tracks.local.shape[2] < tracks.state.shape[1] or not len(event):
            return  # straight tracks have no momentum
        derivatives = np.einsum("nm,nmg->ng", tracks.gain, spread_globals(tracks.along, columns, len(self.right)))
        self.response += derivatives.sum(axis=0)
        self.curvature += float(np.abs(tracks.state[:, 4]).sum())
        self.n_tracks += len(event)
        if reference is None:
            return
        variance = tracks.curvature_variance + reference.variance[event]
        off = reference.value[event] - tracks.state[:, 4]
        known = np.isfinite(off) & np.isfinite(variance)
        if not known.any():
            return
        middle = np.median(off[known])  # all of them are off together where the planes are
        known &= np.abs(off - middle) < MAX_PULL * np.sqrt(variance)
        d, w = derivatives[known], 1.0 / variance[known]
        self.matrix += d.T @ (w[:, None] * d)
        self.right += d.T @ (w * off[known])
        self.unit += d.T @ w
        self.off += float(np.sum(w * off[known] * np.sign(tracks.state[known, 4])))
        self.weight += float(w.sum())
        self.n_muons += int(np.count_nonzero(known))
