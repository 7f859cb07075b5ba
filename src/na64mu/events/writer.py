"""Writing raw trees, TTree or RNTuple: large baskets, exact types, and never a half-written file under its name.

Events are kept in memory until there are at least MIN_EVENTS of them, because small baskets make every later
reading slow. The file grows under a temporary name beside the final one and is renamed by `finish`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

import awkward as ak
import numpy as np
import uproot

from na64mu.common.arguments import file_name, one_of
from na64mu.common.whole_file import whole_file
from na64mu.errors import InputError, writing
from na64mu.events.batch import Jagged, RawBatch, concatenate
from na64mu.events.checksums import NAME as CHECKSUMS
from na64mu.events.checksums import Checksums, runs_checksum
from na64mu.events.schema_v1 import (
    COLLECTIONS,
    OPTIONAL_RUN_FIELDS,
    OPTIONAL_SCALARS,
    OPTIONAL_TRUTH,
    RUNS,
    SCALARS,
    TREE,
    TRUTH,
    collections_of,
    fields_of,
    mandatory_fields,
    scalar_kinds,
)
from na64mu.events.version import COLUMNS as VERSION_COLUMNS
from na64mu.events.version import version_columns

__all__ = ("LEVEL", "MIN_EVENTS", "RawTreeWriter", "Storage")

Storage = Literal["ttree", "rntuple"]

#: Events per basket at least (the last one may be smaller).
MIN_EVENTS = 50_000

#: Of zstd: level 5 makes files of simulated events 7 % smaller and takes 3.6 times as long; reading is the same.
LEVEL = 1


class RawTreeWriter:
    """Writes one file in the raw-tree form.

    Use as a context manager: `extend` with batches, then `finish` with the bookkeeping. Whatever ends the block
    before `finish` leaves nothing behind. Checksums of every branch and cluster go with the events (na64mu.events.checksums), and the
    version of the raw tree with the bookkeeping (na64mu.events.version).

    Parameters
    ----------
    path : str or Path
        File to write; an existing one is replaced at the end.
    kind : {"ttree", "rntuple"}
        How the trees are stored.

    Raises
    ------
    InputError
        If the folder does not exist or the kind is unknown.
    """

    def __init__(self, path: str | Path, kind: Storage | str = "ttree") -> None:
        self.path = Path(file_name(path, "path"))
        self.kind = one_of(kind, get_args(Storage), "kind", InputError)
        self.n_events = 0
        if not self.path.parent.is_dir():
            msg = f"{path}: cannot be written, there is no folder {self.path.parent}"
            raise InputError(msg)
        self._pending: list[RawBatch] = []
        self._scalars: list[str] | None = None
        self._collections: dict[str, list[str]] = {}
        self._file: Any = None
        self._finished = False
        self._checksums = Checksums()

    def __repr__(self) -> str:
        return f"<RawTreeWriter {self.path} ({self.kind}), {self.n_events} events>"

    def __enter__(self) -> Self:
        self._whole = whole_file(self.path)
        part = self._whole.__enter__()
        try:
            with writing(self.path):
                self._file = uproot.recreate(part, compression=uproot.ZSTD(LEVEL))
        except BaseException:
            self._forget()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._finished:
            return
        with suppress(OSError):  # a full disk has been said already
            self._file.close()
        self._forget()
        if kind is None:
            msg = f"{self.path}: not written, finish(runs) was not called"
            raise InputError(msg)

    def extend(self, batch: RawBatch) -> None:
        """Append events.

        Parameters
        ----------
        batch : RawBatch
            All scalars and collections with the exact types of na64mu.events.schema_v1; truth completely or not at all, optional
            parts as there are (na64mu.events.optional.completed adds those that only some batches have), and the same in every batch.

        Raises
        ------
        InputError
            If a column is missing, unknown, or of the wrong type, shape or length.
        """
        self._check_open()
        check_batch(batch, str(self.path))
        columns = [name for name in scalar_kinds() if name in batch.scalars]
        collections = {name: list(_fields(name, batch.collections[name])) for name in collections_of(batch.collections)}
        if self._scalars is None:
            self._create(columns, collections)
        elif columns != self._scalars:
            msg = f"{self.path}: this batch has the scalars {columns}, the batches before it had {self._scalars}"
            raise InputError(msg)
        elif collections != self._collections:
            own, before = _described(collections), _described(self._collections)
            msg = f"{self.path}: this batch has the collections {own}, the batches before it had {before}"
            raise InputError(msg)
        self._pending.append(batch)
        self.n_events += len(batch)
        if sum(len(b) for b in self._pending) >= MIN_EVENTS:
            with writing(self.path):
                self._flush()

    def finish(self, runs: Sequence[Mapping[str, Any]]) -> None:
        """Write what is pending and the bookkeeping, and give the file its name.

        Parameters
        ----------
        runs : sequence of mappings
            One per (run, config) with the fields of na64mu.events.schema_v1.RUNS; optional ones are defaulted.

        Raises
        ------
        InputError
            If a field is missing, unknown or does not fit its type.
        """
        self._check_open()
        columns = _run_columns(runs, str(self.path))
        with writing(self.path):
            if self._scalars is None:
                self._create(list(SCALARS), {name: list(fields) for name, fields in COLLECTIONS.items()})
            self._flush()
            self._write_runs(columns)
            self._checksums.runs, self._checksums.n_runs = runs_checksum(_complete(runs)), len(runs)
            self._file[CHECKSUMS] = self._checksums.to_json()
            self._file.close()
        self._finished = True
        self._whole.__exit__(None, None, None)

    def _forget(self) -> None:
        """Leave nothing behind."""
        unfinished = InputError(f"{self.path}: not finished")
        with suppress(InputError):
            self._whole.__exit__(type(unfinished), unfinished, None)

    def _check_open(self) -> None:
        if self._file is None or self._finished:
            msg = f"{self.path}: the writer is {'finished' if self._finished else 'not open, use it in a with block'}"
            raise InputError(msg)

    def _create(self, scalars: list[str], collections: dict[str, list[str]]) -> None:
        self._scalars, self._collections = scalars, collections
        kinds = scalar_kinds()
        types: dict[str, Any] = {name: kinds[name] for name in scalars}
        for name, own in collections.items():
            fields = fields_of(name, [f"{name}_{field}" for field in own])
            numbers = {field: ak.types.NumpyType(kind.name) for field, kind in fields.items()}
            if self.kind == "ttree":  # uproot adds the counter n<name>
                types[name] = ak.types.ListType(ak.types.RecordType(list(numbers.values()), list(numbers)))
            else:
                types[f"n{name}"] = np.dtype(np.int32)
                types |= {f"{name}_{field}": ak.types.ListType(number) for field, number in numbers.items()}
        make = self._file.mktree if self.kind == "ttree" else self._file.mkrntuple
        make(TREE, types)

    def _flush(self) -> None:
        batches = [b for b in self._pending if len(b)]
        self._pending = []
        if not batches:
            return
        batch = concatenate(batches)
        self._checksums.add(batch)
        columns: dict[str, Any] = dict(batch.scalars)
        for name, collection in batch.collections.items():
            index = ak.index.Index64(collection.offsets)
            numbers = {field: ak.contents.NumpyArray(collection[field]) for field in self._collections[name]}
            if self.kind == "ttree":
                record = ak.contents.RecordArray(list(numbers.values()), list(numbers), length=int(collection.offsets[-1]))
                columns[name] = ak.Array(ak.contents.ListOffsetArray(index, record))
            else:
                columns[f"n{name}"] = collection.counts.astype(np.int32)
                columns |= {f"{name}_{f}": ak.Array(ak.contents.ListOffsetArray(index, number)) for f, number in numbers.items()}
        self._file[TREE].extend(columns)

    def _write_runs(self, columns: dict[str, Any]) -> None:
        string = ak.types.ListType(ak.types.NumpyType("uint8", parameters={"__array__": "char"}), parameters={"__array__": "string"})
        types = {name: string if kind is str else kind for name, kind in (RUNS | VERSION_COLUMNS).items()}
        make = self._file.mktree if self.kind == "ttree" else self._file.mkrntuple
        make("runs", types)
        if len(columns["run"]):
            self._file["runs"].extend(columns | version_columns(len(columns["run"])))


def check_batch(batch: RawBatch, where: str) -> None:
    """Check that a batch has exactly the form of the raw tree.

    Parameters
    ----------
    batch : RawBatch
        What would be written.
    where : str
        File, for the message.

    Raises
    ------
    InputError
        If a column is missing, unknown, or of the wrong type, shape or length.
    """
    truth = [name for name in TRUTH if name not in OPTIONAL_TRUTH] if any(n in TRUTH for n in batch.scalars) else []
    _same_names(batch.scalars, [*SCALARS, *truth], [*SCALARS, *TRUTH, *OPTIONAL_SCALARS], f"{where}: scalar")
    collections = list(collections_of(batch.collections))
    _same_names(batch.collections, collections, collections, f"{where}: collection")
    n = len(batch.scalars["run"])
    for name, column in batch.scalars.items():
        _check_column(column, scalar_kinds()[name], n, f"{where}: scalar {name!r}")
    for name in collections:
        collection = batch.collections[name]
        types = _fields(name, collection)
        _same_names(collection.fields, list(mandatory_fields(name)), list(types), f"{where}: field of collection {name!r}")
        _check_offsets(collection, n, f"{where}: collection {name!r}")
        for field, kind in types.items():
            _check_column(collection[field], kind, int(collection.offsets[-1]), f"{where}: field '{name}_{field}'")


def _fields(name: str, collection: Jagged) -> dict[str, np.dtype]:
    """Fields that a collection needs and optional ones that it has, with their types, in the order in which they are written."""
    return fields_of(name, [f"{name}_{field}" for field in collection.fields])


def _described(collections: Mapping[str, list[str]]) -> list[str]:
    """Collections by name, with the optional columns that they have."""
    extra = {name: [field for field in fields if field not in mandatory_fields(name)] for name, fields in collections.items()}
    return [f"{name} with {', '.join(fields)}" if fields else name for name, fields in extra.items()]


def _same_names(found: Mapping[str, Any], needed: list[str], allowed: list[str], what: str) -> None:
    missing = [name for name in needed if name not in found]
    unknown = [name for name in found if name not in allowed]
    if missing or unknown:
        msg = f"{what} {(missing or unknown)[0]!r} is {'missing' if missing else 'not part of the raw tree'}; allowed are {', '.join(allowed)}"
        raise InputError(msg)


def _check_column(column: Any, kind: np.dtype, n: int, what: str) -> None:
    if not isinstance(column, np.ndarray) or column.dtype != kind or column.shape != (n,):
        found = f"{column.dtype} of shape {column.shape}" if isinstance(column, np.ndarray) else type(column).__name__
        msg = f"{what} is {found}, {kind} of shape ({n},) is needed"
        raise InputError(msg)


def _check_offsets(collection: Jagged, n: int, what: str) -> None:
    offsets = collection.offsets
    _check_column(offsets, np.dtype(np.int64), n + 1, f"{what}: offsets")
    if offsets[0] != 0 or np.any(np.diff(offsets) < 0):
        msg = f"{what}: offsets must start at 0 and never fall"
        raise InputError(msg)


def _complete(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows as they are read back."""
    return [{name: _plain(row.get(name, OPTIONAL_RUN_FIELDS.get(name)), kind) for name, kind in RUNS.items()} for row in runs]


