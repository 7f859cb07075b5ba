from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.events.reader import read_batch
from na64mu.reconstruction.hits import find_hits
from na64mu.reconstruction.summary import find_tracks, middle_of_ecal
from na64mu.tracking.spectrometer import highland_angle
from na64mu.tracking.vertex import Junction, TrackEnd, ecal_radiation_lengths, join, join_fits, scatterers

DETECTOR = load_detector("na64mu-2022")
Z1, Z2 = -2000.0, 600.0
N_SLICES = 80  # of the ECAL; three of all else


def covariance(sigma: float, sigma_t: float, correlation: float, sigma_k: float) -> np.ndarray:
    """5 x 5: position and slope correlated in each view."""
    c = np.diag([sigma**2, (1.3 * sigma) ** 2, sigma_t**2, (0.8 * sigma_t) ** 2, sigma_k**2])
    for i in (0, 1):
        c[i, 2 + i] = c[2 + i, i] = correlation * np.sqrt(c[i, i] * c[2 + i, 2 + i])
    return c


def toy(n: int, p_in: float, p_out: float, recoil: float = 0.0, depth: float = 235.5, seed: int = 1) -> tuple[Junction, np.ndarray]:
    """Muons followed slice by slice through everything between MS1 and MS2, and the true vertices."""
    rng = np.random.default_rng(seed)
    slabs = scatterers(DETECTOR, Z1, Z2)
    total = slabs[:, 2].sum()
    slices = []
    for a, b, x in slabs:
        k = N_SLICES if x > 1.0 else 3
        edges = np.linspace(a, b, k + 1)
        slices += [(0.5 * (edges[i] + edges[i + 1]), x / k) for i in range(k)]
    c1, c2 = covariance(0.05, 3e-5, 0.8, 0.005 / p_in), covariance(0.06, 4e-5, -0.7, 0.02 / p_out)
    state = np.column_stack(
        [rng.normal(0, 9, n), rng.normal(0, 19, n), rng.normal(0, 2e-4, n), rng.normal(0, 3e-4, n), np.full(n, -1 / p_in)]
    )
    ms1 = state + rng.multivariate_normal(np.zeros(5), c1, n)
    phi = rng.uniform(0, 2 * np.pi, n)
    vertex = np.full((n, 3), np.nan)
    here, p = Z1, p_in

    def drift(z: float) -> None:
        nonlocal here
        state[:, :2] += (z - here) * state[:, 2:4]
        here = z

    for z, thickness in sorted(slices):
        if p == p_in and z > depth:
            drift(depth)
            vertex[:] = np.column_stack([state[:, :2], np.full(n, depth)])
            state[:, 2] += recoil * np.cos(phi)
            state[:, 3] += recoil * np.sin(phi)
            state[:, 4] = -1 / p_out
            p = p_out
        drift(z)
        state[:, 2:4] += rng.standard_normal((n, 2)) * highland_angle(thickness, total) / p
    drift(Z2)
    ms2 = state + rng.multivariate_normal(np.zeros(5), c2, n)
    ends = TrackEnd(Z1, ms1, np.broadcast_to(c1, (n, 5, 5))), TrackEnd(Z2, ms2, np.broadcast_to(c2, (n, 5, 5)))
    return join(*ends, DETECTOR), vertex


def test_thickness_of_the_ecal() -> None:
    # published: 40 X0
    assert ecal_radiation_lengths(DETECTOR.ecal) == pytest.approx(40.09 + 0.545, abs=0.01)
    slabs = scatterers(DETECTOR, Z1, Z2)
    assert slabs[:, 2].sum() == pytest.approx(ecal_radiation_lengths(DETECTOR.ecal), rel=0.01), "all else is thin"
    assert min(slabs[:, 0]) == Z1
    # 0.61 mrad at 160 GeV/c by the formula of the Particle Data Group
    assert highland_angle(40.635, 40.635) / 160.0 == pytest.approx(0.618e-3, rel=2e-3)


