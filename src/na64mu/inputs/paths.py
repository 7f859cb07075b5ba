"""Input paths from globs, folders and fileset JSON: each file once, with the dataset it belongs to."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from na64mu.common.arguments import file_names
from na64mu.errors import InputError
from na64mu.inputs.fileset_json import FileSpec, read_fileset
from na64mu.results.losses import Loss

__all__ = ("FileSpec", "Inputs", "dataset_name", "expand", "inputs_of", "path_in", "shown_as")


class Inputs(NamedTuple):
    """Input files of the user, each once.

    Attributes
    ----------
    datasets : dict of str to list of str
        Dataset -> paths.
    metadata : dict of str to dict
        Dataset -> metadata of the JSON file; "detector" overrides the tag in the files.
    losses : list of Loss
        Names that match no file.
    specs : dict of str to FileSpec
        Path -> entry of the fileset JSON for the file, except its dataset.
    named : set of str
        Datasets that the user named; the others are called after their files.
    """

    datasets: dict[str, list[str]]
    metadata: dict[str, dict[str, Any]]
    losses: list[Loss]
    specs: dict[str, FileSpec]
    named: set[str]


def dataset_name(path: str) -> str:
    """Dataset of a file: its stem without the number at the end (beam_0001.root and beam_0002.root are dataset "beam")."""
    stem = Path(path.rsplit("/", 1)[-1]).stem
    return re.sub(r"[_-]\d+$", "", stem) or stem


def expand(
    files: Iterable[str | Path] | str | Path, layout: Any = None
) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]], list[Loss]]:
    """Datasets, their metadata and losses of `inputs_of`, for callers that do not use a fileset's entries for single files."""
    return inputs_of(files, layout)[:3]


def inputs_of(files: Iterable[str | Path] | str | Path, layout: Any = None) -> Inputs:
    """Expand globs, folders and fileset JSON.

    Parameters
    ----------
    files : str, Path or iterable of them
        Paths, globs, folders (all ``*.root`` in them), addresses (root://, https://), or a JSON file, whose forms
        `na64mu.inputs.fileset_json` lists.
    layout : Layout, optional
        Branch layout of foreign trees; files that hold the friend trees of other files are left out with a note.

    Returns
    -------
    Inputs
        Datasets with their files, and their metadata.

    Raises
    ------
    InputError
        If a JSON file is not a fileset.
    """
    found = Inputs({}, {}, [], {}, set())
    known: set[str] = set()
    for name in file_names(files, "files", may_be_none=True):
        if not str(name).endswith(".json"):
            _add(found, known, None, str(name), FileSpec())
            continue
        for dataset, paths, own in read_fileset(Path(name)):
            if dataset is not None:
                found.named.add(dataset)
                found.metadata.setdefault(dataset, {}).update(own)
            for path, spec in paths.items():
                _add(found, known, dataset, path, spec)
    if layout is not None:
        _without_friends(found.datasets, found.losses, layout)
    return found


def _without_friends(datasets: dict[str, list[str]], losses: list[Loss], layout: Any) -> None:
    """Leave out files that are read together with another file."""
    owners = {_identity(f): path for paths in datasets.values() for path in paths for f in layout.trees.friend_files(path)}
    for dataset, paths in list(datasets.items()):
        for path in [p for p in paths if _identity(p) in owners]:
            losses.append(Loss(dataset, path, "note", f"{path}: is read as the friend of {owners[_identity(path)]}"))
            paths.remove(path)
        if not paths:
            del datasets[dataset]


def _add(found: Inputs, known: set[str], dataset: str | None, name: str, spec: FileSpec) -> None:
    if "\0" in name:
        found.losses.append(Loss(dataset or "", name, "file", f"{name!r}: no file has a name with a zero byte; look for a typing mistake"))
        return
    paths = list(_matches(name))
    if not paths:
        what = "the folder has no *.root file" if Path(name).is_dir() else "no file matches"
        found.losses.append(Loss(dataset or "", name, "file", f"{name}: {what}; look for a typing mistake"))
    for path in paths:
        own = dataset or dataset_name(path)
        if _identity(path) in known:
            found.losses.append(Loss(own, path, "note", f"{path}: the file is named twice and read once"))
            continue
        known.add(_identity(path))
        found.datasets.setdefault(own, []).append(path)
        if spec != FileSpec():
            found.specs[path] = spec


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


def path_in(folder: str, path: str) -> str:
    """The absolute form of a path that was given in a folder; addresses stay as they are, and everything does if the folder is empty."""
    return path if "://" in path or not folder else os.path.normpath(Path(folder, path))


@contextmanager
def shown_as(path: str, given: str) -> Iterator[None]:
    """Name a file in errors as the user gave it; a file that is not there keeps the path where it was looked for.

    Parameters
    ----------
    path : str
        Absolute path.
    given : str
        The path as the user gave it.

    Raises
    ------
    InputError
        The same, with the other name.
    """
    try:
        yield
    except InputError as error:
        if path == given or not Path(path).exists():
            raise
        raise InputError(str(error).replace(path, given)) from error
