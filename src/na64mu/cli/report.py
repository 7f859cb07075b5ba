"""`na64mu report`: the plane and the HTML report of an output folder, made again from its JSON files."""

from __future__ import annotations

from pathlib import Path

import click

from na64mu.cli.say import note, table_console

__all__ = ("command",)

#: Files that are made again.
MADE = ("plane.png", "report.html")


@click.command(name="report", short_help="Make plane and HTML report of an output folder again.")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--tables", is_flag=True, help="Print the tables too.")
@click.option("--user", multiple=True, metavar="FILE", help="Python file of your own that adds sections to the report.")
def command(folder: Path, tables: bool, user: tuple[str, ...]) -> None:
    """Make plane.png and report.html of FOLDER again, an output folder of `na64mu run`, with or without --processor."""
    from na64mu.report import render_terminal, write_reports
    from na64mu.results.folder import read_folder
    from na64mu.results.output_folder import finish, output_folder, placed
    from na64mu.results.run import DRAWN
    from na64mu.selections.user import load_user_file

    for file in user:
        load_user_file(file)
    if folder.is_dir():
        finish(folder)
    result = read_folder(folder)
    if tables:
        render_terminal(result, table_console())
    with output_folder(folder, "report", replaces=DRAWN) as place:
        files = write_reports(result, place)
    for path in placed(files, folder):
        note(f"wrote {path}")
