"""All tracks of an event: candidates, clones, accidentals, pairs of views, rotated planes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from test_track_tracks import crossings, detector, hits_of, start

from na64mu.detector import Detector
from na64mu.tracking.clones import insert, remove_clones, shared_fraction
from na64mu.tracking.fake_rate import CHANCE, accidentals, log_binomial
from na64mu.tracking.finding import MAX_TRACKS, find_candidates
from na64mu.tracking.hits import Hits
from na64mu.tracking.joining import join, modules_of
from na64mu.tracking.linear import fit_hits, fitted_coordinate
from na64mu.tracking.projection import projection
from na64mu.tracking.spectrometer import Spectrometer, spectrometer
from na64mu.tracking.tracks import EntryPoint, reconstruct_tracks
from na64mu.tracking.views import hits_in_views


def with_noise(hits: Hits, ms: Spectrometer, mean: float, rng: np.random.Generator) -> Hits:
    """Hits of the given mean number on every plane, evenly over its width, beside those there are."""
    n_planes = len(ms.planes)
    offsets, u, sigma, source = [0], [], [], []
    for row in range(len(hits.offsets) - 1):
        plane = ms.planes[row % n_planes]
        mine = slice(hits.offsets[row], hits.offsets[row + 1])
        middle = np.median(hits.u[hits.offsets[row] : hits.offsets[row + 1]]) if plane.station.startswith("bms") else 0.0
        extra = middle + rng.uniform(-plane.half, plane.half, rng.poisson(mean))
        columns = np.concatenate([hits.u[mine], extra]), np.concatenate([hits.source[mine], 10**6 + len(u) + np.arange(len(extra))])
        order = np.argsort(columns[0])
        u += list(columns[0][order])
        source += list(columns[1][order])
        sigma += [plane.sigma] * len(order)
        offsets.append(len(u))
    return Hits(np.array(offsets), np.array(u), np.array(sigma), np.array(source, dtype=np.int64))


def turned(angle: float, seed: int = 3) -> Detector:
    """The detector with every tracker rotated by the angle, one way or the other."""
    rng, d = np.random.default_rng(seed), detector()
    groups = {
        name: tuple(e.model_copy(update={"rotation": float(angle * rng.choice([-1, 1]))}) for e in getattr(d, name))
        for name in ("bms", "micromegas", "gem", "straws")
    }
    return d.model_copy(update={**groups, "tag": f"turned-{angle}"})


def test_every_track_is_fitted() -> None:
    ms = spectrometer(detector(), 2)
    events = [[start(ms, 160.0, x=-10.0), start(ms, 90.0, x=12.0, y=8.0)], [], [start(ms, 40.0)]]
    tracks = reconstruct_tracks(hits_of(ms, events, np.random.default_rng(1)), ms)
    assert tracks.offsets.tolist() == [0, 2, 2, 3]
    assert sorted(1.0 / np.abs(tracks.all.downstream[:2, 4])) == pytest.approx([90.0, 160.0], rel=0.08)
    assert tracks.all_hits.shape == (3, len(ms.planes))
    # the best track is the first of its event, and there is none where there is no track
    assert np.array_equal(tracks.hits[[0, 2]], tracks.all_hits[[0, 2]])
    assert np.allclose(tracks.best.downstream[[0, 2]], tracks.all.downstream[[0, 2]])
    assert not tracks.best.good[1]


def test_two_muons_on_one_line_in_one_view_are_two_tracks() -> None:
    ms = spectrometer(detector(), 2)
    muons = [start(ms, 160.0, x=-10.0, y=3.0), start(ms, 160.0, x=12.0, y=3.0)]
    hits = hits_of(ms, [muons], None)
    one = np.ones(len(hits.u), dtype=np.bool_)
    for p, plane in enumerate(ms.planes):  # the two make one hit in y
        if plane.view == 1:
            one[hits.offsets[p]] = False
    offsets = np.concatenate([[0], np.cumsum([np.sum(one[hits.offsets[p] : hits.offsets[p + 1]]) for p in range(len(ms.planes))])])
    tracks = reconstruct_tracks(Hits(offsets, hits.u[one], hits.sigma[one], hits.source[one]), ms)
    assert tracks.n.tolist() == [2]
    assert np.allclose(1.0 / np.abs(tracks.all.downstream[:, 4]), 160.0, rtol=1e-3)


@pytest.mark.parametrize("number", [1, 2])
def test_noise_makes_no_further_track(number: int) -> None:
    ms = spectrometer(detector(), number)
    rng = np.random.default_rng(4)
    events = [[start(ms, 160.0, *rng.normal(0, [9, 2e-4]))] for _ in range(200)]
    tracks = reconstruct_tracks(with_noise(hits_of(ms, events, rng), ms, 1.0, rng), ms)
    assert np.mean(tracks.n == 1) > 0.94


@pytest.mark.parametrize("number", [1, 2])
def test_a_second_muon_counts_in_noise(number: int) -> None:
    ms = spectrometer(detector(), number)
    rng = np.random.default_rng(5)
    events = [[start(ms, 160.0, x=-10.0, y=-9.0), start(ms, 160.0, x=10.0, y=11.0)] for _ in range(100)]
    tracks = reconstruct_tracks(with_noise(hits_of(ms, events, rng), ms, 1.0, rng), ms)
    assert np.mean(tracks.n == 2) > 0.97


def test_acceptance_tells_which_views_belong_together() -> None:
    # the soft muon leaves the narrow GEMs behind the magnet: its x and its y miss them
    ms = spectrometer(detector(), 2)
    hard, soft = start(ms, 160.0, x=5.0, y=-10.0), start(ms, 25.0, x=-5.0, y=10.0)
    hits = hits_of(ms, [[hard, soft]], np.random.default_rng(6))
    kept = np.ones(len(hits.u), dtype=np.bool_)
    x = crossings(ms, soft)
    for p, plane in enumerate(ms.planes):
        if plane.station in ("gem3", "gem4", "mm7"):
            mine = np.arange(hits.offsets[p], hits.offsets[p + 1])
            kept[mine[np.argmin(np.abs(hits.u[mine] - x[p]))]] = False
    row = np.repeat(np.arange(len(ms.planes)), np.diff(hits.offsets))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=len(ms.planes)))])
    tracks = reconstruct_tracks(Hits(offsets, hits.u[kept], hits.sigma[kept], hits.source[kept]), ms)
    assert tracks.n.tolist() == [2]
    order = np.argsort(np.abs(tracks.all.upstream[:, 4]))
    assert 1.0 / np.abs(tracks.all.upstream[order, 4]) == pytest.approx([160.0, 25.0], rel=0.08)
    assert tracks.all.upstream[order, 1] == pytest.approx([-10.0, 10.0], abs=1.0)


def test_modules_measure_both_views_at_one_place() -> None:
    ms = spectrometer(detector(), 1)
    places = modules_of(ms)
    bend, straight = (ms.view(v) for v in (ms.bend_view, 1 - ms.bend_view))
    names = [(ms.planes[bend[i]].station, ms.planes[straight[j]].station) for i, j in places]
    assert len(names) == 8  # four Micromegas, two layers of two chambers; slabs measure y only
    assert all(a == b and not a.startswith("bms") for a, b in names)


def test_nothing_to_join_where_a_view_has_no_candidate() -> None:
    ms = spectrometer(detector(), 2)
    lost = {p for p, plane in enumerate(ms.planes) if plane.view == 1}
    hits = hits_of(ms, [[start(ms, 160.0)]], None, {0: lost})
    views = [projection(ms, v) for v in (0, 1)]
    bend, straight = (find_candidates(hits, v, len(ms.planes), np.zeros(1)) for v in views)
    assert (bend.n.tolist(), straight.n.tolist()) == ([1], [0])
    assert join(bend, straight, ms).offsets.tolist() == [0, 0]
    assert straight.hits[0, 0].tolist() == [-1] * len(views[1].planes)


def test_shared_fraction_counts_both_sides_of_a_wire_once() -> None:
    source = np.array([7, 7, 8, 9])
    first, second = np.array([0, 2, -1, 3]), np.array([[1, -1, 2, -1]])
    assert shared_fraction(first, second, source) == pytest.approx(1.0 / 3.0)


def filled(rows: list[list[int]], scores: list[float]) -> tuple[np.ndarray, ...]:
    """Candidate arrays with the given hits and scores."""
    score = np.array(scores)
    return np.array(rows, dtype=np.int64), np.zeros((len(rows), 3)), score.copy(), score


def test_insert_keeps_the_better_of_two_clones() -> None:
    source = np.arange(20)
    rows = [[0, 1, 2, 3], [10, 11, 12, 13], [0, 1, 2, 4]]
    hits, parameters, chi2, score = filled(rows, [5.0, 6.0, 1.0])
    assert insert(2, hits, parameters, chi2, score, source) == 1 + 1
    assert hits[:2].tolist() == [[0, 1, 2, 4], [10, 11, 12, 13]]
    hits, parameters, chi2, score = filled(rows, [5.0, 6.0, 9.0])
    assert insert(2, hits, parameters, chi2, score, source) == 2
    assert hits[0].tolist() == rows[0]


def test_a_mixture_of_two_tracks_is_a_clone() -> None:
    source = np.arange(20)
    hits, parameters, chi2, score = filled([[0, 1, 2, 3], [10, 11, 12, 13], [0, 1, 12, 13]], [1.0, 2.0, 3.0])
    assert remove_clones(3, hits, parameters, chi2, score, source) == 2


def test_full_list_drops_its_worst() -> None:
    rows = [[100 * i + j for j in range(4)] for i in range(MAX_TRACKS + 1)]
    source = np.arange(1000)
    hits, parameters, chi2, score = filled(rows, [*range(1, MAX_TRACKS + 1), 0.5])
    assert insert(MAX_TRACKS, hits, parameters, chi2, score, source) == MAX_TRACKS
    assert score[:MAX_TRACKS].tolist() == [0.5, *range(1, MAX_TRACKS)]


def test_log_binomial() -> None:
    assert log_binomial(14, 5) == pytest.approx(math.log(math.comb(14, 5)))


def test_expected_accidentals_of_independent_hits() -> None:
    """A candidate of own hits only, exactly on its line: choices x product of n p, without the two that fix the line."""
    ms = spectrometer(detector(), 2)
    view = projection(ms, 1)
    n = len(view.planes)
    u, sigma = np.zeros(2 * n), np.tile(view.sigma, 2)
    start_, stop = np.arange(n), np.arange(1, n + 1)
    candidates = np.stack([np.arange(n) + n, np.arange(n)])  # the better one has other hits
    free = (start_, stop, u, sigma, np.arange(2 * n))
    expected = accidentals(1, candidates, np.zeros((2, 3)), *free, view)
    near = np.sort(view.sigma / view.half)
    assert expected == pytest.approx(np.prod(near[2:]), rel=1e-9)
    assert expected < CHANCE


def test_linear_fit_is_least_squares() -> None:
    ms = spectrometer(detector(), 2)
    view = projection(ms, 0)
    rng = np.random.default_rng(7)
    truth = np.array([3.0, -0.4, -1.0 / 90.0])
    sigma = view.sigma.copy()
    u = view.model @ truth + rng.normal(0.0, sigma)
    parameters = np.empty(3)
    chi2, worst, worst_chi2 = fit_hits(np.arange(len(u)), u, sigma, view, 0.0, parameters)
    expected, *_ = np.linalg.lstsq(view.model / sigma[:, None], u / sigma, rcond=None)
    assert parameters == pytest.approx(expected, rel=1e-6)
    residual = u - np.array([fitted_coordinate(m, parameters) for m in view.model])
    assert chi2 == pytest.approx(np.sum((residual / sigma) ** 2))
    others = np.arange(len(u))
    others[worst] = -1
    without, *_ = fit_hits(others, u, sigma, view, 0.0, parameters)
    assert chi2 - without == pytest.approx(worst_chi2, rel=1e-6)  # what leave-one-out chi2 means


@pytest.mark.parametrize("number", [1, 2])
def test_rotated_modules_lose_nothing(number: int) -> None:
    found = []
    for d in (detector(), turned(5e-3)):
        ms = spectrometer(d, number)
        rng = np.random.default_rng(8)
        events = [[start(ms, 100.0, *rng.normal(0, [9, 2e-4]), *rng.normal(0, [19, 3e-4]))] for _ in range(200)]
        hits = hits_of(ms, events, rng)
        tracks = reconstruct_tracks(hits, ms)
        assert np.all(tracks.n == 1)
        assert tracks.best.chi2.sum() / tracks.best.ndf.sum() == pytest.approx(1.0, abs=0.08)
        found.append((np.mean(tracks.hits >= 0), np.std(100.0 / tracks.momentum)))
    assert found[1][0] > found[0][0] - 0.002
    assert found[1][1] == pytest.approx(found[0][1], rel=0.15)


def test_hits_in_views_undo_the_rotation() -> None:
    ms = spectrometer(turned(5e-3), 2)
    plain = spectrometer(detector(), 2)
    state = start(ms, 60.0, x=12.0, y=-30.0)
    seen = hits_in_views(hits_of(ms, [[state]], None), ms)
    assert np.allclose(seen.u, crossings(plain, state), atol=2e-3)  # the partner is rotated too: second order
    several = hits_in_views(hits_of(ms, [[state, start(ms, 160.0, x=-12.0)]], None), ms)
    widened = np.hypot(np.repeat([p.sigma for p in ms.planes], 2), 5e-3 * 12.0)  # half the distance of the two in x
    view = np.repeat([p.view for p in ms.planes], 2)
    upstream = np.repeat(ms.z < 2300.0, 2) & (view == 1)
    assert np.allclose(several.sigma[upstream], widened[upstream], rtol=0.01)


def test_hits_of_an_unrotated_spectrometer_are_not_touched() -> None:
    ms = spectrometer(detector(), 1)
    hits = hits_of(ms, [[start(ms, 160.0)]], None)
    assert hits_in_views(hits, ms) is hits


def test_a_rotated_slab_without_partner_is_wide() -> None:
    ms = spectrometer(turned(5e-3), 1)
    lost = {p for p, plane in enumerate(ms.planes) if plane.view == 0}
    hits = hits_of(ms, [[start(ms, 160.0, x=5.0)]], None, {0: lost})
    seen = hits_in_views(hits, ms)
    assert seen.sigma[0] > hits.sigma[0]


def test_a_track_that_misses_its_entry_by_more_than_its_kink_is_dropped() -> None:
    """A kink t within the lever moves the track by t x lever at most; a straight track 20 mm beside the entry comes from elsewhere."""
    ms = spectrometer(detector(), 2)
    z, lever = 235.0, 235.0
    muons = [start(ms, 160.0), start(ms, 60.0, x=0.02 * (ms.z[0] - 100.0), tx=0.02), start(ms, 160.0, x=20.0)]
    nothing = np.zeros(3)
    hits = hits_of(ms, [[m] for m in muons], np.random.default_rng(9))
    known = EntryPoint(z, nothing, nothing, nothing, nothing, lever, 0.05)
    assert reconstruct_tracks(hits, ms, known).n.tolist() == [1, 1, 0]  # straight, kink of 20 mrad at z = 100 mm, beside
    unknown = EntryPoint(z, np.full(3, np.nan), np.full(3, np.nan), nothing, nothing, lever, 0.05)
    assert reconstruct_tracks(hits, ms, unknown).n.tolist() == [1, 1, 1]


def test_a_second_muon_beside_the_entry_still_counts() -> None:
    ms = spectrometer(detector(), 2)
    zero = np.zeros(1)
    hits = hits_of(ms, [[start(ms, 160.0), start(ms, 160.0, x=20.0, y=10.0)]], np.random.default_rng(10))
    tracks = reconstruct_tracks(hits, ms, EntryPoint(235.0, zero, zero, zero, zero, 235.0, 0.05))
    assert tracks.n.tolist() == [2]
    assert abs(tracks.best.upstream[0, 0]) < 2.0  # the one from the entry is the best
