"""`na64mu simulate`: makes a raw tree."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from na64mu.cli.hints import Known
from na64mu.physics.bosons import RENAMED

__all__ = ("command",)


@click.command("simulate")
@click.option("-n", "--events", "n_events", type=click.IntRange(min=1), required=True, help="Beam muons to generate.")
@click.option(
    "--process",
    type=Known("na64mu.simulation.names:PROCESSES", RENAMED),
    default="beam",
    show_default=True,
    help="What happens in the target; a boson needs --mass.",
)
@click.option("--pile-up/--no-pile-up", default=False, show_default=True, help="Lay further beam particles over the events.")
@click.option(
    "--tier",
    type=Known("na64mu.simulation.names:Tier"),
    default="energy",
    show_default=True,
    help="Calorimeters and counters as energy and time, or as 32 samples of 12.5 ns.",
)
@click.option(
    "--conditions",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML file with dead and noisy channels, noise, thresholds, cross-talk, sampling ADCs.",
)
@click.option("--engine", type=Known("na64mu.simulation.names:Engine"), default="fast", show_default=True, help="What carries the muons.")
@click.option("--config", type=click.IntRange(1, 2), default=1, show_default=True, help="Trigger configuration.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Equal seeds give equal events.")
@click.option("--run", "run_number", type=click.IntRange(min=0), default=1, show_default=True, help="Run number to write.")
@click.option("--mass", type=click.FloatRange(min=0, min_open=True), help="Mass of the boson [GeV].")
@click.option("--g-ref", type=click.FloatRange(min=0, min_open=True), default=1e-4, show_default=True, help="Coupling of the weights.")
@click.option("--detector", "tag", default="na64mu-2022", show_default=True, metavar="TAG|FILE", help="Set-up to simulate.")
@click.option("--prescale", type=click.IntRange(min=0), default=1, show_default=True, help="Write every n-th calibration trigger; 0: none.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes; the sample does not depend on it.")
@click.option("--format", "kind", type=Known("na64mu.events.writer:Storage"), default="ttree", show_default=True, help="Form of the file.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
def command(
    n_events: int,
    process: str,
    pile_up: bool,
    tier: Literal["energy", "waveform"],
    conditions: Path | None,
    engine: Literal["fast", "geant4"],
    config: int,
    seed: int,
    run_number: int,
    mass: float | None,
    g_ref: float,
    tag: str,
    prescale: int,
    workers: int,
    kind: Literal["ttree", "rntuple"],
    output: Path,
) -> None:
    """Send beam muons through a set-up and write the triggered ones as a raw tree, in the form that data have.

    What happens to them in the target (--process); all but beam force what is rare and give the events weights:

    \b
    beam                   what comes by itself, with halo
    hardloss, nuclear      a loss of more than 20 GeV in the ECAL; only muon-nuclear
    zprime, scalar, ...    a boson of the given --mass is radiated (signal)
    hadron                 a beam hadron in the place of the muon
    decay, kaon            a pion or kaon of the beam decays to a muon; only kaons

    The file holds the calibration triggers S0 S1 !V1 too, every --prescale-th of them; 0 leaves the physics triggers alone. Its `runs` tree
    says how many muons on target it represents.
    """  # noqa: D301  # click wants the character \\b before lines that it must not wrap
    from na64mu.detector import load_detector
    from na64mu.detector.conditions import load_conditions
    from na64mu.execution.progress import stage
    from na64mu.simulation.geant4.processes import Geant4Settings
    from na64mu.simulation.produce import invisible_part, produce

    detector = load_detector(tag)
    if conditions is not None:
        detector = detector.operated(load_conditions(conditions))
    with stage(f"simulate {process}", n_events, "events") as shown:
        row = produce(
            output,
            detector,
            process,
            n_events,
            config,
            seed,
            run=run_number,
            mass=mass,
            g_ref=g_ref,
            prescale_calibration=prescale,
            kind=kind,
            with_pile_up=pile_up,
            tier=tier,
            engine=engine,
            geant4=Geant4Settings(workers=workers) if engine == "geant4" else None,
            workers=workers,
            progress=shown.advance,
        )
    click.echo(
        f"{output}: {row['n_written']} events written of {n_events} generated, {row['n_mot']} met S0*S1*!V1, "
        f"{row['n_physics']} the physics trigger of configuration {config} ({detector.tag}, seed {seed})"
    )
    unseen = invisible_part(process, mass)
    if unseen is not None:
        click.echo(
            f"weights: every Z' that is made at g = {g_ref:g}; {100 * unseen:.1f} % of them decay to neutrinos (`na64mu limits` and `na64mu mock` multiply by it)"
        )
