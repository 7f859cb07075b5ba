"""Fits through fringe fields and maps: the same engine, with the propagation of nystrom.py in place of the box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.tracking.fit import first_look, fit_kernel, fit_measurements
from na64mu.tracking.fitted import FittedTracks
from na64mu.tracking.navigation import Follow, route
from na64mu.tracking.nystrom import crossed_map
from na64mu.tracking.rows import Kind
from na64mu.tracking.spectrometer import Spectrometer, spectrometer
from na64mu.typing import FloatArray

MOMENTA = np.repeat([10.0, 40.0, 160.0], 40)


@pytest.fixture(scope="module")
def soft() -> Spectrometer:
    """MS2 of na64mu-2022 with a fringe field of 150 mm in place of hard edges."""
    detector = load_detector("na64mu-2022")
    magnets = tuple(m.model_copy(update={"fringe": 150.0}) if m.spectrometer == 2 else m for m in detector.magnets)
    return spectrometer(detector.model_copy(update={"magnets": magnets}), 2)


def toys(ms: Spectrometer, smear: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parameters at the first plane, coordinates and weights of tracks through the field, without scattering."""
    rng = np.random.default_rng(7)
    start = np.column_stack([rng.normal(0, s, len(MOMENTA)) for s in (8.0, 8.0, 1e-3, 1e-3)] + [-1.0 / MOMENTA])
    u = np.empty((len(start), len(ms.planes)))
    region = ms.regions[0]
    for t, state in enumerate(start):
        for p, plane in enumerate(ms.planes):
            there, _ = crossed_map(state, ms.z[0], plane.z - ms.z[0], region)
            u[t, p] = there[plane.view]
    sigma = np.array([p.sigma for p in ms.planes])
    if smear:
        u += rng.normal(0, sigma, u.shape)
    return start, u, np.broadcast_to(sigma**-2.0, u.shape).copy()


def fitted(ms: Spectrometer, smear: bool) -> tuple[np.ndarray, FittedTracks]:
    start, u, weight = toys(ms, smear)
    return start, fit_measurements(start, u, weight, ms, scattering="none")


def test_the_route_follows_the_field_in_place_of_the_box(soft: Spectrometer) -> None:
    steps = route(soft).steps
    inside = [s for s in steps if isinstance(s, Follow)]
    assert len(inside) >= 1
    assert inside[0].z <= soft.regions[0].z_in + 1e-9 or inside[0].z == soft.z[0]
    assert sum(s.length for s in inside) > 2000.0
    assert not any(type(s).__name__ == "Cross" for s in steps)


def test_exact_hits_give_the_exact_track(soft: Spectrometer) -> None:
    bare = replace(soft, planes=tuple(replace(p, energy_loss=0.0) for p in soft.planes), air_x0=np.inf)
    start, tracks = fitted(bare, smear=False)
    assert tracks.good.all()
    # the fit cuts its integration steps at every plane: mm, mm, rad, rad, c/GeV at 10 GeV/c
    assert np.all(np.abs(tracks.upstream - start) < [1e-4, 1e-4, 1e-7, 1e-7, 1e-6])
    assert tracks.chi2.max() < 1e-6


def test_pulls_behind_a_fringe_field(soft: Spectrometer) -> None:
    bare = replace(soft, planes=tuple(replace(p, energy_loss=0.0) for p in soft.planes), air_x0=np.inf)
    start, tracks = fitted(bare, smear=True)
    pull = (tracks.upstream - start) / np.sqrt(tracks.upstream_covariance[:, range(5), range(5)])
    assert np.allclose(pull.std(axis=0), 1.0, atol=0.25)
    assert np.abs(pull.mean(axis=0)).max() < 0.4
    assert tracks.chi2.mean() == pytest.approx(len(soft.planes) - 5, rel=0.1)


def test_the_box_of_the_same_integral_is_close_but_not_the_same(soft: Spectrometer) -> None:
    start, u, weight = toys(soft, smear=False)
    box = fit_measurements(start, u, weight, replace(soft, regions=()), prior=None, scattering="none")
    off = box.upstream[:, 4] / start[:, 4] - 1.0
    assert np.abs(off).max() < 5e-3
    assert np.abs(off).max() > 1e-7


def test_upstream_of_filter_and_smoother_agree(soft: Spectrometer) -> None:
    start, u, weight = toys(soft, smear=True)
    seed, loose = first_look(start, u, weight, soft)
    ends = []
    cases: tuple[tuple[Kind, FloatArray], ...] = (("filter", loose), ("smooth", loose))
    for kind, prior in cases:  # the same loose start: a plane in the weak edge of the field makes a free q/p not linear
        fit = fit_kernel(soft, "highland", kind)
        blocks = fit.pack(seed, prior, u, weight)
        fit.fit_blocks(blocks)
        ends.append(fit.unpack(blocks, fit.rows.upstream, 20, len(start)))
    sigma = np.sqrt(ends[0][:, [5, 7, 10, 14, 19]])
    difference = np.abs((ends[1][:, :5] - ends[0][:, :5]) / sigma)
    assert difference[MOMENTA == 160.0].max() < 0.01
    assert difference.max() < 0.3  # 10 GeV/c: the two filters take their derivatives at different places
    assert np.allclose(ends[1][:, 19], ends[0][:, 19], rtol=1e-2)
