"""`na64mu optimise`: the signal box with the best expected limit, from blinded data and simulation."""

from __future__ import annotations

import json
from pathlib import Path

import click

from na64mu.cli.say import note, table_console

__all__ = ("command",)


@click.command("optimise", short_help="Signal box with the best expected limit, from blinded data and simulation.")
@click.argument("folder", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default="boxes", show_default=True, help="Folder to write."
)
@click.option("--signal", "signals", metavar="DATASET", multiple=True, help="Dataset of simulated signal in OUT; by default all of them.")
@click.option("--physics", metavar="DATASET", help="Dataset of physics triggers: rate of the momentum tail.")
@click.option("--calibration", metavar="DATASET", help="Dataset of calibration triggers: shape of the momentum tail.")
@click.option("--region-d", metavar="DATASET", help="Dataset whose region D shows the leaking hadrons; by default Table I.")
@click.option("--hadrons", metavar="DATASET", help="Dataset of simulated beam hadrons, for the decays in flight; by default Table I.")
@click.option("--n-mot", type=click.FloatRange(min=0, min_open=True), default=1.98e10, show_default=True, help="Muons on target.")
@click.option(
    "--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.90, show_default=True, help="Confidence level."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of the bootstrap.")
@click.option("--figure/--no-figure", default=True, show_default=True, help="Draw boxes.png.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of a table.")
def command(
    folder: Path,
    output: Path,
    signals: tuple[str, ...],
    physics: str | None,
    calibration: str | None,
    region_d: str | None,
    hadrons: str | None,
    n_mot: float,
    level: float,
    seed: int,
    figure: bool,
    as_json: bool,
) -> None:
    """Scan the borders of the signal box in p_out and E_CAL for the best expected limit.

    OUT is an output folder of `na64mu run` over data (or simulated beam) and simulated signal. The blinded box is never looked at: backgrounds are extrapolated from outside
    of it. Prints the best box for each signal, writes boxes.csv, boxes.json and boxes.png.
    """
    from na64mu.analysis.best_box import optimise
    from na64mu.execution.progress import stage
    from na64mu.report.box_tables import render_boxes
    from na64mu.results.output_folder import output_folder

    with stage("scan of the signal box"):
        scan = optimise(
            folder,
            seed=seed,
            signals=signals,
            physics=physics,
            calibration=calibration,
            region_d=region_d,
            hadrons=hadrons,
            n_mot=n_mot,
            level=level,
        )
    with output_folder(output, "optimise") as place:
        files = scan.write(place)
        if figure:
            from na64mu.report.boxes import write_box_figure

            files += write_box_figure(scan, place)
    if as_json:
        click.echo(json.dumps(scan.to_dict(), indent=1))
    else:
        render_boxes(scan, table_console())
    note(f"wrote {output}/: {', '.join(path.name for path in files)}")
