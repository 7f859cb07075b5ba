"""`na64mu detector`: the known detector descriptions, or one of them along z, with the source of every number."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from na64mu.cli.say import table_console

if TYPE_CHECKING:
    from rich.table import Table

    from na64mu.detector import Detector

__all__ = ("command",)

WIDTH_OF_A_FILE = 150  # columns when the output is no terminal


@click.command(name="detector", short_help="List the detector descriptions, or print one with its sources.")
@click.argument("name", metavar="[TAG|FILE]", required=False)
@click.option("--sources", is_flag=True, help="Print every number with its source.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole description as JSON.")
@click.option(
    "--gdml", type=click.Path(dir_okay=False, path_type=Path), help="Write the geometry of the Geant4 back end, checked for overlaps."
)
@click.option("--copy", type=click.Path(dir_okay=False, path_type=Path), help="Write the TOML file of the description, to change it.")
def command(name: str | None, sources: bool, as_json: bool, gdml: Path | None, copy: Path | None) -> None:
    """List the known detector descriptions, or print the elements of one of them along z.

    TAG is a tag such as na64mu-2022, FILE a description of your own (TOML).
    """
    from na64mu.detector import detector_path, known_detectors, load_detector
    from na64mu.detector.overview import UNITS

    if name is None:
        if sources or as_json or gdml is not None or copy is not None:
            msg = "--sources, --json, --gdml and --copy need a TAG or FILE"
            raise click.UsageError(msg)
        for tag in known_detectors():
            click.echo(f"{tag:20s} {load_detector(tag).title}")
        return
    detector = load_detector(name)
    if copy is not None:
        if copy.exists():
            msg = f"{copy}: exists already; choose another name"
            raise click.UsageError(msg)
        from na64mu.common.whole_file import write_whole

        write_whole(copy, detector_path(name).read_text(encoding="utf-8"))
        click.echo(f"wrote {copy}: change the tag, the title and the numbers, and give each its source", err=True)
        return
    if gdml is not None:
        from na64mu.simulation.geant4.gdml import write_gdml

        check = write_gdml(detector, 1, gdml)
        click.echo(
            f"{gdml}: {check.volumes} volumes without overlaps, read back by {check.version} (counters as in trigger configuration 1)"
        )
        return
    if as_json:
        click.echo(detector.model_dump_json(indent=1))
        return
    console = table_console(WIDTH_OF_A_FILE)
    console.print(_sources_table(detector) if sources else _elements_table(detector))
    console.print(UNITS, style="dim")


def _elements_table(detector: Detector) -> Table:
    from rich import box
    from rich.table import Table

    from na64mu.detector.overview import overview

    table = Table(title=f"{detector.tag}: {detector.title}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("z", justify="right")
    table.add_column("element", style="bold")
    table.add_column("type", no_wrap=True)
    table.add_column("centre (x, y)")
    table.add_column("half size")
    table.add_column("what it measures or does")
    for row in overview(detector):
        table.add_row(*row)
    return table


def _sources_table(detector: Detector) -> Table:
    from rich import box
    from rich.table import Table

    from na64mu.detector.overview import named_elements, number_text

    table = Table(title=f"{detector.tag}: {detector.title} ({detector.source})", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("element", "key", "value", "source"):
        table.add_column(heading, style="bold" if heading == "element" else None)
    for name, element in named_elements(detector).items():
        keys = [key for key in type(element).model_fields if key not in {"source", "sources"}]
        for i, key in enumerate(keys):
            last = i == len(keys) - 1
            table.add_row(name if i == 0 else "", key, number_text(getattr(element, key)), element.source_of(key), end_section=last)
    return table
