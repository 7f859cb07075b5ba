"""The one blinding policy: which events of data nobody sees before the signal box is opened.

It is made once, at the start of any work, and every reader of events goes through it. What it hides in data is decided by what is frozen
alone, the *floors* (na64mu.selections.floor), and not by the selection at hand. Hidden are

- the events in the signal box of a floor, and
- decoys: events that fail one of the cuts of a floor up to its first cut on reconstructed quantities, and are not seen to have p_out above the
  box (p_out is in the box, or there is none). No cut-flow, histogram or region ever counts a decoy.

The number of hidden events, and which ones they are, can be learnt: they are recorded, and missing in an event summary. How many of them lie in the
box, and which, cannot: put a decoy with the same trigger in the place of an event of the box, and no output changes, since all of them are made of
visible events and of what the raw files say of every event (run, number, configuration, trigger). A selection, a threshold, a binning or a chunk size of
the user changes nothing of who is hidden; a larger box of the user's own hides more. docs/explanation/blinding.md has the argument and its limits.

Momenta GeV/c, energies GeV.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from na64mu.detector import Detector
from na64mu.events.faults import Bounds
from na64mu.events.origin import path_is_data
from na64mu.events.screening import screened
from na64mu.reconstruction import summary as reconstruction
from na64mu.reconstruction.columns import stored_columns
from na64mu.reconstruction.event_summary import EventSummary
from na64mu.selections.cuts import Box, in_box
from na64mu.selections.floor import Floor, Floors
from na64mu.selections.working_point import RECORDED, BoundCut, WorkingPoint, load_working_point
from na64mu.typing import BoolArray, Summary

if TYPE_CHECKING:
    from na64mu.events.batch import RawBatch

__all__ = ("BlindingPolicy", "Floor", "Floors", "masks_of", "withheld_sentence")


class Described(Protocol):
    """A file with events: SourceFile or SummaryFile."""

    @property
    def path(self) -> str:
        """Path of the file."""

    @property
    def is_data(self) -> bool:
        """Whether its events are data."""

    @property
    def detector(self) -> str:
        """Tag of the description that it is read with."""


@dataclass(frozen=True)
class BlindingPolicy:
    """Who may be seen, decided once for all verbs.

    Attributes
    ----------
    floor : Floors
        What is hidden in data.
    box : Box
        Signal box of the selection at hand; it contains those of the floors, and in data its events are hidden too.
    data : mapping of str to bool
        File -> whether its events are data. Of others the bookkeeping is looked at.
    references : mapping of str to tuple of Detector
        File of data -> frozen descriptions of its detector, where it is read with another one.
    opened : bool
        Whether the frozen selection was opened: then nothing is hidden.
    """

    floor: Floors
    box: Box
    data: Mapping[str, bool] = field(default_factory=dict)
    references: Mapping[str, tuple[Detector, ...]] = field(default_factory=dict)
    opened: bool = False

    @classmethod
    def of(
        cls,
        working_point: str | Path | WorkingPoint | None,
        files: Iterable[Described] = (),
        detectors: Mapping[str, Detector] | None = None,
        *,
        floor: Floors | Floor | None = None,
        opened: bool = False,
    ) -> Self:
        """The policy of some work.

        Parameters
        ----------
        working_point : WorkingPoint, str or Path, optional
            The selection at hand; without one only what is frozen is hidden.
        files : iterable of SourceFile or SummaryFile
            Files that are read.
        detectors : mapping of str to Detector, optional
            Tag -> description that their events are reconstructed with.
        floor : Floors or Floor, optional
            What the collaboration froze; the floor of the package holds beside it.
        opened : bool
            Whether this work was opened, with the record that belongs to it.

        Returns
        -------
        BlindingPolicy
            The policy.

        Raises
        ------
        BlindedError
            If there are data and the box of the selection does not contain the frozen one.
        """
        known, floors = list(files), floor if isinstance(floor, Floors) else Floors.of(() if floor is None else (floor,))
        point = None if working_point is None else load_working_point(working_point)
        made = cls(floors, floors.box if point is None else point.box, {f.path: f.is_data for f in known}, opened=opened)
        if point is not None and any(made.data.values()):
            made.must_contain_floor(point.name)
        if not detectors:
            return made
        tags = {f.path: getattr(f, "recorded", ()) for f in known if f.is_data}
        used = {f.path: detectors[f.detector] for f in known}
        found = {path: floors.frozen_descriptions(names, used[path]) for path, names in tags.items()}
        return cls(floors, made.box, made.data, {path: own for path, own in found.items() if own}, opened)

    def must_contain_floor(self, name: str) -> None:
        """Refuse a box that would show in data what is frozen.

        Parameters
        ----------
        name : str
            Name of the selection, for the message.

        Raises
        ------
        BlindedError
            If the box is smaller than the frozen one in p_out or E_CAL.
        """
        self.floor.must_be_in(self.box, name)

    def is_data(self, path: str) -> bool:
        """Whether the events of a file are data."""
        return self.data[path] if path in self.data else path_is_data(path)

    def hides(self, path: str) -> bool:
        """Whether events of a file are hidden."""
        return not self.opened and self.is_data(path)

    def visible(self, summary: Summary, path: str, batch: RawBatch | None = None) -> BoolArray:
        """Events that may be seen: the one mask that is the same for all outputs of all verbs.

        Parameters
        ----------
        summary : Summary
            Columns of shape (n_events,).
        path : str
            File that they are from.
        batch : RawBatch, optional
            The raw events, where there are any: of a file that is read with another description than the frozen one they are reconstructed with
            that one too.

        Returns
        -------
        BoolArray
            Shape (n_events,); all True in simulation and in opened data.
        """
        return np.ones(len(summary["p_out"]), dtype=np.bool_) if self.opened else self.outside(summary, path, batch)

    def outside(self, summary: Summary, path: str, batch: RawBatch | None = None) -> BoolArray:
        """Events that may be seen while the box is shut, whether it was opened or not; arguments are those of `visible`."""
        if not self.is_data(path):
            return np.ones(len(summary["p_out"]), dtype=np.bool_)
        return self.seen(summary, batch, self.references.get(path, ()))

    def seen(self, summary: Summary, batch: RawBatch | None = None, frozen: Iterable[Detector] = ()) -> BoolArray:
        """Events of data that may be seen; arguments are those of `visible`, with the frozen descriptions themselves."""
        hidden = self.floor.hidden(summary) | in_box(summary, self.box)
        for detector in frozen:
            if batch is None or not len(hidden):
                break
            whole = screened(batch, Bounds.of(detector), np.arange(len(batch))).whole
            hidden |= self.floor.hidden(reconstruction.reconstruct(whole, detector))
        return ~hidden

    def visible_batch(self, batch: RawBatch, detector: Detector, path: str) -> RawBatch:
        """The raw events that may be seen; the batch itself where nothing is hidden.

        Parameters
        ----------
        batch : RawBatch
            Raw events of a file.
        detector : Detector
            Description that they are reconstructed with.
        path : str
            The file.

        Returns
        -------
        RawBatch
            Without the others.
        """
        if not self.hides(path) or not len(batch):
            return batch
        return batch.with_events(self.visible(reconstruction.reconstruct(batch, detector), path, batch))


def masks_of(cuts: Iterable[BoundCut], summary: Summary, visible: BoolArray, *, hides: bool) -> dict[str, BoolArray]:
    """Cut -> events that pass; in blinded data no cut is given a reconstructed number of a hidden event.

    Parameters
    ----------
    cuts : iterable of BoundCut
        In order.
    summary : Summary
        Columns of shape (n_events,).
    visible : BoolArray
        Events that may be seen, shape (n_events,).
    hides : bool
        Whether there may be hidden events.

    Returns
    -------
    dict of str to BoolArray
        Shape (n_events,) each. Of hidden events, cuts on recorded columns alone are evaluated as of others, and the rest is False.
    """
    if not hides:
        return {cut.name: cut(summary) for cut in cuts}
    recorded = EventSummary({name: column for name, column in summary.items() if name in RECORDED})
    seen = EventSummary({name: column[visible] for name, column in summary.items()})
    masks = {}
    for cut in cuts:
        if all(name in RECORDED for name in stored_columns(cut.columns)):
            masks[cut.name] = cut(recorded)
        else:
            masks[cut.name] = np.zeros(len(visible), dtype=np.bool_)
            if visible.any():
                masks[cut.name][visible] = cut(seen)
    return masks


def withheld_sentence(what: str) -> str:
    """What is said of any hidden event, the same for those of the box and for decoys.

    Parameters
    ----------
    what : str
        The event.

    Returns
    -------
    str
        One sentence.
    """
    return (
        f"{what} is withheld: in data, the events of the signal box, and others among which they are hidden, are not shown before the box is opened; "
        "choose another event"
    )
