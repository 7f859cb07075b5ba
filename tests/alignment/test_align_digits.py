"""Simulated digits of turned chambers with a t0, and how they are read."""

from __future__ import annotations

import numpy as np
import pytest
from alignment_examples import true_detector

from na64mu.compiled.records import new_record, records
from na64mu.detector import Detector
from na64mu.events.batch import Jagged
from na64mu.reconstruction.hit_makers.wires import drift_time
from na64mu.simulation.digitisers.digitiser import to_module, turns
from na64mu.simulation.geometry import build_surfaces
from na64mu.simulation.truth import HIT


def turned(angle: float) -> Detector:
    d = true_detector()
    return d.replaced({n: m.model_copy(update={"rotation": angle}) for n, m in d.trackers.items()})


@pytest.mark.parametrize("name", ["bms1", "mm5", "gem2", "st1"])
def test_a_turned_module_measures_along_its_own_axes(name: str) -> None:
    detector = turned(0.02)
    module, surfaces = detector.trackers[name], build_surfaces(detector)
    surface = int(np.flatnonzero(np.isclose(surfaces.z, getattr(module, "view_z", (module.z,))[0]))[0])
    crossing, local = records([(surface, 12.0, -7.0, 1e-3, -2e-3)], HIT)[0], new_record(HIT)
    to_module(turns(detector), crossing, local)
    true, found = np.array([crossing.x, crossing.y]), np.array([local.x, local.y])
    centre, c, s = np.array(module.centre), np.cos(0.02), np.sin(0.02)
    back = centre + np.array([[c, -s], [s, c]]) @ (found - centre)
    assert np.allclose(back, true)
    assert local.x - centre[0] == pytest.approx(np.dot([c, s], true - centre))  # direction of the plane that measures x
    assert np.hypot(local.tx, local.ty) == pytest.approx(np.hypot(1e-3, 2e-3))


def test_without_rotation_nothing_changes() -> None:
    crossing, local = records([(3, 0.1234567, -7.7654321, 1e-3, -2e-3)], HIT)[0], new_record(HIT)
    to_module(turns(true_detector()), crossing, local)
    assert local == crossing


def test_drift_times_count_from_t0() -> None:
    straw = Jagged(np.array([0, 3]), {"module": np.array([1, 2, 4], dtype=np.uint8), "time": np.array([5.0, 6.0, 7.0], dtype=np.float32)})
    assert drift_time(straw, true_detector()).tolist() == [5.0, 6.0, 7.0]
    d = true_detector()
    late = d.replaced({"st2": d.trackers["st2"].model_copy(update={"t0": 4.5})})
    times = drift_time(straw, late)
    assert times.tolist() == [5.0, 1.5, 7.0]
    assert times.dtype == np.float32
