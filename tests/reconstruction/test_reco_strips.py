from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.detector import Detector, load_detector
from na64mu.events.batch import Jagged
from na64mu.events.schema_v1 import COLLECTIONS
from na64mu.reconstruction.strips import Clusters, gem_clusters, micromegas_clusters


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector("na64mu-2022")


def mm_digits(detector: Detector, module: int, view: int, charges: dict[int, int], late: bool = False) -> Jagged:
    """One event: charges on strips of one plane, summed on the channels that read them."""
    plane = next(m for m in detector.micromegas if m.module == module)
    table = plane.strip_channel(view)
    channels: dict[int, int] = {}
    for strip, q in charges.items():
        channels[int(table[strip])] = channels.get(int(table[strip]), 0) + q
    n = len(channels)
    q1 = np.array(list(channels.values()))
    columns = {
        "module": np.full(n, module),
        "view": np.full(n, view),
        "channel": np.array(list(channels)),
        "q0": 0.4 * q1,
        "q1": q1,
        "q2": (2.0 if late else 0.8) * q1,
    }
    return Jagged(np.array([0, n]), {f: np.asarray(columns[f]).astype(t) for f, t in COLLECTIONS["mm"].items()})


def clusters(detector: Detector, charges: dict[int, int], module: int = 1, view: int = 0, late: bool = False) -> Clusters:
    return micromegas_clusters(mm_digits(detector, module, view, charges, late), detector)


def test_multiplexing_table_of_the_thesis(detector: Detector) -> None:
    # E. Depero, thesis, appendix F, first rows (strips count from 1 there): channel 1 of a small and of a large plane
    small, large = detector.micromegas[0], detector.micromegas[4]
    assert list(np.flatnonzero(small.strip_channel(0) == 1)) == [1, 69, 181, 241, 317]
    assert list(np.flatnonzero(large.strip_channel(0) == 1)) == [1, 269, 551, 643, 911]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.floats(10.0, 309.0), st.sampled_from([(1, 0), (3, 1), (6, 1)]))
def test_a_cluster_is_found_where_it_is(detector: Detector, position: float, plane: tuple[int, int]) -> None:
    strips = np.arange(320)
    q = np.round(400 * np.exp(-0.5 * ((strips - position) / 1.3) ** 2)).astype(int)
    found = clusters(detector, {int(s): int(q[s]) for s in strips if q[s] > 12}, *plane)
    assert len(found.position) == 1
    module = detector.micromegas[plane[0] - 1]
    assert found.position[0] == pytest.approx(module.centre[plane[1]] + (position - 159.5) * 0.25, abs=0.02)
    assert found.in_time[0]


def test_two_particles_give_two_clusters(detector: Detector) -> None:
    found = clusters(detector, {100: 100, 101: 300, 102: 110, 200: 90, 201: 250, 202: 100})
    assert sorted(np.round(found.position, 2)) == [
        pytest.approx((101 - 159.5) * 0.25, abs=0.02),
        pytest.approx((201 - 159.5) * 0.25, abs=0.02),
    ]


def test_isolated_strip_is_dropped(detector: Detector) -> None:
    assert len(clusters(detector, {50: 300}).position) == 0


def test_ghost_of_a_true_cluster_and_a_noise_channel_is_dropped(detector: Detector) -> None:
    table = detector.micromegas[0].strip_channel(0)
    muon = {100: 60, 101: 300, 102: 250, 103: 60}
    ghosts = 0
    for noise in range(64):  # every channel once: a ghost appears where it lights a strip beside another strip of the muon's channels
        strip = int(np.flatnonzero(table == noise)[0])
        if strip in muon:
            continue
        ghosts += len(clusters(detector, muon | {strip: 30}).position) - 1
    assert ghosts == 0


def test_late_charge_is_out_of_time(detector: Detector) -> None:
    assert not clusters(detector, {100: 100, 101: 300}, late=True).in_time[0]


def test_gem_cluster_centre(detector: Detector) -> None:
    columns = {
        "module": [2, 2, 2],
        "view": [1, 1, 1],
        "strip": [40, 41, 42],
        "q0": [10, 20, 10],
        "q1": [100, 200, 100],
        "q2": [80, 160, 80],
    }
    digits = Jagged(np.array([0, 3, 3]), {f: np.array(columns[f]).astype(t) for f, t in COLLECTIONS["gem"].items()})
    found = gem_clusters(digits, detector)
    assert found.position.tolist() == [pytest.approx((41 - 127.5) * 0.4)]
    assert (found.event[0], found.plane[0], found.size[0], found.charge[0]) == (0, 3, 3, 400.0)


def test_no_digits_no_clusters(detector: Detector) -> None:
    empty = Jagged(np.zeros(4, dtype=np.int64), {f: np.zeros(0, dtype=t) for f, t in COLLECTIONS["mm"].items()})
    assert len(micromegas_clusters(empty, detector).position) == 0


def runs_of(charges: dict[int, int]) -> list[tuple[int, float, float]]:
    """Size, charge and centre [strips] of neighbouring strips, larger charge first, as one would do it by hand."""
    runs: list[list[int]] = []
    for strip in sorted(charges):
        if runs and runs[-1][-1] == strip - 1:
            runs[-1].append(strip)
        else:
            runs.append([strip])
    found = [
        (len(r), float(sum(charges[s] for s in r)), sum(s * charges[s] for s in r) / sum(charges[s] for s in r)) for r in runs if len(r) > 1
    ]
    return sorted(found, key=lambda run: (-run[1], run[2]))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(st.dictionaries(st.integers(0, 255), st.integers(100, 900), max_size=120), min_size=1, max_size=3))
def test_runs_of_strips_across_words_of_64(detector: Detector, events: list[dict[int, int]]) -> None:
    strips = np.array([strip for charges in events for strip in charges])
    q = np.array([q for charges in events for q in charges.values()])
    columns = {"module": np.full(len(q), 2), "view": np.zeros(len(q)), "strip": strips, "q0": 0 * q, "q1": q, "q2": 0 * q}
    offsets = np.cumsum([0, *map(len, events)])
    found = gem_clusters(Jagged(offsets, {f: np.asarray(columns[f]).astype(t) for f, t in COLLECTIONS["gem"].items()}), detector)
    for e, charges in enumerate(events):
        mine = slice(found.offsets[e], found.offsets[e + 1])
        centre = (found.position[mine] - detector.gem[1].centre[0]) / 0.4 + 127.5
        expected = runs_of(charges)
        assert list(zip(found.size[mine].tolist(), found.charge[mine].tolist(), strict=True)) == [run[:2] for run in expected]
        assert centre == pytest.approx([run[2] for run in expected], abs=1e-9)
