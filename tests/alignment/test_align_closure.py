"""Planes displaced by up to 1 mm and 5 mrad come back; the larger closure on simulated digits is benchmarks/alignment.py."""

from __future__ import annotations

import numpy as np
import pytest
from alignment_examples import toy_sample, true_detector

from na64mu.alignment.align import AlignedSpectrometer, align_spectrometer
from na64mu.alignment.closure import closure, displaced, momenta
from na64mu.detector import Detector
from na64mu.errors import CalibrationError


@pytest.fixture(scope="module")
def wrong() -> Detector:
    return displaced(true_detector(), np.random.default_rng(5))


@pytest.fixture(scope="module")
def bent(wrong: Detector) -> AlignedSpectrometer:
    return align_spectrometer([toy_sample(2, 5000, 11, wrong, efficiency=0.97, noise=0.1)])


def check(aligned: AlignedSpectrometer, wrong: Detector) -> None:
    found = closure(aligned, wrong, true_detector())
    slabs = np.array([n.startswith("bms") for n in found.names])
    turns = np.array([n.endswith("drotation") for n in found.names])
    assert np.abs(found.before[~turns]).max() > 0.8
    assert np.abs(found.inside[~turns & ~slabs]).max() < 0.010
    assert 0.6 < np.sqrt(np.nanmean(found.pull**2)) < 1.4
    assert np.nanmax(np.abs(found.pull)) < 4.0
    assert aligned.equations.chi2 / aligned.equations.ndf == pytest.approx(
        1.0, abs=0.06
    )  # wires: the nearer side, and no drift time below t0


def test_bent_tracks_align_ms2(bent: AlignedSpectrometer, wrong: Detector) -> None:
    check(bent, wrong)
    held = {m.name for m, h in zip(bent.modes, bent.solution.mode_held, strict=True) if h}
    assert held == {"shift in x", "shift in y", "shear in x", "shear in y", "rotation", "twist", "bend"}


def test_bent_tracks_align_ms1(wrong: Detector) -> None:
    check(align_spectrometer([toy_sample(1, 5000, 12, wrong, efficiency=0.97)]), wrong)


def test_straight_tracks_align_ms2(wrong: Detector) -> None:
    aligned = align_spectrometer([toy_sample(2, 5000, 13, wrong, field=False, efficiency=0.97)])
    check(aligned, wrong)
    assert "bend" not in [m.name for m in aligned.modes]


def test_straight_and_bent_tracks_together_know_the_bend(wrong: Detector) -> None:
    samples = [toy_sample(2, 3000, 14, wrong), toy_sample(2, 3000, 15, wrong, field=False)]
    aligned = align_spectrometer(samples)
    check(aligned, wrong)
    bend = [m.name for m in aligned.modes].index("bend")
    assert not aligned.solution.mode_held[bend]
    assert aligned.solution.mode_error[bend] < 0.02
    # so the momentum scale is right again, as it is with the true planes
    descriptions = {"wrong": wrong, "aligned": aligned.detector, "true": true_detector()}
    ratio = {name: np.median(momenta(samples[0], d)[1]) for name, d in descriptions.items()}
    assert abs(ratio["wrong"] / ratio["true"] - 1.0) > 0.02
    assert abs(ratio["aligned"] / ratio["true"] - 1.0) < 0.003


def test_fixed_modules_stay_and_set_the_frame() -> None:
    fixed = ("gem1", "gem3", "mm7")
    wrong = displaced(true_detector(), np.random.default_rng(6), fixed=fixed)
    aligned = align_spectrometer([toy_sample(2, 5000, 16, wrong)], fixed=fixed)
    found = closure(aligned, wrong, true_detector())
    shift = np.array([not n.endswith("drotation") for n in found.names])
    assert not any(n.startswith(fixed) for n in found.names)
    assert not aligned.solution.mode_held.any()
    assert np.abs(found.after[shift]).max() < 0.020  # nothing is taken off: these are positions in the true frame
    for name in fixed:
        assert aligned.detector.trackers[name] == true_detector().trackers[name]


def test_the_true_description_is_not_moved() -> None:
    aligned = align_spectrometer([toy_sample(2, 2500, 17, true_detector())])
    assert np.nanmax(np.abs(aligned.correction / aligned.solution.error)) < 5.0


def test_too_few_tracks_are_said() -> None:
    with pytest.raises(
        CalibrationError, match=r"clean tracks in MS2 of 100 events, at least 500 are needed: give more files of beam muons"
    ):
        align_spectrometer([toy_sample(2, 100, 18, true_detector())])


def test_nothing_left_to_align_is_said() -> None:
    every = tuple(true_detector().trackers)
    with pytest.raises(CalibrationError, match="all modules of MS2 are fixed"):
        align_spectrometer([toy_sample(2, 100, 18, true_detector())], fixed=every)
