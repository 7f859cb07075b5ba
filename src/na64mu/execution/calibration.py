"""Making a calibration from files: the library side of `na64mu calibrate`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from na64mu import __version__
from na64mu.calibration.gains import Deposits, faults_of, gains_of, needed, through_going
from na64mu.calibration.windows import CALIBRATION_COLUMNS, Calibration, CalibrationInput, good_muons
from na64mu.calibration.windows import calibrate as windows_from
from na64mu.common.arguments import file_names, whole
from na64mu.detector import Detector, DetectorLike, detector_path
from na64mu.detector.gains import Gain
from na64mu.errors import CalibrationError, InputError
from na64mu.events.batch import RawBatch
from na64mu.execution.summaries import collect
from na64mu.execution.targets import must_be_apart
from na64mu.inputs.frozen_floors import Freezes, floors_for
from na64mu.inputs.raw_fileset import inspect_files
from na64mu.reconstruction.event_summary import EventSummary
from na64mu.reconstruction.summary import reconstruct
from na64mu.results.losses import Loss
from na64mu.selections.blinding import BlindingPolicy
from na64mu.selections.working_point import WorkingPoint, load_working_point

if TYPE_CHECKING:
    from na64mu.events.layout import Layout

__all__ = ("calibrate", "calibrate_files")

MIN_SIMULATED, MAX_SIMULATED = 10_000, 60_000  # muons that the peaks are compared with
SIMULATED_AT_ONCE = 10_000


def calibrate_files(
    files: Iterable[str | Path] | str | Path,
    *,
    selection: str | Path | WorkingPoint = "prl2024",
    detector: DetectorLike | None = None,
    layout: Layout | str | Path | None = None,
    gains: bool = False,
    chunksize: int = 100_000,
    output: str | Path | None = None,
    freeze: Freezes = None,
) -> tuple[Calibration, list[Loss]]:
    """Fit the MIP peaks of the beam muons in files of one detector.

    Parameters
    ----------
    files : str, Path or iterable of them
        Raw trees with calibration triggers.
    selection : WorkingPoint, str or Path
        Working point whose rule `mip` makes the windows.
    detector : Detector, str or Path, optional
        Description, tag or TOML file that replaces the tags in the files.
    layout : Layout, str or Path, optional
        Branch layout of a foreign tree.
    gains : bool
        Look for the gains of calorimeters, VETO and counters and for channels that are dead or hot: some muons are simulated to compare with. The
        windows are then those of the corrected energies.
    chunksize : int
        Events per chunk.
    output : str or Path, optional
        File to which the calibration will be written: refused if it is one of the input files.
    freeze : str, Path, Freeze or iterable of them, optional
        Freeze files that hold beside those found beside the data (na64mu.inputs.frozen_floors).

    Returns
    -------
    calibration : Calibration
    losses : list of Loss
        Inputs that could not be read.

    Raises
    ------
    CalibrationError
        If the files are of several detectors, have too few muons, or a fit fails.
    InputError
        If nothing can be read.
    """
    from na64mu.events.layout import load_layout

    files, chunksize = file_names(files, "files", may_be_none=True), whole(chunksize, "chunksize", least=1, error=InputError)
    working_point = load_working_point(selection)
    foreign = None if layout is None else load_layout(layout)
    fileset = inspect_files(files, detector=detector, layout=foreign)
    if not fileset.files:
        msg = "no input can be read:"
        raise InputError(msg, *(loss.reason for loss in fileset.losses))
    if output is not None:
        must_be_apart(output, (f.path for f in fileset.files))
    if len(fileset.detectors) != 1:
        msg = f"the files are of several detectors ({', '.join(fileset.detectors)}): calibrate one at a time"
        raise CalibrationError(msg)
    (tag, description), losses = next(iter(fileset.detectors.items())), list(fileset.losses)
    columns = (*CALIBRATION_COLUMNS, *working_point.mip.quantities, *working_point.mip.upper_bounds)
    floors = floors_for((f.path for f in fileset.files if f.is_data), freeze)
    policy = BlindingPolicy.of(working_point, fileset.files, fileset.detectors, floor=floors)
    found = Deposits()

    def look(batch: RawBatch, summary: EventSummary, used: Detector) -> None:
        muons = good_muons(summary, working_point) & through_going(summary)
        found.add(batch.with_events(muons), used)

    summary = collect(fileset, losses, columns, policy, chunksize=chunksize, look=look if gains else None)
    measured, corrected, faults = _compared(found, description, working_point) if gains else ((), (), ())
    if corrected:
        fileset = replace(fileset, detectors={tag: description.with_gains(corrected)})
        policy = BlindingPolicy.of(working_point, fileset.files, fileset.detectors, floor=floors)
        summary = collect(fileset, [], columns, policy, chunksize=chunksize)
    peaks, n_muons = windows_from(summary, description, working_point)
    inputs = tuple(CalibrationInput(path=Path(f.path).name, uuid=f.uuid, entries=f.entries) for f in fileset.files)
    calibration = Calibration(
        format_version=1,
        detector=tag,
        detector_hash=description.digest,
        energy_hash=description.energy_digest,
        selection=working_point.name,
        selection_hash=working_point.hash,
        version=__version__,
        command=" ".join(["na64mu", *(Path(a).name if "/" in a else a for a in sys.argv[1:])]),
        n_muons=n_muons,
        rule=working_point.mip,
        mip=peaks,
        inputs=inputs,
        kind="calibration" if gains else "",
        description=_named(detector, output) if gains else "",
        gains=corrected,
        measured_gains=measured,
        faults=faults,
    )
    return calibration, losses


def _named(detector: DetectorLike | None, output: str | Path | None) -> str:
    """TOML file of the description as seen from the folder of the calibration; empty for a tag."""
    if isinstance(detector, str | Path) and Path(detector).suffix == ".toml" and Path(detector).is_file():
        return os.path.relpath(detector_path(detector), Path() if output is None else Path(output).parent)
    return ""


def _compared(
    found: Deposits, description: Detector, working_point: WorkingPoint
) -> tuple[tuple[Gain, ...], tuple[Gain, ...], tuple[str, ...]]:
    """Gains as measured, those to correct for, and sentences on channels that are dead or hot."""
    plain = description.without_gains()
    expected = _simulated(plain, max(MIN_SIMULATED, min(2 * found.n_muons, MAX_SIMULATED)))
    measured = gains_of(found, expected, description, working_point.mip)
    faults = tuple(fault.sentence for fault in faults_of(found, expected))
    return tuple(measured), tuple(needed(measured, description)), faults


@lru_cache(maxsize=4)
def _simulated(description: Detector, n_events: int) -> Deposits:
    """Energies of channels in simulated beam muons, which passed the same tracks and momenta."""
    from na64mu.events.reader import count_entries, read_batch
    from na64mu.simulation.produce import produce

    expected = Deposits()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "muons.root"
        produce(path, description, "beam", n_events, 1, seed=1)
        for start in range(0, (n := count_entries(path)), SIMULATED_AT_ONCE):
            batch = read_batch(path, start, min(start + SIMULATED_AT_ONCE, n))
            summary = reconstruct(batch, description)
            expected.add(batch.with_events(good_muons(summary, "prl2024") & through_going(summary)), description)
    return expected


#: The call under the name of the verb.
calibrate = calibrate_files
