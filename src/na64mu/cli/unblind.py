"""`na64mu unblind`: opens the signal box of one frozen selection, and leaves a record of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from na64mu.cli.say import note
from na64mu.execution.executors import EXECUTORS

__all__ = ("command",)


@click.command(name="unblind", short_help="Open the signal box of a frozen selection, by its hash, with a record.")
@click.argument("folder", metavar="OUT", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--hash",
    "frozen",
    required=True,
    metavar="HASH",
    help="Configuration hash in OUT/summary.json (at least its first 12 digits): what was frozen.",
)
@click.option("--reason", required=True, help="Why, for the record.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the opened result.")
@click.option("--selection", metavar="NAME|FILE", help="Working point, where it is not one that ships with the package.")
@click.option("--user", multiple=True, metavar="FILE", help="The same as in the blind run.")
@click.option("--detector", metavar="TAG|FILE", help="The same as in the blind run.")
@click.option("--calibration", multiple=True, metavar="FILE", help="The same as in the blind run.")
@click.option("--accept-calibration", is_flag=True, help="The same as in the blind run.")
@click.option("--layout", metavar="NAME|FILE", help="The same as in the blind run.")
@click.option("--executor", type=click.Choice(list(EXECUTORS)), default="iterative", show_default=True, help="Where it is processed.")
@click.option("--workers", type=click.IntRange(min=1), help="Local processes of futures and dask.")
@click.option("--scheduler", metavar="ADDRESS", help="Running Dask scheduler.")
def command(folder: Path, frozen: str, reason: str, output: Path, **options: Any) -> None:
    """Run the files of the blind output folder OUT again with the signal box open.

    Selection, calibration, detector and layout must be those of OUT: their common hash is the one you give, or the box stays
    closed. The files must have the content they had. What is seen outside the box must come out as in OUT. unblinding.json in both
    folders says when, why and by whom.
    """
    from na64mu.execution.unblinding import unblind
    from na64mu.report import write_figures, write_html
    from na64mu.results.output_folder import output_folder
    from na64mu.results.run import DRAWN

    if not reason.strip():
        msg = "--reason is empty: say why the box is opened"
        raise click.UsageError(msg)
    options["calibration"] = options["calibration"] or None
    result = unblind(folder, output, frozen=frozen, reason=reason, **options)
    with output_folder(output, "report", replaces=DRAWN) as place:
        write_figures(result, place)
        write_html(result, place)
    for name, regions in result.regions.items():
        if "box" in regions:
            click.echo(f"{name}: {regions['box'].n} events in the box before the plane cut, {regions['box_after'].n} after it")
    note(f"wrote {output}/ and the record unblinding.json there and in {folder}/")
    click.get_current_context().exit(result.exit_code)
