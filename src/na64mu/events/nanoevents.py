"""Raw events as awkward arrays with behaviours: opened from a file for Jupyter, or made from a batch."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import awkward as ak

from na64mu.common.arguments import file_names
from na64mu.errors import InputError
from na64mu.events.batch import DEFAULT, RawBatch, concatenate
from na64mu.events.behaviors import behavior, record_name
from na64mu.events.checksums import columns_of
from na64mu.events.coffea_names import NanoEventsFactory
from na64mu.events.layout import Layout, load_layout
from na64mu.events.optional import completed
from na64mu.events.reader import batch_of, read_batch
from na64mu.events.root_io import find_tree, is_remote, open_file, reason_of
from na64mu.events.schema import RawTreeSchema
from na64mu.events.schema_v1 import TREE, optional_branches
from na64mu.events.version import check_version
from na64mu.typing import AnyArray

__all__ = ("check_form", "files_of", "open_events", "read_events", "to_events")


def open_events(
    path: str | Path | Iterable[str | Path], *, layout: Layout | str | Path | None = None, access_log: list[Any] | None = None
) -> Any:
    """Open all events of a file as a virtual array: a column is read when it is first touched.

    `na64mu.open_events` is this function for simulation; of data it withholds the hidden events (na64mu.inputs.visible).

    Parameters
    ----------
    path : str, Path or iterable of them
        A raw tree, or a foreign tree with its layout (which is read at once, not when touched); a pattern such as "beam_*.root", a folder
        (all ``*.root`` in it), or several of all these, whose events follow each other in the order given.
    layout : Layout, str or Path, optional
        Mapping of a foreign tree onto the raw tree.
    access_log : list, optional
        Receives the columns as they are read.

    Returns
    -------
    NanoEvents
        Shape (n_events,), with the behaviours of na64mu.events.behaviors.

    Raises
    ------
    InputError
        If a file cannot be read or does not have the raw-tree form, none matches, or files with and without truth (or waveforms) are mixed.
    """
    paths = files_of(path)
    if layout is not None:
        foreign = load_layout(layout)
        return to_events(concatenate([read_batch(each, layout=foreign) for each in paths]))
    opened = [_open(each, access_log) for each in paths]
    if len(opened) == 1:
        return opened[0]
    for each, events in zip(paths, opened, strict=True):
        if events.fields != opened[0].fields:
            other = sorted(set(events.fields) ^ set(opened[0].fields))
            msg = (
                f"{each}: only one of this file and {paths[0]} has {', '.join(other) or 'its columns in this order'}; open them one by one"
            )
            raise InputError(msg)
    return ak.concatenate(opened)


def files_of(given: str | Path | Iterable[str | Path]) -> list[str | Path]:
    """Files that names, patterns and folders denote, in order.

    Parameters
    ----------
    given : str, Path or iterable of them
        Names as `open_events` takes them.

    Returns
    -------
    list of str or Path
        Each that exists or is asked for by name.

    Raises
    ------
    InputError
        If a pattern or folder has none.
    """
    paths: list[str | Path] = []
    for name in file_names(given, "path"):
        found: list[str | Path] = [name]
        if not is_remote(name) and Path(name).is_dir():
            found = sorted(Path(name).glob("*.root"))
        elif not is_remote(name) and not Path(name).exists() and glob.has_magic(str(name)):
            found = sorted(glob.glob(str(name), recursive=True))  # noqa: PTH207  # Path.glob takes no absolute pattern
        if not found:
            msg = f"{name}: {'the folder has no *.root file' if Path(name).is_dir() else 'no file matches'}; look for a typing mistake"
            raise InputError(msg)
        paths += found
    return paths


def _open(path: str | Path, access_log: list[Any] | None) -> Any:
    with open_file(path) as file:
        find_tree(file, path, TREE)
        check_version(file, path)
    return _events({str(path): TREE}, path, access_log=access_log)


def check_form(file: Any, path: str | Path) -> None:
    """Check that an open file has the raw-tree form, without reading an event.

    Parameters
    ----------
    file : uproot.ReadOnlyDirectory
        Open file, from na64mu.events.root_io.open_file.
    path : str or Path
        Path of the file, for the message.

    Raises
    ------
    InputError
        If a branch is missing or has the wrong shape, or the version is not known.
    """
    check_version(file, path)
    _events(file, path, treepath=TREE)


def _events(source: Any, path: str | Path, **options: Any) -> Any:
    try:
        return NanoEventsFactory.from_root(source, schemaclass=RawTreeSchema, metadata={"filename": str(path)}, **options).events()
    except InputError as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error
    except Exception as error:
        msg = f"{path}: tree {TREE!r} cannot be opened, the file is truncated or damaged ({reason_of(error)}); copy or make it again"
        raise InputError(msg) from error


def read_events(events: Any) -> RawBatch:
    """All columns of events, as flat buffers.

    A chunk of a raw tree that coffea's Runner has opened is read from that open file, all branches at once and with its checksums
    compared: one by one, as virtual arrays are, they take twice as long.

    Parameters
    ----------
    events : NanoEvents
        Raw events, whole or selected.

    Returns
    -------
    RawBatch
        The same events.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    where = ak.parameters(events).get("metadata") or {}
    file = getattr(events.attrs.get("@events_factory"), "file_handle", None)
    whole = len(events) == where.get("entrystop", 0) - where.get("entrystart", 0)
    if file is None or file.closed or not whole or ak.parameters(events).get("layout") is not None:
        return RawBatch.from_events(events)
    try:
        return batch_of(file, where["filename"], where["entrystart"], where["entrystop"])
    except InputError as error:  # coffea's Runner names the file itself
        raise InputError(str(error).removeprefix(f"{where['filename']}: ")) from error


def to_events(batch: RawBatch, metadata: dict[str, Any] | None = None) -> Any:
    """A batch as an awkward array with the behaviours of the raw tree.

    Parameters
    ----------
    batch : RawBatch
        Raw events.
    metadata : dict, optional
        What `events.metadata` shall be.

    Returns
    -------
    ak.Array
        The same events, shape (n_events,); optional parts that the batch does not have are there with their defaults.
    """
    whole = completed(batch, optional_branches())
    own = {name for name, _ in columns_of(batch, 0, 0)}

    def content(branch: str, column: AnyArray) -> Any:
        return ak.contents.NumpyArray(column, parameters=None if branch in own else {DEFAULT: True})

    contents: dict[str, Any] = {name: content(name, column) for name, column in whole.scalars.items()}
    for name, collection in whole.collections.items():
        columns = [content(f"{name}_{field}", column) for field, column in collection.fields.items()]
        rows = int(collection.offsets[-1])
        record = ak.contents.RecordArray(columns, list(collection.fields), rows, parameters={"__record__": record_name(name)})
        contents[name] = ak.contents.ListOffsetArray(ak.index.Index64(collection.offsets), record)
    event = {"__record__": "RawEvent", "metadata": metadata or {}}
    layout = ak.contents.RecordArray(list(contents.values()), list(contents), len(batch), parameters=event)
    return ak.Array(layout, behavior=behavior)
