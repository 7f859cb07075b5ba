"""What `na64mu.open_events` and `na64mu.reconstruct` give of data: the events that may be seen, in the same rows, and one sentence."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from search_examples import DETECTOR, FakeReconstruction, plant, raw_batch, runs_row, summary_table, write_file

import na64mu
from na64mu.errors import InputError
from na64mu.events.nanoevents import open_events
from na64mu.events.reader import read_batch
from na64mu.events.writer import RawTreeWriter
from na64mu.inputs import visible

N, HIDDEN = 60, (3, 44)


@pytest.fixture
def data(fake: FakeReconstruction, tmp_path, monkeypatch):
    """A data file with an event of the box and a decoy."""
    monkeypatch.setattr(visible, "_SAID", set())
    fake.table = summary_table(N)
    plant(fake.table, HIDDEN[0])
    plant(fake.table, HIDDEN[1], p_in=120.0, p_out=70.0)
    return write_file(tmp_path / "beam.root", N)


def test_opened_data_and_their_summary_have_the_same_rows(data):
    events = na64mu.open_events(data)
    assert sorted({*range(N)} - {*events["event"].tolist()}) == [*HIDDEN]
    assert na64mu.reconstruct(events, DETECTOR)["event"].tolist() == events["event"].tolist()
    assert len(na64mu.spectrometer_tracks(events, DETECTOR).ms1.n) == len(events) == N - len(HIDDEN)


def test_raw_events_that_somebody_read_himself_lose_their_hidden_ones_too(data):
    for events in (read_batch(data), open_events(data)):
        assert sorted({*range(N)} - {*na64mu.reconstruct(events, DETECTOR)["event"].tolist()}) == [*HIDDEN]
        assert len(na64mu.spectrometer_tracks(events, DETECTOR).ms2.n) == N - len(HIDDEN)


def test_it_is_said_once_and_no_event_is_named(data, caplog):
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            na64mu.open_events(data)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == (
        f"{data}: data: the events of the signal box, and others among which they are hidden, are withheld (docs: explanation/blinding)"
    )


def test_simulation_is_all_there(data, fake, tmp_path, caplog):
    path = write_file(tmp_path / "mc.root", N, truth=True)
    assert len(na64mu.reconstruct(na64mu.open_events(path), DETECTOR)["event"]) == N
    assert not caplog.records


def test_several_files_of_data_follow_each_other(data, tmp_path):
    second = write_file(tmp_path / "second.root", 10, first=10, run=2)
    assert len(na64mu.open_events([data, second])) == N - len(HIDDEN) + 10
    with pytest.raises(InputError, match=r"beam\.root is data and .*mc\.root is simulation; open them one by one"):
        na64mu.open_events([data, write_file(tmp_path / "mc.root", 5, truth=True)])


def test_without_one_description_nobody_knows_who_is_hidden(data, tmp_path):
    path = tmp_path / "two.root"
    with RawTreeWriter(path) as writer:
        writer.extend(raw_batch(0, 10))
        writer.finish([runs_row(1), runs_row(1, 2, detector="na64mu-2022")])
    with pytest.raises(InputError, match=r"names 2 detectors .*, one is wanted to know the hidden events; choose one with detector="):
        na64mu.open_events(path)
    assert len(na64mu.open_events(path, detector=DETECTOR)) == 9


def test_no_hidden_hit_is_left_in_memory(data):
    events = na64mu.open_events(data)
    assert not np.isin(np.asarray(events.layout["event"].data), HIDDEN).any()
