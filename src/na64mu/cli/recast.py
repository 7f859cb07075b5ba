"""`na64mu recast`: a user's events or yields in, limits on their model out."""

from __future__ import annotations

import json
from pathlib import Path

import click

from na64mu.cli.say import note, table_console

__all__ = ("command",)


@click.command("recast", short_help="Limits on your own model, from its events or yields.")
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default="recast", show_default=True, help="Folder to write."
)
@click.option("--reference", type=click.FloatRange(min=0, min_open=True), default=1e-4, show_default=True, help="Coupling of the table.")
@click.option(
    "--power", type=click.FloatRange(min=0, min_open=True), default=2.0, show_default=True, help="The yield grows as coupling^POWER."
)
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Output folder of `na64mu run` for exposure and counts, instead of the Letter."
)
@click.option(
    "--map", "kinematic_map", default="na64mu-2022-kinematic", show_default=True, metavar="NAME|FILE", help="Efficiency in (x, psi')."
)
@click.option(
    "--efficiency", default="na64mu-2022", show_default=True, metavar="NAME|FILE", help="Efficiency of a Z', for yields without their own."
)
@click.option(
    "--pile-up-loss", type=click.FloatRange(0, 1, max_open=True), help="Part of the signal lost to pile-up; by default that of the Letter."
)
@click.option(
    "--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.90, show_default=True, help="Confidence level."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of a table.")
def command(
    table: Path,
    output: Path,
    reference: float,
    power: float,
    folder: Path | None,
    kinematic_map: str,
    efficiency: str,
    pile_up_loss: float | None,
    level: float,
    as_json: bool,
) -> None:
    """Compute the limits of this search on your own model.

    TABLE is CSV with a head line; # begins a comment. Masses in GeV, angles in rad, `per_mot` is the expected number per muon on target (S0 S1 !V1) at the coupling
    --reference, of particles that are made in the target and not seen.

    \b
    events: mass_GeV, x, psi_rad, per_mot     one row per simulated production
    yields: mass_GeV, per_mot                 one row per mass; efficiency of a Z'
            ... efficiency_1, efficiency_2    or your own, per trigger configuration

    x is the energy fraction of what is not seen, psi the angle of the recoil muon to the incoming one. Writes recast.csv and recast.json.

    TABLE may also be events of a generator on lead, in Les Houches (.lhe) or HepMC 3 text (.hepmc), perhaps compressed (.gz): everything that goes out besides the muon
    and the nucleus is not seen; the cross-section of the file is that of one nucleus.
    """  # noqa: D301  # click wants the character \\b before lines that it must not wrap
    from na64mu.analysis.recasting import recast
    from na64mu.report.boson_tables import render_recast

    result = recast(
        table,
        "letter" if folder is None else folder,
        reference=reference,
        power=power,
        kinematic_map=kinematic_map,
        efficiency=efficiency,
        pile_up_loss=pile_up_loss,
        level=level,
    )
    files = result.write(output)
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=1))
    else:
        render_recast(result, table_console())
    note(f"wrote {output}/: {', '.join(path.name for path in files)}")
