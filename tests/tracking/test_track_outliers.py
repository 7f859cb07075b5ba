"""Worst-hit removal: bad hits go, good ones stay, and what went is reported."""

from __future__ import annotations

import numpy as np
import pytest

from na64mu.tracking.fit import fit_measurements
from na64mu.tracking.fitted import FittedTracks
from na64mu.tracking.outliers import Removal, fit_without_outliers
from na64mu.tracking.spectrometer import C_FIELD, Plane, Spectrometer
from na64mu.typing import FloatArray

Z = np.array([-2480.0, -1890.0, -1300.0, 1300.0, 1536.0, 1772.0, 2008.0, 2244.0, 2480.0])
SIGMA = np.array([0.07, 0.2, 0.07, 0.07, 0.1, 0.1, 0.1, 0.2, 0.07])
THICKNESS = 0.3 / 93.7
PIXEL = np.repeat(np.arange(9), 2)
START = np.array([20.0, 20.0, 0.02, 0.02, 0.02])
N = 2000


@pytest.fixture(scope="module")
def ms() -> Spectrometer:
    """Nine planes of two coordinates around a dipole of 1.4 T m."""
    planes = tuple(Plane(f"plane{i}", v, float(Z[i]), float(SIGMA[i]), THICKNESS * v, 0, 100.0) for i in range(9) for v in (0, 1))
    return Spectrometer("telescope", 0, planes, np.array([[-1000.0, 1000.0, 0.0, 0.7]]), 1e9, 1e9, THICKNESS)


