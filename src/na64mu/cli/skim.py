"""`na64mu skim`: rewrites raw trees to fast files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from na64mu.cli.hints import Known
from na64mu.cli.say import note

__all__ = ("command",)


@click.command(name="skim", short_help="Rewrite raw trees to fast files: large baskets, zstd, checksums; nothing is lost.")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@click.option("--keep", type=Known("na64mu.events.schema_v1:TRIGGER_BITS"), multiple=True, help="Keep events with this trigger only.")
@click.option("--layout", metavar="NAME|FILE", help="Layout that maps a foreign tree onto the raw tree.")
@click.option("--format", "kind", type=Known("na64mu.events.writer:Storage"), default="ttree", show_default=True, help="Form of the file.")
@click.option("--chunksize", type=click.IntRange(min=1), default=50_000, show_default=True, help="Events read at a time.")
def command(
    files: tuple[str, ...], output: Path, keep: tuple[str, ...], layout: str | None, kind: Literal["ttree", "rntuple"], chunksize: int
) -> None:
    """Write the events of FILES to one file in the raw-tree form, with their bookkeeping.

    The muons on target stay those of the runs: --keep leaves out events of other triggers, not muons. A file that cannot be read
    completely stops the skim, because its muons on target could not be kept right.
    """
    from na64mu.execution.progress import stage
    from na64mu.execution.skim import skim

    with stage("skim"):
        n_read, n_written = skim(files, output, keep=keep, layout=layout, kind=kind, chunksize=chunksize)
    note(f"wrote {output}: {n_written} of {n_read} events")
