"""`na64mu mock`: makes data-like files of simulation."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from na64mu.cli.hints import Known
from na64mu.cli.say import note

__all__ = ("command",)


@click.command("mock", short_help="Make data-like files of simulation, to rehearse an unblinding.")
@click.argument("files", metavar="SAMPLES...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--hidden",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML file with what the data hide: displaced trackers, dead channels, gains, a coupling, the seed.",
)
@click.option(
    "--mot", type=(float, float), metavar="N1 N2", help="Muons on target of both configurations; by default those of the beam samples."
)
@click.option(
    "--prescale", type=click.IntRange(min=0), help="Of the calibration triggers; by default the smallest that the beam samples allow."
)
@click.option("--runs", type=click.IntRange(min=1), default=1, show_default=True, help="Runs of each configuration, a file each.")
@click.option("--first-run", type=click.IntRange(min=0), default=1, show_default=True, help="Number of the first run.")
@click.option("--name", default="run", show_default=True, help="Beginning of the file names, and name of the dataset.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the random numbers, where --hidden has none.")
@click.option(
    "--max-weight", type=click.FloatRange(min=0, min_open=True), help="Weights above it are an error; by default the largest one."
)
@click.option("--format", "kind", type=Known("na64mu.events.writer:Storage"), default="ttree", show_default=True, help="Form of the files.")
@click.option(
    "--answer",
    type=click.Path(dir_okay=False, path_type=Path),
    default="answer.json",
    show_default=True,
    help="File for what is hidden; not in the folder of the data.",
)
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write.")
def command(
    files: tuple[str, ...],
    hidden: Path | None,
    mot: tuple[float, float] | None,
    prescale: int | None,
    runs: int,
    first_run: int,
    name: str,
    seed: int,
    max_weight: float | None,
    kind: Literal["ttree", "rntuple"],
    answer: Path,
    output: Path,
) -> None:
    """Make files that look like data of simulated SAMPLES: one of beam muons for each configuration, and weighted ones.

    Truth, weights and names of the samples are left out; events are unweighted, mixed and numbered anew; the bookkeeping is that of data. A signal
    counts with the coupling of --hidden and with the branching ratio to what is not seen. Trackers are displaced where the samples are made:
    `na64mu simulate --detector HIDDEN.toml`.
    """
    from na64mu.execution.mock import mock
    from na64mu.execution.progress import stage

    with stage("mock data"):
        made = mock(
            files,
            output,
            answer=answer,
            hidden=hidden,
            mot=mot,
            prescale=prescale,
            runs=runs,
            first_run=first_run,
            name=name,
            seed=seed,
            max_weight=max_weight,
            kind=kind,
        )
    for path, row in zip(made.files, made.rows, strict=True):
        click.echo(f"{path}: run {row['run']}, configuration {row['config']}, {row['n_mot']} muons on target")
    note(f"wrote {made.answer}, which says what is hidden: keep it shut; its SHA-256 is {made.sha256}")
