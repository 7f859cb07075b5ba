from __future__ import annotations

import numpy as np
import pytest

from na64mu.detector import known_detectors, load_detector
from na64mu.events.channel_ranges import ChannelLimits, channel_limits
from na64mu.events.schema_v1 import ALL_COLLECTIONS, SAMPLES


@pytest.fixture(scope="module")
def limits():
    return channel_limits(load_detector("na64mu-2022"))


@pytest.mark.parametrize("tag", known_detectors())
def test_every_collection_has_limits_on_its_address(tag):
    limits = channel_limits(load_detector(tag))
    assert set(limits) == set(ALL_COLLECTIONS)
    for name, own in limits.items():
        assert set(own.fields) == {f for f, kind in ALL_COLLECTIONS[name].items() if kind.kind == "u"} - set(SAMPLES)


def test_published_channel_numbers(limits):
    assert limits["mm"].sizes[1, 0] == 64  # 80 mm plane: 64 channels
    assert limits["mm"].sizes[5, 0] == 192  # 245 mm plane
    assert limits["mm"].sizes[5, 1] == 64
    assert limits["gem"].sizes[4, 1] == 256
    assert limits["bms"].sizes[(1,)] == 64
    assert limits["bms"].sizes[(6,)] == 128
    assert set(limits["ecal"].sizes) == {(s, x) for s in (0, 1) for x in range(5)}
    assert limits["ecal"].sizes[0, 0] == 6
    assert set(limits["hcal"].sizes) == {(m, x) for m in (1, 2) for x in range(6)}
    assert limits["hcal"].sizes[2, 5] == 3
    assert limits["counter"].sizes == {(): 5}
    assert limits["veto"].sizes == {(): 6}


def outside(limits, **columns):
    return [(o.field, o.rows.tolist(), o.reason) for o in limits.outside({k: np.array(v) for k, v in columns.items()})]


def test_outside_names_the_field(limits):
    assert outside(limits["mm"], module=[1, 5, 7], view=[0, 0, 1], channel=[63, 191, 63]) == []
    assert outside(limits["mm"], module=[1, 1], view=[0, 0], channel=[64, 70]) == [
        ("channel", [0, 1], "is 64, module 1, view 0 has 0 to 63")
    ]
    assert outside(limits["mm"], module=[0, 9], view=[0, 2], channel=[0, 0]) == [("module", [0, 1], "is 0, there are 1, 2, 3, 4, 5, 6, 7")]
    assert outside(limits["mm"], module=[3], view=[2], channel=[0]) == [("view", [0], "is 2, there are 0, 1")]
    assert outside(limits["veto"], id=[0, 5, 6]) == [("id", [2], "is 6, it has 0 to 5")]
    assert outside(limits["straw"], module=[3], view=[0], layer=[0], wire=[0])[0][0] == "module"


def test_outside_combination_of_allowed_numbers():
    own = ChannelLimits(("module", "view", "strip"), {(1, 0): 4, (2, 1): 4})
    assert outside(own, module=[1], view=[1], strip=[0]) == [("view", [0], "does not exist: module 1, view 1")]


def test_outside_of_no_rows(limits):
    assert outside(limits["hcal"], module=np.empty(0, "u1"), ix=np.empty(0, "u1"), iy=np.empty(0, "u1")) == []
