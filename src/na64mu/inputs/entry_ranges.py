"""Ranges of entries of every file that were read or lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from na64mu.results.losses import Loss
from na64mu.results.provenance import merged_ranges

__all__ = ("Ranges", "complement", "reconciled")

Ranges = tuple[tuple[int, int], ...]


def complement(ranges: Ranges, entries: int) -> Ranges:
    """Entries from 0 to `entries` that lie in none of the sorted ranges."""
    borders = [0, *(border for r in ranges for border in r), entries]
    return tuple((a, b) for a, b in zip(borders[::2], borders[1::2], strict=True) if a < b)


def reconciled(
    whole: Mapping[tuple[str, str], Ranges], chunks: Sequence[Any], out: Mapping[str, Any], gone: Sequence[Any]
) -> tuple[dict[tuple[str, str], tuple[Ranges, Ranges]], list[Loss]]:
    """Entry ranges read and not read of every file, and all losses of chunks."""
    lost: list[Loss] = sorted(out.get("lost", []))
    lost += [_gone(c.dataset, c.filename, c.entrystart, c.entrystop) for c in gone]
    lost_ranges: dict[tuple[str, str], set[tuple[int, int]]] = defaultdict(set)
    for loss in lost:
        lost_ranges[loss.dataset, loss.file].add((loss.entry_start, loss.entry_stop))
    given = defaultdict(list)
    for c in chunks:
        given[c.dataset, c.filename].append((c.entrystart, c.entrystop))
    ranges = {}
    for key, rows in whole.items():
        start, stop = (rows[0][0], rows[-1][1]) if rows else (0, 0)
        outside = set(complement(merged_ranges(rows), stop))  # rows of other datasets between those of this one
        read = merged_ranges(r for r in given[key] if r not in lost_ranges[key])
        ranges[key] = read, _without(complement(read, stop), outside, start)
        lost += [_skipped(key, a, b) for a, b in _without(complement(merged_ranges(given[key]), stop), outside, start)]
    return ranges, lost


def _without(ranges: Ranges, outside: Iterable[tuple[int, int]], start: int) -> Ranges:
    """Sorted ranges from `start` on without those that lie outside."""
    kept: list[tuple[int, int]] = list(ranges)
    for low, high in (*outside, (0, start)):
        kept = [piece for a, b in kept for piece in ((a, min(b, low)), (max(a, high), b)) if piece[0] < piece[1]]
    return tuple(kept)


def _gone(dataset: str, path: str, start: int, stop: int) -> Loss:
    reason = (
        f"{path}: entries {start} to {stop - 1} are lost: the file could be opened at the start but not when these entries were to be read"
    )
    return Loss(dataset, path, "chunk", reason, start, stop)


def _skipped(key: tuple[str, str], start: int, stop: int) -> Loss:
    reason = (
        f"{key[1]}: entries {start} to {stop - 1} were not read, as asked for with maxchunks or steps; the exposure is lowered accordingly"
    )
    return Loss(*key, "skipped", reason, start, stop)
