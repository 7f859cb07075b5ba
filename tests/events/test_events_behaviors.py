from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from raw_tree_examples import make_batch

from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.behaviors import RECORD_NAMES
from na64mu.events.nanoevents import to_events
from na64mu.events.schema_v1 import ALL_COLLECTIONS, COLLECTIONS, OPTIONAL_COLLECTIONS, SAMPLES, WAVEFORMS


@pytest.fixture(scope="module")
def batch():
    return make_batch(30)


@pytest.fixture(scope="module")
def events(batch):
    return to_events(batch)


def flat(column):
    return ak.to_numpy(ak.flatten(column))


def with_collection(name, offsets, **fields):
    empty = RawBatch.empty()
    scalars = {k: np.zeros(len(offsets) - 1, v.dtype) for k, v in empty.scalars.items()}
    columns = {f: np.array(fields[f], kind) for f, kind in COLLECTIONS[name].items()}
    none = np.zeros(len(offsets), np.int64)
    others = {n: Jagged(none, c.fields) for n, c in empty.collections.items()}
    return to_events(RawBatch(scalars, others | {name: Jagged(np.array(offsets), columns)}))


def test_every_collection_has_its_record_name(events):
    assert set(RECORD_NAMES) == {*ALL_COLLECTIONS, *OPTIONAL_COLLECTIONS}
    waves = to_events(make_batch(5, waveforms=True))
    for name in ALL_COLLECTIONS:
        record = RECORD_NAMES[name]
        own = waves if name in WAVEFORMS else events
        assert own[name].layout.purelist_parameter("__record__") == record
        assert repr(own[name]).startswith(f"<{record}Array [")
    assert repr(events).startswith("<RawEventArray [")


def test_in_time_is_inclusive_and_takes_a_pair():
    ecal = with_collection("ecal", [0, 4], section=[0] * 4, ix=[0] * 4, iy=[0] * 4, energy=[1, 2, 3, 4], time=[-5, 0, 5, 5.5]).ecal
    assert ecal.in_time(5).energy.to_list() == [[1, 2, 3]]
    assert ecal.in_time((0, 6)).energy.to_list() == [[2, 3, 4]]


def test_module_view_station(events, batch):
    for name in ("mm", "gem", "straw", "hcal"):
        assert np.all(flat(events[name].module_is(1).module) == 1)
        assert len(flat(events[name].module_is(1).module)) == np.count_nonzero(batch.collections[name]["module"] == 1)
    assert np.all(flat(events.mm.module_is(2).view_is(1).view) == 1)
    assert len(flat(events.bms.station_is(3).time)) == np.count_nonzero(batch.collections["bms"]["station"] == 3)


def test_charge_does_not_overflow_and_peak():
    mm = with_collection("mm", [0, 2], module=[1, 1], view=[0, 0], channel=[0, 1], q0=[32767, 5], q1=[32767, 3], q2=[32767, 1]).mm
    assert mm.charge.to_list() == [[3 * 32767, 9]]
    assert mm.is_peaked.to_list() == [[True, False]]


def test_cells_total_and_sections():
    ecal = with_collection("ecal", [0, 3, 3], section=[0, 1, 1], ix=[2, 2, 1], iy=[3, 3, 0], energy=[0.5, 1, 2], time=[0, 0, 0]).ecal
    assert ecal.total.to_list() == [3.5, 0.0]
    assert ecal.preshower.total.to_list() == [0.5, 0.0]
    assert ecal.main.total.to_list() == [3.0, 0.0]
    assert ecal.cell_is(2, 3).energy.to_list() == [[0.5, 1.0], []]


def test_counters_by_name(events, batch):
    for name, number in {"S0": 0, "S1": 1, "V1": 2, "S4": 3, "S_mu": 4}.items():
        assert len(flat(events.counter.of(name).id)) == np.count_nonzero(batch.collections["counter"]["id"] == number)


def test_veto_panels():
    veto = with_collection("veto", [0, 6], id=range(6), energy=[1] * 6, time=[0] * 6).veto
    assert veto.panel.to_list() == [[0, 0, 1, 1, 2, 2]]
    assert veto.end.to_list() == [[0, 1, 0, 1, 0, 1]]


def test_trigger_conditions(events, batch):
    assert events.is_calibration.to_list() == (batch.scalars["trigger"] & 1 != 0).tolist()
    assert events.is_physics.to_list() == (batch.scalars["trigger"] & 2 != 0).tolist()
    assert not ak.any(events.met("random"))
    assert events[0].is_calibration


def test_is_simulation(events):
    assert events.is_simulation
    assert not to_events(RawBatch.empty()).is_simulation


def test_samples_of_waveforms(events):
    batch = make_batch(20, waveforms=True)
    waves = to_events(batch)
    assert waves.has_waveforms
    assert not events.has_waveforms
    samples = waves.ecalwave.samples
    table = np.column_stack([batch.collections["ecalwave"][name] for name in SAMPLES])
    np.testing.assert_array_equal(ak.to_numpy(ak.flatten(samples)), table)
    np.testing.assert_array_equal(flat(waves.ecalwave.is_saturated(ceiling=90)), (table >= 90).any(axis=1))
