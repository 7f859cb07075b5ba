"""The input of a run on raw trees: files that can be read, and their detectors.

A file that cannot be used becomes one sentence in the list of losses; the others are still processed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.errors import InputError
from na64mu.events.faults import Bounds
from na64mu.inputs.chunk_errors import own_garbage
from na64mu.inputs.duplicates import EventSource, Excluded, find_duplicates, origins_of, without_copies
from na64mu.inputs.kinds import separated
from na64mu.inputs.paths import inputs_of
from na64mu.inputs.raw_file import SourceFile, inspect_file, installed_detector, read_numbers
from na64mu.results.losses import Loss

__all__ = ("Fileset", "inspect_files")


@dataclass(frozen=True)
class Fileset:
    """Files that can be read, the detectors they need, what was lost on the way, and entries that occur twice (by path)."""

    files: tuple[SourceFile, ...]
    detectors: dict[str, Detector]
    losses: tuple[Loss, ...]
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    excluded: dict[str, Excluded] = field(default_factory=dict)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets in the order in which they were named."""
        return tuple(dict.fromkeys(f.dataset for f in self.files))

    @property
    def bounds(self) -> dict[str, Bounds]:
        """Detector tag -> what the rows of its events can hold."""
        whole = all(f.layout is None or not f.layout.absent for f in self.files)
        return {tag: Bounds.of(detector, complete=whole) for tag, detector in self.detectors.items()}

    def known(self) -> dict[Any, dict[str, Any]]:
        """Return the metadata for which coffea's Runner would open every file, in the form of its metadata cache."""
        from na64mu.events.coffea_names import file_meta

        own = self.for_runner()
        return {
            file_meta(f.dataset, f.path, f.tree): {
                **own[f.dataset]["metadata"],
                "numentries": f.entries,
                "uuid": UUID(f.uuid).bytes,
                "clusters": list(f.borders),
            }
            for f in self.files
        }

    def for_runner(self) -> dict[str, dict[str, Any]]:
        """The fileset in the form that coffea's Runner takes."""
        found: dict[str, dict[str, Any]] = {}
        for f in self.files:
            own = found.setdefault(f.dataset, {"files": {}, "metadata": {**self.metadata.get(f.dataset, {}), "detector": f.detector}})
            own["files"][f.path] = f.tree
        return found


def inspect_files(
    files: Iterable[str | Path] | str | Path, *, detector: DetectorLike | None = None, layout: Any = None, steps: bool = False
) -> Fileset:
    """Open every file, check its form, read its bookkeeping and find its detector.

    Parameters
    ----------
    files : str, Path or iterable of them
        See `na64mu.inputs.paths.inputs_of`.
    detector : Detector, str or Path, optional
        Tag or TOML file that replaces the tags in the files.
    layout : Layout, optional
        Maps the branch names of foreign trees; among them, raw trees are read as they are.
    steps : bool
        Whether the caller reads only the steps that a fileset JSON gives; else such a file is refused.

    Returns
    -------
    Fileset
        The usable files, and one loss for every other.

    Raises
    ------
    DetectorError
        If a file names a detector that is not known; the message lists the known ones.
    InputError
        If a dataset that was named mixes data with simulation or other kinds, one mixes detectors, or a fileset JSON is wrong.
    """
    datasets, metadata, losses, specs, named_by_user = inputs_of(files, layout)
    chosen = load_detector(detector) if detector is not None else None
    detectors: dict[str, Detector] = {}
    good: list[SourceFile] = []
    for dataset, paths in datasets.items():
        named = metadata.get(dataset, {}).get("detector")
        override = chosen if chosen is not None or named is None else load_detector(str(named))
        own: list[SourceFile] = []
        for path in paths:
            try:
                with own_garbage():
                    file = inspect_file(dataset, path, override, layout, specs.get(path))
            except InputError as error:
                losses.append(Loss(dataset, path, "file", str(error)))
                continue
            if file.steps is not None and not steps:
                reason = f"{path}: the fileset asks for steps of it, which only `na64mu run` can read; leave them out"
                losses.append(Loss(dataset, path, "file", reason))
                continue
            if override is not None:
                detectors[file.detector] = override
            elif file.detector not in detectors:
                detectors[file.detector] = installed_detector(file.detector, path)
            own.append(file)
            if file.entries == 0:
                losses.append(Loss(dataset, path, "note", f"{path}: the tree {file.tree!r} has no events", 0, 0))
        tags = {f.detector: f.path for f in own}
        if len(tags) > 1:
            listed = ", ".join(f"{tag} ({path})" for tag, path in tags.items())
            msg = f"dataset {dataset!r} mixes detectors: {listed}; give them as two datasets in a fileset JSON"
            raise InputError(msg)
        good += own
    good = _of_layout(good, layout, losses)
    good = separated(without_copies(good, losses), named_by_user, losses)
    excluded, doubled = find_duplicates([_event_source(file) for file in good])
    shown = {name: {k: v for k, v in m.items() if k != "detector"} for name, m in metadata.items()}
    return Fileset(tuple(good), detectors, (*losses, *doubled), shown, excluded)


def _of_layout(files: list[SourceFile], layout: Any, losses: list[Loss]) -> list[SourceFile]:
    """The files; if a layout was given, with a note on each that is read without it, or a loss of all if it fits none."""
    plain = [f for f in files if layout is not None and f.layout is None]
    if plain and len(plain) == len(files):
        for f in plain:
            reason = (
                f"{f.path}: no tree {layout.trees.events!r} that {layout.origin} fits: it has the raw-tree form; read it without a layout"
            )
            losses.append(Loss(f.dataset, f.path, "file", reason))
        return []
    losses += [
        Loss(f.dataset, f.path, "note", f"{f.path}: has the raw-tree form and is read as it is, without {layout.origin}") for f in plain
    ]
    return files


def _event_source(file: SourceFile) -> EventSource:
    def read(start: int, stop: int) -> tuple[Any, Any, Any]:
        columns = read_numbers(file.path, file.tree, start, stop, file.layout)
        return columns["run"], columns["event"], columns["config"]

    numbered = file.layout is None or file.layout.is_numbered
    return EventSource(file.dataset, file.path, 0, file.entries, file.is_data, origins_of(file.rows), read, file.spans, numbered)
