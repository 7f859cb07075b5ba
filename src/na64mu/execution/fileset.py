"""From what a user names (paths, globs, folders, a fileset JSON) to datasets of files that can be read.

Every file is opened once on the driver: its form is checked, its bookkeeping and its detector tag are read.
A file that cannot be used becomes one sentence in the list of losses; the others go on.
"""

from __future__ import annotations

import glob
import itertools
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.analysis.losses import Loss
from na64mu.analysis.provenance import file_hash
from na64mu.detector import Detector, load_detector
from na64mu.errors import DetectorError, InputError
from na64mu.execution.duplicates import EventSource, Excluded, find_duplicates, origins_of

__all__ = ("Fileset", "SourceFile", "dataset_name", "expand", "inspect_files")

#: Keys that coffea puts into the metadata of a chunk itself.
RESERVED = {
    "dataset",
    "filename",
    "treename",
    "metadata",
    "entrystart",
    "entrystop",
    "fileuuid",
    "numentries",
    "uuid",
    "clusters",
    "preload",
}


@dataclass(frozen=True)
class SourceFile:
    """A file that can be read.

    Attributes
    ----------
    dataset, path, tree, uuid : str
    detector : str
        Tag of its detector description.
    entries : int
    largest_cluster : int
        Most entries between two borders at which all branches start a new basket.
    rows : tuple of dict
        Rows of the `runs` tree.
    problem : str
        What is wrong with its bookkeeping; empty if nothing is.
    is_data : bool
        Whether it has no truth of a simulation.
    """

    dataset: str
    path: str
    tree: str
    uuid: str
    detector: str
    entries: int
    largest_cluster: int
    rows: tuple[dict[str, Any], ...] = ()
    problem: str = ""
    is_data: bool = True


@dataclass(frozen=True)
class Fileset:
    """Files that can be read, the detectors they need, what was lost on the way, and entries that stand twice (by path)."""

    files: tuple[SourceFile, ...]
    detectors: dict[str, Detector]
    losses: tuple[Loss, ...]
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    excluded: dict[str, Excluded] = field(default_factory=dict)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets in the order in which they were named."""
        return tuple(dict.fromkeys(f.dataset for f in self.files))

    def for_runner(self) -> dict[str, dict[str, Any]]:
        """The fileset in the form that coffea's Runner takes."""
        return {
            name: {
                "files": {f.path: f.tree for f in self.files if f.dataset == name},
                "metadata": {**self.metadata.get(name, {}), "detector": next(f.detector for f in self.files if f.dataset == name)},
            }
            for name in self.datasets
        }


def dataset_name(path: str) -> str:
    """Dataset of a file: its stem without the number at the end (beam_0001.root and beam_0002.root are dataset "beam")."""
    stem = Path(path.rsplit("/", 1)[-1]).stem
    return re.sub(r"[_-]\d+$", "", stem) or stem


def expand(files: Sequence[str | Path] | str | Path) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]], list[Loss]]:
    """Expand globs, folders and fileset JSON.

    Parameters
    ----------
    files : str, Path or sequence of them
        Paths, globs, folders (all *.root in them), addresses (root://, https://), or a JSON file:
        {dataset: {"files": [...] or {path: tree}, "metadata": {...}}} or {dataset: [...]} or a list of paths, relative to the JSON file.

    Returns
    -------
    datasets : dict of str to list of str
        Dataset -> paths, each once.
    metadata : dict of str to dict
        Dataset -> metadata of the JSON file; "detector" overrides the tag in the files.
    losses : list of Loss
        What names no file.

    Raises
    ------
    InputError
        If a JSON file is not a fileset.
    """
    datasets: dict[str, list[str]] = {}
    metadata: dict[str, dict[str, Any]] = {}
    losses: list[Loss] = []
    for name in [files] if isinstance(files, str | Path) else files:
        if str(name).endswith(".json"):
            for dataset, paths, own in _read_fileset(Path(name)):
                metadata.setdefault(dataset or "", {}).update(own)
                for path in paths:
                    _add(datasets, losses, dataset, path)
        else:
            _add(datasets, losses, None, str(name))
    metadata.pop("", None)
    return datasets, metadata, losses


def _add(datasets: dict[str, list[str]], losses: list[Loss], dataset: str | None, name: str) -> None:
    known = {_identity(path) for paths in datasets.values() for path in paths}
    paths = list(_matches(name))
    if not paths:
        what = "the folder has no *.root file" if Path(name).is_dir() else "no file matches"
        losses.append(Loss(dataset or "", name, "file", f"{name}: {what}; look for a typing mistake"))
    for path in paths:
        if _identity(path) in known:
            losses.append(Loss(dataset or dataset_name(path), path, "note", f"{path}: the file is named twice and read once"))
            continue
        known.add(_identity(path))
        datasets.setdefault(dataset or dataset_name(path), []).append(path)


