"""`na64mu paper`: the whole Letter from simulated events, every published number beside ours."""

from __future__ import annotations

from pathlib import Path

import click

from na64mu.cli.say import note, table_console

__all__ = ("command",)


@click.command("paper", short_help="The whole Letter from simulated events, beside the published numbers.")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default="paper", show_default=True, help="Folder to write."
)
@click.option("--quick", is_flag=True, help="Few events: within three minutes on two cores.")
@click.option(
    "--events",
    "n_events",
    type=click.IntRange(min=1000),
    help="Unbiased beam muons per trigger configuration; the other samples in proportion.",
)
@click.option("--resume/--fresh", default=True, show_default=True, help="Keep the steps that are finished, or repeat all.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes; by default one for each core.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Equal seeds give equal events.")
@click.option("--detector", "tag", default="na64mu-2022", show_default=True, help="Tag of the set-up.")
@click.option("--selection", default="prl2024", show_default=True, metavar="NAME|FILE", help="Working point.")
def command(
    output: Path, quick: bool, n_events: int | None, resume: bool, workers: int | None, seed: int, tag: str, selection: str
) -> None:
    """Simulate, calibrate, run, estimate backgrounds, set limits, draw every figure and table of the Letter, and compare.

    Writes OUTPUT/report.html, comparison.csv, and a folder for each step with figures (PNG, PDF, CSV) and tables (CSV, LaTeX). After an interruption the same command goes
    on where it stopped; steps whose inputs or code have changed are repeated.
    """
    from dataclasses import replace

    from na64mu.execution.progress import stage
    from na64mu.paper import FULL, QUICK, make_paper

    scale = replace(QUICK if quick else FULL, seed=seed)
    if n_events is not None:
        scale = scale.scaled(n_events)
    with stage("paper", unit="steps") as shown:
        report = make_paper(
            output,
            scale,
            detector=tag,
            selection=selection,
            workers=workers,
            fresh=not resume,
            progress=shown.say,
        )
    _print_table(output)
    note(f"wrote {report}")


def _print_table(output: Path) -> None:
    """The comparison on the terminal."""
    import csv

    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Beside the Letter, PRL 132, 211803", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for heading, kind in (
        ("quantity", "left"),
        ("unit", "left"),
        ("Letter", "right"),
        ("ours", "right"),
        ("error", "right"),
        ("verdict", "left"),
    ):
        table.add_column(heading, justify="left" if kind == "left" else "right")
    with (output / "comparison.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            upper = ["< " if row[name] == "1" else "" for name in ("letter_is_upper", "ours_is_upper")]
            numbers = [f"{sign}{float(row[name]):.4g}" if row[name] else "-" for sign, name in zip(upper, ("letter", "ours"), strict=True)]
            error = "" if float(row["ours_error"] or 0) == 0 else f"{float(row['ours_error']):.2g}"
            table.add_row(*(escape(text) for text in (row["quantity"], row["unit"], *numbers, error, row["verdict"])))
    table_console().print(table)
