"""What can be run in place of the search: a function on event summaries, a `Processor`, or any coffea processor.

One rule chooses: an instance of coffea's `ProcessorABC` is given raw events; an object with `process` is given the event summary and the
chunk it comes from; any other callable is given the event summary. What is returned is added up, so it must be addable: a number, a
histogram, an array, a set, or a dictionary of these, as for coffea.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from na64mu.errors import ProcessorError
from na64mu.events.schema_v1 import TRUTH
from na64mu.reconstruction.columns import Derived, is_column, stored_columns, summary_columns
from na64mu.reconstruction.event_summary import EventSummary
from na64mu.reconstruction.variables import user_variables

__all__ = ("Processor", "checked", "columns_of", "name_of", "takes_events", "variables_of")

#: Columns that every processor is given: the counts of the exposure and the blinding need them.
NEEDED = ("run", "config", "p_out", "e_cal")


class Processor(Protocol):
    """A processor of event summaries.

    It may have an attribute `columns`, the names of the columns that it looks at: then only these are read from files of event summaries
    (run, config, p_out, e_cal and the truth of simulation are always there).
    """

    def process(self, summary: EventSummary, chunk: Mapping[str, Any]) -> Any:
        """Process one chunk.

        Parameters
        ----------
        summary : EventSummary
            Columns of shape (n_events,); in data without the events that are hidden (na64mu.selections.blinding).
        chunk : mapping
            dataset, filename, detector, entrystart and entrystop of the chunk.

        Returns
        -------
        Any
            What is added up over all chunks of a dataset.
        """
        ...


def takes_events(processor: Any) -> bool:
    """Whether a processor is given raw events, as coffea's processors are, rather than event summaries."""
    from coffea.processor import ProcessorABC

    return isinstance(processor, ProcessorABC)


def name_of(processor: Any) -> str:
    """The name of a processor in messages and in the provenance."""
    while isinstance(processor, partial):
        processor = processor.func
    return str(getattr(processor, "__qualname__", type(processor).__qualname__))


def checked(processor: Any) -> Any:
    """The same processor, if it can be run.

    Parameters
    ----------
    processor : Any
        What the user gave.

    Returns
    -------
    Any
        The processor.

    Raises
    ------
    ProcessorError
        If it is none, or asks for columns that do not exist.
    """
    if isinstance(processor, type):
        msg = f"processor: an instance is wanted; found the class {processor.__name__}: write {processor.__name__}()"
        raise ProcessorError(msg)
    if not callable(getattr(processor, "process", processor)):
        msg = (
            "processor: a function on event summaries, an object with process(summary, chunk), or a coffea processor is wanted; "
            f"found {type(processor).__name__}"
        )
        raise ProcessorError(msg)
    unknown = [name for name in _named(processor) or () if name not in TRUTH and not is_column(name)]
    if unknown:
        msg = f"the processor {name_of(processor)} asks for the column {unknown[0]!r}, which the event summary does not have: see na64mu.reconstruction.columns"
        raise ProcessorError(msg)
    return processor


def columns_of(processor: Any) -> tuple[str, ...]:
    """Columns that a processor of event summaries is given, and the truth where there is any; all if it names none."""
    named = _named(processor)
    chosen = tuple(summary_columns()) if named is None else stored_columns((*NEEDED, *named))
    return tuple(dict.fromkeys((*chosen, *TRUTH)))


def variables_of(processor: Any) -> dict[str, Derived]:
    """Variables of the user's own that a processor of event summaries can ask for: those that its columns name, else all.

    Parameters
    ----------
    processor : Any

    Returns
    -------
    dict of str to Derived
        Name -> definition.
    """
    return {} if takes_events(processor) else user_variables(_named(processor))


def _named(processor: Any) -> tuple[str, ...] | None:
    names: Iterable[str] | None = None if takes_events(processor) else getattr(processor, "columns", None)
    return (names,) if isinstance(names, str) else None if names is None else tuple(names)