def _matches(name: str) -> Iterable[str]:
    if "://" in name:
        return [name]
    if Path(name).is_dir():
        return sorted(str(path) for path in Path(name).glob("*.root"))
    if not Path(name).exists() and glob.has_magic(name):
        return sorted(glob.glob(name, recursive=True))  # noqa: PTH207  # Path.glob takes no absolute pattern
    return [name]


def _identity(path: str) -> str:
    return path if "://" in path else str(Path(path).resolve())


def _read_fileset(path: Path) -> list[tuple[str | None, list[str], dict[str, Any]]]:
    """Triples of dataset (None: by the name of the file), paths and metadata."""
    form = '{dataset: {"files": [...], "metadata": {...}}}, {dataset: [...]} or [...]'
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read as a fileset JSON ({error}); its form is {form}"
        raise InputError(msg) from error
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return [(None, [_beside(path, name) for name in content], {})]
    if not isinstance(content, dict):
        msg = f"{path}: not a fileset; its form is {form}"
        raise InputError(msg)
    triples: list[tuple[str | None, list[str], dict[str, Any]]] = []
    for dataset, value in content.items():
        names = value.get("files") if isinstance(value, dict) else value
        metadata = value.get("metadata", {}) if isinstance(value, dict) else {}
        if not isinstance(names, list | dict) or not all(isinstance(name, str) for name in names) or not isinstance(metadata, dict):
            msg = f"{path}: dataset {dataset!r}: a list of paths, or a table with 'files', is wanted; the form of a fileset is {form}"
            raise InputError(msg)
        if RESERVED & set(metadata):
            msg = f"{path}: dataset {dataset!r}: the metadata key {min(RESERVED & set(metadata))!r} is reserved; choose another name"
            raise InputError(msg)
        triples.append((dataset, [_beside(path, name) for name in names], metadata))
    return triples


def _beside(fileset: Path, name: str) -> str:
    return name if "://" in name or Path(name).is_absolute() else str(fileset.parent / name)


def inspect_files(files: Sequence[str | Path] | str | Path, *, detector: str | None = None, layout: Any = None) -> Fileset:
    """Open every file, check its form, read its bookkeeping and find its detector.

    Parameters
    ----------
    files : str, Path or sequence of them
        See `expand`.
    detector : str, optional
        Tag or TOML file that stands for the tags in the files.
    layout : Layout, optional
        Maps the branch names of a foreign tree.

    Returns
    -------
    Fileset
        The usable files, and one loss for every other.

    Raises
    ------
    DetectorError
        If a file names a detector that is not known; the message lists the known ones.
    InputError
        If one dataset mixes detectors, or a fileset JSON is wrong.
    """
    datasets, metadata, losses = expand(files)
    chosen = load_detector(detector) if detector is not None else None
    detectors: dict[str, Detector] = {}
    good: list[SourceFile] = []
    for dataset, paths in datasets.items():
        named = metadata.get(dataset, {}).get("detector")
        override = chosen if chosen is not None or named is None else load_detector(str(named))
        for path in paths:
            try:
                file = _inspect(dataset, path, override, layout)
            except InputError as error:
                losses.append(Loss(dataset, path, "file", str(error)))
                continue
            detectors[file.detector] = _detector_of(file) if override is None else override
            good.append(file)
            if file.entries == 0:
                losses.append(Loss(dataset, path, "note", f"{path}: the tree {file.tree!r} has no events", 0, 0))
        tags = {f.detector: f.path for f in good if f.dataset == dataset}
        if len(tags) > 1:
            listed = ", ".join(f"{tag} ({path})" for tag, path in tags.items())
            msg = f"dataset {dataset!r} mixes detectors: {listed}; give them as two datasets in a fileset JSON"
            raise InputError(msg)
    good = without_copies(good, losses)
    excluded, doubled = find_duplicates([_event_source(file, layout) for file in good])
    own = {name: {k: v for k, v in m.items() if k != "detector"} for name, m in metadata.items()}
    return Fileset(tuple(good), detectors, (*losses, *doubled), own, excluded)