def _plain(value: Any, kind: np.dtype | type[str]) -> int | float | str:
    if isinstance(kind, type):
        return str(value)
    return float(value) if kind.kind == "f" else int(value)


def _run_columns(runs: Sequence[Mapping[str, Any]], where: str) -> dict[str, Any]:
    needed = [name for name in RUNS if name not in OPTIONAL_RUN_FIELDS]
    for row in runs:
        _same_names(row, needed, list(RUNS), f"{where}: field of runs")
    columns: dict[str, Any] = {}
    for name, kind in RUNS.items():
        values = [row.get(name, OPTIONAL_RUN_FIELDS.get(name)) for row in runs]
        wrong = [value for value in values if not _fits(value, kind)]
        if wrong:
            msg = f"{where}: field {name!r} of runs is {wrong[0]!r}, {'a string' if isinstance(kind, type) else kind} is needed"
            raise InputError(msg)
        columns[name] = ak.Array(values) if isinstance(kind, type) else np.array(values, kind)
    return columns


def _fits(value: Any, kind: np.dtype | type[str]) -> bool:
    if isinstance(kind, type):
        return isinstance(value, str)
    if isinstance(value, bool | np.bool_):
        return False
    if kind.kind == "f":
        return isinstance(value, int | float | np.integer | np.floating)
    return isinstance(value, int | np.integer) and np.iinfo(kind).min <= int(value) <= np.iinfo(kind).max
