"""Fits of the same hits by GenFit 2.3 (KalmanFitterRefTrack, Highland scattering): the field's reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from na64mu.tracking.fit import fit_tracks
from na64mu.tracking.hits import Hits
from na64mu.tracking.spectrometer import Plane, Spectrometer


@pytest.fixture(scope="module")
def reference(shared_samples: Path) -> dict[str, np.ndarray]:
    with np.load(shared_samples.parent / "reference" / "tracking" / "ms2_p100_160.npz") as content:
        return dict(content)


def telescope(reference: dict[str, np.ndarray]) -> Spectrometer:
    """Nine planes of two coordinates around a dipole of 1.4 T m, vacuum between them."""
    thickness = float(reference["thick"] / reference["X0"])
    planes = tuple(
        Plane(f"plane{i}", view, float(z), float(sigma), thickness * view, 0, 100.0)
        for i, (z, sigma) in enumerate(zip(reference["z"], reference["sigma"], strict=True))
        for view in (0, 1)
    )
    boxes = np.array([[-1000.0, 1000.0, 0.0, float(reference["B"])]])
    # GenFit's Highland takes the logarithm of each plane's own thickness
    return Spectrometer("telescope", 0, planes, boxes, 1e9, 1e9, thickness)


def test_states_agree_with_genfit(reference: dict[str, np.ndarray]) -> None:
    ms = telescope(reference)
    u = reference["hits"].reshape(-1)
    n = len(reference["hits"])
    sigma = np.tile(np.repeat(reference["sigma"], 2), n)
    hits = Hits(np.arange(n * 18 + 1), u, sigma, np.arange(n * 18))
    seed = reference["seed"].copy()
    seed[:, :2] += seed[:, 2:4] * (reference["z"][0] - reference["zseed"])
    tracks = fit_tracks(hits, np.arange(n * 18).reshape(n, 18), seed, ms)
    assert tracks.good.all()
    genfit = reference["genfit_ref_highland_par_last"]
    diagonal = [0, 5, 9, 12, 14]  # of the packed upper triangle
    genfit_sigma = np.sqrt(reference["genfit_ref_highland_cov_last"][:, diagonal])
    own_sigma = np.sqrt(tracks.downstream_covariance[:, range(5), range(5)])
    difference = (tracks.downstream - genfit) / own_sigma
    assert difference.std(axis=0)[4] < 0.005, "q/p, in standard deviations"
    assert np.all(difference.std(axis=0) < 0.005)
    # ours include the scattering in the last plane, which shows in the slopes
    assert np.allclose(np.median(own_sigma / genfit_sigma, axis=0), 1.0, atol=np.array([0.01, 0.01, 0.03, 0.03, 0.01]))
    assert np.allclose(tracks.chi2, reference["genfit_ref_highland_chi2"], atol=0.05)
    assert np.all(tracks.ndf == reference["genfit_ref_highland_ndf"])


def test_pulls_against_the_truth(reference: dict[str, np.ndarray]) -> None:
    ms = telescope(reference)
    n = len(reference["hits"])
    hits = Hits(np.arange(n * 18 + 1), reference["hits"].reshape(-1), np.tile(np.repeat(reference["sigma"], 2), n), np.arange(n * 18))
    tracks = fit_tracks(hits, np.arange(n * 18).reshape(n, 18), reference["truth_first"], ms)
    for fitted, covariance, truth in (
        (tracks.upstream, tracks.upstream_covariance, reference["truth_first"]),
        (tracks.downstream, tracks.downstream_covariance, reference["truth_last"]),
    ):
        pull = (fitted - truth) / np.sqrt(covariance[:, range(5), range(5)])
        assert np.allclose(pull.std(axis=0), 1.0, atol=0.06)  # 4 standard deviations of 2000 tracks
        assert np.allclose(pull.mean(axis=0), 0.0, atol=0.1)
