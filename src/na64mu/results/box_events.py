"""The events in the signal box of data, after it was opened: one row each, so that each can be looked at."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from na64mu.common.whole_file import write_whole
from na64mu.typing import BoolArray, Summary

__all__ = ("NAME", "BoxEvent", "box_events", "box_rows", "write_box_events")

NAME = "events_in_box.csv"


class BoxEvent(NamedTuple):
    """An event in the box before the plane cut: run, number in it, trigger configuration, momenta [GeV/c], energy [GeV], and whether it passes that cut."""

    run: int
    event: int
    config: int
    p_in: float
    p_out: float
    e_cal: float
    passes: bool


def box_rows(summary: Summary, in_box: BoolArray, after: BoolArray) -> list[list[Any]]:
    """Rows of the events of one chunk, as plain values that can be added and kept.

    Parameters
    ----------
    summary : Summary
        Columns of shape (n_events,).
    in_box, after : BoolArray
        Shape (n_events,): events of the box before the plane cut, events that pass all cuts.

    Returns
    -------
    list of list
        Values in the order of `BoxEvent`.
    """
    columns = [np.asarray(summary[name])[in_box].tolist() for name in BoxEvent._fields[:-1]]
    return [list(row) for row in zip(*columns, after[in_box].tolist(), strict=True)]


def box_events(rows: Iterable[Sequence[Any]]) -> tuple[BoxEvent, ...]:
    """Rows as events, in order of run and event number.

    Parameters
    ----------
    rows : iterable of sequence
        As `box_rows` returns them.

    Returns
    -------
    tuple of BoxEvent
    """
    return tuple(sorted(BoxEvent(*row) for row in rows))


def write_box_events(events: Mapping[str, Iterable[BoxEvent]], folder: str | Path) -> Path:
    """Write events_in_box.csv.

    Parameters
    ----------
    events : mapping of str to iterable of BoxEvent
        Dataset -> events.
    folder : str or Path

    Returns
    -------
    Path
        The file: a head with units, one line an event.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("dataset", "run", "event", "config", "p_in_gev", "p_out_gev", "e_cal_gev", "passes_all_cuts"))
    for dataset, own in events.items():
        for e in own:
            table.writerow((dataset, e.run, e.event, e.config, f"{e.p_in:.6g}", f"{e.p_out:.6g}", f"{e.e_cal:.6g}", int(e.passes)))
    return write_whole(Path(folder) / NAME, text.getvalue())
