"""Hits from slabs, wires and clusters: what counts, where, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from na64mu.detector import Detector, load_detector
from na64mu.detector.readout import readout_planes
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.schema_v1 import COLLECTIONS, SCALARS
from na64mu.reconstruction.hit_makers.strips import SHARED_ERROR
from na64mu.reconstruction.hits import find_hits, spectrometer_hits, station_hits
from na64mu.tracking.hits import Hits
from na64mu.tracking.spectrometer import spectrometer

Rows = dict[str, list[list[tuple[float, ...]]]]  # collection -> rows of every event


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector("na64mu-2022")


def batch_of(rows: Rows, n_events: int = 1) -> RawBatch:
    collections = {}
    for name, fields in COLLECTIONS.items():
        events = rows.get(name, [[] for _ in range(n_events)])
        table = np.array([row for event in events for row in event], dtype=float).reshape(-1, len(fields))
        offsets = np.concatenate([[0], np.cumsum([len(event) for event in events])]).astype(np.int64)
        collections[name] = Jagged(offsets, {f: table[:, i].astype(kind) for i, (f, kind) in enumerate(fields.items())})
    return RawBatch({name: np.zeros(n_events, dtype=kind) for name, kind in SCALARS.items()}, collections)


def hits_of(rows: Rows, detector: Detector, number: int, n_events: int = 1) -> Hits:
    return spectrometer_hits(find_hits(batch_of(rows, n_events), detector), spectrometer(detector, number))


def on_plane(hits: Hits, detector: Detector, number: int, name: tuple[str, int, int], event: int = 0) -> np.ndarray:
    planes = spectrometer(detector, number).planes
    p = event * len(planes) + [(q.station, q.view, q.layer) for q in planes].index(name)
    return hits.u[hits.offsets[p] : hits.offsets[p + 1]]


def test_a_wire_measures_on_both_sides(detector: Detector) -> None:
    straw = next(s for s in detector.straws if s.module == 2)
    hits = hits_of({"straw": [[(2, 1, 0, 10, 29.0)]]}, detector, 2)
    centre = straw.wire_position(1, 0)[10]
    assert on_plane(hits, detector, 2, ("st2", 1, 0)).tolist() == pytest.approx([centre - 2.0, centre + 2.0])
    assert hits.source.tolist() == [0, 0]
    assert len(hits.u) == 2


@pytest.mark.parametrize(("time", "n"), [(-14.0, 2), (-15.0, 0), (0.0, 2), (57.0, 2), (59.0, 0), (200.0, 0)])
def test_drift_times_outside_the_tube_are_dropped(detector: Detector, time: float, n: int) -> None:
    # 0.25 mm x 14.5 ns/mm x 4 = 14.5 ns before the wire and behind the wall at 3.01 mm (43.6 ns)
    rows = {"straw": [[(2, 0, 1, 5, time)]]}
    assert len(hits_of(rows, detector, 2).u) == n
    assert station_hits(find_hits(batch_of(rows), detector))["st2"].tolist() == [int(n > 0)]


@pytest.mark.parametrize("place", ["low", "high"])
def test_a_time_at_the_edge_of_its_window_is_neither_a_hit_nor_counted(detector: Detector, place: str) -> None:
    planes = {p.name: p.window for p in readout_planes(detector)}
    for collection, row, station, number in (("straw", (2, 0, 1, 5), "st2", 2), ("bms", (3, 7), "bms3", 1)):
        low, high = planes["st2_x1" if station == "st2" else "bms3_y"]
        edge = np.float32(low if place == "low" else high)  # the window is compared in the type of the raw tree
        for time, n in ((edge, 0), (np.nextafter(edge, np.float32(0.5)), 1)):
            rows = {collection: [[(*row, time)]]}
            assert (len(hits_of(rows, detector, number).u) > 0) == bool(n)
            assert station_hits(find_hits(batch_of(rows), detector))[station].tolist() == [n]


def test_slabs_of_one_row_are_one_hit(detector: Detector) -> None:
    station = detector.bms[1]
    first = int(np.flatnonzero(station.channel_row == 8)[0])
    rows = [(2, first, 0.1), (2, first + 1, -0.1), (2, first, 5.0), (2, 999, 0.0), (9, 0, 0.0)]
    hits = hits_of({"bms": [rows]}, detector, 1)  # the third is late, the others do not exist
    assert hits.u.tolist() == pytest.approx([station.row_y[8]])
    assert hits.sigma[0] == pytest.approx(station.row_pitch / np.sqrt(12.0))
    assert hits.source.tolist() == [0]


def test_hits_are_sorted_and_the_order_of_rows_does_not_matter(detector: Detector) -> None:
    rng = np.random.default_rng(1)
    straw = [(2, int(rng.integers(2)), int(rng.integers(2)), w, float(rng.uniform(0, 40))) for w in range(12)]
    gem = [(1, v, s + d, 30, 100 + s, 80) for v in (0, 1) for s in (20, 60, 120) for d in (0, 1, 2)]
    one = hits_of({"straw": [straw, []], "gem": [gem, gem]}, detector, 2, 2)
    other = hits_of({"straw": [straw[::-1], []], "gem": [gem[::-1], gem]}, detector, 2, 2)
    assert np.array_equal(one.u, other.u)
    assert np.array_equal(one.offsets, other.offsets)
    row = np.repeat(np.arange(len(one.offsets) - 1), np.diff(one.offsets))
    assert np.all(np.diff(one.u)[np.diff(row) == 0] >= 0.0)
    assert np.array_equal(on_plane(one, detector, 2, ("gem1", 0, 0)), on_plane(one, detector, 2, ("gem1", 0, 0), 1))


def test_a_cluster_that_borrows_channels_has_no_hit_of_its_own(detector: Detector) -> None:
    table = detector.micromegas[0].strip_channel(0)
    muon = {100: 60, 101: 300, 102: 250, 103: 60}
    borrowed = table[103]
    copy = next(int(s) for s in np.flatnonzero(table == borrowed) if s != 103 and s not in (102, 104))
    charges: dict[int, float] = {}
    for strip, q in {**muon, copy + 1: 90, copy + 2: 80}.items():  # beside a strip that the muon lights
        charges[int(table[strip])] = charges.get(int(table[strip]), 0.0) + q
    rows = [(1, 0, channel, 0.4 * q, q, 0.8 * q) for channel, q in charges.items()]
    hits = hits_of({"mm": [rows]}, detector, 1)
    assert len(hits.u) == 2
    assert hits.source[0] == hits.source[1]
    assert sorted(hits.sigma) == pytest.approx([0.08, 0.08 * SHARED_ERROR])


def test_late_clusters_are_no_hits(detector: Detector) -> None:
    rows = [(1, 0, s, 40, 100, 300) for s in (20, 21)]
    assert len(hits_of({"gem": [rows]}, detector, 2).u) == 0


def test_every_channel_belongs_to_one_spectrometer(detector: Detector) -> None:
    names = [[p.name for p in spectrometer(detector, number).planes] for number in (1, 2)]
    everywhere = {p.name: p.spectrometer for p in readout_planes(detector)}
    assert sorted(names[0] + names[1]) == sorted(name for name, number in everywhere.items() if number)
    assert {everywhere[name] for name in names[0]} == {1}
    assert {name for name, number in everywhere.items() if not number} == {"st11_x0", "st11_x1", "st11_y0", "st11_y1"}


def test_no_rows_no_hits(detector: Detector) -> None:
    hits = hits_of({}, detector, 1, 3)
    assert len(hits.u) == 0
    assert hits.offsets.tolist() == [0] * (3 * 22 + 1)
