"""The paths that a user means: globs, folders and fileset JSON, each file once, with the dataset it belongs to."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from na64mu.analysis.losses import Loss
from na64mu.arguments import file_names
from na64mu.errors import InputError

__all__ = ("dataset_name", "expand")

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


def dataset_name(path: str) -> str:
    """Dataset of a file: its stem without the number at the end (beam_0001.root and beam_0002.root are dataset "beam")."""
    stem = Path(path.rsplit("/", 1)[-1]).stem
    return re.sub(r"[_-]\d+$", "", stem) or stem


def expand(
    files: Iterable[str | Path] | str | Path, layout: Any = None
) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]], list[Loss]]:
    """Expand globs, folders and fileset JSON.

    Parameters
    ----------
    files : str, Path or iterable of them
        Paths, globs, folders (all ``*.root`` in them), addresses (root://, https://), or a JSON file:
        {dataset: {"files": [...] or {path: tree}, "metadata": {...}}} or {dataset: [...]} or a list of paths, relative to the JSON file.
    layout : Layout, optional
        Of foreign trees; files with friend trees of others are left out with a note.

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
    known: set[str] = set()
    for name in file_names(files, "files", may_be_none=True):
        if str(name).endswith(".json"):
            for dataset, paths, own in _read_fileset(Path(name)):
                metadata.setdefault(dataset or "", {}).update(own)
                for path in paths:
                    _add(datasets, losses, known, dataset, path)
        else:
            _add(datasets, losses, known, None, str(name))
    metadata.pop("", None)
    if layout is not None:
        _without_friends(datasets, losses, layout)
    return datasets, metadata, losses


def _without_friends(datasets: dict[str, list[str]], losses: list[Loss], layout: Any) -> None:
    """Leave out what is read together with another file."""
    owners = {_identity(f): path for paths in datasets.values() for path in paths for f in layout.trees.friend_files(path)}
    for dataset, paths in list(datasets.items()):
        for path in [p for p in paths if _identity(p) in owners]:
            losses.append(Loss(dataset, path, "note", f"{path}: is read as the friend of {owners[_identity(path)]}"))
            paths.remove(path)
        if not paths:
            del datasets[dataset]


def _add(datasets: dict[str, list[str]], losses: list[Loss], known: set[str], dataset: str | None, name: str) -> None:
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
