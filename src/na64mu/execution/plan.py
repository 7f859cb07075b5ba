"""What one run is going to do, before any event is read: its files, its configuration, its processor, and what kept chunks belong to."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from na64mu.calibration.windows import Calibration
from na64mu.common.arguments import file_names
from na64mu.detector import DetectorLike
from na64mu.errors import BlindedError, CalibrationError, InputError, ProcessorError
from na64mu.execution.carried import carried, digest_of_own
from na64mu.execution.configuration import Configuration, load_calibrations
from na64mu.execution.executors import in_this_process
from na64mu.execution.opening import Opening, checked_opening
from na64mu.inputs.frozen_floors import Freezes, floors_for
from na64mu.inputs.raw_fileset import Fileset, inspect_files
from na64mu.inputs.source import Source, source_of
from na64mu.inputs.summary_chunks import needed_columns
from na64mu.inputs.summary_fileset import SummaryFileset, are_summaries, inspect_summaries
from na64mu.processors.base import checked, columns_of, name_of, takes_events, variables_of
from na64mu.processors.named import processor_named
from na64mu.results.losses import Loss
from na64mu.results.provenance import file_hash, package_versions, source_hash
from na64mu.selections.blinding import BlindingPolicy
from na64mu.selections.parts import parts_of, variable_parts
from na64mu.selections.user import load_user_file
from na64mu.selections.working_point import WorkingPoint, load_working_point

if TYPE_CHECKING:
    from na64mu.events.layout import Layout

__all__ = ("Plan", "plan_of", "stop_if_needed")


@dataclass(frozen=True)
class Plan:
    """What a run is going to do.

    Attributes
    ----------
    fileset : Fileset or SummaryFileset
        Files that can be read.
    configuration : Configuration
        What selects.
    own : Any
        The processor of the user's own; None for the search.
    policy : BlindingPolicy
        Who may be seen.
    unblind : Opening, optional
        The recorded opening of the box.
    hashed : bool
        Whether the content of the files is hashed, as it is where chunks are kept.
    """

    fileset: Fileset | SummaryFileset
    configuration: Configuration
    policy: BlindingPolicy
    own: Any = None
    unblind: Opening | None = None
    hashed: bool = False

    @cached_property
    def hashes(self) -> dict[str, str]:
        """Path of a file, or of a friend of it -> SHA-256; empty where it is not wanted."""
        return {path: _hash_of(path, _version_of(path)) if self.hashed else "" for path in self._paths}

    @property
    def stamps(self) -> dict[str, tuple[int, int] | None]:
        """Path -> size and time of its last change, now."""
        return {path: _stamp(path) for path in self._paths}

    @property
    def _paths(self) -> Iterable[str]:
        friends = {f.path: f.friends for f in self.fileset.files}
        return dict.fromkeys((*friends, *itertools.chain.from_iterable(friends.values())))

    @cached_property
    def source(self) -> Source:
        """Where the events come from."""
        return source_of(self.fileset, layout=self.configuration.layout, columns=self.columns)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read of event summaries."""
        named = needed_columns(self.configuration.working_point) if self.own is None else columns_of(self.own)
        return tuple(dict.fromkeys((*named, *self.policy.floor.columns)))

    @cached_property
    def own_digest(self) -> dict[str, str]:
        """Name of the user's processor -> SHA-256 of its source and state; empty for the search."""
        return {} if self.own is None else {name_of(self.own): digest_of_own(self.own)}

    @cached_property
    def user_parts(self) -> dict[str, str]:
        """Cut, "variable NAME", "region NAME" or "category NAME" of the user's own that the run uses -> SHA-256 of its source."""
        if self.own is None:
            return self.configuration.user_cuts
        return {name: part.digest for name, part in variable_parts(variables_of(self.own)).items()}

    def identity(self) -> dict[str, Any]:
        """What kept chunks belong to; see na64mu.execution.checkpoint."""
        hashes, files = self.hashes, self.fileset.files
        return {
            "code": source_hash(),
            "packages": package_versions(),
            "configuration": [
                self.configuration.hash,
                "" if self.unblind is None else self.unblind.freeze.hash,
                self.policy.floor.hash,
                *self.own_digest.values(),
                *self.user_parts.values(),
            ],
            "inputs": [[f.dataset, f.path, f.entries, hashes[f.path] or f.uuid, *((p, hashes[p]) for p in f.friends)] for f in files],
        }

    def processor(self, executor: Any) -> Any:
        """What reads events and returns what is added up, in the form in which it reaches the workers of an executor.

        Raises
        ------
        WorkerError
            If something of the user cannot be sent to them.
        """
        from na64mu.processors.own import OwnProcessor
        from na64mu.processors.search import SearchProcessor

        point, fileset = self.configuration.working_point, self.fileset
        made: Any
        excluded = self.source.left_to_the_processor
        if self.own is not None:
            made = OwnProcessor(self.own, fileset.detectors, self.policy, excluded, variables_of(self.own))
        else:
            made = SearchProcessor(fileset.detectors, self.configuration.windows, point, excluded, policy=self.policy)
        if in_this_process(executor):
            return made
        parts = parts_of(point) if self.own is None else variable_parts(variables_of(self.own))
        return carried(made, parts.values(), self.own)

    def must_be_unchanged(self, stamps: Mapping[str, tuple[int, int] | None]) -> None:
        """Look whether the files are those that they were.

        Parameters
        ----------
        stamps : mapping
            `stamps` of before.

        Raises
        ------
        InputError
            If one was changed.
        """
        for path, before in stamps.items():
            now = _stamp(path)
            if now is not None and now != before:
                msg = f"{path}: was changed while it was read, so nobody knows which events were counted: run again"
                raise InputError(msg)