def without_copies(files: Sequence[Any], losses: list[Loss]) -> list[Any]:
    """Files without those that have the same content as an earlier one.

    Parameters
    ----------
    files : sequence of SourceFile
        In order; each has a path and a dataset.
    losses : list of Loss
        Receives one for each copy.

    Returns
    -------
    list of SourceFile
        The first file of every content.
    """
    by_size: dict[int, list[str]] = {}
    for path in dict.fromkeys(f.path for f in files if "://" not in f.path and Path(f.path).exists()):
        by_size.setdefault(Path(path).stat().st_size, []).append(path)
    copy_of: dict[str, str] = {}
    for same_size in by_size.values():
        first_with: dict[str, str] = {}
        for path in same_size if len(same_size) > 1 else ():
            first = first_with.setdefault(file_hash(path), path)
            if first != path:
                copy_of[path] = first
    for path, first in copy_of.items():
        dataset = next(f.dataset for f in files if f.path == path)
        losses.append(Loss(dataset, path, "duplicate", f"{path}: has the same content as {first} and is left out; name one of them only"))
    return [f for f in files if f.path not in copy_of]


def _event_source(file: SourceFile, layout: Any) -> EventSource:
    def read(start: int, stop: int) -> tuple[Any, Any, Any]:
        columns = read_numbers(file.path, file.tree, start, stop, layout)
        return columns["run"], columns["event"], columns["config"]

    return EventSource(file.dataset, file.path, 0, file.entries, file.is_data, origins_of(file.rows), read)


def read_numbers(
    path: str, tree: str, start: int, stop: int, layout: Any = None, scalars: Sequence[str] = ("run", "event", "config")
) -> dict[str, Any]:
    """Some scalars of a range of entries, without the rest of them where that is possible.

    Parameters
    ----------
    path, tree : str
        File and tree.
    start, stop : int
        Entries.
    layout : Layout, optional
        Of a foreign tree.
    scalars : sequence of str
        Scalars of the raw tree.

    Returns
    -------
    dict of str to array
        Shape (stop - start,) each.

    Raises
    ------
    InputError
        If they cannot be read.
    """
    from na64mu.events.reader import read_batch
    from na64mu.events.source import find_tree, open_file, read_columns

    names = {name: name for name in scalars}
    if layout is not None:
        columns = {name: layout.scalars[name] for name in names}
        if any(c.branch is None or c.scale is not None or c.bits is not None for c in columns.values()):
            return read_batch(path, start, stop, layout=layout).scalars
        names = {name: str(c.branch) for name, c in columns.items()}
    with open_file(path) as root:
        found = read_columns(find_tree(root, path, tree), list(names.values()), path, start, stop)
    return {name: np.asarray(found[branch]) for name, branch in names.items()}


def _detector_of(file: SourceFile) -> Detector:
    try:
        return load_detector(file.detector)
    except DetectorError as error:
        msg = f"{file.path}: the file was taken with detector {file.detector!r}: {error}; use --detector to choose a description yourself"
        raise DetectorError(msg) from error


def _inspect(dataset: str, path: str, override: Detector | None, layout: Any) -> SourceFile:
    from na64mu.events.form import TREE
    from na64mu.events.nano import open_events
    from na64mu.events.reader import read_runs
    from na64mu.events.source import find_tree, open_file

    name = TREE if layout is None else layout.trees.events
    with open_file(path) as file:
        tree = find_tree(file, path, name)
        entries, uuid, cluster = int(tree.num_entries), str(file.file.uuid), _largest_cluster(tree)
        is_data = "mc_process" not in (tree.keys() if layout is None else layout.truth)
    open_events(path, layout=layout)  # builds the schema, which names a missing branch
    rows: list[dict[str, Any]] = []
    problem = ""
    try:
        rows = read_runs(path, layout=layout)
    except InputError as error:
        if override is None:
            msg = f"{error}; without bookkeeping the detector is not known: choose one with --detector"
            raise InputError(msg) from error
        problem = str(error)
    tags = sorted({str(row["detector"]) for row in rows})
    if override is None and len(tags) != 1:
        msg = f"{path}: the bookkeeping names {len(tags)} detectors {tags}, one is wanted; choose one with --detector"
        raise InputError(msg)
    tag = tags[0] if override is None else override.tag
    return SourceFile(dataset, path, name, uuid, tag, entries, cluster, tuple(rows), problem, is_data)


def _largest_cluster(tree: Any) -> int:
    if hasattr(tree, "common_entry_offsets"):
        borders = [int(b) for b in tree.common_entry_offsets()]
    else:
        borders = sorted({int(c.num_first_entry) for c in tree.cluster_summaries} | {int(tree.num_entries)})
    return max((b - a for a, b in itertools.pairwise(borders)), default=0)
