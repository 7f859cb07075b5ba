"""`na64mu project`: expected limits of future exposures."""

from __future__ import annotations

import json
from pathlib import Path

import click

from na64mu.cli.hints import Known
from na64mu.cli.say import note, table_console

__all__ = ("command",)


@click.command("project", short_help="Expected limits with more muons and the improvements the Letter names.")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default="projection", show_default=True, help="Folder to write."
)
@click.option("--n-mot", type=click.FloatRange(min=0, min_open=True), help="Add a scenario of your own: muons on target.")
@click.option(
    "--momentum", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Its background (I) per muon over that of 2022."
)
@click.option(
    "--decays", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Its background (II) per muon over that of 2022."
)
@click.option(
    "--leakage", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Its background (III) per muon over that of 2022."
)
@click.option("--per-spill", type=click.FloatRange(min=0, min_open=True), default=2.8e6, show_default=True, help="Its muons per spill.")
@click.option(
    "--window",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Its time in which a second muon spoils an event, over that of 2022.",
)
@click.option("--efficiency", "table", default="na64mu-2022", show_default=True, metavar="NAME|FILE", help="Table of `na64mu efficiency`.")
@click.option(
    "--masses", "n_masses", type=click.IntRange(min=2), default=25, show_default=True, help="Masses, even in ln m, from 1 MeV to 5 GeV."
)
@click.option(
    "--cross-section",
    "method",
    type=Known("na64mu.physics.cross_section:Method"),
    default="tree",
    show_default=True,
    help="Method for the production cross-section.",
)
@click.option("--detector", "tag", default="na64mu-2022", show_default=True, help="Tag or TOML file of the set-up: layers of the target.")
@click.option("--figure/--no-figure", default=True, show_default=True, help="Draw projection.png.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of a table.")
def command(
    output: Path,
    n_mot: float | None,
    momentum: float,
    decays: float,
    leakage: float,
    per_spill: float,
    window: float,
    table: str,
    n_masses: int,
    method: str,
    tag: str,
    figure: bool,
    as_json: bool,
) -> None:
    """Expected limits on g_Z' with more muons on target: 2022, 2e11 and 2e13, with and without a second spectrometer and the new VHCAL.

    Backgrounds are those of Table I per muon, times the factor of each improvement. Writes projection.csv, projection.json and projection.png.
    """
    from na64mu.analysis.future import project
    from na64mu.execution.progress import stage
    from na64mu.report.projection import render_projection, write_projection_figure
    from na64mu.results.output_folder import output_folder

    with stage("cross-sections", unit="points") as shown:
        projection = project(
            n_mot,
            momentum=momentum,
            decays=decays,
            leakage=leakage,
            per_spill=per_spill,
            window=window,
            efficiency=table,
            masses=n_masses,
            method=method,
            detector=tag,
            progress=shown.advance,
        )
    with output_folder(output, "project") as place:
        files = projection.write(place)
        if figure:
            files += write_projection_figure(projection, place)
    if as_json:
        click.echo(json.dumps(projection.to_dict(), indent=1))
    else:
        render_projection(projection, table_console(150))
    note(f"wrote {output}/: {', '.join(path.name for path in files)}")