@pytest.mark.parametrize("p", [20.0, 80.0, 160.0])
def test_kink_of_muons_that_only_scatter(p: float) -> None:
    j, _ = toy(8000, p, p)
    assert np.allclose(j.scattering, highland_angle(40.8, 40.8) / p, rtol=0.06), "2 % error of the momentum and the other material"
    for kink, sigma in ((j.kink_x, j.kink_x_sigma), (j.kink_y, j.kink_y_sigma)):
        assert np.std(kink / sigma) == pytest.approx(1.0, abs=0.03)
        assert abs(np.mean(kink / sigma)) < 0.04
    assert j.chi2.mean() == pytest.approx(4.0, abs=0.12)
    probability = np.exp(-0.5 * j.chi2) * (1.0 + 0.5 * j.chi2)
    counts = np.histogram(probability, 10, (0, 1))[0]
    assert np.sum((counts - 800.0) ** 2 / 800.0) < 30.0, "flat"


@pytest.mark.parametrize("depth", [60.0, 235.0, 420.0])
@pytest.mark.parametrize("p_out", [40.0, 80.0])
def test_recoil_gives_its_depth_back(depth: float, p_out: float) -> None:
    j, true = toy(8000, 160.0, p_out, 0.04, depth)
    for value, truth, error in ((j.x, true[:, 0], j.x_error), (j.y, true[:, 1], j.y_error), (j.z, true[:, 2], j.z_error)):
        pull = (value - truth) / error
        assert np.std(pull) == pytest.approx(1.0, abs=0.03)
        assert abs(np.mean(pull)) < 0.12, "of second order: scattering behind the vertex turns and shifts the track together"
    assert np.median(j.z_error) < 15.0, "a few layers"
    assert j.vertex_chi2.mean() == pytest.approx(1.0, abs=0.06)
    assert np.median(j.chi2) > 100.0, "no multiple scattering"
    assert np.median(j.kink) == pytest.approx(0.04, rel=0.02)


def test_small_kinks_have_long_errors() -> None:
    j, _ = toy(2000, 160.0, 160.0)
    assert np.median(j.z_error) > 100.0


def test_missing_tracks_are_nan_and_leave_the_others_alone() -> None:
    n = 5
    rng = np.random.default_rng(2)
    parameters = rng.normal(size=(2, n, 5)) * [1.0, 1.0, 1e-3, 1e-3, 0.0] + [0, 0, 0, 0, -0.01]
    c = np.broadcast_to(covariance(0.05, 3e-5, 0.5, 1e-4), (n, 5, 5)).copy()
    whole = join(TrackEnd(Z1, parameters[0], c), TrackEnd(Z2, parameters[1], c), DETECTOR)
    parameters[0, 1], parameters[1, 3] = np.nan, np.nan
    c[1] = np.nan
    parameters[1, 4, 2:4] = parameters[0, 4, 2:4]  # parallel: no vertex
    some = join(TrackEnd(Z1, parameters[0], c), TrackEnd(Z2, parameters[1], c), DETECTOR)
    for name, one, other in zip(Junction._fields, some, whole, strict=True):
        if name == "ndf":
            assert one == 4
            continue
        assert np.isnan(one[[1, 3]]).all(), name
        assert np.allclose(one[[0, 2]], other[[0, 2]], rtol=1e-12), name
    assert np.isnan(some.z[4])
    assert np.isfinite(some.chi2[4])
    empty = join(TrackEnd(Z1, parameters[0, :0], c[:0]), TrackEnd(Z2, parameters[1, :0], c[:0]), DETECTOR)
    assert empty.kink.shape == (0,)


def test_beam_muons_of_the_independent_simulation(shared_samples: Path) -> None:
    detector = load_detector("g4raw-indep-1")
    batch = read_batch(shared_samples / "calib_mu160.root", 0, 2500)
    found = find_hits(batch, detector)
    ms1 = find_tracks(found, 1)
    ms2 = find_tracks(found, 2, middle_of_ecal(ms1, detector))
    j = join_fits(ms1.best, ms2.best, detector)
    single = (ms1.n == 1) & (ms2.n == 1) & np.isfinite(j.chi2)
    assert single.sum() > 2000
    for kink, sigma in ((j.kink_x, j.kink_x_sigma), (j.kink_y, j.kink_y_sigma)):
        low, middle, high = np.percentile((kink / sigma)[single], [15.87, 50.0, 84.13])
        assert 0.5 * (high - low) == pytest.approx(1.0, abs=0.06), "Highland's formula is good to a few per cent"
        assert abs(middle) < 0.08
    assert np.median(j.chi2[single]) == pytest.approx(3.36, abs=0.4)
