"""Collects the raw events of a box that was just opened."""

from __future__ import annotations

from typing import Any

import numpy as np

from na64mu.detector import Detector
from na64mu.events.faults import Bounds
from na64mu.events.reader import read_batch
from na64mu.events.screening import screened
from na64mu.inputs.entry_of_event import entry_of_event
from na64mu.results.candidates import MOST, Candidate, candidate_of
from na64mu.results.freeze import Freeze
from na64mu.results.run import RunResult

__all__ = ("candidates_of",)


def candidates_of(result: RunResult, frozen: Freeze, layout: Any = None) -> tuple[Candidate, ...]:
    """Read the events that an opened result lists, from the files of its freeze.

    Parameters
    ----------
    result : RunResult
        Opened result.
    frozen : Freeze
        The search: its files with their runs.
    layout : Layout, optional
        Layout of foreign trees.

    Returns
    -------
    tuple of Candidate
        The first ones that pass all cuts, then others; rows with faults are left out, as in the run.
    """
    wanted = sorted(((not e.passes, name, e.run, e.event) for name, events in result.in_box.items() for e in events))[:MOST]
    detectors = {tag: Detector.model_validate(content) for tag, content in result.setup["detectors"].items()}
    tags = {file.path: file.detector for file in result.provenance.inputs}
    found = []
    for _, dataset, run, event in wanted:
        for file in frozen.inputs:
            if file.dataset != dataset or run not in {number for number, _ in file.runs}:
                continue
            entry = _entry(file.path, run, event, layout)
            if entry is None:
                continue
            tag = tags.get(file.path, "")
            tag = tag if tag in detectors else next(iter(detectors))
            batch = read_batch(file.path, entry, entry + 1, layout=layout)
            bounds = Bounds.of(detectors[tag], complete=layout is None or not layout.absent)
            found.append(candidate_of(screened(batch, bounds, np.array([entry])).batch, dataset, file.path, tag))
            break
    return tuple(found)


def _entry(path: str, run: int, event: int, layout: Any) -> int | None:
    from na64mu.errors import InputError

    try:
        return entry_of_event(path, run, event, layout=layout)
    except InputError:  # the run goes on in another file
        return None
