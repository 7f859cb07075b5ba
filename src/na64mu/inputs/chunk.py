"""A chunk, the range of entries of one file that is read and reconstructed at once, and its key."""

from __future__ import annotations

from typing import Protocol

__all__ = ("Chunk", "ChunkKey", "key_of_chunk")

#: Dataset, file, first entry and the one behind the last.
ChunkKey = tuple[str, str, int, int]


class Chunk(Protocol):
    """A range of entries of one file; coffea's WorkItem is one."""

    dataset: str
    filename: str
    entrystart: int
    entrystop: int


def key_of_chunk(chunk: Chunk) -> ChunkKey:
    """Dataset, file, first entry and the one behind the last.

    Parameters
    ----------
    chunk : Chunk
        A range of entries.

    Returns
    -------
    tuple
        The key under which its result is kept.
    """
    return chunk.dataset, chunk.filename, int(chunk.entrystart), int(chunk.entrystop)
