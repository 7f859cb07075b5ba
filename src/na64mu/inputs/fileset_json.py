"""A fileset in JSON, in the forms that coffea knows; what is not supported is refused by name.

=========================================================  ============================================
``{dataset: {"files": ..., "metadata": {...}}}``           datasets with names; metadata is optional
``{dataset: [path, ...]}``                                 the same, short
``[path, ...]``                                            datasets are called after the files
``{path: tree, ...}``                                      the same, with the trees
=========================================================  ============================================

``files`` is a list of paths, or ``{path: tree}``, or ``{path: {"object_path": tree, "steps": [[start, stop], ...]}}`` as coffea's
preprocess writes it (with num_entries and uuid, which are compared). ``treename`` names the tree of a whole dataset. Paths are relative
to the JSON file.
"""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from na64mu.errors import InputError

__all__ = ("FileSpec", "read_fileset")

FORM = '{dataset: {"files": [...], "metadata": {...}}}, {dataset: [...]}, {path: tree} or [...]'

#: Keys of a dataset, and of a file. Those of the third line describe what the file itself says, and are not needed.
DATASET_KEYS = ("files", "metadata", "treename")
FILE_KEYS = ("object_path", "steps", "num_entries", "uuid")
DESCRIPTIVE = ("form", "compressed_form", "format", "did", "preload")

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


class FileSpec(NamedTuple):
    """Entry of a fileset for one file: tree, ranges of entries to read, number of entries and UUID; empty if not given."""

    tree: str = ""
    steps: tuple[tuple[int, int], ...] | None = None
    entries: int | None = None
    uuid: str = ""

    def must_fit(self, path: str, entries: int, uuid: str) -> None:
        """Compare with the file.

        Parameters
        ----------
        path : str
            The file, for the message.
        entries : int
            Events in it.
        uuid : str
            UUID of the file.

        Raises
        ------
        InputError
            If the fileset was made of another file.
        """
        if self.entries is not None and self.entries != entries:
            msg = f"{path}: the fileset says {self.entries} entries, the file has {entries}: it is another file; make the fileset again"
            raise InputError(msg)
        if self.uuid and self.uuid.replace("-", "").lower() != uuid.replace("-", "").lower():
            msg = f"{path}: the fileset says the UUID {self.uuid}, the file has {uuid}: it is another file; make the fileset again"
            raise InputError(msg)
        if self.steps and self.steps[-1][1] > entries:
            msg = f"{path}: the fileset asks for the entries {list(self.steps[-1])}, the file has {entries}"
            raise InputError(msg)


Entry = tuple[str | None, dict[str, FileSpec], dict[str, Any]]


def read_fileset(path: Path) -> list[Entry]:
    """Read a fileset.

    Parameters
    ----------
    path : Path
        JSON file in one of the forms above.

    Returns
    -------
    list of (str or None, dict of str to FileSpec, dict)
        Dataset (None: called after each file), files, and metadata.

    Raises
    ------
    InputError
        If it is in none of the forms, or has a key that is not known.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_each_once)
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path}: cannot be read as a fileset JSON ({error}); its form is {FORM}"
        raise InputError(msg) from error
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return [(None, _files(path, "the list", content, ""), {})]
    if not isinstance(content, dict):
        msg = f"{path}: not a fileset; its form is {FORM}"
        raise InputError(msg)
    if content and all(isinstance(value, str) or (isinstance(value, dict) and "object_path" in value) for value in content.values()):
        return [(None, _files(path, "the files", content, ""), {})]
    return [_dataset(path, str(name), value) for name, value in content.items()]


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a key that is in it twice would hide the first one."""
    names = [name for name, _ in pairs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        msg = f"the key {twice[0]!r} is in it twice"
        raise ValueError(msg)
    return dict(pairs)


def _dataset(path: Path, name: str, value: Any) -> Entry:
    where = f"dataset {name!r}"
    if isinstance(value, dict):
        _known(path, where, value, (*DATASET_KEYS, *DESCRIPTIVE), DATASET_KEYS)
    table = value if isinstance(value, dict) else {"files": value}
    files, metadata, tree = table.get("files"), table.get("metadata") or {}, table.get("treename") or ""
    if not isinstance(files, list | dict) or not all(isinstance(f, str) for f in files) or not isinstance(metadata, dict):
        msg = f"{path}: {where}: a list of paths, or a table with 'files', is wanted; the form of a fileset is {FORM}"
        raise InputError(msg)
    if not isinstance(tree, str):
        msg = f"{path}: {where}: treename: the name of a tree is wanted, found {tree!r}"
        raise InputError(msg)
    if RESERVED & set(metadata):
        msg = f"{path}: {where}: the metadata key {min(RESERVED & set(metadata))!r} is reserved; choose another name"
        raise InputError(msg)
    return name, _files(path, where, files, tree), metadata


def _files(path: Path, where: str, files: Iterable[str] | dict[str, Any], tree: str) -> dict[str, FileSpec]:
    """Path, relative to the folder of the fileset, -> its entry for the file."""
    table = files if isinstance(files, dict) else dict.fromkeys(files)
    return {_beside(path, name): _spec(path, f"{where}: {name}", value, tree) for name, value in table.items()}


def _spec(path: Path, where: str, value: Any, tree: str) -> FileSpec:
    if value is None or isinstance(value, str):
        return FileSpec(_tree_name(value or tree))
    if not isinstance(value, dict):
        msg = f"{path}: {where}: the name of a tree, or a table with {', '.join(FILE_KEYS)}, is wanted, found {value!r}"
        raise InputError(msg)
    _known(path, where, value, (*FILE_KEYS, *DESCRIPTIVE), FILE_KEYS)
    own, steps, entries, uuid = (value.get(key) for key in FILE_KEYS)
    for key, found, kind, wanted in (
        ("object_path", own, str, "the name of a tree"),
        ("num_entries", entries, int, "a number"),
        ("uuid", uuid, str, "a UUID"),
    ):
        if found is not None and (not isinstance(found, kind) or isinstance(found, bool)):
            msg = f"{path}: {where}: {key}: {wanted} is wanted, found {found!r}"
            raise InputError(msg)
    return FileSpec(_tree_name(own or tree), _steps(path, where, steps), entries, uuid or "")


def _steps(path: Path, where: str, steps: Any) -> tuple[tuple[int, int], ...] | None:
    """Ranges of entries in order; None for all of them."""
    if steps is None:
        return None
    pairs = steps if isinstance(steps, list) else [None]
    good = all(isinstance(p, list) and len(p) == 2 and all(type(x) is int for x in p) and 0 <= p[0] < p[1] for p in pairs)
    ranges = sorted((int(p[0]), int(p[1])) for p in pairs if p) if good else []
    if not good or any(a[1] > b[0] for a, b in itertools.pairwise(ranges)):
        msg = f"{path}: {where}: steps: ranges of entries [[start, stop], ...] that do not overlap are wanted, found {steps!r}"
        raise InputError(msg)
    return tuple(ranges)


def _tree_name(name: str) -> str:
    """Return the name without the cycle: events;1 becomes events."""
    return name.split(";", maxsplit=1)[0].strip("/")


def _known(path: Path, where: str, table: dict[str, Any], known: tuple[str, ...], shown: tuple[str, ...]) -> None:
    unknown = [key for key in table if key not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        msg = f"{path}: {where}: the key {unknown[0]!r} is not known; {hint}There are {', '.join(shown)}"
        raise InputError(msg)


def _beside(fileset: Path, name: str) -> str:
    return name if "://" in name or Path(name).is_absolute() else str(fileset.parent / name)
