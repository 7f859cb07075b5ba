"""Which channels a detector has: for every collection, the addresses that can occur in its digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.detector.readout import banks
from na64mu.events.address_kernels import all_exist
from na64mu.events.schema_v1 import COLLECTIONS, mandatory_fields, waveform_of
from na64mu.typing import AnyArray, IntArray

__all__ = ("ChannelLimits", "Outside", "channel_limits")


@dataclass(frozen=True)
class Outside:
    """Rows whose address does not exist.

    Attributes
    ----------
    field : str
        The field at fault.
    rows : IntArray
        Indices of the rows, shape (n_bad,).
    reason : str
        Address of the first of them, and the range of the detector.
    """

    field: str
    rows: IntArray
    reason: str


@dataclass(frozen=True)
class ChannelLimits:
    """Addresses of one collection.

    Attributes
    ----------
    fields : tuple of str
        Address fields; all but the last name an element, the last counts its channels from 0.
    sizes : dict[tuple of int, int]
        Element -> number of its channels.
    """

    fields: tuple[str, ...]
    sizes: Mapping[tuple[int, ...], int]

    @cached_property
    def table(self) -> IntArray:
        """Number of channels of each element, 0 where there is none; one axis per leading field."""
        top = [max(key[axis] for key in self.sizes) for axis in range(len(self.fields) - 1)]
        table = np.zeros([n + 2 for n in top], np.int64)  # the last place of an axis covers everything beyond
        for key, size in self.sizes.items():
            table[key] = size
        return table

    @cached_property
    def ends(self) -> tuple[tuple[int, int], ...] | None:
        """Lowest and highest value of each field if all values between them exist, which then need not be looked up; else None."""
        sizes, axes = set(self.sizes.values()), list(zip(*self.sizes, strict=True))
        ends = tuple((min(axis), max(axis)) for axis in axes)
        n = int(np.prod([high - low + 1 for low, high in ends]))
        return (*ends, (0, sizes.pop() - 1)) if len(sizes) == 1 and n == len(self.sizes) else None

    def holds(self, columns: Mapping[str, AnyArray]) -> bool:
        """Whether every address exists, as far as that is seen quickly; if not, `outside` looks for the rows that do not.

        Parameters
        ----------
        columns : mapping
            Field -> integers of shape (n_rows,), n_rows > 0.

        Returns
        -------
        bool
            False if an address may not exist.
        """
        if self.ends is None:
            *lead, last = (columns[field] for field in self.fields)
            return all_exist(lead, last, self.table)
        return all(columns[f].min() >= low and columns[f].max() <= high for f, (low, high) in zip(self.fields, self.ends, strict=True))

    def outside(self, columns: Mapping[str, AnyArray]) -> Iterator[Outside]:
        """Find rows whose address does not exist.

        Parameters
        ----------
        columns : mapping
            Field -> integers of shape (n_rows,).

        Yields
        ------
        Outside
            One for every field at fault.
        """
        *lead, last = (columns[field] for field in self.fields)
        size = self.table[tuple(np.minimum(c, n - 1).astype(np.int64) for c, n in zip(lead, self.table.shape, strict=True))]
        bad = np.flatnonzero((last >= size) | (last < 0))
        if not len(bad):
            return
        size = np.broadcast_to(size, last.shape)
        unknown = bad[size[bad] == 0]
        for axis, column in enumerate(lead):
            known = sorted({key[axis] for key in self.sizes})
            inside = np.isin(column[unknown], known)
            wrong, unknown = unknown[~inside], unknown[inside]
            if len(wrong):
                yield Outside(self.fields[axis], wrong, f"is {column[wrong[0]]}, there are {', '.join(map(str, known))}")
        if len(unknown):
            element = self._element(columns, int(unknown[0]))
            yield Outside(self.fields[-2], unknown, f"does not exist: {element}")
        above = bad[size[bad] > 0]
        if len(above):
            row = int(above[0])
            element = self._element(columns, row)
            yield Outside(self.fields[-1], above, f"is {last[row]}, {element or 'it'} has 0 to {size[row] - 1}")

    def _element(self, columns: Mapping[str, AnyArray], row: int) -> str:
        return ", ".join(f"{field} {columns[field][row]}" for field in self.fields[:-1])


def channel_limits(detector: DetectorLike) -> dict[str, ChannelLimits]:
    """Addresses of every collection of the raw tree in one detector.

    Parameters
    ----------
    detector : Detector, str or Path
        The description of the set-up.

    Returns
    -------
    dict[str, ChannelLimits]
        Collection of either tier -> its addresses.
    """
    detector = load_detector(detector)
    limits = _digit_limits(detector)
    return limits | {waveform_of(name): own for name, own in limits.items() if waveform_of(name)}


def _digit_limits(detector: Detector) -> dict[str, ChannelLimits]:
    """For every kind of readout its banks: the first fields of the collection are the address, the last of them counts."""
    limits: dict[str, ChannelLimits] = {}
    there = dict.fromkeys(bank.kind for bank in banks(detector).values())
    for kind in dict.fromkeys([*(name for name in COLLECTIONS if name in there), *there]):
        own = [bank for bank in banks(detector).values() if bank.kind == kind]
        sizes = {(*bank.address, *index): bank.shape[-1] for bank in own for index in np.ndindex(bank.shape[:-1])}
        limits[kind] = ChannelLimits(tuple(mandatory_fields(kind))[: len(own[0].address) + len(own[0].shape)], sizes)
    return limits
