"""A batch of raw events as flat buffers and offsets: what the writer takes and what kernels loop over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import awkward as ak
import numpy as np

from na64mu.errors import InputError
from na64mu.events.schema_v1 import COLLECTIONS, OPTIONAL_COLUMNS, SCALARS, TRUTH, collections_of, mandatory_fields, scalar_kinds
from na64mu.typing import AnyArray, BoolArray, IntArray

__all__ = ("Jagged", "RawBatch", "as_type", "concatenate", "jagged")


@dataclass(frozen=True)
class Jagged:
    """One collection: rows of event i are offsets[i]:offsets[i + 1].

    Attributes
    ----------
    offsets : IntArray
        Shape (n_events + 1,), starts at 0.
    fields : dict[str, AnyArray]
        Field name -> array of shape (n_rows,).
    """

    offsets: IntArray
    fields: dict[str, AnyArray]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, field: str) -> AnyArray:
        return self.fields[field]

    def __repr__(self) -> str:
        return f"<Jagged {len(self)} events, {int(self.offsets[-1])} rows of {', '.join(self.fields)}>"

    @property
    def counts(self) -> IntArray:
        """Rows of every event, shape (n_events,)."""
        return np.diff(self.offsets)

    @property
    def event_index(self) -> IntArray:
        """Event of every row, shape (n_rows,)."""
        return np.repeat(np.arange(len(self)), self.counts)

    def piece(self, start: int, stop: int) -> Jagged:
        """Events start to stop - 1; their fields are not copied."""
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        return Jagged(self.offsets[start : stop + 1] - first, {name: column[first:last] for name, column in self.fields.items()})

    def with_rows(self, mask: BoolArray) -> Jagged:
        """The same events with some of their rows: those of a mask of shape (n_rows,)."""
        before = np.concatenate([[0], np.cumsum(mask, dtype=np.int64)])
        return Jagged(before[self.offsets], {name: column[mask] for name, column in self.fields.items()})

    def with_events(self, mask: BoolArray) -> Jagged:
        """Some of the events: those of a mask of shape (n_events,)."""
        rows = np.repeat(mask, self.counts)
        offsets = np.concatenate([[0], np.cumsum(self.counts[mask])]).astype(np.int64)
        return Jagged(offsets, {field: column[rows] for field, column in self.fields.items()})

    def in_order(self, order: IntArray) -> Jagged:
        """The events in another order: those of indices of shape (n_events,)."""
        counts = self.counts[order]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.repeat(self.offsets[:-1][order] - offsets[:-1], counts) + np.arange(int(offsets[-1]))
        return Jagged(offsets, {field: column[rows] for field, column in self.fields.items()})


@dataclass(frozen=True)
class RawBatch:
    """Events of the raw tree: scalars (and truth) of shape (n_events,), and collections.

    Optional parts are there only where the file has them; `na64mu.events.optional` gives them their defaults.
    """

    scalars: dict[str, AnyArray]
    collections: dict[str, Jagged]

    def __len__(self) -> int:
        return len(next(iter(self.scalars.values())))

    def __repr__(self) -> str:
        rows = ", ".join(f"{name} {int(c.offsets[-1])}" for name, c in self.collections.items())
        return f"<RawBatch {len(self)} events; rows: {rows}>"

    def piece(self, start: int, stop: int) -> RawBatch:
        """Events start to stop - 1; their columns are not copied."""
        scalars = {name: column[start:stop] for name, column in self.scalars.items()}
        return RawBatch(scalars, {name: collection.piece(start, stop) for name, collection in self.collections.items()})

    def with_events(self, mask: BoolArray) -> RawBatch:
        """Some of the events: those of a mask of shape (n_events,)."""
        collections = {name: collection.with_events(mask) for name, collection in self.collections.items()}
        return RawBatch({name: column[mask] for name, column in self.scalars.items()}, collections)

    def in_order(self, order: IntArray) -> RawBatch:
        """The events in another order: those of indices of shape (n_events,)."""
        collections = {name: collection.in_order(order) for name, collection in self.collections.items()}
        return RawBatch({name: column[order] for name, column in self.scalars.items()}, collections)

    @classmethod
    def from_events(cls, events: Any, collections: Iterable[str] | None = None) -> Self:
        """Read the buffers of a NanoEvents (or any awkward) array of raw events.

        Parameters
        ----------
        events : ak.Array
            Raw events with one list of records per collection.
        collections : iterable of str, optional
            Collections to read; others stay untouched (and unread). By default all nine, each in the tier in which it is stored.

        Returns
        -------
        RawBatch
            Scalars, truth where present, and the collections.

        Raises
        ------
        InputError
            If a number does not fit the type of the raw tree, or the file is damaged.
        """
        if ak.parameters(events).get("layout") is not None:  # a foreign tree: see na64mu.events.schema.schema_for
            foreign = events.read_batch()
            return cls(foreign.scalars, {name: foreign.collections[name] for name in collections or foreign.collections})
        present = {name for name in events.fields if not _is_default(events, name)}
        wanted = {name: _types(events, name) for name in (collections_of(present) if collections is None else collections)}
        kinds = {name: kind for name, kind in scalar_kinds().items() if name in present}
        scalars, lists = {}, {}
        for name, kind in kinds.items():
            with _reading(events, f"branch {name!r}"):
                scalars[name] = as_type(ak.to_numpy(events[name]), kind, name)
        for name, types in wanted.items():
            with _reading(events, f"collection {name!r}"):
                lists[name] = jagged(events[name], types, name)
        return cls(scalars, lists)

    @classmethod
    def empty(cls, *, truth: bool = False) -> Self:
        """A batch of zero events, with or without the truth of a simulation."""
        scalars = {name: np.empty(0, kind) for name, kind in (SCALARS | TRUTH if truth else SCALARS).items()}
        none = np.zeros(1, np.int64)
        return cls(scalars, {n: Jagged(none, {f: np.empty(0, k) for f, k in fs.items()}) for n, fs in COLLECTIONS.items()})


#: Parameter of a column that a file does not have and that holds its default: it is not handed on as if it had been read.
DEFAULT = "default"


def _is_default(events: Any, *names: str) -> bool:
    """Whether a scalar, a collection or one of its fields was not read, but has its default."""
    layout = events.layout
    for name in names:
        layout = layout[name]
    columns = [layout[field] for field in layout.fields] or [layout]
    return all(bool(column.purelist_parameter(DEFAULT)) for column in columns)


def _types(events: Any, name: str) -> dict[str, np.dtype]:
    """Fields of a collection that were read: field -> type."""
    optional = OPTIONAL_COLUMNS.get(name, {})
    read = {f: c.dtype for f, c in optional.items() if f in events[name].fields and not _is_default(events, name, f)}
    return mandatory_fields(name) | read


def as_batch(events: Any) -> RawBatch:
    """Raw events as a batch, whatever they come as.

    Parameters
    ----------
    events : RawBatch, ak.Array or ak.Record
        A batch, events that `na64mu.open_events` opened, some of them, or one.

    Returns
    -------
    RawBatch
        A batch comes back as it is.

    Raises
    ------
    InputError
        If they are no raw events, or the file is damaged.
    """
    if isinstance(events, RawBatch):
        return events
    if isinstance(events, ak.Record):
        layout = ak.to_layout(events)
        events = ak.Array(layout.array[layout.at : layout.at + 1], behavior=events.behavior, attrs=events.attrs)
    if not isinstance(events, ak.Array):
        msg = f"raw events are wanted, as na64mu.open_events(file) gives them; found {type(events).__name__}"
        raise InputError(msg)
    if ak.parameters(events).get("layout") is None:
        missing = [name for name in (*SCALARS, *collections_of(events.fields)) if name not in events.fields]
        if missing:
            msg = f"raw events need {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}; this array has {', '.join(events.fields[:10]) or 'no fields'}"
            raise InputError(msg)
    return RawBatch.from_events(events)


@contextmanager
def _reading(events: Any, what: str) -> Iterator[None]:
    """Turn what damaged bytes can raise into one sentence: virtual columns are read only now, and damage shows only now."""
    where = ak.parameters(events).get("metadata") or {}
    try:
        yield
    except Exception as error:
        if "filename" not in where or isinstance(error, MemoryError):
            raise  # not from a file
        file = "" if "entrystart" in where else f"{where['filename']}: "  # coffea's Runner names file and entries itself
        if isinstance(error, InputError):
            msg = f"{file}{error}"
        else:
            reason = (str(error).strip().splitlines() or [""])[0][:160]
            msg = f"{file}{what} cannot be read, the file is truncated or damaged ({type(error).__name__}: {reason}); copy or make it again"
        raise InputError(msg) from error


def as_type(column: AnyArray, kind: np.dtype, name: str) -> AnyArray:
    """A contiguous column in the type of the raw tree; a number that does not fit is an error, never wrapped.

    Parameters
    ----------
    column : AnyArray
        Shape (n,).
    kind : np.dtype
        Type of the raw tree.
    name : str
        Branch, for the message.

    Returns
    -------
    AnyArray
        Shape (n,), type `kind`, contiguous.

    Raises
    ------
    InputError
        If there is a float where an integer belongs, or an integer is outside the range of `kind`.
    """
    if column.dtype != kind:
        if column.dtype.kind not in ("iub" if kind.kind in "iu" else "iubf"):
            msg = f"branch {name!r} has the type {column.dtype}, the raw tree has {kind}"
            raise InputError(msg)
        if kind.kind in "iu" and len(column):
            limits, low, high = np.iinfo(kind), int(column.min()), int(column.max())
            if low < limits.min or high > limits.max:
                msg = f"branch {name!r} has values from {low} to {high}, the raw tree's {kind} holds {limits.min} to {limits.max}"
                raise InputError(msg)
    return np.ascontiguousarray(column, dtype=kind)


def jagged(collection: Any, types: dict[str, np.dtype], name: str = "collection") -> Jagged:
    """Buffers of one awkward collection, with the types that the kernels were compiled for.

    Parameters
    ----------
    collection : ak.Array
        Shape (n_events, var), records with the fields of `types`.
    types : dict[str, np.dtype]
        Field name -> type.
    name : str
        Name of the collection, for messages.

    Returns
    -------
    Jagged
        Offsets (int64, from 0) and contiguous fields.
    """
    offsets = np.zeros(len(collection) + 1, dtype=np.int64)
    fields = {}
    for i, (field, kind) in enumerate(types.items()):
        column = collection[field]
        if i == 0:
            np.cumsum(ak.to_numpy(ak.num(column, axis=1)), out=offsets[1:])
        fields[field] = as_type(ak.to_numpy(ak.flatten(column, axis=1)), kind, f"{name}_{field}")
    return Jagged(offsets, fields)


def concatenate(batches: Sequence[RawBatch]) -> RawBatch:
    """Several batches with the same columns as one.

    Parameters
    ----------
    batches : sequence of RawBatch
        At least one.

    Returns
    -------
    RawBatch
        Their events in order.
    """
    if len(batches) == 1:
        return batches[0]
    scalars = {name: np.concatenate([b.scalars[name] for b in batches]) for name in batches[0].scalars}
    collections = {}
    for name, first in batches[0].collections.items():
        parts = [b.collections[name] for b in batches]
        offsets = np.concatenate([[0], np.cumsum(np.concatenate([p.counts for p in parts]))]).astype(np.int64)
        collections[name] = Jagged(offsets, {field: np.concatenate([p[field] for p in parts]) for field in first.fields})
    return RawBatch(scalars, collections)
