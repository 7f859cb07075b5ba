from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from alignment_examples import toy_sample, true_detector

from na64mu.alignment.finding import find_tracks
from na64mu.alignment.parameters import FreeParameters, moved
from na64mu.alignment.residuals import TrackHits, TrackResiduals, residuals, spread_globals
from na64mu.alignment.sample import Sample
from na64mu.alignment.trajectory import scattering
from na64mu.detector import Detector


def fitted(tracks: TrackHits, sample: Sample, detector: Detector | None = None) -> TrackResiduals:
    detector = true_detector() if detector is None else detector
    ms = sample.planes(detector)
    return residuals(tracks, ms, detector, scattering(ms), iterations=3)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return toy_sample(2, 1500, 1, true_detector())


@pytest.fixture(scope="module")
def tracks(sample: Sample) -> TrackHits:
    return find_tracks(sample, true_detector(), 0.1)


def test_nearly_all_muons_are_found(tracks: TrackHits) -> None:
    assert len(tracks) > 1400


def test_chi2_and_pulls_are_those_of_the_errors(sample: Sample, tracks: TrackHits) -> None:
    fit = fitted(tracks, sample)
    # wires: a drift time before t0 is cut off at the wire, and the nearer of two sides is taken
    strips = np.array([not p.station.startswith("st") for p in sample.planes(true_detector()).planes])
    assert fit.chi2.sum() / fit.ndf.sum() == pytest.approx(1.0, abs=0.04)
    assert np.std(fit.pull[:, strips][fit.used[:, strips]]) == pytest.approx(1.0, abs=0.02)
    assert fit.ndf.tolist() == (tracks.used.sum(axis=1) - 5).tolist()


def test_unbiased_residual_is_that_of_a_fit_without_the_hit(sample: Sample, tracks: TrackHits) -> None:
    some = tracks[slice(0, 20)]
    fit = fitted(some, sample)
    for plane in (0, 7, 15, 21):
        used = some.used.copy()
        used[:, plane] = False
        without = fitted(replace(some, used=used, state=fit.state), sample)
        has = some.used[:, plane]
        expected = (some.u[:, plane] - without.crossing[:, plane])[has]
        # the scattering of the planes before tells a part of the residual: exact only where nothing is correlated
        assert np.corrcoef(expected, fit.unbiased[has, plane])[0, 1] > 0.95
    hits = replace(some, used=some.used.copy())
    hits.used[:, 3] = False
    assert np.allclose(fitted(hits, sample).chi2, (fit.chi2 - np.where(some.used[:, 3], fit.pull[:, 3] ** 2, 0.0)), atol=2e-3)


def test_derivatives_say_how_residuals_move_with_the_modules(sample: Sample, tracks: TrackHits) -> None:
    detector, some = true_detector(), tracks[slice(0, 10)]
    parameters = FreeParameters.of(sample.planes(detector), detector, (), 1.0, 5e-3)
    fit = fitted(some, sample)
    derivatives = spread_globals(fit.along, parameters.columns(sample.planes(detector)), len(parameters))
    for k in range(len(parameters)):
        step = np.zeros(len(parameters))
        step[k] = 1e-4 if "drotation" in parameters.names[k] else 1e-2
        changed = moved(detector, parameters, step)
        ms = sample.planes(changed)
        after = residuals(replace(some, state=fit.state), ms, changed, scattering(ms), iterations=0)
        assert np.allclose(after.r - fit.r, step[k] * derivatives[:, :, k], atol=2e-6)


def test_projection_does_not_see_the_track(sample: Sample, tracks: TrackHits) -> None:
    fit = fitted(tracks[slice(0, 50)], sample)
    assert np.abs(fit.projected @ fit.local).max() < 1e-6 * np.abs(fit.projected).max() * np.abs(fit.local).max()
