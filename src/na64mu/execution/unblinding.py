"""Unblinding of the signal box: the frozen search is run again on the same files, with a record that is written first.

The blind result has no hidden part that could be opened: nothing of the box was ever filled. So the box is opened by a second run,
which is allowed only with the freeze file of everything that selects, and is recorded before it begins.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from na64mu.calibration.windows import Calibration
from na64mu.common.arguments import file_names
from na64mu.detector import Detector, load_detector
from na64mu.errors import BlindedError, DetectorError, InputError, Na64muError
from na64mu.events.layout import Layout
from na64mu.execution.candidates import candidates_of
from na64mu.execution.freezing import code_hash, code_of_search, freeze
from na64mu.execution.opening import HOW, Opening, open_box
from na64mu.execution.run import run_search
from na64mu.execution.targets import must_be_writable
from na64mu.results.box_events import write_box_events
from na64mu.results.candidates import Candidate
from na64mu.results.freeze import Freeze
from na64mu.results.freeze_differences import differences, differences_to_run
from na64mu.results.manifest import MANIFEST
from na64mu.results.manifest import differences as edited_files
from na64mu.results.openings import NAME, copy_lines
from na64mu.results.output_folder import output_folder
from na64mu.results.provenance import file_hash
from na64mu.results.run import DRAWN, RunResult
from na64mu.selections.user import load_user_file
from na64mu.selections.working_point import WorkingPoint

__all__ = ("unblind",)

SHUT = "the box stays closed: "

#: The record as version 0.1.0 wrote it.
OLD_RECORD = "unblinding.json"


def unblind(
    folder: str | Path,
    output: str | Path,
    *,
    freeze: str | Path | Freeze,
    reason: str,
    record: str | Path | None = None,
    user: str | Path | Iterable[str | Path] = (),
    executor: Any = "iterative",
    workers: int | None = None,
    scheduler: str | None = None,
) -> RunResult:
    """Run a frozen search again with its box open, and record it first.

    Parameters
    ----------
    folder : str or Path
        Output folder of the blind run.
    output : str or Path
        Folder for the opened result; another one.
    freeze : str, Path or Freeze
        The freeze file, which `na64mu freeze` made of the same files and options.
    reason : str
        Reason for the unblinding, for the record.
    record : str or Path, optional
        The record of openings; by default `unblinding.jsonl` beside the freeze file.
    user : str, Path or iterable of them
        Where the user's own Python files are now, if they were moved since the freeze; their content must be the same.
    executor, workers, scheduler
        Options of the executor, as in `run_search`.

    Returns
    -------
    RunResult
        The opened result, which is written to `output` already, with events_in_box.csv.

    Raises
    ------
    BlindedError
        If the blind run, the files or the code are not what was frozen, the record was tampered with, or the result outside the box
        differs.
    InputError
        If the freeze file cannot be read, or there is no reason.
    OutputError
        If the record cannot be written.
    """
    frozen, folder, output = Freeze.read(freeze), Path(folder), Path(output)
    blind = _checked_folder(folder, output)
    _must_be_frozen(blind, frozen, folder)
    search = _search_of(frozen, file_names(user, "user", may_be_none=True))
    with tempfile.TemporaryDirectory() as scratch:
        fileset = _fileset_of(frozen, Path(scratch) / "fileset.json")
        _must_be_the_same_now(frozen, fileset, search)
        _say_of_old_records(folder)
        opening = open_box(freeze, reason=reason, record=record, blind=folder, opened=output)
        try:
            with opening.outcome() as said:
                result = run_search(
                    fileset,
                    **search,
                    executor=executor,
                    workers=workers,
                    scheduler=scheduler,
                    chunksize=blind.provenance.chunksize,
                    progress=False,
                    unblind=opening,
                )
                _same_outside(blind, result)
                result = replace(result, candidates=_candidates(result, frozen, search["layout"]))
                with output_folder(output, "run", replaces=DRAWN) as place:
                    result.write(place)
                    write_box_events(result.in_box, place)
                said |= {"opened": str(output), "result": file_hash(output / "summary.json")}
        finally:
            _copy_record(opening, folder, output)
    return result


def _must_be_as_written(folder: Path) -> None:
    edited = edited_files(folder)
    if edited:
        listed = ", ".join(f"{name} ({how})" for name, how in edited.items())
        msg = f"{SHUT}{folder} is not what `na64mu run` wrote: {listed}: make it again with the same command"
        raise BlindedError(msg)


def _checked_folder(folder: Path, output: Path) -> RunResult:
    """The blind result, if it is one that can be opened into the other folder."""
    try:
        blind = RunResult.read(folder)
    except InputError:
        if (folder / MANIFEST).is_file():
            _must_be_as_written(folder)  # says which file was edited, and not what is odd in it
        raise
    if output.resolve() == folder.resolve():
        msg = f"{SHUT}{output} is the blind folder, which is kept; choose another one with -o"
        raise BlindedError(msg)
    if not any(blind.blinded.values()):
        msg = f"{folder}: no dataset is blinded, there is nothing to open"
        raise BlindedError(msg)
    _must_be_as_written(folder)
    if blind.provenance.maxchunks is not None:
        msg = f"{SHUT}{folder} is a quick look at a part of the files (--maxchunks), and a freeze is of all: run blind without it"
        raise BlindedError(msg)
    must_be_writable(output)
    return blind


def _must_be_frozen(blind: RunResult, frozen: Freeze, folder: Path) -> None:
    """Look whether the blind run and the installed code are those of the freeze."""
    if frozen.code != code_hash():
        now = code_of_search()
        names = [name for name in {**frozen.code_files, **now} if frozen.code_files.get(name) != now.get(name)]
        listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        msg = (
            f"{SHUT}the installed code is not the one that was frozen (version {frozen.version}{', commit ' + frozen.commit[:12] if frozen.commit else ''}): "
            f"{listed} differ; install that one, or run blind and freeze again with this one"
        )
        raise BlindedError(msg)
    differing = differences_to_run(frozen, blind.provenance)
    if differing:
        msg = f"{SHUT}{folder} was made with something else than what was frozen: {', '.join(differing)}; {HOW}"
        raise BlindedError(msg)


def _must_be_the_same_now(frozen: Freeze, fileset: Path, search: Mapping[str, Any]) -> None:
    """Look, before anything is recorded, whether a run would be what was frozen."""
    for file in frozen.inputs:
        for path, digest in ((file.path, file.sha256), *file.friends):
            if digest and not Path(path).is_file():
                msg = f"{SHUT}{path}: the file that was frozen is not there"
                raise BlindedError(msg)
    differing = differences(frozen, freeze(fileset, **search))
    if differing:
        msg = f"{SHUT}{', '.join(differing)}: not what was frozen"
        raise BlindedError(msg)


def _search_of(frozen: Freeze, user: list[str | Path]) -> dict[str, Any]:
    """Arguments of a run from the contents of a freeze."""
    own = _user_files(frozen, user)
    for path in own:  # the working point is read with the cuts that they register
        load_user_file(path)
    return {
        "selection": WorkingPoint.model_validate(frozen.selection.content, context={"recorded": True}),
        "detector": _detector_of(frozen),
        "calibration": [Calibration.model_validate(part.content) for part in frozen.calibrations.values()],
        "accept_calibration": frozen.calibration_accepted,
        "layout": None if frozen.layout is None else Layout.model_validate(frozen.layout.content),
        "user": own,
    }


def _detector_of(frozen: Freeze) -> Detector | None:
    """The description that replaces the tags in the files; None where each tag is that of a description of the package."""
    own = []
    for tag, part in frozen.detectors.items():
        shipped = None
        with suppress(DetectorError):
            shipped = load_detector(tag).digest
        if frozen.detector_given or shipped != part.hash:
            own.append(Detector.model_validate(part.content))
    if len(own) > 1 or (own and len(frozen.detectors) > 1):
        msg = f"{SHUT}the freeze has several detectors, and {own[0].tag} is none of this package: freeze and open the datasets one by one"
        raise BlindedError(msg)
    return own[0] if own else None


def _user_files(frozen: Freeze, given: list[str | Path]) -> list[str]:
    """Files of the user's own as they were frozen, where they are now."""
    known = {file_hash(path): str(path) for path in [*(f.path for f in frozen.user_files), *given] if Path(path).is_file()}
    missing = [file.path for file in frozen.user_files if file.sha256 not in known]
    if missing:
        msg = f"{SHUT}{missing[0]}: your own file is not what was frozen, or not there; its text is in the freeze file, name it with --user"
        raise BlindedError(msg)
    return [known[file.sha256] for file in frozen.user_files]


