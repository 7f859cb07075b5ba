"""What the public functions of the tracking are given: shapes, order, numbers; nothing is misread and nothing aborts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.errors import ArgumentError, DetectorError
from na64mu.tracking.annealing import fit_competing
from na64mu.tracking.checks import checked_measurements
from na64mu.tracking.extrapolation import cross_plane
from na64mu.tracking.fit import first_look, fit_kernel, fit_measurements, fit_tracks, loose_prior, read_tracks
from na64mu.tracking.hits import Hits
from na64mu.tracking.navigation import route
from na64mu.tracking.outliers import Removal, fit_without_outliers, remove_outliers
from na64mu.tracking.projection import projection, track_model
from na64mu.tracking.spectrometer import Plane, Spectrometer, bending_integral, check_spectrometer, highland_angle, spectrometer
from na64mu.tracking.tracks import EntryPoint, reconstruct_tracks
from na64mu.tracking.vertex import TrackEnd, join, scatterers

N = 3


def small(n: int = 4, boxes: Any = ((700.0, 1200.0, 0.0, 1.2),)) -> Spectrometer:
    planes = tuple(Plane(f"p{i}", v, 500.0 * i + v, 0.1, 0.01, 0, 100.0) for i in range(n) for v in (0, 1))
    return Spectrometer("small", 0, planes, np.array(boxes).reshape(-1, 4), 1e9, 3e5, 0.2)


MS = small()
SEED, U, WEIGHT = np.tile([0.0, 0.0, 0.0, 0.0, 0.01], (N, 1)), np.zeros((N, 8)), np.full((N, 8), 100.0)
HITS = Hits(np.arange(8 * N + 1), np.zeros(8 * N), np.full(8 * N, 0.1), np.arange(8 * N))

#: What each takes, up to the measurements themselves.
FITS = {
    "fit_measurements": fit_measurements,
    "first_look": first_look,
    "loose_prior": loose_prior,
    "fit_without_outliers": fit_without_outliers,
    "fit_competing": lambda seed, u, weight, ms, **options: fit_competing(
        seed, np.asarray(u)[..., None], np.asarray(weight)[..., None], ms, **options
    ),
}


def with_one(array: np.ndarray, value: float) -> np.ndarray:
    changed = array.copy()
    changed[1, 4] = value
    return changed


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
@pytest.mark.parametrize(
    ("seed", "u", "weight", "sentence"),
    [
        (SEED, U[:, :7], WEIGHT[:, :7], r"u must have the shape \(3, 8.*\): 3 tracks on the 8 planes of small; found \(3, 7"),
        (SEED, U, WEIGHT[:, :7], r"weight must have the shape \(3, 8.*\): 3 tracks on the 8 planes of small; found \(3, 7"),
        (SEED, np.c_[U, U[:, :2]], np.c_[WEIGHT, WEIGHT[:, :2]], r"u must have the shape \(3, 8.*; found \(3, 10"),
        (SEED[:2], U, WEIGHT, r"u must have the shape \(2, 8.*\): 2 tracks on the 8 planes of small; found \(3, 8"),
        (SEED[:, :4], U, WEIGHT, r"seed must have the shape \(n_tracks, 5\): x, y, tx, ty, q/p; found \(3, 4\)"),
        (SEED[0], U, WEIGHT, r"seed must have the shape \(n_tracks, 5\): x, y, tx, ty, q/p; found \(5,\)"),
        ("seed", U, WEIGHT, r"seed must be numbers of shape \(n_tracks, 5\)"),
        (
            SEED,
            with_one(U, np.nan),
            WEIGHT,
            r"u must be a number where weight is not 0; found nan with the weight 100 at \[1, 4.*: give it weight 0",
        ),
        (SEED, U, with_one(WEIGHT, -1.0), r"weight must be 1 / sigma\^2, 0 for no measurement; found -1 at \[1, 4"),
        (SEED, U, with_one(WEIGHT, np.inf), r"weight must be 1 / sigma\^2, 0 for no measurement; found inf at \[1, 4"),
    ],
    ids=[
        "plane too few",
        "weights too few",
        "planes too many",
        "seeds too few",
        "four parameters",
        "one seed",
        "text",
        "nan",
        "negative",
        "infinite",
    ],
)
def test_measurements_of_another_shape_are_refused(fit, seed, u, weight, sentence):
    with pytest.raises(ArgumentError, match=f"^{sentence}"):
        fit(seed, u, weight, MS)


@pytest.mark.parametrize(
    ("prior", "sentence"),
    [
        (np.ones(4), r"prior must have the shape \(5,\) or \(3, 5\): standard deviations of x, y, tx, ty, q/p; found \(4,\)"),
        (np.ones((2, 5)), r"prior must have the shape \(5,\) or \(3, 5\).*; found \(2, 5\)"),
        (np.array([1.0, 1.0, 1.0, 1.0, -0.1]), r"prior must be standard deviations, not negative; found -0.1"),
    ],
)
def test_a_prior_of_another_shape_is_refused(prior, sentence):
    for fit in (fit_measurements, fit_without_outliers):
        with pytest.raises(ArgumentError, match=f"^{sentence}"):
            fit(SEED, U, WEIGHT, MS, prior=prior)


def test_lists_and_other_types_are_taken():
    given = checked_measurements(SEED.tolist(), np.asfortranarray(U.astype(np.float32)), WEIGHT.astype(int), MS)
    assert all(a.dtype == np.float64 for a in (given.seed, given.u, given.weight))
    assert given.u.shape == given.weight.shape == (N, 8)


def test_a_coordinate_without_weight_is_not_looked_at():
    given = checked_measurements(SEED, with_one(U, np.nan), with_one(WEIGHT, 0.0), MS)
    assert np.isfinite(given.u).all()


@pytest.mark.parametrize(
    "wrong", [np.arange(7), 2 * np.arange(8), np.arange(8)[::-1], np.arange(8) + 1, np.zeros((2, 4), int), np.zeros(8), "x"], ids=str
)
def test_the_hits_of_the_coordinates_are_whole_rising_and_complete(wrong):
    for fit in (FITS["fit_without_outliers"], FITS["fit_competing"]):
        with pytest.raises(
            ArgumentError, match=r"^hit_of must name the hit of each of the 8 planes by whole numbers 0, 1, \.\.\. without gaps and rising"
        ):
            fit(SEED, U, WEIGHT, MS, hit_of=wrong)


@pytest.mark.parametrize("fields", [{"probability": 0.0}, {"probability": 1.5}, {"max_removed": -1}, {"min_ndf": 0.5}])
def test_a_removal_that_makes_no_sense(fields):
    with pytest.raises(ArgumentError, match=next(iter(fields))):
        Removal(**fields)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"planes": MS.planes[::-1]}, "small: the planes must be in order of z; found p3 at 1501 mm before p3 at 1500 mm: sort them"),
        ({"planes": (*MS.planes[2:4], *MS.planes[:2], *MS.planes[4:])}, "small: the planes must be in order of z"),
        ({"planes": ()}, "small: a spectrometer needs planes, there are none"),
        (
            {"planes": (replace(MS.planes[0], sigma=0.0), *MS.planes[1:])},
            r"small: sigma of plane p0 \[mm\] must be a number above 0; found 0",
        ),
        ({"planes": (replace(MS.planes[0], view=2), *MS.planes[1:])}, r"small: plane p0 measures view 0 \(x\) or 1 \(y\), not 2"),
        (
            {"planes": (replace(MS.planes[0], z=np.nan), *MS.planes[1:])},
            r"small: z of the planes \[mm\] must be a finite number; found nan",
        ),
        ({"bend_view": 2}, r"small: the field bends in view 0 \(x\), 1 \(y\) or -1 \(none\), not 2"),
        ({"air_x0": 0.0}, "small: air_x0 must be above 0 mm; found 0.0"),
        ({"boxes": np.array([[700.0, 1200.0, 1.2]])}, r"small: boxes must have the shape \(n_boxes, 4\)"),
        ({"boxes": np.array([[1200.0, 700.0, 0.0, 1.2]])}, "small: a field box must end behind its entrance; found 1200 to 700 mm"),
        ({"boxes": np.array([[700.0, 1200.0, 0.0, 0.6]] * 2)}, "small: two field boxes overlap from 700 to 1200 mm"),
        (
            {"boxes": np.array([[-100.0, 1200.0, 0.0, 1.2]])},
            "small: the field box from -100 to 1200 mm reaches beyond the planes, which extend from 0 to 1501 mm",
        ),
        ({"boxes": np.array([[700.0, 1200.0, 0.1, 1.2]])}, "small: a magnet bends in x or in y"),
    ],
)
def test_a_spectrometer_that_makes_no_sense_is_refused(change, sentence):
    wrong = replace(MS, **change)
    with pytest.raises(DetectorError, match=f"^{sentence}"):
        fit_measurements(SEED, np.zeros((N, len(wrong.planes))), np.ones((N, len(wrong.planes))), wrong)
    if "bends in x or in y" not in sentence:  # the finding has no need of it
        for call in (lambda: bending_integral(np.zeros(2), wrong), lambda: projection(wrong, 0), lambda: reconstruct_tracks(HITS, wrong)):
            with pytest.raises(DetectorError, match=f"^{sentence}"):
                call()


@pytest.mark.parametrize("wrong", [None, "ms1", load_detector("na64mu-2022")], ids=["None", "str", "Detector"])
def test_what_is_no_spectrometer_is_refused(wrong):
    for call in (
        lambda: check_spectrometer(wrong),
        lambda: fit_measurements(SEED, U, WEIGHT, wrong),
        lambda: reconstruct_tracks(HITS, wrong),
        lambda: fit_tracks(HITS, np.zeros((N, 8), int), SEED, wrong),
    ):
        with pytest.raises(DetectorError, match=r"^spectrometer must be a Spectrometer of na64mu.tracking.spectrometer"):
            call()


def test_a_spectrometer_has_a_number_and_views():
    assert spectrometer("na64mu-2022", 1) is spectrometer(load_detector("na64mu-2022"), np.int64(1))
    for wrong in (0, 3, "1", True, None):
        with pytest.raises(ArgumentError, match=r"^there is no spectrometer .*: known are 1, 2$"):
            spectrometer("na64mu-2022", wrong)
    for call in (lambda: projection(MS, 2), lambda: MS.view(2), lambda: track_model(np.zeros(1), MS, -1)):
        with pytest.raises(ArgumentError, match=r"^there is no view .*: known are 0, 1$"):
            call()


def test_views_that_do_not_determine_a_track():
    with pytest.raises(
        DetectorError, match=r"^small: the 4 planes that measure x do not determine position, slope and curvature of a track"
    ):
        projection(small(boxes=()), 0)
    one_view = replace(MS, planes=tuple(p for p in MS.planes if p.view == 0))
    with pytest.raises(DetectorError, match=r"^small: the 0 planes that measure y do not determine position and slope of a track"):
        projection(one_view, 1)
    weak = small(boxes=((700.0, 1200.0, 0.0, 1e-4),))
    with pytest.raises(DetectorError, match=r"^small: no choice of planes that measure x gives the curvature to 10% at 160 GeV/c"):
        projection(weak, 0)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"u": np.zeros(3)}, r"u, sigma and source of hits must have one shape \(n_hits,\); found u \(3,\), sigma \(24,\), source \(24,\)"),
        ({"offsets": np.arange(24)}, "offsets of hits must rise from 0 to the number of hits, 24"),
        ({"offsets": np.arange(25)[::-1]}, "offsets of hits must rise from 0 to the number of hits, 24"),
        ({"offsets": np.array([])}, "offsets of hits must rise from 0"),
        ({"offsets": np.linspace(0.0, 24.0, 25)}, "offsets of hits must be whole numbers; found float64"),
    ],
)
def test_hits_that_do_not_fit_together_are_refused(columns, sentence):
    with pytest.raises(ArgumentError, match=f"^{sentence}"):
        replace(HITS, **columns)


def test_hits_of_another_spectrometer_are_refused():
    with pytest.raises(ArgumentError, match=r"^offsets of hits must have n_events x 7 \+ 1 numbers for the planes of small; found 25$"):
        reconstruct_tracks(Hits(np.arange(25), np.zeros(24), np.ones(24), np.arange(24)), replace(MS, planes=MS.planes[:7]))
    with pytest.raises(ArgumentError, match=r"^hits must be Hits of na64mu.tracking.hits; found ndarray$"):
        reconstruct_tracks(U, MS)
    entry = EntryPoint(0.0, np.zeros(2), np.zeros(2))
    with pytest.raises(ArgumentError, match=r"^entry must have one value for each of the 3 events; found the shapes \[\(2,\), \(2,\)\]$"):
        reconstruct_tracks(HITS, MS, entry)


@pytest.mark.parametrize(
    ("chosen", "seed", "sentence"),
    [
        (np.zeros((N, 7), int), SEED, r"chosen must be whole numbers of shape \(n_tracks, 8\); found int64 of shape \(3, 7\)"),
        (np.zeros((N, 8)), SEED, r"chosen must be whole numbers of shape \(n_tracks, 8\); found float64"),
        (np.full((N, 8), 24), SEED, "chosen must name hits 0 to 23, or -1 for none; found 24 to 24"),
        (np.full((N, 8), -2), SEED, "chosen must name hits 0 to 23, or -1 for none; found -2 to -2"),
        (np.zeros((N, 8), int), SEED[:2], r"seed must have the shape \(3, 5\).*; found \(2, 5\)"),
    ],
)
def test_chosen_hits_that_are_not_there_are_refused(chosen, seed, sentence):
    with pytest.raises(ArgumentError, match=f"^{sentence}"):
        fit_tracks(HITS, chosen, seed, MS)


def test_blocks_of_another_fit_are_refused():
    telescope = spectrometer("na64mu-2022", 1)  # its fit is compiled for the search
    fitted, n = fit_kernel(telescope), len(telescope.planes)
    blocks = fitted.pack(SEED, np.ones(5), np.zeros((N, n)), np.ones((N, n)))
    for call in (fitted.fit_blocks, lambda b: read_tracks(fitted, b, N, np.ones((N, n))), lambda b: fitted.unpack(b, 0, 1, N)):
        for wrong in (blocks[:, :-1], blocks[0], blocks.astype(np.float32), None):
            with pytest.raises(ArgumentError, match=r"^blocks must be float64 of shape \(n_blocks, \d+\), as `pack` makes them; found"):
                call(wrong)
    with pytest.raises(ArgumentError, match=r"^1 blocks hold 64 tracks; 65 are asked for$"):
        read_tracks(fitted, blocks, 65, np.ones((65, n)))
    with pytest.raises(ArgumentError, match=r"^rows 0 to 9999 of 3 tracks: the blocks have \d+ rows of 64 tracks$"):
        fitted.unpack(blocks, 0, 9999, N)
    with pytest.raises(ArgumentError, match=r"^seed must have the shape \(3, 5\), u and weight"):
        fitted.pack(SEED, np.ones(5), np.zeros((N, n - 1)), np.ones((N, n)))
    with pytest.raises(ArgumentError, match=r"^hit_of must name the hit of each"):
        remove_outliers(fitted, blocks, N, np.arange(n - 1), Removal())


def test_extrapolation_and_joining_look_at_their_shapes():
    with pytest.raises(ArgumentError, match=r"^parameters must have the shape \(n, 5\)"):
        cross_plane(np.zeros((2, 4)), np.zeros((2, 5, 5)), 1.0)
    with pytest.raises(ArgumentError, match=r"^covariance must have the shape \(2, 5, 5\); found \(3, 5, 5\)$"):
        cross_plane(np.zeros((2, 5)), np.zeros((3, 5, 5)), 1.0)
    with pytest.raises(ArgumentError, match=r"^angle2 must be a number at least 0; found -1$"):
        cross_plane(np.zeros((2, 5)), np.zeros((2, 5, 5)), 1.0, -1.0)
    with pytest.raises(ArgumentError, match=r"^x_over_x0 must be a number at least 0; found -1$"):
        highland_angle(-1.0, 1.0)

    def end(n: int, z: float) -> TrackEnd:
        return TrackEnd(z, np.ones((n, 5)), np.tile(np.eye(5), (n, 1, 1)))

    with pytest.raises(ArgumentError, match=r"^ms1 and ms2 must be tracks of the same events, row by row; found 2 and 3$"):
        join(end(2, -5000.0), end(3, 5000.0), "na64mu-2022")
    with pytest.raises(ArgumentError, match=r"^covariance of ms2 must have the shape \(2, 5, 5\)"):
        join(end(2, -5000.0), TrackEnd(5000.0, np.ones((2, 5)), np.eye(5)), "na64mu-2022")
    with pytest.raises(ArgumentError, match=r"^z_in, the last plane of MS1 \[mm\] must be a number at most"):
        scatterers(load_detector("na64mu-2022"), 5000.0, 6000.0)


def test_a_route_is_compiled_once():
    assert route(MS) is route(MS, "HIGHLAND")
