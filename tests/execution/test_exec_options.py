"""Options of a run: checked where they are given."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest

from na64mu.errors import InputError, Na64muError, WorkerError
from na64mu.execution.options import RunOptions
from na64mu.execution.run import run_search


def test_memory_is_kept_in_bytes():
    assert RunOptions(memory="2GB").memory == 2_000_000_000
    assert RunOptions(memory=5).memory_limit == 5
    assert RunOptions().memory_limit is None


@pytest.mark.parametrize(
    ("option", "wrong", "error"),
    [
        ("chunksize", 0, InputError),
        ("maxchunks", -1, InputError),
        ("workers", 0, WorkerError),
        ("memory", "x", Na64muError),
        ("output", 5, InputError),
    ],
)
def test_what_makes_no_sense_is_refused(option, wrong, error):
    with pytest.raises(error, match=option):
        RunOptions(**{option: wrong})


def test_run_search_has_every_option_with_the_same_default():
    signature = inspect.signature(run_search).parameters
    assert {f.name: f.default for f in fields(RunOptions)} == {f.name: signature[f.name].default for f in fields(RunOptions)}
