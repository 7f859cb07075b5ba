"""The one blinding policy: which events of data nobody sees before the signal box is opened.

It is made once, at the start of any work, and every reader of events goes through it. What it hides in data is decided by the frozen working point
alone, the *floor*, and not by the selection at hand. Hidden are

- the events in the signal box of the floor, and
- decoys: events that fail one of the cuts of the floor up to its first cut on reconstructed quantities, and are not seen to have p_out above the
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

from na64mu.common.toml_model import content_hash
from na64mu.detector import Detector, known_detectors, load_detector
from na64mu.errors import BlindedError, SelectionError
from na64mu.events.faults import Bounds
from na64mu.events.origin import path_is_data
from na64mu.events.screening import screened
from na64mu.reconstruction import summary as reconstruction
from na64mu.reconstruction.columns import stored_columns
from na64mu.reconstruction.event_summary import EventSummary
from na64mu.selections.cuts import Box, in_box
from na64mu.selections.working_point import RECORDED, BoundCut, WorkingPoint, load_working_point
from na64mu.typing import BoolArray, Summary

if TYPE_CHECKING:
    from na64mu.events.batch import RawBatch

__all__ = ("FLOOR", "BlindingPolicy", "Floor", "masks_of", "withheld_sentence")

#: Working point whose box is frozen where the collaboration has frozen no other one.
FLOOR = "prl2024"


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
class Floor:
    """What is hidden in data whatever is selected: the frozen box, and the cuts that make decoys.

    Attributes
    ----------
    name : str
        Name of the frozen working point.
    box : Box
        Its signal box.
    cuts : tuple of BoundCut
        Its cuts up to and with the first one on reconstructed quantities.
    detectors : mapping of str to Detector
        Tag -> frozen description, where it is not the one that ships with the package.
    """

    name: str
    box: Box
    cuts: tuple[BoundCut, ...]
    detectors: Mapping[str, Detector] = field(default_factory=dict)

    @classmethod
    def of(cls, working_point: str | Path | WorkingPoint, detectors: Mapping[str, Detector] | None = None) -> Self:
        """The floor that a frozen working point is.

        Parameters
        ----------
        working_point : WorkingPoint, str or Path
            The frozen selection, or its name or file.
        detectors : mapping of str to Detector, optional
            Tag -> frozen description.

        Returns
        -------
        Floor
            What it hides.

        Raises
        ------
        SelectionError
            If a cut that makes the decoys needs a MIP window: they must not depend on a calibration.
        """
        point = load_working_point(working_point)
        chosen = point.cuts[: point.cut_names.index(point.blind_at) + 1]
        for cut in chosen:
            if cut.thresholds.mip_quantities:
                msg = (
                    f"working point {point.name}: it cannot be frozen, since its first cut on reconstructed quantities, {cut.name!r}, needs MIP "
                    "windows, and what is hidden must not depend on a calibration: put a cut on momenta or tracks before it"
                )
                raise SelectionError(msg)
        bound = point.bind(dict.fromkeys(point.mip_quantities, (-np.inf, np.inf)))
        return cls(point.name, point.box, bound[: len(chosen)], dict(detectors or {}))

    @property
    def hash(self) -> str:
        """SHA-256 of what decides who is hidden, names and sources left out."""
        cuts = [[cut.name, cut.thresholds.model_dump(mode="json")] for cut in self.cuts]
        return content_hash([self.box.p_out_max, self.box.e_cal_max, cuts, {t: d.digest for t, d in sorted(self.detectors.items())}])

    @property
    def columns(self) -> tuple[str, ...]:
        """Stored columns of the summary that it looks at."""
        return stored_columns(("p_out", "e_cal", *(name for cut in self.cuts for name in cut.columns)))

    def hidden(self, summary: Summary) -> BoolArray:
        """Events that are hidden in data.

        Parameters
        ----------
        summary : Summary
            Columns of shape (n_events,).

        Returns
        -------
        BoolArray
            Shape (n_events,): the events of the box, and the decoys.
        """
        soft, quiet = (
            summary["p_out"] <= self.box.p_out_max,
            ~(summary["e_cal"] >= self.box.e_cal_max),
        )  # without E_CAL nothing excludes the box
        passes = np.ones(len(soft), dtype=np.bool_)
        for cut in self.cuts:
            passes &= cut(summary)
        decoys = ~passes & ~(summary["p_out"] > self.box.p_out_max)
        return np.asarray((soft & quiet) | decoys, dtype=np.bool_)

    def frozen_descriptions(self, tags: Iterable[str], used: Detector) -> tuple[Detector, ...]:
        """Descriptions of a file's bookkeeping that are not the one it is read with: who is hidden is decided with them too.

        Parameters
        ----------
        tags : iterable of str
            Detectors that the bookkeeping names.
        used : Detector
            Description that the events are reconstructed with.

        Returns
        -------
        tuple of Detector
            Those that are frozen, or ship with the package.
        """
        known = known_detectors()
        frozen = [self.detectors.get(tag) or load_detector(tag) for tag in tags if tag in self.detectors or tag in known]
        return tuple(detector for detector in frozen if detector.digest != used.digest)


@dataclass(frozen=True)
class BlindingPolicy:
    """Who may be seen, decided once for all verbs.

    Attributes
    ----------
    floor : Floor
        What is hidden in data.
    box : Box
        Signal box of the selection at hand; it contains that of the floor, and in data its events are hidden too.
    data : mapping of str to bool
        File -> whether its events are data. Of others the bookkeeping is looked at.
    references : mapping of str to tuple of Detector
        File of data -> frozen descriptions of its detector, where it is read with another one.
    opened : bool
        Whether the frozen selection was opened: then nothing is hidden.
    """

    floor: Floor
    box: Box
    data: Mapping[str, bool] = field(default_factory=dict)
    references: Mapping[str, tuple[Detector, ...]] = field(default_factory=dict)
    opened: bool = False

    @classmethod
    def of(
        cls,
        working_point: str | Path | WorkingPoint,
        files: Iterable[Described] = (),
        detectors: Mapping[str, Detector] | None = None,
        *,
        floor: Floor | None = None,
        opened: bool = False,
    ) -> Self:
        """The policy of some work.

        Parameters
        ----------
        working_point : WorkingPoint, str or Path
            The selection at hand.
        files : iterable of SourceFile or SummaryFile
            Files that are read.
        detectors : mapping of str to Detector, optional
            Tag -> description that their events are reconstructed with.
        floor : Floor, optional
            What the collaboration froze; the shipped working point without it.
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
        point, floor, known = load_working_point(working_point), floor or Floor.of(FLOOR), list(files)
        made = cls(floor, point.box, {f.path: f.is_data for f in known}, opened=opened)
        if not opened and any(made.data.values()):
            made.must_contain_floor(point.name)
        if not detectors:
            return made
        tags = {f.path: getattr(f, "recorded", ()) for f in known if f.is_data}
        used = {f.path: detectors[f.detector] for f in known}
        found = {path: floor.frozen_descriptions(names, used[path]) for path, names in tags.items()}
        return cls(floor, point.box, made.data, {path: own for path, own in found.items() if own}, opened)

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
        own, frozen = self.box, self.floor.box
        if own.p_out_max < frozen.p_out_max or own.e_cal_max < frozen.e_cal_max:
            msg = (
                f"selection {name}: its signal box (p_out <= {own.p_out_max:g} GeV/c, E_CAL < {own.e_cal_max:g} GeV) does not contain the frozen one of "
                f"{self.floor.name} (p_out <= {frozen.p_out_max:g} GeV/c, E_CAL < {frozen.e_cal_max:g} GeV): on data a box may be larger, never smaller or moved"
            )
            raise BlindedError(msg)

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
