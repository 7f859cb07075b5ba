"""`na64mu run`: the main job, from ROOT files to cut-flow, plane and report."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from na64mu.cli.say import note, table_console
from na64mu.execution.executors import EXECUTORS

__all__ = ("command",)


@click.command(name="run", short_help="The main job: raw trees in, cut-flow and (p_out, E_CAL) plane out.")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), default="out", show_default=True, help="Output folder.")
@click.option("--selection", default="prl2024", show_default=True, metavar="NAME|FILE", help="Working point.")
@click.option(
    "--user",
    multiple=True,
    metavar="FILE",
    help="Python file of your own: cuts, variables, histograms, regions, processors; it is executed once.",
)
@click.option("--processor", metavar="NAME|FILE.py:NAME", help="Processor of your own that is run in place of the search.")
@click.option("--detector", metavar="TAG|FILE", help="Detector description that replaces the tags in the files.")
@click.option("--calibration", multiple=True, metavar="FILE", help="Calibration file of your own; one for each detector.")
@click.option("--accept-calibration", is_flag=True, help="Take a calibration that was made for another description all the same.")
@click.option("--layout", metavar="NAME|FILE", help="Layout that maps a foreign tree onto the raw tree.")
@click.option("--freeze", multiple=True, metavar="FILE", help="Freeze file whose box is hidden too; those beside the data always are.")
@click.option(
    "--executor",
    type=click.Choice(list(EXECUTORS)),
    default="iterative",
    show_default=True,
    help="Where the chunks are processed.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Local processes of futures and dask; by default one for each core.")
@click.option("--scheduler", metavar="ADDRESS", help="Running Dask scheduler; without it --executor dask starts a local cluster.")
@click.option("--tls-ca", metavar="FILE", help="For a scheduler with TLS: certificates of the authority that signed its own (PEM).")
@click.option("--tls-cert", metavar="FILE", help="For a scheduler with TLS: your certificate (PEM).")
@click.option("--tls-key", metavar="FILE", help="For a scheduler with TLS: the key of your certificate (PEM).")
@click.option("--chunksize", type=click.IntRange(min=1), default=100_000, show_default=True, help="Events per chunk.")
@click.option("--memory", metavar="SIZE", help="Memory of one worker, such as 2GB: chunks are made to fit, one that does not is lost.")
@click.option("--maxchunks", type=click.IntRange(min=1), help="Chunks per dataset, for a quick look.")
@click.option("--resume", is_flag=True, help="Continue an interrupted run from the chunks kept in the output folder.")
@click.option("--strict", is_flag=True, help="Stop when any input cannot be read.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of tables.")
@click.option("-q", "--quiet", is_flag=True, help="No tables and no progress bar.")
def command(files: tuple[str, ...], output: Path, as_json: bool, quiet: bool, **options: Any) -> None:
    """Run the search over FILES: paths, globs, folders, addresses, or a fileset JSON.

    FILES are raw trees, or event summaries of `na64mu reconstruct`. Finished chunks are kept in the output folder until the result is
    written: after a crash the same command with --resume continues from them.

    Writes cutflow.json, histograms.json, summary.json, setup.json (descriptions and calibrations), plane.png and report.html; with --processor what it returned, as value.json, histograms.json and .root,
    arrays.npz and tables, with exposure, losses and provenance in result.json, and report.html. The exit code is 3 if some input could not be
    read: every loss is listed, and lowers the muons on target.
    """
    from na64mu.execution.options import RunOptions
    from na64mu.execution.run import forget_checkpoint, run
    from na64mu.report import render_terminal, write_reports
    from na64mu.results.folder import files_of
    from na64mu.results.output_folder import output_folder
    from na64mu.results.run import DRAWN

    if options["scheduler"] is not None and options["executor"] in ("iterative", "futures"):
        msg = "--scheduler needs --executor dask"
        raise click.UsageError(msg)
    if options["scheduler"] is None and any(options[f"tls_{name}"] is not None for name in ("ca", "cert", "key")):
        msg = "--tls-ca, --tls-cert and --tls-key need --scheduler: a local cluster makes its own key"
        raise click.UsageError(msg)
    options["calibration"] = options["calibration"] or None
    of_run = {field.name: options.pop(field.name) for field in fields(RunOptions) if field.name in options}
    with output_folder(output, "run", replaces=DRAWN) as place:
        result = run(files, **options, options=RunOptions(progress=not quiet, output=output, **of_run))
        result.write(place)
        write_reports(result, place)
    forget_checkpoint(output)
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=1))
    elif not quiet:
        render_terminal(result, table_console(120))
        note(f"wrote {output}/: {', '.join(files_of(result, output))}")
    sys.exit(result.exit_code)
