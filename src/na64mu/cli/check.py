"""`na64mu check`: files against the raw-tree form; one line per file, one line per finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from na64mu.errors import one_line

if TYPE_CHECKING:
    from na64mu.events.findings import CheckReport

__all__ = ("command",)


@click.command(name="check", short_help="Read files against the raw-tree form; say what is wrong and where.")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--detector", "detector_files", multiple=True, metavar="FILE", help="A detector description of your own (TOML); may be repeated."
)
@click.option("--layout", metavar="FILE|NAME", help="Layout that maps a foreign tree onto the raw tree.")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], detector_files: tuple[str, ...], layout: str | None, as_json: bool) -> None:
    """Check FILES (paths, folders, globs, a fileset JSON) against the raw-tree form.

    Every branch of every event is read. One line per file with its version, then one line per finding with its branch and first
    entry, and one note each for optional branches and for branches that are not part of the raw tree. The exit code is 1 if a
    file has an error; warnings and notes leave it at 0.
    """
    import json

    from na64mu.detector import detector_path, read_detector
    from na64mu.events.checker import check_files
    from na64mu.events.findings import CheckReport, Finding
    from na64mu.events.layout import load_layout
    from na64mu.execution.progress import stage
    from na64mu.inputs.paths import inputs_of

    own = [read_detector(detector_path(name)) for name in detector_files]
    foreign = None if layout is None else load_layout(layout)
    inputs = inputs_of(files, foreign)
    paths = [path for names in inputs.datasets.values() for path in names]
    trees = {path: spec.tree for path, spec in inputs.specs.items() if spec.tree}
    with stage(f"check {len(paths)} files"):
        reports = check_files(paths, {d.tag: d for d in own}, foreign, trees)
    for loss in inputs.losses:
        finding = Finding("error" if loss.is_damage else "warning", "input", "", loss.reason.removeprefix(f"{loss.file}: "))
        reports.append(CheckReport(loss.file, 0, (), (), (finding,)))
    if as_json:
        click.echo(json.dumps([report.to_dict() for report in reports], indent=1))
    else:
        for report in reports:
            _print(report)
    if not all(report.ok for report in reports):
        ctx.exit(1)


def _print(report: CheckReport) -> None:
    click.echo(one_line(report))
    for finding in report.findings:
        click.echo(f"  {one_line(finding)}")
    for note in report.notes:
        click.echo(f"  {one_line(f'note: {note}')}")
