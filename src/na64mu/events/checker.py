"""Checking files against the raw-tree form: everything that is wrong is named with its branch and entry.

A file is read in chunks, every branch of it, so that damage which only shows when a basket is unpacked is
found too. A report without findings means: this file reads, and its numbers can be what they say they are.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.common.arguments import file_name, file_names
from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.errors import InputError
from na64mu.events.batch import RawBatch
from na64mu.events.branches import counters_of, top_names
from na64mu.events.checksums import Checksums, read_checksums
from na64mu.events.event_keys import check_keys, duplicates_across
from na64mu.events.fault_rules import KINDS
from na64mu.events.faults import Bounds, find_faults
from na64mu.events.file_scan import KEY, FileScan
from na64mu.events.findings import CheckReport, Finding
from na64mu.events.fitting import layouts_of
from na64mu.events.layout import Layout, load_layout
from na64mu.events.origin import file_is_data
from na64mu.events.reader import count_entries, read_batch
from na64mu.events.root_io import find_tree, open_file, read_columns, sentence_for
from na64mu.events.run_checks import check_bookkeeping, check_runs, events_by_detector
from na64mu.events.schema_v1 import (
    OPTIONAL_TRUTH,
    RUNS,
    TREE,
    TRUTH,
    branches,
    collections_of,
    nearest_branches,
    optional_branches,
    twice,
)
from na64mu.events.structure import sound_batch
from na64mu.events.units import mip_counts, unit_sentences
from na64mu.events.version import COLUMNS as VERSION_COLUMNS
from na64mu.events.version import check_version, version_of
from na64mu.typing import IntArray

__all__ = ("check_file", "check_files")

CHUNK = 50_000  # events read at a time


def check_file(
    path: str | Path, detectors: Mapping[str, DetectorLike] | None = None, layout: Layout | str | Path | None = None
) -> CheckReport:
    """Check one file.

    Parameters
    ----------
    path : str or Path
        File to check.
    detectors : mapping, optional
        Tag -> description (or its file) of detectors beside those that ship with the package.
    layout : Layout, str or Path, optional
        How a foreign tree maps onto the raw tree.

    Returns
    -------
    CheckReport
        Without findings if everything is fine; nothing is raised for a bad file.
    """
    return check_files([file_name(path, "path")], detectors, layout)[0]


def check_files(
    paths: Iterable[str | Path] | str | Path,
    detectors: Mapping[str, DetectorLike] | None = None,
    layout: Layout | str | Path | None = None,
    trees: Mapping[str, str] | None = None,
) -> list[CheckReport]:
    """Check several files, and that no (run, event) is in two of them.

    Parameters
    ----------
    paths : str, Path or iterable of them
        Files to check.
    detectors, layout
        As for check_file; raw trees among foreign ones are checked without the layout.
    trees : mapping, optional
        Path -> the tree that a fileset names.

    Returns
    -------
    list[CheckReport]
        One per file, in order.
    """
    paths, own = file_names(paths, "paths"), {tag: load_detector(detector) for tag, detector in (detectors or {}).items()}
    foreign = None if layout is None else load_layout(layout)
    layouts = layouts_of([str(path) for path in paths], foreign)
    scans = [_scan(str(path), own, layouts[str(path)], (trees or {}).get(str(path), "")) for path in paths]
    for scan in scans:
        if foreign is not None and layouts[scan.path] is None:
            finding = Finding("warning", "layout", "", f"has the raw-tree form and is read as it is, without {foreign.origin}")
            scan.report = replace(scan.report, findings=(*scan.report.findings, finding))
    for i, duplicates in duplicates_across([scan.keys if _is_numbered(layouts[scan.path]) else scan.keys[:0] for scan in scans]).items():
        for j, (first, count, run, event) in duplicates.items():
            message = f"run {run} event {event} stands in {paths[j]} too"
            finding = Finding("error", "duplicate-file", "event", message, (first,), count)
            scans[i].report = replace(scans[i].report, findings=(*scans[i].report.findings, finding))
    return [scan.report for scan in scans]


def _is_numbered(layout: Layout | None) -> bool:
    """Whether the events of a file have numbers of their own, which can be in another file too."""
    return layout is None or layout.is_numbered


def _scan(path: str, detectors: dict[str, Detector], layout: Layout | None, tree: str) -> FileScan:
    scan = FileScan(path, complete=layout is None or not layout.absent)
    try:
        with sentence_for(path), open_file(path) as file:
            name = TREE if layout is None else layout.trees.events
            if tree and tree != name:
                find_tree(file, path, tree)
                scan.found.add("tree", "", f"the fileset names the tree {tree!r}, the one that is read is {name!r}")
            if layout is None:
                scan.version = _version(file, path)
                check_version(file, path)
            check_runs(scan, detectors, layout)
            if layout is None:
                scan.unknown = _unknown_fields(file, path)
                checksums = read_checksums(file, path)
                _check_tree(scan, find_tree(file, path, TREE), checksums)
            else:
                _check_foreign(scan, layout)
            _check_origin(scan, file, layout)
    except InputError as error:
        scan.found.add("unreadable", "", str(error).removeprefix(f"{path}: "))
    check_keys(scan, layout)
    check_bookkeeping(scan)
    for tag, muons in scan.muons_of.items():
        for name, sentence in unit_sentences(muons, detectors[tag] if tag in detectors else load_detector(tag)):
            scan.found.add("units", f"{name}_energy", sentence)
    tags = tuple(sorted({row["detector"] for row in scan.runs}))
    runs = tuple(sorted({row["run"] for row in scan.runs}))
    findings = tuple(scan.found.found.values())
    scan.report = CheckReport(path, scan.n_events, runs, tags, findings, scan.version, scan.optional, scan.unknown)
    return scan


def _check_origin(scan: FileScan, file: Any, layout: Layout | None) -> None:
    """Truth in what the bookkeeping calls data; that there is no bookkeeping is a finding of its own."""
    try:
        if scan.runs:
            file_is_data(file, scan.path, layout)
    except InputError as error:
        scan.found.add("origin", "runs.n_generated", str(error).removeprefix(f"{scan.path}: "))


def _check_tree(scan: FileScan, tree: Any, checksums: Checksums | None) -> None:
    present = set(tree.keys())
    scan.n_events = tree.num_entries
    mandatory = branches(collections_of(present))
    if twice(present):
        scan.found.add("both-tiers", "", twice(present))
    for name in mandatory:
        if name not in present:
            scan.found.add("missing", name, f"mandatory branch is missing; {nearest_branches(name, present)}")
    truth = [name for name in TRUTH if name in present]
    absent = [name for name in TRUTH if name not in present and name not in OPTIONAL_TRUTH]
    if truth and absent:
        scan.found.add("truth", absent[0], f"the file has truth, but not {', '.join(absent)}", severity="warning")
    scan.optional = tuple(name for name in optional_branches() if name in present)
    names = [name for name in dict.fromkeys([*mandatory, *truth, *scan.optional]) if name in present]
    scan.unknown += tuple(sorted(top_names(tree) - set(names) - counters_of(tree)))
    if checksums is not None and checksums.borders[-1] != scan.n_events:
        message = f"were made for {checksums.borders[-1]} events, the tree has {scan.n_events}; they are not used"
        scan.found.add("checksums", "", message, severity="warning")
        checksums = None
    for name in () if checksums is None else sorted(set(checksums.gone(present)) - set(mandatory)):
        scan.found.add("checksum", name, "was written and is not there")
    for start, stop in _ranges(scan.n_events, checksums):
        columns = _columns(scan, tree, names, start, stop)
        batch = sound_batch(columns, start, scan.found)
        _check_values(scan, batch, start)
        if checksums is not None and "run" in batch.scalars:
            for name, low, high in checksums.wrong(batch, start):
                scan.found.add("checksum", name, "has other numbers than were written", np.arange(low, high))


def _version(file: Any, path: str) -> str | None:
    """Version of the raw tree; None if it cannot be read, which is a finding about the bookkeeping."""
    try:
        return str(version_of(file, path))
    except InputError:
        return None


def _unknown_fields(file: Any, path: str) -> tuple[str, ...]:
    """Fields of the bookkeeping that are not part of the raw tree; that it is missing or damaged is a finding of its own."""
    try:
        tree = find_tree(file, path, "runs")
    except InputError:
        return ()
    return tuple(sorted(f"runs.{name}" for name in top_names(tree) - counters_of(tree) - RUNS.keys() - VERSION_COLUMNS.keys()))


def _ranges(n_events: int, checksums: Checksums | None) -> list[tuple[int, int]]:
    """Ranges of about CHUNK events; with checksums they end where clusters end."""
    if checksums is None:
        return [(start, min(start + CHUNK, n_events)) for start in range(0, max(n_events, 1), CHUNK)]
    borders = [0]
    for low, high in itertools.pairwise(checksums.borders):
        if borders[-1] < low and high - borders[-1] > CHUNK:
            borders.append(low)
    return list(itertools.pairwise([*borders, n_events]))


def _check_foreign(scan: FileScan, layout: Layout) -> None:
    scan.n_events = count_entries(scan.path, layout=layout)
    for start in range(0, max(scan.n_events, 1), CHUNK):
        _check_values(scan, read_batch(scan.path, start, start + CHUNK, layout=layout), start)


def _columns(scan: FileScan, tree: Any, names: list[str], start: int, stop: int) -> dict[str, Any]:
    """All columns that can be read; each that cannot is a finding."""
    try:
        return read_columns(tree, names, scan.path, start, stop)
    except InputError:
        columns: dict[str, Any] = {}
        for name in names:
            try:
                columns |= read_columns(tree, [name], scan.path, start, stop)
            except InputError as error:
                scan.found.add("unreadable", name, str(error).removeprefix(f"{scan.path}: "), np.arange(start, stop))
        return columns


def _check_values(scan: FileScan, batch: RawBatch, start: int) -> None:
    scalars = batch.scalars
    if {"run", "event"} <= set(scalars):
        keys = np.empty(len(batch), KEY)
        keys["run"], keys["event"], keys["entry"] = scalars["run"], scalars["event"], start + np.arange(len(batch))
        scan.key_chunks.append(keys)
    if not {"run", "config"} <= set(scalars):
        _add_faults(scan, batch, "", start + np.arange(len(next(iter(scalars.values()), ()))))
        return
    for tag, own in events_by_detector(scan, batch, start):
        whole = bool(own.all())
        _add_faults(scan, batch if whole else batch.with_events(own), tag, start + np.flatnonzero(own))


def _add_faults(scan: FileScan, batch: RawBatch, tag: str, entries: IntArray) -> None:
    """Add the faults of events of one detector, whose entries in the file are given."""
    for fault in find_faults(batch, scan.bounds.get(tag, Bounds(complete=scan.complete))):
        kind = KINDS[fault.kind]
        message = f"{fault.message} (detector {tag})" if fault.kind.endswith("-address") else fault.message
        scan.found.add(kind.code, fault.branch, message, entries[fault.events], kind.severity)
    for name, counts in mip_counts(batch, scan.bounds[tag].modules).items() if tag else ():
        scan.muons_of.setdefault(tag, {}).setdefault(name, Counter()).update(counts)
