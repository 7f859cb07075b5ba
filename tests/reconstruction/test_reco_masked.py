"""Dead and noisy channels in the reconstruction: no split clusters, no hits of noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from na64mu.detector import Detector, load_detector
from na64mu.detector.conditions import default_conditions
from na64mu.events.batch import Jagged
from na64mu.events.schema_v1 import COLLECTIONS
from na64mu.reconstruction.hit_makers.slabs import in_time_slabs, slab_map
from na64mu.reconstruction.hit_makers.wires import in_time_wires, wire_map
from na64mu.reconstruction.strips import gem_clusters, micromegas_clusters

DETECTOR = load_detector("na64mu-2022")


def operated(plane: str, **lists: list[int]) -> Detector:
    channels = [{"source": "inferred: a test", "plane": plane, **lists}]
    return DETECTOR.operated(type(default_conditions())(**(default_conditions().model_dump() | {"channels": channels})))


def digits(name: str, **columns: object) -> Jagged:
    fields = {f: np.array(columns[f], kind) for f, kind in COLLECTIONS[name].items()}
    return Jagged(np.array([0, len(next(iter(fields.values())))]), fields)


def gem_charges(charges: dict[int, int]) -> Jagged:
    n, q = len(charges), np.array(list(charges.values()))
    return digits("gem", module=[1] * n, view=[0] * n, strip=list(charges), q0=q // 3, q1=q, q2=q // 2)


def gaussian(centre: float, without: int) -> dict[int, int]:
    """Charges of a cluster of sigma 1.3 strips, without one of its strips."""
    return {s: round(900 * math.exp(-0.5 * ((s - centre) / 1.3) ** 2)) for s in range(97, 104) if s != without}


@pytest.mark.parametrize("centre", [99.6, 100.0, 100.3])
def test_a_dead_strip_does_not_split_a_cluster(centre):
    hits = gem_charges(gaussian(centre, without=100))
    blind, knowing = gem_clusters(hits, DETECTOR), gem_clusters(hits, operated("gem1_x", dead=[100]))
    assert len(blind.position) == 2
    assert len(knowing.position) == 1
    gem = DETECTOR.gem[0]
    truth = gem.centre[0] + (centre - 0.5 * (gem.strips - 1)) * gem.pitch
    assert abs(knowing.position[0] - truth) < 0.03
    assert min(abs(blind.position - truth)) > 0.3
    assert knowing.in_time[0]
    assert knowing.size[0] == 7


def test_a_dead_strip_at_the_border_joins_nothing():
    hits = gem_charges({100: 500, 101: 300, 104: 400, 105: 300})
    assert len(gem_clusters(hits, operated("gem1_x", dead=[103])).position) == 2
    assert len(gem_clusters(hits, operated("gem1_x", dead=[102, 103])).position) == 2  # two dead ones are a gap
    alone = gem_charges({0: 500, 1: 300, 254: 400, 255: 300})
    assert len(gem_clusters(alone, operated("gem1_x", dead=[2, 253])).position) == 2


def test_without_dead_channels_nothing_changes():
    rng = np.random.default_rng(5)
    strips = np.flatnonzero(rng.random(256) < 0.4)
    hits = gem_charges({int(s): int(q) for s, q in zip(strips, rng.integers(20, 500, len(strips)), strict=True)})
    plain, other = gem_clusters(hits, DETECTOR), gem_clusters(hits, operated("gem2_x", dead=[100]))
    for a, b in zip(plain, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_noisy_channels_make_no_clusters():
    m = DETECTOR.micromegas[0]
    channels = m.strip_channel(0)[[150, 151, 152]]
    q = [100, 400, 100]
    hits = digits("mm", module=[1] * 3, view=[0] * 3, channel=channels, q0=[30] * 3, q1=q, q2=[30] * 3)
    assert len(micromegas_clusters(hits, DETECTOR).position) >= 1
    noisy = operated("mm1_x", noisy=[int(c) for c in channels[1:]])
    assert len(micromegas_clusters(hits, noisy).position) == 0


def test_noisy_wires_and_slabs_are_not_read():
    detector = operated("st4_x1", noisy=[7])
    straw = digits("straw", module=[4, 4, 4], view=[0, 0, 1], layer=[1, 0, 1], wire=[7, 7, 7], time=[5.0, 5.0, 5.0])
    assert in_time_wires(straw, detector).tolist() == [False, True, True]
    u = wire_map(detector).u[4]
    assert np.isnan(u[0, 1, 7])
    assert np.isfinite(u[0, 1, 6])
    bms = digits("bms", station=[3, 3, 2], channel=[4, 5, 4], time=[0.0, 0.0, 0.0])
    detector = operated("bms3", noisy=[4])
    assert in_time_slabs(bms, detector).tolist() == [False, True, True]
    assert np.isnan(slab_map(detector).u[3, 4])
