"""`na64mu check`: files against the raw-tree form; one line per file, one line per finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from na64mu.events.findings import CheckReport

__all__ = ("command",)


@click.command(name="check", short_help="Read files against the raw-tree form; say what is wrong and where.")
@click.argument("files", metavar="FILES...", nargs=-1, required=True)
@click.option(
    "--detector", "detector_files", multiple=True, metavar="FILE", help="A detector description of your own (TOML); may be repeated."
)
@click.option("--layout", metavar="FILE|NAME", help="Layout that maps a foreign tree onto the raw tree.")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], detector_files: tuple[str, ...], layout: str | None, as_json: bool) -> None:
    """Check FILES (paths, folders, globs) against the raw-tree form.

    Every branch of every event is read. One line per file, then one line per finding with its branch and first entry. The exit
    code is 1 if a file has an error; warnings leave it at 0.
    """
    import json

    from na64mu.detector import detector_path, read_detector
    from na64mu.events.checker import check_files
    from na64mu.events.layout import load_layout

    own = [read_detector(detector_path(name)) for name in detector_files]
    reports = check_files(input_files(files), {d.tag: d for d in own}, None if layout is None else load_layout(layout))
    if as_json:
        click.echo(json.dumps([report.to_dict() for report in reports], indent=1))
    else:
        for report in reports:
            _print(report)
    if not all(report.ok for report in reports):
        ctx.exit(1)


def _print(report: CheckReport) -> None:
    click.echo(str(report))
    for finding in report.findings:
        click.echo(f"  {finding}")


def input_files(names: tuple[str, ...]) -> list[str]:
    """Files that the arguments mean.

    Parameters
    ----------
    names : tuple of str
        Paths and addresses are taken as they are, folders stand for their *.root files, globs are expanded.

    Returns
    -------
    list[str]
        In order, each once.

    Raises
    ------
    click.UsageError
        If a folder or a glob has no file.
    """
    from glob import glob
    from pathlib import Path

    files: list[str] = []
    for name in names:
        if "://" in name:
            files.append(name)
            continue
        if Path(name).is_dir():
            found = sorted(str(path) for path in Path(name).glob("*.root"))
        elif any(c in name for c in "*?[") and not Path(name).exists():
            found = sorted(glob(name, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
        else:
            found = [name]
        if not found:
            msg = f"there is no file {name!r}" if not Path(name).is_dir() else f"there is no *.root file in the folder {name!r}"
            raise click.UsageError(msg)
        files += found
    return list(dict.fromkeys(files))
