"""Competing hits: deterministic annealing chooses between the two sides of a wire or several hits in one window.

Every hit of a plane has a probability to belong to the track, from its distance to the track of all *other* planes. The
temperature falls from hot (all hits alike) to one (the distances' own scale), and the probabilities freeze.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from na64mu.common.arguments import number, one_of, whole
from na64mu.physics.scattering import MODELS, Scattering
from na64mu.tracking.checks import checked_hit_of, checked_measurements
from na64mu.tracking.fit import fit_measurements, loose_prior
from na64mu.tracking.fitted import FittedTracks
from na64mu.tracking.spectrometer import Spectrometer
from na64mu.typing import FloatArray, IntArray

__all__ = ("CompetingFit", "fit_competing")

N_STEPS = 8  # from the temperature at which all hits are alike down to one
ASIDE = 1e-6  # weight of a plane whose hits all left, relative to one hit: the track still predicts it
MIN_NDF = 1.0  # below it a track is warmed up again: a fit that lets go of every hit would fall back on its seed
WARMER, MAX_WARMINGS = 4.0, 12  # factor of the temperature, and how often at most


@dataclass(frozen=True)
class CompetingFit:
    """Tracks with competing hits.

    Attributes
    ----------
    tracks : FittedTracks
        The fit with every plane's hits weighted by their probabilities.
    probability : FloatArray
        Probability of every hit to belong to the track, shape (n, n_planes, n_competing).
    ndf : FloatArray
        Sum of the probabilities minus five, shape (n,).
    """

    tracks: FittedTracks
    probability: FloatArray
    ndf: FloatArray

    def winner(self) -> IntArray:
        """Number of the most probable hit of every plane, -1 where none reaches one half, shape (n, n_planes)."""
        best = self.probability.argmax(axis=2)
        return np.where(self.probability.max(axis=2) >= 0.5, best, -1)


def _blend(u: FloatArray, weight: FloatArray, probability: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Combine the hits of each plane to one measurement: their weighted mean and its weight."""
    each = np.maximum(probability, ASIDE) * weight
    total = each.sum(axis=2)
    return np.divide((each * u).sum(axis=2), total, out=np.zeros_like(total), where=total > 0.0), total


def _distances(u: FloatArray, weight: FloatArray, blend: FloatArray, tracks: FittedTracks) -> FloatArray:
    """Squared distance of every hit to the track of the other planes in standard deviations, infinite for none."""
    known = (tracks.information > 0.0) & (tracks.weight > 0.0) & tracks.good[:, None]
    information, own = np.where(known, tracks.information, 1.0), np.where(known, tracks.weight, 1.0)
    expected = blend - tracks.score / information
    spread = np.maximum(1.0 / information - 1.0 / own, 0.0)
    present = weight > 0.0
    variance = np.where(present, 1.0 / np.where(present, weight, 1.0) + spread[:, :, None], 1.0)
    return np.where(present, (u - expected[:, :, None]) ** 2 / variance, np.inf)


def _together(distance: FloatArray, hit_of: IntArray) -> FloatArray:
    """Sum of the distances of all coordinates of one hit, which are accepted or rejected together."""
    return np.stack([distance[:, hit_of == hit].sum(axis=1) for hit in range(hit_of[-1] + 1)], axis=1)[:, hit_of]


def _probabilities(distance: FloatArray, temperature: FloatArray, cut: FloatArray) -> FloatArray:
    """Probability of every hit to be the one of its plane; warmer for tracks that would lose too many of their planes."""
    temperature = temperature[:, None, None]
    nearest = np.minimum(distance.min(axis=2, keepdims=True), cut)  # the largest exponent is zero
    for _ in range(MAX_WARMINGS):
        likely = np.exp(-0.5 * (distance - nearest) / temperature)
        probability = likely / (likely.sum(axis=2, keepdims=True) + np.exp(-0.5 * (cut - nearest) / temperature))
        # relative to the best plane: while it is hot, all of them share with the alternative of no hit at all
        few = probability.sum(axis=(1, 2)) / np.maximum(probability.max(axis=(1, 2)), 1e-300) - 5.0 < MIN_NDF
        if not few.any():
            break
        temperature = np.where(few[:, None, None], WARMER * temperature, temperature)
    return probability


def fit_competing(
    seed: FloatArray,
    u: FloatArray,
    weight: FloatArray,
    spectrometer: Spectrometer,
    *,
    prior: FloatArray | None = None,
    cut_probability: float = 1e-3,
    n_steps: int = N_STEPS,
    hit_of: IntArray | None = None,
    scattering: Scattering | str = "highland",
) -> CompetingFit:
    """Fit tracks of planes with several hits that exclude each other.

    Parameters
    ----------
    seed : FloatArray
        Parameters at the first plane to start from, shape (n, 5).
    u, weight : FloatArray
        Coordinates [mm] and 1 / sigma^2 [1/mm2] of the hits, weight 0 for none, shape (n, n_planes, n_competing).
    spectrometer : Spectrometer
        MS1, MS2 or any other.
    prior : FloatArray, optional
        Standard deviations of the seed, shape (n, 5) or (5,).
    cut_probability : float
        A hit whose distance is less probable competes in vain against "no hit at all".
    n_steps : int
        Temperatures from that of the farthest plane, at which all hits are alike, down to one.
    hit_of : IntArray, optional
        Number of the hit to which each plane's coordinate belongs, as in outliers.fit_without_outliers.
    scattering : Scattering or str
        Model of multiple scattering.

    Returns
    -------
    CompetingFit
        Tracks and probabilities.

    Raises
    ------
    ArgumentError, DetectorError
        See fit.fit_measurements; also if `hit_of`, the probability or the number of steps makes no sense.

    References
    ----------
    R. Fruehwirth, A. Strandlie, Comput. Phys. Commun. 120 (1999) 197 (deterministic annealing filter); here the distance is
    that to the smoothed track without the plane itself, so that an outlier does not vouch for itself.
    """
    scattering = one_of(scattering, MODELS, "scattering")
    seed, prior, u, weight = checked_measurements(seed, u, weight, spectrometer, prior, competing=True)
    hit_of, n_steps = checked_hit_of(hit_of, u.shape[1]), whole(n_steps, "n_steps", least=2)
    cut_probability = number(cut_probability, "cut_probability", above=0.0, below=1.0)
    n_coordinates = np.bincount(hit_of)
    cut = chi2_distribution.isf(cut_probability, n_coordinates)[hit_of][:, None]
    present = weight > 0.0
    probability = present / np.maximum(present.sum(axis=2, keepdims=True), 1)
    blend, total = _blend(u, weight, probability)
    if prior is None:
        prior = loose_prior(seed, blend, total, spectrometer, scattering)
    tracks = fit_measurements(seed, blend, total, spectrometer, prior=prior, scattering=scattering)
    distance = _together(_distances(u, weight, blend, tracks), hit_of)
    nearest = distance.min(axis=2)
    hottest = np.maximum(np.where(np.isfinite(nearest), nearest, 1.0).max(axis=1), 1.0)
    for step in range(n_steps + 1):
        probability = _probabilities(distance, hottest ** max(0.0, 1.0 - step / (n_steps - 1)), cut)
        blend, total = _blend(u, weight, probability)
        tracks = fit_measurements(seed, blend, total, spectrometer, prior=prior, scattering=scattering)
        distance = _together(_distances(u, weight, blend, tracks), hit_of)
    return CompetingFit(tracks, probability, probability.sum(axis=(1, 2)) - 5.0)
