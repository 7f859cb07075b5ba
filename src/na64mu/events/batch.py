"""A batch of raw events as flat buffers and offsets: what the writer takes and what kernels loop over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np

from na64mu.events.form import COLLECTIONS, SCALARS, TRUTH
from na64mu.typing import AnyArray, IntArray

__all__ = ("Jagged", "RawBatch", "jagged")


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

    @property
    def counts(self) -> IntArray:
        """Rows of every event, shape (n_events,)."""
        return np.diff(self.offsets)

    @property
    def event_index(self) -> IntArray:
        """Event of every row, shape (n_rows,)."""
        return np.repeat(np.arange(len(self)), self.counts)


@dataclass(frozen=True)
class RawBatch:
    """Events of the raw tree: scalars (and truth) of shape (n_events,), and collections."""

    scalars: dict[str, AnyArray]
    collections: dict[str, Jagged]

    def __len__(self) -> int:
        return len(next(iter(self.scalars.values())))

    @classmethod
    def from_events(cls, events: Any, collections: Iterable[str] = tuple(COLLECTIONS)) -> RawBatch:
        """Read the buffers of a NanoEvents (or any awkward) array of raw events.

        Parameters
        ----------
        events : ak.Array
            Raw events with one list of records per collection.
        collections : iterable of str
            Collections to read; others stay untouched (and unread).

        Returns
        -------
        RawBatch
            Scalars, truth where present, and the collections.
        """
        present = set(events.fields)
        scalars = {name: np.asarray(ak.to_numpy(events[name]), kind) for name, kind in (SCALARS | TRUTH).items() if name in present}
        return cls(scalars, {name: jagged(events[name], COLLECTIONS[name]) for name in collections})


def jagged(collection: Any, types: dict[str, np.dtype]) -> Jagged:
    """Buffers of one awkward collection, with the types that the kernels were compiled for.

    Parameters
    ----------
    collection : ak.Array
        Shape (n_events, var), records with the fields of `types`.
    types : dict[str, np.dtype]
        Field name -> type.

    Returns
    -------
    Jagged
        Offsets (int64, from 0) and contiguous fields.
    """
    offsets = np.zeros(len(collection) + 1, dtype=np.int64)
    fields = {}
    for i, (name, kind) in enumerate(types.items()):
        column = collection[name]
        if i == 0:
            np.cumsum(ak.to_numpy(ak.num(column, axis=1)), out=offsets[1:])
        fields[name] = np.ascontiguousarray(ak.to_numpy(ak.flatten(column, axis=1)), dtype=kind)
    return Jagged(offsets, fields)
