"""The input of a run on event summaries.

Datasets, detectors and exposure are those of the raw trees: the bookkeeping of the files holds them.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.errors import BlindedError, InputError
from na64mu.inputs.duplicates import EventSource, Excluded, find_duplicates, without_copies
from na64mu.inputs.frozen_floors import Freezes, floors_for
from na64mu.inputs.kinds import separated
from na64mu.inputs.paths import FileSpec, expand, inputs_of
from na64mu.inputs.raw_file import installed_detector
from na64mu.inputs.summary_file import TREE, Ranges, SummaryFile, open_summaries, read_rows
from na64mu.results.losses import Loss
from na64mu.results.summary_book import SummaryBook
from na64mu.selections.floor import Floors
from na64mu.selections.working_point import WorkingPoint

__all__ = ("SummaryFileset", "are_summaries", "inspect_summaries")


@dataclass(frozen=True)
class SummaryFileset:
    """Files of event summaries that can be read, the detectors they need, what was lost, and rows that occur twice (by path)."""

    files: tuple[SummaryFile, ...]
    detectors: dict[str, Detector]
    losses: tuple[Loss, ...]
    excluded: dict[str, Excluded] = field(default_factory=dict)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets in order."""
        return tuple(dict.fromkeys(f.dataset for f in self.files))

    def books(self, events: Mapping[tuple[str, str, int, int], int], unread: Mapping[tuple[str, str], Ranges]) -> list[SummaryBook]:
        """Return the bookkeeping of what was read, for `reconcile_summaries`; arguments as in `na64mu.inputs.bookkeeping.books_of`."""
        books = []
        read: dict[tuple[str, str], dict[tuple[str, int, int], int]] = defaultdict(dict)
        for (dataset, path, run, config), n in events.items():
            read[dataset, path][dataset, run, config] = n
        for file in self.files:
            key = file.dataset, file.path
            doubled = self.excluded.get(file.path, Excluded())
            elsewhere = Counter({k: n for k, n in doubled.elsewhere.items() if k[0] == file.dataset})
            missing = _counts_of(file, unread[key], doubled)
            n_unread = sum(int(doubled.mask(a, b).sum()) for a, b in unread[key]) + elsewhere.total()
            books.append(
                SummaryBook(file.path, file.exposure, read[key], None if missing is None else missing + elsewhere, n_unread, elsewhere)
            )
        return books


def _counts_of(file: SummaryFile, ranges: Ranges, doubled: Excluded) -> Counter[tuple[str, int, int]] | None:
    total: Counter[tuple[str, int, int]] = Counter()
    try:
        for start, stop in ranges:
            columns, keep = read_rows(file.path, ("run", "config"), start, stop), doubled.mask(start, stop)
            total.update((file.dataset, r, c) for r, c in zip(*(columns[n][keep].tolist() for n in ("run", "config")), strict=True))
    except InputError:
        return None
    return total


def are_summaries(files: Iterable[str | Path] | str | Path) -> bool:
    """Whether these files are event summaries: Parquet, or ROOT with a tree `summary` and none `events`; the first readable one decides."""
    from na64mu.events.root_io import open_file

    for path in itertools.chain.from_iterable(expand(files)[0].values()):
        if path.endswith(".parquet"):
            return True
        try:
            with open_file(path) as file:
                names = {key.split(";")[0] for key in file.keys(recursive=False)}
        except InputError:
            continue
        return TREE in names and "events" not in names
    return False


