"""`na64mu align`: positions and rotations of the trackers from tracks, with their calibration."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from na64mu.cli.say import note, table_console

if TYPE_CHECKING:
    from na64mu.alignment.sample import Sample
    from na64mu.detector import Detector
    from na64mu.detector.alignment import Alignment
    from na64mu.inputs.raw_fileset import Fileset

__all__ = ("command",)


@click.command(name="align", short_help="Align and calibrate the trackers with beam muons.")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="TOML file to write.")
@click.option("--detector", metavar="TAG|FILE", help="Detector description to correct; replaces the tags in the files.")
@click.option(
    "--field-off", multiple=True, metavar="FILE", help="File taken with the magnets off: straight tracks tell what bent ones cannot."
)
@click.option("--fix", default="", metavar="MODULES", help="Modules that stay where they are, with commas: mm1,mm4,gem1.")
@click.option(
    "--survey-shift",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Error of the positions in the description [mm].",
)
@click.option(
    "--survey-rotation", type=click.FloatRange(min=0, min_open=True), default=5.0, show_default=True, help="Error of the rotations [mrad]."
)
@click.option("--millepede", type=click.Path(dir_okay=False, path_type=Path), help="Write the tracks as input of Millepede II too.")
@click.option("--chunksize", type=click.IntRange(min=1), default=50_000, show_default=True, help="Events read at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print the alignment as JSON instead of tables.")
def command(
    files: tuple[str, ...],
    output: Path,
    detector: str | None,
    field_off: tuple[str, ...],
    fix: str,
    survey_shift: float,
    survey_rotation: float,
    millepede: Path | None,
    chunksize: int,
    as_json: bool,
) -> None:
    """Align the trackers with the tracks of FILES, and measure drift relations, resolutions, efficiencies and noise.

    Tracks cannot see some common movements of all modules; the tables name them. With --fix they are known where three modules
    stay; --field-off tells the movement along the bend, which makes all momenta wrong.

    The file that is written can be given wherever a detector description is asked for: na64mu run FILES --detector alignment.toml.
    The exit code is 3 if some input could not be read.
    """
    from na64mu.alignment.millepede import write_millepede
    from na64mu.alignment.result import align_detector
    from na64mu.detector.alignment import AlignmentInput
    from na64mu.execution.targets import must_be_apart

    bent, source, description = _open(files, detector, output.parent)
    filesets = [(bent, True)]
    if field_off:
        filesets.append((_open(field_off, detector or source, output.parent)[0], False))
    must_be_apart(output, (f.path for fileset, _ in filesets for f in fileset.files))
    samples, losses = _samples(filesets, description, chunksize)
    inputs = tuple(
        AlignmentInput(file=Path(f.path).name, uuid=f.uuid, entries=f.entries, field=field) for fs, field in filesets for f in fs.files
    )
    fixed = tuple(name for name in (part.strip() for part in fix.split(",")) if name)

    def progress(line: str) -> None:
        note(line)

    run = align_detector(
        samples,
        description,
        source,
        fixed=fixed,
        survey_shift=survey_shift,
        survey_rotation=1e-3 * survey_rotation,
        inputs=inputs,
        progress=progress,
    )
    run.alignment.write(output)
    if as_json:
        click.echo(json.dumps(run.alignment.model_dump(mode="json"), indent=1))
    else:
        _print_tables(run.alignment)
    note(f"wrote {output}")
    if millepede is not None:
        binary, steering = write_millepede(millepede, run.spectrometers, run.samples)
        note(f"wrote {binary} and {steering}")
    for loss in losses:
        note(loss.reason)
    if any(loss.is_damage for loss in losses):
        sys.exit(3)


def _open(files: tuple[str, ...], detector: str | None, folder: Path) -> tuple[Fileset, str, Detector]:
    """Files of one detector, how its description is called (a tag, or a path seen from `folder`), and the description."""
    from na64mu.detector import detector_path
    from na64mu.errors import CalibrationError, InputError
    from na64mu.inputs.raw_fileset import inspect_files

    fileset = inspect_files(files, detector=detector)
    if not fileset.files:
        msg = "no input can be read:"
        raise InputError(msg, *(loss.reason for loss in fileset.losses))
    if len(fileset.detectors) != 1:
        msg = f"the files are of several detectors ({', '.join(fileset.detectors)}): align one at a time"
        raise CalibrationError(msg)
    ((tag, description),) = fileset.detectors.items()
    if detector is not None and Path(detector).suffix == ".toml" and Path(detector).is_file():
        tag = os.path.relpath(detector_path(detector), folder)
    return fileset, tag, description


def _samples(filesets: list[tuple[Fileset, bool]], description: Detector, chunksize: int) -> tuple[list[list[Sample]], list[Any]]:
    """Hits of MS1 and of MS2 with and without field, made with the t0 and drift velocities that the drift times show."""
    import numpy as np

    from na64mu.alignment.sample import concatenated, read_samples
    from na64mu.alignment.straws import with_drift
    from na64mu.errors import InputError
    from na64mu.events.faults import Bounds
    from na64mu.events.reader import read_batch
    from na64mu.execution.progress import stage
    from na64mu.inputs.refused import Tally, fault_losses
    from na64mu.results.losses import Loss
    from na64mu.selections.blinding import FLOOR, BlindingPolicy

    losses = [loss for fileset, _ in filesets for loss in fileset.losses]
    policy = BlindingPolicy.of(
        FLOOR, [f for fileset, _ in filesets for f in fileset.files], {f.detector: description for fs, _ in filesets for f in fs.files}
    )
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


def _print_tables(alignment: Alignment) -> None:
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    from na64mu.errors import one_line

    console = table_console(140)

    def table(title: str, rows: Iterable[tuple[str, ...]], columns: tuple[str, ...]) -> None:
        drawn = Table(title=escape(one_line(title)), box=SIMPLE)
        for i, name in enumerate(columns):
            drawn.add_column(name, justify="right" if i else "left", no_wrap=True)
        for row in rows:
            drawn.add_row(*(escape(one_line(cell)) for cell in row))
        console.print(drawn)

    tracks = ", ".join(f"{n} in {ms.upper()} (chi2/ndf {alignment.chi2_ndf[ms]:.3f})" for ms, n in alignment.n_tracks.items())
    corrections = [
        (m.name, _value(m.dx, m.dx_error, 1e3), _value(m.dy, m.dy_error, 1e3), _value(m.drotation, m.drotation_error, 1e3), str(m.n_hits))
        for m in alignment.modules
    ]
    table(
        f"Corrections to {alignment.detector}; tracks: {tracks}", corrections, ("module", "dx [um]", "dy [um]", "rotation [mrad]", "hits")
    )
    modes = [
        (
            m.spectrometer.upper(),
            m.name,
            "unknown" if m.error is None else f"{m.error:.2g} {m.unit}",
            "as described" if m.held else "from tracks",
        )
        for m in alignment.modes
    ]
    table("Common movements, and what the tracks know of them", modes, ("spectrometer", "movement", "error from tracks", "taken"))
    planes = [
        (
            p.name,
            _value(p.resolution, p.resolution_error, 1e3),
            f"{p.efficiency:.4f} +{p.efficiency_high - p.efficiency:.4f} -{p.efficiency - p.efficiency_low:.4f}",
            str(p.n_probes),
            _value(p.noise, p.noise_error, 1.0),
        )
        for p in alignment.planes
    ]
    table("Planes", planes, ("plane", "resolution [um]", "efficiency", "tracks", "noise hits per event"))
    straws = [
        (s.name, _value(s.t0, s.t0_error, 1.0), _value(s.drift_ns_per_mm, s.drift_error, 1.0), f"{s.chi2:.1f}/{s.ndf}")
        for s in alignment.straws
    ]
    table("Straws: time = t0 + drift x distance", straws, ("chamber", "t0 [ns]", "drift [ns/mm]", "chi2/ndf"))


def _value(value: float, error: float | None, scale: float) -> str:
    """Value and error, rounded to the first two digits of the error."""
    from math import floor, log10

    if error is None:
        return "" if value == 0.0 else f"{scale * value:.3g}"
    if error <= 0.0:
        return f"{scale * value:.4g}"
    digits = max(0, 1 - floor(log10(scale * error)))
    return f"{scale * value:.{digits}f} ± {scale * error:.{digits}f}"
