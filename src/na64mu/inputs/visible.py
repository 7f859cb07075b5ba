"""Events as a notebook opens and reconstructs them: of data, those that may be seen (na64mu.selections.blinding).

Simulation goes through unchanged. Of data the hidden events are withheld, and this is said once: `open_events` reads and reconstructs the whole file to
know them, and hands out the others. Opened with the description that they are then reconstructed with, events and summary have the same rows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from na64mu.common.arguments import file_name
from na64mu.detector import DetectorLike, load_detector
from na64mu.errors import InputError
from na64mu.events import nanoevents
from na64mu.events.batch import RawBatch, as_batch, concatenate
from na64mu.events.layout import Layout, load_layout
from na64mu.events.origin import PROCESS, file_is_data, path_is_data
from na64mu.events.reader import count_entries, read_batch, read_runs
from na64mu.events.root_io import open_file, sentence_for
from na64mu.inputs.frozen_floors import Freezes, floors_for
from na64mu.inputs.raw_file import installed_detector
from na64mu.reconstruction import spectrometers
from na64mu.reconstruction import summary as reconstruction
from na64mu.reconstruction.event_summary import EventSummary
from na64mu.selections.blinding import BlindingPolicy
from na64mu.selections.working_point import WorkingPoint
from na64mu.typing import BoolArray, Summary

__all__ = ("file_of", "open_events", "reconstruct", "spectrometer_tracks", "visible_rows")

log = logging.getLogger(__name__)

#: Events of data that are read and reconstructed at a time.
STEP = 50_000
_SAID: set[str] = set()

Selection = str | Path | WorkingPoint | None


def open_events(
    path: str | Path | Iterable[str | Path],
    *,
    layout: Layout | str | Path | None = None,
    access_log: list[Any] | None = None,
    detector: DetectorLike | None = None,
    selection: Selection = None,
    freeze: Freezes = None,
) -> Any:
    """Open the events of a file; of data those that may be seen.

    Events of simulation are a virtual array, of which a column is read when it is first touched. Data are read at once.

    Parameters
    ----------
    path : str, Path or iterable of them
        A raw tree, or a foreign tree with its layout; a pattern such as "beam_*.root", a folder (all ``*.root`` in it), or several of all
        these, whose events follow each other in the order given.
    layout : Layout, str or Path, optional
        Mapping of a foreign tree onto the raw tree.
    access_log : list, optional
        Receives the columns as they are read, of simulation.
    detector : Detector, str or Path, optional
        Description that says which events of data are hidden, where it is not the one that the bookkeeping names: give the one that they will be
        reconstructed with, and the summary has the same rows. Simulation does not need it.
    selection : WorkingPoint, str or Path, optional
        Working point whose signal box is hidden in data too; it contains the frozen ones. Without it, what is frozen is hidden.
    freeze : str, Path, Freeze or iterable of them, optional
        Freeze files that hold beside those found beside the data.

    Returns
    -------
    NanoEvents
        Shape (n_events,), with the behaviours of na64mu.events.behaviors.

    Raises
    ------
    InputError
        If a file cannot be read or does not have the raw-tree form, none matches, or files with and without truth (or waveforms) are mixed.
    BlindedError
        If there are data and the box of the selection does not contain the frozen one.
    """
    foreign = None if layout is None else load_layout(layout)
    paths = nanoevents.files_of(path)
    data = [_is_data(each, foreign) for each in paths]
    if not any(data):
        return nanoevents.open_events(paths, layout=foreign, access_log=access_log)
    if not all(data):
        msg = f"{paths[data.index(True)]} is data and {paths[data.index(False)]} is simulation; open them one by one"
        raise InputError(msg)
    policy = _of_data(selection, paths, freeze)
    batches = [batch for each in paths for batch in _visible_batches(each, foreign, policy, detector)]
    return nanoevents.to_events(concatenate(batches), {"filename": str(paths[0])} if len(paths) == 1 and foreign is None else {})


def _is_data(path: str | Path, layout: Layout | None) -> bool:
    with sentence_for(path), open_file(path) as file:
        return file_is_data(file, path, layout)


def _of_data(selection: Selection, paths: Iterable[str | Path], freeze: Freezes) -> BlindingPolicy:
    policy = BlindingPolicy.of(selection, floor=floors_for(paths, freeze, any_data=True))
    if selection is not None:
        policy.must_contain_floor(str(getattr(selection, "name", selection)))
    return policy


def _visible_batches(path: str | Path, layout: Layout | None, policy: BlindingPolicy, detector: DetectorLike | None) -> list[RawBatch]:
    """Raw events of one file of data that may be seen, some at a time."""
    tags = sorted({str(row["detector"]) for row in read_runs(path, layout=layout)})
    if detector is None and len(tags) != 1:
        msg = f"{path}: the bookkeeping names {len(tags)} detectors {tags}, one is wanted to know the hidden events; choose one with detector="
        raise InputError(msg)
    used = installed_detector(tags[0], str(path)) if detector is None else load_detector(detector)
    frozen, n = policy.floor.frozen_descriptions(tags, used), count_entries(path, layout=layout)
    found = []
    for start in range(0, max(n, 1), STEP):
        batch = read_batch(path, start, min(start + STEP, n), layout=layout)
        summary = reconstruction.reconstruct(nanoevents.to_events(batch), used)  # as events, so that faults are looked for
        visible = policy.seen(summary, batch, frozen)
        found.append(batch.with_events(visible))
        _say(visible, str(path))
    return found


def file_of(events: Any) -> str | None:
    """The file that opened events say they are from; None for a batch, and where they do not say it."""
    if isinstance(events, ak.Record):
        events = ak.to_layout(events).array
    if isinstance(events, RawBatch):
        return None
    name = (ak.parameters(events).get("metadata") or {}).get("filename")
    return str(name) if name else None


def visible_rows(
    batch: RawBatch,
    detector: DetectorLike,
    path: str | Path | None,
    *,
    layout: Layout | None = None,
    selection: Selection = None,
    freeze: Freezes = None,
    summary: Summary | None = None,
) -> BoolArray:
    """Events of a batch that may be seen.

    Parameters
    ----------
    batch : RawBatch
        Raw events.
    detector : Detector, str or Path
        Description that they are reconstructed with.
    path : str or Path, optional
        Their file, whose bookkeeping says whether they are data. Of events without a file, those with truth are simulation.
    layout : Layout, optional
        By which the file is read.
    selection : WorkingPoint, str or Path, optional
        Working point whose signal box is hidden too.
    freeze : str, Path, Freeze or iterable of them, optional
        Freeze files that hold beside those found beside the data.
    summary : Summary, optional
        The events, where they are reconstructed already.

    Returns
    -------
    BoolArray
        Shape (n_events,).

    Raises
    ------
    BlindedError
        If there are data and the box of the selection does not contain the frozen one.
    """
    data = PROCESS not in batch.scalars
    if path is not None and (layout is not None or not data):
        data = _is_data(path, layout) if layout is not None else Path(path).exists() and path_is_data(str(path))
    if not data or not len(batch):
        return np.ones(len(batch), dtype=np.bool_)
    policy, used = _of_data(selection, [] if path is None else [path], freeze), load_detector(detector)
    tags = {used.tag}
    if path is not None and (layout is not None or Path(path).exists()):
        tags |= {str(row["detector"]) for row in read_runs(file_name(path, "path"), layout=layout)}
    found = reconstruction.reconstruct(nanoevents.to_events(batch), used) if summary is None else summary
    return policy.seen(found, batch, policy.floor.frozen_descriptions(sorted(tags), used))


def reconstruct(events: Any, detector: DetectorLike, *, selection: Selection = None, freeze: Freezes = None) -> EventSummary:
    """Reconstruct raw events; of data those that may be seen.

    Parameters
    ----------
    events : RawBatch or ak.Array
        Raw events of either tier: a batch, or an awkward (NanoEvents) array with the collections of the raw tree.
    detector : Detector, str or Path
        The description of the set-up they were taken with.
    selection : WorkingPoint, str or Path, optional
        Working point whose signal box is hidden in data too; it contains the frozen ones. Without it, what is frozen is hidden.
    freeze : str, Path, Freeze or iterable of them, optional
        Freeze files that hold beside those found beside the data.

    Returns
    -------
    EventSummary
        Column -> array of shape (n_events,): the columns of columns.py, then the truth (mc_*) that is present. Rows of data are those of the events
        that may be seen, all of them if `open_events` opened the events with this description.

    Raises
    ------
    BlindedError
        If there are data and the box of the selection does not contain the frozen one.
    """
    batch = as_batch(events)
    summary = reconstruction.reconstruct(events, detector)
    visible = visible_rows(batch, detector, file_of(events), selection=selection, freeze=freeze, summary=summary)
    if visible.all():
        return summary
    _say(visible, "these events")
    return summary.rows(visible)


def spectrometer_tracks(
    events: Any, detector: DetectorLike, *, selection: Selection = None, freeze: Freezes = None
) -> spectrometers.SpectrometerTracks:
    """Find and fit the tracks of MS1 and MS2; of data those of the events that may be seen.

    Parameters
    ----------
    events, detector, selection, freeze
        The arguments of `reconstruct`.

    Returns
    -------
    SpectrometerTracks
        The tracks of MS1 and MS2 as the event summary holds them, one entry for each of its rows.
    """
    batch = as_batch(events)
    visible = visible_rows(batch, detector, file_of(events), selection=selection, freeze=freeze)
    _say(visible, "these events")
    return spectrometers.spectrometer_tracks(batch if visible.all() else batch.with_events(visible), detector)


def _say(visible: BoolArray, what: str) -> None:
    """Say once in a process and for each file that events are withheld."""
    if visible.all() or what in _SAID:
        return
    _SAID.add(what)
    log.warning(
        "%s: data: the events of the signal box, and others among which they are hidden, are withheld (docs: explanation/blinding)", what
    )
