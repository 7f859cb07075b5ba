"""`na64mu reconstruct`: raw trees in, event summary out."""

from __future__ import annotations

from pathlib import Path

import click

from na64mu.cli.say import note

__all__ = ("command",)


@click.command(name="reconstruct", short_help="Turn raw trees into event summaries, one row per event.")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write: .root (TTree `summary`) or .parquet.",
)
@click.option(
    "--selection", default="prl2024", show_default=True, metavar="NAME|FILE", help="Working point whose signal box is withheld in data."
)
@click.option("--detector", metavar="TAG|FILE", help="Detector description that replaces the tags in the files.")
@click.option("--layout", metavar="NAME|FILE", help="Layout that maps a foreign tree onto the raw tree.")
@click.option("--freeze", multiple=True, metavar="FILE", help="Freeze file whose box is hidden too; those beside the data always are.")
@click.option("--chunksize", type=click.IntRange(min=1), default=100_000, show_default=True, help="Events per chunk.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    output: Path,
    selection: str,
    detector: str | None,
    layout: str | None,
    freeze: tuple[str, ...],
    chunksize: int,
) -> None:
    """Reconstruct FILES and write one row per event: momenta, tracks, hits, positions, energies, and truth where there is one.

    In data, events of the signal box are withheld. The exit code is 3 if some input could not be read.
    """
    from na64mu.execution.progress import stage
    from na64mu.execution.reconstruct import reconstruct_files

    with stage("reconstruct"):
        n_events, losses = reconstruct_files(
            files, output, selection=selection, detector=detector, layout=layout, chunksize=chunksize, freeze=freeze
        )
    for loss in losses:
        note(loss.reason)
    note(f"wrote {output}: {n_events} events")
    if any(loss.is_damage for loss in losses):
        ctx.exit(3)