def inspect_summaries(
    files: Iterable[str | Path] | str | Path, *, detector: DetectorLike | None, working_point: WorkingPoint, freeze: Freezes = None
) -> SummaryFileset:
    """Open every file and read its bookkeeping.

    Parameters
    ----------
    files : str, Path or iterable of them
        See `na64mu.inputs.paths.inputs_of`.
    detector : Detector, str or Path, optional
        Tag or TOML file of a description that replaces the tags in the files.
    working_point : WorkingPoint
        The selection; its box is compared with the one that was withheld.
    freeze : str, Path, Freeze or iterable of them, optional
        Freeze files that hold beside those that are found; what they hide is compared with what was withheld.

    Returns
    -------
    SummaryFileset
        The usable files, and one loss for every other.

    Raises
    ------
    BlindedError
        If the box of the working point, or what is frozen, is not that by which events were withheld when the file was written.
    """
    inputs = inputs_of(files)
    losses = inputs.losses
    found: list[SummaryFile] = []
    notes: list[Loss] = []
    chosen = None if detector is None else load_detector(detector)
    detectors: dict[str, Detector] = {}
    for path in itertools.chain.from_iterable(inputs.datasets.values()):
        try:
            own, bookkeeping, _ = open_summaries(path, None if chosen is None else chosen.tag)
            _must_fit(inputs.specs.get(path, FileSpec()), own, path)
        except InputError as error:
            losses.append(Loss(Path(path).stem, path, "file", str(error)))
            continue
        found += own
        notes += _notes(path, bookkeeping, own, working_point, freeze)
        for file in own:
            if file.detector not in detectors:
                detectors[file.detector] = installed_detector(file.detector, path) if chosen is None else chosen
                if bookkeeping["detectors"].get(file.detector) != detectors[file.detector].digest:
                    reason = f"{path}: was reconstructed with another version of the detector description {file.detector!r}"
                    notes.append(Loss(file.dataset, path, "note", reason))
    found = separated(without_copies(found, losses), (), losses)
    excluded, doubled = find_duplicates([source for file in found for source in _event_sources(file)])
    return SummaryFileset(tuple(found), detectors, (*losses, *doubled, *notes), excluded)


def _must_fit(spec: FileSpec, own: list[SummaryFile], path: str) -> None:
    """Check that a summary agrees with what the fileset says about it."""
    if spec.tree not in ("", TREE) or spec.steps is not None:
        asked = f"the tree {spec.tree!r}" if spec.tree not in ("", TREE) else "steps"
        msg = f"{path}: the fileset asks for {asked}, of event summaries the whole tree {TREE!r} is read; leave it out"
        raise InputError(msg)
    spec.must_fit(path, sum(f.entries for f in own), own[0].uuid if own else "")


def _event_sources(file: SummaryFile) -> Iterable[EventSource]:
    def read(start: int, stop: int) -> tuple[Any, Any, Any]:
        columns = read_rows(file.path, ("run", "event", "config"), start, stop)
        return columns["run"], columns["event"], columns["config"]

    return [EventSource(file.dataset, file.path, start, stop, file.is_data, file.origins, read) for start, stop in file.rows]


def _notes(path: str, bookkeeping: dict[str, Any], own: list[SummaryFile], working_point: WorkingPoint, freeze: Freezes) -> list[Loss]:
    """Losses from the time of writing, and what the withheld events mean for the cut-flow."""
    losses = [Loss(**loss) for loss in bookkeeping["losses"]]
    if not any(file.is_data for file in own):
        return losses
    floors: Floors = floors_for([path], freeze)
    floors.must_be_in(working_point.box, working_point.name)
    box, withheld = working_point.box, bookkeeping["withheld"]
    if (box.p_out_max, box.e_cal_max) != (withheld["p_out_max"], withheld["e_cal_max"]):
        msg = (
            f"{path}: another signal box was withheld when the file was written (p_out <= {withheld['p_out_max']} GeV/c, "
            f"E_CAL < {withheld['e_cal_max']} GeV): make it again with `na64mu reconstruct --selection {working_point.name}`"
        )
        raise BlindedError(msg)
    if withheld.get("floor") != floors.hash:
        was = ", ".join(withheld.get("floors", ())) or "other ones"
        msg = (
            f"{path}: other events of data were withheld when the file was written: what is frozen now is {', '.join(floors.names)}, then it was {was}: "
            f"name the freeze file with --freeze, or make the summary again with `na64mu reconstruct --selection {working_point.name}`"
        )
        raise BlindedError(msg)
    reason = (
        f"{path}: hidden events of data were withheld when the file was written: they are missing in the rows of the cut-flow before "
        f"{working_point.blind_at!r}; everything else is as from the raw trees"
    )
    return [*losses, Loss("", path, "note", reason)]
