"""`na64mu efficiency`: signal efficiency against mass, from simulated events through the selection."""

from __future__ import annotations

import math
import time
from pathlib import Path

import click

from na64mu.cli.say import note

__all__ = ("command",)

#: Masses of the table that ships with the package [GeV].
MASSES = "0.001,0.002,0.005,0.01,0.02,0.03,0.04,0.06,0.1,0.15,0.2,0.3,0.5,0.7,1,1.5,2,3,5"


@click.command("efficiency", short_help="Signal efficiency against mass: simulate Z' events, run the selection.")
@click.option("-n", "--events", "n_events", type=click.IntRange(min=1), default=40_000, show_default=True, help="Beam muons per sample.")
@click.option("--masses", default=MASSES, show_default=True, metavar="GEV,GEV,...", help="Masses of the Z'.")
@click.option(
    "--pile-up/--no-pile-up", default=True, show_default=True, help="Also simulate every sample with pile-up, to measure its loss."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Equal seeds give equal tables.")
@click.option(
    "--like",
    type=click.Path(exists=True, path_type=Path),
    metavar="OUT",
    help="Output folder (or freeze file) of your run: its selection, alignment, conditions and calibration are used.",
)
@click.option("--detector", "tag", default="na64mu-2022", show_default=True, help="Tag or TOML file of the set-up.")
@click.option("--selection", default="prl2024", show_default=True, metavar="NAME|FILE", help="Working point.")
@click.option("--user", multiple=True, metavar="FILE", help="Python file of your own that the selection needs.")
@click.option(
    "--calibration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Windows of a MIP, as in your run; by default those that ship with the package.",
)
@click.option(
    "--samples",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the raw trees in this folder; those that are there already are not made again.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Samples made at a time, one process each; by default one for each core.")
@click.option(
    "--map",
    "map_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the efficiency in (x, psi') of the vertex: what `na64mu recast` and other bosons need.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Table to write (JSON).")
def command(
    n_events: int,
    masses: str,
    pile_up: bool,
    seed: int,
    like: Path | None,
    tag: str,
    selection: str,
    user: tuple[str, ...],
    calibration: Path | None,
    samples: Path | None,
    workers: int | None,
    map_file: Path | None,
    output: Path,
) -> None:
    """Simulate Z' events of every mass and trigger configuration, run the selection over them, write the efficiencies.

    For limits of your own data the efficiencies must be those of your set-up: --like OUT takes selection, description (with its alignment and
    conditions) and calibration from the output folder of your run.
    """
    from na64mu.execution.efficiency import efficiency

    usual = (("--detector", tag, "na64mu-2022"), ("--selection", selection, "prl2024"), ("--calibration", calibration, None))
    given = [name for name, value, default in usual if value != default]
    if like is not None and given:
        msg = f"{', '.join(given)}: come from {like} with --like; leave one of them out"
        raise click.UsageError(msg)
    began = time.perf_counter()
    table, kinematic_map = efficiency(
        _numbers(masses),
        n_events=n_events,
        pile_up=pile_up,
        seed=seed,
        like=like,
        detector=tag,
        selection=selection,
        calibration=calibration,
        samples=samples,
        workers=workers,
        user=user,
        with_map=map_file is not None,
    )
    written = [table.write(output)]
    if map_file is not None and kinematic_map is not None:
        written.append(kinematic_map.write(map_file))
    loss, error = table.pile_up_loss()
    for config in (1, 2):
        for p in table.of(config):
            e = p.efficiency
            click.echo(
                f"config {config}  {1000 * p.mass:7g} MeV  {p.n_mot:7d} MOT  trigger {100 * p.trigger_efficiency.value:5.2f} %  selected {100 * e.value:6.3f} +{100 * (e.high - e.value):.3f} -{100 * (e.value - e.low):.3f} %"
            )
    if not math.isnan(loss):
        click.echo(f"loss to pile-up: {100 * loss:.1f} +- {100 * error:.1f} %")
    note(f"wrote {', '.join(map(str, written))} in {time.perf_counter() - began:.0f} s")


def _numbers(text: str) -> list[float]:
    try:
        values = sorted({float(word) for word in text.split(",")})
    except ValueError as error:
        msg = f"--masses {text}: numbers in GeV with commas between them are wanted"
        raise click.UsageError(msg) from error
    if not values or values[0] <= 0:
        msg = f"--masses {text}: masses above zero are wanted"
        raise click.UsageError(msg)
    return values
