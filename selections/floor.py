"""What is hidden in data whatever is selected: the frozen box and its decoys, of the shipped working point and of every search that was frozen.

Floors only add up: an event that one of them hides is hidden. So nobody can make a floor that shows more than there was to see without it.

Momenta GeV/c, energies GeV.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from na64mu.common.toml_model import content_hash
from na64mu.detector import Detector, known_detectors, load_detector
from na64mu.errors import BlindedError, SelectionError
from na64mu.reconstruction.columns import stored_columns
from na64mu.selections.cuts import Box
from na64mu.selections.registry import CUTS, user_cuts
from na64mu.selections.working_point import BoundCut, WorkingPoint, load_working_point
from na64mu.typing import BoolArray, Summary

__all__ = ("FLOOR", "Floor", "Floors")

#: Working point whose box is frozen from the first day on.
FLOOR = "prl2024"


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
        Tag -> frozen description.
    replaces : bool
        Whether these descriptions replace the tags in the files, as with --detector.
    origin : str
        Freeze file that it is of; empty for a floor that ships with the package.
    """

    name: str
    box: Box
    cuts: tuple[BoundCut, ...]
    detectors: Mapping[str, Detector] = field(default_factory=dict)
    replaces: bool = False
    origin: str = ""

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

    @classmethod
    def of_freeze(cls, point: WorkingPoint, detectors: Mapping[str, Detector], *, replaces: bool = False, origin: str = "") -> Self:
        """The floor that a frozen search adds to that of the package, the same in every process.

        Parameters
        ----------
        point : WorkingPoint
            The frozen selection. Cuts of the user's own and cuts that need a calibration make no decoys: those of the package's floor are there.
        detectors : mapping of str to Detector
            Tag -> description.
        replaces : bool
            Whether the descriptions replace the tags in the files.
        origin : str
            The freeze file.

        Returns
        -------
        Floor
            What it hides.
        """
        own = user_cuts(point.cut_names)
        chosen = [cut for cut in point.cuts[: point.cut_names.index(point.blind_at) + 1] if cut.name in CUTS and cut.name not in own]
        bound = [BoundCut(c.name, c.label, c.thresholds, CUTS[c.name].function) for c in chosen if not c.thresholds.mip_quantities]
        return cls(point.name, point.box, tuple(bound), dict(detectors), replaces, origin)

    @property
    def hash(self) -> str:
        """SHA-256 of what decides who is hidden, names and sources left out."""
        cuts = [[cut.name, cut.thresholds.model_dump(mode="json")] for cut in self.cuts]
        own = [True] if self.replaces else []
        return content_hash([self.box.p_out_max, self.box.e_cal_max, cuts, {t: d.digest for t, d in sorted(self.detectors.items())}, *own])

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
        soft = summary["p_out"] <= self.box.p_out_max
        quiet = ~(summary["e_cal"] >= self.box.e_cal_max)  # without E_CAL nothing excludes the box
        passes = np.ones(len(soft), dtype=np.bool_)
        for cut in self.cuts:
            passes &= cut(summary)
        decoys = ~passes & ~(summary["p_out"] > self.box.p_out_max)
        return np.asarray((soft & quiet) | decoys, dtype=np.bool_)

    def descriptions(self, tag: str) -> tuple[Detector, ...]:
        """Frozen descriptions of the detector that a file names."""
        return tuple(detector for own, detector in self.detectors.items() if self.replaces or own == tag)


@dataclass(frozen=True)
class Floors:
    """All floors of some work: the one of the package, and one for every freeze; each hides its own events.

    Attributes
    ----------
    each : tuple of Floor
        The one of the package first.
    """

    each: tuple[Floor, ...]

    @classmethod
    def of(cls, frozen: Iterable[Floor] = ()) -> Self:
        """The floor of the package, and others behind it.

        Parameters
        ----------
        frozen : iterable of Floor
            Those that hide the same as an earlier one are left out.

        Returns
        -------
        Floors
            In the order of their hashes behind the first one, so that the order in which they are given changes nothing.
        """
        shipped = Floor.of(FLOOR)
        others = {floor.hash: floor for floor in frozen}
        others.pop(shipped.hash, None)
        return cls((shipped, *(others[key] for key in sorted(others))))

    @property
    def hash(self) -> str:
        """SHA-256 of what decides who is hidden."""
        hashes = [floor.hash for floor in self.each]
        return hashes[0] if len(hashes) == 1 else content_hash(hashes)

    @property
    def names(self) -> dict[str, str]:
        """Name of each, with its freeze file -> SHA-256: for the record."""
        return {floor.name + (f" ({floor.origin})" if floor.origin else ""): floor.hash for floor in self.each}

    @property
    def columns(self) -> tuple[str, ...]:
        """Stored columns of the summary that they look at."""
        return tuple(dict.fromkeys(name for floor in self.each for name in floor.columns))

    @property
    def box(self) -> Box:
        """The largest of their boxes: each that was frozen contains those before it."""
        return max((floor.box for floor in self.each), key=lambda box: (box.p_out_max, box.e_cal_max))

    def hidden(self, summary: Summary) -> BoolArray:
        """Events that one of them hides, shape (n_events,); `summary` as in `Floor.hidden`."""
        return np.asarray(np.any([floor.hidden(summary) for floor in self.each], axis=0), dtype=np.bool_)

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
            Those that ship with the package, and those that are frozen.
        """
        known, found = known_detectors(), {used.digest: used}
        for tag in tags:
            shipped = [load_detector(tag)] if tag in known else []
            for detector in (*shipped, *(own for floor in self.each for own in floor.descriptions(tag))):
                found.setdefault(detector.digest, detector)
        return tuple(found.values())[1:]

    def must_be_in(self, box: Box, name: str) -> None:
        """Refuse a box that would show in data what is frozen.

        Parameters
        ----------
        box : Box
            Signal box of a selection.
        name : str
            Name of the selection, for the message.

        Raises
        ------
        BlindedError
            If the box is smaller than a frozen one in p_out or E_CAL.
        """
        for floor in self.each:
            frozen = floor.box
            if box.p_out_max < frozen.p_out_max or box.e_cal_max < frozen.e_cal_max:
                of = f"{floor.name}{f' in {floor.origin}' if floor.origin else ''}"
                msg = (
                    f"selection {name}: its signal box (p_out <= {box.p_out_max:g} GeV/c, E_CAL < {box.e_cal_max:g} GeV) does not contain the frozen "
                    f"one of {of} (p_out <= {frozen.p_out_max:g} GeV/c, E_CAL < {frozen.e_cal_max:g} GeV): on data a box may be larger, never "
                    "smaller or moved"
                )
                raise BlindedError(msg)
