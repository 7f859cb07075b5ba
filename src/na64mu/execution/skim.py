"""Rewrites raw trees to fast files without losing anything: the library side of `na64mu skim`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from na64mu.common.arguments import file_name, one_of, whole
from na64mu.detector import known_detectors, load_detector
from na64mu.errors import InputError
from na64mu.events.batch import RawBatch
from na64mu.events.faults import Bounds
from na64mu.events.fitting import layouts_of
from na64mu.events.layout import Layout, load_layout
from na64mu.events.optional import completed, parts_of
from na64mu.events.origin import file_is_data
from na64mu.events.reader import count_entries, read_batch, read_runs
from na64mu.events.root_io import open_file, sentence_for
from na64mu.events.schema_v1 import TRIGGER_BITS
from na64mu.events.screening import sentence_of
from na64mu.events.writer import RawTreeWriter, Storage
from na64mu.execution.targets import must_be_apart
from na64mu.inputs.paths import inputs_of
from na64mu.inputs.raw_file import need_own_numbers, read_numbers
from na64mu.inputs.refused import Tally
from na64mu.typing import BoolArray

__all__ = ("selected", "skim")

log = logging.getLogger(__name__)


def skim(
    files: Iterable[str | Path] | str | Path,
    output: str | Path,
    *,
    keep: Iterable[str] | str = (),
    layout: Layout | str | Path | None = None,
    kind: Storage | str = "ttree",
    chunksize: int = 50_000,
) -> tuple[int, int]:
    """Write the events of several files to one.

    Parameters
    ----------
    files : str, Path or iterable of them
        Raw trees.
    output : str or Path
        File to write; it appears whole or not at all.
    keep : str or iterable of str
        Trigger conditions ("calibration", "physics", "random") of which an event needs one; all events without any.
    layout : Layout, str or Path, optional
        Branch layout of foreign trees.
    kind : {"ttree", "rntuple"}
        Storage format of the trees.
    chunksize : int
        Events read at a time.

    Returns
    -------
    n_read, n_written : int
        Events.

    Raises
    ------
    InputError
        If anything cannot be read, an event occurs twice, files with and without truth are mixed, or data have truth.
    """
    kind, chunksize = one_of(kind, get_args(Storage), "kind", InputError), whole(chunksize, "chunksize", least=1, error=InputError)
    wanted = [one_of(name, TRIGGER_BITS, "keep", InputError) for name in ([keep] if isinstance(keep, str) else keep)]
    output = file_name(output, "output")
    foreign = None if layout is None else load_layout(layout)
    inputs = inputs_of(files, foreign)
    paths = [path for names in inputs.datasets.values() for path in names]
    damage = [loss.reason for loss in inputs.losses if loss.is_damage]
    damage += [
        f"{path}: the fileset asks for steps of it, a skim reads whole files; leave them out" for path, s in inputs.specs.items() if s.steps
    ]
    if damage or not paths:
        raise InputError(*(damage or ["no input was given: name ROOT files, folders or a fileset JSON"]))
    must_be_apart(output, paths)
    bits = sum(1 << TRIGGER_BITS[name] for name in set(wanted))
    rows: list[dict[str, Any]] = []
    n_read, tally = 0, Tally()
    layouts = layouts_of(paths, foreign)
    for path, own in layouts.items():
        if own is not None:
            need_own_numbers(own, count_entries(path, layout=own), path)
    _no_duplicates(layouts)
    parts = set().union(*(parts_of(read_batch(path, 0, 0, layout=own)) for path, own in layouts.items()))
    with RawTreeWriter(output, kind) as writer:
        for path, layout_of_file in layouts.items():
            rows += [row for row in _rows(path, layout_of_file) if row not in rows]  # of one run in two files
            bounds = _bounds(path, layout_of_file)
            entries, before = count_entries(path, layout=layout_of_file), n_read
            for start in range(0, entries, chunksize):
                batch = completed(read_batch(path, start, min(start + chunksize, entries), layout=layout_of_file), parts)
                if layout_of_file is not None and not layout_of_file.is_numbered:
                    batch.scalars["event"] += np.uint64(before)  # entries of several files go on counting
                if bounds is not None:
                    tally.screen(batch, bounds, ("", path), start)
                n_read += len(batch)
                writer.extend(batch if not wanted else selected(batch, (batch.scalars["trigger"] & np.uint32(bits)) != 0))
        writer.finish(rows)
    for (_, path, kind, column), count in tally.faults.items():
        log.warning("%s: %s", path, sentence_of(kind, column, count, "written as it is; what reads the file follows its rules"))
    return n_read, writer.n_events


def selected(batch: RawBatch, mask: BoolArray) -> RawBatch:
    """Some events of a batch.

    Parameters
    ----------
    batch : RawBatch
        Events.
    mask : BoolArray
        Those that are kept, shape (n_events,).

    Returns
    -------
    RawBatch
        The events, in order.
    """
    return batch.with_events(mask)


def _rows(path: str, layout: Layout | None) -> list[dict[str, Any]]:
    """Bookkeeping of a file; what a layout says of generated events is not written, for a reader could take it for that of a simulation.

    Raises
    ------
    InputError
        If the file is data and has truth.
    """
    rows = read_runs(path, layout=layout)
    with sentence_for(path), open_file(path) as file:
        data = file_is_data(file, path, layout)
    return [row | {"n_generated": 0} for row in rows] if data and layout is not None else rows


def _bounds(path: str, layout: Layout | None) -> Bounds | None:
    """What the rows of a file of one known detector can hold."""
    tags = {str(row["detector"]) for row in read_runs(path, layout=layout)}
    if len(tags) != 1 or not tags <= set(known_detectors()):
        return None
    return Bounds.of(load_detector(tags.pop()), complete=layout is None or not layout.absent)


def _no_duplicates(layouts: Mapping[str, Layout | None]) -> None:
    from na64mu.events.schema_v1 import TREE
    from na64mu.inputs.duplicates import EventSource, find_duplicates

    def source(path: str, layout: Layout | None) -> EventSource:
        tree = TREE if layout is None else layout.trees.events

        def read(start: int, stop: int) -> tuple[Any, Any, Any]:
            columns = read_numbers(path, tree, start, stop, layout)
            return columns["run"], columns["event"], columns["config"]

        return EventSource("", path, 0, count_entries(path, layout=layout), True, {}, read, numbered=layout is None or layout.is_numbered)

    _, found = find_duplicates([source(path, layout) for path, layout in layouts.items()])
    losses = [loss for loss in found if loss.kind == "duplicate"]
    if losses:
        raise InputError(*(f"{loss.reason.removesuffix('; left out here')}: a skim cannot keep muons on target right" for loss in losses))
