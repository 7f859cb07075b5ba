"""Checks of the bookkeeping of a file: its rows by themselves, and against the events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from na64mu.detector import Detector, known_detectors, load_detector
from na64mu.errors import InputError
from na64mu.events.batch import RawBatch
from na64mu.events.faults import Bounds
from na64mu.events.file_scan import FileScan
from na64mu.events.layout import Layout
from na64mu.events.reader import read_runs
from na64mu.events.run_rows import RunSums, contradictions, sums_of
from na64mu.events.schema_v1 import TRIGGER_BITS
from na64mu.typing import AnyArray, BoolArray

__all__ = ("check_bookkeeping", "check_runs", "events_by_detector")


def check_runs(scan: FileScan, detectors: dict[str, Detector], layout: Layout | None) -> None:
    """Read the rows of the bookkeeping, and find what is wrong with them by themselves.

    Parameters
    ----------
    scan : FileScan
        Receives the rows, the limits of their detectors, and the findings.
    detectors : dict of str to Detector
        Tag -> description of detectors beside those that ship with the package.
    layout : Layout or None
        Layout of a foreign tree.
    """
    try:
        scan.runs = read_runs(scan.path, layout=layout)
    except InputError as error:
        scan.found.add("runs", "runs", str(error).removeprefix(f"{scan.path}: "))
        return
    if not scan.runs:
        scan.found.add("runs-empty", "runs", "has no rows, so nothing in this file can be normalised", severity="warning")
    known = sorted({*known_detectors(), *detectors})
    for tag in sorted({row["detector"] for row in scan.runs}):
        if tag in detectors:
            scan.bounds[tag] = Bounds.of(detectors[tag], complete=scan.complete)
        elif tag in known:
            scan.bounds[tag] = Bounds.of(load_detector(tag), complete=scan.complete)
        else:
            message = f"there is no detector description {tag!r}; known are {', '.join(known)}; name the file of your own with --detector"
            scan.found.add("detector", "runs.detector", message)
    for label in sorted({part for row in scan.runs for part in row["conditions"].split(";") if part.startswith("conditions=")}):
        message = f"names {label}: give that file as --detector to whatever reads these events, or channels and gains are taken as shipped"
        scan.found.add("conditions", "runs.conditions", message, severity="warning")
    for pair, n in Counter((row["run"], row["config"]) for row in scan.runs).items():
        if n > 1:
            scan.found.add("runs-duplicate", "runs", f"run {pair[0]} config {pair[1]} has {n} rows, one is needed")
        if pair[1] not in (1, 2):
            scan.found.add("config", "runs.config", f"run {pair[0]} has config {pair[1]}, it is 1 or 2")


def events_by_detector(scan: FileScan, batch: RawBatch, start: int) -> Iterator[tuple[str, BoolArray]]:
    """Yield the tags of detectors and the events of each; the sums of every (run, config) are made on the way.

    Parameters
    ----------
    scan : FileScan
        Receives the sums.
    batch : RawBatch
        Events with run and config.
    start : int
        Entry of the first one.

    Yields
    ------
    (str, BoolArray)
        Tag, empty where no detector is known, and a mask of shape (n_events,).
    """
    run, config = batch.scalars["run"].astype(np.int64), batch.scalars["config"].astype(np.int64)
    pairs, first, index = np.unique(run * 256 + config, return_index=True, return_inverse=True)
    tags: list[str] = []
    for i, code in enumerate(pairs):
        pair = (int(code) // 256, int(code) % 256)
        mine = index == i
        entry, n = scan.pairs.get(pair, (start + int(first[i]), 0))
        scan.pairs[pair] = (entry, n + int(np.count_nonzero(mine)))
        if "trigger" in batch.scalars:
            scan.muons[pair] += _muons(batch.scalars["trigger"][mine], scan.prescale_of.get(pair, 1))
        tags.append(scan.detector_of.get(pair, ""))
    for pair, sums in sums_of(batch.scalars).items() if "trigger" in batch.scalars else ():
        scan.sums[pair] = scan.sums[pair] + sums if pair in scan.sums else sums
    for tag in dict.fromkeys(tags):
        yield tag, np.array([t == tag for t in tags])[index]


def _muons(trigger: AnyArray, prescale: int) -> int:
    """Lower limit on the muons that met S0*S1*!V1, as represented by the written events.

    A calibration trigger that was written alone represents `prescale` muons (the last one perhaps for fewer), one that
    met another condition too for itself.
    """
    calibration, physics, random = ((trigger >> bit) & 1 == 1 for bit in TRIGGER_BITS.values())
    alone = int(np.count_nonzero(calibration & ~physics & ~random))
    together = int(np.count_nonzero((calibration | physics) & ~(calibration & ~physics & ~random)))
    return max(alone - 1, 0) * prescale + (alone > 0) + together


def check_bookkeeping(scan: FileScan) -> None:
    """Compare the rows of the bookkeeping with the events that were read.

    Parameters
    ----------
    scan : FileScan
        Has both, and receives the findings.
    """
    rows = {(row["run"], row["config"]): row for row in scan.runs}
    if ("runs", "runs") in scan.found.found:
        return
    for pair, (entry, n) in sorted(scan.pairs.items()):
        if pair not in rows:
            message = f"run {pair[0]} config {pair[1]} has {n} events, but no row in 'runs'"
            scan.found.add("runs-missing", f"runs ({pair[0]}, {pair[1]})", message, np.array([entry]))
            continue
        for name, sentence in contradictions(rows[pair], scan.sums.get(pair, RunSums(0, 0.0, 0)), scan.muons[pair]):
            scan.found.add("exposure", f"runs.{name}", f"run {pair[0]} config {pair[1]} {sentence}")
