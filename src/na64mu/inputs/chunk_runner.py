"""The work on one chunk, whatever it is read from: read it, give it to the processor, and keep what goes wrong as a loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from na64mu.inputs.chunk_errors import guarded

__all__ = ("ChunkRunner", "Portion", "Reader")


class Portion(NamedTuple):
    """What a chunk contains.

    Attributes
    ----------
    events : RawBatch or Summary
        Raw events, or columns of the event summary.
    where : mapping
        dataset, filename, entrystart, entrystop and detector of the chunk.
    found : mapping
        What the reader counted, such as faults: added to the result of the chunk.
    """

    events: Any
    where: Mapping[str, Any]
    found: Mapping[str, Any] = {}


class Reader(Protocol):
    """Reads the chunks of a source; travels to the workers."""

    def read(self, chunk: Any) -> Portion:
        """Read a chunk; raises InputError if it cannot be read."""

    def give(self, portion: Portion, processor: Any, clock: Any) -> dict[str, Any]:
        """Call the method of the processor that takes what is read."""

    def rehearsal(self, chunk: Any) -> Any:
        """Return a part of the chunk that is worked on before memory is limited, or None if there is no need."""


@dataclass(frozen=True)
class ChunkRunner:
    """Reads a chunk and gives it to a processor; travels to the workers.

    Attributes
    ----------
    processor : Any
        Returns an addable dictionary.
    reader : Reader
        What reads a chunk of the source.
    memory : int, optional
        Bytes that a worker may have.
    """

    processor: Any
    reader: Reader
    memory: int | None = None

    def __call__(self, chunk: Any) -> dict[str, Any]:
        """Return the result of one chunk, under its key."""
        first = None if self.memory is None else self.reader.rehearsal(chunk)
        if first is not None:
            guarded(first, lambda: self._work(first))
        return guarded(chunk, lambda: self._work(chunk), self.memory)

    def _work(self, chunk: Any) -> dict[str, Any]:
        from na64mu.results.clock import Clock

        clock = Clock()
        with clock("read"):
            portion = self.reader.read(chunk)
        return {**self.reader.give(portion, self.processor, clock), **portion.found}
