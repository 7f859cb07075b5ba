"""Checksums of what was written: CRC-32 of every branch and cluster, and of the bookkeeping, in the object `checksums` of the file.

A ROOT file has no checksum of its own for a compressed basket, and a flipped bit can still be unpacked to other numbers.
They are made of the numbers as they are read back (little-endian, in the types of the raw tree), so they do not depend on
compression. Those of optional branches are kept apart, so that a reader that does not know a branch does not miss it. Files of others have none; a tree with another number of events than its checksums (merged files) is not judged.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.errors import InputError
from na64mu.events.batch import RawBatch
from na64mu.events.schema_v1 import optional_branches
from na64mu.typing import AnyArray

__all__ = ("NAME", "Checksums", "columns_of", "read_checksums", "runs_checksum")

NAME = "checksums"


@dataclass
class Checksums:
    """Checksums of one file.

    Attributes
    ----------
    borders : list of int
        First entry of every cluster, and the number of entries.
    branches, optional : dict of str to list of int
        Branch -> CRC-32 of every cluster; branches of version 1, and optional ones.
    runs, n_runs : int
        CRC-32 of the bookkeeping, and the number of its rows.
    """

    borders: list[int] = field(default_factory=lambda: [0])
    branches: dict[str, list[int]] = field(default_factory=dict)
    optional: dict[str, list[int]] = field(default_factory=dict)
    runs: int = 0
    n_runs: int = 0

    def add(self, batch: RawBatch) -> None:
        """Append one cluster."""
        self.borders.append(self.borders[-1] + len(batch))
        optional = optional_branches()
        for name, column in columns_of(batch, 0, len(batch)):
            (self.optional if name in optional else self.branches).setdefault(name, []).append(_crc(column))

    def to_json(self) -> str:
        """Return the header as it is written."""
        content = {"format_version": 1, "borders": self.borders, "branches": self.branches, "runs": self.runs, "n_runs": self.n_runs}
        return json.dumps(content | ({"optional": self.optional} if self.optional else {}))

    def gone(self, present: Iterable[str]) -> list[str]:
        """Branches that were written and are not among those of a tree."""
        return sorted({*self.branches, *self.optional} - set(present))

    def wrong(self, batch: RawBatch, start: int) -> list[tuple[str, int, int]]:
        """Branch and entries of every cluster that lies in a batch and has other numbers than were written.

        Parameters
        ----------
        batch : RawBatch
            Events of the file.
        start : int
            Entry of the first of them.

        Returns
        -------
        list of (str, int, int)
            Branch, first entry, and the one behind the last.
        """
        found, known = [], self.branches | self.optional
        for i, (low, high) in enumerate(zip(self.borders[:-1], self.borders[1:], strict=True)):
            if start <= low and high <= start + len(batch):
                for name, column in columns_of(batch, low - start, high - start):
                    if name in known and known[name][i] != _crc(column):
                        found.append((name, low, high))
        return found

    def verify(self, batch: RawBatch, start: int, present: Iterable[str]) -> None:
        """Raise an InputError that names the first branch that is gone or has other numbers than were written.

        Parameters
        ----------
        batch : RawBatch
            The events that were read.
        start : int
            Entry of the first one in the tree.
        present : iterable of str
            Branches of the tree.

        Raises
        ------
        InputError
            If there is one.
        """
        gone = self.gone(present)
        if gone:
            msg = f"branch {gone[0]!r} was written and is not there, the file is damaged; copy or make it again"
            raise InputError(msg)
        for name, low, high in self.wrong(batch, start)[:1]:
            msg = (
                f"branch {name!r} has other numbers in entries {low} to {high - 1} than were written, "
                "the file is damaged; copy or make it again"
            )
            raise InputError(msg)


def _crc(column: AnyArray) -> int:
    if sys.byteorder == "big":
        column = column.byteswap()
    return zlib.crc32(np.ascontiguousarray(column).view(np.uint8).data)


def columns_of(batch: RawBatch, low: int, high: int) -> Iterable[tuple[str, AnyArray]]:
    """Branches of the events low to high - 1 of a batch, as they are stored in the tree."""
    for name, column in batch.scalars.items():
        yield name, column[low:high]
    for name, collection in batch.collections.items():
        first, last = int(collection.offsets[low]), int(collection.offsets[high])
        yield f"n{name}", collection.counts[low:high].astype(np.int32)
        for field_name, column in collection.fields.items():
            yield f"{name}_{field_name}", column[first:last]


def runs_checksum(rows: Sequence[Mapping[str, Any]]) -> int:
    """CRC-32 of the bookkeeping.

    Parameters
    ----------
    rows : sequence of mapping
        Bookkeeping rows, one per (run, config), with every field of na64mu.events.schema_v1.RUNS.

    Returns
    -------
    int
        The checksum.
    """
    return zlib.crc32(json.dumps([dict(sorted(row.items())) for row in rows]).encode())


def read_checksums(file: Any, path: str | Path) -> Checksums | None:
    """The checksums of an open file.

    Parameters
    ----------
    file : uproot.ReadOnlyDirectory
        Open file, from na64mu.events.root_io.open_file.
    path : str or Path
        Path of the file, for the message.

    Returns
    -------
    Checksums or None
        None if the file has none.

    Raises
    ------
    InputError
        If they are damaged.
    """
    try:
        if NAME not in file.keys(cycle=False, recursive=False):
            return None
        content = json.loads(str(file[NAME]))
        borders = [int(b) for b in content["borders"]]
        branches, optional = (
            {str(name): [int(crc) for crc in crcs] for name, crcs in part.items()}
            for part in (content["branches"], content.get("optional", {}))
        )
        checksums = Checksums(borders, branches, optional, int(content["runs"]), int(content["n_runs"]))
    except Exception as error:
        msg = f"{path}: its checksums cannot be read, the file is damaged ({type(error).__name__}); copy or make it again"
        raise InputError(msg) from error
    if (
        borders[:1] != [0]
        or sorted(borders) != borders
        or any(len(crcs) != len(borders) - 1 for crcs in (*branches.values(), *optional.values()))
    ):
        msg = f"{path}: its checksums contradict themselves, the file is damaged; copy or make it again"
        raise InputError(msg)
    return checksums
