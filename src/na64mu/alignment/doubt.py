"""Reasons not to write an alignment: it finds fewer tracks than the description, contradicts p_in, or leaves a momentum scale that nobody knows."""

from __future__ import annotations

import numpy as np

from na64mu.alignment.align import MIN_FREEDOM, AlignedSpectrometer, chunks
from na64mu.alignment.finding import find_tracks
from na64mu.alignment.knowledge import Scale
from na64mu.alignment.sample import Sample
from na64mu.detector import Detector

__all__ = ("LARGEST_SCALE_ERROR", "clean_tracks", "doubt_about")

LARGEST_SCALE_ERROR = 0.01  # relative: a quarter of the resolution of p_out
EVENTS = 4000
MAX_PULL = 4.0
FEWER = 0.98  # of the tracks that the description gives
DISAGREE = 5.0  # standard deviations of the difference of expected and fitted 1/p


def clean_tracks(samples: list[Sample], detector: Detector) -> int:
    """Number of tracks whose hits all agree, in the first events of every sample.

    Parameters
    ----------
    samples : list of Sample
        Hits of one spectrometer.
    detector : Detector
        Where the modules are.

    Returns
    -------
    int
        Tracks with at least MIN_FREEDOM degrees of freedom and no hit off by more than MAX_PULL standard deviations.
    """
    n = 0
    for sample in samples:
        some = sample.first(EVENTS)
        tracks = find_tracks(some, detector, 0.0)
        for _, part in chunks(tracks, some, detector):
            n += int(np.count_nonzero((part.ndf >= MIN_FREEDOM) & np.all(np.abs(part.pull) < MAX_PULL, axis=1)))
    return n


def doubt_about(aligned: AlignedSpectrometer, samples: list[Sample], largest_scale_error: float = LARGEST_SCALE_ERROR) -> str:
    """Reason not to write the alignment of a spectrometer.

    Parameters
    ----------
    aligned : AlignedSpectrometer
        The result.
    samples : list of Sample
        What it was made from.
    largest_scale_error : float
        Largest relative error of the momentum scale.

    Returns
    -------
    str
        What is wrong and what can be done, behind "since"; empty if there is none.
    """
    before, after = (clean_tracks(samples, detector) for detector in (samples[0].detector, aligned.detector))
    if after < FEWER * before - 3.0 * np.sqrt(before):
        return (
            f"it is worse than what it started from: {after} clean tracks in the first events, {before} with the description: give more tracks, or "
            "the errors of the survey (--survey-shift, --survey-rotation)"
        )
    scale = aligned.knowledge.scale()
    return "" if scale is None else _of_scale(scale, largest_scale_error)


def _of_scale(scale: Scale, largest: float) -> str:
    if scale.error > largest:
        return (
            f"nobody knows its momentum scale: a common movement of the modules along the bend, held by {scale.held_by}, leaves 1/p uncertain by "
            f"{100 * scale.error:.2g} %, at most {100 * largest:.2g} % are written (--scale-limit): give straight tracks (--field-off), the error of the survey "
            "(--survey-shift), surveyed modules (--fix), or muons with an ECAL and MS1"
        )
    if abs(scale.offset) > DISAGREE * scale.offset_error:
        return (
            f"its momenta contradict those in front of the ECAL: 1/p expected from p_in and the ECAL is {100 * scale.offset:+.2g} % off, known to "
            f"{100 * scale.offset_error:.2g} %: look at fixed modules, the field, and whether straight tracks are straight"
        )
    return ""
