"""Unblinding of the signal box: the frozen selection is run again on the same files, and a record says when, why and by whom.

The blind result has no hidden part that could be opened: nothing of the box was ever filled. So the box is opened by a second run,
which is allowed only with the hash of everything that selects: working point, calibrations, detector descriptions, layout.
"""

from __future__ import annotations

import getpass
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from na64mu import __version__
from na64mu.errors import BlindedError, writing
from na64mu.execution.run import run_search
from na64mu.results.provenance import file_hash, repository_state
from na64mu.results.run import RunResult

__all__ = ("RECORD", "unblind")

RECORD = "unblinding.json"

#: Smallest number of leading digits by which a hash may be abbreviated.
SHORTEST = 12


def unblind(
    folder: str | Path,
    output: str | Path,
    *,
    frozen: str,
    reason: str,
    selection: str | Path | None = None,
    calibration: str | Path | Sequence[str | Path] | None = None,
    detector: str | None = None,
    layout: str | Path | None = None,
    executor: Any = "iterative",
    workers: int | None = None,
    scheduler: str | None = None,
    user: str | Path | Sequence[str | Path] = (),
    accept_calibration: bool = False,
) -> RunResult:
    """Run a blind job again with its box open.

    Parameters
    ----------
    folder : str or Path
        Output folder of the blind run.
    output : str or Path
        Folder for the opened result; another one.
    frozen : str
        Configuration hash of the blind run, or its first digits, at least 12.
    reason : str
        Reason for the unblinding, for the record.
    selection, calibration, detector, layout, accept_calibration
        The same as in the blind run; the selection is by default the working point of the blind run.
    executor, workers, scheduler, user
        Options of the executor, as in `run_search`.

    Returns
    -------
    RunResult
        The opened result, which is written to `output` already.

    Raises
    ------
    BlindedError
        If the hash is not that of the blind run, the files have changed, or the result outside the box differs.
    """
    blind = RunResult.read(folder)
    was = blind.provenance
    if len(frozen) < SHORTEST or not was.configuration_hash.startswith(frozen):
        msg = f"the box stays closed: {folder} was made with the configuration {was.configuration_hash}, not {frozen}"
        raise BlindedError(msg)
    frozen = was.configuration_hash
    if Path(output).resolve() == Path(folder).resolve():
        msg = f"the box stays closed: {output} is the blind folder, which is kept; choose another one with -o"
        raise BlindedError(msg)
    if not any(blind.blinded.values()):
        msg = f"{folder}: no dataset is blinded, there is nothing to open"
        raise BlindedError(msg)
    for path, digest in (pair for file in was.inputs for pair in ((file.path, file.sha256), *file.friends)):
        if digest and (not Path(path).exists() or file_hash(path) != digest):
            msg = f"the box stays closed: {path} is not the file that the blind run read"
            raise BlindedError(msg)
    datasets: dict[str, list[str]] = {}
    for file in was.inputs:
        datasets.setdefault(file.dataset, []).append(str(Path(file.path).resolve()) if "://" not in file.path else file.path)
    with tempfile.TemporaryDirectory() as scratch:
        fileset = Path(scratch) / "fileset.json"
        fileset.write_text(json.dumps(datasets), encoding="utf-8")
        result = run_search(
            [fileset],
            selection=selection or blind.working_point.name,
            calibration=calibration,
            detector=detector,
            layout=layout,
            executor=executor,
            workers=workers,
            scheduler=scheduler,
            chunksize=was.chunksize,
            maxchunks=was.maxchunks,
            progress=False,
            unblind=frozen,
            user=user,
            accept_calibration=accept_calibration,
        )
    _same_outside(blind, result)
    result.write(output)
    _record(Path(folder), Path(output), frozen, reason)
    return result


def _same_outside(blind: RunResult, opened: RunResult) -> None:
    """Check that the blind run's result is reproduced: rows of the cut-flow that do not depend on the box, and the regions."""
    last = blind.working_point.cut_names.index(blind.working_point.blind_at) + 1
    for name, flow in blind.cutflows.items():
        before = opened.cutflows[name].counts[:last] if name in opened.cutflows else ()
        regions = {key: counts.n for key, counts in blind.regions[name].items()}
        again = {key: counts.n for key, counts in opened.regions.get(name, {}).items() if key in regions}
        if before != flow.counts[:last] or regions != again:
            msg = f"the box stays closed: dataset {name!r} comes out differently outside the box, so this is not the run that was frozen"
            raise BlindedError(msg)


def _record(folder: Path, output: Path, frozen: str, reason: str) -> None:
    commit, clean = repository_state()
    record = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "reason": reason,
        "user": getpass.getuser(),
        "configuration_hash": frozen,
        "version": __version__,
        "commit": commit,
        "clean": clean,
        "blind": str(folder),
        "opened": str(output),
    }
    for place in (folder, output):
        path = place / RECORD
        records = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        part = path.with_suffix(".part")
        with writing(path):
            part.write_text(json.dumps([*records, record], indent=1) + "\n", encoding="utf-8")
        part.replace(path)
