"""The names that a notebook begins with: what they are given in many ways, and what is refused in one sentence."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import na64mu
from na64mu import EventSummary, RunResult, open_events, read_runs, reconstruct, sample_files
from na64mu.detector import load_detector
from na64mu.errors import ColumnError, DetectorError, InputError, Na64muError

TAG = "na64mu-2022"
TWO = sample_files("calibration_*")
NO_FILE = [None, 5, b"a.root", [], "", [None], [5]]


@pytest.fixture(scope="module")
def events() -> Any:
    return open_events(TWO[0])[:12]


@pytest.fixture(scope="module")
def summary(events: Any) -> EventSummary:
    return reconstruct(events, TAG)


def same(one: EventSummary, other: EventSummary) -> bool:
    return list(one) == list(other) and all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


def test_a_detector_is_a_description_its_tag_or_its_file(events, summary, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text((Path(na64mu.__file__).parent / "data" / "detector" / f"{TAG}.toml").read_text(encoding="utf-8"), encoding="utf-8")
    for detector in (load_detector(TAG), file, str(file)):
        assert same(reconstruct(events, detector), summary)
    assert load_detector(load_detector(TAG)) is load_detector(TAG)


def test_one_event_is_events_too(events, summary):
    assert same(reconstruct(events[3], TAG), summary[3:4])


@pytest.mark.parametrize("how", [list, tuple, iter, lambda files: (str(f) for f in files)], ids=["list", "tuple", "iterator", "generator"])
def test_several_files_are_opened_one_behind_the_other(how):
    assert open_events(how(TWO)).event.to_list() == [e for f in TWO for e in open_events(f).event.to_list()]
    assert read_runs(how(TWO)) == [row for f in TWO for row in read_runs(f)]


def test_a_pattern_and_a_folder_are_opened(tmp_path):
    for file in TWO:
        (tmp_path / file.name).symlink_to(file)
    n = len(open_events(TWO))
    assert len(open_events(tmp_path)) == len(open_events(str(tmp_path / "cal*.root"))) == n
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"none: the folder has no \*\.root file"):
        open_events(tmp_path / "none")
    with pytest.raises(InputError, match=r"beam_\*\.root: no file matches; look for a typing mistake"):
        open_events("beam_*.root")


def test_files_of_several_kinds_are_not_mixed(tmp_path, monkeypatch):
    from na64mu.events import nanoevents as nano

    opened = {"a.root": open_events(TWO[0])[["run", "event"]], "b.root": open_events(TWO[1])[["run"]]}
    monkeypatch.setattr(nano, "_open", lambda path, _: opened[path])
    with pytest.raises(InputError, match=r"^b\.root: only one of this file and a\.root has event; open them one by one$"):
        nano.open_events(["a.root", "b.root"])


@pytest.mark.parametrize("wrong", NO_FILE, ids=repr)
@pytest.mark.parametrize("function", [open_events, read_runs])
def test_what_names_no_file_is_one_sentence(function, wrong):
    with pytest.raises(InputError, match=r"^path: (the name of a file .*is wanted.*; found|no file was named)"):
        function(wrong)


@pytest.mark.parametrize("wrong", NO_FILE, ids=repr)
def test_a_run_says_what_names_no_file(wrong):
    with pytest.raises(InputError, match=r"(the name of a file .*is wanted.*; found|no input was given)"):
        na64mu.run_search(wrong)


@pytest.mark.parametrize("wrong", [None, 5, [], "na64mu-1999"], ids=repr)
def test_what_is_no_description_is_one_sentence(events, wrong):
    calls = {
        "load_detector": lambda: na64mu.load_detector(wrong),
        "reconstruct": lambda: reconstruct(events, wrong),
        "spectrometer_tracks": lambda: na64mu.spectrometer_tracks(events, wrong),
        "display_event": lambda: na64mu.display_event(events[0], wrong),
        "produce": lambda: na64mu.produce("nowhere.root", wrong, "beam", 1, 1, 1),
        "load_working_point": lambda: na64mu.load_working_point(wrong),
        "load_calibration": lambda: na64mu.load_calibration(wrong),
        "run_search": lambda: na64mu.run_search(TWO[0], selection=wrong),
        "read": lambda: RunResult.read(wrong),
        "estimate_backgrounds": lambda: na64mu.estimate_backgrounds(wrong, seed=1),
        "sample_files": lambda: sample_files(wrong),
    }
    for name, call in calls.items():
        with pytest.raises(Na64muError, match=r"is wanted; found|known are|cannot be read") as caught:
            call()
        assert "\n" not in str(caught.value), name


@pytest.mark.parametrize("wrong", [None, "beam.root", 5, [], {"run": 1}], ids=repr)
def test_what_are_no_events_is_one_sentence(wrong):
    for function in (reconstruct, na64mu.spectrometer_tracks, na64mu.display_event):
        with pytest.raises(InputError, match=r"^raw events are wanted, as na64mu.open_events\(file\) gives them; found"):
            function(wrong, TAG)


def test_events_without_collections_are_refused(events):
    with pytest.raises(InputError, match=r"^raw events need spill, config, trigger, counter, veto \.\.\.; this array has run, event$"):
        reconstruct(events[["run", "event"]], TAG)


def test_two_events_are_not_drawn(events):
    with pytest.raises(InputError, match=r"^one event is drawn, such as events\[0\]; found 2 events$"):
        na64mu.display_event(events[:2], TAG)


def test_a_summary_is_cut_by_masks_numbers_and_slices(summary):
    mask = summary.event % 2 == 0
    for chosen in (mask, np.flatnonzero(mask), np.flatnonzero(mask).tolist(), tuple(np.flatnonzero(mask))):
        assert np.array_equal(summary[chosen].event, summary["event"][mask])
        assert isinstance(summary[chosen], EventSummary)
    assert summary[2:5].n_events == 3
    assert summary[-1:].event[0] == summary[[-1]].event[0] == summary.event[-1]
    assert summary[[]].n_events == summary[np.zeros(12, dtype=bool)].n_events == 0
    assert list(summary[:0]) == list(summary)


@pytest.mark.parametrize(
    "wrong", [3, None, 1.5, [99], [-13], np.ones(5, dtype=bool), np.ones((12, 2), dtype=bool), [0.5], {}, ["p_in"]], ids=repr
)
def test_what_chooses_no_rows_is_one_sentence(summary, wrong):
    with pytest.raises(
        ColumnError, match=r"^rows of a summary are chosen by a mask of shape \(12,\), by row numbers below 12 or by a slice"
    ):
        summary[wrong]


def test_a_column_that_is_not_there(summary):
    with pytest.raises(KeyError, match=r"^no column 'p': the summary has run, spill"):
        summary["p"]
    with pytest.raises(AttributeError, match=r"^no column 'p': the summary has run, spill"):
        summary.p  # noqa: B018
    assert not hasattr(summary, "p")
    assert summary.get("p") is None


def test_a_summary_travels(summary):
    assert same(pickle.loads(pickle.dumps(summary)), summary)
    assert same(copy.deepcopy(summary), summary)


@pytest.mark.parametrize(
    "wrong", [None, 5, "run", [1, 2], {"run": np.zeros(2), "event": np.zeros(3)}, {"run": 1}, {1: np.zeros(2)}], ids=repr
)
def test_what_makes_no_summary_is_one_sentence(wrong):
    with pytest.raises(ColumnError, match=r"^(a summary is made of columns|the columns of a summary have names and one shape)"):
        EventSummary(wrong)


def test_sample_files_say_what_there_is():
    with pytest.raises(InputError, match=r"^no file of the sample matches 'beam': known are calibration_1, calibration_2, "):
        sample_files("beam")


@pytest.mark.parametrize(
    ("option", "wrong", "error"),
    [
        ("workers", 0, "workers must be a whole number from 1; found 0"),
        ("workers", "two", "workers must be a whole number from 1; found 'two'"),
        ("chunksize", 0, "chunksize must be a whole number from 1; found 0"),
        ("maxchunks", -1, "maxchunks must be a whole number from 1; found -1"),
        ("output", 5, "output: the name of a file is wanted, as str or Path; found 5"),
        ("memory", [], r"memory must be a whole number from 1; found \[\]"),
        ("layout", 5, "layout: a Layout, its name, or the path of its TOML file is wanted; found 5"),
        ("calibration", 5, "calibration: a Calibration, a detector tag, or the path of its TOML file is wanted; found 5"),
        ("detector", 5, "detector: a Detector, its tag, or the path of its TOML file is wanted; found 5"),
    ],
)
def test_wrong_options_of_a_run(option, wrong, error):
    with pytest.raises(Na64muError, match=f"^{error}$"):
        na64mu.run_search(TWO[0], **{option: wrong})


@pytest.mark.parametrize(
    ("option", "wrong", "error"),
    [
        ("process", "foo", "there is no process 'foo': known are zprime, "),
        ("config", 3, "there is no config 3: known are 1, 2$"),
        ("n_events", 2.5, "n_events must be a whole number from 1; found 2.5"),
        ("seed", -1, "seed must be a whole number from 0; found -1"),
        ("mass", -1.0, r"mass \[GeV\] must be a number above 0; found -1"),
        ("g_ref", float("nan"), "g_ref must be a number above 0; found nan"),
        ("workers", 0, "workers must be a whole number from 1; found 0"),
        ("output", None, "output: the name of a file is wanted, as str or Path; found None"),
    ],
)
def test_wrong_options_of_a_sample(option, wrong, error, tmp_path):
    options = {"output": tmp_path / "x.root", "detector": TAG, "process": "beam", "n_events": 1, "config": 1, "seed": 1, option: wrong}
    with pytest.raises(Na64muError, match=f"^{error}"):
        na64mu.produce(**options)
    assert not (tmp_path / "x.root").exists()


def test_a_run_takes_what_was_loaded_already():
    named = na64mu.run_search(TWO[0], maxchunks=1, chunksize=60, progress=False)
    loaded = na64mu.run_search(
        (f for f in TWO[:1]),
        maxchunks=1,
        chunksize=60,
        progress=False,
        detector=load_detector(TAG),
        selection=na64mu.load_working_point("prl2024"),
        calibration=na64mu.load_calibration(TAG),
    )
    assert named.provenance.configuration_hash == loaded.provenance.configuration_hash
    assert named.cutflows == loaded.cutflows
    with pytest.raises(DetectorError, match="no detector description 'foo'"):
        na64mu.run_search(TWO[0], detector="foo")
