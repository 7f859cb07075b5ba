"""`na64mu efficiency`: signal efficiency against mass, from simulated events through the selection."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from na64mu.analysis.yields import EfficiencyTable

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
@click.option("--detector", "tag", default="na64mu-2022", show_default=True, help="Tag or TOML file of the set-up.")
@click.option("--selection", default="prl2024", show_default=True, metavar="NAME|FILE", help="Working point.")
@click.option(
    "--samples",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the raw trees in this folder; those that are there already are not made again.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Table to write (JSON).")
def command(n_events: int, masses: str, pile_up: bool, seed: int, tag: str, selection: str, samples: Path | None, output: Path) -> None:
    """Simulate Z' events of every mass and trigger configuration, run the selection over them, write the efficiencies."""
    import tempfile
    from contextlib import nullcontext

    with nullcontext(samples) if samples is not None else tempfile.TemporaryDirectory() as folder:
        table = _table(Path(folder), n_events, _numbers(masses), pile_up, seed, tag, selection)
    table.write(output)
    loss, error = table.pile_up_loss()
    for config in (1, 2):
        for p in table.of(config):
            e = p.efficiency
            click.echo(
                f"config {config}  {1000 * p.mass:7g} MeV  {p.n_mot:7d} MOT  trigger {100 * p.trigger_efficiency.value:5.2f} %  selected {100 * e.value:6.3f} +{100 * (e.high - e.value):.3f} -{100 * (e.value - e.low):.3f} %"
            )
    if not math.isnan(loss):
        click.echo(f"loss to pile-up: {100 * loss:.1f} +- {100 * error:.1f} %")
    click.echo(f"wrote {output}", err=True)


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


def _table(folder: Path, n_events: int, masses: list[float], pile_up: bool, seed: int, tag: str, selection: str) -> EfficiencyTable:
    import datetime as dt

    from rich.console import Console
    from rich.progress import Progress

    from na64mu import __version__
    from na64mu.analysis.provenance import package_versions, repository_state
    from na64mu.analysis.yields import EfficiencyPoint, EfficiencyTable
    from na64mu.detector import load_detector
    from na64mu.errors import InputError
    from na64mu.execution.run import run_search
    from na64mu.simulation.produce import produce

    detector = load_detector(tag)
    folder.mkdir(parents=True, exist_ok=True)
    kinds = (False, True) if pile_up else (False,)
    samples: dict[str, tuple[Path, float, int, bool]] = {}
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("simulate", total=2 * len(masses) * len(kinds))
        for mass in masses:
            for config in (1, 2):
                for piled in kinds:
                    name = f"zprime_{1000 * mass:g}MeV_config{config}{'_pile_up' if piled else ''}"
                    run = 1 + len(samples)
                    path = folder / f"{name}.root"
                    if not path.exists():
                        produce(
                            path,
                            detector,
                            "zprime",
                            n_events,
                            config,
                            seed * 100_000 + run,
                            run=run,
                            mass=mass,
                            prescale_calibration=0,
                            with_pile_up=piled,
                        )
                    samples[name] = (path, mass, config, piled)
                    bar.advance(task)
    result = run_search([path for path, *_ in samples.values()], selection=selection, detector=None if tag == detector.tag else tag)
    if result.exit_code:
        msg = f"{folder}: {next(loss.reason for loss in result.losses if loss.is_damage)}: delete the samples and simulate them again"
        raise InputError(msg)
    points = tuple(  # without a prescaled calibration trigger every written event is one of the physics trigger
        EfficiencyPoint(
            mass, config, piled, round(result.exposure.n_mot(name)), result.cutflows[name].steps[0].n, result.regions[name]["box_after"].n
        )
        for name, (_, mass, config, piled) in samples.items()
    )
    commit, clean = repository_state()
    provenance = {
        "what": "selected Z' events over muons on target with one Z' each, simulated; see na64mu.analysis.yields.efficiency",
        "command": f"na64mu efficiency -n {n_events} --masses {','.join(f'{m:g}' for m in masses)} {'--pile-up' if pile_up else '--no-pile-up'} --seed {seed} --detector {detector.tag} --selection {result.working_point.name}",
        "version": __version__,
        "commit": commit,
        "commit_is_unchanged": clean,
        "detector": {"tag": detector.tag, "digest": detector.digest},
        "selection": {"name": result.working_point.name, "hash": result.working_point.hash},
        "packages": package_versions(),
        "made": dt.datetime.now(dt.UTC).date().isoformat(),
    }
    return EfficiencyTable(points, provenance)
