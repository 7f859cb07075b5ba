"""A processor of the user's own in place of the search: it is given what may be seen, and its results are kept with the bookkeeping.

In data no hidden event (na64mu.selections.blinding) is given to it, neither in event summaries nor among raw events: for these the summary is made
first, and the hidden ones are taken out before the processor is called.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from na64mu.detector import Detector
from na64mu.errors import ProcessorError
from na64mu.events.batch import RawBatch
from na64mu.events.nanoevents import to_events
from na64mu.processors.base import columns_of, name_of, takes_events
from na64mu.processors.search import run_counts
from na64mu.reconstruction import summary as reconstruction
from na64mu.reconstruction.columns import DERIVED, Derived
from na64mu.reconstruction.event_summary import EventSummary
from na64mu.results.clock import Clock
from na64mu.results.run import Timing
from na64mu.selections.blinding import BlindingPolicy
from na64mu.typing import BoolArray, Summary

__all__ = ("OwnProcessor",)


@dataclass(frozen=True)
class OwnProcessor:
    """Calls a processor of the user's own with the events of a chunk that may be seen.

    Attributes
    ----------
    own : Any
        A function, a `Processor` or a coffea processor; see na64mu.processors.base.
    detectors : dict of str to Detector
        Tag -> description.
    policy : BlindingPolicy
        Who may be seen.
    excluded : mapping of str to Excluded
        File -> entries that repeat other events and are left out.
    variables : mapping of str to Derived
        Variables of the user's own that the processor may ask for.
    """

    own: Any
    detectors: dict[str, Detector]
    policy: BlindingPolicy
    excluded: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Derived] = field(default_factory=dict)

    def process_batch(self, batch: RawBatch, where: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
        """Process the raw events of one chunk.

        Parameters
        ----------
        batch : RawBatch
            Raw events.
        where : mapping
            dataset, filename, detector, entrystart and entrystop of the chunk.
        clock : Clock
            Goes on counting.

        Returns
        -------
        dict
            "datasets": dataset -> "value"; "events": (dataset, file, run, config) -> events; "timing".
        """
        raw = takes_events(self.own)
        summary: Summary = dict(batch.scalars)
        seen: BoolArray = np.ones(len(batch), dtype=np.bool_)
        if not raw or self.policy.hides(where["filename"]):
            with clock("reconstruct"):
                summary = reconstruction.reconstruct(batch, self.detectors[where["detector"]])
                seen = self.policy.visible(summary, where["filename"], batch)
        return self._result(summary, seen, where, clock, batch if raw else None)

    def analyse(self, summary: Summary, where: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
        """Process the rows of one chunk of a file of event summaries; arguments and result are those of `process_batch`."""
        return self._result(summary, self.policy.visible(summary, where["filename"]), where, clock)

    def _result(
        self, summary: Summary, visible: BoolArray, where: Mapping[str, Any], clock: Clock, batch: RawBatch | None = None
    ) -> dict[str, Any]:
        n = len(summary["run"])
        once: BoolArray = np.ones(n, dtype=np.bool_)
        if where["filename"] in self.excluded:
            start = int(where["entrystart"])
            once = np.asarray(self.excluded[where["filename"]].mask(start, start + n), dtype=np.bool_)
        seen = once & visible
        content: dict[str, Any] = {}
        with clock("fill"):
            if seen.any():
                content["value"] = self._value(summary, batch, seen, where)
        counted = {name: summary[name][once] for name in ("run", "config")}
        return {
            "datasets": {where["dataset"]: content},
            "events": run_counts(counted, (where["dataset"], where["filename"])),
            "timing": Timing(**clock.seconds, events=int(np.count_nonzero(once)), chunks=1),
        }

    def _value(self, summary: Summary, batch: RawBatch | None, seen: BoolArray, where: Mapping[str, Any]) -> Any:
        given: tuple[Any, ...]
        if batch is not None:
            events = to_events(batch, dict(where))
            given = (events if seen.all() else ak.to_packed(events[seen]),)  # packed: the buffers do not hold the others either
        else:
            DERIVED.update(self.variables)  # a worker has not executed the user's file
            names = columns_of(self.own)
            chosen = EventSummary({name: column[seen] for name, column in summary.items() if name in names})
            chunk = {name: where[name] for name in ("dataset", "filename", "detector", "entrystart", "entrystop")}
            given = (chosen, chunk) if hasattr(self.own, "process") else (chosen,)
        try:
            value = getattr(self.own, "process", self.own)(*given)
        except MemoryError:
            raise
        except Exception as error:
            msg = f"the processor {name_of(self.own)} failed on {_place(where)}: {type(error).__name__}: {error}{_line_of(error)}"
            raise ProcessorError(msg) from error
        return addable(value, self.own)


def addable(value: Any, own: Any) -> Any:
    """What a processor returned, if it can be added up as coffea adds.

    Parameters
    ----------
    value : Any
        What it returned.
    own : Any
        The processor, for the message.

    Returns
    -------
    Any
        The value.

    Raises
    ------
    ProcessorError
        If it cannot be added; the message says how it is called.
    """
    waiting = [("what it returned", value)]
    while waiting:
        what, each = waiting.pop()
        if isinstance(each, dict):
            waiting += [(f"its entry {key!r}", entry) for key, entry in each.items()]
        elif not isinstance(each, set) and (isinstance(each, str | bytes) or not hasattr(each, "__add__")):
            msg = (
                f"the processor {name_of(own)}: {what} is {type(each).__name__}, which cannot be added up over chunks: "
                "return numbers, histograms, arrays, lists, sets, or dictionaries of these"
            )
            raise ProcessorError(msg)
    return value


def _place(where: Mapping[str, Any]) -> str:
    return f"entries {int(where['entrystart'])} to {int(where['entrystop']) - 1} of {where['filename']}"


def _line_of(error: Exception) -> str:
    """Where the user's code failed: its last line before the code of packages."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    own = [frame for frame in frames if "site-packages" not in frame.filename and not frame.filename.startswith("<__array")]
    return "".join(f" ({Path(frame.filename).name}, line {frame.lineno})" for frame in (own or frames)[-1:])
