"""Alignment of the trackers from files: hits are read with and without field, and the modules are aligned and calibrated with their tracks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from na64mu.alignment.doubt import LARGEST_SCALE_ERROR
from na64mu.alignment.parameters import fixed_modules
from na64mu.alignment.result import AlignmentRun, align_detector
from na64mu.alignment.sample import Sample, concatenated, read_samples
from na64mu.alignment.straws import with_drift
from na64mu.detector import Detector, DetectorLike, detector_path
from na64mu.detector.alignment import AlignmentInput
from na64mu.errors import CalibrationError, InputError
from na64mu.events.faults import Bounds
from na64mu.events.reader import read_batch
from na64mu.execution.progress import stage
from na64mu.execution.targets import must_be_apart
from na64mu.inputs.frozen_floors import Freezes, floors_for
from na64mu.inputs.raw_fileset import Fileset, inspect_files
from na64mu.inputs.refused import Tally, fault_losses
from na64mu.results.losses import Loss
from na64mu.selections.blinding import BlindingPolicy

__all__ = ("align",)

Files = Iterable[str | Path] | str | Path


def align(
    files: Files,
    *,
    detector: DetectorLike | None = None,
    field_off: Files = (),
    fixed: Iterable[str] | str = (),
    survey_shift: float = 1.0,
    survey_rotation: float = 5e-3,
    largest_scale_error: float = LARGEST_SCALE_ERROR,
    accept: bool = False,
    chunksize: int = 50_000,
    output: str | Path | None = None,
    freeze: Freezes = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[AlignmentRun, list[Loss]]:
    """Align the trackers with the tracks of files, and measure drift relations, resolutions, efficiencies and noise.

    Parameters
    ----------
    files : str, Path or iterable of them
        Raw trees of one detector.
    detector : Detector, str or Path, optional
        Description to correct; replaces the tags in the files.
    field_off : str, Path or iterable of them
        Files taken with the magnets off: straight tracks tell what bent ones cannot.
    fixed : str or iterable of str
        Modules that stay where they are.
    survey_shift : float
        Error of the positions in the description [mm].
    survey_rotation : float
        Error of the rotations [rad].
    largest_scale_error : float
        Largest relative error of the momentum scale of a spectrometer that is written.
    accept : bool
        Write an alignment that would be refused; the reason is written with it.
    chunksize : int
        Events read at a time.
    output : str or Path, optional
        File to which the alignment will be written: refused if it is one of the inputs; the description is named as seen from its folder.
    freeze : str, Path, Freeze or iterable of them, optional
        Freeze files that hold beside those found beside the data (na64mu.inputs.frozen_floors).
    progress : callable, optional
        Is given a line after each pass.

    Returns
    -------
    run : AlignmentRun
        `run.alignment.write(path)` writes what can be given wherever a description is asked for.
    losses : list of Loss
        What could not be read.

    Raises
    ------
    CalibrationError
        If the files are of several detectors, or (without `accept`) the result is worse than the description or leaves a momentum scale that nobody
        knows.
    InputError
        If no event can be read.
    """
    folder = Path() if output is None else Path(output).parent
    bent, source, description = _open(files, detector, folder)
    filesets = [(bent, True)]
    if field_off:
        filesets.append((_open(field_off, detector or source, folder)[0], False))
    if output is not None:
        must_be_apart(output, (f.path for fileset, _ in filesets for f in fileset.files))
    samples, losses = _samples(filesets, description, chunksize, freeze)
    inputs = tuple(
        AlignmentInput(file=Path(f.path).name, uuid=f.uuid, entries=f.entries, field=field) for fs, field in filesets for f in fs.files
    )
    run = align_detector(
        samples,
        description,
        source,
        fixed=fixed_modules(fixed, description),
        survey_shift=survey_shift,
        survey_rotation=survey_rotation,
        largest_scale_error=largest_scale_error,
        accept=accept,
        inputs=inputs,
        progress=progress,
    )
    return run, losses


def _open(files: Files, detector: DetectorLike | None, folder: Path) -> tuple[Fileset, str, Detector]:
    """Files of one detector, how its description is called (a tag, or a path seen from `folder`), and the description."""
    fileset = inspect_files(files, detector=detector)
    if not fileset.files:
        msg = "no input can be read:"
        raise InputError(msg, *(loss.reason for loss in fileset.losses))
    if len(fileset.detectors) != 1:
        msg = f"the files are of several detectors ({', '.join(fileset.detectors)}): align one at a time"
        raise CalibrationError(msg)
    ((tag, description),) = fileset.detectors.items()
    if isinstance(detector, str | Path) and Path(detector).suffix == ".toml" and Path(detector).is_file():
        tag = os.path.relpath(detector_path(detector), folder)
    return fileset, tag, description


def _samples(
    filesets: list[tuple[Fileset, bool]], description: Detector, chunksize: int, freeze: Freezes
) -> tuple[list[list[Sample]], list[Any]]:
    """Hits of MS1 and of MS2 with and without field, made with the t0 and drift velocities that the drift times show."""
    losses = [loss for fileset, _ in filesets for loss in fileset.losses]
    files = [f for fileset, _ in filesets for f in fileset.files]
    floors = floors_for((f.path for f in files if f.is_data), freeze)
    policy = BlindingPolicy.of(None, files, dict.fromkeys((f.detector for f in files), description), floor=floors)
    samples: list[list[Sample]] = [[], []]
    started, tally, bounds = None, Tally(), Bounds.of(description)
    for fileset, field in filesets:
        parts: list[list[Sample]] = [[], []]
        with stage("hits of the trackers" if field else "hits without field", sum(f.entries for f in fileset.files), "events") as shown:
            for file in fileset.files:
                for start in range(0, file.entries, chunksize):
                    stop = min(start + chunksize, file.entries)
                    try:
                        batch = read_batch(file.path, start, stop)
                        batch = tally.screen(batch, bounds, (file.dataset, file.path), start, fileset.excluded.get(file.path))
                        batch = policy.visible_batch(batch, description, file.path)
                    except InputError as error:
                        reason = f"{file.path}: entries {start} to {stop - 1} are lost: {error}"
                        losses.append(Loss(file.dataset, file.path, "chunk", reason, start, stop))
                        shown.advance(stop - start)
                        continue
                    if started is None:
                        straw = batch.collections["straw"]
                        times = {s.name: np.asarray(straw["time"][straw["module"] == s.module], np.float64) for s in description.straws}
                        started = with_drift(description, times)
                    for part, sample in zip(parts, read_samples(batch, started, field=field), strict=True):
                        part.append(sample)
                    shown.advance(stop - start)
        for part, own in zip(parts, samples, strict=True):
            if part:
                own.append(concatenated(part))
    losses += fault_losses(tally.faults)
    if not all(samples):
        msg = "no event can be read:"
        raise InputError(msg, *(loss.reason for loss in losses))
    return samples, losses