def plan_of(
    files: Iterable[str | Path] | str | Path,
    processor: Any = None,
    *,
    selection: str | Path | WorkingPoint,
    detector: DetectorLike | None,
    calibration: Calibration | str | Path | Iterable[Calibration | str | Path] | None,
    layout: Layout | str | Path | None,
    user: str | Path | Iterable[str | Path],
    accept_calibration: bool,
    unblind: Any,
    freeze: Freezes,
    strict: bool,
    hashed: bool,
) -> Plan:
    """Open the files and load everything that selects; the arguments are those of `na64mu.run`."""
    from na64mu.events.layout import load_layout

    files, unblind = file_names(files, "files", may_be_none=True), checked_opening(unblind)
    own_files = file_names(user, "user", may_be_none=True)
    for own in own_files:
        load_user_file(own)
    if isinstance(processor, str):
        processor = processor_named(processor, own_files)
    if processor is not None:
        checked(processor)
        if unblind is not None:
            msg = "the box stays closed: it is opened for the search only, a processor of your own is not given its events"
            raise BlindedError(msg)
    working_point = load_working_point(selection)
    foreign = None if layout is None else load_layout(layout)
    fileset: Fileset | SummaryFileset
    if foreign is None and are_summaries(files):
        fileset = inspect_summaries(files, detector=detector, working_point=working_point, freeze=freeze)
        if processor is not None and takes_events(processor):
            msg = f"the processor {name_of(processor)} is one of coffea's and takes raw events, the files are event summaries: give it the raw trees"
            raise ProcessorError(msg)
    else:
        fileset = inspect_files(files, detector=detector, layout=foreign, steps=True)
    stop_if_needed(fileset.losses, strict=strict, nothing_left=not fileset.files)
    wanted = processor is None or calibration is not None
    calibrations = load_calibrations(fileset.detectors, calibration, accept=accept_calibration) if wanted else {}
    fileset = _on_one_scale(fileset, calibrations)
    configuration = Configuration(working_point, fileset.detectors, calibrations, foreign)
    if unblind is not None and isinstance(fileset, SummaryFileset):
        msg = "the box stays closed: event summaries of data were written without it; unblind a run on the raw trees"
        raise BlindedError(msg)
    floors = floors_for((f.path for f in fileset.files if f.is_data), freeze)
    policy = BlindingPolicy.of(working_point, fileset.files, fileset.detectors, floor=floors, opened=unblind is not None)
    plan = Plan(fileset, configuration, policy, processor, unblind, hashed or unblind is not None)
    if unblind is not None:
        unblind.must_fit(plan)
    return plan


def _on_one_scale(fileset: Fileset | SummaryFileset, calibrations: Mapping[str, Calibration]) -> Fileset | SummaryFileset:
    """The fileset with the gains of the calibrations in its descriptions; event summaries have them already, or never will."""
    found = {tag: calibrations[tag].applied_to(d) if tag in calibrations else d for tag, d in fileset.detectors.items()}
    changed = [
        tag
        for tag, detector in found.items()
        if detector is not fileset.detectors[tag] and detector.digest != fileset.detectors[tag].digest
    ]
    if not changed:
        return fileset
    if isinstance(fileset, SummaryFileset):
        msg = (
            f"the energies of the event summaries of {changed[0]!r} were not divided by the gains of the given calibration: make them again with "
            "`na64mu reconstruct FILES --detector CALIBRATION`, and give the same --detector here"
        )
        raise CalibrationError(msg)
    return replace(fileset, detectors=found)


def stop_if_needed(losses: Iterable[Loss], *, strict: bool, nothing_left: bool) -> None:
    """End a run with no input left or, if it is strict, with any that was lost.

    Parameters
    ----------
    losses : iterable of Loss
    strict, nothing_left : bool

    Raises
    ------
    InputError
        With every reason.
    """
    damage = [loss.reason for loss in losses if loss.is_damage]
    if nothing_left:
        raise InputError(
            *(["no input can be read:", *damage] if damage else ["no input was given: name ROOT files, folders or a fileset JSON"])
        )
    if strict and damage:
        raise InputError(*damage)


@lru_cache(maxsize=65536)
def _hash_of(path: str, version: tuple[int, ...]) -> str:  # noqa: ARG001 (a file that was changed is read again)
    return file_hash(path)


def _version_of(path: str) -> tuple[int, ...]:
    """Different after every change of a file: the time of its last change can be set back, that of its inode cannot."""
    with suppress(OSError):
        found = Path(path).stat()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    return ()


def _stamp(path: str) -> tuple[int, int] | None:
    with suppress(OSError):
        found = Path(path).stat()
        return found.st_size, found.st_mtime_ns
    return None
