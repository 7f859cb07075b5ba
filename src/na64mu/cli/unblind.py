"""`na64mu unblind`: opens the signal box of a frozen search, and records it first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from na64mu.cli.say import note
from na64mu.execution.executors import EXECUTORS

__all__ = ("command",)

#: Events of the box that are printed.
MOST = 20

#: Options of version 0.1.0: what selects is in the freeze file now.
OLD = ("hash", "selection", "detector", "calibration", "layout")


@click.command(name="unblind", short_help="Open the signal box of a frozen search, with a record.")
@click.argument("folder", metavar="OUT", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--freeze", "frozen", metavar="FILE", type=click.Path(exists=True, dir_okay=False), help="Freeze file of `na64mu freeze`.")
@click.option("--reason", help="Why, for the record.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for the opened result.")
@click.option(
    "--verify",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Allowed signers (SSH) or public key (minisign): the freeze file must be signed by one.",
)
@click.option(
    "--record",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Record of openings; alone: check and print it. [default: unblinding.jsonl beside the freeze file]",
)
@click.option("--user", multiple=True, metavar="FILE", help="Your own Python file, where it is now.")
@click.option("--executor", type=click.Choice(list(EXECUTORS)), default="iterative", show_default=True, help="Where it is processed.")
@click.option("--workers", type=click.IntRange(min=1), help="Local processes of futures and dask.")
@click.option("--scheduler", metavar="ADDRESS", help="Running Dask scheduler.")
@click.option("--hash", hidden=True)
@click.option("--selection", hidden=True)
@click.option("--detector", hidden=True)
@click.option("--calibration", hidden=True, multiple=True)
@click.option("--layout", hidden=True)
@click.option("--accept-calibration", hidden=True, is_flag=True)
def command(
    folder: Path | None,
    frozen: str | None,
    reason: str | None,
    output: Path | None,
    verify: str | None,
    record: Path | None,
    **options: Any,
) -> None:
    """Run the files of the blind output folder OUT again with the signal box open.

    Everything that selects is in the freeze file, which must be of OUT, of the files as they are, and of the installed code; what
    differs is named, and the box stays closed. Before it is opened, a line with who, when, why and how often is added to
    unblinding.jsonl beside the freeze file, and after it one with the outcome; both folders have copies.

    Writes what `na64mu run` writes, and events_in_box.csv.
    """
    from na64mu.common.signatures import verify_file
    from na64mu.execution.unblinding import unblind
    from na64mu.report import write_figures, write_html
    from na64mu.results.openings import NAME
    from na64mu.results.output_folder import output_folder
    from na64mu.results.run import DRAWN

    _refuse_old({name: options.pop(name) for name in (*OLD, "accept_calibration")})
    if folder is None and record is not None and frozen is None:
        _print_record(record)
        return
    missing = [name for name, value in (("OUT", folder), ("--freeze", frozen), ("--reason", reason), ("--output", output)) if value is None]
    if folder is None or frozen is None or reason is None or output is None:
        msg = f"{', '.join(missing)}: missing; with --record FILE alone, a record of openings is checked and printed"
        raise click.UsageError(msg)
    if not reason.strip():
        msg = "--reason is empty: say why the box is opened"
        raise click.UsageError(msg)
    if verify is not None:
        note(f"{frozen} is signed by {verify_file(frozen, verify)}")
    result = unblind(folder, output, freeze=frozen, reason=reason, record=record, **options)
    with output_folder(output, "report", replaces=DRAWN) as place:
        write_figures(result, place)
        write_html(result, place)
    for name, regions in result.regions.items():
        if "box" in regions:
            click.echo(f"{name}: {regions['box'].n} events in the box before the plane cut, {regions['box_after'].n} after it")
    _print_events(result.in_box, output)
    note(f"wrote {output}/; the record is {record or Path(frozen).parent / NAME}, with copies there and in {folder}/")
    click.get_current_context().exit(result.exit_code)


def _refuse_old(given: dict[str, Any]) -> None:
    from na64mu.errors import BlindedError
    from na64mu.execution.opening import HOW

    names = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if names:
        what = "a hash opens nothing any more" if "--hash" in names else "what selects is in the freeze file"
        msg = f"the box stays closed: {', '.join(names)}: {what}; {HOW}"
        raise BlindedError(msg)


def _print_record(path: Path) -> None:
    from na64mu.errors import InputError
    from na64mu.results.opening_line import lines_text
    from na64mu.results.openings import read_lines

    if not path.is_file():
        msg = f"{path}: there is no record of openings; it is beside the freeze file, and in the folders that were opened"
        raise InputError(msg)
    for text in lines_text(read_lines(path)):
        click.echo(text)
    note(f"{path}: the lines follow each other, and none was edited")


def _print_events(in_box: dict[str, Any], output: Path) -> None:
    from na64mu.results.box_events import NAME

    rows = [(dataset, e) for dataset, events in in_box.items() for e in events]
    for dataset, e in rows[:MOST]:
        passes = "passes all cuts" if e.passes else "fails the plane cut"
        click.echo(
            f"{dataset}: run {e.run} event {e.event} config {e.config}: p_in {e.p_in:.1f} GeV/c, p_out {e.p_out:.1f} GeV/c, E_CAL {e.e_cal:.2f} GeV, {passes}"
        )
    if len(rows) > MOST:
        click.echo(f"and {len(rows) - MOST} more in {output / NAME}")
