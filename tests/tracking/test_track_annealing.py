"""Competing hits: wires with two sides, two hits in a window, and hits that belong to nothing."""

from __future__ import annotations

import numpy as np
import pytest

from na64mu.tracking.annealing import CompetingFit, fit_competing
from na64mu.tracking.spectrometer import Plane, Spectrometer
from na64mu.tracking.transport import crossed

SIGMA = np.array([0.07, 0.2, 0.07, 0.07, 0.1, 0.1, 0.1, 0.2, 0.07])
Z = np.array([-2480.0, -1890.0, -1300.0, 1300.0, 1536.0, 1772.0, 2008.0, 2244.0, 2480.0])
WIRES = np.isin(np.arange(18) // 2, [1, 7])
N = 400


@pytest.fixture(scope="module")
def telescope() -> Spectrometer:
    planes = tuple(Plane(f"p{i}", v, z, s, 0.0, 0, 100.0) for i, (z, s) in enumerate(zip(Z, SIGMA, strict=True)) for v in (0, 1))
    return Spectrometer("telescope", 0, planes, np.array([[-1000.0, 1000.0, 0.0, 0.7]]), 1e9, 1e9, 1e-3)


@pytest.fixture(scope="module")
def toys() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    """Parameters at the first plane, measured coordinates and weights of 160 GeV/c tracks."""
    rng = np.random.default_rng(5)
    start = np.column_stack([rng.normal(0, s, N) for s in (10.0, 10.0, 1e-3, 1e-3)] + [np.full(N, -1.0 / 160.0)])
    u = np.empty((N, 18))
    for t, state in enumerate(start):
        here = state.copy()
        for i in range(9):
            u[t, 2 * i : 2 * i + 2] = here[:2]
            if i == 2:
                here[:2] += 300.0 * here[2:4]
                here, _ = crossed(here, 2000.0, (0.0, 0.7))
                here[:2] += 300.0 * here[2:4]
            elif i < 8:
                here[:2] += (Z[i + 1] - Z[i]) * here[2:4]
    sigma = np.repeat(SIGMA, 2)
    return start, u + rng.normal(0, sigma, u.shape), np.broadcast_to(sigma**-2, u.shape).copy(), rng


def width(fit: CompetingFit, start: np.ndarray) -> float:
    pull = (fit.tracks.upstream[:, 4] - start[:, 4]) / np.sqrt(fit.tracks.upstream_covariance[:, 4, 4])
    return float(pull.std())


def test_single_good_hits_are_kept(telescope: Spectrometer, toys) -> None:  # type: ignore[no-untyped-def]
    start, u, weight, _ = toys
    fit = fit_competing(start, u[:, :, None], weight[:, :, None], telescope)
    assert fit.probability.shape == (N, 18, 1)
    assert (fit.winner() == 0).mean() > 0.99
    assert width(fit, start) == pytest.approx(1.0, abs=0.15)
    assert np.all(fit.ndf <= 13.0)


def test_the_side_of_the_wire_is_found(telescope: Spectrometer, toys) -> None:  # type: ignore[no-untyped-def]
    start, u, weight, rng = toys
    distance = rng.uniform(-2.5, 2.5, u.shape)
    other = u + 2.0 * distance
    true_first = rng.random(u.shape) < 0.5
    both = np.where(true_first[:, :, None], np.stack([u, other], axis=2), np.stack([other, u], axis=2))
    weights = np.stack([weight, weight], axis=2)
    both[:, ~WIRES, 0], weights[:, ~WIRES, 1] = u[:, ~WIRES], 0.0
    fit = fit_competing(start, both, weights, telescope)
    right = fit.winner() == np.where(true_first, 0, 1)
    far = np.abs(distance) > 0.75
    assert right[:, WIRES][far[:, WIRES]].mean() > 0.985
    assert width(fit, start) == pytest.approx(1.0, abs=0.15)


def test_noise_beside_every_hit_loses(telescope: Spectrometer, toys) -> None:  # type: ignore[no-untyped-def]
    start, u, weight, rng = toys
    two = np.stack([u, u + rng.uniform(-10.0, 10.0, u.shape)], axis=2)
    fit = fit_competing(start, two, np.stack([weight, weight], axis=2), telescope, hit_of=np.repeat(np.arange(9), 2))
    assert (fit.winner() == 0).mean() > 0.97
    assert (np.abs(fit.tracks.upstream[:, 4] / start[:, 4] - 1.0) > 0.25).mean() < 0.02


def test_an_outlier_alone_in_its_plane_is_let_go(telescope: Spectrometer, toys) -> None:  # type: ignore[no-untyped-def]
    start, u, weight, _ = toys
    moved = u.copy()
    moved[:, 6:8] += 5.0
    fit = fit_competing(start, moved[:, :, None], weight[:, :, None], telescope, hit_of=np.repeat(np.arange(9), 2))
    assert (fit.winner()[:, 6:8] == -1).mean() > 0.99
    assert np.all(fit.ndf < 12.0)
    assert width(fit, start) == pytest.approx(1.0, abs=0.15)


def test_hits_without_any_track_do_not_all_go(telescope: Spectrometer, toys) -> None:  # type: ignore[no-untyped-def]
    start, u, weight, rng = toys
    noise = rng.uniform(-50.0, 50.0, u.shape)
    fit = fit_competing(start, noise[:, :, None], weight[:, :, None], telescope)
    relative = fit.probability[:, :, 0] / fit.probability[:, :, 0].max(axis=1, keepdims=True)
    assert np.all(relative.sum(axis=1) - 5.0 >= 1.0 - 1e-9)
