"""`na64mu freeze`: writes down everything that decides about a search, before its box is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from na64mu.cli.say import note

__all__ = ("command",)


@click.command(name="freeze", short_help="Write down everything that decides about a search, before its box is opened.")
@click.argument("files", metavar="FILES...", nargs=-1, type=click.Path())
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Freeze file.  [default: freeze.json]")
@click.option("--selection", default="prl2024", show_default=True, metavar="NAME|FILE", help="The same as in the blind run.")
@click.option("--user", multiple=True, metavar="FILE", help="The same as in the blind run.")
@click.option("--detector", metavar="TAG|FILE", help="The same as in the blind run.")
@click.option("--calibration", multiple=True, metavar="FILE", help="The same as in the blind run.")
@click.option("--accept-calibration", is_flag=True, help="The same as in the blind run.")
@click.option("--layout", metavar="NAME|FILE", help="The same as in the blind run.")
@click.option("--earlier", multiple=True, metavar="FILE", help="Freeze file that holds already: the box must contain that of it.")
@click.option("--sign", metavar="KEY", type=click.Path(dir_okay=False), help="Sign it with this key of SSH or minisign.")
@click.option(
    "--check", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Check a freeze file and its record."
)
def command(files: tuple[str, ...], output: Path | None, sign: str | None, check: Path | None, **options: Any) -> None:
    """Write the selection, calibrations, detectors, layout, your own files, and the hashes of the code and of FILES into one file.

    FILES are the raw trees of the search. No event is looked at. `na64mu unblind` opens the box of this search only. --check reads
    such a file, and the record of openings beside it, and says what they are.
    """
    from na64mu.common.signatures import sign_file
    from na64mu.execution.freezing import freeze

    if check is not None:
        _show(check)
        return
    if not files:
        msg = "FILES are missing: name the raw trees of the search, or a freeze file with --check"
        raise click.UsageError(msg)
    options["calibration"] = options["calibration"] or None
    frozen = freeze(files, **options)
    output = frozen.write(output or "freeze.json")
    click.echo(f"{frozen.hash}  {output}")
    note(f"froze {frozen.selection_name} with {len(frozen.inputs)} files; keep {output} and let somebody else keep its hash")
    if sign is not None:
        note(f"signed: {sign_file(output, sign)}")


def _show(path: Path) -> None:
    from na64mu.execution.opening import record_of
    from na64mu.results.freeze import Freeze
    from na64mu.results.opening_line import lines_text
    from na64mu.results.openings import read_lines

    frozen = Freeze.read(path)
    made = (
        f"{frozen.time} by {frozen.user}@{frozen.host}, version {frozen.version}{', commit ' + frozen.commit[:12] if frozen.commit else ''}"
    )
    click.echo(f"{frozen.hash}  {path}")
    click.echo(f"made {made}")
    click.echo(f"selection {frozen.selection_name}, detectors {', '.join(frozen.detectors)}, {len(frozen.inputs)} files")
    lines = [line for line in read_lines(record_of(path)) if line.freeze == frozen.hash]
    for text in lines_text(lines) or ["it was not opened, as far as the record beside it says"]:
        click.echo(text)