def _fileset_of(frozen: Freeze, path: Path) -> Path:
    """Write the input of a freeze as a fileset."""
    datasets: dict[str, Any] = {}
    for file in frozen.inputs:
        datasets.setdefault(file.dataset, {"files": {}})["files"][file.path] = file.tree
    if frozen.layout is not None:  # the layout names the trees
        datasets = {name: list(content["files"]) for name, content in datasets.items()}
    path.write_text(json.dumps(datasets), encoding="utf-8")
    return path


def _same_outside(blind: RunResult, opened: RunResult) -> None:
    """Check that the blind run's result is reproduced: rows of the cut-flow that do not depend on the box, and the regions."""
    last = blind.working_point.cut_names.index(blind.working_point.blind_at) + 1
    for name, flow in blind.cutflows.items():
        before = opened.cutflows[name].counts[:last] if name in opened.cutflows else ()
        regions = {key: counts.n for key, counts in blind.regions[name].items()}
        again = {key: counts.n for key, counts in opened.regions.get(name, {}).items() if key in regions}
        if before != flow.counts[:last] or regions != again:
            msg = f"{SHUT}dataset {name!r} comes out differently outside the box, so this is not the run that was frozen"
            raise BlindedError(msg)


def _candidates(result: RunResult, frozen: Freeze, layout: Layout | None) -> tuple[Candidate, ...]:
    """The raw events of the box; an opening is not lost where they cannot be read again."""
    import logging

    try:
        return candidates_of(result, frozen, layout)
    except Na64muError as error:
        logging.getLogger(__name__).warning("the events of the box are not kept for the report: %s", error)
        return ()


def _copy_record(opening: Opening, folder: Path, output: Path) -> None:
    """Give both folders the lines of this opening, with its outcome."""
    for place in (folder, output):
        if place.is_dir():
            copy_lines(opening.record, place / NAME)


def _say_of_old_records(folder: Path) -> None:
    import logging

    if (folder / OLD_RECORD).is_file():
        message = "THIS FOLDER WAS OPENED BEFORE, with version 0.1.0: %s says when, why and by whom"
        logging.getLogger(__name__).critical(message, folder / OLD_RECORD)