@pytest.fixture(scope="module")
def tracks() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Truth, hits and weights of 160 GeV/c muons along the axis: a parabola in the field, Gaussian hits, no scattering."""
    rng = np.random.default_rng(7)
    k = np.full(N, -1.0 / 160.0)
    kick = -C_FIELD * 1e-3 * 0.7 * k[:, None]  # change of slope per mm
    depth = np.clip(Z + 1000.0, 0.0, 2000.0)
    x = kick * (0.5 * depth**2 + 2000.0 * np.clip(Z - 1000.0, 0.0, None))
    u = np.zeros((N, 18))
    u[:, ::2] = x
    u += rng.normal(size=u.shape) * np.repeat(SIGMA, 2)
    truth = np.zeros((N, 5))
    truth[:, 4] = k
    return truth, u, np.broadcast_to(np.repeat(SIGMA, 2) ** -2.0, u.shape).copy()


def removed(u: FloatArray, truth: FloatArray, weight: FloatArray, ms: Spectrometer, removal: Removal | None = None) -> FittedTracks:
    return fit_without_outliers(truth, u, weight, ms, removal, prior=START, hit_of=PIXEL)


def test_moved_hit_is_found_and_both_its_coordinates_go(ms: Spectrometer, tracks: tuple[FloatArray, FloatArray, FloatArray]) -> None:
    truth, clean, weight = tracks
    which = np.arange(N) % 9
    u = clean.copy()
    u[np.arange(N), 2 * which] += np.where(np.arange(N) % 2 == 0, 8.0, -8.0)  # in x only
    out = removed(u, truth, weight, ms, Removal(probability=1e-6))
    rows = np.arange(N)
    assert out.removed[rows, 2 * which].all(), "every moved hit is found"
    assert np.array_equal(out.removed[:, ::2], out.removed[:, 1::2]), "the two coordinates of a pixel go together"
    assert (out.removed.sum(axis=1) == 2).mean() > 0.999, "and nothing else goes"
    without = weight.copy()
    without[rows, 2 * which] = without[rows, 2 * which + 1] = 0.0
    same = out.removed.sum(axis=1) == 2
    want = fit_measurements(truth, u, without, ms, prior=START)
    assert np.allclose(out.upstream[same], want.upstream[same], rtol=1e-9, atol=1e-12)
    assert np.array_equal(out.ndf[same], np.full(same.sum(), 11))


def test_weights_tell_what_was_removed(ms: Spectrometer, tracks: tuple[FloatArray, FloatArray, FloatArray]) -> None:
    truth, clean, weight = tracks
    u, given = clean.copy(), weight.copy()
    u[:, 4:6] += 15.0
    given[::2, 10:12] = 0.0  # a missing hit is not a removed one
    out = removed(u, truth, given, ms)
    assert np.array_equal(out.removed, (given > 0.0) & (out.weight == 0.0))
    assert np.array_equal(out.weight[~out.removed], given[~out.removed])
    assert not out.removed[::2, 10:12].any()
    assert np.array_equal(out.ndf, (out.weight > 0.0).sum(axis=1) - 5)


def test_two_bad_hits_do_not_hide_each_other(ms: Spectrometer, tracks: tuple[FloatArray, FloatArray, FloatArray]) -> None:
    truth, clean, weight = tracks
    u = clean.copy()
    u[:, 6:8] += 6.0
    u[:, 10:12] += 9.0
    out = removed(u, truth, weight, ms)
    assert (out.removed[:, 6] & out.removed[:, 10]).mean() > 0.999
    pull = (out.upstream[:, 4] - truth[:, 4]) / np.sqrt(out.upstream_covariance[:, 4, 4])
    assert pull.std() == pytest.approx(1.0, abs=0.06)
    plain = fit_measurements(truth, u, weight, ms, prior=START)
    assert np.abs((plain.upstream[:, 4] - truth[:, 4]) / truth[:, 4]).mean() > 0.3, "without removal they spoil the momentum"


def test_good_hits_go_no_more_often_than_stated(ms: Spectrometer, tracks: tuple[FloatArray, FloatArray, FloatArray]) -> None:
    truth, clean, weight = tracks
    for probability in (1e-2, 1e-3):
        out = removed(clean, truth, weight, ms, Removal(probability=probability, max_removed=1))
        rate = out.removed[:, ::2].any(axis=1).mean()
        # the largest of nine distances: at most nine times the probability of one
        assert rate < 9.0 * probability + 4.0 * np.sqrt(9.0 * probability / N)
        assert rate > 3.0 * probability - 4.0 * np.sqrt(9.0 * probability / N)
    exact = fit_measurements(truth, clean, weight, ms, prior=START)
    quiet = exact.hit_chi2.reshape(N, 9, 2).sum(axis=2).max(axis=1) < 10.0
    assert quiet.mean() > 0.8
    assert not removed(clean, truth, weight, ms).removed[quiet].any(), "a track of good hits keeps them all"


@pytest.mark.parametrize(("min_ndf", "most"), [(5, 4), (7, 3), (9, 2)])
def test_floor_of_degrees_of_freedom(ms: Spectrometer, tracks: tuple[FloatArray, FloatArray, FloatArray], min_ndf: int, most: int) -> None:
    truth, clean, weight = tracks
    rng = np.random.default_rng(1)
    u = clean + rng.uniform(-20.0, 20.0, clean.shape)  # nothing fits
    out = removed(u, truth, weight, ms, Removal(min_ndf=min_ndf, max_removed=9))
    assert out.ndf[out.good].min() == min_ndf
    assert int(out.removed[:, ::2].sum(axis=1).max()) == most


def test_no_more_are_removed_than_allowed(ms: Spectrometer, tracks: tuple[FloatArray, FloatArray, FloatArray]) -> None:
    truth, clean, weight = tracks
    u = clean + np.random.default_rng(2).uniform(-20.0, 20.0, clean.shape)
    for most in (0, 1, 2):
        out = removed(u, truth, weight, ms, Removal(max_removed=most))
        assert int(out.removed[:, ::2].sum(axis=1).max()) == most


def test_hit_that_nothing_checks_is_not_removed(ms: Spectrometer, tracks: tuple[FloatArray, FloatArray, FloatArray]) -> None:
    truth, clean, weight = tracks
    alone = weight.copy()
    alone[:, 2:6] = 0.0  # one plane before the magnet is left: it says the momentum alone
    u = clean.copy()
    u[:, 0] += 15.0
    out = removed(u, truth, alone, ms)
    assert not out.removed[:, 0].any(), "its leave-one-out chi2 means nothing"
    assert (out.information[:, 0] < 1e-3 * out.weight[:, 0]).all(), "and the fit says so"
