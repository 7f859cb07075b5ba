"""`na64mu align`: positions and rotations of the trackers from tracks, with their calibration."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from na64mu.cli.say import note, table_console

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
@click.option(
    "--scale-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Largest error of a momentum scale that is written [%].",
)
@click.option("--accept", is_flag=True, help="Write an alignment that would be refused; the reason is written with it.")
@click.option("--millepede", type=click.Path(dir_okay=False, path_type=Path), help="Write the tracks as input of Millepede II too.")
@click.option("--freeze", multiple=True, metavar="FILE", help="Freeze file whose box is hidden too; those beside the data always are.")
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
    scale_limit: float,
    accept: bool,
    millepede: Path | None,
    freeze: tuple[str, ...],
    chunksize: int,
    as_json: bool,
) -> None:
    """Align the trackers with the tracks of FILES, and measure drift relations, resolutions, efficiencies and noise.

    Tracks cannot see some common movements of all modules. The tables name them, what holds each (straight tracks of --field-off, modules of --fix,
    p_in = p_out of muons that left a minimum in the ECAL, the survey), and what it means for the momenta. An alignment that finds fewer tracks than
    the description, or leaves a momentum scale that nobody knows, is refused with exit code 1.

    The file that is written can be given wherever a detector description is asked for: na64mu run FILES --detector alignment.toml.
    The exit code is 3 if some input could not be read.
    """
    from na64mu.alignment.millepede import write_millepede
    from na64mu.execution.alignment import align
    from na64mu.report.alignment_tables import render_alignment

    run, losses = align(
        files,
        detector=detector,
        field_off=field_off,
        fixed=[name for part in fix.split(",") if (name := part.strip())],
        survey_shift=survey_shift,
        survey_rotation=1e-3 * survey_rotation,
        largest_scale_error=1e-2 * scale_limit,
        accept=accept,
        chunksize=chunksize,
        output=output,
        freeze=freeze,
        progress=note,
    )
    run.alignment.write(output)
    if as_json:
        click.echo(json.dumps(run.alignment.model_dump(mode="json"), indent=1))
    else:
        render_alignment(run.alignment, table_console(140))
    note(f"wrote {output}")
    if millepede is not None:
        binary, steering = write_millepede(millepede, run.spectrometers, run.samples)
        note(f"wrote {binary} and {steering}")
    for loss in losses:
        note(loss.reason)
    if any(loss.is_damage for loss in losses):
        sys.exit(3)
